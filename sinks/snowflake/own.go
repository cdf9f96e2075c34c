package snowflake

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// standsInline is how many rows of scopes are named in a statement; more are
// uploaded.
const standsInline = 1000

// add enters what a statement cannot name into the narrow table.
func (c *scopeChanges) add(w *narrow) error {
	for _, r := range c.ends {
		var kind, parent, mark any
		if r.kind != "" {
			kind = r.kind
		} else {
			mark = r.mark()
		}
		if r.parent != "" {
			parent = r.parent
		}
		if err := w.add(whatEnds, "CLOUD", r.cloud, "ACCOUNT", r.account, "REGION", r.region, "KIND", kind, "PARENT", parent, "DOC", mark); err != nil {
			return err
		}
	}
	for _, r := range c.added {
		if err := w.add(whatNew, "DOC", r.document()); err != nil {
			return err
		}
	}
	if c.all || len(c.stands) <= standsInline {
		return nil
	}
	for _, r := range c.stands {
		if err := w.add(whatStands, "CLOUD", r.cloud, "ACCOUNT", r.account, "REGION", r.region, "DOC", r.mark()); err != nil {
			return err
		}
	}
	return nil
}

// applyScopes brings the table scopes to what this sync saw. A row is
// rewritten only when its state or counts change.
func (m *commit) applyScopes(ctx context.Context) error {
	set := "UPDATE SCOPES S SET LAST_COMPLETE = " + timeLiteral(m.t.now())
	if m.changed == nil {
		if len(m.plain) == 0 {
			return nil
		}
		// The rows are those that the newest sync left as complete.
		_, err := m.exec(ctx, fmt.Sprintf("%s WHERE KIND IS NULL AND LAST_COMPLETE = '%s'::TIMESTAMP_TZ", set, m.t.base.lastStart))
		return err
	}
	c := m.changed
	var queries []string
	if len(c.ends) > 0 {
		queries = append(queries, fmt.Sprintf(`DELETE FROM SCOPES S USING %s D WHERE D.WHAT = 'd'
			AND S.CLOUD = D.CLOUD AND S.ACCOUNT = D.ACCOUNT AND S.REGION = D.REGION AND EQUAL_NULL(S.KIND, D.KIND) AND EQUAL_NULL(S.PARENT, D.PARENT) AND EQUAL_NULL(MD5(TO_JSON(S.KINDS)), D.DOC)`, ident(m.narrow)))
	}
	switch {
	case len(c.stands) == 0:
	case c.all:
		queries = append(queries, set+" WHERE KIND IS NULL")
	case len(c.stands) <= standsInline:
		var places []string
		for _, r := range c.stands {
			places = append(places, r.cloud+"/"+r.account+"/"+r.region+"/"+r.mark())
		}
		queries = append(queries, fmt.Sprintf("%s WHERE KIND IS NULL AND CLOUD || '/' || ACCOUNT || '/' || REGION || '/' || MD5(TO_JSON(KINDS)) IN (%s)", set, literals(places)))
	default:
		queries = append(queries, fmt.Sprintf("%s FROM %s D WHERE D.WHAT = 't' AND S.KIND IS NULL AND S.CLOUD = D.CLOUD AND S.ACCOUNT = D.ACCOUNT AND S.REGION = D.REGION AND MD5(TO_JSON(S.KINDS)) = D.DOC", set, ident(m.narrow)))
	}
	if len(c.added) > 0 {
		queries = append(queries, fmt.Sprintf(`INSERT INTO SCOPES (SYNC_ID, CLOUD, ACCOUNT, REGION, KIND, PARENT, STATE, KINDS, SCOPES, "ROWS", CALLS, ERROR, CODE, REQUEST_ID, DURATION_SECONDS, DEFINITION_HASH, LAST_COMPLETE)
			SELECT D.J:sync_id::VARCHAR, D.J:cloud::VARCHAR, D.J:account::VARCHAR, D.J:region::VARCHAR, D.J:kind::VARCHAR, D.J:parent::VARCHAR, D.J:state::VARCHAR, D.J:kinds::ARRAY,
				D.J:scopes::NUMBER(38,0), D.J:rows::NUMBER(38,0), D.J:calls::NUMBER(38,0), D.J:error::VARCHAR, D.J:code::VARCHAR, D.J:request_id::VARCHAR,
				D.J:duration_seconds::FLOAT, D.J:definition_hash::VARCHAR, D.J:last_complete::VARCHAR::TIMESTAMP_TZ
			FROM (SELECT PARSE_JSON(DOC) AS J FROM %s WHERE WHAT = 'n') D`, ident(m.narrow)))
	}
	return m.execAll(ctx, queries...)
}

// applyProblems replaces the problems of the kinds and accounts that this sync
// read. One that is still there, as often, is not rewritten.
func (m *commit) applyProblems(ctx context.Context) error {
	accounts := map[string]bool{"": true}
	for p := range m.scopes.asked {
		accounts[p.account] = true
	}
	type row struct {
		Kind, Account, Region, Call, Column, Code, Sample string
		Count                                             int64
	}
	var ends, added []string
	for key, was := range m.t.base.problems {
		now := m.problems[key]
		covered := (key.Kind == "" || m.t.ByName(key.Kind) != nil) && accounts[key.Account]
		if covered && (now == nil || now.Count != was.Count) {
			ends = append(ends, mustJSON(row{Kind: key.Kind, Account: key.Account, Region: key.Region, Call: key.Call, Column: key.Column, Code: key.Code}))
			delete(m.t.base.problems, key)
		}
	}
	for key, now := range m.problems {
		if _, stands := m.t.base.problems[clean(key)]; !stands {
			k := clean(key)
			added = append(added, mustJSON(row{k.Kind, k.Account, k.Region, k.Call, k.Column, k.Code, stage.CleanText(now.Sample), now.Count}))
		}
	}
	slices.Sort(ends)
	slices.Sort(added)
	const columns = `R.value:Kind::VARCHAR AS KIND, R.value:Account::VARCHAR AS ACCOUNT, R.value:Region::VARCHAR AS REGION, R.value:Call::VARCHAR AS "CALL", R.value:Column::VARCHAR AS COL, R.value:Code::VARCHAR AS CODE`
	for part := range chunks(ends) {
		_, err := m.exec(ctx, fmt.Sprintf(`DELETE FROM PROBLEMS P USING (SELECT %s FROM TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) R) D
			WHERE P.KIND = D.KIND AND P.ACCOUNT = D.ACCOUNT AND P.REGION = D.REGION AND P."CALL" = D."CALL" AND P."COLUMN" = D.COL AND P.CODE = D.CODE`, columns, literal(part)))
		if err != nil {
			return err
		}
	}
	for part := range chunks(added) {
		_, err := m.exec(ctx, fmt.Sprintf(`INSERT INTO PROBLEMS (SYNC_ID, KIND, ACCOUNT, REGION, "CALL", "COLUMN", CODE, "COUNT", "SAMPLE")
			SELECT %s, %s, R.value:Count::NUMBER(38,0), R.value:Sample::VARCHAR FROM TABLE(FLATTEN(INPUT => PARSE_JSON(%s))) R`, literal(m.t.sync.ID.String()), columns, literal(part)))
		if err != nil {
			return err
		}
	}
	return nil
}

func clean(k stage.ProblemKey) stage.ProblemKey {
	for _, s := range []*string{&k.Kind, &k.Account, &k.Region, &k.Call, &k.Column, &k.Code} {
		*s = stage.CleanText(*s)
	}
	return k
}

// applySync records the sync and ends what is older than the retention. A sync
// that a row still names stays.
func (m *commit) applySync(ctx context.Context) error {
	var total [5]int64
	var rows, problems int64
	for i, k := range m.t.Kinds() {
		s := &m.sums[i]
		s.Rows = k.Had + s.New - s.Gone
		rows += s.Rows
		for j, n := range [...]int64{s.New, s.Changed, s.Gone, s.Unchanged, s.Unread} {
			total[j] += n
		}
	}
	for _, p := range m.problems {
		problems += p.Count
	}
	finished := m.end.FinishedAt
	if finished.IsZero() {
		finished = m.t.now()
	}
	state := "complete"
	if m.scopes.incomplete > 0 {
		state = "partial"
	}
	values := []string{literal(m.t.sync.ID.String()), timeLiteral(m.t.now()), timeLiteral(finished), literal(m.t.sync.Version), literal(state)}
	for _, n := range []int64{int64(len(m.t.Kinds())), m.scopes.total, m.scopes.incomplete, rows, total[0], total[1], total[2], total[3], total[4], problems} {
		values = append(values, number(n))
	}
	queries := []string{`INSERT INTO SYNCS (ID, STARTED_AT, FINISHED_AT, VERSION, STATE, KINDS, SCOPES, INCOMPLETE, "ROWS", NEW, CHANGED, GONE, UNCHANGED, UNREAD, PROBLEMS) SELECT ` + strings.Join(values, ", ")}
	if keep := m.t.sync.HistoryRetention; keep > 0 && m.t.base.oldest != "" && m.t.base.oldest < timeText(m.t.now().Add(-keep)) {
		until := timeLiteral(m.t.now().Add(-keep))
		queries = append(queries,
			"DELETE FROM RESOURCE_HISTORY WHERE VALID_TO < "+until,
			"DELETE FROM SYNCS WHERE STARTED_AT < "+until+" AND ID NOT IN (SELECT _SYNC_ID FROM RESOURCES WHERE _SYNC_ID IS NOT NULL)")
	}
	return m.execAll(ctx, queries...)
}
