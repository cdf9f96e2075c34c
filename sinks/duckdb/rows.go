package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
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
		k := &kindCommit{commit: m, ks: m.t.Kinds()[index], sum: &m.sums[index], table: ident(m.t.Kinds()[index].Name)}
		if err := k.apply(ctx); err != nil {
			return fmt.Errorf("rows of %s: %w", k.ks.Name, err)
		}
	}
	for i, ks := range m.t.Kinds() {
		if ks.Known != nil {
			m.sums[i].Unchanged += int64(ks.Known.Seen())
		}
	}
	return nil
}

// kindCommit applies the staged rows of one kind.
type kindCommit struct {
	*commit
	ks    *stage.Kind
	sum   *sinks.KindSummary
	table string
}

func (k *kindCommit) apply(ctx context.Context) error {
	if err := k.countDuplicates(ctx); err != nil {
		return err
	}
	if k.ks.Had == 0 {
		unique, err := k.count(ctx, "SELECT count(*) - count(DISTINCT _id) FROM st WHERE kind = ?", k.ks.Index)
		if err != nil {
			return err
		}
		if unique == 0 {
			k.whole[k.ks.Index] = true
			k.t.sink.at("commit:chosen")
			if err := k.insert(ctx, ""); err != nil {
				return err
			}
			k.t.sink.at("commit:inserted")
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
	rows, err := k.texts(ctx, `SELECT _id::VARCHAR FROM st WHERE kind = ? GROUP BY _id, scope HAVING count(DISTINCT _hash) > 1 ORDER BY 1`, k.ks.Index)
	if err != nil {
		return err
	}
	for _, r := range rows {
		k.problems.Add(schema.Problem{Kind: k.ks.Name, Code: "duplicate", Sample: "_id " + r[0]})
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
	if len(k.ks.Volatile) > 0 {
		same = "pos < 0"
	}
	queries := []string{
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE r AS
			SELECT s.pos, s._id, s._hash, s.owner, s.unread, s.own_seen, n.scope,
				t.rowid AS rid, t._scope AS t_scope, t._hash AS t_hash, t._unread IS NOT NULL AS t_unread,
				t.account = split_part(t._scope, '/', 2) AS t_owner,
				EXISTS (FROM done d WHERE d.kind = %[1]d AND d.scope = t._scope) AS t_done
			FROM st s LEFT JOIN %[2]s t ON t._id = s._id LEFT JOIN scope_names n ON n.hash = s.scope
			WHERE s.kind = %[1]d`, k.ks.Index, k.table),
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
			WHERE action IN ('cand', 'same') AND scope <> t_scope AND (own_seen OR NOT t_done)`, literal(k.ks.Name)),
		fmt.Sprintf(`INSERT INTO moved SELECT %s, _id, scope FROM w WHERE action IN ('cand', 'same') AND scope <> t_scope`, literal(k.ks.Name)),
		fmt.Sprintf(`INSERT INTO applied SELECT %d, pos, _id, action = 'new', unread FROM w WHERE action IN ('new', 'cand') AND pos >= 0`, k.ks.Index),
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

// staged lists the columns of the view of staged rows in their SQL types.
func (k *kindCommit) staged() string {
	var b strings.Builder
	for i, c := range k.ks.BatchColumns() {
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

// trusted says of the columns with JSON that they are that, which keeps DuckDB
// from parsing them: what was staged is canonical JSON.
// https://arrow.apache.org/docs/format/CanonicalExtensions.html#json
func trusted(s *arrow.Schema, columns []schema.Column) *arrow.Schema {
	fields := slices.Clone(s.Fields())
	for i, c := range columns {
		if c.Type == schema.JSON {
			fields[i].Metadata = arrow.NewMetadata([]string{"ARROW:extension:name", "ARROW:extension:metadata"}, []string{"arrow.json", ""})
		}
	}
	return arrow.NewSchema(fields, nil)
}

// names lists the columns of a batch.
func (k *kindCommit) names() string {
	var names []string
	for _, c := range k.ks.BatchColumns() {
		names = append(names, c.Name)
	}
	return idents("", names)
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
		k.sum.New = k.ks.Rows
	}
	read := k.t.file.Positioned(trusted(k.ks.BatchSchema(), k.ks.BatchColumns()), k.t.file.Segments(k.ks))
	err := k.withView(read, "v", func() error {
		return k.exec(ctx, fmt.Sprintf("INSERT INTO %s (%s, _sync_id) SELECT %s, %s FROM v %s", k.table, k.names(), k.staged(), k.syncLiteral(), where))
	})
	if err != nil || !k.ks.Unread {
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
	if k.ks.Base != nil {
		base = literal(k.ks.Base.Name)
	}
	return k.exec(ctx, fmt.Sprintf("INSERT INTO resources (%s, base) SELECT %[1]s, %s FROM %s WHERE _sync_id = %s", idents("", names), base, k.table, k.syncLiteral()))
}
