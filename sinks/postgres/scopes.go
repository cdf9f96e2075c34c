package postgres

import (
	"context"
	"fmt"
)

// applyScopes brings the table scopes to what this sync saw. The complete
// kinds of an account and region share one row; a row is rewritten only when
// its state or counts change. When they were last complete stands in
// scope_times, once for all that were together.
func (m *commit) applyScopes(ctx context.Context) error {
	n := m.t.store.scopes.rows.Load()
	if n == 0 {
		return nil
	}
	if err := m.plan(ctx, n); err != nil {
		return err
	}
	asked, err := m.affected(ctx, `INSERT INTO _asked SELECT s.cloud, s.account, s.region, k.name, count(*), count(*) FILTER (WHERE state <> 'complete'), sum("rows"), sum(calls)
		FROM _scopes s JOIN _kinds k USING (kind) GROUP BY 1, 2, 3, 4`)
	if err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	if err := m.withoutParents(ctx); err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	if err := m.analyze(ctx, asked, "_asked"); err != nil {
		return err
	}
	places, err := m.affected(ctx, `INSERT INTO _places
		SELECT a.cloud, a.account, a.region, array_agg(a.kind ORDER BY a.kind), array_agg(a.kind ORDER BY a.kind) FILTER (WHERE bad = 0),
			sum(a.scopes) FILTER (WHERE bad = 0), sum(a."rows") FILTER (WHERE bad = 0), sum(a.calls) FILTER (WHERE bad = 0),
			md5(string_agg(k.definition, ',' ORDER BY a.kind) FILTER (WHERE bad = 0))
		FROM _asked a JOIN kinds k USING (kind) GROUP BY 1, 2, 3`)
	if err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	if err := m.analyze(ctx, places, "_places"); err != nil {
		return err
	}
	// Rows that stand as they are, and old ones that keep the kinds that were
	// not asked for.
	standing, err := m.affected(ctx, `INSERT INTO _standing
		SELECT s.ctid, s.cloud, s.account, s.region,
			p.kinds IS NOT DISTINCT FROM s.kinds AND p.scopes = s.scopes AND p."rows" = s."rows" AND p.definition_hash IS NOT DISTINCT FROM s.definition_hash,
			ARRAY(SELECT k FROM unnest(s.kinds) k WHERE NOT k = ANY (p.asked) ORDER BY k), s.scope_time
		FROM scope_states s JOIN _places p ON p.cloud = s.cloud AND p.account = s.account AND p.region = s.region
		WHERE s.kind IS NULL AND s.kinds && p.asked`)
	if err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	if err := m.analyze(ctx, standing, "_standing"); err != nil {
		return err
	}
	// When the incomplete ones were last complete, before that is rewritten.
	err = m.exec(ctx, `INSERT INTO _incomplete SELECT s.cloud, s.account, s.region, k.name, s.parent, s.state, s."rows", s.calls, s.error, s.code, s.request_id, s.duration_seconds, k.definition,
			(SELECT max(f.last_complete) FROM scope_freshness f WHERE f.cloud = s.cloud AND f.account = s.account AND f.region = s.region AND f.kind = k.name)
		FROM _scopes s JOIN _kinds k USING (kind) WHERE s.state <> 'complete'`)
	if err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	if err := m.confirm(ctx); err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	if err := m.incomplete(ctx); err != nil {
		return fmt.Errorf("scopes: %w", err)
	}
	return nil
}

// confirm notes that complete scopes are complete. The rows that share a time
// and all stand get the new time by one row; of a group that falls apart, the
// smaller part is rewritten.
func (m *commit) confirm(ctx context.Context) error {
	now, sync := m.nowLiteral(), m.syncLiteral()
	next, err := m.count(ctx, "SELECT coalesce(max(scope_time), 0) + 1 FROM scope_times")
	if err != nil {
		return err
	}
	const groups = `SELECT s.scope_time, count(*) AS n, count(t.rid) AS standing FROM scope_states s LEFT JOIN _standing t ON t.rid = s.ctid AND t.stands
		WHERE s.kind IS NULL GROUP BY 1`
	return m.exec(ctx,
		`INSERT INTO scope_states (sync_id, cloud, account, region, state, kinds, scopes, "rows", calls, definition_hash, last_complete, scope_time)
			SELECT s.sync_id, s.cloud, s.account, s.region, s.state, t.left_over, s.scopes, s."rows", s.calls, s.definition_hash, s.last_complete, s.scope_time
			FROM scope_states s JOIN _standing t ON t.rid = s.ctid WHERE NOT t.stands AND t.left_over <> '{}'`,
		`DELETE FROM scope_states s USING _standing t WHERE t.rid = s.ctid AND NOT t.stands`,
		fmt.Sprintf("INSERT INTO scope_times VALUES (%d, %s)", next, now),
		// The minority that stands takes the new time ...
		fmt.Sprintf(`UPDATE scope_states s SET scope_time = %d FROM _standing t, (%s) g WHERE t.rid = s.ctid AND t.stands
			AND g.scope_time = s.scope_time AND 2 * g.standing <= g.n`, next, groups),
		// ... or that which does not keeps the old one, under a new number.
		fmt.Sprintf(`WITH g AS MATERIALIZED (SELECT g.*, %d + row_number() OVER (ORDER BY g.scope_time) AS other, c.last_complete
				FROM (%s) g JOIN scope_times c USING (scope_time) WHERE g.standing < g.n AND 2 * g.standing > g.n),
			put AS (INSERT INTO scope_times SELECT other, last_complete FROM g)
			UPDATE scope_states s SET scope_time = g.other FROM g WHERE g.scope_time = s.scope_time AND s.kind IS NULL
				AND NOT EXISTS (SELECT FROM _standing t WHERE t.rid = s.ctid AND t.stands)`, next, groups),
		fmt.Sprintf("UPDATE scope_times c SET last_complete = %s FROM (%s) g WHERE g.scope_time = c.scope_time AND g.standing = g.n", now, groups),
		fmt.Sprintf(`INSERT INTO scope_states (sync_id, cloud, account, region, state, kinds, scopes, "rows", calls, definition_hash, scope_time)
			SELECT %s, cloud, account, region, 'complete', kinds, scopes, "rows", calls, definition_hash, %d FROM _places p WHERE kinds IS NOT NULL
			AND NOT EXISTS (SELECT FROM _standing t WHERE t.stands AND t.cloud = p.cloud AND t.account = p.account AND t.region = p.region)`, sync, next),
		"DELETE FROM scope_times c WHERE NOT EXISTS (SELECT FROM scope_states s WHERE s.scope_time = c.scope_time)")
}

// incomplete enters everything else row by row.
func (m *commit) incomplete(ctx context.Context) error {
	return m.exec(ctx,
		`DELETE FROM scope_states s WHERE s.kind IS NOT NULL
			AND EXISTS (SELECT FROM _asked a WHERE a.cloud = s.cloud AND a.account = s.account AND a.region = s.region AND a.kind = s.kind)
			AND NOT EXISTS (SELECT FROM _incomplete o WHERE o.cloud = s.cloud AND o.account = s.account AND o.region = s.region AND o.kind = s.kind
				AND o.parent IS NOT DISTINCT FROM s.parent AND o.state = s.state AND o."rows" = s."rows" AND o.code IS NOT DISTINCT FROM s.code)`,
		// An account that could not be entered ("*") was now, under its own name
		// where that was not known before.
		`DELETE FROM scope_states s WHERE s.region = '*' AND s.kind IN (SELECT kind FROM _asked)
			AND (s.account IN (SELECT account FROM _asked WHERE region <> '*') OR s.account NOT IN (SELECT account FROM scope_states WHERE region <> '*'))
			AND NOT EXISTS (SELECT FROM _incomplete o WHERE o.cloud = s.cloud AND o.account = s.account AND o.region = '*' AND o.kind = s.kind)`,
		fmt.Sprintf(`INSERT INTO scope_states (sync_id, cloud, account, region, kind, parent, state, scopes, "rows", calls, error, code, request_id, duration_seconds, definition_hash, last_complete)
			SELECT %s, o.cloud, o.account, o.region, o.kind, o.parent, o.state, 1, o."rows", o.calls, o.error, o.code, o.request_id, o.duration_seconds, o.definition, o.last_complete
			FROM _incomplete o WHERE NOT EXISTS (SELECT FROM scope_states s WHERE o.cloud = s.cloud AND o.account = s.account AND o.region = s.region AND o.kind = s.kind AND o.parent IS NOT DISTINCT FROM s.parent)`, m.syncLiteral()))
}

// withoutParents takes a kind that is listed for each of another as asked for,
// and complete, where the other one is complete and has no rows.
func (m *commit) withoutParents(ctx context.Context) error {
	for _, k := range m.parentsFirst() {
		if m.t.ByName(k.Parent) == nil {
			continue
		}
		_, err := m.affected(ctx, fmt.Sprintf(`INSERT INTO _asked SELECT p.cloud, p.account, p.region, %[2]s, 0, 0, 0, 0 FROM _asked p WHERE p.kind = %[1]s AND p.bad = 0
			AND NOT EXISTS (SELECT FROM _asked c WHERE c.kind = %[2]s AND c.cloud = p.cloud AND c.account = p.account AND c.region = p.region)
			AND NOT EXISTS (SELECT FROM %[3]s t WHERE split_part(t._scope, '/', 1) = p.cloud AND split_part(t._scope, '/', 2) = p.account AND split_part(t._scope, '/', 3) = p.region)`,
			literal(k.Parent), literal(k.Name), ident(k.Parent)))
		if err != nil {
			return err
		}
	}
	return nil
}
