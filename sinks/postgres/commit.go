package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// commit is the one transaction in which a staged sync becomes visible.
type commit struct {
	*conn
	t    *tx
	base base
	end  sinks.Outcome
	now  time.Time
	sums []sinks.KindSummary // by kind index
	// whole says of each kind that all its staged rows are new.
	whole []bool
	// replaced is the number of rows whose edges replace older ones, touched
	// that of rows that are new, changed or gone.
	replaced, touched int64
	// hadEdges says that there were edges before.
	hadEdges bool
	// problems are those of the staged sync and what the commit finds.
	problems stage.Problems
	// loops says whether the planner may use nested loops.
	loops bool
}

// Commit makes the sync visible by one transaction.
func (t *tx) Commit(ctx context.Context, end sinks.Outcome) (sinks.Summary, error) {
	if err := t.Flush(); err != nil {
		return sinks.Summary{}, fmt.Errorf("commit: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return sinks.Summary{}, err
	}
	if err := t.store.flush(); err != nil {
		return sinks.Summary{}, fmt.Errorf("commit: %w", err)
	}
	t.store.close()
	t.sink.at("commit:staged")
	t.lease.rest()
	sum, err := t.commit(ctx, end)
	if err != nil {
		return sinks.Summary{}, fmt.Errorf("commit to %s: %w", t.sink.URL(), err)
	}
	t.end(ctx)
	t.sink.at("commit:swept")
	return sum, nil
}

func (t *tx) commit(ctx context.Context, end sinks.Outcome) (sum sinks.Summary, err error) {
	c, err := t.sink.connect(ctx)
	if err != nil {
		return sum, err
	}
	defer c.close()
	m := &commit{
		conn: c, t: t, end: end, now: t.sync.StartedAt.UTC().Truncate(time.Microsecond), base: t.base,
		sums: make([]sinks.KindSummary, len(t.Kinds())), whole: make([]bool, len(t.Kinds())), problems: t.Problems(), loops: true,
	}
	for i, k := range t.Kinds() {
		m.sums[i].Kind = k.Name
	}
	if err := m.start(ctx); err != nil {
		return sum, err
	}
	if err := m.run(ctx); err != nil {
		c.rollback(ctx)
		return sum, err
	}
	t.sink.at("commit:ready")
	if err := c.exec(ctx, "COMMIT"); err != nil {
		if !lost(err) {
			return sum, err
		}
		if err := t.settle(err); err != nil {
			return sum, err
		}
		// The connection is broken: another one counts.
		if m.conn, err = t.sink.connect(ctx); err != nil {
			return sinks.Summary{Kinds: m.sums}, nil
		}
		defer m.close()
	}
	t.sink.at("commit:committed")
	return m.summary(ctx), nil
}

// start begins the transaction. What it reads is one state, whatever others
// write; the lease sees to it that no other sync does.
func (m *commit) start(ctx context.Context) error {
	return m.exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; "+m.sink.cfg.preamble()+
		"; SET LOCAL work_mem = '64MB'; SET LOCAL maintenance_work_mem = '128MB'; SET LOCAL jit = off; SET LOCAL enable_mergejoin = off; SET LOCAL client_connection_check_interval = '5s'")
}

// settle finds out what became of a commit whose answer was lost: nil if it
// stands.
func (t *tx) settle(cause error) error {
	ctx, cancel := context.WithTimeout(context.Background(), t.sink.settle)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		done, err := t.stands(ctx)
		if err == nil && done {
			return nil
		}
		if err == nil {
			return fmt.Errorf("the connection was lost and nothing was changed: %w", cause)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return &sinks.CommitUnknownError{Err: fmt.Errorf("%w; asking what became of it failed: %w", cause, err)}
		}
	}
}

// stands asks whether the sync is in the table syncs, once the transaction
// that may have put it there has ended.
func (t *tx) stands(ctx context.Context) (done bool, err error) {
	c, err := t.sink.connect(ctx)
	if err != nil {
		return false, err
	}
	defer c.close()
	err = c.transaction(ctx, func() error {
		if err := c.exec(ctx, "SELECT FROM dewpoint_lease WHERE id = 1 FOR UPDATE"); err != nil {
			return err
		}
		n, err := c.count(ctx, "SELECT count(*) FROM syncs WHERE id = "+t.syncLiteral())
		done = n > 0
		return err
	})
	return done, err
}

// summary counts after the commit; what cannot be counted is 0.
func (m *commit) summary(ctx context.Context) sinks.Summary {
	sum := sinks.Summary{Kinds: m.sums}
	err := m.transaction(ctx, func() (err error) {
		if sum.Edges, err = m.count(ctx, "SELECT count(*) FROM edges"); err != nil {
			return err
		}
		sum.Bytes, err = m.count(ctx, "SELECT sum(pg_table_size(c.oid) + pg_indexes_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = "+
			literal(m.sink.cfg.schema)+" AND c.relkind = 'r'")
		return err
	})
	if err != nil {
		sum.Edges, sum.Bytes = 0, 0
	}
	return sum
}

// run does the whole commit. Rows come before edges, because edges resolve to
// them, and what is new before what is gone, because a resource that moved
// from one scope to another is not gone.
func (m *commit) run(ctx context.Context) error {
	if err := m.t.lease.hold(ctx, m.conn); err != nil {
		return err
	}
	m.t.sink.at("commit:opened")
	if err := m.dropTextIndexes(ctx); err != nil {
		return err
	}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"verified", m.verify},
		{"loaded", m.loadStaged},
		{"rows", m.applyRows},
		{"sightings", m.applySightings},
		{"gone", m.applyGone},
		{"edges", m.applyEdges},
		{"scopes", m.applyScopes},
		{"problems", m.applyProblems},
		{"sync", m.applySync},
		{"indexes", m.createIndexes},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return err
		}
		m.t.sink.at("commit:" + s.name)
	}
	return nil
}

// verify compares what is staged with what was sent: a crash of the server
// empties the staging, and a sync that lost its lease may still send to it.
func (m *commit) verify(ctx context.Context) error {
	var parts []string
	var want []int64
	add := func(table string, t *target) {
		parts = append(parts, fmt.Sprintf("SELECT %d, count(*) FROM %s", len(want), table))
		want = append(want, t.rows.Load())
	}
	add("_readings", m.t.store.readings)
	add("_edges", m.t.store.edges)
	add("_scopes", m.t.store.scopes)
	for i, t := range m.t.store.kinds {
		if t.rows.Load() > 0 {
			add(m.staged(m.t.Kinds()[i]), t)
		}
	}
	rows, err := m.texts(ctx, strings.Join(parts, " UNION ALL "))
	if err != nil {
		return err
	}
	for _, r := range rows {
		var i int
		if _, err := fmt.Sscan(r[0], &i); err != nil {
			return err
		}
		if r[1] != fmt.Sprint(want[i]) {
			return fmt.Errorf("the staging has %s rows where %d were sent: the server crashed meanwhile, or another sync wrote to it: nothing was changed: run it again", r[1], want[i])
		}
	}
	last, err := m.texts(ctx, "SELECT id FROM syncs ORDER BY started_at DESC, id DESC LIMIT 1")
	if err != nil {
		return err
	}
	if len(last) > 0 && last[0][0] != m.base.lastSync {
		return errors.New("another sync was committed meanwhile: run it again")
	}
	return nil
}

// staged names the staging table of a kind.
func (m *commit) staged(k *stage.Kind) string { return ident(m.sink.cfg.staging) + "." + ident(k.Name) }

// loadStaged makes of what was staged narrowly what the other steps read.
func (m *commit) loadStaged(ctx context.Context) error {
	if err := m.defineKinds(ctx); err != nil {
		return err
	}
	queries := []string{
		// A scope that was reported twice is complete if both say so.
		`INSERT INTO _done SELECT kind, scope, min(parent) FROM _scopes GROUP BY kind, scope HAVING bool_and(state = 'complete')`,
		`INSERT INTO _names SELECT DISTINCT hash, scope FROM _scopes`,
	}
	if err := m.exec(ctx, queries...); err != nil {
		return err
	}
	if err := m.analyze(ctx, m.t.store.scopes.rows.Load(), "_done, _names"); err != nil {
		return err
	}
	if err := m.endParents(ctx); err != nil {
		return err
	}
	collisions, err := m.count(ctx, "SELECT count(*) - count(DISTINCT hash) FROM _names")
	if err != nil {
		return err
	}
	if collisions > 0 {
		return errors.New("two scopes have the same 64-bit hash under this sync's seed: run the sync again")
	}
	return nil
}

// defineKinds records the kinds' definitions and lists them for the commit.
func (m *commit) defineKinds(ctx context.Context) error {
	var kinds, declarations []string
	for _, k := range m.t.Kinds() {
		kinds = append(kinds, fmt.Sprintf("(%d, %s, %s, %s, %s)", k.Index, literal(k.Name), literal(k.Parent), literal(k.Key), literal(k.Definition)))
		for i, e := range k.Edges {
			e = stage.Declaration(e)
			declarations = append(declarations, fmt.Sprintf("(%d, %d, %s, %s, %s, %s, %s)", k.Index, i,
				literal(k.Name), literal(e.To), literal(e.Relation), literal(string(e.Match)), literal(string(e.OnDelete))))
		}
		if err := m.defineKind(ctx, k); err != nil {
			return fmt.Errorf("record %s: %w", k.Name, err)
		}
	}
	for table, values := range map[string][]string{"_kinds": kinds, "_declarations": declarations} {
		if len(values) > 0 {
			if err := m.exec(ctx, "INSERT INTO "+table+" VALUES "+strings.Join(values, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// defineKind records a definition that is new.
func (m *commit) defineKind(ctx context.Context, k *stage.Kind) error {
	old := m.base.byKey[k.Key]
	base, edges := "", mustJSON(k.Edges)
	if k.Base != nil {
		base = mustJSON(k.Base)
	}
	columns, changed := tables.MergeColumns(old.columns, k.Kind)
	if !changed && old.definition == k.Definition && old.parent == k.Parent && sameJSON(base, old.base) && sameJSON(edges, old.edges) {
		return nil
	}
	since := m.nowLiteral()
	if old.definition == k.Definition {
		since = "coalesce(k.definition_since, " + since + ")"
	}
	return m.exec(ctx, fmt.Sprintf(`UPDATE kinds k SET definition = %s, definition_since = %s, parent = %s, base = %s, edges = %s,
		columns = (SELECT jsonb_object_agg(c, coalesce(k.columns->c, to_jsonb(%s))) FROM unnest(%s) c) WHERE key = %s`,
		literal(k.Definition), since, literal(k.Parent), nullLiteral(base), literal(edges), m.nowLiteral(), literals(columns), literal(k.Key)))
}

// createIndexes makes those of tables that were empty before.
func (m *commit) createIndexes(ctx context.Context) error {
	var queries []string
	var rows int64
	for i, k := range m.t.Kinds() {
		rows += m.sums[i].Rows
		if m.sums[i].Rows == 0 || m.base.indexes[shorten(k.Name+idIndex)] {
			continue
		}
		queries = append(queries,
			fmt.Sprintf("CREATE UNIQUE INDEX %s ON %s (_id)", ident(k.Name+idIndex), ident(k.Name)),
			fmt.Sprintf("CREATE INDEX %s ON %s (_scope)", ident(k.Name+scopeIndex), ident(k.Name)))
	}
	if rows == 0 {
		return m.exec(ctx, queries...)
	}
	for _, x := range ownIndexes {
		if !m.base.indexes[x.name] {
			queries = append(queries, x.sql)
		}
	}
	for _, x := range textIndexes {
		if m.base.indexes[x.name] && !m.t.store.long[x.column].Load() {
			continue
		}
		expr := x.expr
		long, err := m.count(ctx, fmt.Sprintf("SELECT count(*) FROM (SELECT FROM resources WHERE octet_length(%s) > %d LIMIT 1) r", x.column, longText))
		if err != nil {
			return err
		}
		if long > 0 {
			expr = "left(" + x.column + ", 500)"
		}
		queries = append(queries, fmt.Sprintf("CREATE INDEX IF NOT EXISTS %s ON resources (%s)", x.name, expr))
	}
	return m.exec(ctx, queries...)
}

// dropTextIndexes makes way for rows with texts that are too long for an
// index: it is made anew over their beginnings, which resolving references
// does without.
func (m *commit) dropTextIndexes(ctx context.Context) error {
	for _, x := range textIndexes {
		if !m.base.indexes[x.name] || !m.t.store.long[x.column].Load() {
			continue
		}
		if err := m.exec(ctx, "DROP INDEX "+x.name); err != nil {
			return err
		}
	}
	return nil
}

// longText is the length in bytes up to which an index takes a text: a third
// of a page, less what comes with it.
const longText = 2600

// ownIndexes are those of dewpoint's own tables that are made when there are
// rows, textIndexes those over text of any length.
var (
	ownIndexes = []struct{ name, sql string }{
		{"resources__id", `CREATE UNIQUE INDEX resources__id ON resources (_id)`},
		{"resources__place", `CREATE INDEX resources__place ON resources (kind, account, region)`},
		{"edges__from", `CREATE INDEX edges__from ON edges (from_id)`},
		{"edges__to", `CREATE INDEX edges__to ON edges (to_id) WHERE to_id IS NOT NULL`},
		{"edges__open", `CREATE INDEX edges__open ON edges (left(to_ref, 500)) WHERE to_id IS NULL`},
	}
	textIndexes = []struct{ name, column, expr string }{
		{"resources__vendor_id", "id", "id"},
		{"resources__urn", "urn", "urn"},
		{"resources__name", "name", `name COLLATE "C"`},
	}
)

// plan lets the planner use nested loops for few rows only. Of what is staged
// it has no statistics, and a loop over a million rows that it took for a
// hundred does not end.
func (m *commit) plan(ctx context.Context, rows int64) error {
	loops := rows < 5000
	if loops == m.loops {
		return nil
	}
	m.loops = loops
	if loops {
		return m.exec(ctx, "SET LOCAL enable_nestloop = on")
	}
	return m.exec(ctx, "SET LOCAL enable_nestloop = off")
}

// analyze makes statistics of a working table where it has grown large.
func (m *commit) analyze(ctx context.Context, rows int64, table string) error {
	if rows < 5000 {
		return nil
	}
	return m.exec(ctx, "ANALYZE "+table)
}

func (m *commit) nowLiteral() string { return timeLiteral(m.now) }

func timeLiteral(t time.Time) string {
	if t.IsZero() {
		return "NULL::timestamptz"
	}
	return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05.999999") + "+00'"
}

func (m *commit) syncLiteral() string { return m.t.syncLiteral() }

func (t *tx) syncLiteral() string { return "'" + t.sync.ID.String() + "'::uuid" }
