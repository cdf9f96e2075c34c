package acting

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
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

// sweeping is the call of a sweep, as a plan shows it.
func sweeping(s *catalog.Sweep, v catalog.Vars) (action.Call, error) {
	list, in, err := s.List.Resolve(v)
	if err != nil {
		return action.Call{}, err
	}
	v.Shown = true
	shown, err := s.Input.Values(v)
	return action.Call{Service: s.Service, Op: s.Op, Input: shown, Each: &action.Call{Service: list.Service, Op: list.Op, Input: in}}, err
}

// sweep reads the answers to the calls of a sweep.
type sweep struct {
	*catalog.Sweep
	items    []*normalize.Plan // by Items
	failures *normalize.Plan   // nil where the answer has none
}

// atOnce is how many calls of a sweep are under way together, and repeats how
// often a list may begin with what was just called for: some go only when what
// is being written to them has ended.
const (
	atOnce  = 8
	repeats = 5
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
		items, err := c.page(ctx, r, s, call.Each)
		if err != nil || len(items) == 0 {
			return requestID, err
		}
		if now := strings.Join(items[0], "\x00"); now != first {
			first, same = now, 0
		} else if same++; same == repeats {
			return requestID, &action.Error{Err: fmt.Errorf("%s was called for %s, which is still there", s.Op, strings.Join(items[0], " "))}
		}
		id, done, err := c.each(ctx, r, s, items)
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

// page lists what a sweep is to be made for: the captures of each item.
func (c *Cloud) page(ctx context.Context, r action.Resource, s *sweep, list *action.Call) ([][]string, error) {
	a, _, _, err := c.send(ctx, r, list.Service, list.Op, list.Input, s.List.Headers)
	if err != nil {
		return nil, err
	}
	defer a.Release()
	var out [][]string
	for _, plan := range s.items {
		items, err := texts(plan, a.Body, a.Header, len(s.Captures))
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
	}
	return out, nil
}

// each makes the call for items and says for how many it was carried out.
func (c *Cloud) each(ctx context.Context, r action.Resource, s *sweep, items [][]string) (requestID string, done int, err error) {
	var mu sync.Mutex
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for batch := range slices.Chunk(items, max(1, s.Size)) {
		group.Go(func() error {
			v := vars(r, action.Args{})
			v.Item, v.Batch = batch[0], batch
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
			failed, err := s.refused(a.Body, a.Header, len(batch))
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
func (s *sweep) refused(body []byte, header http.Header, of int) (int, error) {
	if s.failures == nil {
		return 0, nil
	}
	all, err := texts(s.failures, body, header, 3)
	if err != nil {
		return of, err
	}
	failed, busy := 0, true
	e := &action.Error{}
	for _, f := range all {
		switch f[1] {
		case "NoSuchKey", "NoSuchVersion":
			continue
		case "InternalError", "SlowDown", "ServiceUnavailable", "OperationAborted":
		default:
			busy = false
		}
		if failed++; e.Err == nil || !busy && e.Busy {
			e.Code, e.Busy = f[1], busy
			e.Err = fmt.Errorf("%s of %s: %s", s.Op, f[0], strings.TrimSuffix(f[1]+": "+f[2], ": "))
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

// texts are the captures of a page's items.
func texts(plan *normalize.Plan, body []byte, header http.Header, n int) ([][]string, error) {
	page, err := plan.Split(body, header)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(page.Items))
	for i, item := range page.Items {
		out[i] = make([]string, n)
		for k := range n {
			out[i][k], _ = item.Capture(k)
		}
	}
	return out, nil
}

// declaredSweep is what the catalogue says of a call that is made for many.
func (c *Cloud) declaredSweep(r action.Resource, call action.Call) (*catalog.Sweep, error) {
	if e, ok := c.Catalogue.Entry(r.Kind); ok && e.Empty != nil {
		for _, s := range e.Empty.Sweeps {
			if s.Op == call.Op && s.Service == call.Service && call.Each != nil && s.List.Op == call.Each.Op {
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
		plan, err := c.captures(r, declared.List.Service, declared.List.Op, items, declared.Captures)
		if err != nil {
			return nil, err
		}
		s.items = append(s.items, plan)
	}
	if declared.Failures == nil {
		return s, nil
	}
	paths := []normalize.Expr{{Path: declared.FailureKey}, {Path: declared.FailureCode}}
	if declared.FailureReason != nil {
		paths = append(paths, normalize.Expr{Path: declared.FailureReason})
	}
	var err error
	s.failures, err = c.captures(r, declared.Service, declared.Op, declared.Failures, paths)
	return s, err
}

// captures makes a plan that reads values of the items of an answer.
func (c *Cloud) captures(r action.Resource, service, op string, items normalize.Path, values []normalize.Expr) (*normalize.Plan, error) {
	svc, o, err := c.lookup(r.Cloud, service, op)
	if err != nil {
		return nil, err
	}
	v, _ := c.vendor(r.Cloud)
	src := normalize.Source{Call: op, Format: normalize.JSON, Shape: v.Normalize(svc, o), Items: items}
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
