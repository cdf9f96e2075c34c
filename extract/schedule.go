package extract

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Schedule runs the tasks of all sources, workers at a time, and returns when
// all have ended. Tasks of different accounts, regions and services take
// turns, so that neither one account nor one slow service holds the others
// up. The first error ends the others through their context; so does the
// caller's cancellation, and what was not begun by then is reported to out as
// skipped.
func Schedule(parent context.Context, sources []Source, out Writer, workers int) error {
	defer untidy()()
	g, ctx := errgroup.WithContext(parent)
	q := newQueue()
	stop := context.AfterFunc(ctx, q.close)
	defer stop()

	discover, dctx := errgroup.WithContext(ctx)
	for _, s := range sources {
		discover.Go(func() error {
			for t, err := range s.Tasks(dctx, out) {
				if err != nil {
					return err
				}
				q.push(t)
			}
			return nil
		})
	}
	g.Go(func() error {
		defer q.close()
		return discover.Wait()
	})
	for range workers {
		g.Go(func() error {
			for {
				if err := context.Cause(ctx); err != nil {
					return err
				}
				t, ok := q.pop()
				if !ok {
					return nil
				}
				if err := t.Run(ctx, out); err != nil {
					return err
				}
			}
		})
	}
	err := g.Wait()
	if cause := context.Cause(parent); cause != nil {
		for t, ok := q.pop(); ok; t, ok = q.pop() {
			if err := skip(parent, t, out, cause); err != nil {
				return err
			}
		}
	}
	return err
}

// skip reports the scopes of a task that is not run any more.
func skip(ctx context.Context, t Task, out Writer, cause error) error {
	ctx = context.WithoutCancel(ctx)
	for _, s := range t.Scopes {
		r := schema.ScopeResult{Scope: s, State: schema.Skipped, Error: "not begun: " + cause.Error()}
		if err := out.Scope(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// lane is what tasks are taken from in turns.
type lane struct{ account, region, service string }

// queue is an unbounded queue of tasks with one lane per account, region and
// service, served in turns: discovery yields few and small tasks, so that
// what is bounded are the pages, not they.
type queue struct {
	mu     sync.Mutex
	wake   sync.Cond
	lanes  map[lane][]Task
	turns  []lane
	next   int
	closed bool
}

func newQueue() *queue {
	q := &queue{lanes: map[lane][]Task{}}
	q.wake.L = &q.mu
	return q
}

func (q *queue) push(t Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := lane{t.Account, t.Region, t.Service}
	if len(q.lanes[l]) == 0 {
		q.turns = append(q.turns, l)
	}
	q.lanes[l] = append(q.lanes[l], t)
	q.wake.Signal()
}

// close lets pop return false once the queue is empty.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.wake.Broadcast()
}

func (q *queue) pop() (Task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.turns) == 0 {
		if q.closed {
			return Task{}, false
		}
		q.wake.Wait()
	}
	if q.next >= len(q.turns) {
		q.next = 0
	}
	l := q.turns[q.next]
	t := q.lanes[l][0]
	if rest := q.lanes[l][1:]; len(rest) > 0 {
		q.lanes[l] = rest
		q.next++
	} else {
		delete(q.lanes, l)
		q.turns = append(q.turns[:q.next], q.turns[q.next+1:]...)
	}
	return t, true
}

// garbage is how much of it may gather between two collections, in bytes.
const garbage = 64 << 20

// untidy lets more garbage gather than Go does where little else is in memory:
// reading makes much of it, and a small heap would be searched every moment.
// Whoever has set GOGC has decided already.
func untidy() (end func()) {
	const usual = 100
	if percent := debug.SetGCPercent(usual); percent != usual {
		debug.SetGCPercent(percent)
		return func() {}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	live := max(m.NextGC/2, 1<<20)
	debug.SetGCPercent(int(min(max(garbage*100/live, usual), 400)))
	return func() { debug.SetGCPercent(usual) }
}
