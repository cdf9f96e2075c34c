package duckdb

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
	for _, q := range []string{
		`DELETE FROM edges WHERE from_id IN (SELECT _id FROM gone)`,
		`UPDATE edges SET to_id = NULL, resolution = 'gone' WHERE to_id IN (SELECT _id FROM gone)`,
	} {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("edges: %w", err)
		}
	}
	staged := m.t.file.StagedEdges()
	replaced, err := m.count(ctx, "SELECT count(*) FROM applied WHERE NOT is_new")
	if err != nil {
		return err
	}
	if staged+replaced > 0 {
		err := m.withView(m.t.file.Edges(), "staged", func() error { return m.replaceEdges(ctx, staged, replaced > 0) })
		if err != nil {
			return fmt.Errorf("edges: %w", err)
		}
	}
	if err := m.resolveOld(ctx); err != nil {
		return fmt.Errorf("resolve old edges: %w", err)
	}
	return nil
}

// replaceEdges enters the edges of the rows that were entered, all at once: a
// temporary table keeps its room until the transaction ends, so that parts
// would take more memory. Edges that stand already are not rewritten. The view
// staged has the n edges that were staged.
func (m *commit) replaceEdges(ctx context.Context, n int64, replaced bool) error {
	fresh := "EXISTS (FROM applied a WHERE a.kind = e.kind AND a.pos = e.pos)"
	var whole []string
	for i, w := range m.whole {
		if w {
			whole = append(whole, fmt.Sprint(i))
		}
	}
	if len(whole) == len(m.whole) {
		fresh = "true"
	} else if len(whole) > 0 {
		fresh = "(e.kind IN (" + strings.Join(whole, ", ") + ") OR " + fresh + ")"
	}
	distinct := ""
	if m.t.SharedDeclarations() {
		distinct = "DISTINCT"
	}
	// Where they are staged as they are entered they need no room of their own.
	what, from := "VIEW", stagedEdges
	direct := fresh == "true" && distinct == "" && !replaced
	if !direct {
		what, from = "TABLE", "FROM se"
		if err := m.exec(ctx, "CREATE TEMP TABLE se AS "+stagedEdges); err != nil {
			return err
		}
	}
	// What has a colon, a slash or a UUID's length may be a urn; id is what
	// cannot, nor names a region and name.
	queries := []string{fmt.Sprintf(`CREATE OR REPLACE TEMP %s ne AS
		SELECT %s e.from_id, d.from_kind, d.relation, d.to_kind, e.to_ref, d.match, d.on_delete, e.account, e.region, e._scope,
			CASE WHEN NOT (d.match = 'region_name' OR contains(e.to_ref, ':') OR contains(e.to_ref, '/') OR length(e.to_ref) = 36) THEN e.to_ref END AS id
		FROM (%s) e JOIN decl d ON d.kind = e.kind AND d.decl = e.decl WHERE %s`, what, distinct, from, fresh)}
	if replaced {
		queries = append(queries,
			// A row with unread columns keeps its old edges: they may come from those.
			`DELETE FROM edges e WHERE e.from_id IN (SELECT _id FROM applied WHERE NOT is_new AND NOT unread)
				AND NOT EXISTS (FROM ne n WHERE n.from_id = e.from_id AND n.relation = e.relation AND n.to_ref = e.to_ref AND n.to_kind IN (e.to_kind, ''))`,
			`CREATE TEMP TABLE kept AS SELECT from_id, relation, to_kind, to_ref FROM edges
				WHERE from_id IN (SELECT _id FROM applied WHERE NOT is_new)`,
			`DELETE FROM ne n WHERE EXISTS (FROM kept k WHERE k.from_id = n.from_id AND k.relation = n.relation AND k.to_ref = n.to_ref AND n.to_kind IN (k.to_kind, ''))`)
	}
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return err
		}
	}
	if !direct {
		var err error
		if n, err = m.count(ctx, "SELECT count(*) FROM ne"); err != nil {
			return err
		}
	}
	return m.resolveNew(ctx, n)
}

// stagedEdges reads all columns of the view staged, which can be read once: a
// query must not leave one out (see stage.File.Positioned).
const stagedEdges = `SELECT kind, row_pos AS pos, from_id::UUID AS from_id, decl, to_ref, account, region, _scope FROM staged WHERE row_pos IS NOT NULL`

// resolveNew resolves the n edges of ne, which is read once, and enters them.
// Most name an id in their own account and region: one join finds those. The
// others take the way of resolveQueries.
func (m *commit) resolveNew(ctx context.Context, n int64) error {
	err := m.exec(ctx, `CREATE OR REPLACE TEMP TABLE hit AS SELECT n.*, r._id AS to_id
		FROM ne n LEFT JOIN (SELECT kind, account, region, id, _id FROM resources WHERE kind IN (SELECT to_kind FROM decl)) r
		ON r.kind = n.to_kind AND r.account = n.account AND r.region = n.region AND r.id = n.id`)
	if err != nil {
		return err
	}
	hits, err := m.count(ctx, "SELECT count(*) FROM hit")
	if err != nil {
		return err
	}
	if hits > n {
		err := m.exec(ctx, `CREATE OR REPLACE TEMP TABLE hit AS SELECT n.* EXCLUDE (to_id), CASE WHEN min(to_id) = max(to_id) THEN min(to_id) END AS to_id FROM hit n GROUP BY ALL`)
		if err != nil {
			return err
		}
	}
	queries := []string{
		`INSERT INTO edges (from_id, from_kind, relation, to_kind, to_ref, to_id, resolution, on_delete, _scope)
			SELECT from_id, from_kind, relation, to_kind, to_ref, to_id, 'id', on_delete, _scope FROM hit WHERE to_id IS NOT NULL`,
		// What refers to a kind that has no rows needs no search.
		`CREATE OR REPLACE TEMP TABLE refs AS SELECT DISTINCT to_kind, match, account, region, to_ref FROM hit
			WHERE to_id IS NULL AND (to_kind = '' OR to_kind IN (SELECT DISTINCT kind FROM resources))`,
	}
	queries = append(append(queries, resolveQueries...),
		`INSERT INTO edges (from_id, from_kind, relation, to_kind, to_ref, to_id, resolution, on_delete, _scope)
		SELECT n.from_id, n.from_kind, n.relation, coalesce(x.found_kind, n.to_kind), n.to_ref, x.to_id, coalesce(x.resolution, 'not_collected'), n.on_delete, n._scope
		FROM hit n LEFT JOIN (FROM resolved WHERE resolution <> 'not_collected') x
			ON x.to_ref = n.to_ref AND x.to_kind = n.to_kind AND x.match = n.match AND x.account = n.account AND x.region = n.region
		WHERE n.to_id IS NULL`,
		`DROP TABLE hit`)
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
