package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// applyEdges replaces the edges of changed rows, removes those of rows that
// are gone and resolves: the new ones, and the old ones that what is new or
// gone may decide otherwise.
func (m *commit) applyEdges(ctx context.Context) error {
	staged := m.t.store.edges.rows.Load()
	if staged+m.touched+m.replaced == 0 {
		return nil
	}
	had, err := m.count(ctx, "SELECT count(*) FROM (SELECT FROM edges LIMIT 1) e")
	if err != nil {
		return err
	}
	m.hadEdges = had > 0
	if m.hadEdges {
		err := m.exec(ctx, `DELETE FROM edges e USING _gone g WHERE e.from_id = g._id`,
			`UPDATE edges e SET to_id = NULL, resolution = 'gone' FROM _gone g WHERE e.to_id = g._id`)
		if err != nil {
			return fmt.Errorf("edges: %w", err)
		}
	}
	if staged+m.replaced > 0 {
		if err := m.replaceEdges(ctx, max(staged, m.replaced)); err != nil {
			return fmt.Errorf("edges: %w", err)
		}
	}
	if err := m.resolveOld(ctx); err != nil {
		return fmt.Errorf("resolve old edges: %w", err)
	}
	return nil
}

// replaceEdges enters the edges of the rows that were entered. Edges that
// stand already are not rewritten.
func (m *commit) replaceEdges(ctx context.Context, rows int64) error {
	if err := m.plan(ctx, rows); err != nil {
		return err
	}
	fresh := "(e.kind = ANY (" + m.indexes(func(i int, _ *stage.Kind) bool { return m.whole[i] }) +
		") OR EXISTS (SELECT FROM _choice a WHERE a.kind = e.kind AND a.pos = e.pos AND a.action IN ('n', 'c')))"
	if m.indexes(func(i int, k *stage.Kind) bool { return k.Rows > 0 && !m.whole[i] }) == m.indexes(func(int, *stage.Kind) bool { return false }) {
		fresh = "true"
	}
	from := fmt.Sprintf(`SELECT e.from_id, d.from_kind, d.relation, d.to_kind, e.to_ref, d.match, d.on_delete, e.account, e.region, e._scope
		FROM _edges e JOIN _declarations d ON d.kind = e.kind AND d.decl = e.decl WHERE %s`, fresh)
	if m.replaced == 0 {
		return m.resolveNew(ctx, "("+from+")")
	}
	const same = "k.from_id = n.from_id AND k.relation = n.relation AND k.to_ref = n.to_ref AND n.to_kind IN (k.to_kind, '')"
	n, err := m.affected(ctx, "INSERT INTO _new_edges "+from)
	if err != nil {
		return err
	}
	if err := m.analyze(ctx, n, "_new_edges"); err != nil {
		return err
	}
	if m.hadEdges {
		err := m.exec(ctx,
			// A row with unread columns keeps its old edges: they may come from those.
			`DELETE FROM edges k USING _choice a WHERE k.from_id = a._id AND a.action = 'c' AND NOT a.unread AND NOT EXISTS (SELECT FROM _new_edges n WHERE `+same+`)`,
			`DELETE FROM _new_edges n USING edges k WHERE `+same)
		if err != nil {
			return err
		}
	}
	return m.resolveNew(ctx, "_new_edges")
}

// mayBeURN says of a reference that it may be one: it has a colon, a slash or
// a UUID's length.
const mayBeURN = "(position(':' IN %[1]s) > 0 OR position('/' IN %[1]s) > 0 OR length(%[1]s) = 36)"

// resolveNew resolves the new edges and enters them. Most name an id in their
// own account and region: one join finds those, and what a kind, account,
// region and id name is unique by the making of _id. The others take the way
// of resolveQuery.
func (m *commit) resolveNew(ctx context.Context, from string) error {
	open, err := m.affected(ctx, fmt.Sprintf(`WITH hit AS MATERIALIZED (
			SELECT n.*, r._id AS to_id FROM %s n LEFT JOIN resources r
			ON r.kind = n.to_kind AND r.account = n.account AND r.region = n.region AND r.id = n.to_ref AND NOT (n.match = 'region_name' OR %s)
		), resolved AS (
			INSERT INTO edges (from_id, from_kind, relation, to_kind, to_ref, to_id, resolution, on_delete, _scope)
			SELECT from_id, from_kind, relation, to_kind, to_ref, to_id, 'id', on_delete, _scope FROM hit WHERE to_id IS NOT NULL
		)
		INSERT INTO _open_edges SELECT from_id, from_kind, relation, to_kind, to_ref, match, on_delete, account, region, _scope FROM hit WHERE to_id IS NULL`,
		from, fmt.Sprintf(mayBeURN, "n.to_ref")))
	if err != nil || open == 0 {
		return err
	}
	refs, err := m.affected(ctx, "INSERT INTO _refs SELECT DISTINCT to_kind, match, account, region, to_ref FROM _open_edges")
	if err != nil {
		return err
	}
	if err := m.resolve(ctx, refs); err != nil {
		return err
	}
	if err := m.plan(ctx, open); err != nil {
		return err
	}
	return m.exec(ctx, `INSERT INTO edges (from_id, from_kind, relation, to_kind, to_ref, to_id, resolution, on_delete, _scope)
		SELECT n.from_id, n.from_kind, n.relation, coalesce(x.found_kind, n.to_kind), n.to_ref, x.to_id, x.resolution, n.on_delete, n._scope
		FROM _open_edges n JOIN _resolved x ON x.to_ref = n.to_ref AND x.to_kind = n.to_kind AND x.match = n.match AND x.account = n.account AND x.region = n.region`)
}

// resolve makes the table _resolved from the table _refs.
func (m *commit) resolve(ctx context.Context, refs int64) error {
	if err := m.plan(ctx, refs); err != nil {
		return err
	}
	if err := m.analyze(ctx, refs, "_refs"); err != nil {
		return err
	}
	n, err := m.affected(ctx, fmt.Sprintf(resolveQuery, fmt.Sprintf(mayBeURN, "to_ref")))
	if err != nil {
		return err
	}
	return m.analyze(ctx, n, "_resolved")
}

// resolveQuery finds for each reference what it refers to, by unique match
// only, the narrowest first. The first step that finds anything decides; if it
// finds several, none is taken. A reference by region and name takes no other
// step.
const resolveQuery = `WITH by_urn AS MATERIALIZED (
		SELECT q.to_kind, q.to_ref, count(*) AS n, (array_agg(r._id))[1] AS to_id, min(r.kind) AS found_kind
		FROM (SELECT DISTINCT to_kind, to_ref FROM _refs WHERE match <> 'region_name' AND %s) q
		JOIN resources r ON r.urn = q.to_ref AND (r.kind = q.to_kind OR q.to_kind = '')
		GROUP BY 1, 2
	), by_id AS MATERIALIZED (
		SELECT q.to_kind, q.match, q.account, q.region, q.to_ref,
			count(*) FILTER (WHERE r.account = q.account AND r.region = q.region) AS n_region,
			(array_agg(r._id) FILTER (WHERE r.account = q.account AND r.region = q.region))[1] AS id_region,
			count(*) FILTER (WHERE r.account = q.account) AS n_account, (array_agg(r._id) FILTER (WHERE r.account = q.account))[1] AS id_account,
			count(*) AS n_estate, (array_agg(r._id))[1] AS id_estate
		FROM _refs q JOIN resources r ON r.id = q.to_ref AND r.kind = q.to_kind
		WHERE q.match <> 'region_name' GROUP BY 1, 2, 3, 4, 5
	), by_name AS MATERIALIZED (
		SELECT q.to_kind, q.match, q.account, q.region, q.to_ref, count(*) AS n, (array_agg(r._id))[1] AS to_id
		FROM _refs q JOIN resources r ON r.name COLLATE "C" = q.to_ref AND r.kind = q.to_kind AND r.account = q.account AND r.region IN (q.region, 'global')
		WHERE q.match = 'name' GROUP BY 1, 2, 3, 4, 5
		UNION ALL
		SELECT q.to_kind, q.match, q.account, q.region, q.to_ref, count(*), (array_agg(r._id))[1]
		FROM _refs q JOIN resources r ON r.name COLLATE "C" = substr(q.to_ref, position('/' IN q.to_ref) + 1)
			AND r.region = split_part(q.to_ref, '/', 1) AND r.kind = q.to_kind AND r.account = q.account
		WHERE q.match = 'region_name' AND position('/' IN q.to_ref) > 0 GROUP BY 1, 2, 3, 4, 5
	)
	INSERT INTO _resolved (to_kind, match, account, region, to_ref, found_kind, resolution, to_id)
	SELECT q.to_kind, q.match, q.account, q.region, q.to_ref, CASE WHEN u.n = 1 THEN u.found_kind END,
		CASE WHEN u.n = 1 THEN 'urn' WHEN u.n > 1 THEN 'ambiguous'
			WHEN i.n_region = 1 THEN 'id' WHEN i.n_region > 1 THEN 'ambiguous'
			WHEN n.n = 1 THEN 'name' WHEN n.n > 1 THEN 'ambiguous'
			WHEN i.n_account = 1 THEN 'id' WHEN i.n_account > 1 THEN 'ambiguous'
			WHEN i.n_estate = 1 THEN 'id' WHEN i.n_estate > 1 THEN 'ambiguous'
			ELSE 'not_collected' END,
		CASE WHEN u.n >= 1 THEN CASE WHEN u.n = 1 THEN u.to_id END
			WHEN i.n_region >= 1 THEN CASE WHEN i.n_region = 1 THEN i.id_region END
			WHEN n.n >= 1 THEN CASE WHEN n.n = 1 THEN n.to_id END
			WHEN i.n_account >= 1 THEN CASE WHEN i.n_account = 1 THEN i.id_account END
			WHEN i.n_estate = 1 THEN i.id_estate END
	FROM _refs q
	LEFT JOIN by_urn u ON u.to_ref = q.to_ref AND u.to_kind = q.to_kind AND q.match <> 'region_name'
	LEFT JOIN by_id i ON i.to_ref = q.to_ref AND i.to_kind = q.to_kind AND i.match = q.match AND i.account = q.account AND i.region = q.region
	LEFT JOIN by_name n ON n.to_ref = q.to_ref AND n.to_kind = q.to_kind AND n.match = q.match AND n.account = q.account AND n.region = q.region`

// resolveOld tries the unresolved edges of before whose reference names a row
// that this sync added, changed or ended.
func (m *commit) resolveOld(ctx context.Context) error {
	if m.touched == 0 || !m.hadEdges {
		return nil
	}
	open, err := m.count(ctx, "SELECT count(*) FROM (SELECT FROM edges WHERE to_id IS NULL LIMIT 1) e")
	if err != nil || open == 0 {
		return err
	}
	if err := m.plan(ctx, m.touched); err != nil {
		return err
	}
	var whole []string
	for i, k := range m.t.Kinds() {
		if m.whole[i] {
			whole = append(whole, k.Name)
		}
	}
	var stored []stage.StoredEdges
	for _, k := range m.base.byKey {
		stored = append(stored, stage.StoredEdges{Kind: k.name, Key: k.key, JSON: k.edges})
	}
	declared, err := m.t.Declared(stored)
	if err != nil {
		return err
	}
	names := ""
	if len(declared.ByRegionName) > 0 {
		names = fmt.Sprintf(`, CASE WHEN kind = ANY (%s) THEN region COLLATE "C" || '/' || name COLLATE "C" END`, literals(declared.ByRegionName))
	}
	old, err := m.affected(ctx, fmt.Sprintf(`WITH touched AS (
			SELECT r.id, r.name, r.urn, r.kind, r.region FROM resources r JOIN _choice c ON c._id = r._id WHERE c.action IN ('n', 'c')
			UNION ALL SELECT id, name, urn, kind, region FROM resources WHERE kind = ANY (%s)
			UNION ALL SELECT h.doc->>'id', h.doc->>'name', h.doc->>'urn', h.kind, h.doc->>'region' FROM resource_history h JOIN _gone g ON g._id = h._id WHERE h.valid_to = %s
		), keys AS MATERIALIZED (SELECT DISTINCT k COLLATE "C" AS to_ref FROM touched, unnest(ARRAY[id COLLATE "C", name COLLATE "C", urn COLLATE "C"%s]) k)
		INSERT INTO _old_edges
		SELECT e.from_id, e.relation, e.to_kind, e.to_ref, e.resolution, %s, r.account, r.region
		FROM edges e JOIN resources r ON r._id = e.from_id
		WHERE e.to_id IS NULL AND left(e.to_ref, 500) IN (SELECT left(to_ref, 500) FROM keys) AND e.to_ref IN (SELECT to_ref FROM keys)`,
		literals(whole), m.nowLiteral(), names, declared.MatchOf("e", literal)))
	if err != nil || old == 0 {
		return err
	}
	refs, err := m.affected(ctx, "TRUNCATE _refs, _resolved; INSERT INTO _refs SELECT DISTINCT to_kind, match, account, region, to_ref FROM _old_edges")
	if err != nil {
		return err
	}
	if err := m.resolve(ctx, refs); err != nil {
		return err
	}
	// What is gone stays gone until something stands in its place.
	return m.exec(ctx, strings.TrimSpace(`
		UPDATE edges e SET to_id = x.to_id, resolution = x.resolution, to_kind = coalesce(x.found_kind, e.to_kind)
		FROM _old_edges o JOIN _resolved x ON x.to_ref = o.to_ref AND x.to_kind = o.to_kind AND x.match = o.match AND x.account = o.account AND x.region = o.region
		WHERE x.resolution <> o.resolution AND NOT (o.resolution = 'gone' AND x.resolution = 'not_collected')
			AND e.from_id = o.from_id AND e.relation = o.relation AND e.to_kind = o.to_kind AND e.to_ref = o.to_ref AND e.to_id IS NULL`))
}
