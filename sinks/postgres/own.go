package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// problemsAtOnce is how many problems a statement enters.
const problemsAtOnce = 500

// applyProblems replaces the problems of the kinds, accounts and regions that
// this sync read. One that is still there, as often, is not rewritten.
func (m *commit) applyProblems(ctx context.Context) error {
	var values []string
	for p, c := range m.problems {
		var texts []string
		for _, v := range [...]string{p.Kind, p.Account, p.Region, p.Call, p.Column, p.Code, c.Sample} {
			texts = append(texts, literal(stage.CleanText(v)))
		}
		values = append(values, fmt.Sprintf("(%s, %d)", strings.Join(texts, ", "), c.Count))
	}
	for part := range slices.Chunk(values, problemsAtOnce) {
		if err := m.exec(ctx, "INSERT INTO _problems VALUES "+strings.Join(part, ", ")); err != nil {
			return fmt.Errorf("problems: %w", err)
		}
	}
	if err := m.plan(ctx, int64(len(values))); err != nil {
		return err
	}
	const same = `p.kind = n.kind AND p.account = n.account AND p.region = n.region AND p.call = n.call AND p."column" = n."column" AND p.code = n.code`
	err := m.exec(ctx,
		`DELETE FROM problems p WHERE (p.kind = '' OR p.kind IN (SELECT name FROM _kinds))
			AND (p.account = '' OR EXISTS (SELECT FROM _scopes s WHERE s.account = p.account))
			AND NOT EXISTS (SELECT FROM _problems n WHERE `+same+` AND p.count = n.count)`,
		`INSERT INTO problems SELECT `+m.syncLiteral()+`, n.kind, n.account, n.region, n.call, n."column", n.code, n.count, n.sample FROM _problems n
			WHERE NOT EXISTS (SELECT FROM problems p WHERE `+same+`)`)
	if err != nil {
		return fmt.Errorf("problems: %w", err)
	}
	return nil
}

// applySync records the sync and ends what is older than the retention.
func (m *commit) applySync(ctx context.Context) error {
	var total [6]int64
	for i, k := range m.t.Kinds() {
		s := &m.sums[i]
		s.Rows = k.Had + s.New - s.Gone
		for j, n := range [...]int64{s.Rows, s.New, s.Changed, s.Gone, s.Unchanged, s.Unread} {
			total[j] += n
		}
	}
	finished := m.end.FinishedAt
	if finished.IsZero() {
		finished = m.now
	}
	const bad = "count(*) FILTER (WHERE state NOT IN ('complete', 'not_applicable'))"
	err := m.exec(ctx, fmt.Sprintf(`INSERT INTO syncs (id, started_at, finished_at, version, state, kinds, scopes, incomplete, "rows", new, changed, gone, unchanged, unread, problems)
		SELECT %s, %s, %s, %s, CASE WHEN %s > 0 THEN 'partial' ELSE 'complete' END,
		%d, count(*), %[5]s, %[7]d, %[8]d, %[9]d, %[10]d, %[11]d, %[12]d, (SELECT coalesce(sum(count), 0) FROM _problems) FROM _scopes`,
		m.syncLiteral(), m.nowLiteral(), timeLiteral(finished), literal(m.t.sync.Version), bad,
		len(m.t.Kinds()), total[0], total[1], total[2], total[3], total[4], total[5]))
	if err != nil {
		return fmt.Errorf("syncs: %w", err)
	}
	if m.t.sync.HistoryRetention <= 0 {
		return nil
	}
	until := timeLiteral(m.now.Add(-m.t.sync.HistoryRetention))
	if err := m.exec(ctx, "DELETE FROM resource_history WHERE valid_to < "+until, "DELETE FROM syncs WHERE started_at < "+until); err != nil {
		return fmt.Errorf("retention: %w", err)
	}
	return nil
}
