package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
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
	// problems are those of the staged sync and what the commit finds.
	problems stage.Problems
}

// Commit opens the file for writing and makes the sync visible.
func (t *tx) Commit(ctx context.Context, end sinks.Outcome) (sinks.Summary, error) {
	t.mu.Lock()
	done := t.done
	t.mu.Unlock()
	if done {
		return sinks.Summary{}, errDone
	}
	if err := t.Flush(); err != nil {
		return sinks.Summary{}, fmt.Errorf("commit: %w", err)
	}
	t.sink.at("commit:staged")
	sum, err := t.commit(ctx, end)
	if err != nil {
		return sinks.Summary{}, err
	}
	t.mu.Lock()
	t.end()
	t.mu.Unlock()
	return sum, nil
}

// commit runs the transaction, again with twice the memory where it did not
// do with what it had: DuckDB cannot spill all that it holds for many wide
// tables.
func (t *tx) commit(ctx context.Context, end sinks.Outcome) (sinks.Summary, error) {
	for limit := t.sink.opts.MemoryLimit + t.openSegments(); ; limit *= 2 {
		sum, err := t.attempt(ctx, end, limit)
		if err == nil || !outOfMemory(err) || 2*limit > maxMemory || ctx.Err() != nil {
			return sum, err
		}
	}
}

// maxMemory is the most that a commit is given.
const maxMemory = 8 << 30

func outOfMemory(err error) bool { return strings.Contains(err.Error(), "Out of Memory Error") }

func (t *tx) attempt(ctx context.Context, end sinks.Outcome, limit int64) (sum sinks.Summary, err error) {
	existed := t.sink.exists()
	c, err := t.sink.connect(ctx, false)
	if err != nil {
		return sum, err
	}
	if err := c.exec(ctx, fmt.Sprintf("SET memory_limit = '%dB'", limit)); err != nil {
		_ = c.close()
		return sum, err
	}
	t.sink.at("commit:opened")
	m := &commit{
		conn: c, t: t, end: end, now: t.sync.StartedAt.UTC().Truncate(time.Microsecond),
		sums: make([]sinks.KindSummary, len(t.Kinds())), whole: make([]bool, len(t.Kinds())),
	}
	m.problems = t.Problems()
	for i, ks := range t.Kinds() {
		m.sums[i].Kind = ks.Name
	}
	err = m.transaction(ctx)
	if err != nil {
		// The transaction ends with the connection; the error is what counts.
		_ = c.close()
		if !existed {
			t.removeEmpty()
		}
		return sum, t.commitError(err)
	}
	t.sink.at("commit:committed")
	sum.Kinds = m.sums
	if sum.Edges, err = c.count(ctx, "SELECT count(*) FROM edges"); err != nil {
		sum.Edges = 0
	}
	// The commit is durable in the log already; a checkpoint that fails is
	// made up for when the file is opened next.
	_ = c.exec(ctx, "CHECKPOINT")
	t.sink.at("commit:checkpointed")
	_ = c.close()
	sum.Bytes = fileSize(t.sink.path)
	return sum, nil
}

// segmentBytesOpen is what DuckDB counts, though it seldom touches it, for each
// column of a table that a transaction has written to.
const segmentBytesOpen = 40 << 10

// openSegments is the memory that DuckDB counts for the columns of all tables
// that the commit writes to, which cannot be spilled.
func (t *tx) openSegments() int64 {
	n := 100 // of dewpoint's own tables
	for _, ks := range t.Kinds() {
		if ks.Rows > 0 {
			n += len(ks.TableColumns())
		}
	}
	return int64(n) * segmentBytesOpen
}

// removeEmpty removes a file that the failed commit created.
func (t *tx) removeEmpty() {
	c, err := t.sink.tryConnect(context.Background(), true)
	if err != nil {
		return
	}
	n, err := c.count(context.Background(), "SELECT count(*) FROM duckdb_tables()")
	if c.close() == nil && err == nil && n == 0 {
		_ = os.Remove(t.sink.path)
		_ = os.Remove(t.sink.path + ".wal")
	}
}

func (t *tx) commitError(err error) error {
	text := err.Error()
	if strings.Contains(text, "No space left") || strings.Contains(text, "failed to offload data block") {
		return fmt.Errorf("commit to %s: the disk is full, nothing was changed: make room for the database and %s: %w", t.sink.URL(), t.sink.staging, err)
	}
	return fmt.Errorf("commit to %s: %w", t.sink.URL(), err)
}

func (m *commit) transaction(ctx context.Context) error {
	if err := m.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	if err := m.run(ctx); err != nil {
		_ = m.exec(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	m.t.sink.at("commit:ready")
	return m.exec(ctx, "COMMIT")
}

// run does the whole commit. Rows come before edges, because edges resolve
// to them, and what is new before what is gone, because a resource that moved
// from one scope to another is not gone.
func (m *commit) run(ctx context.Context) error {
	var err error
	if m.base, err = readBase(ctx, m.conn); err != nil {
		return err
	}
	if m.base.lastSync != m.t.base.lastSync || m.base.version != m.t.base.version {
		return errors.New("the database is not the one that the sync began with: another sync was committed or the file was replaced: run it again")
	}
	if err := m.base.check(m.t.sink.URL(), m.t.sync.Kinds); err != nil {
		return err
	}
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"tables", m.defineTables},
		{"loaded", m.loadStaged},
		{"rows", m.applyRows},
		{"sightings", m.applySightings},
		{"gone", m.applyGone},
		{"edges", m.applyEdges},
		{"scopes", m.applyScopes},
		{"problems", m.applyProblems},
		{"sync", m.applySync},
		{"views", m.defineViews},
		{"checks", m.assertUnique},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return err
		}
		m.t.sink.at("commit:" + s.name)
	}
	return nil
}

func (m *commit) defineTables(ctx context.Context) error {
	if err := m.migrate(ctx); err != nil {
		return err
	}
	for _, ks := range m.t.Kinds() {
		if err := m.defineKind(ctx, ks); err != nil {
			return err
		}
	}
	var err error
	m.base, err = readBase(ctx, m.conn)
	return err
}

// loadStaged makes temporary tables of what was staged narrowly: readings,
// scopes, and the kinds' declarations.
func (m *commit) loadStaged(ctx context.Context) error {
	t := m.t
	loads := []struct {
		from  *stage.Stream
		query string
	}{
		{m.readings(), `CREATE TEMP TABLE st AS SELECT kind, row_pos AS pos, _id::UUID AS _id, _hash::UUID AS _hash, scope, owner, unread, own_seen FROM staged`},
		{t.file.Scopes(), `CREATE TEMP TABLE sc AS SELECT * FROM staged`},
		{m.declarations(), `CREATE TEMP TABLE decl AS SELECT * FROM staged`},
	}
	if err := m.kindNames(ctx); err != nil {
		return err
	}
	for _, l := range loads {
		if err := m.withView(l.from, "staged", func() error { return m.exec(ctx, l.query) }); err != nil {
			return fmt.Errorf("load what was staged: %w", err)
		}
	}
	queries := []string{
		// A scope that was reported twice is complete if both say so.
		`CREATE TEMP TABLE done AS SELECT kind, scope, any_value(hash) AS hash, any_value(parent) AS parent
			FROM sc GROUP BY kind, scope HAVING bool_and(state = 'complete')`,
		`CREATE TEMP TABLE scope_names AS SELECT DISTINCT hash, scope FROM sc`,
		`CREATE TEMP TABLE fresh AS SELECT cloud, account, region, kind, last_complete FROM scope_freshness`,
		`CREATE TEMP TABLE sight (kind VARCHAR, _id UUID, _scope VARCHAR)`,
		`CREATE TEMP TABLE moved (kind VARCHAR, _id UUID, _scope VARCHAR)`,
		`CREATE TEMP TABLE applied (kind INTEGER, pos BIGINT, _id UUID, is_new BOOLEAN, unread BOOLEAN)`,
		`CREATE TEMP TABLE gone (kind VARCHAR, _id UUID, change VARCHAR)`,
	}
	for _, q := range queries {
		if err := m.exec(ctx, q); err != nil {
			return err
		}
	}
	if err := m.endParents(ctx); err != nil {
		return err
	}
	collisions, err := m.count(ctx, "SELECT count(*) - count(DISTINCT hash) FROM scope_names")
	if err != nil {
		return err
	}
	if collisions > 0 {
		return errors.New("two scopes have the same 64-bit hash under this sync's seed: run the sync again")
	}
	return nil
}

// readings streams the staged rows with whether the table's row was also
// reported, unchanged, by its own scope.
func (m *commit) readings() *stage.Stream {
	in := m.t.file.Readings()
	fields := append(append([]arrow.Field{}, in.Schema().Fields()...), arrow.Field{Name: "own_seen", Type: arrow.FixedWidthTypes.Boolean})
	out := arrow.NewSchema(fields, nil)
	return stage.NewStream(out, func() (arrow.RecordBatch, error) {
		if !in.Next() {
			return nil, in.Err()
		}
		rec := in.RecordBatch()
		kinds, ids := rec.Column(0).(*array.Int32), rec.Column(2).(*array.FixedSizeBinary)
		b := array.NewBooleanBuilder(memory.DefaultAllocator)
		defer b.Release()
		for i := range kinds.Len() {
			k := m.t.Kinds()[kinds.Value(i)].Known
			b.Append(k != nil && k.Unchanged(ids.Value(i)))
		}
		col := b.NewArray()
		defer col.Release()
		return array.NewRecordBatch(out, append(append([]arrow.Array{}, rec.Columns()...), col), rec.NumRows()), nil
	})
}

var declarationSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
	{Name: "declared", Type: arrow.PrimitiveTypes.Int32},
	{Name: "from_kind", Type: arrow.BinaryTypes.String},
	{Name: "to_kind", Type: arrow.BinaryTypes.String},
	{Name: "relation", Type: arrow.BinaryTypes.String},
	{Name: "match", Type: arrow.BinaryTypes.String},
	{Name: "on_delete", Type: arrow.BinaryTypes.String},
}, nil)

func (m *commit) declarations() *stage.Stream {
	b := array.NewRecordBuilder(memory.DefaultAllocator, declarationSchema)
	defer b.Release()
	for _, ks := range m.t.Kinds() {
		for i, e := range ks.Edges {
			e = stage.Declaration(e)
			b.Field(0).(*array.Int32Builder).Append(ks.Index)
			b.Field(1).(*array.Int32Builder).Append(m.t.file.first[ks.Index] + int32(i))
			for j, v := range [...]string{ks.Name, e.To, e.Relation, string(e.Match), string(e.OnDelete)} {
				b.Field(2 + j).(*array.StringBuilder).Append(v)
			}
		}
	}
	return stage.One(b.NewRecordBatch())
}

// assertUnique checks the one thing that an index would.
func (m *commit) assertUnique(ctx context.Context) error {
	changed := false
	for _, s := range m.sums {
		changed = changed || s.New > 0
	}
	if !changed {
		return nil
	}
	twice, err := m.texts(ctx, "SELECT kind, _id::VARCHAR FROM resources GROUP BY ALL HAVING count(*) > 1 LIMIT 1")
	if err != nil {
		return err
	}
	if len(twice) > 0 {
		return fmt.Errorf("%s would hold %s twice", twice[0][0], twice[0][1])
	}
	return nil
}

func (m *commit) nowLiteral() string { return timeLiteral(m.now) }

func timeLiteral(t time.Time) string {
	if t.IsZero() {
		return "NULL::TIMESTAMPTZ"
	}
	return "TIMESTAMPTZ '" + t.UTC().Format("2006-01-02 15:04:05.999999") + "+00'"
}

func (m *commit) syncLiteral() string { return "'" + m.t.sync.ID.String() + "'::UUID" }
