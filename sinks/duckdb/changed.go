package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// compareRows is how many candidates are compared at once.
const compareRows = 64 << 10

// changed compares the candidates with their rows column by column and enters
// what differs. It takes them in the order of the table, so that each part of
// the table is read once.
func (k *kindCommit) changed(ctx context.Context) error {
	n, err := k.count(ctx, "SELECT count(*) FROM w WHERE action = 'cand'")
	if err != nil || n == 0 {
		return err
	}
	parts, err := k.texts(ctx, `SELECT min(rid)::VARCHAR, max(rid)::VARCHAR, min(pos)::VARCHAR, max(pos)::VARCHAR FROM (
		SELECT pos, rid, ntile(?) OVER (ORDER BY rid) AS part FROM w WHERE action = 'cand') GROUP BY part ORDER BY min(rid)`, (n+compareRows-1)/compareRows)
	if err != nil {
		return err
	}
	change, err := k.changeOf(ctx)
	if err != nil {
		return err
	}
	for _, r := range parts {
		c := comparison{kindCommit: k, change: change}
		for i, to := range []*int64{&c.firstRow, &c.lastRow, &c.firstPos, &c.lastPos} {
			if *to, err = strconv.ParseInt(r[i], 10, 64); err != nil {
				return err
			}
		}
		if err := c.compare(ctx); err != nil {
			return err
		}
		if err := c.write(ctx); err != nil {
			return err
		}
	}
	return nil
}

// comparison is a part of the candidates: those whose rows lie between two of
// the table, staged between two positions.
//
// What it finds goes back to the stage and not into temporary tables: those
// keep their room until the transaction ends, even when they are dropped.
type comparison struct {
	*kindCommit
	firstRow, lastRow, firstPos, lastPos int64
	// change is the expression for a changed row's kind of change.
	change string
	// found has a row of comparedColumns and the volatile columns for each
	// candidate, rows has the changed ones whole.
	found, rows             []stage.Segment
	foundSchema, rowsSchema *arrow.Schema
}

// comparedColumns are the first columns of what a comparison yields.
var comparedColumns = []string{"rid", "_id", "changed", "vol", "new_hash", "new_unread", "new_scope", "_hash", "_unread", "_scope"}

// compare fills found and rows.
func (c *comparison) compare(ctx context.Context) error {
	var segs []stage.Segment
	for _, s := range c.t.file.Segments(c.ks) {
		if s.First <= c.lastPos && s.First+s.Rows > c.firstPos {
			segs = append(segs, s)
		}
	}
	return c.withView(c.t.file.Positioned(c.ks.BatchSchema(), segs), "v", func() error {
		return c.arrow(ctx, c.query(), func(r array.RecordReader) error {
			narrow := len(comparedColumns) + len(c.ks.Volatile)
			c.foundSchema = arrow.NewSchema(r.Schema().Fields()[:narrow], nil)
			c.rowsSchema = arrow.NewSchema(r.Schema().Fields()[narrow:], nil)
			var found, rows []arrow.RecordBatch
			flush := func() error {
				var err error
				if found, err = c.put(found, &c.found); err == nil {
					rows, err = c.put(rows, &c.rows)
				}
				return err
			}
			for r.Next() {
				rec := r.RecordBatch()
				found = append(found, array.NewRecordBatch(c.foundSchema, rec.Columns()[:narrow], rec.NumRows()))
				all := array.NewRecordBatch(c.rowsSchema, rec.Columns()[narrow:], rec.NumRows())
				changed := rec.Column(2).(*array.List)
				rows = stage.AppendRanges(rows, all, func(i int) bool { from, to := changed.ValueOffsets(i); return from < to })
				all.Release()
				if len(found) == 4 {
					if err := flush(); err != nil {
						return err
					}
				}
			}
			return flush()
		})
	})
}

// put writes batches as one segment and releases them.
func (c *comparison) put(recs []arrow.RecordBatch, to *[]stage.Segment) ([]arrow.RecordBatch, error) {
	if len(recs) == 0 {
		return nil, nil
	}
	defer func() {
		for _, r := range recs {
			r.Release()
		}
	}()
	rec, err := stage.Join(recs)
	if err != nil {
		return nil, err
	}
	defer rec.Release()
	seg, err := c.t.file.Put(rec, 0)
	*to = append(*to, seg)
	return nil, err
}

// query yields for each candidate the names of the columns that changed,
// whether volatile ones did, and the row as it is to be. Columns that could
// not be read keep their values; columns that left the definition lose them.
func (c *comparison) query() string {
	var diffs, vol, values, volatile []string
	for i, col := range c.ks.BatchColumns() {
		name := ident(col.Name)
		value := "v." + name
		if col.Type == schema.UUID {
			value += "::UUID"
		}
		plain := i == schema.ColID || i == schema.ColScope || i == schema.ColHash || i == schema.ColUnread
		if c.ks.Unread && !plain {
			value = fmt.Sprintf("CASE WHEN list_contains(v._unread, %s) THEN t.%s ELSE %s END", literal(col.Name), name, value)
		}
		out := value
		switch col.Type {
		case schema.UUID:
			out = value + "::BLOB"
		case schema.JSON:
			out = value + "::VARCHAR"
		}
		values = append(values, out+" AS "+name)
		if plain {
			continue
		}
		differs := fmt.Sprintf("%s IS DISTINCT FROM t.%s", value, name)
		if col.Volatile {
			vol = append(vol, "("+differs+")")
			volatile = append(volatile, fmt.Sprintf("%s AS %s", out, ident("new "+col.Name)))
		} else {
			diffs = append(diffs, fmt.Sprintf("CASE WHEN %s THEN %s END", differs, literal(col.Name)))
		}
	}
	for _, name := range c.removed() {
		diffs = append(diffs, fmt.Sprintf("CASE WHEN t.%s IS NOT NULL THEN %s END", ident(name), literal(name)))
	}
	if vol == nil {
		vol = []string{"false"}
	}
	hash := "v._hash::UUID"
	found := []string{
		"t.rowid AS rid", "v._id AS _id", fmt.Sprintf("list_filter([%s], lambda x: x IS NOT NULL) AS changed", strings.Join(diffs, ", ")),
		strings.Join(vol, " OR ") + " AS vol", hash + " IS DISTINCT FROM t._hash AS new_hash", "v._unread IS DISTINCT FROM t._unread AS new_unread",
		"v._scope IS DISTINCT FROM t._scope AS new_scope", hash + "::BLOB AS _hash", "v._unread AS _unread", "v._scope AS _scope",
	}
	return fmt.Sprintf(`SELECT %s FROM %s t
		JOIN (SELECT * FROM v WHERE pos IN (SELECT pos FROM w WHERE action = 'cand' AND rid BETWEEN %d AND %d)) v ON t._id = v._id::UUID
		WHERE t.rowid BETWEEN %[3]d AND %[4]d`, strings.Join(slices.Concat(found, volatile, values), ", "), c.table, c.firstRow, c.lastRow)
}

// removed lists the table's columns that are not part of the kind.
func (k *kindCommit) removed() []string {
	var names []string
	for name := range k.base.tables[k.ks.Name] {
		if _, ok := k.ks.Column(name); !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// write enters what the comparison found: changed rows with history, the
// others in place.
func (c *comparison) write(ctx context.Context) error {
	var set []string
	for _, i := range c.ks.Volatile {
		set = append(set, fmt.Sprintf("%s = n.%s", ident(c.ks.BatchColumns()[i].Name), ident("new "+c.ks.BatchColumns()[i].Name)))
	}
	find := "CREATE OR REPLACE TEMP TABLE nw AS SELECT * REPLACE (_id::UUID AS _id, _hash::UUID AS _hash), len(changed) > 0 AS is_changed FROM staged"
	if err := c.withView(c.t.file.Batches(c.foundSchema, c.found), "staged", func() error { return c.exec(ctx, find) }); err != nil {
		return err
	}
	row := c.c.QueryRowContext(ctx, `SELECT count(*) FILTER (is_changed), count(*) FILTER (NOT is_changed), count(*) FILTER (_unread IS NOT NULL),
		bool_or(vol AND NOT is_changed), bool_or(new_hash AND NOT is_changed), bool_or(new_unread AND NOT is_changed), bool_or(new_scope AND NOT is_changed) FROM nw`)
	var changed, unchanged, unread int64
	var volatile, hash, unreads, scope bool
	if err := row.Scan(&changed, &unchanged, &unread, &volatile, &hash, &unreads, &scope); err != nil {
		return err
	}
	c.sum.Changed += changed
	c.sum.Unchanged += unchanged
	c.sum.Unread += unread
	if changed > 0 {
		if err := c.replace(ctx); err != nil {
			return err
		}
	}
	var queries []string
	in := func(table string, set, when string) {
		queries = append(queries, fmt.Sprintf("UPDATE %s AS t SET %s FROM nw n WHERE t._id = n._id AND NOT n.is_changed AND n.%s", table, set, when))
	}
	if volatile {
		in(c.table, strings.Join(set, ", "), "vol")
	}
	// One column at a time: only those that change are written.
	for _, u := range []struct {
		due          bool
		column, when string
	}{{hash, "_hash", "new_hash"}, {unreads, "_unread", "new_unread"}, {scope, "_scope", "new_scope"}} {
		if u.due {
			in(c.table, u.column+" = n."+u.column, u.when)
			in("resources", u.column+" = n."+u.column, u.when)
		}
	}
	for _, q := range queries {
		if err := c.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// replace writes the changed rows anew and their old values to the history.
func (c *comparison) replace(ctx context.Context) error {
	kind := c.ks.Kind
	for _, q := range []string{
		fmt.Sprintf("CREATE OR REPLACE TEMP TABLE ended AS SELECT _id, changed, %s AS change FROM (SELECT n._id, n.changed, %s AS last_read FROM nw n JOIN %s t ON t.rowid = n.rid WHERE n.is_changed)",
			c.change, c.lastRead(literal(kind.Name)), c.table),
		c.historyQuery(kind.Name),
		fmt.Sprintf("DELETE FROM %s WHERE rowid IN (SELECT rid FROM nw WHERE is_changed)", c.table),
		"DELETE FROM resources WHERE _id IN (SELECT _id FROM nw WHERE is_changed)",
	} {
		if err := c.exec(ctx, q); err != nil {
			return err
		}
	}
	return c.withView(c.t.file.Batches(c.rowsSchema, c.rows), "v", func() error {
		return c.exec(ctx, fmt.Sprintf("INSERT INTO %s (%s, _sync_id) SELECT %s, %s FROM v", c.table, c.names(), c.staged(), c.syncLiteral()))
	})
}

// changeOf returns the expression for a changed row's kind of change: schema
// where only columns changed that entered or left the definition since the
// row's scope was last complete, last_read.
func (k *kindCommit) changeOf(ctx context.Context) (string, error) {
	kind := literal(k.ks.Name)
	recent, err := k.texts(ctx, `SELECT ltrim(e.key, '-'), max(e.value)::VARCHAR
		FROM (SELECT unnest(map_entries(columns)) AS e, list_min(map_values(columns)) AS first FROM kinds WHERE kind = `+kind+`)
		WHERE e.value > first GROUP BY 1 ORDER BY 1`)
	if err != nil || len(recent) == 0 {
		return "'changed'", err
	}
	var since strings.Builder
	for _, r := range recent {
		fmt.Fprintf(&since, " WHEN %s THEN TIMESTAMPTZ %s", literal(r[0]), literal(r[1]))
	}
	return fmt.Sprintf("CASE WHEN len(list_filter(changed, lambda x: NOT coalesce(CASE x%s END > last_read, false))) = 0 THEN 'schema' ELSE 'changed' END", since.String()), nil
}
