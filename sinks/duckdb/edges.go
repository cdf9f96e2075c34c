package duckdb

import (
	"context"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// applyEdges removes the edges of rows that are gone, resolves those that what
// is new or gone may decide otherwise, and replaces those of changed rows.
func (m *commit) applyEdges(ctx context.Context) error {
	for _, q := range []string{
		`DELETE FROM edges WHERE from_id IN (SELECT _id FROM gone)`,
		`UPDATE edges SET to_id = NULL, resolution = 'gone' WHERE to_id IN (SELECT _id FROM gone)`,
	} {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("edges: %w", err)
		}
	}
	replaced, err := m.count(ctx, "SELECT count(*) FROM applied WHERE NOT is_new")
	if err != nil {
		return err
	}
	// Those that are entered afterwards see what is new already.
	if err := m.resolveOld(ctx); err != nil {
		return fmt.Errorf("resolve old edges: %w", err)
	}
	if m.t.file.edgeCount+replaced > 0 {
		if err := m.replaceEdges(ctx, replaced > 0); err != nil {
			return fmt.Errorf("edges: %w", err)
		}
	}
	return nil
}

// replaceEdges enters the edges of the rows that were entered. Edges that
// stand already are not rewritten. The table ne has the edges as numbers of
// what they refer to, the view answers what these are.
func (m *commit) replaceEdges(ctx context.Context, replaced bool) error {
	places, refs, edges := m.t.file.edgeViews()
	err := m.withView(places, "staged", func() error { return m.exec(ctx, "CREATE TEMP TABLE place AS SELECT * FROM staged") })
	if err != nil {
		return err
	}
	if err := m.withView(refs, "staged", func() error { return m.resolveNew(ctx) }); err != nil {
		return err
	}
	err = m.withView(edges, "staged", func() error {
		return m.exec(ctx, "CREATE TEMP TABLE ne AS SELECT from_id, ref FROM ("+readEdges+") e WHERE "+m.fresh())
	})
	if err != nil {
		return err
	}
	var queries []string
	if replaced {
		queries = append(queries,
			// A row with unread columns keeps its old edges: they may come from those.
			`DELETE FROM edges e WHERE e.from_id IN (SELECT _id FROM applied WHERE NOT is_new AND NOT unread)
				AND NOT EXISTS (FROM ne n JOIN answers a ON a.ref = n.ref
					WHERE n.from_id = e.from_id AND a.relation = e.relation AND a.to_ref = e.to_ref AND a.declared_kind IN (e.to_kind, ''))`,
			`CREATE TEMP TABLE kept AS SELECT from_id, relation, to_kind, to_ref FROM edges
				WHERE from_id IN (SELECT _id FROM applied WHERE NOT is_new)`,
			`DELETE FROM ne n WHERE EXISTS (FROM kept k JOIN answers a ON a.relation = k.relation AND a.to_ref = k.to_ref AND a.declared_kind IN (k.to_kind, '')
				WHERE k.from_id = n.from_id AND a.ref = n.ref)`)
	}
	queries = append(queries, `INSERT INTO edges (from_id, from_kind, relation, to_kind, to_ref, to_id, resolution, on_delete, _scope)
		SELECT n.from_id, a.from_kind, a.relation, a.to_kind, a.to_ref, a.to_id, a.resolution, a.on_delete, a._scope FROM ne n JOIN answers a ON a.ref = n.ref`)
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// fresh is the condition that a staged edge e leaves a row that was entered.
func (m *commit) fresh() string {
	var whole []string
	for i, w := range m.whole {
		if w {
			whole = append(whole, fmt.Sprint(i))
		}
	}
	applied := "EXISTS (FROM applied a WHERE a.kind = e.kind AND a.pos = e.pos)"
	switch {
	case len(whole) == len(m.whole):
		return "true"
	case len(whole) > 0:
		return "(e.kind IN (" + strings.Join(whole, ", ") + ") OR " + applied + ")"
	}
	return applied
}

// readEdges and readRefs read the view staged, which can be read once and of
// which a query must not leave out a column before others (see
// stage.File.Positioned).
const (
	readEdges = `SELECT from_id::UUID AS from_id, ref, kind, row_pos AS pos FROM staged`
	readRefs  = `SELECT ref, declared, place, to_ref FROM staged`
)

// resolveNew resolves what was staged of references and makes the view
// answers. Most name an id in their own account and region: one join finds
// those. The others take the way of resolveQueries. What has a colon, a slash
// or a UUID's length may be a urn; id is what cannot, nor names a region and
// name.
func (m *commit) resolveNew(ctx context.Context) error {
	err := m.exec(ctx, `CREATE TEMP TABLE hit AS SELECT n.ref, n.declared, n.place, n.to_ref, r._id AS to_id
		FROM (SELECT e.*, d.to_kind, p.account, p.region,
				CASE WHEN NOT (d.match = 'region_name' OR contains(e.to_ref, ':') OR contains(e.to_ref, '/') OR length(e.to_ref) = 36) THEN e.to_ref END AS id
			FROM (`+readRefs+`) e JOIN decl d ON d.declared = e.declared JOIN place p ON p.place = e.place) n
		LEFT JOIN (SELECT kind, account, region, id, _id FROM resources WHERE kind IN (SELECT to_kind FROM decl)) r
		ON r.kind = n.to_kind AND r.account = n.account AND r.region = n.region AND r.id = n.id`)
	if err != nil {
		return err
	}
	hits, err := m.count(ctx, "SELECT count(*) FROM hit")
	if err != nil {
		return err
	}
	if hits > m.t.file.refCount {
		err := m.exec(ctx, `CREATE OR REPLACE TEMP TABLE hit AS SELECT * EXCLUDE (to_id), CASE WHEN min(to_id) = max(to_id) THEN min(to_id) END AS to_id FROM hit GROUP BY ALL`)
		if err != nil {
			return err
		}
	}
	queries := append([]string{
		// What refers to a kind that has no rows needs no search.
		`CREATE OR REPLACE TEMP TABLE refs AS SELECT DISTINCT d.to_kind, d.match, p.account, p.region, h.to_ref
			FROM hit h JOIN decl d ON d.declared = h.declared JOIN place p ON p.place = h.place
			WHERE h.to_id IS NULL AND (d.to_kind = '' OR d.to_kind IN (SELECT DISTINCT kind FROM resources))`,
	}, resolveQueries...)
	queries = append(queries,
		`CREATE TEMP VIEW answers AS SELECT h.ref, d.from_kind, d.relation, d.to_kind AS declared_kind, coalesce(x.found_kind, d.to_kind) AS to_kind, h.to_ref,
			coalesce(h.to_id, x.to_id) AS to_id, CASE WHEN h.to_id IS NOT NULL THEN 'id' ELSE coalesce(x.resolution, 'not_collected') END AS resolution, d.on_delete, p._scope
		FROM hit h JOIN decl d ON d.declared = h.declared JOIN place p ON p.place = h.place
		LEFT JOIN (FROM resolved WHERE resolution <> 'not_collected') x ON x.to_ref = CASE WHEN h.to_id IS NULL THEN h.to_ref END
			AND x.to_kind = d.to_kind AND x.match = d.match AND x.account = p.account AND x.region = p.region`)
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// resolveQueries make the table resolved from the table refs: for each
// reference what it refers to, by unique match only, the narrowest first. The
// first step that finds anything decides; if it finds several, none is taken.
// A reference by region and name takes no other step.
var resolveQueries = []string{
	`CREATE OR REPLACE TEMP TABLE by_urn AS
		SELECT q.to_kind, q.to_ref, count(*) AS n, any_value(r._id) AS to_id, any_value(r.kind) AS found_kind
		FROM (SELECT DISTINCT to_kind, to_ref FROM refs WHERE match <> 'region_name' AND (contains(to_ref, ':') OR contains(to_ref, '/') OR length(to_ref) = 36)) q
		JOIN resources r ON r.urn = q.to_ref AND q.to_kind IN (r.kind, '')
		GROUP BY ALL`,
	`CREATE OR REPLACE TEMP TABLE by_id AS
		SELECT q.to_kind, q.match, q.account, q.region, q.to_ref,
			count(*) FILTER (r.account = q.account AND r.region = q.region) AS n_region, any_value(r._id) FILTER (r.account = q.account AND r.region = q.region) AS id_region,
			count(*) FILTER (r.account = q.account) AS n_account, any_value(r._id) FILTER (r.account = q.account) AS id_account,
			count(*) AS n_estate, any_value(r._id) AS id_estate
		FROM refs q JOIN resources r ON r.id = q.to_ref AND r.kind = q.to_kind
		WHERE q.match <> 'region_name' GROUP BY ALL`,
	`CREATE OR REPLACE TEMP TABLE by_name AS
		SELECT q.to_kind, q.match, q.account, q.region, q.to_ref, count(*) AS n, any_value(r._id) AS to_id
		FROM refs q JOIN resources r ON r.name = q.to_ref AND r.kind = q.to_kind AND r.account = q.account AND r.region IN (q.region, 'global')
		WHERE q.match = 'name' GROUP BY ALL
		UNION ALL
		SELECT q.to_kind, q.match, q.account, q.region, q.to_ref, count(*), any_value(r._id)
		FROM (SELECT *, split_part(to_ref, '/', 1) AS ref_region, substr(to_ref, strpos(to_ref, '/') + 1) AS ref_name
			FROM refs WHERE match = 'region_name' AND contains(to_ref, '/')) q
		JOIN resources r ON r.kind = q.to_kind AND r.account = q.account AND r.region = q.ref_region AND r.name = q.ref_name
		GROUP BY ALL`,
	`CREATE OR REPLACE TEMP TABLE resolved AS
		SELECT q.*, CASE WHEN u.n = 1 THEN u.found_kind END AS found_kind,
			CASE WHEN u.n = 1 THEN 'urn' WHEN u.n > 1 THEN 'ambiguous'
				WHEN i.n_region = 1 THEN 'id' WHEN i.n_region > 1 THEN 'ambiguous'
				WHEN n.n = 1 THEN 'name' WHEN n.n > 1 THEN 'ambiguous'
				WHEN i.n_account = 1 THEN 'id' WHEN i.n_account > 1 THEN 'ambiguous'
				WHEN i.n_estate = 1 THEN 'id' WHEN i.n_estate > 1 THEN 'ambiguous'
				ELSE 'not_collected' END AS resolution,
			CASE WHEN u.n >= 1 THEN CASE WHEN u.n = 1 THEN u.to_id END
				WHEN i.n_region >= 1 THEN CASE WHEN i.n_region = 1 THEN i.id_region END
				WHEN n.n >= 1 THEN CASE WHEN n.n = 1 THEN n.to_id END
				WHEN i.n_account >= 1 THEN CASE WHEN i.n_account = 1 THEN i.id_account END
				WHEN i.n_estate = 1 THEN i.id_estate END AS to_id
		FROM refs q
		LEFT JOIN by_urn u ON u.to_ref = q.to_ref AND u.to_kind = q.to_kind AND q.match <> 'region_name'
		LEFT JOIN by_id i ON i.to_ref = q.to_ref AND i.to_kind = q.to_kind AND i.match = q.match AND i.account = q.account AND i.region = q.region
		LEFT JOIN by_name n ON n.to_ref = q.to_ref AND n.to_kind = q.to_kind AND n.match = q.match AND n.account = q.account AND n.region = q.region`,
}

// resolveOld tries the unresolved edges whose reference names a row that this
// sync added or ended.
func (m *commit) resolveOld(ctx context.Context) error {
	var touched int64
	for _, s := range m.sums {
		touched += s.New + s.Changed + s.Gone
	}
	if touched == 0 {
		return nil
	}
	before, err := m.count(ctx, "SELECT count(*) FROM edges WHERE to_id IS NULL")
	if err != nil || before == 0 {
		return err
	}
	var stored []stage.StoredEdges
	for _, k := range m.base.byKey {
		stored = append(stored, stage.StoredEdges{Kind: k.name, Key: k.key, JSON: k.edges})
	}
	declared, err := m.t.Declared(stored)
	if err != nil {
		return err
	}
	names, goneNames := "", ""
	if len(declared.ByRegionName) > 0 {
		kinds := literals(declared.ByRegionName)
		names = fmt.Sprintf(", CASE WHEN kind IN (%s) THEN region || '/' || name END", kinds)
		goneNames = fmt.Sprintf(", CASE WHEN kind IN (%s) THEN (doc->>'region') || '/' || (doc->>'name') END", kinds)
	}
	queries := []string{
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE keys AS
			SELECT DISTINCT unnest([id, name, urn%s]) AS to_ref FROM resources WHERE _sync_id = %s
			UNION
			SELECT DISTINCT unnest([doc->>'id', doc->>'name', doc->>'urn'%s]) FROM resource_history
			WHERE valid_to = %s AND _id IN (SELECT _id FROM gone)`, names, m.syncLiteral(), goneNames, m.nowLiteral()),
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE old AS
			SELECT e.from_id, e.relation, e.to_kind, e.to_ref, e.resolution, r.account, r.region, %s AS match
			FROM edges e JOIN resources r ON r._id = e.from_id
			WHERE e.to_id IS NULL AND e.to_ref IN (SELECT to_ref FROM keys)`, declared.MatchOf("e", literal)),
		`CREATE OR REPLACE TEMP TABLE refs AS SELECT DISTINCT to_kind, match, account, region, to_ref FROM old`,
	}
	queries = append(queries, resolveQueries...)
	// What is gone stays gone until something stands in its place.
	queries = append(queries,
		`CREATE OR REPLACE TEMP TABLE better AS
			SELECT o.from_id, o.relation, o.to_kind, o.to_ref, x.to_id, x.resolution, x.found_kind
			FROM old o JOIN resolved x ON x.to_ref = o.to_ref AND x.to_kind = o.to_kind AND x.match = o.match AND x.account = o.account AND x.region = o.region
			WHERE x.resolution <> o.resolution AND NOT (o.resolution = 'gone' AND x.resolution = 'not_collected')`,
		`UPDATE edges AS e SET to_id = b.to_id, resolution = b.resolution, to_kind = coalesce(b.found_kind, e.to_kind) FROM better b
			WHERE e.from_id = b.from_id AND e.relation = b.relation AND e.to_kind = b.to_kind AND e.to_ref = b.to_ref AND e.to_id IS NULL`)
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
