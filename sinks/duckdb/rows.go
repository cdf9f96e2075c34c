package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// applyRows enters new and changed rows, kind by kind.
func (m *commit) applyRows(ctx context.Context) error {
	counts, err := m.texts(ctx, "SELECT kind::VARCHAR FROM st GROUP BY kind ORDER BY kind")
	if err != nil {
		return err
	}
	for _, r := range counts {
		var index int
		if _, err := fmt.Sscan(r[0], &index); err != nil {
			return err
		}
		k := &kindCommit{commit: m, ks: m.t.kinds[index], sum: &m.sums[index], table: ident(m.t.kinds[index].kind.Name)}
		slices.SortFunc(k.ks.segs, func(a, b segment) int { return int(a.first - b.first) })
		if err := k.apply(ctx); err != nil {
			return fmt.Errorf("rows of %s: %w", k.ks.kind.Name, err)
		}
	}
	for i, ks := range m.t.kinds {
		if ks.known != nil {
			m.sums[i].Unchanged += int64(ks.known.seen)
		}
	}
	return nil
}

// kindCommit applies the staged rows of one kind.
type kindCommit struct {
	*commit
	ks    *kindStage
	sum   *sinks.KindSummary
	table string
}

func (k *kindCommit) apply(ctx context.Context) error {
	if err := k.countDuplicates(ctx); err != nil {
		return err
	}
	if k.ks.had == 0 {
		unique, err := k.count(ctx, "SELECT count(*) - count(DISTINCT _id) FROM st WHERE kind = ?", k.ks.index)
		if err != nil {
			return err
		}
		if unique == 0 {
			k.whole[k.ks.index] = true
			if err := k.insert(ctx, ""); err != nil {
				return err
			}
			return k.insertResources(ctx)
		}
	}
	if err := k.choose(ctx); err != nil {
		return err
	}
	if err := k.changed(ctx); err != nil {
		return err
	}
	if err := k.insert(ctx, "WHERE pos IN (SELECT pos FROM w WHERE action = 'new')"); err != nil {
		return err
	}
	if k.sum.New+k.sum.Changed == 0 {
		return nil
	}
	return k.insertResources(ctx)
}

// countDuplicates makes a problem of rows that one scope reported twice with
// different values.
func (k *kindCommit) countDuplicates(ctx context.Context) error {
	rows, err := k.texts(ctx, `SELECT _id::VARCHAR FROM st WHERE kind = ? GROUP BY _id, scope HAVING count(DISTINCT _hash) > 1 ORDER BY 1`, k.ks.index)
	if err != nil {
		return err
	}
	k.t.mu.Lock()
	defer k.t.mu.Unlock()
	for _, r := range rows {
		k.t.problems.add(schema.Problem{Kind: k.ks.kind.Name, Code: "duplicate", Sample: "_id " + r[0]})
	}
	return nil
}

// choose makes the table w of what becomes of each row that was read: of its
// readings the owner's wins, then that of the scope that the row already
// names, and within a scope the last. The actions are
//
//	new   the row is not in the table
//	cand  it is, and may have changed
//	same  it is, and only its scope may have changed
//	keep  the reading counts only as a sighting
func (k *kindCommit) choose(ctx context.Context) error {
	same := "(pos < 0 OR (_hash = t_hash AND NOT unread AND NOT t_unread))"
	if len(k.ks.vol) > 0 {
		same = "pos < 0"
	}
	queries := []string{
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE r AS
			SELECT s.pos, s._id, s._hash, s.owner, s.unread, s.own_seen, n.scope,
				t.rowid AS rid, t._scope AS t_scope, t._hash AS t_hash, t._unread IS NOT NULL AS t_unread,
				t.account = split_part(t._scope, '/', 2) AS t_owner,
				EXISTS (FROM done d WHERE d.kind = %[1]d AND d.scope = t._scope) AS t_done
			FROM st s LEFT JOIN %[2]s t ON t._id = s._id LEFT JOIN scope_names n ON n.hash = s.scope
			WHERE s.kind = %[1]d`, k.ks.index, k.table),
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE w AS
			SELECT *, CASE WHEN rid IS NULL THEN 'new'
				WHEN own_seen AND (t_owner OR NOT owner) THEN 'keep'
				WHEN t_owner AND NOT owner AND NOT t_done AND scope IS DISTINCT FROM t_scope THEN 'keep'
				WHEN %s THEN 'same'
				ELSE 'cand' END AS action
			FROM (FROM r QUALIFY row_number() OVER (PARTITION BY _id
				ORDER BY owner DESC, scope IS NOT DISTINCT FROM t_scope DESC, scope NULLS LAST, pos DESC) = 1)`, same),
		// The scopes that reported a row beside the one it names.
		fmt.Sprintf(`INSERT INTO sight
			SELECT DISTINCT %s, r._id, r.scope FROM r JOIN w ON r._id = w._id
			WHERE r.scope IS NOT NULL AND r.scope IS DISTINCT FROM CASE WHEN w.action = 'keep' THEN w.t_scope ELSE coalesce(w.scope, w.t_scope) END
			UNION
			SELECT %[1]s, _id, t_scope FROM w
			WHERE action IN ('cand', 'same') AND scope <> t_scope AND (own_seen OR NOT t_done)`, literal(k.ks.kind.Name)),
		fmt.Sprintf(`INSERT INTO moved SELECT %s, _id, scope FROM w WHERE action IN ('cand', 'same') AND scope <> t_scope`, literal(k.ks.kind.Name)),
		fmt.Sprintf(`INSERT INTO applied SELECT %d, pos, _id, action = 'new', unread FROM w WHERE action IN ('new', 'cand') AND pos >= 0`, k.ks.index),
		fmt.Sprintf(`UPDATE %s AS t SET _scope = w.scope FROM w WHERE t._id = w._id AND w.action = 'same' AND w.scope <> w.t_scope`, k.table),
		`UPDATE resources AS t SET _scope = w.scope FROM w WHERE t._id = w._id AND w.action = 'same' AND w.scope <> w.t_scope`,
	}
	for _, q := range queries {
		if err := k.exec(ctx, q); err != nil {
			return err
		}
	}
	n, err := k.count(ctx, "SELECT count(*) FROM w WHERE action IN ('same', 'keep') AND NOT own_seen")
	k.sum.Unchanged += n
	return err
}

// compareRows is how many candidates are compared at once: their rows, old
// and new, are held in temporary tables and in a join.
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
	for _, r := range parts {
		var p comparison
		for i, to := range []*int64{&p.firstRow, &p.lastRow, &p.firstPos, &p.lastPos} {
			if *to, err = strconv.ParseInt(r[i], 10, 64); err != nil {
				return err
			}
		}
		if err := k.compare(ctx, p); err != nil {
			return err
		}
	}
	return k.exec(ctx, "DROP TABLE nw; DROP TABLE cv")
}

// comparison is a part of the candidates: those whose rows lie between two of
// the table, staged between two positions.
type comparison struct{ firstRow, lastRow, firstPos, lastPos int64 }

func (k *kindCommit) compare(ctx context.Context, p comparison) error {
	var segs []segment
	for _, s := range k.ks.segs {
		if s.first <= p.lastPos && s.first+s.rows > p.firstPos {
			segs = append(segs, s)
		}
	}
	err := k.withView(k.t.stage.positioned(k.ks.kind.BatchSchema(), segs), "v", func() error {
		return k.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE cv AS SELECT %s, pos FROM v WHERE pos IN (SELECT pos FROM w WHERE action = 'cand' AND rid BETWEEN %d AND %d)", k.staged(), p.firstRow, p.lastRow))
	})
	if err != nil {
		return err
	}
	if err := k.exec(ctx, k.compareQuery(p)); err != nil {
		return err
	}
	if err := k.writeChanged(ctx); err != nil {
		return err
	}
	row := k.c.QueryRowContext(ctx, `SELECT count(*) FILTER (len(changed) > 0), count(*) FILTER (len(changed) = 0), count(*) FILTER (_unread IS NOT NULL) FROM nw`)
	var changed, unchanged, unread int64
	if err := row.Scan(&changed, &unchanged, &unread); err != nil {
		return err
	}
	k.sum.Changed += changed
	k.sum.Unchanged += unchanged
	k.sum.Unread += unread
	return nil
}

// staged lists the columns of the view of staged rows in their SQL types.
func (k *kindCommit) staged() string {
	var b strings.Builder
	for i, c := range k.ks.kind.BatchColumns() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(ident(c.Name))
		if c.Type == schema.UUID || c.Type == schema.JSON {
			b.WriteString("::" + columnType(c.Type) + " AS " + ident(c.Name))
		}
	}
	return b.String()
}

// compareQuery makes the table nw: for each candidate the names of the columns
// that changed, whether volatile ones did, and the row as it is to be. Columns
// that could not be read keep their values; columns that left the definition
// lose them.
func (k *kindCommit) compareQuery(p comparison) string {
	var diffs, vol, values []string
	inBatch := map[string]bool{}
	for i, c := range k.ks.kind.BatchColumns() {
		name := ident(c.Name)
		inBatch[c.Name] = true
		switch i {
		case schema.ColID, schema.ColScope, schema.ColHash, schema.ColUnread:
			values = append(values, "v."+name)
			continue
		}
		value := "v." + name
		if k.ks.unread {
			value = fmt.Sprintf("CASE WHEN list_contains(v._unread, %s) THEN t.%s ELSE v.%s END", literal(c.Name), name, name)
		}
		values = append(values, value+" AS "+name)
		differs := fmt.Sprintf("%s IS DISTINCT FROM t.%s", value, name)
		if c.Volatile {
			vol = append(vol, "("+differs+")")
		} else {
			diffs = append(diffs, fmt.Sprintf("CASE WHEN %s THEN %s END", differs, literal(c.Name)))
		}
	}
	for _, name := range k.removed() {
		diffs = append(diffs, fmt.Sprintf("CASE WHEN t.%s IS NOT NULL THEN %s END", ident(name), literal(name)))
	}
	if vol == nil {
		vol = []string{"false"}
	}
	return fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE nw AS
		SELECT t.rowid AS rid, list_filter([%s], lambda x: x IS NOT NULL) AS changed, %s AS vol,
			v._hash IS DISTINCT FROM t._hash AS new_hash, v._unread IS DISTINCT FROM t._unread AS new_unread, v._scope IS DISTINCT FROM t._scope AS new_scope,
			%s
		FROM %s t JOIN cv v ON t._id = v._id WHERE t.rowid BETWEEN %d AND %d`,
		strings.Join(diffs, ", "), strings.Join(vol, " OR "), strings.Join(values, ", "), k.table, p.firstRow, p.lastRow)
}

// removed lists the table's columns that are not part of the kind.
func (k *kindCommit) removed() []string {
	var names []string
	for name := range k.base.tables[k.ks.kind.Name] {
		if _, ok := k.ks.kind.Column(name); !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// writeChanged enters the rows of nw: changed ones with history, the others
// in place.
func (k *kindCommit) writeChanged(ctx context.Context) error {
	kind := k.ks.kind
	var names []string
	for _, c := range kind.BatchColumns() {
		names = append(names, c.Name)
	}
	change, err := k.changeOf(ctx)
	if err != nil {
		return err
	}
	real := "len(n.changed) > 0"
	queries := []string{
		fmt.Sprintf("CREATE OR REPLACE TEMP TABLE ended AS SELECT _id, changed, %s AS change FROM (SELECT n._id, n.changed, %s AS last_read FROM nw n JOIN %s t ON t.rowid = n.rid WHERE %s)",
			change, k.lastRead(literal(kind.Name)), k.table, real),
		k.historyQuery(kind.Name),
		"DELETE FROM " + k.table + " WHERE rowid IN (SELECT n.rid FROM nw n WHERE " + real + ")",
		"DELETE FROM resources WHERE _id IN (SELECT n._id FROM nw n WHERE " + real + ")",
		fmt.Sprintf("INSERT INTO %s (%s, _sync_id) SELECT %s, %s FROM nw n WHERE %s", k.table, idents("", names), idents("n.", names), k.syncLiteral(), real),
	}
	in := func(set, when string) {
		queries = append(queries, fmt.Sprintf("UPDATE %s AS t SET %s FROM nw n WHERE t._id = n._id AND len(n.changed) = 0 AND (%s)", k.table, set, when))
	}
	if len(k.ks.vol) > 0 {
		var set []string
		for _, i := range k.ks.vol {
			set = append(set, fmt.Sprintf("%s = n.%[1]s", ident(names[i])))
		}
		in(strings.Join(set, ", "), "n.vol")
	}
	// One column at a time: only those that change are written.
	for _, c := range [][2]string{{"_hash", "new_hash"}, {"_unread", "new_unread"}, {"_scope", "new_scope"}} {
		in(fmt.Sprintf("%s = n.%[1]s", c[0]), "n."+c[1])
		queries = append(queries, fmt.Sprintf("UPDATE resources AS t SET %s = n.%[1]s FROM nw n WHERE t._id = n._id AND len(n.changed) = 0 AND n.%s", c[0], c[1]))
	}
	for _, q := range queries {
		if err := k.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// changeOf returns the expression for a changed row's kind of change: schema
// where only columns changed that entered or left the definition since the
// row's scope was last complete, last_read.
func (k *kindCommit) changeOf(ctx context.Context) (string, error) {
	kind := literal(k.ks.kind.Name)
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

// insert enters staged rows as new ones.
func (k *kindCommit) insert(ctx context.Context, where string) error {
	if where != "" {
		n, err := k.count(ctx, "SELECT count(*) FROM w WHERE action = 'new'")
		if err != nil || n == 0 {
			return err
		}
		k.sum.New = n
	} else {
		k.sum.New = k.ks.next
	}
	var names []string
	for _, c := range k.ks.kind.BatchColumns() {
		names = append(names, c.Name)
	}
	read := k.t.stage.positioned(k.ks.kind.BatchSchema(), k.ks.segs)
	err := k.withView(read, "v", func() error {
		return k.exec(ctx, fmt.Sprintf("INSERT INTO %s (%s, _sync_id) SELECT %s, %s FROM v %s", k.table, idents("", names), k.staged(), k.syncLiteral(), where))
	})
	if err != nil || !k.ks.unread {
		return err
	}
	query := fmt.Sprintf("SELECT count(*) FROM %s WHERE _unread IS NOT NULL", k.table)
	if where != "" {
		query = "SELECT count(*) FROM w WHERE action = 'new' AND unread"
	}
	n, err := k.count(ctx, query)
	k.sum.Unread += n
	return err
}

// insertResources enters the rows that this sync wrote into resources.
func (k *kindCommit) insertResources(ctx context.Context) error {
	names := make([]string, len(schema.Unified))
	for i, c := range schema.Unified {
		names[i] = c.Name
	}
	base := "NULL"
	if k.ks.kind.Base != nil {
		base = literal(k.ks.kind.Base.Name)
	}
	return k.exec(ctx, fmt.Sprintf("INSERT INTO resources (%s, base) SELECT %[1]s, %s FROM %s WHERE _sync_id = %s", idents("", names), base, k.table, k.syncLiteral()))
}
