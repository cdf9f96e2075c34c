package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
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
	planned, err := s.PlanSchema(ctx, kinds)
	if err != nil {
		return nil, err
	}
	if err := refuse(s, planned); err != nil {
		return nil, err
	}
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.bootstrap(ctx, c); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", s.URL(), err)
	}
	l, err := s.acquire(ctx, c)
	if err != nil {
		return nil, err
	}
	defer l.release(ctx)
	// What is planned now is what no sync changes any more.
	if planned, err = s.PlanSchema(ctx, kinds); err == nil {
		err = refuse(s, planned)
	}
	if err == nil {
		planned = slices.DeleteFunc(planned, func(c sinks.SchemaChange) bool { return !drop && !c.Action.Additive() })
		err = (&definer{conn: c, kinds: kinds}).apply(ctx, planned)
	}
	if err != nil {
		return nil, fmt.Errorf("change the schema of %s: %w", s.URL(), err)
	}
	return planned, nil
}

func refuse(s *Sink, planned []sinks.SchemaChange) error {
	for _, c := range planned {
		switch {
		case c.Action != sinks.Conflict:
		case c.Column != "":
			return &sinks.SchemaError{Kind: c.Table, Column: c.Column, Have: c.Have, Want: c.Want}
		default:
			return fmt.Errorf("%s has %s under the name %s: %s", s.URL(), c.Have, c.Table, c.SQL)
		}
	}
	return nil
}

func (d *definer) apply(ctx context.Context, planned []sinks.SchemaChange) error {
	for _, action := range []sinks.SchemaAction{sinks.DropTable, sinks.DropColumn} {
		var dropped []string
		for _, c := range planned {
			if c.Action == action {
				dropped = append(dropped, c.SQL)
			}
		}
		if dropped == nil {
			continue
		}
		// The views of the bases may stand on what goes: they are made anew
		// without it first.
		if err := d.read(ctx); err != nil {
			return err
		}
		for _, name := range dropped {
			if err := d.short(ctx, name); err != nil {
				return err
			}
		}
	}
	return d.define(ctx)
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
	var all, conflicts, drops []sinks.SchemaChange
	for _, g := range own[b.version:] {
		all = append(all, sinks.SchemaChange{Action: sinks.Migrate, Have: fmt.Sprint(g.version - 1), Want: fmt.Sprintf("%d (%s)", g.version, g.name), SQL: g.sql})
	}
	have := map[string]bool{}
	for _, k := range kinds {
		have[k.Key] = true
		for _, c := range b.kindChanges(k) {
			switch c.Action {
			case sinks.Conflict:
				conflicts = append(conflicts, c)
			case sinks.DropColumn:
				drops = append(drops, c)
			default:
				all = append(all, c)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b.byKey)) {
		if !have[key] {
			drops = append(drops, b.dropKind(s.cfg.staging, b.byKey[key]))
		}
	}
	if b.version == 0 {
		for _, name := range ownTables {
			if b.taken(name) {
				conflicts = append(conflicts, b.conflict(name))
			}
		}
	}
	return slices.Concat(conflicts, all, drops), nil
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
		have, ok := b.tables[shorten(table)][shorten(c.Name)]
		change := sinks.SchemaChange{Table: k.Name, Column: c.Name, Have: have, Want: columnType(c.Type)}
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
				SQL: fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s;\nUPDATE kinds SET columns = columns - %s - %s WHERE key = %s",
					ident(table), ident(name), literal(name), literal("-"+name), literal(k.Key)),
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

// dropKind removes a kind with its rows. Edges to them stay, unresolved. The
// view of its base is emptied first and made anew afterwards; a view of a user
// on the table stops it.
func (b *base) dropKind(staging string, k storedKind) sinks.SchemaChange {
	name := literal(k.name)
	var q []string
	for _, v := range schema.BaseViews {
		if strings.Contains(b.made[v.View], " FROM "+ident(k.name)) {
			q = append(q, fmt.Sprintf("CREATE OR REPLACE VIEW %s AS %s", ident(v.View), baseView(v, nil)),
				fmt.Sprintf("UPDATE dewpoint_views SET definition = '' WHERE name = %s", literal(v.View)))
		}
	}
	for _, v := range b.formerNames(k.name) {
		q = append(q, "DROP VIEW "+ident(v), "DELETE FROM dewpoint_views WHERE name = "+literal(v))
	}
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
