package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// base is what a file holds before a sync.
type base struct {
	// version is the last migration, 0 for a file that is not dewpoint's yet.
	version int
	// lastSync is the id of the newest sync, empty before the first.
	lastSync string
	// byKey are the kinds that have a table, by their key.
	byKey map[string]storedKind
	// tables are all tables of the main schema with their columns' types.
	tables map[string]map[string]string
	// views are all views of the main schema, in lower case.
	views map[string]bool
	// docs are the comments of columns, by table; a table without has none.
	docs map[string]map[string]string
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

func readBase(ctx context.Context, c *conn) (base, error) {
	b := base{byKey: map[string]storedKind{}, tables: map[string]map[string]string{}, docs: map[string]map[string]string{}, views: map[string]bool{}}
	cols, err := c.texts(ctx, `SELECT table_name, column_name, data_type, coalesce(comment, '') FROM duckdb_columns()
		WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal`)
	if err != nil {
		return b, err
	}
	views, err := c.texts(ctx, `SELECT view_name FROM duckdb_views() WHERE database_name = current_database() AND schema_name = 'main' AND NOT internal`)
	if err != nil {
		return b, err
	}
	for _, v := range views {
		b.views[strings.ToLower(v[0])] = true
	}
	for _, r := range cols {
		if b.views[strings.ToLower(r[0])] {
			continue
		}
		if b.tables[r[0]] == nil {
			b.tables[r[0]] = map[string]string{}
		}
		b.tables[r[0]][r[1]] = r[2]
		if r[3] != "" {
			if b.docs[r[0]] == nil {
				b.docs[r[0]] = map[string]string{}
			}
			b.docs[r[0]][r[1]] = r[3]
		}
	}
	if b.tables["dewpoint_migrations"] == nil {
		return b, nil
	}
	version, err := c.count(ctx, "SELECT max(version) FROM dewpoint_migrations")
	if err != nil {
		return b, err
	}
	b.version = int(version)
	if b.version == 0 {
		return b, nil
	}
	last, err := c.texts(ctx, "SELECT id::VARCHAR FROM syncs ORDER BY started_at DESC, id DESC LIMIT 1")
	if err != nil {
		return b, err
	}
	if len(last) > 0 {
		b.lastSync = last[0][0]
	}
	declared := "NULL"
	if b.remembers() {
		declared = "md5(declared::VARCHAR)"
	}
	kinds, err := c.texts(ctx, `SELECT kind, key, definition, layout, parent, base::VARCHAR, edges::VARCHAR,
		array_to_string(map_keys(columns), chr(10)), `+declared+` FROM kinds`)
	if err != nil {
		return b, err
	}
	for _, r := range kinds {
		k := storedKind{name: r[0], key: r[1], definition: r[2], layout: r[3], parent: r[4], base: r[5], edges: r[6], declared: r[8]}
		if r[7] != "" {
			k.columns = strings.Split(r[7], "\n")
		}
		b.byKey[k.key] = k
	}
	return b, nil
}

// remembers says whether kinds has what the kinds were declared as.
func (b *base) remembers() bool { return b.tables["kinds"]["declared"] != "" }

// table returns the name of the table that holds a kind now, empty if there
// is none.
func (b *base) table(k *schema.Kind) string {
	stored, ok := b.byKey[k.Key]
	if !ok || b.tables[stored.name] == nil {
		return ""
	}
	return stored.name
}

var ownTables = []string{
	"resources", "edges", "resource_history", "sightings", "syncs", "scopes", "problems", "metrics", "kinds", "dewpoint_views", "marks", "actions",
}

// loadBase reads the file as it is before the sync: its tables, and the hashes
// of the rows of the sync's kinds.
func (t *tx) loadBase(ctx context.Context) error {
	if !t.sink.exists() {
		t.base = base{}
		return nil
	}
	c, err := t.sink.connect(ctx, true)
	if err != nil {
		return err
	}
	defer c.close()
	if t.base, err = readBase(ctx, c); err != nil {
		return fmt.Errorf("read %s: %w", t.sink.URL(), err)
	}
	if err := t.base.check(t.sink.URL(), t.sync.Kinds); err != nil {
		return err
	}
	budget := t.sink.opts.HashBudget
	for _, ks := range t.Kinds() {
		table := t.base.table(ks.Kind)
		if table == "" {
			continue
		}
		if ks.Had, err = c.count(ctx, "SELECT count(*) FROM "+ident(table)); err != nil {
			return err
		}
		if need := stage.KnownBytes(ks.Had); ks.Had > 0 && need <= budget {
			budget -= need
			if err := t.loadKnown(ctx, c, ks, table); err != nil {
				return fmt.Errorf("read the hashes of %s: %w", ks.Name, err)
			}
		}
	}
	return nil
}

// loadKnown fills the kind's known rows.
func (t *tx) loadKnown(ctx context.Context, c *conn, ks *stage.Kind, table string) error {
	var q strings.Builder
	q.WriteString("SELECT _id::BLOB AS i, _hash::BLOB AS h, _scope AS s, _unread IS NOT NULL OR _hash IS NULL AS u")
	for i, v := range ks.Volatile {
		col := ks.BatchColumns()[v]
		expr := "NULL::" + columnType(col.Type)
		if _, ok := t.base.tables[table][col.Name]; ok {
			expr = ident(col.Name)
		}
		fmt.Fprintf(&q, ", %s AS v%d", expr, i)
	}
	q.WriteString(" FROM " + ident(table))
	k := stage.NewKnown(ks.Had)
	sound := true
	err := c.arrow(ctx, q.String(), func(r array.RecordReader) error {
		var last string
		var ordinal uint32
		for r.Next() {
			rec := r.RecordBatch()
			ids, hashes := rec.Column(0).(*array.Binary), rec.Column(1).(*array.Binary)
			scopes := rec.Column(2).(*array.String)
			unread := rec.Column(3).(*array.Boolean)
			vol := stage.VolatileSums{Columns: rec.Columns()[4:]}
			for i := range int(rec.NumRows()) {
				if scope := scopes.Value(i); scope != last || ordinal == 0 {
					last = strings.Clone(scope)
					ordinal = t.Ordinal(last)
				}
				if !k.Add(ids.Value(i), hashes.Value(i), vol.Sum(i), ordinal, unread.Value(i)) {
					sound = false
					return nil
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if sound {
		ks.Known = k
	}
	return nil
}
