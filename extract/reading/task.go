package reading

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// How much one task does and holds at once.
const (
	detailsAtOnce  = 32      // detail calls of one page
	childrenAtOnce = 8       // parents whose children are listed
	batchRows      = 4096    // rows after which a batch goes on
	batchBytes     = 4 << 20 // bytes after which a batch goes on
	heldResults    = 1024    // outcomes held back for rows not yet written
)

// errScopeTimeout ends a list call that takes longer than it may.
var errScopeTimeout = errors.New("the reading of the list took longer than scope_timeout")

// task reads one list call in one account and region, with its details and
// with the calls made for each of its items.
type task struct {
	s      *Reader
	at     Place
	out    extract.Writer
	limit  extract.LimitKey
	listed *catalog.ListCall // what limit belongs to

	mu       sync.Mutex
	readers  []*reader // idle
	problems []schema.Problem
	// broken are for-each calls with others below them that failed for an item.
	broken map[*catalog.ListCall]schema.ScopeResult
}

func newTask(s *Reader, at Place, out extract.Writer) *task {
	return &task{s: s, at: at, out: out, broken: map[*catalog.ListCall]schema.ScopeResult{}}
}

// run reads the call and reports all its scopes. Its error is the writer's.
func (t *task) run(ctx context.Context, l *catalog.ListCall) error {
	t.listed = l
	t.limit = extract.LimitKey{Cloud: t.at.Cloud, Account: t.at.Account, Region: t.at.Region, Service: l.Service}
	if l.Limit.Per == "account" {
		t.limit.Region = ""
	}
	if t.s.c.Limiter != nil {
		t.s.c.Limiter.Declare(t.limit, l.Limit.Rate)
	}
	reading := ctx
	if d := t.s.c.ScopeTimeout; d > 0 {
		var cancel context.CancelFunc
		reading, cancel = context.WithTimeoutCause(ctx, d, errScopeTimeout)
		defer cancel()
	}
	// What was read goes out also when the reading was ended.
	writing := context.WithoutCancel(ctx)
	r := t.reader()
	if err := r.list(reading, writing, l, origin{}); err != nil {
		return err
	}
	t.idle(r)
	for _, r := range t.readers {
		if err := r.flush(writing); err != nil {
			return err
		}
	}
	if len(t.problems) > 0 {
		if err := t.out.Problem(writing, t.problems...); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// reader returns one that nobody uses.
func (t *task) reader() *reader {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.readers); n > 0 {
		r := t.readers[n-1]
		t.readers = t.readers[:n-1]
		return r
	}
	return &reader{t: t, builders: map[*catalog.Entry]*normalize.Builder{}}
}

func (t *task) idle(r *reader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.readers = append(t.readers, r)
}

// problem counts a problem.
func (t *task) problem(p schema.Problem) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.Account, p.Region, p.Count = t.at.Account, t.at.Region, 1
	if len(p.Sample) > 200 {
		p.Sample = strings.ToValidUTF8(p.Sample[:200], "")
	}
	for i := range t.problems {
		h := &t.problems[i]
		if h.Kind == p.Kind && h.Call == p.Call && h.Column == p.Column && h.Code == p.Code {
			h.Count++
			return
		}
	}
	t.problems = append(t.problems, p)
}

// fail notes that a call which others hang on failed for one of its parents.
func (t *task) fail(l *catalog.ListCall, r schema.ScopeResult) {
	if len(l.Children) == 0 || r.State == schema.Complete {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.broken[l]; !ok {
		t.broken[l] = r
	}
}

// origin is the parent that a call is made for; the zero value is none.
type origin struct {
	id       string // the parent's _id as text
	captures []string
}

// batches is the memory of what is read. Whoever is done with a batch gives it
// back.
var batches schema.Pool

// reader makes calls one after the other and collects their rows. Outcomes
// wait until the rows they are about are written.
type reader struct {
	t        *task
	builders map[*catalog.Entry]*normalize.Builder
	results  []schema.ScopeResult
}

func (r *reader) builder(e *catalog.Entry) *normalize.Builder {
	b := r.builders[e]
	if b == nil {
		b = r.t.s.plans[e].NewBuilder(&batches)
		r.builders[e] = b
	}
	return b
}

// flush writes the rows and reports the outcomes.
func (r *reader) flush(ctx context.Context) error {
	for _, b := range r.builders {
		if batch := b.Flush(); batch != nil {
			if err := r.t.out.Write(ctx, batch); err != nil {
				return err
			}
		}
	}
	for _, s := range r.results {
		if err := r.t.out.Scope(ctx, s); err != nil {
			return err
		}
	}
	r.results = r.results[:0]
	return nil
}

// flushFull flushes what has become large.
func (r *reader) flushFull(ctx context.Context) error {
	if len(r.results) >= heldResults {
		return r.flush(ctx)
	}
	for _, b := range r.builders {
		if b.Len() >= batchRows || b.Bytes() >= batchBytes {
			if batch := b.Flush(); batch != nil {
				if err := r.t.out.Write(ctx, batch); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// count is what a list call came to so far.
type count struct {
	calls int64
	rows  map[*catalog.Entry]int64
	// located are the rows by location, of kinds that have them.
	located map[*catalog.Entry]map[string]int64
	lacks   lacks
	// stretches are where the items of the page stand, as far as that is known.
	stretches []normalize.Stretch
	// found are what a list that recurses is asked for next.
	found []string
}

// locate counts the rows that a builder has located since it began.
func (n *count) locate(e *catalog.Entry, b *normalize.Builder) {
	for location, rows := range b.Located() {
		if n.located[e] == nil {
			n.located[e] = map[string]int64{}
		}
		n.located[e][location] += rows
	}
}

// list reads a list call for a parent, or for none, and keeps the outcome of
// its scopes. Its error is the writer's, all others are outcomes.
func (r *reader) list(ctx, writing context.Context, l *catalog.ListCall, o origin) error {
	begun := time.Now()
	n := count{rows: map[*catalog.Entry]int64{}, located: map[*catalog.Entry]map[string]int64{}}
	var failure error
	for _, in := range l.Inputs {
		werr, err := r.pages(ctx, writing, l, in, o, &n)
		if werr != nil {
			return werr
		}
		if err != nil {
			failure = err
			break
		}
	}
	result := r.t.outcome(ctx, l, failure)
	result.Calls, result.Duration = n.calls, time.Since(begun)
	report := func(e *catalog.Entry, parent string, rows int64) {
		result.Scope = r.t.scope(e, parent)
		result.Rows = rows
		r.results = append(r.results, result)
		result.Calls = 0 // counted once
	}
	for _, e := range l.Entries {
		if e.Spec.Located {
			r.results = append(r.results, r.t.locations(ctx, l, e, &n, result)...)
			result.Calls = 0
		}
	}
	if k, ok := n.lacks.any(); ok && result.State == schema.Complete {
		result = lacking(result, k)
	}
	for _, e := range l.Entries {
		if !e.Spec.Located {
			report(e, o.id, n.rows[e])
		}
	}
	if o.id != "" {
		r.t.fail(l, result)
		return r.flushFull(writing)
	}
	// Which parents there are is known as well as their list is, and as all
	// the lists above it are.
	var children func(l *catalog.ListCall)
	children = func(l *catalog.ListCall) {
		above := result
		for _, c := range l.Children {
			for _, e := range c.Entries {
				report(e, "", 0)
			}
			if failed, ok := r.t.broken[c]; ok && result.State == schema.Complete {
				result = failed
			}
			children(c)
			result = above
		}
	}
	children(l)
	return r.flushFull(writing)
}

// pages reads all pages of a list call with one of its inputs. The first
// error is the writer's; the second says why the list is not complete.
func (r *reader) pages(ctx, writing context.Context, l *catalog.ListCall, in *catalog.Input, o origin, n *count) (error, error) {
	input, err := in.Values(r.t.vars(o))
	if err != nil {
		return nil, err
	}
	first := maps.Clone(input)
	seen := map[string]bool{}
	for {
		if werr, err := r.pagesOf(ctx, writing, l, input, o, n); werr != nil || err != nil || l.Recurse == nil {
			return werr, err
		}
		for next := ""; ; {
			if len(n.found) == 0 {
				return nil, nil
			}
			if next, n.found = n.found[0], n.found[1:]; !seen[next] {
				seen[next] = true
				input = maps.Clone(first)
				input[l.Recurse.Member] = next
				break
			}
		}
	}
}

// pagesOf reads all pages of a list call with an input.
func (r *reader) pagesOf(ctx, writing context.Context, l *catalog.ListCall, input map[string]any, o origin, n *count) (error, error) {
	for {
		resp, err := r.t.do(ctx, l.Service, l.Op, input, l.Headers, func(b []byte) []byte { return r.t.s.redact(l, b) })
		if err != nil {
			n.calls++
			return nil, err
		}
		n.calls += int64(max(resp.Attempts, 1))
		tokens, werr, err := r.page(ctx, writing, l, o, resp, n)
		if err == nil && l.Partial != nil {
			n.lacks.read(l.Partial, resp.Body, n.stretches)
		}
		resp.Release()
		if werr != nil || err != nil {
			return werr, err
		}
		if werr := r.flushFull(writing); werr != nil {
			return werr, nil
		}
		if l.Pager == nil {
			return nil, nil
		}
		more, err := l.Pager.Next(input, tokens)
		if err != nil || !more {
			return nil, err
		}
	}
}

// page makes rows of a page for all kinds that it feeds.
func (r *reader) page(ctx, writing context.Context, l *catalog.ListCall, o origin, resp *Answer, n *count) (tokens []string, werr, err error) {
	n.stretches = nil
	for _, e := range feeds(l) {
		wanted := contains(l.Entries, e)
		b := r.builder(e)
		where := normalize.Origin{
			Scope:     r.t.scope(e, o.id),
			Partition: r.t.at.Partition, Parent: o.captures,
		}
		b.Begin(where)
		if wanted && !e.Split() {
			var rows int
			if tokens, rows, err = b.Page(resp.Body, resp.Header); err != nil {
				return nil, nil, err
			}
			n.rows[e] += int64(rows)
			n.locate(e, b)
			n.stretches = b.Stretches()
			continue
		}
		p, err := r.t.s.plans[e].Split(resp.Body, resp.Header)
		if err != nil {
			return nil, nil, err
		}
		tokens = p.Tokens
		if l.Recurse != nil && l.Recurse.Entry == e {
			for _, it := range p.Items {
				if v, ok := it.Capture(l.Recurse.Capture); ok && v != "" {
					n.found = append(n.found, v)
				}
			}
		}
		items := r.t.keep(e, p.Items)
		var docs *details
		if wanted {
			docs, err = r.t.details(ctx, e, items, o)
			if err != nil {
				return nil, nil, err
			}
			for i, it := range items {
				if docs.gone[i] {
					continue
				}
				if err := r.t.append(b, e, it, docs.of(i)); err != nil {
					docs.release()
					return nil, nil, err
				}
				n.rows[e]++
			}
			docs.release()
			n.locate(e, b)
		}
		if werr := r.children(ctx, writing, l, e, items, docs, where); werr != nil {
			return nil, werr, nil
		}
	}
	return tokens, nil, nil
}

// children lists the kinds that hang on the items of a page.
func (r *reader) children(ctx, writing context.Context, l *catalog.ListCall, e *catalog.Entry, items []normalize.Item, docs *details, where normalize.Origin) error {
	var calls []*catalog.ListCall
	for _, c := range l.Children {
		if c.Parent == e {
			calls = append(calls, c)
		}
	}
	if len(calls) == 0 {
		return nil
	}
	g := new(errgroup.Group)
	g.SetLimit(childrenAtOnce)
	inline := where.Scope.Parent != "" // a parent of a parent: this reader's own turn
	for i, it := range items {
		if docs != nil && docs.gone[i] {
			continue
		}
		id, ok := it.ID(where)
		if !ok {
			continue
		}
		o := origin{id: uuid.UUID(id).String(), captures: captures(e, it, origin{captures: where.Parent})}
		each := func(r *reader) error {
			for _, c := range calls {
				var err error
				if holds(c.When, it) {
					err = r.list(ctx, writing, c, o)
				} else {
					err = r.none(writing, c, o)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}
		if inline {
			if err := each(r); err != nil {
				return err
			}
			continue
		}
		g.Go(func() error {
			own := r.t.reader()
			defer r.t.idle(own)
			return each(own)
		})
	}
	return g.Wait()
}

// none reports that a parent has none of the kinds of a call.
func (r *reader) none(writing context.Context, l *catalog.ListCall, o origin) error {
	for _, e := range l.Entries {
		r.results = append(r.results, schema.ScopeResult{
			Scope: r.t.scope(e, o.id),
			State: schema.Complete,
		})
	}
	return r.flushFull(writing)
}

// keep leaves out the items that do not meet the kind's conditions.
func (t *task) keep(e *catalog.Entry, items []normalize.Item) []normalize.Item {
	if len(e.Only) == 0 {
		return items
	}
	kept := items[:0]
	for _, it := range items {
		if holds(e.Only, it) {
			kept = append(kept, it)
		}
	}
	return kept
}

func holds(conditions []catalog.Condition, it normalize.Item) bool {
	for _, c := range conditions {
		if !c.Holds(it.CaptureAll(c.Capture)) {
			return false
		}
	}
	return true
}

// captures are the values that the spec captures of an item, "" for none.
func captures(e *catalog.Entry, it normalize.Item, o origin) []string {
	out := make([]string, len(e.Spec.Captures))
	for i, x := range e.Spec.Captures {
		if n := x.Parent; n > 0 && n <= len(o.captures) {
			out[i] = o.captures[n-1]
		} else {
			out[i], _ = it.Capture(i)
		}
	}
	return out
}

func contains(entries []*catalog.Entry, e *catalog.Entry) bool {
	for _, x := range entries {
		if x == e {
			return true
		}
	}
	return false
}

func (t *task) vars(o origin) catalog.Vars {
	region := t.at.Region
	if t.at.CallRegion != "" {
		region = t.at.CallRegion
	}
	return catalog.Vars{Account: t.at.Account, Region: region, Partition: t.at.Partition, Parent: o.captures}
}

// scope is the scope of a kind in the task's place.
func (t *task) scope(e *catalog.Entry, parent string) schema.Scope {
	return schema.Scope{Cloud: t.at.Cloud, Account: t.at.Account, Region: t.at.Region, Kind: e.Kind.Name, Parent: parent}
}

// do makes a call under the limits of its service.
func (t *task) do(ctx context.Context, service, op string, input map[string]any, headers map[string]string, redact func([]byte) []byte) (*Answer, error) {
	c := t.s.calls[callKey{service, op}]
	call := Call{Service: c.service, Op: c.op, Input: input, Redact: redact}
	if service == t.listed.Service {
		call.Limit = t.limit
	}
	if len(headers) > 0 {
		call.Header = http.Header{}
		for k, v := range headers {
			call.Header.Set(k, v)
		}
	}
	return t.at.Caller.Do(ctx, call)
}

// feeds are the kinds that a call's answers are read for: the wanted ones and
// those whose items have others listed for each.
func feeds(l *catalog.ListCall) []*catalog.Entry {
	all := l.Entries
	for _, c := range l.Children {
		if !contains(all, c.Parent) {
			all = append(all[:len(all):len(all)], c.Parent)
		}
	}
	return all
}
