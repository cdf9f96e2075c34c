package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
	"github.com/dewpoint-data/dewpoint/sinks/postgres"
	"github.com/dewpoint-data/dewpoint/workflow/daemon"
)

// Server does cycles and jobs on schedules, one at a time, and answers probes
// and Prometheus. Of several on one database one does, the others wait.
type Server struct {
	// Load reads the configuration, at the start and whenever it is to be read
	// anew.
	Load    func() (*Config, error)
	Version string
	Log     *slog.Logger
	// Tracer traces cycles, nil none.
	Tracer trace.Tracer
	// Ended is called with what came of each cycle.
	Ended func(*CycleReport)
	// Ready, if not nil, is called when it serves, with the address at which it
	// answers, empty if it does not.
	Ready func(address string)

	metrics    *selfMetrics
	exposition react.Exposition
	daemon     *daemon.Daemon
	sender     *notify.Sender

	mu      sync.Mutex
	config  *Config
	standby string // who leads instead
	leads   bool
	doing   string
	ending  bool
}

// Run serves until ctx ends, and returns when what is being done has come to
// its end; when stop ends, that is at once. The configuration is read anew
// whenever reload receives; one that is wrong is said and leaves the former in
// force.
func (s *Server) Run(ctx, stop context.Context, reload <-chan struct{}) error {
	c, err := s.load()
	if err != nil {
		return err
	}
	s.config, s.metrics = c, newSelfMetrics()
	s.sender = &notify.Sender{Sent: s.metrics.notified}
	if s.Tracer == nil {
		s.Tracer = noop.NewTracerProvider().Tracer("")
	}
	address, shutdown, err := s.answer(c.Serve.Listen)
	if err != nil {
		return err
	}
	defer shutdown()
	s.daemon = &daemon.Daemon{
		Log: s.Log, Elect: s.elect, Led: s.led,
		Skipped:   func(task string) { s.metrics.skipped.WithLabelValues(task).Inc() },
		Scheduled: func(task string, at time.Time) { s.metrics.next.WithLabelValues(task).Set(seconds(at)) },
	}
	s.daemon.Set(s.tasks(c))
	if s.Ready != nil {
		s.Ready(address)
	}
	s.Log.Info("serving", "schedule", c.Serve.Schedule, "timezone", c.Serve.Timezone, "jobs", len(c.Jobs), "address", address)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-reload:
				s.reload()
			case <-ctx.Done():
				s.set(func() { s.ending = true })
				return
			}
		}
	})
	s.daemon.Run(ctx, stop)
	wg.Wait()
	return nil
}

func (s *Server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// load reads the configuration and all files that it names.
func (s *Server) load() (*Config, error) {
	c, err := s.Load()
	if err != nil {
		return nil, err
	}
	x := &round{Cycle: &Cycle{Config: c}}
	if err := x.prepare(); err != nil {
		return nil, err
	}
	_, err = LoadCatalogue(c)
	return c, err
}

// reload takes over the configuration as it is now.
func (s *Server) reload() {
	c, err := s.load()
	if err != nil {
		s.metrics.configOK.Set(0)
		s.Log.Error("the configuration is wrong: what was in force stays", "error", err.Error())
		return
	}
	s.mu.Lock()
	old := s.config
	s.config = c
	s.mu.Unlock()
	s.metrics.configOK.Set(1)
	s.metrics.next.Reset()
	s.daemon.Set(s.tasks(c))
	s.Log.Info("the configuration was read anew", "schedule", c.Serve.Schedule, "jobs", len(c.Jobs))
	if old.Serve.Listen != c.Serve.Listen || old.Sinks[0] != c.Sinks[0] || old.React.State != c.React.State {
		s.Log.Warn("serve.listen, react.state and the database that leaders are elected in change with the next start")
	}
}

// cycleTask is the name of the task that is the cycle.
const cycleTask = "cycle"

func (s *Server) tasks(c *Config) []*daemon.Task {
	schedule, err := c.Serve.schedule()
	if err != nil {
		panic("workflow: " + err.Error()) // it was validated
	}
	all := []*daemon.Task{{
		Name: cycleTask, Schedule: schedule, Jitter: time.Duration(c.Serve.Jitter), CatchUp: c.Serve.CatchUp == "once",
		Last: func(ctx context.Context) time.Time { return lastSync(ctx, c) },
		Run:  func(ctx, stop context.Context) { s.cycle(ctx, stop, c) },
	}}
	zone, _ := c.Serve.zone()
	for _, name := range slices.Sorted(maps.Keys(c.Jobs)) {
		if c.Jobs[name].Schedule == "" {
			continue
		}
		schedule, err := daemon.ParseSchedule(c.Jobs[name].Schedule, zone)
		if err != nil {
			panic("workflow: " + err.Error()) // it was validated
		}
		all = append(all, &daemon.Task{Name: "job " + name, Schedule: schedule, Run: func(ctx, _ context.Context) { s.job(ctx, c, name) }})
	}
	return all
}

// lastSync is when the newest sync began, zero if there is none.
func lastSync(ctx context.Context, c *Config) time.Time {
	e, _, done, err := FirstEstate(ctx, c)
	if err != nil {
		return time.Time{}
	}
	defer done()
	return e.Sync.StartedAt
}

// begin notes what is being done until the function returned is called.
func (s *Server) begin(what string) func() {
	s.set(func() { s.doing = what })
	s.metrics.inFlight.Set(1)
	return func() {
		s.set(func() { s.doing = "" })
		s.metrics.inFlight.Set(0)
	}
}

func (s *Server) cycle(ctx, stop context.Context, c *Config) {
	defer s.begin(cycleTask)()
	s.metrics.lastCycle.SetToCurrentTime()
	x := &Cycle{
		Config: c, Version: s.Version, Progress: NewProgress(), Sender: s.sender, Log: s.Log,
		SinkFailed: func(url string, err error) { s.Log.Warn("a sink failed", "sink", url, "error", err.Error()) },
		Told: func(_ context.Context, e *Event) {
			if e.Name == MetricsDone {
				s.exposition.Set(e.Metrics, e.MeasuredAt)
			}
		},
		Tracer: s.Tracer,
	}
	s.metrics.reads(x.Progress)
	r, err := x.Run(ctx, stop)
	s.metrics.ended(r)
	if err != nil {
		s.Log.Error("the cycle could not begin", "error", err.Error())
		return
	}
	if s.Ended != nil {
		s.Ended(r)
	}
}

// job does a job whose time has come.
func (s *Server) job(ctx context.Context, c *Config, name string) {
	defer s.begin("job " + name)()
	e := &Event{Name: Scheduled, At: time.Now().UTC(), Cycle: uuid.New(), State: "complete"}
	r := (&jobRunner{tracer: s.Tracer, courier: courier{config: c, sender: s.sender, log: s.Log}, version: s.Version}).run(ctx, name, e)
	s.metrics.job(r)
	logJob(s.Log, r)
}

// led is told when this process begins and ceases to lead.
func (s *Server) led(ctx context.Context, leads bool) {
	s.set(func() {
		s.leads = leads
		if leads {
			s.standby = ""
		}
	})
	if !leads {
		s.metrics.leader.Set(0)
		s.metrics.next.Reset()
		// Who leads now has newer ones.
		s.exposition.Set(nil, time.Time{})
		return
	}
	s.metrics.leader.Set(1)
	s.Log.Info("this process leads")
	// What Prometheus asks for before the first cycle has ended.
	if err := s.measure(ctx); err != nil {
		s.Log.Info("no metrics before the first cycle", "reason", err.Error())
	}
}

func (s *Server) measure(ctx context.Context) error {
	s.mu.Lock()
	x := &round{Cycle: &Cycle{Config: s.config}}
	s.mu.Unlock()
	if err := x.prepare(); err != nil {
		return err
	}
	e, _, done, err := FirstEstate(ctx, x.Config)
	if err != nil {
		return err
	}
	at := time.Now().UTC()
	all, err := e.Measure(ctx, x.metrics, at, x.settings)
	if err == nil {
		s.exposition.Set(all, at)
	}
	return errors.Join(err, done())
}

// elect waits until this process leads: by a lease in the first sink if it is a
// Postgres, else by a lock beside the file of the state.
func (s *Server) elect(ctx context.Context) (daemon.Term, error) {
	s.mu.Lock()
	c := s.config
	s.mu.Unlock()
	waiting := func(holder string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.standby != holder {
			s.standby = holder
			s.Log.Info("another process leads: waiting", "leader", holder)
		}
	}
	if isPostgres(c.Sinks[0]) {
		l, err := postgres.Lead(ctx, c.Sinks[0], time.Duration(c.Serve.Lease), waiting)
		if err != nil {
			return nil, hide(err, c.Sinks[0])
		}
		return l, nil
	}
	store := react.OpenFileStore(c.React.State)
	for {
		_, release, err := store.Lock(ctx, "serve")
		var held *react.LockedError
		if err == nil {
			return &fileTerm{release}, nil
		}
		if !errors.As(err, &held) {
			return nil, err
		}
		waiting(held.Holder)
		select {
		case <-time.After(2 * time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// fileTerm ends with its process, or by itself.
type fileTerm struct{ release func() error }

func (t *fileTerm) Lost() <-chan struct{} { return nil }
func (t *fileTerm) Resign()               { _ = t.release() }

func isPostgres(url string) bool {
	scheme, _, _ := strings.Cut(strings.ToLower(url), ":")
	return scheme == "postgres" || scheme == "postgresql"
}

// logJob says what came of a job.
func logJob(log *slog.Logger, r JobReport) {
	switch {
	case r.Err != nil:
		log.Error("job failed", "job", r.Name, "event", string(r.Event), "error", r.Err.Error())
	case r.Did:
		log.Info("job done", "job", r.Name, "event", string(r.Event), "seconds", fmt.Sprintf("%.1f", r.Took.Seconds()))
	default:
		log.Debug("job had nothing to do", "job", r.Name, "event", string(r.Event))
	}
}
