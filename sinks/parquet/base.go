package parquet

import (
	"context"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// load reads the state before the sync and the hashes of its rows.
func (t *tx) load(ctx context.Context) error {
	var err error
	if t.base, err = loadLatest(ctx, t.sink.store); err != nil {
		return err
	}
	if err := t.sink.checkKinds(ctx, t.base, t.sync.Kinds); err != nil {
		return err
	}
	if t.base.Number == 0 {
		if err := objects.Check(ctx, t.sink.store); err != nil {
			return err
		}
	}
	budget := t.sink.opts.HashBudget
	for _, k := range t.Kinds() {
		old := t.base.cat.byKey(k.Key)
		if old == nil {
			continue
		}
		k.Had = t.base.rows(old.Name, "")
		if need := stage.KnownBytes(k.Had); k.Had > 0 && need <= budget {
			budget -= need
			if err := t.loadKnown(ctx, k, old.Name); err != nil {
				return fmt.Errorf("read the hashes of %s: %w", k.Name, err)
			}
		}
	}
	return nil
}

// checkKinds says whether the kinds can be had by adding tables and columns.
func (s *Sink) checkKinds(ctx context.Context, base *state, kinds []*schema.Kind) error {
	for _, k := range kinds {
		old := base.cat.byKey(k.Key)
		if old == nil {
			continue
		}
		for _, c := range k.TableColumns() {
			if have := old.column(c.Name); have != nil && have.Type != c.Type.String() {
				return &sinks.SchemaError{Kind: k.Name, Column: c.Name, Have: have.Type, Want: c.Type.String()}
			}
		}
	}
	taken, err := s.taken(ctx, base, kinds)
	if err != nil {
		return err
	}
	if len(taken) > 0 {
		return fmt.Errorf("%s has files in %s/ that are not dewpoint's: move them, or name another place", s.URL(), taken[0])
	}
	return nil
}

// ownTables are dewpoint's own, each in a folder of its name.
var ownTables = []string{"resources", "edges", "resource_history", "sightings", "syncs", "scopes", "problems", "metrics", "kinds"}

// ours matches the keys of files that a sync wrote.
var ours = regexp.MustCompile(`^[^/]+/sync_date=\d{4}-\d\d-\d\d/sync_id=[0-9a-f-]{36}/[a-z0-9_.-]+\.parquet$`)

// taken lists the folders of tables to be made that hold files of others.
func (s *Sink) taken(ctx context.Context, base *state, kinds []*schema.Kind) ([]string, error) {
	var tables []string
	if base.Number == 0 {
		tables = append(tables, ownTables...)
	}
	for _, k := range kinds {
		if base.cat.byKey(k.Key) == nil {
			tables = append(tables, k.Name)
		}
	}
	foreign := make([]bool, len(tables))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, table := range tables {
		g.Go(func() error {
			for info, err := range s.store.List(ctx, table+"/") {
				if err != nil {
					return fmt.Errorf("list %s/ of %s: %w", table, s.URL(), err)
				}
				if !ours.MatchString(info.Key) {
					foreign[i] = true
					return nil
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var names []string
	for i, f := range foreign {
		if f {
			names = append(names, tables[i])
		}
	}
	return names, nil
}

// loadKnown fills the kind's known rows.
func (t *tx) loadKnown(ctx context.Context, k *stage.Kind, table string) error {
	columns := []string{"_id", "_hash", "_scope", "_unread"}
	var types []arrow.DataType
	for _, v := range k.Volatile {
		c := k.BatchColumns()[v]
		columns = append(columns, c.Name)
		types = append(types, c.Type.Arrow())
	}
	known := stage.NewKnown(k.Had)
	sound := true
	var last string
	var ordinal uint32
	begun := false
	err := readTable(ctx, t.sink.store, t.base.Files[table], columns, func(cols []arrow.Array, _ int64, n int) error {
		ids, hashes, scopes := cols[0].(*array.String), cols[1].(*array.String), cols[2].(*array.String)
		vol := stage.VolatileSums{}
		for i, c := range cols[4:] {
			if c == nil {
				c = array.MakeArrayOfNull(memory.DefaultAllocator, types[i], n)
			}
			vol.Columns = append(vol.Columns, c)
		}
		for i := range n {
			id, ok := parseUUID(ids.Value(i))
			if !ok {
				return fmt.Errorf("%q is no _id", ids.Value(i))
			}
			hash, hashed := parseUUID(hashes.Value(i))
			if scope := scopes.Value(i); !begun || scope != last {
				begun, last = true, t.cloneScope(scope)
				ordinal = t.Ordinal(last)
			}
			unread := !hashed || cols[3] != nil && !cols[3].IsNull(i)
			if !known.Add(id[:], hash[:], vol.Sum(i), ordinal, unread) {
				sound = false
			}
		}
		return nil
	})
	if err == nil && sound {
		k.Known = known
	}
	return err
}

// cloneScope is a scope's text that outlives the batch it comes from.
func (t *tx) cloneScope(s string) string { return t.scopes.list[t.scopes.number(s)] }

// parseUUID reads the usual text form.
func parseUUID(s string) (id [16]byte, ok bool) {
	if len(s) != 36 {
		return id, false
	}
	var b [32]byte
	copy(b[0:8], s[0:8])
	copy(b[8:12], s[9:13])
	copy(b[12:16], s[14:18])
	copy(b[16:20], s[19:23])
	copy(b[20:32], s[24:36])
	_, err := hex.Decode(id[:], b[:])
	return id, err == nil
}

// defined returns the catalogue with the kinds in it, and the names of kinds
// that had another one before.
func (c *catalogue) defined(kinds []*schema.Kind, now time.Time) (next catalogue, renamed map[string]string) {
	next.Kinds = slices.Clone(c.Kinds)
	renamed = map[string]string{}
	for _, k := range kinds {
		old := c.byKey(k.Key)
		def := defineKind(old, k, now)
		if old == nil {
			next.Kinds = append(next.Kinds, def)
			continue
		}
		if old.Name != k.Name {
			renamed[old.Name] = k.Name
		}
		next.Kinds[slices.Index(next.Kinds, old)] = def
	}
	next.Views = map[string]string{}
	for old, name := range c.Views {
		if to, ok := renamed[name]; ok {
			name = to
		}
		next.Views[old] = name
	}
	for _, k := range kinds {
		for _, old := range k.Renamed {
			next.Views[old] = k.Name
		}
	}
	for _, k := range next.Kinds {
		delete(next.Views, k.Name)
	}
	if len(next.Views) == 0 {
		next.Views = nil
	}
	return next, renamed
}

// defineKind is a kind's entry after a sync with the definition.
func defineKind(old *storedKind, k *schema.Kind, now time.Time) *storedKind {
	def := &storedKind{
		Name: k.Name, Key: k.Key, Definition: k.Definition, DefinitionSince: now, Doc: k.Doc, Parent: k.Parent,
		Base: k.Base, Edges: k.Edges, Cloud: k.Cloud, Service: k.Service, KeyScope: k.KeyScope, Renamed: k.Renamed,
	}
	if old != nil {
		if old.Definition == k.Definition {
			def.DefinitionSince = old.DefinitionSince
		}
		for _, c := range old.Columns {
			wanted, ok := k.Column(c.Name)
			if ok == c.Left {
				c.Left, c.Since = !ok, now
			}
			if ok {
				c.Doc, c.Path, c.Call, c.Volatile = wanted.Doc, wanted.Path, wanted.Call, wanted.Volatile
			}
			def.Columns = append(def.Columns, c)
		}
	}
	for _, c := range k.TableColumns() {
		if def.column(c.Name) == nil {
			def.Columns = append(def.Columns, storedColumn{
				Name: c.Name, Type: c.Type.String(), Doc: c.Doc, Path: c.Path, Call: c.Call, Volatile: c.Volatile, Since: now,
			})
		}
	}
	def.Layout = tables.Layout(k)
	return def
}
