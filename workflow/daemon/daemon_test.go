package daemon_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dewpoint-data/dewpoint/workflow/daemon"
)

// clock is the time at which synctest begins.
var clock = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func schedule(t *testing.T, text, zone string) *daemon.Schedule {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	s, err := daemon.ParseSchedule(text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// runs are the instants at which a task was done, since the clock began.
type runs struct {
	mu  sync.Mutex
	all []string
}

func (r *runs) add(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, strings.TrimSpace(name+" "+time.Since(clock).String()))
}

func (r *runs) want(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.all, want) {
		t.Errorf("done at %v, want %v", r.all, want)
	}
	r.all = nil
}

// task notes when it is done, and takes so long, or until it is to end.
func (r *runs) task(name string, s *daemon.Schedule, takes time.Duration) *daemon.Task {
	return &daemon.Task{Name: name, Schedule: s, Run: func(ctx, _ context.Context) {
		r.add(name)
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			r.add("end of " + name)
		}
	}}
}

// during runs a daemon for a while.
func during(d *daemon.Daemon, long time.Duration, meanwhile func()) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { d.Run(ctx, context.Background()) })
	if meanwhile != nil {
		meanwhile()
	}
	time.Sleep(long)
	cancel()
	wg.Wait()
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		text, zone, after string
		want              []string
	}{
		{"17 * * * *", "UTC", "2026-03-01T08:17:00Z", []string{"2026-03-01T09:17:00Z", "2026-03-01T10:17:00Z"}},
		{"0 9 * * 1", "America/New_York", "2026-03-06T00:00:00Z", []string{"2026-03-09T13:00:00Z", "2026-03-16T13:00:00Z"}},
		{"@daily", "Asia/Kolkata", "2026-03-01T00:00:00Z", []string{"2026-03-01T18:30:00Z"}},
		{"90m", "UTC", "2026-03-01T08:17:00Z", []string{"2026-03-01T09:47:00Z", "2026-03-01T11:17:00Z"}},
		// 02:30 comes twice on the day that summer ends, and never on the day that
		// it begins.
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"}},
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", []string{"2026-03-30T00:30:00Z"}},
	} {
		at, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		s := schedule(t, c.text, c.zone)
		for _, want := range c.want {
			if at = s.Next(at); at.UTC().Format(time.RFC3339) != want {
				t.Errorf("%s in %s: %s, want %s", c.text, c.zone, at.UTC().Format(time.RFC3339), want)
			}
		}
	}
	for _, text := range []string{"", "61 * * * *", "10s", "@every 1h", "CRON_TZ=UTC 0 * * * *", "0 0 31 2 *", "hourly"} {
		if _, err := daemon.ParseSchedule(text, time.UTC); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestNextRunWaitsForTheLast holds that one run is waiting at most, and that
// nothing is done at the same time as anything else.
func TestNextRunWaitsForTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r runs
		var skipped atomic.Int64
		d := &daemon.Daemon{Skipped: func(string) { skipped.Add(1) }}
		d.Set([]*daemon.Task{r.task("cycle", schedule(t, "0 * * * *", "UTC"), 155*time.Minute), r.task("job", schedule(t, "30 * * * *", "UTC"), time.Minute)})
		during(d, 5*time.Hour+50*time.Minute, nil)
		r.want(t, "job 30m0s", "cycle 1h0m0s", "job 3h35m0s", "cycle 3h36m0s", "end of cycle 5h50m0s")
		// Of the cycle those at 3:00 and 5:00, of the job at 2:30, 3:30 and 5:30.
		if skipped.Load() != 5 {
			t.Errorf("%d times were skipped", skipped.Load())
		}
	})
}

func TestCatchUp(t *testing.T) {
	for _, c := range []struct {
		text    string
		last    time.Duration // before the start; 0 is never
		catchUp bool
		want    string
	}{
		{"0 * * * *", 90 * time.Minute, true, "0s"},
		{"0 * * * *", 90 * time.Minute, false, "1h0m0s"},
		{"0 * * * *", 0, true, "0s"},
		{"0 * * * *", 0, false, "1h0m0s"},
		{"45m", 30 * time.Minute, true, "15m0s"},
		{"45m", 30 * time.Minute, false, "15m0s"},
		{"45m", 50 * time.Minute, true, "0s"},
		{"45m", 50 * time.Minute, false, "45m0s"},
		{"45m", -time.Hour, true, "45m0s"}, // a clock that went wrong
	} {
		synctest.Test(t, func(t *testing.T) {
			var r runs
			x := r.task("", schedule(t, c.text, "UTC"), time.Second)
			x.CatchUp = c.catchUp
			x.Last = func(context.Context) time.Time {
				if c.last == 0 {
					return time.Time{}
				}
				return time.Now().Add(-c.last)
			}
			d := &daemon.Daemon{}
			d.Set([]*daemon.Task{x})
			during(d, 61*time.Minute, nil)
			if len(r.all) == 0 || r.all[0] != c.want {
				t.Errorf("%s, last %s ago, catch up %v: %v, want %s", c.text, c.last, c.catchUp, r.all, c.want)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late []time.Duration
		x := &daemon.Task{Name: "x", Schedule: schedule(t, "0 * * * *", "UTC"), Jitter: 10 * time.Minute, Run: func(context.Context, context.Context) {
			late = append(late, time.Since(clock)%time.Hour)
		}}
		d := &daemon.Daemon{}
		d.Set([]*daemon.Task{x})
		during(d, 100*time.Hour, nil)
		if len(late) < 99 || slices.Max(late) >= 10*time.Minute || slices.Max(late)-slices.Min(late) < 5*time.Minute {
			t.Errorf("%d runs, late by %v", len(late), late)
		}
	})
}

// TestReload holds that what is being done is not disturbed, that what waits is
// done as it is now, and that intervals do not begin anew.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r runs
		d := &daemon.Daemon{}
		hourly, half := schedule(t, "0 * * * *", "UTC"), schedule(t, "50m", "UTC")
		d.Set([]*daemon.Task{r.task("cycle", hourly, 95*time.Minute), r.task("job", half, time.Minute), r.task("old", schedule(t, "10 * * * *", "UTC"), time.Minute)})
		during(d, 2*time.Hour, func() {
			time.Sleep(2*time.Hour + 5*time.Minute) // the cycle is being done, all wait
			d.Set([]*daemon.Task{r.task("cycle", hourly, time.Minute), r.task("job", half, time.Minute)})
		})
		r.want(t, "old 10m0s", "job 50m0s", "cycle 1h0m0s", "job 2h35m0s", "cycle 2h36m0s", "cycle 3h0m0s", "job 3h20m0s", "cycle 4h0m0s")
	})
}

// TestStop holds that the run that is on is waited for.
func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		stop, abort := context.WithCancel(t.Context())
		defer abort()
		d := &daemon.Daemon{Log: slog.New(slog.DiscardHandler)}
		var ended time.Duration
		d.Set([]*daemon.Task{{Name: "x", Schedule: schedule(t, "0 * * * *", "UTC"), Run: func(ctx, stop context.Context) {
			<-ctx.Done()
			select { // the commit
			case <-time.After(10 * time.Minute):
			case <-stop.Done():
			}
			ended = time.Since(clock)
		}}})
		var wg sync.WaitGroup
		wg.Go(func() { d.Run(ctx, stop) })
		time.Sleep(90 * time.Minute)
		cancel()
		wg.Wait()
		if ended != 100*time.Minute {
			t.Errorf("it ended at %s", ended)
		}
	})
}

// term is a term that can be lost.
type term struct {
	lost     chan struct{}
	resigned bool
}

func (t *term) Lost() <-chan struct{} { return t.lost }
func (t *term) Resign()               { t.resigned = true }

// TestLeading holds that only who leads does anything, and for as long.
func TestLeading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r runs
		var terms []*term
		var led []bool
		attempts := 0
		d := &daemon.Daemon{
			Elect: func(ctx context.Context) (daemon.Term, error) {
				if attempts++; attempts == 1 {
					return nil, errors.New("the database is away")
				}
				select {
				case <-time.After(2 * time.Hour): // another leads
				case <-ctx.Done():
					return nil, ctx.Err()
				}
				x := &term{lost: make(chan struct{})}
				terms = append(terms, x)
				return x, nil
			},
			Led: func(_ context.Context, leads bool) { led = append(led, leads) },
		}
		d.Set([]*daemon.Task{r.task("x", schedule(t, "0 * * * *", "UTC"), 45*time.Minute)})
		during(d, 5*time.Hour, func() {
			time.Sleep(3*time.Hour + 30*time.Minute)
			synctest.Wait()
			close(terms[0].lost)
		})
		// Elected at 2:00:10, lost at 3:30 in a run, elected at 5:30.
		r.want(t, "x 3h0m0s", "end of x 3h30m0s", "x 6h0m0s", "x 7h0m0s", "x 8h0m0s", "end of x 8h30m0s")
		if len(terms) != 2 || !terms[0].resigned || !terms[1].resigned || !slices.Equal(led, []bool{true, false, true, false}) {
			t.Errorf("%d terms, led %v", len(terms), led)
		}
	})
}
