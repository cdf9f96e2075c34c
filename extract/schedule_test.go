package extract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collect is a Writer that remembers outcomes.
type collect struct {
	mu     sync.Mutex
	scopes []schema.ScopeResult
	fail   error
}

func (c *collect) Write(_ context.Context, b *schema.Batch) error { b.Release(); return c.fail }

func (c *collect) Problem(context.Context, ...schema.Problem) error { return c.fail }

func (c *collect) Scope(_ context.Context, r schema.ScopeResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = append(c.scopes, r)
	return c.fail
}

// tasks is a source that yields what it is told.
type tasks []Task

func (tasks) Cloud() string         { return "test" }
func (tasks) Kinds() []*schema.Kind { return nil }

func (ts tasks) Tasks(context.Context, Writer) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) {
		for _, t := range ts {
			if !yield(t, nil) {
				return
			}
		}
	}
}

func task(account, service string, run func(ctx context.Context, out Writer) error) Task {
	s := schema.Scope{Cloud: "test", Account: account, Kind: service}
	return Task{Account: account, Service: service, Scopes: []schema.Scope{s}, Run: run}
}

func TestScheduleTakesTurnsOverAccountsAndServices(t *testing.T) {
	var order []string
	var ts tasks
	for _, account := range []string{"a", "b"} {
		for i := range 3 {
			ts = append(ts, task(account, "ec2", func(context.Context, Writer) error {
				order = append(order, fmt.Sprint(account, i))
				return nil
			}))
		}
	}
	q := newQueue()
	for _, t := range ts {
		q.push(t)
	}
	q.close()
	for {
		next, ok := q.pop()
		if !ok {
			break
		}
		if err := next.Run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := fmt.Sprint(order), "[a0 b0 a1 b1 a2 b2]"; got != want {
		t.Fatalf("order %s, want %s", got, want)
	}
}

func TestScheduleRunsEveryTaskOnce(t *testing.T) {
	var n atomic.Int64
	var ts tasks
	for i := range 500 {
		ts = append(ts, task(fmt.Sprint(i%7), fmt.Sprint(i%11), func(context.Context, Writer) error {
			n.Add(1)
			return nil
		}))
	}
	if err := Schedule(t.Context(), []Source{ts[:250], ts[250:]}, &collect{}, 16); err != nil {
		t.Fatal(err)
	}
	if n.Load() != 500 {
		t.Fatalf("%d tasks ran, want 500", n.Load())
	}
}

func TestScheduleReportsWhatAnInterruptLeavesOut(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	ts := tasks{task("a", "first", func(ctx context.Context, out Writer) error {
		cancel(why)
		return context.Cause(ctx)
	})}
	for i := range 20 {
		ts = append(ts, task("a", fmt.Sprint("later", i), func(context.Context, Writer) error {
			t.Error("a task began after the interrupt")
			return nil
		}))
	}
	out := &collect{}
	if err := Schedule(ctx, []Source{ts}, out, 1); !errors.Is(err, why) {
		t.Fatalf("error %v, want %v", err, why)
	}
	// Discovery may have been cut short by the interrupt as well.
	for _, s := range out.scopes {
		if s.State != schema.Skipped {
			t.Errorf("%s is %s, want skipped", s.Scope.Kind, s.State)
		}
	}
}

func TestScheduleEndsWithASinksError(t *testing.T) {
	full := errors.New("disk full")
	var ts tasks
	for i := range 50 {
		ts = append(ts, task("a", fmt.Sprint(i), func(ctx context.Context, out Writer) error {
			return out.Scope(ctx, schema.ScopeResult{State: schema.Complete})
		}))
	}
	if err := Schedule(t.Context(), []Source{ts}, &collect{fail: full}, 8); !errors.Is(err, full) {
		t.Fatalf("error %v, want %v", err, full)
	}
}

func TestScheduleEndsWhenDiscoveryFails(t *testing.T) {
	bad := errors.New("no credentials")
	if err := Schedule(t.Context(), []Source{failing{err: bad}}, &collect{}, 4); !errors.Is(err, bad) {
		t.Fatalf("error %v, want %v", err, bad)
	}
}

type failing struct {
	tasks
	err error
}

func (f failing) Tasks(context.Context, Writer) iter.Seq2[Task, error] {
	return func(yield func(Task, error) bool) { yield(Task{}, f.err) }
}
