package acting

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// contents are the calls that empty one of a kind.
func contents(e *catalog.Entry) []*catalog.Action {
	if e.Empty == nil {
		return nil
	}
	out := []*catalog.Action{e.Empty.Instead}
	for _, s := range e.Empty.Sweeps {
		out = append(out, s.List, &s.Action)
	}
	return out
}

// emptying are the calls before a deletion that delete what is in a resource.
func emptying(e *catalog.Emptying, r action.Resource, a action.Args) ([]action.Call, error) {
	for name, values := range e.Unless {
		if slices.Contains(values, r.Columns[name]) {
			return nil, fmt.Errorf("it cannot be emptied: its %s is %s", name, r.Columns[name])
		}
	}
	var out []action.Call
	for i, s := range e.Sweeps {
		call, err := sweeping(s, vars(r, a))
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", s.Op, r.ID, err)
		}
		if i == len(e.Sweeps)-1 {
			call.Says = "empties it: deletes " + e.What + " for good, how many is not known"
		}
		out = append(out, call)
	}
	return out, nil
}

// Detaches implements action.Calls.
func (c Declared) Detaches(kind, relation, to string) (can, needed bool) {
	e, ok := c.Catalogue.Entry(kind)
	if !ok {
		return false, false
	}
	for _, d := range e.Detaches {
		if d.Relation == relation && d.To == to {
			can, needed = true, needed || d.Needed
		}
	}
	return can, needed
}

// detaching are the calls that take a resource's references to another away.
func detaching(e *catalog.Entry, r action.Resource, a action.Args) ([]action.Call, error) {
	var out []action.Call
	for _, d := range e.Detaches {
		if a.To == nil || d.To != a.To.Kind || d.Relation != a.Relation {
			continue
		}
		call, err := sweeping(d.Sweep, vars(r, a))
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", d.Op, r.ID, err)
		}
		call.To, call.Says = a.To.ID, "detaches it from "+a.To.Shown()+", which goes down as well"
		out = append(out, call)
	}
	if out == nil {
		return nil, fmt.Errorf("detach %s from what it %s: %w", r.Kind, a.Relation, action.ErrCannot)
	}
	return out, nil
}

// sweeping is the call of a sweep, as a plan shows it.
func sweeping(s *catalog.Sweep, v catalog.Vars) (action.Call, error) {
	call := action.Call{Service: s.Service, Op: s.Op}
	var err error
	if s.List == nil {
		call.Input, err = s.Input.Values(v)
		return call, err
	}
	list, in, err := s.List.Resolve(v)
	if err != nil {
		return call, err
	}
	call.Each = &action.Call{Service: list.Service, Op: list.Op, Input: in}
	for _, o := range s.Only {
		want, err := o.Want(v)
		if err != nil {
			return call, err
		}
		if call.Only == nil {
			call.Only = map[string]string{}
		}
		call.Only[o.Path] = want
	}
	v.Shown = true
	call.Input, err = s.Input.Values(v)
	return call, err
}

// sweep reads the answers to the calls of a sweep.
type sweep struct {
	*catalog.Sweep
	items    []*normalize.Plan // by Items
	failures *normalize.Plan   // nil where the answer has none
}

// atOnce is how many calls of a sweep are under way together, and repeats how
// often a list may begin with what was just called for before that needs a
// pause: what lists is not always the same as what was called.
const (
	atOnce  = 8
	repeats = 2
)

// Sweep implements action.Sweeper. It keeps no more than a page.
func (c *Cloud) Sweep(ctx context.Context, r action.Resource, call action.Call, made func(n int) error) (requestID string, err error) {
	declared, err := c.declaredSweep(r, call)
	if err != nil {
		return "", err
	}
	f, _ := c.sweeps.LoadOrStore(declared, sync.OnceValues(func() (*sweep, error) { return c.compileSweep(r, declared) }))
	s, err := f.(func() (*sweep, error))()
	if err != nil {
		return "", err
	}
	n, same, first := 0, 0, ""
	for {
		items, err := c.page(ctx, r, s, call)
		if err != nil || len(items) == 0 {
			return requestID, err
		}
		if now := strings.Join(items[0], "\x00"); now != first {
			first, same = now, 0
		} else if same++; same == repeats {
			return requestID, &action.Error{Busy: true, Err: fmt.Errorf("%s was called for %s, which is still there", s.Op, strings.Join(items[0], " "))}
		}
		id, done, err := c.each(ctx, r, s, call.To, items)
		if n += done; id != "" {
			requestID = id
		}
		if done > 0 {
			if err := made(n); err != nil {
				return requestID, err
			}
		}
		if err != nil {
			return requestID, err
		}
	}
}

// page lists what a sweep is to be made for: the captures of each item, of the
// first page that has any.
func (c *Cloud) page(ctx context.Context, r action.Resource, s *sweep, call action.Call) ([][]string, error) {
	in := maps.Clone(call.Each.Input)
	for {
		a, _, _, err := c.send(ctx, r, call.Each.Service, call.Each.Op, in, s.List.Headers)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", call.Each.Op, err)
		}
		var out [][]string
		var tokens []string
		for _, plan := range s.items {
			items, next, err := texts(plan, a.Body, a.Header, len(s.Captures))
			if err != nil {
				a.Release()
				return nil, err
			}
			out, tokens = append(out, items...), next
		}
		a.Release()
		out = slices.DeleteFunc(out, func(item []string) bool {
			return slices.ContainsFunc(s.Only, func(o catalog.Only) bool { return item[o.Capture] != call.Only[o.Path] })
		})
		if len(out) > 0 || s.Pager == nil {
			return out, nil
		}
		if more, err := s.Pager.Next(in, tokens); err != nil || !more {
			return nil, err
		}
	}
}

// each makes the call for items and says for how many it was carried out.
func (c *Cloud) each(ctx context.Context, r action.Resource, s *sweep, to string, items [][]string) (requestID string, done int, err error) {
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for batch := range slices.Chunk(items, max(1, s.Size)) {
		group.Go(func() error {
			v := vars(r, action.Args{})
			v.Item, v.Batch, v.To = batch[0], batch, to
			in, err := s.Input.Values(v)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Op, err)
			}
			a, _, _, err := c.send(within, r, s.Service, s.Op, in, s.Headers)
			var e *action.Error
			if errors.As(err, &e) && e.Gone {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%s of %s: %w", s.Op, strings.Join(batch[0], " "), err)
			}
			defer a.Release()
			failed, err := refused(s.failures, s.Op, strings.Join(batch[0], " "), a, len(batch))
			mu.Lock()
			done += len(batch) - failed
			requestID = a.Header.Get("X-Amz-Request-Id")
			mu.Unlock()
			return err
		})
	}
	err = group.Wait()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return requestID, done, err
}

// refused counts what an answer says was not done of a batch. What is gone
// already is.
func refused(failures *normalize.Plan, op, one string, a *reading.Answer, of int) (int, error) {
	if failures == nil {
		return 0, nil
	}
	all, _, err := texts(failures, a.Body, a.Header, 3)
	if err != nil {
		return of, err
	}
	failed, busy := 0, true
	e := &action.Error{}
	for _, f := range all {
		code, what, why := f[0], f[1], f[2]
		if what == code || what == "" {
			what = one
		}
		if why == code {
			why = ""
		}
		switch code {
		case "NoSuchKey", "NoSuchVersion":
			continue
		case "InternalError", "InternalServiceException", "SlowDown", "ServiceUnavailable", "OperationAborted":
		default:
			busy = false
		}
		if failed++; e.Err == nil || !busy && e.Busy {
			e.Code, e.Busy = code, busy
			e.Err = fmt.Errorf("%s of %s: %s", op, what, strings.TrimSuffix(code+": "+why, ": "))
		}
	}
	if failed == 0 {
		return 0, nil
	}
	e.Busy = busy
	if failed > 1 {
		e.Err = fmt.Errorf("%w, and %d more of %d", e.Err, failed-1, of)
	}
	return failed, e
}

// texts are the captures of a page's items, with its tokens.
func texts(plan *normalize.Plan, body []byte, header http.Header, n int) (items [][]string, tokens []string, err error) {
	page, err := plan.Split(body, header)
	if err != nil {
		return nil, nil, err
	}
	out := make([][]string, len(page.Items))
	for i, item := range page.Items {
		out[i] = make([]string, n)
		for k := range n {
			out[i][k], _ = item.Capture(k)
		}
	}
	return out, page.Tokens, nil
}

// declaredSweep is what the catalogue says of a call that is made for many.
func (c *Cloud) declaredSweep(r action.Resource, call action.Call) (*catalog.Sweep, error) {
	if e, ok := c.Catalogue.Entry(r.Kind); ok && call.Each != nil {
		var all []*catalog.Sweep
		if e.Empty != nil {
			all = append(all, e.Empty.Sweeps...)
		}
		for _, d := range e.Detaches {
			all = append(all, d.Sweep)
		}
		for _, s := range all {
			if s.Op == call.Op && s.Service == call.Service && s.List != nil && s.List.Op == call.Each.Op {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("%s of %s: %w", call.Op, r.Kind, action.ErrCannot)
}

// compileSweep makes plans by which the answers are read.
func (c *Cloud) compileSweep(r action.Resource, declared *catalog.Sweep) (*sweep, error) {
	s := &sweep{Sweep: declared}
	for _, items := range declared.Items {
		var tokens []normalize.Path
		if declared.Pager != nil {
			tokens = declared.Pager.Paths()
		}
		plan, err := c.captures(r, declared.List.Service, declared.List.Op, items, tokens, declared.Captures)
		if err != nil {
			return nil, err
		}
		s.items = append(s.items, plan)
	}
	var err error
	s.failures, err = c.failures(r, &declared.Action)
	return s, err
}

// failures makes the plan by which it is read what an answer says was not done:
// its code, what and why. It is nil where the answer does not say that.
func (c *Cloud) failures(r action.Resource, a *catalog.Action) (*normalize.Plan, error) {
	if a.Failures == nil {
		return nil, nil
	}
	paths := []normalize.Expr{{Path: a.FailureCode}, {Path: a.FailureKey}, {Path: a.FailureReason}}
	for i := range paths {
		if paths[i].Path == nil {
			paths[i].Path = a.FailureCode // refused knows it
		}
	}
	return c.captures(r, a.Service, a.Op, a.Failures, nil, paths)
}

// judge is what an answer to a call for one resource says was not done of it.
func (c *Cloud) judge(r action.Resource, call action.Call, answer *reading.Answer) error {
	e, ok := c.Catalogue.Entry(r.Kind)
	if !ok {
		return nil
	}
	for _, v := range []action.Verb{action.Delete, action.Tag, action.Untag, action.Stop, action.Start} {
		for _, a := range of(e, v) {
			for ; a != nil; a = a.Else {
				if a.Failures == nil || a.Op != call.Op || a.Service != call.Service {
					continue
				}
				plan, err := c.failures(r, a)
				if err == nil {
					_, err = refused(plan, a.Op, r.ID, answer, 1)
				}
				return err
			}
		}
	}
	return nil
}

// captures makes a plan that reads values of the items of an answer.
func (c *Cloud) captures(r action.Resource, service, op string, items normalize.Path, tokens []normalize.Path, values []normalize.Expr) (*normalize.Plan, error) {
	svc, o, err := c.lookup(r.Cloud, service, op)
	if err != nil {
		return nil, err
	}
	v, _ := c.vendor(r.Cloud)
	src := normalize.Source{Call: op, Format: normalize.JSON, Shape: v.Normalize(svc, o), Items: items, Tokens: tokens}
	if v.Format != nil {
		src.Format = v.Format(svc)
	}
	if v.Wrap != nil {
		src.Wrap = v.Wrap(svc, o)
	}
	kind := schema.Kind{Name: r.Kind, Cloud: r.Cloud}
	plan, err := normalize.Compile(normalize.Spec{Kind: &kind, Sources: []normalize.Source{src}, ID: values[:1], Captures: values})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	return plan, nil
}
