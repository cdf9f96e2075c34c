// Package workflow runs one sync: sources are read under the scheduler, the
// batches go to every sink, each sink commits on its own, and what came of it
// is reported.
package workflow

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Options are what a sync needs.
type Options struct {
	Sources []extract.Source
	Sinks   []sinks.Sink
	// Unopened are sinks that could not be opened; they are reported with the
	// others.
	Unopened []SinkReport
	Version  string
	// Workers is how many tasks run at once.
	Workers          int
	HistoryRetention time.Duration
	// Progress, if not nil, is kept up to date while the sync runs.
	Progress *Progress
	// Standing are kinds whose tables exist, empty if need be, whether a source
	// reads them or not. Rows that they have stay as they are.
	Standing []*schema.Kind
	// SinkFailed, if not nil, is called once for a sink when it fails. It is
	// safe for concurrent use.
	SinkFailed func(url string, err error)
}

// Report is what came of a sync.
type Report struct {
	ID         uuid.UUID
	StartedAt  time.Time
	FinishedAt time.Time
	Sinks      []SinkReport
	// Incomplete are the scopes that ended neither complete nor
	// not_applicable, in no particular order.
	Incomplete []schema.ScopeResult
	// Scopes counts all scopes by state.
	Scopes map[schema.State]int64
	// Rows and Calls are what was read.
	Rows, Calls int64
	Problems    []schema.Problem
	// Interrupted says that the caller's context ended the reading early.
	Interrupted bool
}

// SinkReport is what came of a sync in one sink.
type SinkReport struct {
	URL     string
	Summary sinks.Summary
	Err     error // nil if the sync is committed
}

// Complete says that all that was asked for was read, details included, and
// stored.
func (r *Report) Complete() bool {
	if r.Interrupted || len(r.Incomplete) > 0 {
		return false
	}
	for _, s := range r.Sinks {
		if s.Err != nil || s.unread() {
			return false
		}
	}
	return true
}

// unread says whether details of some rows could not be read.
func (s SinkReport) unread() bool {
	return slices.ContainsFunc(s.Summary.Kinds, func(k sinks.KindSummary) bool { return k.Unread > 0 })
}

// Committed says that at least one sink stored the sync.
func (r *Report) Committed() bool {
	for _, s := range r.Sinks {
		if s.Err == nil {
			return true
		}
	}
	return false
}

// Sync reads all sources once and hands the same batches to every sink, each
// of which commits on its own: one that fails, at whatever step, leaves the
// others alone. When ctx ends, reading stops and what was read completely is
// still committed; stop ends the commit as well. The error is not nil if
// nothing was committed anywhere; a partial sync is told by the report.
func Sync(ctx context.Context, stop context.Context, o Options) (*Report, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	r := &Report{ID: id, StartedAt: time.Now().UTC()}
	p := o.Progress
	if p == nil {
		p = NewProgress()
	}
	var kinds []*schema.Kind
	for _, s := range o.Sources {
		kinds = append(kinds, s.Kinds()...)
	}
	if len(kinds) == 0 {
		return nil, errors.New("no kinds are selected: see kinds.only and kinds.skip, and dewpoint kinds")
	}
	f := &fanout{kinds: kinds, progress: p, report: r, failed: o.SinkFailed}
	for _, u := range o.Unopened {
		t := &sinkTx{url: u.URL}
		f.txs = append(f.txs, t)
		f.fail(t, "open", u.Err)
	}
	life, end := context.WithCancelCause(stop)
	defer end(nil)
	defer f.rollback(stop)
	defer func() { r.Sinks = f.reports() }()
	// Until something is read, the first context ends the waiting for locks.
	begun := context.AfterFunc(ctx, func() { end(context.Cause(ctx)) })
	f.begin(life, o.Sinks, sinks.Sync{
		ID: id, StartedAt: r.StartedAt, Version: o.Version, Kinds: withStanding(kinds, o.Standing), HistoryRetention: o.HistoryRetention,
	})
	if !begun() {
		return r, context.Cause(ctx)
	}
	if err := f.alive(); err != nil {
		return r, err
	}

	p.phase("reading")
	err = extract.Schedule(ctx, watch(o.Sources, p), f, max(1, o.Workers))
	switch {
	case stop.Err() != nil:
		return r, context.Cause(stop)
	case err != nil && ctx.Err() != nil:
		r.Interrupted = true
	case err != nil:
		return r, err
	}

	if err := f.drift(stop, o.Sources); err != nil {
		return r, err
	}
	f.ended(o.Sources)
	p.phase("committing")
	lavish := frugal()
	f.commit(stop)
	lavish()
	r.FinishedAt = time.Now().UTC()
	p.phase("done")
	return r, f.alive()
}

// modest is how much heap is kept before a commit; to collect less is not
// worth it.
const modest = 64 << 20

// frugal gives the pages' memory back before the databases take theirs, which
// Go's collector does not see, and returns what ends it.
func frugal() (end func()) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapSys-m.HeapReleased < modest {
		return func() {}
	}
	percent := debug.SetGCPercent(20)
	debug.FreeOSMemory()
	return func() { debug.SetGCPercent(percent) }
}

// withStanding are the kinds that are read and those that only have a table.
func withStanding(read, standing []*schema.Kind) []*schema.Kind {
	all := slices.Clone(read)
	for _, k := range standing {
		if !slices.ContainsFunc(read, func(r *schema.Kind) bool { return r.Name == k.Name }) {
			all = append(all, k)
		}
	}
	return all
}
