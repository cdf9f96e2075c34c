package snowflake

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// workTables says which of the tables that a commit computes are there.
type workTables struct{ sight, edges bool }

// compare finds out what becomes of each row that was read, in one comparison
// of the narrow table with resources. It makes two tables: DEWPOINT_DONE, the
// complete scopes, and DEWPOINT_READ, the readings.
//
// Of the readings of a row the owner's wins, then that of the scope that the
// row already names, and within a scope the last: RN is 1. ACTION is
//
//	new   the row is not there
//	cand  it is, and may have changed
//	same  it is, and only its scope may have changed
//	keep  the reading counts only as a sighting
func (m *commit) compare(ctx context.Context) error {
	if !m.rows {
		return nil
	}
	if err := m.execAll(ctx, m.doneQuery(), m.readQuery()); err != nil {
		return err
	}
	return m.each(ctx, m.countQuery(), func(r []string) error {
		count := func(i int) int64 {
			n, _ := strconv.ParseInt(r[i], 10, 64) // NULL is none
			return n
		}
		switch r[0] {
		case "duplicate":
			m.problems.Add(schema.Problem{Kind: r[1], Code: "duplicate", Sample: "_id " + r[2]})
		case "foreign":
			m.work.sight = count(3) > 0 || m.t.base.sightings > 0
		case "collision":
			if count(3) > 0 {
				return errors.New("two scopes have the same 64-bit hash under this sync's seed: run the sync again")
			}
		case "action":
			k := m.kind(r[1])
			switch r[2] {
			case "new":
				k.fresh = count(3)
				k.unread += count(4)
			case "cand":
				k.candidates = count(3)
				k.unread += count(4)
			case "same":
				k.same = count(3)
				k.notSeen += count(5)
			case "keep":
				k.keep = count(3)
				k.notSeen += count(5)
			}
		}
		return nil
	})
}

// kind returns what the commit does to a kind.
func (m *commit) kind(name string) *kindCommit {
	k := m.kinds[name]
	if k == nil {
		k = &kindCommit{Kind: m.t.ByName(name)}
		m.kinds[name] = k
	}
	return k
}

// doneQuery takes the scopes of parents that are gone as complete, too: nobody
// has read them, and the scope without a parent, which says that all parents
// are known, is complete. The parents need not be rows of the schema.
func (m *commit) doneQuery() string {
	q := fmt.Sprintf(`CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_DONE AS
		WITH SC AS (SELECT KIND, NAME, PARENT, STATE FROM %s WHERE WHAT = 's'),
		D AS (SELECT KIND, NAME AS SCOPE, MIN(PARENT) AS PARENT FROM SC GROUP BY KIND, NAME HAVING COUNT_IF(STATE <> 'complete') = 0)
		SELECT KIND, SCOPE, PARENT FROM D`, ident(m.narrow))
	var children []string
	for _, k := range m.t.Kinds() {
		if k.Parent != "" && k.Had > 0 {
			children = append(children, k.Name)
		}
	}
	if len(children) == 0 {
		return q
	}
	return q + fmt.Sprintf(`
		UNION ALL
		SELECT DISTINCT T.KIND, T._SCOPE, NULL::VARCHAR
		FROM (SELECT KIND, _SCOPE FROM RESOURCES WHERE KIND IN (%[1]s) UNION SELECT KIND, _SCOPE FROM SIGHTINGS WHERE KIND IN (%[1]s)) T
		JOIN D ON D.KIND = T.KIND AND D.PARENT IS NULL AND T._SCOPE = D.SCOPE || '/' || RIGHT(T._SCOPE, 36)
		LEFT JOIN SC ON SC.KIND = T.KIND AND SC.NAME = T._SCOPE
		WHERE SC.NAME IS NULL`, literals(children))
}

func (m *commit) readQuery() string {
	same := "HASH = T_HASH AND NOT UNREAD AND NOT T_UNREAD"
	var volatile []string
	for _, k := range m.t.Kinds() {
		if len(k.Volatile) > 0 {
			volatile = append(volatile, k.Name)
		}
	}
	if len(volatile) > 0 {
		same += " AND KIND NOT IN (" + literals(volatile) + ")"
	}
	return fmt.Sprintf(`CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_READ AS
		WITH N AS (SELECT DISTINCT SCOPE, NAME FROM %[1]s WHERE WHAT = 's'),
		R AS (
			SELECT S.KIND, S.POS, S.ID, S.HASH, S.SCOPE AS SCOPE_HASH, S.OWNER, S.UNREAD, S.OWN_SEEN, N.NAME AS SCOPE,
				T._ID IS NOT NULL AS STANDS, T._SCOPE AS T_SCOPE, T._HASH AS T_HASH, T._UNREAD IS NOT NULL AS T_UNREAD,
				T.ACCOUNT = SPLIT_PART(T._SCOPE, '/', 2) AS T_OWNER, D.SCOPE IS NOT NULL AS T_DONE
			FROM %[1]s S
			LEFT JOIN RESOURCES T ON T._ID = S.ID
			LEFT JOIN N ON N.SCOPE = S.SCOPE
			LEFT JOIN DEWPOINT_DONE D ON D.KIND = S.KIND AND D.SCOPE = T._SCOPE
			WHERE S.WHAT = 'r'),
		O AS (
			SELECT R.*, ROW_NUMBER() OVER (PARTITION BY ID
				ORDER BY IFF(OWNER, 0, 1), IFF(EQUAL_NULL(SCOPE, T_SCOPE), 0, 1), SCOPE NULLS LAST, POS DESC) AS RN
			FROM R)
		SELECT KIND, POS, ID, HASH, SCOPE_HASH, OWNER, UNREAD, OWN_SEEN, SCOPE, T_SCOPE, T_DONE, RN,
			CASE WHEN NOT STANDS THEN 'new'
				WHEN OWN_SEEN AND (T_OWNER OR NOT OWNER) THEN 'keep'
				WHEN T_OWNER AND NOT OWNER AND NOT T_DONE AND NOT EQUAL_NULL(SCOPE, T_SCOPE) THEN 'keep'
				WHEN POS < 0 OR (%s) THEN 'same'
				ELSE 'cand' END AS ACTION
		FROM O`, ident(m.narrow), same)
}

func (m *commit) countQuery() string {
	return fmt.Sprintf(`SELECT 'action' AS WHAT, KIND, ACTION, COUNT(*)::VARCHAR AS N, COUNT_IF(UNREAD)::VARCHAR AS UNREAD, COUNT_IF(NOT OWN_SEEN)::VARCHAR AS NOT_SEEN
			FROM DEWPOINT_READ WHERE RN = 1 GROUP BY KIND, ACTION
		UNION ALL
		SELECT 'duplicate', KIND, ID, NULL, NULL, NULL FROM DEWPOINT_READ GROUP BY KIND, ID, SCOPE_HASH HAVING COUNT(DISTINCT HASH) > 1
		UNION ALL
		SELECT 'foreign', NULL, NULL, COUNT_IF(RN > 1 OR ACTION = 'keep' OR ACTION <> 'new' AND SCOPE <> T_SCOPE)::VARCHAR, NULL, NULL FROM DEWPOINT_READ
		UNION ALL
		SELECT 'collision', NULL, NULL, (COUNT(*) - COUNT(DISTINCT SCOPE))::VARCHAR, NULL, NULL FROM (SELECT DISTINCT SCOPE, NAME FROM %s WHERE WHAT = 's') N`, ident(m.narrow))
}

// prepare makes the tables that the transaction works with.
func (m *commit) prepare(ctx context.Context) error {
	queries := []string{
		"CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_DIFF (KIND VARCHAR, ID VARCHAR, POS NUMBER(38,0), CHANGED ARRAY, CHANGE VARCHAR, TOUCH BOOLEAN, VOL BOOLEAN, NEW_SCOPE VARCHAR)",
		"CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_GONE (KIND VARCHAR, ID VARCHAR, CHANGE VARCHAR, OTHER VARCHAR)",
		"CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_WORK (KIND VARCHAR, ID VARCHAR, ACTION VARCHAR, POS NUMBER(38,0), SCOPE VARCHAR, CHANGED ARRAY, CHANGE VARCHAR)",
	}
	if m.work.sight {
		queries = append(queries, sightQuery)
	}
	if m.edges > 0 {
		m.work.edges = true
		queries = append(queries, fmt.Sprintf(`CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_EDGES AS
			SELECT DISTINCT E.ID AS FROM_ID, E.KIND AS FROM_KIND, E.RELATION, E.TO_KIND, E.TO_REF, E.MATCHES, E.ON_DELETE, E.ACCOUNT, E.REGION, E.NAME AS _SCOPE
			FROM %s E JOIN DEWPOINT_READ A ON A.KIND = E.KIND AND A.POS = E.POS
			WHERE E.WHAT = 'e' AND A.RN = 1 AND A.ACTION IN ('new', 'cand')`, ident(m.narrow)))
	}
	for _, sk := range m.t.Kinds() {
		if k := m.kinds[sk.Name]; k != nil && k.candidates > 0 {
			queries = append(queries, m.diffQuery(k))
		}
	}
	return m.execAll(ctx, queries...)
}

// sightQuery finds the scopes that reported a row beside the one it names.
const sightQuery = `CREATE OR REPLACE TEMPORARY TABLE DEWPOINT_SIGHT AS
	SELECT DISTINCT R.KIND, R.ID, R.SCOPE FROM DEWPOINT_READ R JOIN DEWPOINT_READ W ON W.ID = R.ID AND W.RN = 1
	WHERE R.SCOPE IS NOT NULL AND NOT EQUAL_NULL(R.SCOPE, CASE WHEN W.ACTION = 'keep' THEN W.T_SCOPE ELSE COALESCE(W.SCOPE, W.T_SCOPE) END)
	UNION
	SELECT KIND, ID, T_SCOPE FROM DEWPOINT_READ
	WHERE RN = 1 AND ACTION IN ('cand', 'same') AND SCOPE <> T_SCOPE AND (OWN_SEEN OR NOT T_DONE)`

// final is the expression for a column as it is to be: a column that could not
// be read keeps its value.
func (k *kindCommit) final(c schema.Column) string {
	value := unstaged(c.Type, "S."+ident(c.Name))
	if k.Unread && !isPlain(c.Name) {
		// _UNREAD travels as a JSON array of names.
		value = fmt.Sprintf("IFF(CONTAINS(COALESCE(S._UNREAD, ''), %s), T.%s, %s)", literal(`"`+c.Name+`"`), ident(c.Name), value)
	}
	return value
}

func isPlain(column string) bool {
	switch column {
	case "_id", "_scope", "_hash", "_unread":
		return true
	}
	return false
}

// differs compares a column with its value. JSON is compared as Snowflake
// writes it, which is the same for the same value.
func (k *kindCommit) differs(c schema.Column) string {
	now, was := k.final(c), "T."+ident(c.Name)
	switch columnType(c.Type) {
	case "VARIANT", "OBJECT", "ARRAY":
		now, was = "TO_JSON("+now+")", "TO_JSON("+was+")"
	}
	return now + " IS DISTINCT FROM " + was
}

// removed lists the columns that left the definition.
func (m *commit) removed(k *stage.Kind) []string {
	var names []string
	for _, name := range sortedKeys(m.t.base.byKey[k.Key].columns) {
		if name, ok := strings.CutPrefix(name, "-"); ok && m.t.base.columns(k.Name)[fold(name)] != "" {
			names = append(names, name)
		}
	}
	return names
}

// diffQuery compares the candidates of a kind with their rows column by column.
func (m *commit) diffQuery(k *kindCommit) string {
	stored := m.t.base.byKey[k.Key]
	recent := stored.recent()
	var flags, changed, volatile, fresh []string
	add := func(name, differs string) {
		d := fmt.Sprintf("D%d", len(flags))
		flags = append(flags, fmt.Sprintf("IFF(%s, %s, NULL) AS %s", differs, literal(name), d))
		changed = append(changed, d)
		if at := recent[name]; at != "" {
			fresh = append(fresh, fmt.Sprintf("IFF(%s IS NOT NULL AND %s > LAST_READ, 1, 0)", d, literal(at)+"::TIMESTAMP_TZ"))
		}
	}
	for _, c := range k.BatchColumns() {
		switch {
		case isPlain(c.Name):
		case c.Volatile:
			volatile = append(volatile, k.differs(c))
		default:
			add(c.Name, k.differs(c))
		}
	}
	for _, name := range m.removed(k.Kind) {
		add(name, "T."+ident(name)+" IS NOT NULL")
	}
	vol, change := "FALSE", "'changed'"
	if len(volatile) > 0 {
		vol = strings.Join(volatile, " OR ")
	}
	if len(fresh) > 0 {
		change = fmt.Sprintf("IFF(ARRAY_SIZE(CHANGED) = %s, 'schema', 'changed')", strings.Join(fresh, " + "))
	}
	read := "NULL::TIMESTAMP_TZ"
	join := ""
	if len(fresh) > 0 {
		read, join = lastRead, lastReadJoin("T")
	}
	return fmt.Sprintf(`INSERT INTO DEWPOINT_DIFF (KIND, ID, POS, CHANGED, CHANGE, TOUCH, VOL, NEW_SCOPE)
		WITH D AS (
			SELECT R.ID, R.POS, %s, %s AS VOL,
				S._HASH IS DISTINCT FROM T._HASH OR TO_JSON(PARSE_JSON(S._UNREAD)) IS DISTINCT FROM TO_JSON(T._UNREAD) OR S._SCOPE IS DISTINCT FROM T._SCOPE AS TOUCH,
				IFF(S._SCOPE IS DISTINCT FROM T._SCOPE, S._SCOPE, NULL) AS NEW_SCOPE, %s AS LAST_READ
			FROM DEWPOINT_READ R JOIN %s S ON S.POS = R.POS JOIN %s T ON T._ID = R.ID %s
			WHERE R.KIND = %s AND R.RN = 1 AND R.ACTION = 'cand'),
		C AS (SELECT D.*, ARRAY_CONSTRUCT_COMPACT(%s) AS CHANGED FROM D)
		SELECT %[7]s, ID, POS, CHANGED, CASE WHEN ARRAY_SIZE(CHANGED) > 0 THEN %[9]s END, TOUCH, VOL, NEW_SCOPE FROM C`,
		strings.Join(flags, ", "), vol, read, ident(k.staged), ident(k.Name), join, literal(k.Name), strings.Join(changed, ", "), change)
}

// lastRead is the expression for when the scope of a row was last complete, or
// else when the row was written; lastReadJoin joins what it needs.
const lastRead = "COALESCE(F.LAST_COMPLETE, Y.STARTED_AT)"

func lastReadJoin(row string) string {
	return fmt.Sprintf(`LEFT JOIN (SELECT KIND, CLOUD, ACCOUNT, REGION, MAX(LAST_COMPLETE) AS LAST_COMPLETE FROM SCOPE_FRESHNESS GROUP BY KIND, CLOUD, ACCOUNT, REGION) F
		ON F.KIND = %[1]s.KIND AND F.CLOUD = SPLIT_PART(%[1]s._SCOPE, '/', 1) AND F.ACCOUNT = SPLIT_PART(%[1]s._SCOPE, '/', 2) AND F.REGION = SPLIT_PART(%[1]s._SCOPE, '/', 3)
		LEFT JOIN SYNCS Y ON Y.ID = %[1]s._SYNC_ID`, row)
}
