package snowflake

import (
	"context"
	"fmt"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// applyEdges replaces the edges of rows that were staged, removes those of
// rows that are gone and resolves: the new ones, and the old ones that what is
// new or gone may decide otherwise.
func (m *commit) applyEdges(ctx context.Context) error {
	if !m.rows {
		return nil
	}
	var touched, gone, candidates int64
	for _, k := range m.kinds {
		touched += k.fresh + k.changed + k.gone
		gone += k.gone
		candidates += k.candidates
	}
	had := m.t.base.edges > 0
	if gone > 0 && had {
		n, err := m.exec(ctx, "DELETE FROM EDGES WHERE FROM_ID IN (SELECT ID FROM DEWPOINT_WORK WHERE ACTION = 'gone')")
		if err != nil {
			return err
		}
		m.delta -= n
		if _, err := m.exec(ctx, "UPDATE EDGES SET TO_ID = NULL, RESOLUTION = 'gone' WHERE TO_ID IN (SELECT ID FROM DEWPOINT_WORK WHERE ACTION = 'gone')"); err != nil {
			return err
		}
	}
	if had && m.moved() {
		_, err := m.exec(ctx, "UPDATE EDGES E SET _SCOPE = W.SCOPE FROM DEWPOINT_WORK W WHERE W.ID = E.FROM_ID AND W.SCOPE IS NOT NULL AND E._SCOPE <> W.SCOPE")
		if err != nil {
			return err
		}
	}
	if candidates > 0 && had {
		n, err := m.exec(ctx, m.replacedQuery())
		if err != nil {
			return err
		}
		m.delta -= n
	}
	if m.work.edges {
		n, err := m.exec(ctx, enterQuery(gone > 0))
		if err != nil {
			return err
		}
		m.delta += n
	}
	if touched == 0 || !had {
		return nil
	}
	query, err := m.resolveOldQuery()
	if err != nil {
		return err
	}
	_, err = m.exec(ctx, query)
	return err
}

// replacedQuery removes the edges that staged rows do not have any more. A row
// with unread columns keeps its old edges: they may come from those.
func (m *commit) replacedQuery() string {
	if !m.work.edges {
		return `DELETE FROM EDGES E USING DEWPOINT_READ A
			WHERE A.ID = E.FROM_ID AND A.RN = 1 AND A.ACTION = 'cand' AND A.POS >= 0 AND NOT A.UNREAD`
	}
	return `DELETE FROM EDGES T USING (
			SELECT DISTINCT E.FROM_ID, E.RELATION, E.TO_KIND, E.TO_REF
			FROM EDGES E JOIN DEWPOINT_READ A ON A.ID = E.FROM_ID
			LEFT JOIN DEWPOINT_EDGES N ON N.FROM_ID = E.FROM_ID AND N.RELATION = E.RELATION AND N.TO_REF = E.TO_REF AND (N.TO_KIND = E.TO_KIND OR N.TO_KIND = '')
			WHERE A.RN = 1 AND A.ACTION = 'cand' AND A.POS >= 0 AND NOT A.UNREAD AND N.FROM_ID IS NULL
		) X WHERE T.FROM_ID = X.FROM_ID AND T.RELATION = X.RELATION AND T.TO_KIND = X.TO_KIND AND T.TO_REF = X.TO_REF`
}

// enterQuery enters the staged edges that do not stand already, resolved.
func enterQuery(gone bool) string {
	left := ""
	if gone {
		left = " AND N.FROM_ID NOT IN (SELECT ID FROM DEWPOINT_WORK WHERE ACTION = 'gone')"
	}
	return fmt.Sprintf(`INSERT INTO EDGES (FROM_ID, FROM_KIND, RELATION, TO_KIND, TO_REF, TO_ID, RESOLUTION, ON_DELETE, _SCOPE)
		WITH NE AS (
			SELECT N.* FROM DEWPOINT_EDGES N
			LEFT JOIN EDGES K ON K.FROM_ID = N.FROM_ID AND K.RELATION = N.RELATION AND K.TO_REF = N.TO_REF AND (N.TO_KIND = K.TO_KIND OR N.TO_KIND = '')
			WHERE K.FROM_ID IS NULL%s),
		%s
		SELECT N.FROM_ID, N.FROM_KIND, N.RELATION, COALESCE(X.FOUND_KIND, N.TO_KIND), N.TO_REF, X.TO_ID, X.RESOLUTION, N.ON_DELETE, N._SCOPE
		FROM NE N JOIN RESOLVED X ON X.TO_REF = N.TO_REF AND X.TO_KIND = N.TO_KIND AND X.MATCHES = N.MATCHES AND X.ACCOUNT = N.ACCOUNT AND X.REGION = N.REGION`,
		left, resolved("NE"))
}

// resolved is the tables by which references are resolved: for each what it
// refers to, by unique match only, the narrowest first. The first step that
// finds anything decides; if it finds several, none is taken. A reference by
// region and name takes no other step.
func resolved(from string) string {
	return `REFS AS (SELECT DISTINCT TO_KIND, MATCHES, ACCOUNT, REGION, TO_REF FROM ` + from + `),
		BY_URN AS (
			SELECT Q.TO_KIND, Q.TO_REF, COUNT(*) AS N, MIN(R._ID) AS TO_ID, MIN(R.KIND) AS FOUND_KIND
			FROM (SELECT DISTINCT TO_KIND, TO_REF FROM REFS WHERE MATCHES <> 'region_name' AND (CONTAINS(TO_REF, ':') OR CONTAINS(TO_REF, '/') OR LENGTH(TO_REF) = 36)) Q
			JOIN RESOURCES R ON R.URN = Q.TO_REF AND (Q.TO_KIND = R.KIND OR Q.TO_KIND = '')
			GROUP BY Q.TO_KIND, Q.TO_REF),
		BY_ID AS (
			SELECT Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF,
				SUM(IFF(R.ACCOUNT = Q.ACCOUNT AND R.REGION = Q.REGION, 1, 0)) AS N_REGION, MIN(IFF(R.ACCOUNT = Q.ACCOUNT AND R.REGION = Q.REGION, R._ID, NULL)) AS ID_REGION,
				SUM(IFF(R.ACCOUNT = Q.ACCOUNT, 1, 0)) AS N_ACCOUNT, MIN(IFF(R.ACCOUNT = Q.ACCOUNT, R._ID, NULL)) AS ID_ACCOUNT,
				COUNT(*) AS N_ESTATE, MIN(R._ID) AS ID_ESTATE
			FROM REFS Q JOIN RESOURCES R ON R.ID = Q.TO_REF AND R.KIND = Q.TO_KIND
			WHERE Q.MATCHES <> 'region_name' GROUP BY Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF),
		BY_NAME AS (
			SELECT Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF, COUNT(*) AS N, MIN(R._ID) AS TO_ID
			FROM REFS Q JOIN RESOURCES R ON R.NAME = Q.TO_REF AND R.KIND = Q.TO_KIND AND R.ACCOUNT = Q.ACCOUNT AND (R.REGION = Q.REGION OR R.REGION = 'global')
			WHERE Q.MATCHES = 'name' GROUP BY Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF
			UNION ALL
			SELECT Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF, COUNT(*), MIN(R._ID)
			FROM (SELECT TO_KIND, MATCHES, ACCOUNT, REGION, TO_REF, SPLIT_PART(TO_REF, '/', 1) AS REF_REGION, SUBSTR(TO_REF, POSITION('/', TO_REF) + 1) AS REF_NAME
				FROM REFS WHERE MATCHES = 'region_name' AND CONTAINS(TO_REF, '/')) Q
			JOIN RESOURCES R ON R.KIND = Q.TO_KIND AND R.ACCOUNT = Q.ACCOUNT AND R.REGION = Q.REF_REGION AND R.NAME = Q.REF_NAME
			GROUP BY Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF),
		RESOLVED AS (
			SELECT Q.TO_KIND, Q.MATCHES, Q.ACCOUNT, Q.REGION, Q.TO_REF, IFF(U.N = 1, U.FOUND_KIND, NULL) AS FOUND_KIND,
				CASE WHEN U.N = 1 THEN 'urn' WHEN U.N > 1 THEN 'ambiguous'
					WHEN I.N_REGION = 1 THEN 'id' WHEN I.N_REGION > 1 THEN 'ambiguous'
					WHEN N.N = 1 THEN 'name' WHEN N.N > 1 THEN 'ambiguous'
					WHEN I.N_ACCOUNT = 1 THEN 'id' WHEN I.N_ACCOUNT > 1 THEN 'ambiguous'
					WHEN I.N_ESTATE = 1 THEN 'id' WHEN I.N_ESTATE > 1 THEN 'ambiguous'
					ELSE 'not_collected' END AS RESOLUTION,
				CASE WHEN U.N >= 1 THEN IFF(U.N = 1, U.TO_ID, NULL)
					WHEN I.N_REGION >= 1 THEN IFF(I.N_REGION = 1, I.ID_REGION, NULL)
					WHEN N.N >= 1 THEN IFF(N.N = 1, N.TO_ID, NULL)
					WHEN I.N_ACCOUNT >= 1 THEN IFF(I.N_ACCOUNT = 1, I.ID_ACCOUNT, NULL)
					WHEN I.N_ESTATE = 1 THEN I.ID_ESTATE END AS TO_ID
			FROM REFS Q
			LEFT JOIN BY_URN U ON U.TO_REF = Q.TO_REF AND U.TO_KIND = Q.TO_KIND AND Q.MATCHES <> 'region_name'
			LEFT JOIN BY_ID I ON I.TO_REF = Q.TO_REF AND I.TO_KIND = Q.TO_KIND AND I.MATCHES = Q.MATCHES AND I.ACCOUNT = Q.ACCOUNT AND I.REGION = Q.REGION
			LEFT JOIN BY_NAME N ON N.TO_REF = Q.TO_REF AND N.TO_KIND = Q.TO_KIND AND N.MATCHES = Q.MATCHES AND N.ACCOUNT = Q.ACCOUNT AND N.REGION = Q.REGION)`
}

// resolveOldQuery tries the unresolved edges whose reference names a row that
// this sync added or ended. What is gone stays gone until something stands in
// its place.
func (m *commit) resolveOldQuery() (string, error) {
	var stored []stage.StoredEdges
	for _, k := range m.t.base.byKey {
		stored = append(stored, stage.StoredEdges{Kind: k.name, Key: k.key, JSON: k.edges})
	}
	declared, err := m.t.Declared(stored)
	if err != nil {
		return "", err
	}
	names, goneNames := "", ""
	if len(declared.ByRegionName) > 0 {
		kinds := literals(declared.ByRegionName)
		names = fmt.Sprintf("UNION SELECT REGION || '/' || NAME FROM RESOURCES WHERE _SYNC_ID = %s AND KIND IN (%s)", literal(m.t.sync.ID.String()), kinds)
		goneNames = fmt.Sprintf(`UNION SELECT H.DOC:region::VARCHAR || '/' || H.DOC:name::VARCHAR
					FROM RESOURCE_HISTORY H JOIN DEWPOINT_WORK W ON W.ID = H._ID AND W.ACTION = 'gone' WHERE H.VALID_TO = %s AND H.KIND IN (%s)`, timeLiteral(m.t.now()), kinds)
	}
	return fmt.Sprintf(`UPDATE EDGES E SET TO_ID = B.TO_ID, RESOLUTION = B.RESOLUTION, TO_KIND = B.NEW_KIND FROM (
			WITH K AS (
				SELECT ID AS TO_REF FROM RESOURCES WHERE _SYNC_ID = %[1]s
				UNION SELECT NAME FROM RESOURCES WHERE _SYNC_ID = %[1]s
				UNION SELECT URN FROM RESOURCES WHERE _SYNC_ID = %[1]s
				%[5]s
				UNION SELECT H.DOC:id::VARCHAR FROM RESOURCE_HISTORY H JOIN DEWPOINT_WORK W ON W.ID = H._ID AND W.ACTION = 'gone' WHERE H.VALID_TO = %[2]s
				UNION SELECT H.DOC:name::VARCHAR FROM RESOURCE_HISTORY H JOIN DEWPOINT_WORK W ON W.ID = H._ID AND W.ACTION = 'gone' WHERE H.VALID_TO = %[2]s
				UNION SELECT H.DOC:urn::VARCHAR FROM RESOURCE_HISTORY H JOIN DEWPOINT_WORK W ON W.ID = H._ID AND W.ACTION = 'gone' WHERE H.VALID_TO = %[2]s
				%[6]s),
			OLD AS (
				SELECT E.FROM_ID, E.RELATION, E.TO_KIND, E.TO_REF, E.RESOLUTION, R.ACCOUNT, R.REGION, %[3]s AS MATCHES
				FROM EDGES E JOIN RESOURCES R ON R._ID = E.FROM_ID JOIN K ON K.TO_REF = E.TO_REF
				WHERE E.TO_ID IS NULL),
			%[4]s
			SELECT DISTINCT O.FROM_ID, O.RELATION, O.TO_KIND, O.TO_REF, X.TO_ID, X.RESOLUTION, COALESCE(X.FOUND_KIND, O.TO_KIND) AS NEW_KIND
			FROM OLD O JOIN RESOLVED X ON X.TO_REF = O.TO_REF AND X.TO_KIND = O.TO_KIND AND X.MATCHES = O.MATCHES AND X.ACCOUNT = O.ACCOUNT AND X.REGION = O.REGION
			WHERE X.RESOLUTION <> O.RESOLUTION AND NOT (O.RESOLUTION = 'gone' AND X.RESOLUTION = 'not_collected')
		) B WHERE E.FROM_ID = B.FROM_ID AND E.RELATION = B.RELATION AND E.TO_KIND = B.TO_KIND AND E.TO_REF = B.TO_REF AND E.TO_ID IS NULL`,
		literal(m.t.sync.ID.String()), timeLiteral(m.t.now()), declared.MatchOf("E", literal), resolved("OLD"), names, goneNames), nil
}
