package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// base is what the schema holds before a sync. Names are as Postgres has them.
type base struct {
	// version is the last migration, 0 for a schema that is not dewpoint's yet.
	version int
	// lastSync is the id of the newest sync, empty before the first.
	lastSync string
	// byKey are the kinds that have a table, by their key.
	byKey map[string]storedKind
	// tables are all tables with their columns' types; staged those of the
	// staging.
	tables, staged map[string]map[string]string
	// views are all views, and what else is neither table nor index.
	views   map[string]bool
	indexes map[string]bool
	// maps are the columns that are maps, by table.
	maps map[string]map[string]bool
	// made are the views that dewpoint made, with their definitions.
	made map[string]string
}

// storedKind is a row of kinds.
type storedKind struct {
	name, key, definition, layout, parent, base, edges string
	// declared is the sum of the declaration.
	declared string
	// columns are those of the definition, and with a minus before the name
	// those that left it.
	columns []string
}

// readBase reads the catalog. It runs in a transaction.
func readBase(ctx context.Context, c *conn) (base, error) {
	b := base{
		byKey: map[string]storedKind{}, tables: map[string]map[string]string{}, staged: map[string]map[string]string{},
		views: map[string]bool{}, indexes: map[string]bool{}, maps: map[string]map[string]bool{}, made: map[string]string{},
	}
	cfg := c.sink.cfg
	objects, err := c.texts(ctx, `SELECT n.nspname, c.relname, c.relkind, coalesce(a.attname, ''), coalesce(format_type(a.atttypid, a.atttypmod), '')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r'
		WHERE n.nspname IN (`+literal(cfg.schema)+`, `+literal(cfg.staging)+`)`)
	if err != nil {
		return b, err
	}
	for _, r := range objects {
		tables := b.tables
		if r[0] == cfg.staging {
			tables = b.staged
		}
		switch {
		case r[2] == "r":
			if tables[r[1]] == nil {
				tables[r[1]] = map[string]string{}
			}
			tables[r[1]][r[3]] = r[4]
		case r[0] == cfg.schema && r[2] == "i":
			b.indexes[r[1]] = true
		case r[0] == cfg.schema:
			b.views[r[1]] = true
		}
	}
	if b.tables["dewpoint_migrations"] == nil {
		return b, nil
	}
	version, err := c.count(ctx, "SELECT max(version_id) FROM dewpoint_migrations")
	if err != nil || version == 0 {
		return b, err
	}
	b.version = int(version)
	return b, b.readKinds(ctx, c)
}

func (b *base) readKinds(ctx context.Context, c *conn) error {
	last, err := c.texts(ctx, "SELECT id FROM syncs ORDER BY started_at DESC, id DESC LIMIT 1")
	if err != nil {
		return err
	}
	if len(last) > 0 {
		b.lastSync = last[0][0]
	}
	declared := "NULL"
	if b.tables["kinds"]["declared"] != "" {
		declared = "md5(declared::text)"
	}
	kinds, err := c.texts(ctx, `SELECT kind, key, definition, layout, parent, base, edges,
		(SELECT string_agg(k, chr(10)) FROM jsonb_object_keys(columns) k), array_to_string(maps, chr(10)), `+declared+` FROM kinds`)
	if err != nil {
		return err
	}
	for _, r := range kinds {
		k := storedKind{name: r[0], key: r[1], definition: r[2], layout: r[3], parent: r[4], base: r[5], edges: r[6], declared: r[9]}
		if r[7] != "" {
			k.columns = strings.Split(r[7], "\n")
		}
		b.byKey[k.key] = k
		b.maps[k.name] = map[string]bool{}
		for name := range strings.SplitSeq(r[8], "\n") {
			b.maps[k.name][name] = true
		}
	}
	views, err := c.texts(ctx, "SELECT name, definition FROM dewpoint_views")
	if err != nil {
		return err
	}
	for _, r := range views {
		b.made[r[0]] = r[1]
	}
	return nil
}

// table returns the name of the table that holds a kind now, empty if there
// is none.
func (b *base) table(k *schema.Kind) string {
	stored, ok := b.byKey[k.Key]
	if !ok || b.tables[shorten(stored.name)] == nil {
		return ""
	}
	return stored.name
}

// columnType returns the type of a column as storedType spells it.
func (b *base) columnType(table, column string) (string, bool) {
	have, ok := b.tables[shorten(table)][shorten(column)]
	if ok && b.maps[table][column] {
		have = mapType
	}
	return have, ok
}

// mapType is how the type of a map is told from other JSON.
const mapType = "jsonb of a map"

// storedType is columnType, telling apart what Postgres does not.
func storedType(t schema.Type) string {
	if t == schema.TextMap {
		return mapType
	}
	return columnType(t)
}

// taken says whether a name is that of an object that is not a kind's table.
func (b *base) taken(name string) bool {
	name = shorten(name)
	return b.tables[name] != nil || b.views[name] || b.indexes[name]
}

// check says whether the kinds can be had by adding tables and columns.
func (b *base) check(url string, kinds []*schema.Kind) error {
	if err := b.checkVersion(url); err != nil {
		return err
	}
	if b.version == 0 {
		for _, name := range ownTables {
			if b.taken(name) {
				return fmt.Errorf("%s has a table %s that is not dewpoint's: rename it, or name another schema by schema=", url, name)
			}
		}
	}
	for _, k := range kinds {
		name := b.table(k)
		if name == "" || name != k.Name {
			// The former name is one of dewpoint's own views.
			if b.taken(k.Name) {
				return fmt.Errorf("%s has a table or view %s that is not dewpoint's: rename it, or skip the kind", url, shorten(k.Name))
			}
		}
		if name == "" {
			continue
		}
		for _, c := range k.TableColumns() {
			have, ok := b.columnType(name, c.Name)
			if want := storedType(c.Type); ok && have != want {
				return &sinks.SchemaError{Kind: k.Name, Column: c.Name, Have: have, Want: want}
			}
		}
	}
	return nil
}

func (b *base) checkVersion(url string) error {
	own, err := ownMigrations()
	if err != nil {
		return err
	}
	if b.version > len(own) {
		return fmt.Errorf("%s was written by a newer dewpoint (its tables are at version %d, this one knows %d): upgrade dewpoint", url, b.version, len(own))
	}
	return nil
}

var ownTables = []string{
	"resources", "edges", "resource_history", "sightings", "syncs", "scopes", "scope_states", "scope_times", "problems", "metrics", "kinds", "dewpoint_views",
	"resource_tags", "scope_freshness", "marks", "actions", "react_leases", "outbox", "plans",
}

// ownMigration is a file of migrations/postgres.
type ownMigration struct {
	version   int
	name, sql string
}

func ownMigrations() ([]ownMigration, error) {
	files := migrations.Postgres()
	entries, err := fs.ReadDir(files, ".") // sorted by name
	if err != nil {
		return nil, err
	}
	var all []ownMigration
	for _, e := range entries {
		file := e.Name()
		number, name, _ := strings.Cut(strings.TrimSuffix(file, ".sql"), "_")
		v, err := strconv.Atoi(number)
		if err != nil || v != len(all)+1 {
			return nil, fmt.Errorf("migration %s is not named %04d_<what>.sql", file, len(all)+1)
		}
		sql, err := fs.ReadFile(files, file)
		if err != nil {
			return nil, err
		}
		all = append(all, ownMigration{v, name, string(sql)})
	}
	return all, nil
}

// formerNames lists the views that dewpoint made of a kind's table.
func (b *base) formerNames(table string) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(b.made)) {
		if b.views[shorten(name)] && !tables.IsBaseView(name) && strings.HasSuffix(b.made[name], " FROM "+ident(table)) {
			names = append(names, name)
		}
	}
	return names
}

// columnType returns the SQL type of a column, as format_type spells it.
func columnType(t schema.Type) string {
	switch t {
	case schema.Bool:
		return "boolean"
	case schema.Int64:
		return "bigint"
	case schema.Float64:
		return "double precision"
	case schema.Text:
		return "text"
	case schema.Timestamp:
		return "timestamp with time zone"
	case schema.JSON, schema.TextMap:
		return "jsonb"
	case schema.UUID:
		return "uuid"
	}
	if e := t.Elem(); e != 0 {
		return columnType(e) + "[]"
	}
	panic("postgres: no SQL type for " + t.String())
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("postgres: " + err.Error())
	}
	return string(b)
}

// sameJSON compares a value with one that jsonb has stored.
func sameJSON(want, stored string) bool {
	var a, b any
	if want == "" || stored == "" {
		return (want == "" || want == "null") && (stored == "" || stored == "null")
	}
	return json.Unmarshal([]byte(want), &a) == nil && json.Unmarshal([]byte(stored), &b) == nil && mustJSON(a) == mustJSON(b)
}
