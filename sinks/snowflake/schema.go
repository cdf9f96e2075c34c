package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// PlanSchema compares the schema with the kinds.
func (s *Sink) PlanSchema(ctx context.Context, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	c, err := s.connect(ctx, "dewpoint schema plan")
	if err != nil {
		return nil, err
	}
	defer c.close()
	b, err := readAny(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.URL(), err)
	}
	return b.changes(s.URL(), kinds)
}

// readAny reads a schema that may not have dewpoint's tables yet.
func readAny(ctx context.Context, c *conn) (*base, error) {
	b, err := readBase(ctx, c)
	if missing(err) {
		return readState(ctx, c, objectsQuery)
	}
	return b, err
}

// ApplySchema changes the schema under the lease. DDL commits by itself: what
// was interrupted is done by the next call.
func (s *Sink) ApplySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]sinks.SchemaChange, error) {
	planned, err := s.PlanSchema(ctx, kinds)
	if err != nil {
		return nil, err
	}
	c, err := s.connect(ctx, "dewpoint schema apply")
	if err != nil {
		return nil, err
	}
	defer c.close()
	l, err := s.lock(ctx, c, uuid.NewString())
	if err != nil {
		return nil, err
	}
	l.keep(s, c.tag)
	defer l.release(ctx, c)
	b, err := readBase(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.URL(), err)
	}
	for _, ch := range planned {
		// A name that a dropped table bears is free then.
		if ch.Action == sinks.Conflict && !(drop && slices.ContainsFunc(planned, func(d sinks.SchemaChange) bool {
			return ch.Column == "" && d.Action == sinks.DropTable && d.Table == ch.Table
		})) {
			return nil, refusal(s.URL(), ch)
		}
	}
	planned = slices.DeleteFunc(planned, func(ch sinks.SchemaChange) bool {
		return ch.Action == sinks.Conflict || !drop && !ch.Action.Additive()
	})
	// Tables are dropped first: a new kind may bear the name of one that left.
	dropped := false
	for _, ch := range planned {
		if ch.Action != sinks.DropTable {
			continue
		}
		if err := c.execAll(ctx, strings.Split(ch.SQL, ";\n")...); err != nil {
			return nil, fmt.Errorf("drop %s: %w", ch.Table, err)
		}
		dropped = true
	}
	if dropped {
		if b, err = readBase(ctx, c); err != nil {
			return nil, err
		}
	}
	if err := b.check(s.URL(), kinds); err != nil {
		return nil, err
	}
	for _, k := range kinds {
		for _, ch := range b.kindChanges(k) {
			if ch.Action == sinks.CreateTable && !slices.ContainsFunc(planned, func(p sinks.SchemaChange) bool { return p.Action == ch.Action && p.Table == ch.Table }) {
				planned = append(planned, ch) // its name was free only now
			}
		}
	}
	if err := b.define(ctx, c, kinds, time.Now()); err != nil {
		return nil, fmt.Errorf("change the schema of %s: %w", s.URL(), err)
	}
	for _, k := range kinds {
		for _, ch := range b.kindChanges(k) {
			if !drop || ch.Action != sinks.DropColumn {
				continue
			}
			if err := c.execAll(ctx, strings.Split(ch.SQL, ";\n")...); err != nil {
				return nil, fmt.Errorf("drop column %s of %s: %w", ch.Column, ch.Table, err)
			}
		}
	}
	return planned, nil
}

// changes lists what differs between the schema and the kinds, in the order
// in which it is applied: conflicts, migrations, and then kind by kind.
func (b *base) changes(url string, kinds []*schema.Kind) ([]sinks.SchemaChange, error) {
	own, err := migrations.Load("snowflake")
	if err != nil {
		return nil, err
	}
	if b.version > len(own) {
		return nil, fmt.Errorf("%s was written by a newer dewpoint (its tables are at version %d, this one knows %d): upgrade dewpoint", url, b.version, len(own))
	}
	var all tables.Changes
	for _, g := range own[b.version:] {
		all.Add(sinks.SchemaChange{Action: sinks.Migrate, Have: fmt.Sprint(g.Version - 1), Want: fmt.Sprintf("%d (%s)", g.Version, g.Name), SQL: g.SQL})
	}
	have := map[string]bool{}
	for _, k := range kinds {
		have[k.Key] = true
		all.Add(b.kindChanges(k)...)
	}
	for _, key := range sortedKeys(b.byKey) {
		if !have[key] {
			all.Add(b.dropKind(b.byKey[key]))
		}
	}
	if b.version == 0 && b.tables["dewpoint_migrations"] == nil {
		for _, name := range ownTables {
			if b.tables[name] != nil || b.views[name] {
				all.Add(b.taken(name))
			}
		}
	}
	return all.All(), nil
}

// kindChanges lists what a kind's table lacks, has too much or has otherwise.
func (b *base) kindChanges(k *schema.Kind) []sinks.SchemaChange {
	table := b.table(k)
	if table == "" {
		if b.byKey[k.Key].name != k.Name && (b.columns(k.Name) != nil || b.views[fold(k.Name)]) {
			return []sinks.SchemaChange{b.taken(k.Name)}
		}
		return []sinks.SchemaChange{{Action: sinks.CreateTable, Table: k.Name, SQL: createTable(k)}}
	}
	var all []sinks.SchemaChange
	if table != k.Name {
		all = append(all, sinks.SchemaChange{Action: sinks.RenameTable, Table: k.Name, Have: table, Want: k.Name, SQL: renameTable(table, k.Name)})
	}
	for _, c := range k.TableColumns() {
		have, ok := b.columns(table)[fold(c.Name)]
		change := sinks.SchemaChange{Table: k.Name, Column: c.Name, Have: have, Want: columnType(c.Type)}
		declared := b.byKey[k.Key].types[c.Name]
		switch {
		case !ok:
			change.Action = sinks.AddColumn
			change.SQL = fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s", ident(k.Name), columnDefinition(c))
		case !holds(have, c.Type), declared != "" && declared != c.Type.String():
			change.Action = sinks.Conflict
			change.SQL = fmt.Sprintf("ALTER TABLE %s RENAME COLUMN %s TO %s", ident(table), ident(c.Name), ident(c.Name+"_old"))
		default:
			continue
		}
		all = append(all, change)
	}
	for _, name := range sortedKeys(b.byKey[k.Key].columns) {
		name = strings.TrimPrefix(name, "-")
		have, ok := b.columns(table)[fold(name)]
		if _, wanted := k.Column(name); ok && !wanted {
			all = append(all, sinks.SchemaChange{
				Action: sinks.DropColumn, Table: k.Name, Column: name, Have: have,
				SQL: fmt.Sprintf("ALTER TABLE %s DROP COLUMN %s;\nUPDATE kinds SET columns = %s, types = %s WHERE key = %s",
					ident(k.Name), ident(name), without(b.byKey[k.Key].columns, name), without(b.byKey[k.Key].types, name), literal(k.Key)),
			})
		}
	}
	return all
}

// without is what a kind's record says of its columns but one, as an OBJECT.
func without(columns map[string]string, name string) string {
	left := map[string]string{}
	for c, v := range columns {
		if strings.TrimPrefix(c, "-") != name {
			left[c] = v
		}
	}
	return fmt.Sprintf("PARSE_JSON(%s)::OBJECT", literal(mustJSON(left)))
}

// taken says that an object of a user bears the name of a table.
func (b *base) taken(name string) sinks.SchemaChange {
	what := "TABLE"
	if b.views[fold(name)] {
		what = "VIEW"
	}
	return sinks.SchemaChange{
		Action: sinks.Conflict, Table: name, Have: "a " + strings.ToLower(what) + " that is not dewpoint's",
		SQL: fmt.Sprintf("ALTER %s %s RENAME TO %s", what, ident(name), ident(name+"_old")),
	}
}

// dropKind removes a kind with its rows. Edges to them stay, unresolved. The
// row of kinds goes last, so that what was interrupted is done again.
func (b *base) dropKind(k storedKind) sinks.SchemaChange {
	name := literal(k.name)
	quoted := literal(`"` + k.name + `"`)
	queries := []string{
		"DROP TABLE IF EXISTS " + ident(k.name),
		"UPDATE edges SET to_id = NULL, resolution = 'not_collected' WHERE to_id IN (SELECT _id FROM resources WHERE kind = " + name + ")",
		"DELETE FROM edges WHERE from_kind = " + name,
		"DELETE FROM sightings WHERE kind = " + name,
		"DELETE FROM resources WHERE kind = " + name,
		"DELETE FROM problems WHERE kind = " + name,
		"DELETE FROM scopes WHERE kind = " + name + " OR TO_JSON(kinds) = " + literal(`["`+k.name+`"]`),
		fmt.Sprintf("UPDATE scopes SET kinds = PARSE_JSON(REPLACE(REPLACE(TO_JSON(kinds), %s || ',', ''), ',' || %[1]s, ''))::ARRAY WHERE CONTAINS(TO_JSON(kinds), %[1]s)", quoted),
		"UPDATE dewpoint_lease SET scopes_digest = NULL",
	}
	for _, v := range sortedKeys(b.made) {
		if b.views[fold(v)] && !tables.IsBaseView(v) && b.made[v].from == ident(k.name) {
			queries = append(queries, "DROP VIEW IF EXISTS "+ident(v), "DELETE FROM dewpoint_views WHERE name = "+literal(v))
		}
	}
	queries = append(queries, "DELETE FROM kinds WHERE key = "+literal(k.key))
	return sinks.SchemaChange{Action: sinks.DropTable, Table: k.name, Have: k.name, SQL: strings.Join(queries, ";\n")}
}
