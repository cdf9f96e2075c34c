package duckdb

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// applySightings keeps account of the scopes that report a row beside the one
// it names. A sighting ends when its scope is complete and does not have it.
func (m *commit) applySightings(ctx context.Context) error {
	queries := []string{
		`DELETE FROM sightings s WHERE EXISTS (FROM done d JOIN kind_names k USING (kind) WHERE k.name = s.kind AND d.scope = s._scope)
			AND NOT EXISTS (FROM sight n WHERE n._id = s._id AND n._scope = s._scope)`,
		`DELETE FROM sightings s WHERE EXISTS (FROM moved n WHERE n._id = s._id AND n._scope = s._scope)`,
		`INSERT INTO sightings (kind, _id, _scope) SELECT DISTINCT kind, _id, _scope FROM sight n
			WHERE NOT EXISTS (FROM sightings s WHERE s._id = n._id AND s._scope = n._scope)`,
		`UPDATE edges AS e SET _scope = n._scope FROM moved n WHERE e.from_id = n._id AND e._scope IS DISTINCT FROM n._scope`,
		`CREATE TEMP TABLE closed (cloud VARCHAR, account VARCHAR)`,
	}
	for _, a := range m.end.GoneAccounts {
		queries = append(queries, fmt.Sprintf("INSERT INTO closed VALUES (%s, %s)", literal(a.Cloud), literal(a.ID)))
	}
	queries = append(queries, `DELETE FROM sightings s WHERE EXISTS (FROM closed c
		WHERE c.cloud = split_part(s._scope, '/', 1) AND c.account = split_part(s._scope, '/', 2))`)
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("sightings: %w", err)
		}
	}
	return nil
}

// endParents takes the scopes of parents that are gone as complete: nobody has
// read them, and the scope without a parent, which says that all parents are
// known, is complete. The parents themselves need not be rows of the file.
func (m *commit) endParents(ctx context.Context) error {
	for _, ks := range m.t.Kinds() {
		if ks.Parent == "" || ks.Had == 0 {
			continue
		}
		err := m.exec(ctx, fmt.Sprintf(`INSERT INTO done (kind, scope) SELECT DISTINCT %[1]d, t._scope
			FROM (SELECT _scope FROM %[2]s UNION SELECT _scope FROM sightings WHERE kind = %[3]s) t
			JOIN done d ON d.kind = %[1]d AND d.parent IS NULL AND t._scope = d.scope || '/' || right(t._scope, 36)
			WHERE NOT EXISTS (FROM sc s WHERE s.kind = %[1]d AND s.scope = t._scope)`, ks.Index, ident(ks.Name), literal(ks.Name)))
		if err != nil {
			return fmt.Errorf("parents of %s: %w", ks.Name, err)
		}
	}
	return nil
}

// applyGone ends rows: those that no scope has any more, those of closed
// accounts, and those whose parent went. Parents come before their children.
func (m *commit) applyGone(ctx context.Context) error {
	for _, ks := range m.parentsFirst() {
		if ks.Had == 0 {
			continue
		}
		k := &kindCommit{commit: m, ks: ks, sum: &m.sums[ks.Index], table: ident(ks.Name)}
		if err := k.gone(ctx); err != nil {
			return fmt.Errorf("gone rows of %s: %w", ks.Name, err)
		}
	}
	return nil
}

// parentsFirst returns the kinds with every parent before its children.
func (m *commit) parentsFirst() []*stage.Kind {
	var sorted []*stage.Kind
	done := make([]bool, len(m.t.Kinds()))
	var visit func(ks *stage.Kind)
	visit = func(ks *stage.Kind) {
		if done[ks.Index] {
			return
		}
		done[ks.Index] = true
		if parent := m.t.ByName(ks.Parent); parent != nil {
			visit(parent)
		}
		sorted = append(sorted, ks)
	}
	for _, ks := range m.t.Kinds() {
		visit(ks)
	}
	return sorted
}

func (k *kindCommit) gone(ctx context.Context) error {
	kind, index := literal(k.ks.Name), k.ks.Index
	var orphans int64
	var err error
	if k.ks.Parent != "" {
		if orphans, err = k.count(ctx, "SELECT count(*) FROM gone WHERE kind = ?", k.ks.Parent); err != nil {
			return err
		}
	}
	complete, err := k.count(ctx, "SELECT count(*) FROM done WHERE kind = ?", index)
	if err != nil {
		return err
	}
	known := k.ks.Known
	unseen := known == nil || known.Seen() < known.Rows()
	if orphans == 0 && (!unseen || complete+int64(len(k.end.GoneAccounts)) == 0) {
		return nil
	}
	if err := k.unseen(ctx); err != nil {
		return err
	}
	queries := []string{
		// Absent from its scope, but seen by another: that one has it now.
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE absent AS SELECT t._id, t._scope, t._sync_id, min(s._scope) AS other
			FROM %s t JOIN unseen u ON t._id = u._id JOIN done d ON d.kind = %d AND d.scope = t._scope
			LEFT JOIN sightings s ON s._id = t._id GROUP BY ALL`, k.table, index),
		fmt.Sprintf(`UPDATE %s AS t SET _scope = a.other FROM absent a WHERE a._id = t._id AND a.other IS NOT NULL`, k.table),
		`UPDATE resources AS t SET _scope = a.other FROM absent a WHERE a._id = t._id AND a.other IS NOT NULL`,
		`UPDATE edges AS e SET _scope = a.other FROM absent a WHERE a._id = e.from_id AND a.other IS NOT NULL`,
		`DELETE FROM sightings s WHERE EXISTS (FROM absent a WHERE a._id = s._id AND a.other = s._scope)`,
		fmt.Sprintf(`CREATE OR REPLACE TEMP TABLE ended AS
			SELECT _id, NULL::VARCHAR[] AS changed, any_value(change ORDER BY rank) AS change FROM (
				SELECT t._id, 'account_closed' AS change, 1 AS rank FROM %[1]s t JOIN unseen u ON t._id = u._id JOIN closed c ON t.cloud = c.cloud AND t.account = c.account
				UNION ALL
				SELECT t._id, p.change, 2 FROM %[1]s t JOIN gone p ON p.kind = %[2]s AND right(t._scope, 36) = p._id::VARCHAR
				UNION ALL
				SELECT t._id, CASE WHEN (SELECT max(definition_since) FROM kinds WHERE kind = %[3]s) > %[4]s THEN 'out_of_scope' ELSE 'deleted' END, 3
				FROM absent t WHERE t.other IS NULL
			) GROUP BY _id`, k.table, literal(k.ks.Parent), kind, k.lastRead(kind)),
		k.historyQuery(k.ks.Name),
		fmt.Sprintf("DELETE FROM %s WHERE _id IN (SELECT _id FROM ended)", k.table),
		"DELETE FROM resources WHERE _id IN (SELECT _id FROM ended)",
		"DELETE FROM sightings WHERE _id IN (SELECT _id FROM ended)",
		fmt.Sprintf("INSERT INTO gone SELECT %s, _id, change FROM ended", kind),
	}
	for _, q := range queries {
		if err := k.exec(ctx, q); err != nil {
			return err
		}
	}
	k.sum.Gone, err = k.count(ctx, "SELECT count(*) FROM ended")
	return err
}

// unseen makes the table of the ids of rows that no scope reported.
func (k *kindCommit) unseen(ctx context.Context) error {
	known := k.ks.Known
	if known == nil {
		return k.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TEMP TABLE unseen AS SELECT _id FROM %s WHERE _id NOT IN (SELECT _id FROM st WHERE kind = %d)", k.table, k.ks.Index))
	}
	var unseen [][]byte
	err := k.arrow(ctx, fmt.Sprintf("SELECT _id::BLOB AS i FROM %s WHERE _id NOT IN (SELECT _id FROM st WHERE kind = %d)", k.table, k.ks.Index), func(r array.RecordReader) error {
		for r.Next() {
			ids := r.RecordBatch().Column(0).(*array.Binary)
			for i := range ids.Len() {
				if !known.Reported(ids.Value(i)) {
					unseen = append(unseen, slices.Clone(ids.Value(i)))
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	i := 0
	ids := stage.NewStream(unseenSchema, func() (arrow.RecordBatch, error) {
		if i == len(unseen) {
			return nil, nil
		}
		b := array.NewRecordBuilder(memory.DefaultAllocator, unseenSchema)
		defer b.Release()
		for n := min(i+unseenRows, len(unseen)); i < n; i++ {
			b.Field(0).(*array.FixedSizeBinaryBuilder).Append(unseen[i])
		}
		return b.NewRecordBatch(), nil
	})
	return k.withView(ids, "staged", func() error {
		return k.exec(ctx, "CREATE OR REPLACE TEMP TABLE unseen AS SELECT _id::UUID AS _id FROM staged")
	})
}

// unseenRows is how many ids go to the database at once.
const unseenRows = 16384

var unseenSchema = arrow.NewSchema([]arrow.Field{{Name: "_id", Type: schema.UUID.Arrow()}}, nil)

// historyQuery enters the rows of the table ended (_id, changed, change) into
// the history as they are now.
func (k *kindCommit) historyQuery(kind string) string {
	return fmt.Sprintf(`INSERT INTO resource_history (_id, kind, change, changed_columns, doc, valid_from, valid_to)
		SELECT t._id, %s, n.change, n.changed, %s, coalesce(s.started_at, try(uuid_extract_timestamp(t._sync_id))), %s
		FROM %s t JOIN ended n ON t._id = n._id LEFT JOIN syncs s ON s.id = t._sync_id`,
		literal(kind), k.document(), k.nowLiteral(), k.table)
}

// document returns the expression for a row of the kind's table as JSON.
func (k *kindCommit) document() string {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(k.base.tables[k.ks.Name])) {
		if b != nil {
			b = append(b, ", "...)
		}
		b = fmt.Appendf(b, "%s: t.%s", literal(name), ident(name))
	}
	return "to_json({" + string(b) + "})"
}

// lastRead returns the expression for when the scope of the row t was last
// complete, or else when the row was written.
func (k *kindCommit) lastRead(kind string) string {
	return fmt.Sprintf(`coalesce((SELECT max(f.last_complete) FROM fresh f WHERE f.kind = %s AND f.cloud = split_part(t._scope, '/', 1)
		AND f.account = split_part(t._scope, '/', 2) AND f.region = split_part(t._scope, '/', 3)),
		(SELECT max(started_at) FROM syncs WHERE id = t._sync_id), try(uuid_extract_timestamp(t._sync_id)))`, kind)
}
