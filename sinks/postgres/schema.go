package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// PlanSchema compares the schema with the kinds.
func (s *Sink) PlanSchema(ctx context.Context, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.checkServer(ctx, c); err != nil {
		return nil, err
	}
	var b base
	err = c.transaction(ctx, func() (err error) {
		b, err = readBase(ctx, c)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.URL(), err)
	}
	return b.changes(s, kinds)
}

// ApplySchema takes the lease, drops first, since a new kind may bear the name
// of one that left, and makes the rest as a sync does.
func (s *Sink) ApplySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]sinks.SchemaChange, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.checkServer(ctx, c); err != nil {
		return nil, err
	}
	// What only a user can solve is said before anything is made.
	if !drop {
		if err := s.checkFirst(ctx, c, kinds); err != nil {
			return nil, err
		}
	}
	if err := s.bootstrap(ctx, c); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", s.URL(), err)
	}
	l, err := s.acquire(ctx, c)
	if err != nil {
		return nil, err
	}
	defer l.release(ctx)
	done, err := (&definer{conn: c, kinds: kinds}).apply(ctx, drop)
	if err != nil {
		return nil, fmt.Errorf("change the schema of %s: %w", s.URL(), err)
	}
	return done, nil
}

func (d *definer) apply(ctx context.Context, drop bool) ([]sinks.SchemaChange, error) {
	if err := d.read(ctx); err != nil {
		return nil, err
	}
	planned, err := d.base.changes(d.sink, d.kinds)
	if err != nil {
		return nil, err
	}
	var done []sinks.SchemaChange
	if drop {
		for _, c := range planned {
			if c.Action == sinks.DropColumn || c.Action == sinks.DropTable {
				done = append(done, c)
			}
		}
	}
	if len(done) > 0 {
		if err := d.drop(ctx, done); err != nil {
			return nil, err
		}
		if planned, err = d.base.changes(d.sink, d.kinds); err != nil {
			return nil, err
		}
	}
	for _, c := range planned {
		if c.Action.Additive() {
			done = append(done, c)
		}
	}
	return done, d.define(ctx)
}

// drop runs the drops by one transaction, unless the kinds cannot be had even
// then.
func (d *definer) drop(ctx context.Context, drops []sinks.SchemaChange) error {
	return d.transaction(ctx, func() error {
		if err := d.exec(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", max(d.sink.opts.LockTimeout, time.Second).Milliseconds())); err != nil {
			return err
		}
		for _, c := range drops {
			if err := d.exec(ctx, c.SQL); err != nil {
				return fmt.Errorf("drop %s %s: %w", c.Table, c.Column, err)
			}
		}
		var err error
		if d.base, err = readBase(ctx, d.conn); err != nil {
			return err
		}
		return d.base.check(d.sink.URL(), d.kinds)
	})
}

// changes lists what differs between the schema and the kinds, in the order in
// which it is applied: conflicts, migrations, and then kind by kind.
func (b *base) changes(s *Sink, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	if err := b.checkVersion(s.URL()); err != nil {
		return nil, err
	}
	own, err := ownMigrations()
	if err != nil {
		return nil, err
	}
	var all tables.Changes
	for _, g := range own[b.version:] {
		all.Add(sinks.SchemaChange{Action: sinks.Migrate, Have: fmt.Sprint(g.version - 1), Want: fmt.Sprintf("%d (%s)", g.version, g.name), SQL: g.sql})
	}
	have := map[string]bool{}
	for _, k := range kinds {
		have[k.Key] = true
		all.Add(b.kindChanges(k)...)
	}
	for _, key := range slices.Sorted(maps.Keys(b.byKey)) {
		if !have[key] {
			all.Add(b.dropKind(s.cfg.staging, b.byKey[key]))
		}
	}
	if b.version == 0 {
		for _, name := range ownTables {
			if b.taken(name) {
				all.Add(b.conflict(name))
			}
		}
	}
	return all.All(), nil
}

// kindChanges lists what a kind's table lacks, has too much or has otherwise.
func (b *base) kindChanges(k *schema.Kind) []sinks.SchemaChange {
	table := b.table(k)
	if table == "" {
		if b.taken(k.Name) {
			return []sinks.SchemaChange{b.conflict(k.Name)}
		}
		return []sinks.SchemaChange{{Action: sinks.CreateTable, Table: k.Name, SQL: createTable(k)}}
	}
	var all []sinks.SchemaChange
	if table != k.Name {
		all = append(all, sinks.SchemaChange{
			Action: sinks.RenameTable, Table: k.Name, Have: table, Want: k.Name,
			SQL: fmt.Sprintf("ALTER TABLE %s RENAME TO %s", ident(table), ident(k.Name)),
		})
	}
	for _, c := range k.TableColumns() {
		have, ok := b.columnType(table, c.Name)
		change := sinks.SchemaChange{Table: k.Name, Column: c.Name, Have: have, Want: storedType(c.Type)}
		switch {
		case !ok:
			change.Action, change.SQL = sinks.AddColumn, addColumn(k, c)
		case have != change.Want:
			change.Action = sinks.Conflict
			change.SQL = fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", ident(table), ident(c.Name), ident(c.Name+"_old"))
		default:
			continue
		}
		all = append(all, change)
	}
	for _, name := range b.byKey[k.Key].columns {
		name = strings.TrimPrefix(name, "-")
		have, ok := b.tables[shorten(table)][shorten(name)]
		if _, wanted := k.Column(name); ok && !wanted {
			all = append(all, sinks.SchemaChange{
				Action: sinks.DropColumn, Table: k.Name, Column: name, Have: have,
				SQL: strings.Join(append(b.withoutViews(table),
					fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s", ident(table), ident(name)),
					fmt.Sprintf("UPDATE kinds SET columns = columns - %s - %s WHERE key = %s", literal(name), literal("-"+name), literal(k.Key))), ";\n"),
			})
		}
	}
	return all
}

// conflict says that an object of a user bears the name of a table.
func (b *base) conflict(name string) sinks.SchemaChange {
	what := "TABLE"
	switch name := shorten(name); {
	case b.indexes[name]:
		what = "INDEX"
	case b.views[name]:
		what = "VIEW"
	}
	return sinks.SchemaChange{
		Action: sinks.Conflict, Table: name, Have: "a " + strings.ToLower(what) + " that is not dewpoint's",
		SQL: fmt.Sprintf("ALTER %s %s RENAME TO %s", what, ident(name), ident(name+"_old")),
	}
}

// withoutViews takes dewpoint's own views off a table; they are made anew
// afterwards. A view of a user stops what comes then.
func (b *base) withoutViews(table string) []string {
	var q []string
	for _, v := range schema.BaseViews {
		if slices.Contains(strings.Fields(b.made[v.View]), ident(table)) {
			q = append(q, fmt.Sprintf("CREATE OR REPLACE VIEW %s AS %s", ident(v.View), dialect.BaseView(v, nil)),
				fmt.Sprintf("UPDATE dewpoint_views SET definition = '' WHERE name = %s", literal(v.View)))
		}
	}
	for _, v := range b.formerNames(table) {
		q = append(q, "DROP VIEW IF EXISTS "+ident(v), "DELETE FROM dewpoint_views WHERE name = "+literal(v))
	}
	return q
}

// dropKind removes a kind with its rows. Edges to them stay, unresolved.
func (b *base) dropKind(staging string, k storedKind) sinks.SchemaChange {
	name := literal(k.name)
	q := b.withoutViews(k.name)
	if b.tables[shorten(k.name)] != nil {
		q = append(q, "DROP TABLE "+ident(k.name))
	}
	q = append(q,
		fmt.Sprintf("DROP TABLE IF EXISTS %s.%s", ident(staging), ident(k.name)),
		"UPDATE edges e SET to_id = NULL, resolution = 'not_collected' FROM resources r WHERE e.to_id = r._id AND r.kind = "+name,
		"DELETE FROM edges WHERE from_kind = "+name,
		"DELETE FROM sightings WHERE kind = "+name,
		"DELETE FROM resources WHERE kind = "+name,
		"DELETE FROM problems WHERE kind = "+name,
		"DELETE FROM scope_states WHERE kind = "+name+" OR kinds = ARRAY["+name+"]",
		"UPDATE scope_states SET kinds = array_remove(kinds, "+name+") WHERE "+name+" = ANY (kinds)",
		"DELETE FROM kinds WHERE key = "+literal(k.key))
	return sinks.SchemaChange{Action: sinks.DropTable, Table: k.name, Have: k.name, SQL: strings.Join(q, ";\n")}
}
