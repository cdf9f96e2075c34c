package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// fanout hands what is read to every sink. A sink that fails is left out from
// then on and rolled back; the others go on.
type fanout struct {
	txs      []*sinkTx
	kinds    []*schema.Kind
	progress *Progress
	failed   func(url string, err error) // may be nil
	gone     []sinks.Account

	mu     sync.Mutex // guards report
	report *Report
}

type sinkTx struct {
	url     string
	tx      sinks.Tx
	failure atomic.Pointer[error]
	// committed and summary are written by commit.
	committed bool
	summary   sinks.Summary
}

func (t *sinkTx) err() error {
	if p := t.failure.Load(); p != nil {
		return *p
	}
	return nil
}

// fail leaves a sink out from now on.
func (f *fanout) fail(t *sinkTx, doing string, err error) {
	err = fmt.Errorf("%s: %w", doing, err)
	if t.failure.CompareAndSwap(nil, &err) && f.failed != nil {
		f.failed(t.url, err)
	}
}

// alive returns nil while a sink is left, else what the sinks failed with.
func (f *fanout) alive() error {
	var errs []error
	for _, t := range f.txs {
		err := t.err()
		if err == nil {
			return nil
		}
		errs = append(errs, SinkReport{URL: t.url, Err: err}.Failure())
	}
	return errors.Join(errs...)
}

// begin begins in all sinks at once: one that waits for a lock does not keep
// the others. The transactions last until ctx ends.
func (f *fanout) begin(ctx context.Context, open []sinks.Sink, what sinks.Sync) {
	var wg sync.WaitGroup
	for _, s := range open {
		t := &sinkTx{url: s.URL()}
		f.txs = append(f.txs, t)
		wg.Go(func() {
			tx, err := s.Begin(ctx, what)
			if err != nil {
				f.fail(t, "begin", err)
				return
			}
			t.tx = tx
		})
	}
	wg.Wait()
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
			f.fail(t, "write", err)
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

// ended notes the accounts that the sources found to have ended.
func (f *fanout) ended(sources []extract.Source) {
	for _, s := range sources {
		e, ok := s.(extract.Ender)
		if !ok {
			continue
		}
		for _, id := range e.Ended() {
			f.gone = append(f.gone, sinks.Account{Cloud: s.Cloud(), ID: id})
		}
	}
}

// drift hands what the sources met that their descriptions lack to the sinks.
// It is the same in every sync, so the report is spared it.
func (f *fanout) drift(ctx context.Context, sources []extract.Source) error {
	for _, s := range sources {
		d, ok := s.(extract.Drifter)
		if !ok {
			continue
		}
		if met := d.Drift(); len(met) > 0 {
			if err := f.each(ctx, func(t *sinkTx) error { return t.tx.Problem(ctx, met...) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit commits in every sink that has not failed, each on its own.
func (f *fanout) commit(ctx context.Context) {
	end := sinks.Outcome{FinishedAt: time.Now().UTC().Truncate(time.Microsecond), GoneAccounts: f.gone}
	var wg sync.WaitGroup
	for _, t := range f.txs {
		if t.err() != nil {
			continue
		}
		wg.Go(func() {
			summary, err := t.tx.Commit(ctx, end)
			if err != nil {
				f.fail(t, "commit", err)
				return
			}
			t.committed, t.summary = true, summary
		})
	}
	wg.Wait()
}

var errGivenUp = errors.New("the sync was given up before its commit")

// reports are what came of the sync in each sink.
func (f *fanout) reports() []SinkReport {
	var all []SinkReport
	for _, t := range f.txs {
		r := SinkReport{URL: t.url, Summary: t.summary, Err: t.err()}
		if r.Err == nil && !t.committed {
			r.Err = errGivenUp
		}
		all = append(all, r)
	}
	return all
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

// Failure is the error with the sink's name before it, nil without one.
func (s SinkReport) Failure() error {
	if s.Err == nil || strings.Contains(s.Err.Error(), s.URL) {
		return s.Err
	}
	return fmt.Errorf("%s: %w", s.URL, s.Err)
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
