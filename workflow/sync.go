// Package workflow runs one sync: sources are read under the scheduler, the
// batches go to every sink, each sink commits on its own, and what came of it
// is reported.
package workflow

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
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
	Version string
	// Workers is how many tasks run at once.
	Workers          int
	HistoryRetention time.Duration
	// Progress, if not nil, is kept up to date while the sync runs.
	Progress *Progress
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
	Err     error
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

// Sync reads all sources once. When ctx ends, reading stops and what was read
// completely is still committed; stop ends the commit as well. The error is
// not nil if nothing was committed; a partial sync is told by the report.
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
	f := &fanout{kinds: kinds, progress: p, report: r}
	for _, s := range o.Sinks {
		t := &sinkTx{url: s.URL()}
		t.tx, err = s.Begin(stop, sinks.Sync{
			ID: id, StartedAt: r.StartedAt, Version: o.Version, Kinds: kinds, HistoryRetention: o.HistoryRetention,
		})
		if err != nil {
			t.fail(fmt.Errorf("begin: %w", err))
		}
		f.txs = append(f.txs, t)
	}
	defer f.rollback(stop)
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

	p.phase("committing")
	// The pages' memory goes back before the databases take theirs, which Go's
	// collector does not see.
	percent := debug.SetGCPercent(20)
	debug.FreeOSMemory()
	f.commit(stop)
	debug.SetGCPercent(percent)
	r.FinishedAt = time.Now().UTC()
	p.phase("done")
	return r, f.alive()
}

// fanout hands what is read to every sink. A sink that fails is left out from
// then on and rolled back; the others go on.
type fanout struct {
	txs      []*sinkTx
	kinds    []*schema.Kind
	progress *Progress

	mu     sync.Mutex // guards report
	report *Report
}

type sinkTx struct {
	url    string
	tx     sinks.Tx
	failed atomic.Pointer[error]
	result SinkReport
}

func (t *sinkTx) fail(err error) { t.failed.CompareAndSwap(nil, &err) }

func (t *sinkTx) err() error {
	if p := t.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// alive returns nil while a sink is left, else what the sinks failed with.
func (f *fanout) alive() error {
	var errs []error
	for _, t := range f.txs {
		err := t.err()
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", t.url, err))
	}
	return errors.Join(errs...)
}

// each calls fn for every sink that has not failed.
func (f *fanout) each(ctx context.Context, fn func(t *sinkTx) error) error {
	for _, t := range f.txs {
		if t.err() != nil {
			continue
		}
		if err := fn(t); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			t.fail(err)
		}
	}
	return f.alive()
}

// Write implements extract.Writer.
func (f *fanout) Write(ctx context.Context, b *schema.Batch) error {
	defer b.Release()
	f.progress.rows(b)
	if len(b.Problems) > 0 {
		f.mu.Lock()
		f.report.Problems = addProblems(f.report.Problems, b.Problems)
		f.mu.Unlock()
	}
	return f.each(ctx, func(t *sinkTx) error {
		b.Retain()
		return t.tx.Write(ctx, b)
	})
}

// Scope implements extract.Writer.
func (f *fanout) Scope(ctx context.Context, s schema.ScopeResult) error {
	f.progress.scope(s)
	f.mu.Lock()
	if f.report.Scopes == nil {
		f.report.Scopes = map[schema.State]int64{}
	}
	f.report.Scopes[s.State]++
	f.report.Rows += s.Rows
	f.report.Calls += s.Calls
	if s.State != schema.Complete && s.State != schema.NotApplicable {
		f.report.Incomplete = append(f.report.Incomplete, s)
	}
	f.mu.Unlock()
	return f.each(ctx, func(t *sinkTx) error {
		for _, one := range f.scopesOf(s) {
			if err := t.tx.Scope(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// scopesOf is a scope, or where it stands for all kinds of its cloud ("*"),
// as an account that cannot be entered, those of each.
func (f *fanout) scopesOf(s schema.ScopeResult) []schema.ScopeResult {
	if s.Scope.Kind != "*" {
		return []schema.ScopeResult{s}
	}
	var all []schema.ScopeResult
	for _, k := range f.kinds {
		if k.Cloud == s.Scope.Cloud {
			one := s
			one.Scope.Kind = k.Name
			all = append(all, one)
		}
	}
	return all
}

// Problem implements extract.Writer.
func (f *fanout) Problem(ctx context.Context, p ...schema.Problem) error {
	f.mu.Lock()
	f.report.Problems = addProblems(f.report.Problems, p)
	f.mu.Unlock()
	return f.each(ctx, func(t *sinkTx) error { return t.tx.Problem(ctx, p...) })
}

func (f *fanout) commit(ctx context.Context) {
	var wg sync.WaitGroup
	for _, t := range f.txs {
		if t.err() != nil {
			continue
		}
		wg.Go(func() {
			s, err := t.tx.Commit(ctx, sinks.Outcome{FinishedAt: time.Now().UTC()})
			if err != nil {
				t.fail(fmt.Errorf("commit: %w", err))
			}
			t.result.Summary = s
		})
	}
	wg.Wait()
	for _, t := range f.txs {
		t.result.URL, t.result.Err = t.url, t.err()
		f.report.Sinks = append(f.report.Sinks, t.result)
	}
}

// rollback gives up what is not committed.
func (f *fanout) rollback(ctx context.Context) {
	for _, t := range f.txs {
		if t.tx != nil {
			// A failed rollback leaves staged rows, which the next sync sweeps.
			_ = t.tx.Rollback(context.WithoutCancel(ctx))
		}
	}
}

// addProblems adds counts of problems that differ in nothing else.
func addProblems(have, more []schema.Problem) []schema.Problem {
next:
	for _, p := range more {
		for i := range have {
			h := &have[i]
			if h.Kind == p.Kind && h.Account == p.Account && h.Region == p.Region &&
				h.Call == p.Call && h.Column == p.Column && h.Code == p.Code {
				h.Count += p.Count
				continue next
			}
		}
		have = append(have, p)
	}
	return have
}
