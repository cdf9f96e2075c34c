package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// applyScopes brings the table scopes to what this sync saw. The complete
// kinds of an account and region share one row; a row is rewritten only when
// its state or counts change.
func (m *commit) applyScopes(ctx context.Context) error {
	sync, now := m.syncLiteral(), m.nowLiteral()
	queries := []string{
		`CREATE TEMP TABLE asked AS SELECT s.cloud, s.account, s.region, k.name AS kind, count(*) AS scopes,
			count(*) FILTER (state <> 'complete') AS bad, sum("rows")::BIGINT AS "rows", sum(calls)::BIGINT AS calls
			FROM sc s JOIN kind_names k USING (kind) GROUP BY ALL`,
	}
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("scopes: %w", err)
		}
	}
	if err := m.withoutParents(ctx); err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	queries = []string{
		`CREATE TEMP TABLE plain AS SELECT a.cloud, a.account, a.region, list(a.kind ORDER BY a.kind) AS kinds, sum(a.scopes)::BIGINT AS scopes,
			sum(a."rows")::BIGINT AS "rows", sum(a.calls)::BIGINT AS calls, md5(string_agg(k.definition, ',' ORDER BY a.kind)) AS definition_hash
			FROM asked a JOIN kinds k USING (kind) WHERE bad = 0 GROUP BY ALL`,
		`CREATE TEMP TABLE covered AS SELECT cloud, account, region, list(kind) AS kinds FROM asked GROUP BY ALL`,
		// Rows that stand as they are, and old ones that keep the kinds that were not asked for.
		`CREATE TEMP TABLE left_over AS SELECT s.* REPLACE (list_filter(s.kinds, lambda k: NOT list_contains(c.kinds, k)) AS kinds), s.rowid AS rid,
			EXISTS (FROM plain p WHERE p.cloud = s.cloud AND p.account = s.account AND p.region = s.region AND p.kinds = s.kinds
				AND p.scopes = s.scopes AND p."rows" = s."rows" AND p.definition_hash IS NOT DISTINCT FROM s.definition_hash) AS stands,
			len(list_intersect(s.kinds, c.kinds)) AS taken
			FROM scopes s JOIN covered c ON c.cloud = s.cloud AND c.account = s.account AND c.region = s.region WHERE s.kind IS NULL`,
		`UPDATE scopes SET last_complete = ` + now + ` WHERE rowid IN (SELECT rid FROM left_over WHERE stands)`,
		`DELETE FROM plain p WHERE EXISTS (FROM left_over l WHERE l.stands AND p.cloud = l.cloud AND p.account = l.account AND p.region = l.region)`,
		`DELETE FROM scopes WHERE rowid IN (SELECT rid FROM left_over WHERE NOT stands AND taken > 0)`,
		`INSERT INTO scopes SELECT * EXCLUDE (rid, stands, taken) FROM left_over WHERE NOT stands AND taken > 0 AND len(kinds) > 0`,
		`INSERT INTO scopes (sync_id, cloud, account, region, state, kinds, scopes, "rows", calls, definition_hash, last_complete)
			SELECT ` + sync + `, cloud, account, region, 'complete', kinds, scopes, "rows", calls, definition_hash, ` + now + ` FROM plain`,
		// Everything else row by row.
		`CREATE TEMP TABLE odd AS SELECT s.*, k.name, d.definition,
			(SELECT max(f.last_complete) FROM fresh f WHERE f.cloud = s.cloud AND f.account = s.account AND f.region = s.region AND f.kind = k.name) AS last
			FROM sc s JOIN kind_names k USING (kind) JOIN kinds d ON d.kind = k.name WHERE state <> 'complete'`,
		`DELETE FROM scopes s WHERE s.kind IS NOT NULL
			AND EXISTS (FROM asked a WHERE a.cloud = s.cloud AND a.account = s.account AND a.region = s.region AND a.kind = s.kind)
			AND NOT EXISTS (FROM odd o WHERE o.cloud = s.cloud AND o.account = s.account AND o.region = s.region AND o.name = s.kind
				AND o.parent IS NOT DISTINCT FROM s.parent AND o.state = s.state AND o."rows" = s."rows" AND o.code IS NOT DISTINCT FROM s.code)`,
		// An account that could not be entered ("*") was now, under its own name
		// where that was not known before.
		`DELETE FROM scopes s WHERE s.region = '*' AND s.kind IN (SELECT kind FROM asked)
			AND (s.account IN (SELECT account FROM asked WHERE region <> '*') OR s.account NOT IN (SELECT account FROM scopes WHERE region <> '*'))
			AND NOT EXISTS (FROM odd o WHERE o.cloud = s.cloud AND o.account = s.account AND o.region = '*' AND o.name = s.kind)`,
		`INSERT INTO scopes (sync_id, cloud, account, region, kind, parent, state, scopes, "rows", calls, error, code, request_id, duration_seconds, definition_hash, last_complete)
			SELECT ` + sync + `, cloud, account, region, name, parent, state, 1, "rows", calls, error, code, request_id, duration_seconds, definition, last FROM odd o
			WHERE NOT EXISTS (FROM scopes s WHERE o.cloud = s.cloud AND o.account = s.account AND o.region = s.region AND o.name = s.kind AND o.parent IS NOT DISTINCT FROM s.parent)`,
	}
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("scopes: %w", err)
		}
	}
	return nil
}

// withoutParents takes a kind that is listed for each of another as asked for,
// and complete, where the other one is complete and has no rows.
func (m *commit) withoutParents(ctx context.Context) error {
	for _, ks := range m.parentsFirst() {
		if m.t.ByName(ks.Parent) == nil {
			continue
		}
		missing := fmt.Sprintf(`FROM asked p WHERE kind = %s AND bad = 0
			AND NOT EXISTS (FROM asked c WHERE c.kind = %s AND c.cloud = p.cloud AND c.account = p.account AND c.region = p.region)`,
			literal(ks.Parent), literal(ks.Name))
		n, err := m.count(ctx, "SELECT count(*) "+missing)
		if err != nil {
			return err
		}
		if n == 0 {
			continue
		}
		err = m.exec(ctx, fmt.Sprintf(`INSERT INTO asked SELECT cloud, account, region, %s, 0, 0, 0, 0 %s
			AND NOT EXISTS (FROM (SELECT DISTINCT split_part(_scope, '/', 1) AS cloud, split_part(_scope, '/', 2) AS account, split_part(_scope, '/', 3) AS region FROM %s) t
				WHERE t.cloud = p.cloud AND t.account = p.account AND t.region = p.region)`, literal(ks.Name), missing, ident(ks.Parent)))
		if err != nil {
			return err
		}
	}
	return nil
}

var problemSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.BinaryTypes.String},
	{Name: "account", Type: arrow.BinaryTypes.String},
	{Name: "region", Type: arrow.BinaryTypes.String},
	{Name: "call", Type: arrow.BinaryTypes.String},
	{Name: "column", Type: arrow.BinaryTypes.String},
	{Name: "code", Type: arrow.BinaryTypes.String},
	{Name: "sample", Type: arrow.BinaryTypes.String},
	{Name: "count", Type: arrow.PrimitiveTypes.Int64},
}, nil)

// applyProblems replaces the problems of the kinds, accounts and regions that
// this sync read. One that is still there, as often, is not rewritten.
func (m *commit) applyProblems(ctx context.Context) error {
	b := array.NewRecordBuilder(memory.DefaultAllocator, problemSchema)
	defer b.Release()
	for p, c := range m.problems {
		for i, v := range [...]string{p.Kind, p.Account, p.Region, p.Call, p.Column, p.Code, c.Sample} {
			b.Field(i).(*array.StringBuilder).Append(stage.CleanText(v))
		}
		b.Field(7).(*array.Int64Builder).Append(c.Count)
	}
	once := stage.One(b.NewRecordBatch())
	err := m.withView(once, "staged", func() error { return m.exec(ctx, "CREATE TEMP TABLE np AS SELECT * FROM staged") })
	if err != nil {
		return fmt.Errorf("problems: %w", err)
	}
	same := `p.kind = n.kind AND p.account = n.account AND p.region = n.region AND p.call = n.call AND p."column" = n."column" AND p.code = n.code`
	queries := []string{
		`DELETE FROM problems p WHERE (p.kind = '' OR p.kind IN (SELECT name FROM kind_names))
			AND (p.account = '' OR EXISTS (FROM sc WHERE sc.account = p.account))
			AND NOT EXISTS (FROM np n WHERE ` + same + ` AND p.count = n.count)`,
		`INSERT INTO problems SELECT ` + m.syncLiteral() + `, n.kind, n.account, n.region, n.call, n."column", n.code, n.count, n.sample FROM np n
			WHERE NOT EXISTS (FROM problems p WHERE ` + same + `)`,
	}
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("problems: %w", err)
		}
	}
	return nil
}

// applySync records the sync and ends what is older than the retention.
func (m *commit) applySync(ctx context.Context) error {
	var total [5]int64
	for i := range m.sums {
		s := &m.sums[i]
		var err error
		if s.Rows, err = m.count(ctx, "SELECT count(*) FROM "+ident(s.Kind)); err != nil {
			return err
		}
		for j, n := range [...]int64{s.New, s.Changed, s.Gone, s.Unchanged, s.Unread} {
			total[j] += n
		}
	}
	var rows int64
	for _, s := range m.sums {
		rows += s.Rows
	}
	finished := m.end.FinishedAt
	if finished.IsZero() {
		finished = m.now
	}
	err := m.exec(ctx, fmt.Sprintf(`INSERT INTO syncs SELECT %s, %s, %s, %s, CASE WHEN count(*) FILTER (state NOT IN ('complete', 'not_applicable')) > 0 THEN 'partial' ELSE 'complete' END,
		%d, count(*), count(*) FILTER (state NOT IN ('complete', 'not_applicable')), %d, %d, %d, %d, %d, %d, (SELECT coalesce(sum(count), 0) FROM np) FROM sc`,
		m.syncLiteral(), m.nowLiteral(), timeLiteral(finished), literal(m.t.sync.Version), len(m.t.Kinds()), rows, total[0], total[1], total[2], total[3], total[4]))
	if err != nil {
		return fmt.Errorf("syncs: %w", err)
	}
	if m.t.sync.HistoryRetention <= 0 {
		return nil
	}
	until := timeLiteral(m.now.Add(-m.t.sync.HistoryRetention))
	for _, q := range []string{
		"DELETE FROM resource_history WHERE valid_to < " + until,
		"DELETE FROM syncs WHERE started_at < " + until,
	} {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("retention: %w", err)
		}
	}
	return nil
}

// kindNames makes the table that gives the sync's kinds their numbers.
func (m *commit) kindNames(ctx context.Context) error {
	if err := m.exec(ctx, "CREATE TEMP TABLE kind_names (kind INTEGER, name VARCHAR)"); err != nil || len(m.t.Kinds()) == 0 {
		return err
	}
	var b strings.Builder
	for i, ks := range m.t.Kinds() {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "(%d, %s)", ks.Index, literal(ks.Name))
	}
	return m.exec(ctx, "INSERT INTO kind_names VALUES "+b.String())
}
