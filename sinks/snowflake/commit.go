package snowflake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/snowflakedb/gosnowflake"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

func unixMicro(n int64) time.Time { return time.UnixMicro(n).UTC() }

// commit is the one transaction in which a staged sync becomes visible, and
// what is made ready before it.
//
// DDL commits a transaction, so all that a commit works with is created before
// it begins. Tables that are uploaded to are transient and named after the
// sync; those of what the commit computes are temporary.
type commit struct {
	*conn
	t    *tx
	end  sinks.Outcome
	sums []sinks.KindSummary // by kind index
	// problems are those of the staged sync and what the commit finds.
	problems stage.Problems
	scopes   *scopes
	plain    map[place]*scopeRow
	digest   string
	changed  *scopeChanges
	narrow   string // the narrow table's name, empty where nothing is uploaded
	uploads  []string
	// rows says that rows have to be compared; without it only what a sync
	// tells about itself is written.
	rows  bool
	edges int64 // staged
	work  workTables
	kinds map[string]*kindCommit
	// delta is how many edges there are more after the commit.
	delta int64
	// bucket is what the user's external stage lies on; internal says that the
	// stage is none.
	bucket   objects.Store
	internal bool
	copied   []string // keys
}

var errDone = errors.New("the sync has ended")

// Commit makes the sync visible.
func (t *tx) Commit(ctx context.Context, end sinks.Outcome) (sinks.Summary, error) {
	if t.ended {
		return sinks.Summary{}, errDone
	}
	if err := ctx.Err(); err != nil {
		return sinks.Summary{}, err
	}
	if err := t.Flush(); err != nil {
		return sinks.Summary{}, fmt.Errorf("commit: a write failed before: %w", err)
	}
	t.sink.at("commit:staged")
	m := &commit{conn: t.conn, t: t, end: end, sums: make([]sinks.KindSummary, len(t.Kinds())), problems: t.Problems(), kinds: map[string]*kindCommit{}}
	for i, k := range t.Kinds() {
		m.sums[i].Kind = k.Name
	}
	err := m.run(ctx)
	m.drop(ctx)
	if swept := m.closeBucket(context.WithoutCancel(ctx)); swept != nil && err != nil {
		err = errors.Join(err, swept) // files that are left do no harm to what was committed
	}
	if err != nil {
		var unknown *sinks.CommitUnknownError
		if errors.As(err, &unknown) {
			t.end()
		}
		return sinks.Summary{}, fmt.Errorf("commit to %s: %w", t.sink.URL(), err)
	}
	t.sink.at("commit:committed")
	t.end()
	return sinks.Summary{Kinds: m.sums, Edges: t.base.edges + m.delta}, nil
}

func (m *commit) run(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"read", m.read},
		{"uploaded", m.upload},
		{"compared", m.compare},
		{"rows", m.uploadRows},
		{"transaction", m.transaction},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return err
		}
		m.t.sink.at("commit:" + s.name)
	}
	return nil
}

// transaction enters everything at once.
func (m *commit) transaction(ctx context.Context) error {
	m.t.lease.stop() // from here on the fence holds the others off
	if _, err := m.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	if err := m.apply(ctx); err != nil {
		_, _ = m.exec(context.WithoutCancel(ctx), "ROLLBACK")
		return err
	}
	m.t.sink.at("commit:ready")
	if _, err := m.exec(ctx, "COMMIT"); err != nil {
		return m.outcome(ctx, err)
	}
	return nil
}

func (m *commit) apply(ctx context.Context) error {
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"fence", func(ctx context.Context) error { return m.t.lease.fence(ctx, m.conn, m.digest) }},
		{"sightings", m.applySightings},
		{"gone", m.applyGone},
		{"kinds", m.applyKinds},
		{"resources", m.applyResources},
		{"edges", m.applyEdges},
		{"scopes", m.applyScopes},
		{"problems", m.applyProblems},
		{"sync", m.applySync},
	}
	for _, s := range steps {
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		m.t.sink.at("commit:" + s.name)
	}
	return nil
}

// outcome finds out what became of a COMMIT without an answer: a session of
// its own waits for the lease's row, which the transaction holds, and then
// looks whether the sync is there.
func (m *commit) outcome(ctx context.Context, lost error) error {
	var sf *gosnowflake.SnowflakeError
	if errors.As(lost, &sf) && sf.SQLState != "" && sf.QueryID != "" {
		return lost // Snowflake answered
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.t.sink.patience())
	defer cancel()
	m.close() // rolls back what did not arrive
	for pause := time.Second; ; pause = min(2*pause, 15*time.Second) {
		committed, err := m.t.sink.committed(ctx, m.t.sync.ID.String())
		switch {
		case err == nil && committed:
			return nil
		case err == nil:
			return fmt.Errorf("the connection was lost and nothing was changed: %w", lost)
		}
		select {
		case <-ctx.Done():
			return &sinks.CommitUnknownError{Err: errors.Join(lost, err)}
		case <-time.After(pause):
		}
	}
}

// patience is how long to look for the outcome of a commit.
func (s *Sink) patience() time.Duration { return min(2*time.Minute, s.opts.Lease) }

func (s *Sink) committed(ctx context.Context, sync string) (bool, error) {
	c, err := s.connect(ctx, "dewpoint sync "+sync)
	if err != nil {
		return false, err
	}
	defer c.close()
	if _, err := c.exec(ctx, "UPDATE dewpoint_lease SET token = NULL, holder = NULL, expires_at = NULL WHERE token = "+literal(sync)); err != nil {
		return false, err
	}
	found, err := c.texts(ctx, "SELECT id FROM syncs WHERE id = "+literal(sync))
	return len(found) > 0, err
}

// read decides what has to be uploaded, and writes it to Parquet.
func (m *commit) read(ctx context.Context) error {
	var err error
	if m.scopes, err = m.t.readScopes(); err != nil {
		return err
	}
	var kinds []*schema.Kind
	definitions := map[string]string{}
	for _, k := range m.t.Kinds() {
		kinds = append(kinds, k.Kind)
		definitions[k.Name] = k.Definition
	}
	m.scopes.withoutParents(kinds)
	m.plain = m.scopes.plain(definitions)
	m.digest = m.scopes.digest(m.plain, definitions)
	if m.digest != m.t.base.digest || m.t.base.lastSync == "" {
		stored, err := readStoredScopes(ctx, m.conn)
		if err != nil {
			return err
		}
		m.changed = m.scopes.changes(stored, m.plain, definitions, m.t.sync.ID.String(), number(m.t.now().UnixMicro()))
	}
	m.narrow = m.t.staging("n")
	w := newNarrow(m.t.dir, m.narrow)
	defer w.b.Release()
	if err := m.readRows(w); err != nil {
		return err
	}
	if m.changed != nil {
		if err := m.changed.add(w); err != nil {
			return err
		}
	}
	if err := errors.Join(w.flush(), w.files.close()); err != nil {
		return err
	}
	if w.files.rows == 0 {
		m.narrow = ""
		return nil
	}
	m.uploads = w.files.paths
	return nil
}

// readRows enters the readings and what goes with them, if any may change
// something.
func (m *commit) readRows(w *narrow) error {
	n, confirmed, err := m.t.addReadings(w)
	if err != nil {
		return err
	}
	m.rows = n > 0
	for s := range m.t.known.sightings {
		if _, ok := confirmed[s]; !ok && m.scopes.done[s.kind][s.scope] {
			m.rows = true // it ends
		}
	}
	if m.t.known.sightings == nil && m.t.base.sightings > 0 {
		m.rows = true
	}
	var gone []*stage.Kind
	for _, k := range m.t.Kinds() {
		if m.mayBeGone(k) {
			m.rows = true
			gone = append(gone, k)
		}
	}
	if !m.rows {
		for i, k := range m.t.Kinds() {
			if k.Known != nil {
				m.sums[i].Unchanged = int64(k.Known.Seen())
			}
		}
		return nil
	}
	for _, k := range gone {
		if err := m.t.addUnseen(w, k); err != nil {
			return err
		}
	}
	if err := errors.Join(m.t.addConfirmed(w, confirmed), m.t.addScopes(w)); err != nil {
		return err
	}
	m.edges, err = m.t.addEdges(w)
	return err
}

// mayBeGone says whether rows of a kind may end in this sync.
func (m *commit) mayBeGone(k *stage.Kind) bool {
	unseen := k.Known == nil || k.Known.Seen() < k.Known.Rows()
	return k.Had > 0 && unseen && m.scopes.complete[k.Index]+len(m.end.GoneAccounts) > 0
}
