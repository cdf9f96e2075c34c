package parquet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// commit makes the next state of a staged sync.
type commit struct {
	t        *tx
	next     *state
	renamed  map[string]string // kinds' former names to those they have now
	end      sinks.Outcome
	now      time.Time
	sums     []sinks.KindSummary // by kind index
	problems stage.Problems
	kinds    []*kindCommit

	ends        []scopeEnd
	scopeByHash map[uint64]uint32
	syncIDs     names
	accounts    names
	own         ownState
	history     *rowWriter
	// gone are the rows that end, with the kind of change, by kind.
	gone map[string]map[[16]byte]string
	work *errgroup.Group
	// written are the tables that have new files.
	written []*target
	ranks   []uint32
	// dropped says that kinds left the estate.
	dropped bool
	// copies is the number of files of history that were written anew.
	copies int
}

// kindCommit is what a commit does to one kind.
type kindCommit struct {
	*commit
	ks  *stage.Kind
	sum *sinks.KindSummary
	// was is the kind before the sync, nil if it is new; def as it is to be.
	was, def *storedKind
	ends     map[uint32]end
	readings *readings
	old      *oldRows
	sight    *sightings
	// applied says of each staged row what it is for its edges.
	applied []uint8
	// moved are the rows that another scope has now.
	moved map[[16]byte]uint32
	// patched is the number of rows that were made of old ones, deep says
	// that resources change with them.
	patched []patch
	patches patches
	deep    bool
	// rename says that the kind has another name now, rewrite that its files
	// are written anew in any case.
	rename, rewrite bool
}

const (
	appliedNew = 1 << iota
	appliedChanged
	appliedUnread
)

// What a commit's tables and the garbage beside them may take.
const (
	commitBytes  = 104 << 20
	commitPerRow = 64
)

// boundMemory has the collector keep the garbage within the bound, which is
// soft, and returns what undoes it.
func (t *tx) boundMemory() (restore func()) {
	rows := int64(0)
	for _, k := range t.Kinds() {
		rows += k.Had + k.Rows
	}
	limit := debug.SetMemoryLimit(-1)
	debug.SetMemoryLimit(min(limit, commitBytes+commitPerRow*rows))
	debug.FreeOSMemory()
	return func() { debug.SetMemoryLimit(limit) }
}

func (t *tx) commit(ctx context.Context, outcome sinks.Outcome) (sinks.Summary, error) {
	defer t.boundMemory()()
	m := t.newCommit(outcome)
	m.define()
	err := m.run(ctx)
	if err != nil {
		return sinks.Summary{}, err
	}
	sum := sinks.Summary{Kinds: m.sums, Edges: m.next.rows("edges", "")}
	for _, files := range m.next.Files {
		for _, f := range files {
			sum.Bytes += f.Bytes
		}
	}
	return sum, nil
}

func (t *tx) newCommit(outcome sinks.Outcome) *commit {
	m := &commit{
		t: t, end: outcome, now: t.sync.StartedAt.UTC().Truncate(time.Microsecond), sums: make([]sinks.KindSummary, len(t.Kinds())),
		problems: t.Problems(), scopeByHash: map[uint64]uint32{}, gone: map[string]map[[16]byte]string{},
	}
	m.next = &state{manifest: manifest{
		Format: format, Number: t.base.Number + 1, Sync: t.sync.ID.String(), CreatedAt: time.Now().UTC().Truncate(time.Second),
		Layout: t.base.Layout, Files: maps.Clone(t.base.Files),
	}}
	return m
}

// define makes the tables' definitions of the kinds' ones.
func (m *commit) define() {
	t := m.t
	m.next.cat, m.renamed = t.base.cat.defined(t.sync.Kinds, m.now)
	for i, k := range t.Kinds() {
		m.sums[i].Kind = k.Name
		kc := &kindCommit{commit: m, ks: k, sum: &m.sums[i], was: t.base.cat.byKey(k.Key), def: m.next.cat.byKey(k.Key), moved: map[[16]byte]uint32{}}
		if kc.was != nil {
			kc.ks.Had = t.base.rows(kc.was.Name, "")
		}
		m.kinds = append(m.kinds, kc)
	}
}

// run does the whole commit. Each kind's rows come before the edges, because
// edges resolve to them; parents come before their children, which go with them.
func (m *commit) run(ctx context.Context) error {
	if err := m.t.rows.open(); err != nil {
		return err
	}
	for _, sk := range m.t.kinds {
		sortSegments(sk.segs)
	}
	m.renameKinds()
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"loaded", m.loadAll},
		{"rows", m.applyKinds},
		{"edges", m.applyEdges},
		{"scopes", m.applyScopes},
		{"problems", m.applyProblems},
		{"sync", m.applySync},
		{"history", m.endHistory},
		{"layout", m.writeCatalogue},
	}
	for _, s := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.do(ctx); err != nil {
			return err
		}
		if s.name == "rows" {
			debug.FreeOSMemory() // what the edges take stands beside it otherwise
		}
		m.t.sink.at("commit:" + s.name)
	}
	if err := m.t.lease.held(ctx); err != nil {
		return err
	}
	m.t.sink.at("commit:ready")
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := commitManifest(ctx, m.t.sink.store, &m.next.manifest); err != nil {
		return err
	}
	m.t.sink.at("commit:manifest")
	// The sync is committed: views that cannot be written now are by the next.
	_ = m.publish(context.WithoutCancel(ctx))
	return nil
}

func (m *commit) loadAll(ctx context.Context) error {
	if err := m.loadScopes(); err != nil {
		return err
	}
	if err := m.loadReadings(); err != nil {
		return err
	}
	if err := m.loadOwn(ctx); err != nil {
		return err
	}
	var err error
	m.history, err = m.newRowWriter(historyColumns, "resource_history", "")
	return err
}

// applyKinds decides and writes the rows, kind by kind. What is decided is
// written while the next kind is decided.
func (m *commit) applyKinds(ctx context.Context) error {
	var wctx context.Context
	m.work, wctx = errgroup.WithContext(ctx)
	m.work.SetLimit(m.t.sink.opts.Threads)
	err := m.decideKinds(ctx, wctx)
	if werr := m.work.Wait(); werr != nil && (err == nil || !errors.Is(werr, context.Canceled)) {
		return werr
	}
	if err != nil {
		return err
	}
	for _, w := range m.written {
		m.next.set(w.name, w.kind, slices.Concat(w.done...))
	}
	m.written = nil
	return nil
}

func (m *commit) decideKinds(ctx, wctx context.Context) error {
	for _, k := range m.parentsFirst() {
		if err := wctx.Err(); err != nil {
			return err
		}
		if err := k.decide(ctx, wctx); err != nil {
			return fmt.Errorf("rows of %s: %w", k.ks.Name, err)
		}
	}
	return nil
}

// parentsFirst returns the kinds with every parent before its children.
func (m *commit) parentsFirst() []*kindCommit {
	var sorted []*kindCommit
	byName := map[string]*kindCommit{}
	for _, k := range m.kinds {
		byName[k.ks.Name] = k
	}
	done := map[*kindCommit]bool{}
	var visit func(k *kindCommit)
	visit = func(k *kindCommit) {
		if done[k] {
			return
		}
		done[k] = true
		if parent := byName[k.ks.Parent]; parent != nil {
			visit(parent)
		}
		sorted = append(sorted, k)
	}
	for _, k := range m.kinds {
		visit(k)
	}
	return sorted
}

// renameKinds gives the tables of renamed kinds their new names.
func (m *commit) renameKinds() {
	for from, to := range m.renamed {
		m.next.Files[to] = m.next.Files[from]
		delete(m.next.Files, from)
		for _, table := range []string{"resources", "edges", "sightings"} {
			files := slices.Clone(m.next.Files[table])
			for i := range files {
				if files[i].Kind == from {
					files[i].Kind = to
				}
			}
			m.next.Files[table] = files
		}
	}
	for _, k := range m.kinds {
		k.rename = k.was != nil && k.was.Name != k.ks.Name
	}
}

// nameOf is the name that a kind has now.
func (m *commit) nameOf(kind string) string {
	if to, ok := m.renamed[kind]; ok {
		return to
	}
	return kind
}

// writeCatalogue writes the tables' definitions where they changed.
func (m *commit) writeCatalogue(ctx context.Context) error {
	if m.t.base.Number > 0 && !m.dropped && sameCatalogue(&m.t.base.cat, &m.next.cat) {
		return nil
	}
	key, err := writeLayout(ctx, m.t.sink.store, &m.next.cat, m.next.Sync)
	if err != nil {
		return err
	}
	m.next.Layout = key
	return m.writeKindsTable(ctx)
}

func sameCatalogue(a, b *catalogue) bool {
	return schema.HashDefinition([]any{a.Kinds, a.Views}) == schema.HashDefinition([]any{b.Kinds, b.Views})
}
