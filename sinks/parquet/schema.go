package parquet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// PlanSchema compares the latest state with the kinds.
func (s *Sink) PlanSchema(ctx context.Context, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	base, err := loadLatest(ctx, s.store)
	if err != nil {
		return nil, err
	}
	return s.planSchema(ctx, base, kinds)
}

// planSchema lists what differs: conflicts, additions, drops. The SQL of a
// change is that of a table of DuckDB: the files follow it.
func (s *Sink) planSchema(ctx context.Context, base *state, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	var all tables.Changes
	taken, err := s.taken(ctx, base, kinds)
	if err != nil {
		return nil, err
	}
	for _, name := range taken {
		all.Add(sinks.SchemaChange{
			Action: sinks.Conflict, Table: name, Have: "files that are not dewpoint's", Want: "an empty folder",
		})
	}
	have := map[string]bool{}
	for _, k := range kinds {
		have[k.Key] = true
		all.Add(base.cat.changes(k)...)
	}
	for _, k := range base.cat.Kinds {
		if !have[k.Key] {
			all.Add(sinks.SchemaChange{Action: sinks.DropTable, Table: k.Name, Have: k.Name, SQL: "DROP TABLE " + duckdb.Ident(k.Name)})
		}
	}
	return all.All(), nil
}

// changes lists what a kind's table lacks, has too much or has otherwise.
func (c *catalogue) changes(k *schema.Kind) []sinks.SchemaChange {
	old := c.byKey(k.Key)
	if old == nil {
		if other := c.byName(k.Name); other != nil {
			return []sinks.SchemaChange{{
				Action: sinks.Conflict, Table: k.Name, Have: "the table of the kind with the key " + other.Key, Want: "none",
			}}
		}
		var cols []string
		for _, c := range k.TableColumns() {
			cols = append(cols, duckdb.Ident(c.Name)+" "+duckdb.ColumnType(c.Type))
		}
		return []sinks.SchemaChange{{Action: sinks.CreateTable, Table: k.Name, SQL: fmt.Sprintf("CREATE TABLE %s (%s)", duckdb.Ident(k.Name), strings.Join(cols, ", "))}}
	}
	var all []sinks.SchemaChange
	table := duckdb.Ident(k.Name)
	if old.Name != k.Name {
		all = append(all, sinks.SchemaChange{
			Action: sinks.RenameTable, Table: k.Name, Have: old.Name, Want: k.Name,
			SQL: fmt.Sprintf("ALTER TABLE %s RENAME TO %s", duckdb.Ident(old.Name), table),
		})
	}
	for _, col := range k.TableColumns() {
		have := old.column(col.Name)
		change := sinks.SchemaChange{Table: k.Name, Column: col.Name, Want: col.Type.String()}
		switch {
		case have == nil:
			change.Action = sinks.AddColumn
			change.SQL = fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", table, duckdb.Ident(col.Name), duckdb.ColumnType(col.Type))
		case have.Type != col.Type.String():
			change.Action, change.Have = sinks.Conflict, have.Type
		default:
			continue
		}
		all = append(all, change)
	}
	for _, col := range old.Columns {
		if _, wanted := k.Column(col.Name); !wanted {
			all = append(all, sinks.SchemaChange{
				Action: sinks.DropColumn, Table: k.Name, Column: col.Name, Have: col.Type,
				SQL: fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", table, duckdb.Ident(col.Name)),
			})
		}
	}
	return all
}

// ApplySchema writes the tables anew that a change concerns, and a manifest.
func (s *Sink) ApplySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]sinks.SchemaChange, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	l, err := takeLease(ctx, s.store, id.String(), s.opts.LockTimeout)
	if err != nil {
		return nil, s.named(err)
	}
	t, err := newTx(s, sinks.Sync{ID: id, StartedAt: time.Now(), Kinds: kinds}, l)
	if err != nil {
		l.release(context.WithoutCancel(ctx))
		return nil, err
	}
	defer t.end()
	done, err := t.applySchema(ctx, kinds, drop)
	if err != nil {
		var refused *sinks.SchemaError
		if errors.As(err, &refused) {
			return nil, err
		}
		return nil, t.commitError(err)
	}
	return done, nil
}

// applySchema drops first: a new kind may bear the name of one that left.
func (t *tx) applySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]sinks.SchemaChange, error) {
	var err error
	if t.base, err = loadLatest(ctx, t.sink.store); err != nil {
		return nil, err
	}
	planned, err := t.sink.planSchema(ctx, t.base, kinds)
	if err != nil {
		return nil, err
	}
	m := t.newCommit(sinks.Outcome{})
	var done []sinks.SchemaChange
	if drop {
		if err := m.dropTables(ctx, planned); err != nil {
			return nil, err
		}
	}
	if err := t.sink.checkKinds(ctx, t.base, kinds); err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if other := t.base.cat.byName(k.Name); other != nil && other.Key != k.Key {
			return nil, fmt.Errorf("the table %s belongs to the kind with the key %s: drop it first", k.Name, other.Key)
		}
	}
	for _, c := range planned {
		if c.Action != sinks.Conflict && (drop || c.Action.Additive()) {
			done = append(done, c)
		}
	}
	again, err := t.sink.planSchema(ctx, t.base, kinds)
	if err != nil {
		return nil, err
	}
	for _, c := range again {
		if c.Action.Additive() && !slices.Contains(done, c) {
			done = append(done, c)
		}
	}
	m.define()
	dropped := map[string][]string{}
	for _, c := range done {
		if c.Action == sinks.DropColumn {
			dropped[c.Table] = append(dropped[c.Table], c.Column)
		}
	}
	m.dropColumns(dropped)
	return done, m.rewrite(ctx)
}

// dropColumns takes columns off the definitions and has their tables written
// without them.
func (m *commit) dropColumns(dropped map[string][]string) {
	for _, k := range m.kinds {
		names := dropped[k.ks.Name]
		if len(names) == 0 {
			continue
		}
		k.def.Columns = slices.DeleteFunc(k.def.Columns, func(c storedColumn) bool { return slices.Contains(names, c.Name) })
		k.rewrite = true
	}
}

// rewrite writes what a change of the schema concerns and commits it.
func (m *commit) rewrite(ctx context.Context) error {
	if sameCatalogue(&m.t.base.cat, &m.next.cat) && len(m.gone) == 0 && m.t.base.Number > 0 && m.t.base.Layout == m.next.Layout && !m.dropped {
		return nil
	}
	m.renameKinds()
	if err := m.loadOwn(ctx); err != nil {
		return err
	}
	var err error
	if m.history, err = m.newRowWriter(historyColumns, "resource_history", ""); err != nil {
		return err
	}
	for _, do := range []func(context.Context) error{m.applyKinds, m.applyEdges, m.renameScopes, m.endHistory, m.writeCatalogue} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	if err := m.t.lease.held(ctx); err != nil {
		return err
	}
	if err := commitManifest(ctx, m.t.sink.store, &m.next.manifest); err != nil {
		return err
	}
	return m.publish(ctx)
}

// renameScopes writes the scopes with the names that kinds have now.
func (m *commit) renameScopes(context.Context) error {
	if len(m.renamed) == 0 && !m.dropped {
		return nil
	}
	var rows []scopeRow
	for _, r := range m.own.scopes {
		if r.kind != "" && m.next.cat.byName(r.kind) == nil {
			continue
		}
		if r.kind == "" {
			r.kinds = slices.DeleteFunc(slices.Clone(r.kinds), func(k string) bool { return m.next.cat.byName(k) == nil })
			if len(r.kinds) == 0 {
				continue
			}
		}
		rows = append(rows, r)
	}
	return m.writeScopes(rows)
}

// dropTables removes kinds with their rows. Edges to them stay, unresolved.
func (m *commit) dropTables(ctx context.Context, planned []sinks.SchemaChange) error {
	cat := &m.t.base.cat
	files := maps.Clone(m.t.base.Files)
	for _, c := range planned {
		if c.Action != sinks.DropTable {
			continue
		}
		m.dropped = true
		ids := map[[16]byte]string{}
		old, err := m.loadOld(ctx, c.Table)
		if err != nil {
			return err
		}
		for _, id := range old.ids {
			ids[id] = "dropped"
		}
		m.gone[c.Table] = ids
		cat.Kinds = slices.DeleteFunc(slices.Clone(cat.Kinds), func(k *storedKind) bool { return k.Name == c.Table })
		maps.DeleteFunc(cat.Views, func(_, name string) bool { return name == c.Table })
		delete(files, c.Table)
		for _, table := range []string{"resources", "edges", "sightings"} {
			files[table] = slices.DeleteFunc(slices.Clone(files[table]), func(f fileEntry) bool { return f.Kind == c.Table })
		}
	}
	m.t.base.Files = files
	m.next.Files = maps.Clone(files)
	return nil
}
