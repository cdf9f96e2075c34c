package snowflake

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// applySightings keeps account of the scopes that report a row beside the one
// it names. A sighting ends when its scope is complete and does not have it,
// when the row names it now, and with a closed account.
func (m *commit) applySightings(ctx context.Context) error {
	if !m.rows || !m.work.sight {
		return nil
	}
	closed := m.closed("S._SCOPE")
	if m.t.base.sightings > 0 {
		_, err := m.exec(ctx, fmt.Sprintf(`DELETE FROM SIGHTINGS T USING (
				SELECT DISTINCT S._ID, S._SCOPE FROM SIGHTINGS S
				LEFT JOIN DEWPOINT_DONE D ON D.KIND = S.KIND AND D.SCOPE = S._SCOPE
				LEFT JOIN DEWPOINT_SIGHT N ON N.ID = S._ID AND N.SCOPE = S._SCOPE
				LEFT JOIN DEWPOINT_READ M ON M.ID = S._ID AND M.RN = 1 AND M.ACTION IN ('cand', 'same') AND M.SCOPE = S._SCOPE
				WHERE (D.SCOPE IS NOT NULL AND N.ID IS NULL) OR M.ID IS NOT NULL OR %s
			) X WHERE T._ID = X._ID AND T._SCOPE = X._SCOPE`, closed))
		if err != nil {
			return err
		}
	}
	_, err := m.exec(ctx, fmt.Sprintf(`INSERT INTO SIGHTINGS (KIND, _ID, _SCOPE)
		SELECT N.KIND, N.ID, N.SCOPE FROM DEWPOINT_SIGHT N LEFT JOIN SIGHTINGS S ON S._ID = N.ID AND S._SCOPE = N.SCOPE
		WHERE S._ID IS NULL AND NOT (%s)`, m.closed("N.SCOPE")))
	return err
}

// closed is the condition that a scope is a closed account's.
func (m *commit) closed(scope string) string {
	var accounts []string
	for _, a := range m.end.GoneAccounts {
		accounts = append(accounts, a.Cloud+"/"+a.ID)
	}
	if len(accounts) == 0 {
		return "FALSE"
	}
	return fmt.Sprintf("SPLIT_PART(%[1]s, '/', 1) || '/' || SPLIT_PART(%[1]s, '/', 2) IN (%s)", scope, literals(accounts))
}

// applyGone finds the rows that end: those that no scope has any more, those
// of closed accounts, and those whose parent went. A row that another scope
// has seen is that one's now. Then it decides about every row of the sync.
func (m *commit) applyGone(ctx context.Context) error {
	if !m.rows {
		return nil
	}
	n, err := m.absent(ctx)
	if err != nil {
		return err
	}
	if err := m.orphans(ctx, n); err != nil {
		return err
	}
	if _, err := m.exec(ctx, workQuery); err != nil {
		return err
	}
	return m.count(ctx)
}

func (m *commit) absent(ctx context.Context) (int64, error) {
	var unknown, known []string
	for _, k := range m.t.Kinds() {
		if !m.mayBeGone(k) {
			continue
		}
		if k.Known == nil {
			unknown = append(unknown, k.Name)
		} else {
			known = append(known, k.Name)
		}
	}
	const columns = "T.KIND, T._ID, T._SCOPE, T._SYNC_ID, T.CLOUD, T.ACCOUNT"
	var unseen []string
	if len(unknown) > 0 {
		unseen = append(unseen, fmt.Sprintf("SELECT %s FROM RESOURCES T LEFT JOIN DEWPOINT_READ R ON R.ID = T._ID WHERE R.ID IS NULL AND T.KIND IN (%s)", columns, literals(unknown)))
	}
	if len(known) > 0 {
		unseen = append(unseen, fmt.Sprintf("SELECT %s FROM RESOURCES T JOIN %s U ON U.WHAT = 'u' AND U.ID = T._ID LEFT JOIN DEWPOINT_READ R ON R.ID = T._ID WHERE R.ID IS NULL", columns, ident(m.narrow)))
	}
	if len(unseen) == 0 {
		return 0, nil
	}
	return m.exec(ctx, fmt.Sprintf(`INSERT INTO DEWPOINT_GONE (KIND, ID, CHANGE, OTHER)
		WITH U AS (%s),
		A AS (
			SELECT U.KIND, U._ID, %s AS CLOSED, D.SCOPE IS NOT NULL AS DONE, S.OTHER, K.DEFINITION_SINCE > %s AS REDEFINED
			FROM U
			LEFT JOIN DEWPOINT_DONE D ON D.KIND = U.KIND AND D.SCOPE = U._SCOPE
			LEFT JOIN (SELECT _ID, MIN(_SCOPE) AS OTHER FROM SIGHTINGS GROUP BY _ID) S ON S._ID = U._ID
			LEFT JOIN KINDS K ON K.KIND = U.KIND
			%s)
		SELECT KIND, _ID, CASE WHEN CLOSED THEN 'account_closed' WHEN OTHER IS NOT NULL THEN NULL WHEN REDEFINED THEN 'out_of_scope' ELSE 'deleted' END, IFF(CLOSED, NULL, OTHER)
		FROM A WHERE CLOSED OR DONE`,
		strings.Join(unseen, " UNION ALL "), m.closed("U.CLOUD || '/' || U.ACCOUNT"), lastRead, lastReadJoin("U")))
}

// orphans ends the children of parents that end, level by level.
func (m *commit) orphans(ctx context.Context, gone int64) error {
	var children []string
	parent := "CASE T.KIND"
	for _, k := range m.t.Kinds() {
		if k.Parent != "" && k.Had > 0 && m.t.ByName(k.Parent) != nil {
			children = append(children, k.Name)
			parent += fmt.Sprintf(" WHEN %s THEN %s", literal(k.Name), literal(k.Parent))
		}
	}
	for level := 0; gone > 0 && level < len(children); level++ {
		var err error
		gone, err = m.exec(ctx, fmt.Sprintf(`INSERT INTO DEWPOINT_GONE (KIND, ID, CHANGE, OTHER)
			SELECT T.KIND, T._ID, MIN(P.CHANGE), NULL FROM RESOURCES T
			JOIN DEWPOINT_GONE P ON P.ID = RIGHT(T._SCOPE, 36) AND P.KIND = %s END AND P.OTHER IS NULL
			LEFT JOIN DEWPOINT_GONE G ON G.ID = T._ID AND G.OTHER IS NULL
			WHERE T.KIND IN (%s) AND G.ID IS NULL GROUP BY T.KIND, T._ID`, parent, literals(children)))
		if err != nil {
			return err
		}
	}
	return nil
}

// workQuery makes the table of what is written: a row for each _id.
//
//	new       the row is entered
//	changed   its columns changed: it has history
//	touch     its hash, scope or unread columns changed
//	volatile  volatile columns changed
//	move      only its scope changed
//	gone      the row ends
const workQuery = `INSERT INTO DEWPOINT_WORK (KIND, ID, ACTION, POS, SCOPE, CHANGED, CHANGE)
	WITH E AS (SELECT KIND, ID, MIN(CHANGE) AS CHANGE FROM DEWPOINT_GONE WHERE OTHER IS NULL GROUP BY KIND, ID)
	SELECT KIND, ID, 'gone', NULL::NUMBER(38,0), NULL::VARCHAR, NULL::ARRAY, CHANGE FROM E
	UNION ALL
	SELECT G.KIND, G.ID, 'move', NULL, G.OTHER, NULL, NULL FROM DEWPOINT_GONE G LEFT JOIN E ON E.ID = G.ID WHERE G.OTHER IS NOT NULL AND E.ID IS NULL
	UNION ALL
	SELECT R.KIND, R.ID, IFF(R.ACTION = 'new', 'new', 'move'), R.POS, IFF(R.ACTION = 'new', NULL, R.SCOPE), NULL, NULL
	FROM DEWPOINT_READ R LEFT JOIN E ON E.ID = R.ID
	WHERE R.RN = 1 AND (R.ACTION = 'new' OR R.ACTION = 'same' AND R.SCOPE <> R.T_SCOPE) AND E.ID IS NULL
	UNION ALL
	SELECT D.KIND, D.ID, CASE WHEN D.CHANGE IS NOT NULL THEN 'changed' WHEN D.TOUCH THEN 'touch' ELSE 'volatile' END, D.POS, D.NEW_SCOPE, D.CHANGED, D.CHANGE
	FROM DEWPOINT_DIFF D LEFT JOIN E ON E.ID = D.ID
	WHERE E.ID IS NULL AND (D.CHANGE IS NOT NULL OR D.TOUCH OR D.VOL)`

// count fills in what becomes of each kind.
func (m *commit) count(ctx context.Context) error {
	rows, err := m.texts(ctx, "SELECT KIND, ACTION, COUNT(*)::VARCHAR, COUNT(SCOPE)::VARCHAR FROM DEWPOINT_WORK GROUP BY KIND, ACTION")
	if err != nil {
		return err
	}
	for _, k := range m.kinds {
		k.fresh = 0 // as it is written
	}
	for _, r := range rows {
		n, err := strconv.ParseInt(r[2], 10, 64)
		if err != nil {
			return err
		}
		k := m.kind(r[0])
		k.written += n
		switch r[1] {
		case "new":
			k.fresh = n
		case "changed":
			k.changed = n
		case "gone":
			k.gone = n
		}
	}
	for i, sk := range m.t.Kinds() {
		s := &m.sums[i]
		if sk.Known != nil {
			s.Unchanged = int64(sk.Known.Seen())
		}
		k := m.kinds[sk.Name]
		if k == nil {
			continue
		}
		s.New, s.Changed, s.Gone, s.Unread = k.fresh, k.changed, k.gone, k.unread
		s.Unchanged += k.notSeen + k.candidates - k.changed
	}
	return nil
}

// applyKinds enters the changed rows' and the ended rows' old values into the
// history and then, by one MERGE for each kind, what is new, changed and gone.
func (m *commit) applyKinds(ctx context.Context) error {
	for _, sk := range m.t.Kinds() {
		k := m.kinds[sk.Name]
		if k == nil || k.written == 0 {
			continue
		}
		if k.changed+k.gone > 0 {
			if _, err := m.exec(ctx, m.historyQuery(k)); err != nil {
				return fmt.Errorf("history of %s: %w", k.Name, err)
			}
		}
		if _, err := m.exec(ctx, m.mergeQuery(k)); err != nil {
			return fmt.Errorf("rows of %s: %w", k.Name, err)
		}
	}
	return nil
}

func (m *commit) historyQuery(k *kindCommit) string {
	var doc []string
	for _, c := range append(tables.ColumnNames(k.TableColumns()), m.removed(k.Kind)...) {
		doc = append(doc, literal(c)+", T."+ident(c))
	}
	return fmt.Sprintf(`INSERT INTO RESOURCE_HISTORY (_ID, KIND, CHANGE, CHANGED_COLUMNS, DOC, VALID_FROM, VALID_TO)
		SELECT T._ID, W.KIND, W.CHANGE, W.CHANGED, OBJECT_CONSTRUCT_KEEP_NULL(%s)::VARIANT, Y.STARTED_AT, %s
		FROM %s T JOIN DEWPOINT_WORK W ON W.ID = T._ID LEFT JOIN SYNCS Y ON Y.ID = T._SYNC_ID
		WHERE W.KIND = %s AND W.ACTION IN ('changed', 'gone')`, strings.Join(doc, ", "), timeLiteral(m.t.now()), ident(k.Name), literal(k.Name))
}

func (m *commit) mergeQuery(k *kindCommit) string {
	cols := k.BatchColumns()
	source := []string{"W.ACTION AS ACTION_", "W.ID AS ID_", "W.SCOPE AS SCOPE_", literal(m.t.sync.ID.String()) + " AS _SYNC_ID"}
	from := "DEWPOINT_WORK W"
	var set, touch, into, values []string
	if k.staged != "" {
		from += fmt.Sprintf(" LEFT JOIN %s S ON S.POS = W.POS", ident(k.staged))
		if k.Unread {
			from += fmt.Sprintf(" LEFT JOIN %s T ON T._ID = W.ID", ident(k.Name))
		}
		for _, c := range append(cols, schema.SyncIDColumn) {
			name := ident(c.Name)
			into = append(into, name)
			values = append(values, "S."+name)
			if c.Name != schema.SyncIDColumn.Name {
				source = append(source, k.final(c)+" AS "+name)
			}
			if c.Name != "_id" {
				set = append(set, fmt.Sprintf("T.%s = S.%[1]s", name))
			}
			if c.Volatile || isPlain(c.Name) && c.Name != "_id" {
				touch = append(touch, fmt.Sprintf("T.%s = S.%[1]s", name))
			}
		}
		for _, name := range m.removed(k.Kind) {
			set = append(set, fmt.Sprintf("T.%s = NULL", ident(name)))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "MERGE INTO %s T USING (SELECT %s FROM %s WHERE W.KIND = %s) S ON T._ID = S.ID_",
		ident(k.Name), strings.Join(source, ", "), from, literal(k.Name))
	if k.gone > 0 {
		b.WriteString(" WHEN MATCHED AND S.ACTION_ = 'gone' THEN DELETE")
	}
	b.WriteString(" WHEN MATCHED AND S.ACTION_ = 'move' THEN UPDATE SET T._SCOPE = S.SCOPE_")
	if k.staged != "" {
		fmt.Fprintf(&b, " WHEN MATCHED AND S.ACTION_ = 'changed' THEN UPDATE SET %s", strings.Join(set, ", "))
		fmt.Fprintf(&b, " WHEN MATCHED AND S.ACTION_ IN ('touch', 'volatile') THEN UPDATE SET %s", strings.Join(touch, ", "))
		fmt.Fprintf(&b, " WHEN NOT MATCHED AND S.ACTION_ = 'new' THEN INSERT (%s) VALUES (%s)", strings.Join(into, ", "), strings.Join(values, ", "))
	}
	return b.String()
}

// resourcesAtOnce is how many kinds' rows go into resources by one MERGE.
const resourcesAtOnce = 100

// applyResources brings resources to what the kinds' tables have.
func (m *commit) applyResources(ctx context.Context) error {
	if !m.rows {
		return nil
	}
	var parts []string
	gone := int64(0)
	cols := tables.ColumnNames(schema.Unified)
	for _, sk := range m.t.Kinds() {
		k := m.kinds[sk.Name]
		if k == nil || k.written == 0 {
			continue
		}
		gone += k.gone
		if k.written > k.gone {
			base := ""
			if k.Base != nil {
				base = k.Base.Name
			}
			parts = append(parts, fmt.Sprintf("SELECT 'put' AS ACTION_, %s, %s::VARCHAR AS BASE FROM %s T JOIN DEWPOINT_WORK W ON W.ID = T._ID WHERE W.KIND = %s AND W.ACTION NOT IN ('gone', 'volatile')",
				idents("T.", cols), nullLiteral(base), ident(k.Name), literal(k.Name)))
		}
	}
	if gone > 0 {
		var nulls []string
		for _, c := range schema.Unified[1:] {
			nulls = append(nulls, "NULL::"+columnType(c.Type)+" AS "+ident(c.Name))
		}
		parts = append(parts, "SELECT 'gone' AS ACTION_, W.ID AS _ID, "+strings.Join(nulls, ", ")+", NULL::VARCHAR AS BASE FROM DEWPOINT_WORK W WHERE W.ACTION = 'gone'")
	}
	cols = append(cols, "base")
	var set []string
	for _, c := range cols[1:] {
		set = append(set, fmt.Sprintf("T.%s = S.%[1]s", ident(c)))
	}
	for len(parts) > 0 {
		n := min(len(parts), resourcesAtOnce)
		_, err := m.exec(ctx, fmt.Sprintf(`MERGE INTO RESOURCES T USING (%s) S ON T._ID = S._ID
			WHEN MATCHED AND S.ACTION_ = 'gone' THEN DELETE
			WHEN MATCHED AND S.ACTION_ = 'put' THEN UPDATE SET %s
			WHEN NOT MATCHED AND S.ACTION_ = 'put' THEN INSERT (%s) VALUES (%s)`,
			strings.Join(parts[:n], " UNION ALL "), strings.Join(set, ", "), idents("", cols), idents("S.", cols)))
		if err != nil {
			return err
		}
		parts = parts[n:]
	}
	if m.t.base.sightings == 0 && !m.work.sight || gone == 0 && !m.moved() {
		return nil
	}
	_, err := m.exec(ctx, "DELETE FROM SIGHTINGS S USING DEWPOINT_WORK W WHERE S._ID = W.ID AND (W.ACTION = 'gone' OR W.SCOPE = S._SCOPE)")
	return err
}

// moved says whether rows may name another scope now.
func (m *commit) moved() bool { return m.work.sight || m.t.base.sightings > 0 }
