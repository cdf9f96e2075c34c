package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// applyRows enters new and changed rows.
func (m *commit) applyRows(ctx context.Context) error {
	readings := m.t.store.readings.rows.Load()
	if err := m.plan(ctx, readings); err != nil {
		return err
	}
	if readings > 0 {
		if err := m.countDuplicates(ctx); err != nil {
			return err
		}
		if err := m.choose(ctx); err != nil {
			return err
		}
	}
	for i, k := range m.t.Kinds() {
		kc := &kindCommit{commit: m, k: k, sum: &m.sums[i], table: ident(k.Name)}
		if k.Rows > 0 || k.Foreign > 0 {
			if err := kc.apply(ctx); err != nil {
				return fmt.Errorf("rows of %s: %w", k.Name, err)
			}
		}
		if k.Known != nil {
			m.sums[i].Unchanged += int64(k.Known.Seen())
		}
	}
	return nil
}

// countDuplicates finds the rows that were read more than once, makes problems
// of those that one scope reported with different values, and by that tells
// the kinds that are new as a whole.
func (m *commit) countDuplicates(ctx context.Context) error {
	n, err := m.affected(ctx, "INSERT INTO _twice SELECT kind, _id FROM _readings GROUP BY kind, _id HAVING count(*) > 1")
	if err != nil {
		return err
	}
	twice := map[string]bool{}
	if n > 0 {
		rows, err := m.texts(ctx, `SELECT r.kind, r._id FROM _readings r JOIN _twice w ON w.kind = r.kind AND w._id = r._id
			GROUP BY r.kind, r._id, r.scope HAVING count(DISTINCT r._hash) > 1 ORDER BY 1, 2`)
		if err != nil {
			return err
		}
		for _, r := range rows {
			i, err := strconv.Atoi(r[0])
			if err != nil {
				return err
			}
			id, err := uuid.Parse(r[1])
			if err != nil {
				return err
			}
			m.problems.Duplicate(m.t.Kinds()[i].Kind, id)
		}
		kinds, err := m.texts(ctx, "SELECT DISTINCT kind FROM _twice")
		if err != nil {
			return err
		}
		for _, r := range kinds {
			twice[r[0]] = true
		}
	}
	for i, k := range m.t.Kinds() {
		m.whole[i] = k.Had == 0 && k.Rows > 0 && !twice[fmt.Sprint(i)]
	}
	return nil
}

// indexes lists the kinds that f wants as an array.
func (m *commit) indexes(f func(i int, k *stage.Kind) bool) string {
	var list []string
	for i, k := range m.t.Kinds() {
		if f(i, k) {
			list = append(list, fmt.Sprint(i))
		}
	}
	return "'{" + strings.Join(list, ",") + "}'::int[]"
}

// choose makes the table _choice of what becomes of each row that was read: of
// its readings the owner's wins, then that of the scope that the row already
// names, and within a scope the last. The actions are
//
//	n  the row is new
//	c  it is there, and may have changed
//	s  it is there, and only its scope may have changed
//	k  the reading counts only as a sighting
func (m *commit) choose(ctx context.Context) error {
	if err := m.reported(ctx); err != nil {
		return err
	}
	volatile := m.indexes(func(_ int, k *stage.Kind) bool { return len(k.Volatile) > 0 })
	whole := m.indexes(func(i int, _ *stage.Kind) bool { return m.whole[i] })
	n, err := m.affected(ctx, fmt.Sprintf(`INSERT INTO _choice
		SELECT kind, pos, _id, CASE WHEN NOT stands THEN 'n'
				WHEN reported AND (t_owner OR NOT owner) THEN 'k'
				WHEN t_owner AND NOT owner AND NOT t_done AND scope IS DISTINCT FROM t_scope THEN 'k'
				WHEN pos < 0 OR (_hash = t_hash AND NOT unread AND NOT t_unread AND NOT kind = ANY (%s)) THEN 's'
				ELSE 'c' END, scope, t_scope, readings, unread, reported, t_done
		FROM (
			SELECT s.kind, s.pos, s._id, s._hash, s.owner, s.unread, o._id IS NOT NULL AS reported, n.scope,
				t._id IS NOT NULL AS stands, t._scope AS t_scope, t._hash AS t_hash, t._unread IS NOT NULL AS t_unread,
				coalesce(t.account = split_part(t._scope, '/', 2), false) AS t_owner, d.kind IS NOT NULL AS t_done,
				row_number() OVER w AS rank, count(*) OVER (PARTITION BY s._id) AS readings
			FROM _readings s LEFT JOIN resources t ON t._id = s._id LEFT JOIN _names n ON n.hash = s.scope
				LEFT JOIN _reported o ON o._id = s._id LEFT JOIN _done d ON d.kind = s.kind AND d.scope = t._scope
			WHERE NOT s.kind = ANY (%s)
			WINDOW w AS (PARTITION BY s._id ORDER BY s.owner DESC, n.scope IS NOT DISTINCT FROM t._scope DESC, n.scope NULLS LAST, s.pos DESC)
		) r WHERE rank = 1`, volatile, whole))
	if err != nil || n == 0 {
		return err
	}
	if err := m.analyze(ctx, n, "_choice"); err != nil {
		return err
	}
	return m.noteScopes(ctx)
}

// noteScopes lists the scopes that reported a row beside the one it names, and
// moves the rows that only changed their scope.
func (m *commit) noteScopes(ctx context.Context) error {
	counts, err := m.texts(ctx, `SELECT count(*) FILTER (WHERE action = 'k' OR readings > 1), count(*) FILTER (WHERE action IN ('c', 's') AND scope <> t_scope) FROM _choice`)
	if err != nil {
		return err
	}
	if counts[0][0] != "0" {
		err := m.exec(ctx, `INSERT INTO _sight
			SELECT DISTINCT k.name, r._id, n.scope FROM _readings r JOIN _choice w ON w._id = r._id JOIN _names n ON n.hash = r.scope JOIN _kinds k ON k.kind = r.kind
			WHERE (w.action = 'k' OR w.readings > 1) AND n.scope IS DISTINCT FROM CASE WHEN w.action = 'k' THEN w.t_scope ELSE coalesce(w.scope, w.t_scope) END`)
		if err != nil {
			return err
		}
	}
	if counts[0][1] == "0" {
		return nil
	}
	if err := m.exec(ctx,
		`INSERT INTO _sight SELECT k.name, w._id, w.t_scope FROM _choice w JOIN _kinds k ON k.kind = w.kind
			WHERE action IN ('c', 's') AND scope <> t_scope AND (reported OR NOT t_done)`,
		`INSERT INTO _moved SELECT k.name, w._id, w.scope FROM _choice w JOIN _kinds k ON k.kind = w.kind WHERE action IN ('c', 's') AND scope <> t_scope`,
		`UPDATE resources t SET _scope = w.scope FROM _choice w WHERE t._id = w._id AND w.action = 's' AND w.scope <> w.t_scope`); err != nil {
		return err
	}
	kinds, err := m.texts(ctx, "SELECT DISTINCT kind FROM _choice WHERE action = 's' AND scope <> t_scope")
	if err != nil {
		return err
	}
	for _, r := range kinds {
		i, err := strconv.Atoi(r[0])
		if err != nil {
			return err
		}
		if err := m.exec(ctx, fmt.Sprintf("UPDATE %s t SET _scope = w.scope FROM _choice w WHERE t._id = w._id AND w.kind = %d AND w.action = 's' AND w.scope <> w.t_scope",
			ident(m.t.Kinds()[i].Name), i)); err != nil {
			return err
		}
	}
	return nil
}

// reported lists the rows that another scope reported beside their own, which
// reported them unchanged.
func (m *commit) reported(ctx context.Context) error {
	foreign := m.indexes(func(_ int, k *stage.Kind) bool { return k.Foreign > 0 && k.Known != nil })
	if foreign == m.indexes(func(int, *stage.Kind) bool { return false }) {
		return nil
	}
	var ids [][]byte
	err := m.copyOut(ctx, "SELECT DISTINCT kind, _id FROM _readings WHERE kind = ANY ("+foreign+")", 2, func(v [][]byte) error {
		if m.t.Kinds()[binary.BigEndian.Uint32(v[0])].Known.Unchanged(v[1]) {
			ids = append(ids, bytes.Clone(v[1]))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.loadIDs(ctx, "_reported", nil, ids)
}

// loadIDs enters ids, with their kind where there is one, into a table.
func (m *commit) loadIDs(ctx context.Context, table string, kind *int32, ids [][]byte) error {
	fields := []arrow.Field{{Name: "_id", Type: schema.UUID.Arrow()}}
	columns := []string{"_id"}
	if kind != nil {
		fields = append(fields, arrow.Field{Name: "kind", Type: arrow.PrimitiveTypes.Int32})
		columns = append(columns, "kind")
	}
	to := m.sink.newTarget(table, columns, arrow.NewSchema(fields, nil))
	for part := range slices.Chunk(ids, 1<<16) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, to.schema)
		for _, id := range part {
			b.Field(0).(*array.FixedSizeBinaryBuilder).Append(id)
			if kind != nil {
				b.Field(1).(*array.Int32Builder).Append(*kind)
			}
		}
		rec := b.NewRecordBatch()
		err := m.load(ctx, to, rec)
		rec.Release()
		b.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// kindCommit applies the staged rows of one kind.
type kindCommit struct {
	*commit
	k     *stage.Kind
	sum   *sinks.KindSummary
	table string
}

func (k *kindCommit) apply(ctx context.Context) error {
	if k.whole[k.k.Index] {
		k.sum.New = k.k.Rows
		if err := k.insert(ctx, ""); err != nil || !k.k.Unread {
			return err
		}
		n, err := k.count(ctx, fmt.Sprintf("SELECT count(*) FROM %s WHERE _unread IS NOT NULL", k.staged(k.k)))
		k.sum.Unread = n
		return err
	}
	counts, err := k.texts(ctx, fmt.Sprintf(`SELECT count(*) FILTER (WHERE action = 'n'), count(*) FILTER (WHERE action = 'c'),
		count(*) FILTER (WHERE action IN ('s', 'k') AND NOT reported), count(*) FILTER (WHERE action = 'n' AND unread) FROM _choice WHERE kind = %d`, k.k.Index))
	if err != nil {
		return err
	}
	var candidates, same int64
	for i, to := range []*int64{&k.sum.New, &candidates, &same, &k.sum.Unread} {
		if *to, err = strconv.ParseInt(counts[0][i], 10, 64); err != nil {
			return err
		}
	}
	k.sum.Unchanged += same
	k.replaced += candidates
	if err := k.plan(ctx, k.k.Rows); err != nil {
		return err
	}
	if candidates > 0 {
		if err := k.changed(ctx, candidates); err != nil {
			return err
		}
	}
	if k.sum.New == 0 {
		return nil
	}
	return k.insert(ctx, fmt.Sprintf("JOIN _choice w ON w.kind = %d AND w.pos = v._pos AND w.action = 'n'", k.k.Index))
}

// insert enters staged rows as new ones.
func (k *kindCommit) insert(ctx context.Context, join string) error {
	k.touched += k.sum.New
	columns := tables.ColumnNames(k.k.BatchColumns())
	unified := tables.ColumnNames(schema.Unified[:schema.NumBatchUnified])
	base := "NULL"
	if k.k.Base != nil {
		base = literal(k.k.Base.Name)
	}
	from := fmt.Sprintf("FROM %s v %s", k.staged(k.k), join)
	return k.exec(ctx,
		fmt.Sprintf("INSERT INTO %s (%s, _sync_id) SELECT %s, %s %s", k.table, idents("", columns), idents("v.", columns), k.syncLiteral(), from),
		fmt.Sprintf("INSERT INTO resources (%s, _sync_id, base) SELECT %s, %s, %s %s", idents("", unified), idents("v.", unified), k.syncLiteral(), base, from))
}
