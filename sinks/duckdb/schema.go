package duckdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// PlanSchema compares the file with the kinds. A file that is not there yet is
// taken as empty.
func (s *Sink) PlanSchema(ctx context.Context, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	if !s.exists() {
		return new(schemaState).changes(s.URL(), kinds)
	}
	c, err := s.connect(ctx, true)
	if err != nil {
		return nil, err
	}
	defer c.close()
	b, err := readSchemaState(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.URL(), err)
	}
	return b.changes(s.URL(), kinds)
}

// schemaState is what a file holds, with the views that dewpoint made.
type schemaState struct {
	base
	made map[string]string // definitions by name
}

func readSchemaState(ctx context.Context, c *conn) (*schemaState, error) {
	b, err := readBase(ctx, c)
	if err != nil || b.version == 0 {
		return &schemaState{base: b}, err
	}
	views, err := c.texts(ctx, "SELECT name, definition FROM dewpoint_views")
	if err != nil {
		return nil, err
	}
	s := &schemaState{base: b, made: map[string]string{}}
	for _, v := range views {
		s.made[v[0]] = v[1]
	}
	return s, nil
}

// ApplySchema changes the file by one transaction. It creates the file where
// there is none.
func (s *Sink) ApplySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]sinks.SchemaChange, error) {
	lock, err := s.lockStaging(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.release()
	if err := lock.sweep(); err != nil {
		return nil, fmt.Errorf("sweep %s: %w", s.staging, err)
	}
	st, err := stage.New(kinds, nil)
	if err != nil {
		return nil, err
	}
	existed := s.exists()
	c, err := s.connect(ctx, false)
	if err != nil {
		return nil, err
	}
	m := &commit{conn: c, t: &tx{Stage: st, sink: s, sync: sinks.Sync{Kinds: kinds}}, now: time.Now().UTC().Truncate(time.Microsecond)}
	if err := c.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		_ = c.close()
		return nil, err
	}
	done, err := m.applySchema(ctx, kinds, drop)
	if err == nil {
		err = c.exec(ctx, "COMMIT")
	}
	_ = c.close() // what is not committed ends with the connection
	if err != nil {
		if !existed {
			m.t.removeEmpty()
		}
		return nil, fmt.Errorf("change the schema of %s: %w", s.URL(), err)
	}
	return done, nil
}

// applySchema drops first: a new kind may bear the name of one that left.
func (m *commit) applySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]sinks.SchemaChange, error) {
	state, err := readSchemaState(ctx, m.conn)
	if err != nil {
		return nil, err
	}
	m.base = state.base
	planned, err := state.changes(m.t.sink.URL(), kinds)
	if err != nil {
		return nil, err
	}
	var done []sinks.SchemaChange
	for _, c := range planned {
		if drop && (c.Action == sinks.DropColumn || c.Action == sinks.DropTable) {
			if err := m.exec(ctx, c.SQL); err != nil {
				return nil, fmt.Errorf("drop %s %s: %w", c.Table, c.Column, err)
			}
			done = append(done, c)
		}
	}
	if len(done) > 0 {
		if state, err = readSchemaState(ctx, m.conn); err != nil {
			return nil, err
		}
		m.base = state.base
		if planned, err = state.changes(m.t.sink.URL(), kinds); err != nil {
			return nil, err
		}
	}
	for _, c := range planned {
		if c.Action.Additive() {
			done = append(done, c)
		}
	}
	if err := m.base.check(m.t.sink.URL(), kinds); err != nil {
		return nil, err
	}
	if err := m.defineTables(ctx); err != nil {
		return nil, err
	}
	return done, m.defineViews(ctx)
}

// changes lists what differs between the file and the kinds: conflicts, what a
// sync does by itself, and what is dropped only when told to.
func (b *schemaState) changes(url string, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	all, err := b.migrations(url)
	if err != nil {
		return nil, err
	}
	conflicts := b.conflicts(kinds)
	var drops []sinks.SchemaChange
	have := map[string]bool{}
	for _, k := range kinds {
		have[k.Key] = true
		for _, c := range b.kindChanges(k) {
			switch {
			case c.Action == sinks.DropColumn:
				drops = append(drops, c)
			case c.Action.Additive():
				all = append(all, c)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.byKey)) {
		if have[key] {
			continue
		}
		left := b.dropKind(b.byKey[key])
		drops = append(drops, left)
		for i, c := range conflicts {
			if c.Table == left.Table && c.Column == "" {
				conflicts[i].Have, conflicts[i].SQL = "the table of a kind that the catalogue no longer has", left.SQL
			}
		}
	}
	return slices.Concat(conflicts, all, drops), nil
}

// check says whether the kinds can be had by adding tables and columns.
func (b *base) check(url string, kinds []*schema.Kind) error {
	if _, err := b.migrations(url); err != nil {
		return err
	}
	all := b.conflicts(kinds)
	if len(all) == 0 {
		return nil
	}
	c := all[0]
	if c.Column != "" {
		return &sinks.SchemaError{Kind: c.Table, Column: c.Column, Have: c.Have, Want: c.Want}
	}
	return fmt.Errorf("%s: %s is %s: rename it (%s), or name another file", url, c.Table, c.Have, c.SQL)
}

// conflicts lists what is in the way of the kinds and of dewpoint's own tables.
func (b *base) conflicts(kinds []*schema.Kind) []sinks.SchemaChange {
	var all []sinks.SchemaChange
	for _, name := range ownTables {
		if b.version == 0 && (b.tables[name] != nil || b.views[name]) {
			all = append(all, b.taken(name))
		}
	}
	for _, k := range kinds {
		for _, c := range b.kindChanges(k) {
			if c.Action == sinks.Conflict {
				all = append(all, c)
			}
		}
	}
	return all
}

// migrations lists those of dewpoint's own tables that the file lacks.
func (b *base) migrations(url string) ([]sinks.SchemaChange, error) {
	own, err := migrations.Load("duckdb")
	if err != nil {
		return nil, err
	}
	if b.version > len(own) {
		return nil, fmt.Errorf("%s was written by a newer dewpoint (its tables are at version %d, this one knows %d): upgrade dewpoint", url, b.version, len(own))
	}
	var all []sinks.SchemaChange
	for _, g := range own[b.version:] {
		all = append(all, sinks.SchemaChange{Action: sinks.Migrate, Have: fmt.Sprint(g.Version - 1), Want: fmt.Sprintf("%d (%s)", g.Version, g.Name), SQL: g.SQL})
	}
	return all, nil
}

// kindChanges lists what a kind's table lacks, has too much or has otherwise.
func (b *base) kindChanges(k *schema.Kind) []sinks.SchemaChange {
	table := b.table(k)
	if table == "" {
		if b.tables[k.Name] != nil || b.views[strings.ToLower(k.Name)] {
			return []sinks.SchemaChange{b.taken(k.Name)}
		}
		return []sinks.SchemaChange{{Action: sinks.CreateTable, Table: k.Name, SQL: createTable(k)}}
	}
	var all []sinks.SchemaChange
	if table != k.Name {
		all = append(all, sinks.SchemaChange{Action: sinks.RenameTable, Table: k.Name, Have: table, Want: k.Name, SQL: renameTable(table, k.Name)})
	}
	for _, c := range k.TableColumns() {
		have, ok := b.tables[table][c.Name]
		change := sinks.SchemaChange{Table: k.Name, Column: c.Name, Have: have, Want: columnType(c.Type)}
		switch {
		case !ok:
			change.Action, change.SQL = sinks.AddColumn, addColumn(k.Name, c)
		case have != canonicalType(change.Want):
			change.Action = sinks.Conflict
			change.SQL = fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", ident(table), ident(c.Name), ident(c.Name+"_old"))
		default:
			continue
		}
		all = append(all, change)
	}
	for _, name := range b.byKey[k.Key].columns {
		name = strings.TrimPrefix(name, "-")
		have, ok := b.tables[table][name]
		if _, wanted := k.Column(name); ok && !wanted {
			all = append(all, sinks.SchemaChange{
				Action: sinks.DropColumn, Table: k.Name, Column: name, Have: have,
				SQL: fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s;\nUPDATE kinds SET columns = map_from_entries(list_filter(map_entries(columns), lambda e: e.key NOT IN (%s, %s))) WHERE key = %s",
					ident(table), ident(name), literal(name), literal("-"+name), literal(k.Key)),
			})
		}
	}
	return all
}

// taken says that an object of a user bears the name of a table.
func (b *base) taken(name string) sinks.SchemaChange {
	what := "TABLE"
	if b.views[strings.ToLower(name)] {
		what = "VIEW"
	}
	return sinks.SchemaChange{
		Action: sinks.Conflict, Table: name, Have: "a " + strings.ToLower(what) + " that is not dewpoint's",
		SQL: fmt.Sprintf("ALTER %s %s RENAME TO %s", what, ident(name), ident(name+"_old")),
	}
}

// dropKind removes a kind with its rows. Edges to them stay, unresolved.
func (b *schemaState) dropKind(k storedKind) sinks.SchemaChange {
	name := literal(k.name)
	var q []string
	if b.tables[k.name] != nil {
		q = append(q, "DROP TABLE "+ident(k.name))
	}
	for _, v := range b.formerNames(k.name) {
		q = append(q, "DROP VIEW "+ident(v), "DELETE FROM dewpoint_views WHERE name = "+literal(v))
	}
	q = append(q,
		"UPDATE edges SET to_id = NULL, resolution = 'not_collected' WHERE to_id IN (SELECT _id FROM resources WHERE kind = "+name+")",
		"DELETE FROM edges WHERE from_kind = "+name,
		"DELETE FROM sightings WHERE kind = "+name,
		"DELETE FROM resources WHERE kind = "+name,
		"DELETE FROM problems WHERE kind = "+name,
		"DELETE FROM scopes WHERE kind = "+name+" OR kinds = ["+name+"]",
		"UPDATE scopes SET kinds = list_filter(kinds, lambda k: k <> "+name+") WHERE list_contains(kinds, "+name+")",
		"DELETE FROM kinds WHERE key = "+literal(k.key))
	return sinks.SchemaChange{Action: sinks.DropTable, Table: k.name, Have: k.name, SQL: strings.Join(q, ";\n")}
}

// formerNames lists the views that dewpoint made of a kind's table.
func (b *schemaState) formerNames(table string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.made)) {
		if b.views[strings.ToLower(name)] && !tables.IsBaseView(name) && strings.HasSuffix(b.made[name], " FROM "+ident(table)) {
			names = append(names, name)
		}
	}
	return names
}

func createTable(k *schema.Kind) string {
	var b strings.Builder
	for i, c := range k.TableColumns() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ident(c.Name) + " " + columnType(c.Type))
	}
	return fmt.Sprintf("CREATE TABLE %s (%s)", ident(k.Name), b.String())
}

func addColumn(table string, c schema.Column) string {
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", ident(table), ident(c.Name), columnType(c.Type))
}

func renameTable(from, to string) string {
	return fmt.Sprintf("ALTER TABLE %s RENAME TO %s", ident(from), ident(to))
}
