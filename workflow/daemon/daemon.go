// Package daemon does things on schedules: one at a time, for as long as it
// leads those that could. In go tasks, out come their runs.
package daemon

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Task is something to do on a schedule.
type Task struct {
	Name     string
	Schedule *Schedule
	// Jitter is how much later than its time it may begin, by chance.
	Jitter time.Duration
	// CatchUp has a task be done at once when its time passed while nobody ran.
	CatchUp bool
	// Last is when it was done last, zero if that was never or is not known. It
	// is asked when the daemon begins to lead. Nil is never and to wait.
	Last func(context.Context) time.Time
	// Run does it. When ctx ends it comes to a good end soon, when stop does, at
	// once.
	Run func(ctx, stop context.Context)
}

// Term is a time of leading.
type Term interface {
	// Lost is closed when another one leads.
	Lost() <-chan struct{}
	// Resign ends it.
	Resign()
}

// Daemon does tasks, one at a time. A task whose time comes while another is
// done, or it itself, is done after that; more than one such time is one.
type Daemon struct {
	Log *slog.Logger
	// Elect waits until this daemon leads, or ctx ends. Nil leads always.
	Elect func(ctx context.Context) (Term, error)
	// Led, if not nil, is called when it begins to lead and when that ends.
	Led func(ctx context.Context, leads bool)
	// Skipped, if not nil, is called when a time of a task passes that is
	// waiting to be done already. Like Scheduled, it is called concurrently.
	Skipped func(task string)
	// Scheduled, if not nil, is called with the next time of a task.
	Scheduled func(task string, at time.Time)

	mu    sync.Mutex
	tasks []*Task
	set   chan struct{} // closed when tasks are replaced
	// times are the next times of tasks, by name and schedule.
	times map[string]time.Time
}

// Set replaces the tasks. What is being done comes to its end as it was. It is
// safe for concurrent use.
func (d *Daemon) Set(tasks []*Task) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tasks = tasks
	if d.set != nil {
		close(d.set)
	}
	d.set = make(chan struct{})
}

func (d *Daemon) current() ([]*Task, <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tasks, d.set
}

// retry is between two attempts to be elected.
const retry = 10 * time.Second

// Run does the tasks until ctx ends, and returns when the last has come to its
// end. Set must have been called.
func (d *Daemon) Run(ctx, stop context.Context) {
	for ctx.Err() == nil {
		term, err := d.elect(ctx)
		if err != nil {
			if ctx.Err() == nil {
				d.Log.Warn("cannot be elected: trying again", "error", err.Error())
				_ = wait(ctx, retry)
			}
			continue
		}
		leading, end := context.WithCancel(ctx)
		var wg sync.WaitGroup
		if term != nil {
			wg.Go(func() {
				select {
				case <-term.Lost():
					d.Log.Warn("another process leads now")
					end()
				case <-leading.Done():
				}
			})
		}
		d.led(leading, true)
		d.lead(leading, stop)
		end()
		wg.Wait()
		d.led(ctx, false)
		if term != nil {
			term.Resign()
		}
	}
}

func (d *Daemon) elect(ctx context.Context) (Term, error) {
	if d.Elect == nil {
		return nil, nil
	}
	return d.Elect(ctx)
}

func (d *Daemon) led(ctx context.Context, leads bool) {
	if d.Led != nil {
		d.Led(ctx, leads)
	}
}

// lead does the tasks until ctx ends.
func (d *Daemon) lead(ctx, stop context.Context) {
	q := &queue{ready: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for first := true; ctx.Err() == nil; first = false {
			tasks, replaced := d.current()
			clocks, end := context.WithCancel(ctx)
			var all sync.WaitGroup
			for _, t := range tasks {
				all.Go(func() { d.clock(clocks, t, q, first) })
			}
			select {
			case <-replaced:
			case <-ctx.Done():
			}
			end()
			all.Wait()
			tasks, _ = d.current()
			q.replace(tasks)
		}
	})
	for {
		select {
		case <-q.ready:
		case <-ctx.Done():
			wg.Wait()
			return
		}
		for t := q.next(); t != nil && ctx.Err() == nil; t = q.next() {
			t.Run(ctx, stop)
		}
	}
}

// clock puts a task into the queue whenever its time comes.
func (d *Daemon) clock(ctx context.Context, t *Task, q *queue, first bool) {
	now := time.Now()
	at := t.Schedule.Next(now)
	switch {
	case first && t.Last != nil:
		at = t.Schedule.first(now, t.Last(ctx), t.CatchUp)
	case !first:
		// Tasks that are replaced do not begin to count anew.
		if was := d.timeOf(t); was.After(now) {
			at = was
		}
	}
	for {
		d.setTime(t, at)
		if d.Scheduled != nil {
			d.Scheduled(t.Name, at)
		}
		late := time.Duration(0)
		if t.Jitter > 0 && at.After(now) {
			late = rand.N(t.Jitter)
		}
		if wait(ctx, time.Until(at)+late) != nil {
			return
		}
		if !q.put(t) && d.Skipped != nil {
			d.Skipped(t.Name)
		}
		// Times that passed meanwhile, as a machine slept, are this one.
		if at = t.Schedule.Next(at); !at.After(time.Now()) {
			at = t.Schedule.Next(time.Now())
		}
	}
}

func (d *Daemon) timeOf(t *Task) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.times[t.Name+"\x00"+t.Schedule.text]
}

func (d *Daemon) setTime(t *Task, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.times == nil {
		d.times = map[string]time.Time{}
	}
	d.times[t.Name+"\x00"+t.Schedule.text] = at
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// queue holds tasks in the order of their times, each once.
type queue struct {
	mu    sync.Mutex
	tasks []*Task
	ready chan struct{}
}

// put adds a task, unless it waits already.
func (q *queue) put(t *Task) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if slices.ContainsFunc(q.tasks, func(o *Task) bool { return o.Name == t.Name }) {
		return false
	}
	q.tasks = append(q.tasks, t)
	select {
	case q.ready <- struct{}{}:
	default:
	}
	return true
}

func (q *queue) next() *Task {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return nil
	}
	t := q.tasks[0]
	q.tasks = q.tasks[1:]
	return t
}

// replace has those that wait be done as they are now, if they still are.
func (q *queue) replace(tasks []*Task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var kept []*Task
	for _, t := range q.tasks {
		if i := slices.IndexFunc(tasks, func(o *Task) bool { return o.Name == t.Name }); i >= 0 {
			kept = append(kept, tasks[i])
		}
	}
	q.tasks = kept
}
