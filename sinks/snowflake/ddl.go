package snowflake

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// columnType returns the SQL type of a column.
func columnType(t schema.Type) string {
	switch t {
	case schema.Bool:
		return "BOOLEAN"
	case schema.Int64:
		return "NUMBER(38,0)"
	case schema.Float64:
		return "FLOAT"
	case schema.Text, schema.UUID:
		return "VARCHAR"
	case schema.Timestamp:
		return "TIMESTAMP_TZ(6)"
	case schema.JSON:
		return "VARIANT"
	case schema.TextMap:
		return "OBJECT"
	}
	if t.Elem() != 0 {
		return "ARRAY"
	}
	panic("snowflake: no SQL type for " + t.String())
}

// storedType returns a type as information_schema spells it.
func storedType(t schema.Type) string {
	switch name, _, _ := strings.Cut(columnType(t), "("); name {
	case "VARCHAR":
		return "TEXT"
	default:
		return name
	}
}

// holds says whether a column of a stored type takes the values of a type. A
// VARIANT holds objects and arrays too.
func holds(have string, t schema.Type) bool {
	want := storedType(t)
	return have == want || have == "VARIANT" && (want == "OBJECT" || want == "ARRAY")
}

// create makes dewpoint's own tables in a schema that has none.
func (s *Sink) create(ctx context.Context, c *conn) error {
	b, err := readState(ctx, c, objectsQuery)
	if err != nil {
		return err
	}
	if b.tables["dewpoint_migrations"] == nil {
		for _, name := range ownTables {
			if b.tables[name] != nil || b.views[name] {
				return fmt.Errorf("%s has a table %s that is not dewpoint's: rename it, or name another schema", s.URL(), name)
			}
		}
	}
	return b.migrate(ctx, c)
}

// migrate brings dewpoint's own tables to the newest version.
func (b *base) migrate(ctx context.Context, c *conn) error {
	all, err := migrations.Load("snowflake")
	if err != nil {
		return err
	}
	if b.version >= len(all) {
		return nil
	}
	if b.version == 0 {
		if _, err := c.exec(ctx, "CREATE TABLE IF NOT EXISTS dewpoint_migrations (version NUMBER(38,0), name VARCHAR, applied_at TIMESTAMP_TZ(6))"); err != nil {
			return err
		}
	}
	for _, g := range all[b.version:] {
		for _, q := range statements(g.SQL) {
			if _, err := c.exec(ctx, q); err != nil {
				return fmt.Errorf("migration %d (%s): %w", g.Version, g.Name, err)
			}
		}
		if _, err := c.exec(ctx, fmt.Sprintf("INSERT INTO dewpoint_migrations VALUES (%d, %s, CURRENT_TIMESTAMP())", g.Version, literal(g.Name))); err != nil {
			return err
		}
		b.version = g.Version
	}
	return nil
}

// statements splits a migration: a statement ends with a semicolon at the end
// of a line. Comments are left out.
func statements(text string) []string {
	var all []string
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "--") || b.Len() == 0 && strings.TrimSpace(line) == "" {
			continue
		}
		b.WriteString(line)
		if strings.HasSuffix(strings.TrimRight(line, "\n"), ";") {
			all = append(all, strings.TrimSuffix(strings.TrimSpace(b.String()), ";"))
			b.Reset()
		}
	}
	return all
}

// define makes and extends what the kinds need. Every statement but the last
// commits by itself and may run again: the kinds are recorded before their
// tables are made, so that a table is always known as dewpoint's.
func (b *base) define(ctx context.Context, c *conn, kinds []*schema.Kind, now time.Time) error {
	if err := b.migrate(ctx, c); err != nil {
		return err
	}
	if err := b.rename(ctx, c, kinds); err != nil {
		return err
	}
	old := maps.Clone(b.byKey)
	if err := b.record(ctx, c, kinds, now); err != nil {
		return err
	}
	for _, k := range kinds {
		for _, ch := range b.kindChanges(k) {
			if !ch.Action.Additive() {
				continue
			}
			if _, err := c.exec(ctx, ch.SQL); err != nil {
				return fmt.Errorf("define %s: %w", k.Name, err)
			}
		}
		if was, ok := old[k.Key]; ok && was.layout != tables.Layout(k) && b.columns(k.Name) != nil {
			if err := c.execAll(ctx, comments(k)...); err != nil {
				return fmt.Errorf("describe %s: %w", k.Name, err)
			}
		}
		have := b.columns(k.Name)
		if have == nil {
			have = map[string]string{}
			b.tables[fold(k.Name)] = have
		}
		for _, col := range k.TableColumns() {
			if have[fold(col.Name)] == "" {
				have[fold(col.Name)] = storedType(col.Type)
			}
		}
	}
	return b.defineViews(ctx, c, kinds)
}

func createTable(k *schema.Kind) string {
	var cols []string
	for _, c := range k.TableColumns() {
		cols = append(cols, columnDefinition(c))
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s (%s) COMMENT = %s", ident(k.Name), strings.Join(cols, ", "), literal(k.Doc))
}

func columnDefinition(c schema.Column) string {
	def := ident(c.Name) + " " + columnType(c.Type)
	if c.Doc != "" {
		def += " COMMENT " + literal(c.Doc)
	}
	return def
}

// comments describe a table that stands, a statement for the table and one for
// each column.
func comments(k *schema.Kind) []string {
	all := []string{fmt.Sprintf("ALTER TABLE %s SET COMMENT = %s", ident(k.Name), literal(k.Doc))}
	for _, c := range k.TableColumns() {
		if c.Doc != "" {
			all = append(all, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s COMMENT %s", ident(k.Name), ident(c.Name), literal(c.Doc)))
		}
	}
	return all
}

// rename gives renamed kinds' tables, and everything that names them, the new
// name. ALTER TABLE commits by itself; where the rest was interrupted, the
// next sync finds the table under the new name and the kind under the old.
func (b *base) rename(ctx context.Context, c *conn, kinds []*schema.Kind) error {
	for _, k := range kinds {
		old, ok := b.byKey[k.Key]
		if !ok || old.name == k.Name || b.table(k) == "" {
			continue
		}
		if b.columns(old.name) != nil {
			if _, err := c.exec(ctx, renameTable(old.name, k.Name)); err != nil {
				return fmt.Errorf("rename %s to %s: %w", old.name, k.Name, err)
			}
			b.tables[fold(k.Name)] = b.columns(old.name)
			delete(b.tables, fold(old.name))
		}
		f, t := literal(old.name), literal(k.Name)
		queries := []string{"BEGIN", fmt.Sprintf("UPDATE %s SET kind = %s", ident(k.Name), t)}
		for _, at := range []string{"resources.kind", "edges.from_kind", "edges.to_kind", "sightings.kind", "resource_history.kind", "scopes.kind", "problems.kind"} {
			table, column, _ := strings.Cut(at, ".")
			queries = append(queries, fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s = %s", table, column, t, column, f))
		}
		// A name stands in quotes among the kinds of a row of scopes.
		from, to := literal(`"`+old.name+`"`), literal(`"`+k.Name+`"`)
		queries = append(queries,
			fmt.Sprintf("UPDATE scopes SET kinds = PARSE_JSON(REPLACE(TO_JSON(kinds), %s, %s))::ARRAY WHERE kind IS NULL AND CONTAINS(TO_JSON(kinds), %[1]s)", from, to),
			fmt.Sprintf("UPDATE kinds SET kind = %s WHERE key = %s", t, literal(k.Key)),
			"UPDATE dewpoint_lease SET scopes_digest = NULL",
			"COMMIT")
		if err := c.transaction(ctx, queries); err != nil {
			return fmt.Errorf("rename %s to %s: %w", old.name, k.Name, err)
		}
		old.name = k.Name
		b.byKey[k.Key] = old
		b.rows[k.Name] += b.rows[strings.Trim(f, "'")]
		b.digest = ""
	}
	return nil
}

// transaction runs statements from BEGIN to COMMIT.
func (c *conn) transaction(ctx context.Context, queries []string) error {
	err := c.execAll(ctx, queries...)
	if err != nil {
		_, back := c.exec(context.WithoutCancel(ctx), "ROLLBACK")
		err = errors.Join(err, back)
	}
	return err
}

func renameTable(from, to string) string {
	return fmt.Sprintf("ALTER TABLE %s RENAME TO %s", ident(from), ident(to))
}

// record enters the definitions that are new or have changed into kinds.
func (b *base) record(ctx context.Context, c *conn, kinds []*schema.Kind, now time.Time) error {
	type row struct {
		Kind, Key, Definition, Since, Layout, Parent, Cloud, Declared string
		Columns, Types                                                map[string]string
		Base                                                          *schema.Base
		Edges                                                         []schema.Edge
	}
	var rows, keys []string
	at := timeText(now.Truncate(time.Microsecond))
	for _, k := range kinds {
		old, known := b.byKey[k.Key]
		sum := tables.DeclarationSum(k)
		r := row{
			Kind: k.Name, Key: k.Key, Definition: k.Definition, Since: at, Layout: tables.Layout(k), Parent: k.Parent, Base: k.Base, Edges: k.Edges,
			Cloud: k.Cloud, Declared: tables.Declaration(k),
		}
		if known && old.definition == k.Definition {
			r.Since = old.since
		}
		var changed bool
		r.Columns, changed = mergeColumns(old.columns, k, at)
		r.Types = types(old.types, k)
		changed = changed || !maps.Equal(r.Types, old.types)
		base, edges := mustJSON(k.Base), mustJSON(k.Edges)
		if known && !changed && old.name == r.Kind && old.definition == r.Definition && old.layout == r.Layout && old.parent == r.Parent && old.declared == sum &&
			sameJSON(old.base, base) && sameJSON(old.edges, edges) {
			continue
		}
		rows, keys = append(rows, mustJSON(r)), append(keys, k.Key)
		next := storedKind{name: r.Kind, key: r.Key, definition: r.Definition, layout: r.Layout, parent: r.Parent, since: r.Since, columns: r.Columns, types: r.Types, edges: edges, declared: sum}
		if k.Base != nil {
			next.base = base
		}
		b.byKey[k.Key] = next
	}
	if len(rows) == 0 {
		return nil
	}
	queries := []string{"BEGIN", "DELETE FROM kinds WHERE key IN (" + literals(keys) + ")"}
	for part := range chunks(rows) {
		queries = append(queries, `INSERT INTO kinds (kind, key, definition, definition_since, columns, types, layout, parent, base, edges, cloud, declared)
			SELECT r.value:Kind::VARCHAR, r.value:Key::VARCHAR, r.value:Definition::VARCHAR, r.value:Since::VARCHAR::TIMESTAMP_TZ,
				r.value:Columns::OBJECT, r.value:Types::OBJECT, r.value:Layout::VARCHAR, r.value:Parent::VARCHAR,
				CASE WHEN TO_JSON(r.value:Base) <> 'null' THEN r.value:Base END, r.value:Edges, r.value:Cloud::VARCHAR, r.value:Declared::VARCHAR
			FROM TABLE(FLATTEN(INPUT => PARSE_JSON(`+literal(part)+`))) r`)
	}
	if err := c.transaction(ctx, append(queries, "COMMIT")); err != nil {
		return fmt.Errorf("record the kinds: %w", err)
	}
	return nil
}

// mergeColumns returns when the columns of a definition were added, and when
// others left it, and whether that differs from the old.
func mergeColumns(old map[string]string, k *schema.Kind, now string) (map[string]string, bool) {
	all := map[string]string{}
	set := func(name string) {
		all[name] = now
		if at := old[name]; at != "" {
			all[name] = at
		}
	}
	for _, c := range k.TableColumns() {
		set(c.Name)
	}
	for name := range old {
		if name = strings.TrimPrefix(name, "-"); all[name] == "" {
			set("-" + name)
		}
	}
	return all, !maps.Equal(all, old)
}

// types returns the declared type of each column of a kind's table.
func types(old map[string]string, k *schema.Kind) map[string]string {
	all := maps.Clone(old)
	if all == nil {
		all = map[string]string{}
	}
	for _, c := range k.TableColumns() {
		all[c.Name] = c.Type.String()
	}
	return all
}

// chunks yields JSON arrays of the texts, each small enough for a statement.
func chunks(rows []string) func(yield func(string) bool) {
	const most = 256 << 10 // of Snowflake's 1 MB
	return func(yield func(string) bool) {
		for len(rows) > 0 {
			n, size := 0, 0
			for n < len(rows) && (n == 0 || size+len(rows[n]) < most) {
				size += len(rows[n])
				n++
			}
			if !yield("[" + strings.Join(rows[:n], ",") + "]") {
				return
			}
			rows = rows[n:]
		}
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("snowflake: " + err.Error())
	}
	return string(b)
}

// sameJSON compares JSON as it came back with JSON as it is written: Snowflake
// sorts keys and writes numbers its own way.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil {
		x = nil
	}
	if json.Unmarshal([]byte(b), &y) != nil {
		y = nil
	}
	return mustJSON(x) == mustJSON(y)
}

func digest(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
