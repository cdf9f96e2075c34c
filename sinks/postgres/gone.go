package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// applySightings keeps account of the scopes that report a row beside the one
// it names. A sighting ends when its scope is complete and does not have it.
func (m *commit) applySightings(ctx context.Context) error {
	if err := m.plan(ctx, m.t.store.readings.rows.Load()); err != nil {
		return err
	}
	queries := []string{
		`DELETE FROM sightings s WHERE EXISTS (SELECT FROM _done d JOIN _kinds k USING (kind) WHERE k.name = s.kind AND d.scope = s._scope)
			AND NOT EXISTS (SELECT FROM _sight n WHERE n._id = s._id AND n._scope = s._scope)`,
		`DELETE FROM sightings s WHERE EXISTS (SELECT FROM _moved n WHERE n._id = s._id AND n._scope = s._scope)`,
		`INSERT INTO sightings (kind, _id, _scope) SELECT DISTINCT kind, _id, _scope FROM _sight n
			WHERE NOT EXISTS (SELECT FROM sightings s WHERE s._id = n._id AND s._scope = n._scope)`,
		`UPDATE edges e SET _scope = n._scope FROM _moved n WHERE e.from_id = n._id AND e._scope IS DISTINCT FROM n._scope`,
	}
	var closed []string
	for _, a := range m.end.GoneAccounts {
		closed = append(closed, fmt.Sprintf("(%s, %s)", literal(a.Cloud), literal(a.ID)))
	}
	if closed != nil {
		queries = append(queries, "INSERT INTO _closed VALUES "+strings.Join(closed, ", "),
			`DELETE FROM sightings s USING _closed c WHERE c.cloud = split_part(s._scope, '/', 1) AND c.account = split_part(s._scope, '/', 2)`)
	}
	if err := m.exec(ctx, queries...); err != nil {
		return fmt.Errorf("sightings: %w", err)
	}
	return nil
}

// endParents takes the scopes of parents that are gone as complete: nobody has
// read them, and the scope without a parent, which says that all parents are
// known, is complete. The parents themselves need not be rows of the estate.
func (m *commit) endParents(ctx context.Context) error {
	for _, k := range m.t.Kinds() {
		if k.Parent == "" || k.Had == 0 {
			continue
		}
		err := m.exec(ctx, fmt.Sprintf(`INSERT INTO _done (kind, scope) SELECT DISTINCT %[1]d, t._scope
			FROM (SELECT _scope FROM %[2]s UNION SELECT _scope FROM sightings WHERE kind = %[3]s) t
			JOIN _done d ON d.kind = %[1]d AND d.parent IS NULL AND t._scope = d.scope || '/' || right(t._scope, 36)
			WHERE NOT EXISTS (SELECT FROM _scopes s WHERE s.kind = %[1]d AND s.scope = t._scope)`, k.Index, ident(k.Name), literal(k.Name)))
		if err != nil {
			return fmt.Errorf("parents of %s: %w", k.Name, err)
		}
	}
	return nil
}

// applyGone ends rows: those that no scope has any more, those of closed
// accounts, and those whose parent went. Parents come before their children.
func (m *commit) applyGone(ctx context.Context) error {
	complete := map[string]int64{}
	counts, err := m.texts(ctx, "SELECT kind, count(*) FROM _done GROUP BY kind")
	if err != nil {
		return err
	}
	for _, r := range counts {
		complete[r[0]] = 1
	}
	for _, k := range m.parentsFirst() {
		if k.Had == 0 {
			continue
		}
		kc := &kindCommit{commit: m, k: k, sum: &m.sums[k.Index], table: ident(k.Name)}
		if err := kc.gone(ctx, complete[fmt.Sprint(k.Index)] > 0 || len(m.end.GoneAccounts) > 0); err != nil {
			return fmt.Errorf("gone rows of %s: %w", k.Name, err)
		}
	}
	return nil
}

// parentsFirst returns the kinds with every parent before its children.
func (m *commit) parentsFirst() []*stage.Kind {
	var sorted []*stage.Kind
	done := make([]bool, len(m.t.Kinds()))
	var visit func(k *stage.Kind)
	visit = func(k *stage.Kind) {
		if done[k.Index] {
			return
		}
		done[k.Index] = true
		if parent := m.t.ByName(k.Parent); parent != nil {
			visit(parent)
		}
		sorted = append(sorted, k)
	}
	for _, k := range m.t.Kinds() {
		visit(k)
	}
	return sorted
}

func (k *kindCommit) gone(ctx context.Context, complete bool) error {
	orphans := int64(0)
	if parent := k.t.ByName(k.k.Parent); parent != nil {
		orphans = k.sums[parent.Index].Gone
	}
	known := k.k.Known
	unseen := known == nil || known.Seen() < known.Rows()
	if orphans == 0 && (!unseen || !complete) {
		return nil
	}
	n, err := k.unseen(ctx)
	if err != nil || n == 0 && orphans == 0 {
		return err
	}
	if err := k.plan(ctx, n); err != nil {
		return err
	}
	if err := k.absent(ctx); err != nil {
		return err
	}
	return k.finish(ctx)
}

// absent finds the rows that their complete scope does not have. One that was
// seen by another scope is that one's now.
func (k *kindCommit) absent(ctx context.Context) error {
	n, err := k.affected(ctx, fmt.Sprintf(`INSERT INTO _absent SELECT %[1]d, t._id, t._scope, t._sync_id, min(s._scope)
		FROM %[2]s t JOIN _unseen u ON u._id = t._id AND u.kind = %[1]d JOIN _done d ON d.kind = %[1]d AND d.scope = t._scope
		LEFT JOIN sightings s ON s._id = t._id GROUP BY t._id, t._scope, t._sync_id`, k.k.Index, k.table))
	if err != nil || n == 0 {
		return err
	}
	other := fmt.Sprintf("a.kind = %d AND a.other IS NOT NULL", k.k.Index)
	return k.exec(ctx,
		fmt.Sprintf("UPDATE %s t SET _scope = a.other FROM _absent a WHERE a._id = t._id AND %s", k.table, other),
		"UPDATE resources t SET _scope = a.other FROM _absent a WHERE a._id = t._id AND "+other,
		"UPDATE edges e SET _scope = a.other FROM _absent a WHERE a._id = e.from_id AND "+other,
		"DELETE FROM sightings s USING _absent a WHERE a._id = s._id AND a.other = s._scope AND "+other)
}

// finish ends what is gone.
func (k *kindCommit) finish(ctx context.Context) error {
	kind := literal(k.k.Name)
	n, err := k.affected(ctx, fmt.Sprintf(`INSERT INTO _gone
		SELECT %[3]s, _id, (array_agg(change ORDER BY rank))[1] FROM (
			SELECT t._id, 'account_closed' AS change, 1 AS rank FROM %[1]s t JOIN _unseen u ON t._id = u._id AND u.kind = %[5]d JOIN _closed c ON t.cloud = c.cloud AND t.account = c.account
			UNION ALL
			SELECT t._id, p.change, 2 FROM %[1]s t JOIN _gone p ON p.kind = %[2]s AND right(t._scope, 36) = p._id::text
			UNION ALL
			SELECT t._id, CASE WHEN (SELECT definition_since FROM kinds WHERE kind = %[3]s) > %[4]s THEN 'out_of_scope' ELSE 'deleted' END, 3
			FROM _absent t WHERE t.kind = %[5]d AND t.other IS NULL
		) e GROUP BY _id`, k.table, literal(k.k.Parent), kind, k.lastRead(), k.k.Index))
	if err != nil || n == 0 {
		return err
	}
	k.sum.Gone += n
	k.touched += n
	in := fmt.Sprintf("_gone n ON n._id = t._id AND n.kind = %s", kind)
	using := fmt.Sprintf("USING _gone n WHERE n._id = t._id AND n.kind = %s", kind)
	return k.exec(ctx,
		k.historyQuery("n.change", "NULL", in),
		fmt.Sprintf("DELETE FROM %s t %s", k.table, using),
		"DELETE FROM resources t "+using,
		"DELETE FROM sightings t "+using)
}

// unseen makes the table of the ids of rows that no scope reported.
func (k *kindCommit) unseen(ctx context.Context) (int64, error) {
	query := fmt.Sprintf("SELECT t._id FROM %s t WHERE NOT EXISTS (SELECT FROM _readings r WHERE r._id = t._id AND r.kind = %d)", k.table, k.k.Index)
	if k.k.Known == nil {
		return k.affected(ctx, fmt.Sprintf("INSERT INTO _unseen SELECT %d, q._id FROM (%s) q", k.k.Index, query))
	}
	if err := k.plan(ctx, k.k.Had); err != nil {
		return 0, err
	}
	var unseen [][]byte
	err := k.copyOut(ctx, query, 1, func(v [][]byte) error {
		if !k.k.Known.Reported(v[0]) {
			unseen = append(unseen, bytes.Clone(v[0]))
		}
		return nil
	})
	if err != nil || len(unseen) == 0 {
		return 0, err
	}
	return int64(len(unseen)), k.loadIDs(ctx, "_unseen", &k.k.Index, unseen)
}
