//go:build iceberg

package iceberg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/catalog/rest"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/dewpoint-data/dewpoint/schema"
)

// What dewpoint leaves with tables and snapshots.
const (
	estateProperty = "dewpoint.estate"  // of a table: the URL of its estate
	syncProperty   = "dewpoint.sync-id" // of a snapshot
	filesProperty  = "dewpoint.files"   // of a snapshot: a digest of its files
	// metadataFolder holds the metadata of the tables in the store.
	metadataFolder = "_dewpoint/iceberg/"
)

// change is what a publication does to a table.
type change struct {
	name string
	tx   *table.Transaction
	// expired are the keys of metadata that nothing needs after the commit.
	expired []string
}

// plan compares a table with the catalog's. It returns nil where they agree.
func (c *Catalog) plan(ctx context.Context, cat *rest.Catalog, t Table, s State) (*change, error) {
	ident := append(slices.Clone(c.namespace), t.Name)
	fs := &files{ctx: ctx, st: c.st, root: root(c.st)}
	have, err := cat.LoadTable(ctx, ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		have, err = cat.CreateTable(ctx, ident, newSchema(t.Columns), catalog.WithLocation(fs.root+metadataFolder+t.Name), catalog.WithProperties(c.properties(t)))
	}
	if err != nil {
		return nil, err
	}
	if of := have.Properties()[estateProperty]; of != c.st.URL() {
		if of == "" {
			of = "somebody else"
		}
		return nil, fmt.Errorf("the catalog has a table of this name that belongs to %s: name another namespace=", of)
	}
	ch := &change{name: t.Name}
	have = table.New(have.Identifier(), have.Metadata(), have.MetadataLocation(), func(context.Context) (iceio.IO, error) { return fs, nil }, cat)
	ch.tx = have.NewTransaction()
	changed, err := addColumns(have, ch.tx, t)
	if err != nil {
		return nil, err
	}
	replaced, err := replaceFiles(ctx, fs, have, ch.tx, t, s.Sync)
	if err != nil {
		return nil, err
	}
	if ch.expired, err = expire(fs, have, ch.tx, s.Retention, replaced); err != nil {
		return nil, err
	}
	if !changed && !replaced && ch.expired == nil {
		return nil, nil
	}
	return ch, nil
}

func (c *Catalog) properties(t Table) iceberg.Properties {
	p := iceberg.Properties{
		estateProperty:         c.st.URL(),
		"format-version":       "2",
		"write.format.default": "parquet",
		"write.metadata.delete-after-commit.enabled": "true",
		"write.metadata.previous-versions-max":       "10",
		"gc.enabled":                                 "true",
	}
	if t.Doc != "" {
		p["comment"] = t.Doc
	}
	return p
}

// newSchema is the schema of a table with the columns.
func newSchema(cols []schema.Column) *iceberg.Schema {
	id := 0
	next := func() int {
		id++
		return id
	}
	fields := make([]iceberg.NestedField, len(cols))
	for i, col := range cols {
		fields[i] = iceberg.NestedField{ID: next(), Name: col.Name, Doc: col.Doc}
	}
	for i, col := range cols {
		fields[i].Type = typeOf(col.Type, next)
	}
	return iceberg.NewSchema(0, fields...)
}

// typeOf is the Iceberg type of a column of a file, which holds UUIDs as text.
func typeOf(t schema.Type, id func() int) iceberg.Type {
	switch t {
	case schema.Bool:
		return iceberg.PrimitiveTypes.Bool
	case schema.Int64:
		return iceberg.PrimitiveTypes.Int64
	case schema.Float64:
		return iceberg.PrimitiveTypes.Float64
	case schema.Timestamp:
		return iceberg.PrimitiveTypes.TimestampTz
	case schema.TextMap:
		return &iceberg.MapType{KeyID: id(), KeyType: iceberg.PrimitiveTypes.String, ValueID: id(), ValueType: iceberg.PrimitiveTypes.String}
	}
	if e := t.Elem(); e != 0 {
		return &iceberg.ListType{ElementID: id(), Element: typeOf(e, id)}
	}
	return iceberg.PrimitiveTypes.String
}

// addColumns adds the columns that the catalog's table lacks. Files have no
// field ids: readers find their columns by the name mapping, which follows.
func addColumns(have *table.Table, tx *table.Transaction, t Table) (bool, error) {
	current := have.Schema()
	var missing []schema.Column
	for _, col := range t.Columns {
		field, ok := current.FindFieldByName(col.Name)
		if !ok {
			missing = append(missing, col)
			continue
		}
		want := typeOf(col.Type, func() int { return 0 })
		if field.Type.String() != want.String() {
			return false, fmt.Errorf("%w: column %s is %s, dewpoint writes %s", iceberg.ErrInvalidSchema, col.Name, field.Type, want)
		}
	}
	next := current
	if len(missing) > 0 {
		add := func(tx *table.Transaction) *table.UpdateSchema {
			u := tx.UpdateSchema(true, false)
			for _, col := range missing {
				id := 0
				u.AddColumn([]string{col.Name}, typeOf(col.Type, func() int { id++; return id }), col.Doc, false, nil)
			}
			return u
		}
		var err error
		if next, err = add(have.NewTransaction()).Apply(); err != nil {
			return false, err
		}
		if err := add(tx).Commit(); err != nil {
			return false, err
		}
	}
	mapping, err := json.Marshal(next.NameMapping())
	if err != nil {
		return false, err
	}
	if have.Properties()[table.DefaultNameMappingKey] == string(mapping) {
		return false, nil
	}
	return true, tx.SetProperties(iceberg.Properties{table.DefaultNameMappingKey: string(mapping)})
}

// replaceFiles makes a snapshot of the table's files, unless the current one
// has the same.
func replaceFiles(ctx context.Context, fs *files, have *table.Table, tx *table.Transaction, t Table, sync string) (bool, error) {
	want := map[string]bool{}
	for _, f := range t.Files {
		want[fs.root+f.Key] = true
	}
	digest := digestOf(want)
	current := have.CurrentSnapshot()
	if current == nil && len(want) == 0 {
		return false, nil
	}
	var gone []string
	if current != nil {
		if current.Summary != nil && current.Summary.Properties[filesProperty] == digest {
			return false, nil
		}
		there, err := filesOf(fs, *current)
		if err != nil {
			return false, err
		}
		for path := range there {
			if !want[path] {
				gone = append(gone, path)
			}
			delete(want, path)
		}
		if len(gone) == 0 && len(want) == 0 {
			return false, nil
		}
	}
	slices.Sort(gone)
	added := slices.Sorted(maps.Keys(want))
	return true, tx.ReplaceDataFiles(ctx, gone, added, iceberg.Properties{syncProperty: sync, filesProperty: digest})
}

func digestOf(paths map[string]bool) string {
	sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(maps.Keys(paths)), "\n")))
	return hex.EncodeToString(sum[:16])
}

// filesOf are the paths of a snapshot's data files.
func filesOf(fs *files, s table.Snapshot) (map[string]bool, error) {
	manifests, err := s.Manifests(fs)
	if err != nil {
		return nil, err
	}
	all := map[string]bool{}
	for _, m := range manifests {
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, err
			}
			all[e.DataFile().FilePath()] = true
		}
	}
	return all, nil
}

// expire ends the snapshots that are older than the retention and returns the
// keys of the manifests and manifest lists that only they need. Data files are
// not Iceberg's to remove. The current snapshot stays where no newer one comes.
func expire(fs *files, have *table.Table, tx *table.Transaction, retention time.Duration, replaced bool) ([]string, error) {
	before := time.Now().Add(-retention).UnixMilli()
	current := have.CurrentSnapshot()
	if !slices.ContainsFunc(have.Metadata().Snapshots(), func(s table.Snapshot) bool {
		return s.TimestampMs < before && (replaced || s.SnapshotID != current.SnapshotID)
	}) {
		return nil, nil
	}
	if err := tx.ExpireSnapshots(table.WithOlderThan(retention), table.WithRetainLast(1), table.WithPostCommit(false)); err != nil {
		return nil, err
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return nil, err
	}
	kept := staged.Metadata().Snapshots()
	old := slices.DeleteFunc(slices.Clone(have.Metadata().Snapshots()), func(s table.Snapshot) bool {
		return slices.ContainsFunc(kept, func(k table.Snapshot) bool { return k.SnapshotID == s.SnapshotID })
	})
	needed := map[string]bool{}
	for _, s := range kept {
		manifests, err := s.Manifests(fs)
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			needed[m.FilePath()] = true
		}
	}
	var expired []string
	for _, s := range old {
		manifests, err := s.Manifests(fs)
		if err != nil {
			return nil, err
		}
		paths := []string{s.ManifestList}
		for _, m := range manifests {
			if !needed[m.FilePath()] {
				needed[m.FilePath()] = true
				paths = append(paths, m.FilePath())
			}
		}
		for _, path := range paths {
			if key, err := fs.key(path); err == nil && strings.HasPrefix(key, metadataFolder) {
				expired = append(expired, key)
			}
		}
	}
	return expired, nil
}
