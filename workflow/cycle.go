package workflow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/transform"
)

// Cycle is one round of all that dewpoint does: collect, transform, metrics,
// react. A stage that fails leaves the later ones alone, but that nothing
// follows a sync that is stored nowhere or was interrupted. What a partial sync
// did not read forbids the rules that reason from it, no others.
type Cycle struct {
	Config  *Config
	Version string
	// PlanOnly applies nothing, whatever the rules say.
	PlanOnly bool
	// Replay, if not empty, is the folder of a recording to read in the place
	// of the clouds. Nothing is applied then: it is not what there is now.
	Replay string
	// Progress and SinkFailed are those of the sync.
	Progress   *Progress
	SinkFailed func(url string, err error)
	// Sender sends notifications, nil as by default.
	Sender *notify.Sender
	// Log is for what jobs print, nil for nowhere.
	Log *slog.Logger
	// Told, if not nil, is called with each event, in order, when its jobs are
	// done; the cycle goes on when it returns.
	Told func(context.Context, *Event)
	// Tracer traces the cycle, its stages and jobs; nil does not.
	Tracer trace.Tracer
}

// CycleReport is what came of a cycle.
type CycleReport struct {
	ID                    uuid.UUID
	StartedAt, FinishedAt time.Time
	// Sync is nil if it was not begun. Catalogue is what it was read by.
	Sync      *Report
	Catalogue *catalog.Catalogue
	Models    []Models
	// Metrics are those of the sync Measured, at MeasuredAt.
	Metrics    []react.Measurement
	Measured   react.Sync
	MeasuredAt time.Time
	Plans      []*react.Plan
	Outcomes   []Outcome
	Stages     []Stage
	Jobs       []JobReport
	// Interrupted says that the caller ended it early.
	Interrupted bool

	applying map[string]bool // rules that are applied
}

// Models are those built in a sink.
type Models struct {
	URL   string
	Built []transform.Built
	Took  time.Duration
}

// Stage is a part of a cycle: deliver, collect, transform, metrics, plan,
// notify, apply.
type Stage struct {
	Name string
	Took time.Duration
	Err  error
}

// State is complete; partial if something could not be read or done; failed if
// no sink stored what was read.
func (r *CycleReport) State() string {
	if r.Sync == nil || !r.Sync.Committed() {
		return "failed"
	}
	if !r.Sync.Complete() || r.Interrupted || r.Err() != nil {
		return "partial"
	}
	for _, o := range r.Outcomes {
		for _, x := range o.Results {
			if !x.Done {
				return "partial"
			}
		}
	}
	return "complete"
}

// Err joins the errors of the stages.
func (r *CycleReport) Err() error {
	var all []error
	for _, s := range r.Stages {
		if s.Err != nil {
			all = append(all, fmt.Errorf("%s: %w", s.Name, s.Err))
		}
	}
	for _, j := range r.Jobs {
		if j.Err != nil {
			all = append(all, fmt.Errorf("job %s: %w", j.Name, j.Err))
		}
	}
	return errors.Join(all...)
}

// React is what the rules planned and what came of it.
func (r *CycleReport) React() *react.Report {
	x := &react.Report{Plans: slices.Clone(r.Plans), Results: map[string][]react.Result{}, Failed: map[string]error{}}
	for _, p := range r.Plans {
		if r.applying[p.Rule] && p.Refused == "" && len(p.Ready()) == 0 {
			x.Results[p.Rule] = []react.Result{}
		}
	}
	for _, o := range r.Outcomes {
		if o.Err != nil {
			x.Failed[o.Rule] = o.Err
		} else {
			x.Results[o.Rule] = o.Results
		}
	}
	return x
}

// Run runs the cycle. When ctx ends, what is read is committed, what is being
// called is entered in the ledger, and the cycle ends; stop ends the commit as
// well. The error is that of the configuration; all else is in the report.
func (c *Cycle) Run(ctx, stop context.Context) (*CycleReport, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	own := *c
	own.PlanOnly = c.PlanOnly || c.Replay != ""
	x := &round{Cycle: &own, report: &CycleReport{ID: id, StartedAt: time.Now().UTC()}}
	if err := x.prepare(); err != nil {
		return nil, err
	}
	x.report.applying = x.applying
	ctx, span := x.Tracer.Start(ctx, "cycle", trace.WithAttributes(attribute.String("dewpoint.cycle_id", id.String())))
	if err := x.run(ctx, stop); err != nil {
		endSpan(span, err)
		return nil, err
	}
	span.SetAttributes(attribute.String("dewpoint.state", x.report.State()))
	if r := x.report.Sync; r != nil {
		span.SetAttributes(attribute.String("dewpoint.sync_id", r.ID.String()), attribute.Int64("dewpoint.rows", r.Rows), attribute.Int64("dewpoint.calls", r.Calls))
	}
	endSpan(span, x.report.Err())
	x.report.FinishedAt = time.Now().UTC()
	return x.report, nil
}

// round is one run of a cycle.
type round struct {
	*Cycle
	report   *CycleReport
	metrics  []*react.Metric
	settings react.Settings
	inForce  []*react.Rule
	planned  []*react.Rule // those of inForce that are planned
	jobs     *jobRunner
	applying map[string]bool // rules that are applied
	// cat is the whole catalogue: also kinds that are not read may refer to
	// what a rule takes.
	cat *catalog.Catalogue
}

// prepare reads all files that the configuration names, so that a mistake in
// one is told before anything is done.
func (x *round) prepare() (err error) {
	if x.metrics, err = LoadMetrics(x.Config); err != nil {
		return err
	}
	if x.settings, err = ReactSettings(x.Config); err != nil {
		return err
	}
	if x.Sender == nil {
		x.Sender = &notify.Sender{}
	}
	if x.Log == nil {
		x.Log = slog.New(slog.DiscardHandler)
	}
	if x.Tracer == nil {
		x.Tracer = noop.NewTracerProvider().Tracer("")
	}
	x.jobs = &jobRunner{tracer: x.Tracer, courier: courier{config: x.Config, sender: x.Sender, log: x.Log}, version: x.Version, planOnly: x.PlanOnly}
	x.inForce, err = RulesInForce(x.Config)
	x.planned = x.inForce
	x.applying = map[string]bool{}
	for _, r := range x.inForce {
		x.applying[r.Name] = x.Config.React.Rules[r.Name].Apply && !x.PlanOnly
	}
	return err
}

func (x *round) run(ctx, stop context.Context) error {
	if len(x.Config.Notify)+len(x.Config.Jobs) > 0 {
		_ = x.stage(ctx, "deliver", func(ctx context.Context) error { return x.jobs.again(ctx, x.jobs.program) })
	}
	x.tell(ctx, PreCollect)
	err := x.stage(ctx, "collect", func(ctx context.Context) (err error) {
		x.report.Sync, x.report.Catalogue, err = Collect(ctx, stop, x.Config, CollectOptions{
			SourceOptions: SourceOptions{Version: x.Version, Replay: x.Replay}, Progress: x.Progress, SinkFailed: x.SinkFailed,
		})
		if err == nil {
			for _, s := range x.report.Sync.Sinks {
				err = errors.Join(err, s.Err)
			}
		}
		return err
	})
	var wrong *sinks.URLError
	if isConfig(err) || errors.As(err, &wrong) {
		x.tell(ctx, Failed)
		return err
	}
	x.report.Interrupted = ctx.Err() != nil
	if stored := x.report.Sync != nil && x.report.Sync.Committed(); stored && !x.report.Interrupted {
		x.tell(ctx, Collected)
		x.follow(ctx)
		x.report.Interrupted = ctx.Err() != nil
	}
	switch {
	case x.report.Interrupted:
	case x.report.Err() != nil:
		x.tell(ctx, Failed)
	default:
		_ = x.stage(ctx, "notify", func(ctx context.Context) error { return x.jobs.resolve(ctx, x.event(Applied)) })
	}
	return nil
}

// follow does what follows a sync.
func (x *round) follow(ctx context.Context) {
	if x.stage(ctx, "transform", func(ctx context.Context) error { return x.transform(ctx) }) == nil {
		x.tell(ctx, Transformed)
	}
	if x.stage(ctx, "metrics", func(ctx context.Context) error { return x.measure(ctx) }) == nil {
		x.tell(ctx, MetricsDone)
	}
	if len(x.inForce) == 0 || ctx.Err() != nil {
		return
	}
	_ = x.stage(ctx, "plan", func(ctx context.Context) error { return x.plan(ctx) })
	x.tell(ctx, Planned)
	if x.notices() {
		_ = x.stage(ctx, "notify", func(ctx context.Context) error { return x.giveNotice(ctx) })
	}
	if !x.applies() || ctx.Err() != nil {
		return
	}
	_ = x.stage(ctx, "apply", func(ctx context.Context) error { return x.apply(ctx) })
	x.tell(ctx, Applied)
	_ = x.stage(ctx, "notify", func(ctx context.Context) error { return x.sayDone(ctx) })
}

// stage does a part and notes how it went.
func (x *round) stage(ctx context.Context, name string, do func(context.Context) error) error {
	start := time.Now()
	ctx, span := x.Tracer.Start(ctx, name)
	err := do(ctx)
	endSpan(span, err)
	x.report.Stages = append(x.report.Stages, Stage{Name: name, Took: time.Since(start), Err: err})
	return err
}

// tell does the jobs of an event, and hands it on.
func (x *round) tell(ctx context.Context, name EventName) {
	if ctx.Err() != nil {
		return
	}
	e := x.event(name)
	x.report.Jobs = append(x.report.Jobs, x.jobs.on(ctx, e)...)
	if x.Told != nil {
		x.Told(ctx, e)
	}
}

func (x *round) event(name EventName) *Event {
	e := &Event{Name: name, At: time.Now().UTC(), Cycle: x.report.ID, State: "complete"}
	if r := x.report.Sync; r != nil {
		e.Sync = r.ID.String()
	}
	if x.report.Sync != nil || name == Failed {
		e.State = x.report.State()
	}
	for _, s := range x.report.Stages {
		if s.Err != nil {
			e.Errors = append(e.Errors, s.Name+": "+s.Err.Error())
		}
	}
	for _, j := range x.report.Jobs {
		if j.Err != nil {
			e.Errors = append(e.Errors, "job "+j.Name+": "+j.Err.Error())
		}
	}
	if name == MetricsDone {
		e.Metrics, e.MeasuredAt = x.report.Metrics, x.report.MeasuredAt
	}
	if name == Planned || name == Applied {
		e.Plans = x.report.Plans
	}
	if name == Applied {
		e.Results = x.report.Outcomes
	}
	return e
}

// transform builds the models in each sink that takes them.
func (x *round) transform(ctx context.Context) error {
	var failed []error
	for _, url := range x.Config.Sinks {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s, err := OpenSink(ctx, url, x.Config)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if m, err := transform.Models(s); err == nil {
			start := time.Now()
			built, err := transform.Run(ctx, m, nil, transform.WithPrices(x.Config.Prices))
			failed = append(failed, err)
			if err == nil {
				x.report.Models = append(x.report.Models, Models{URL: s.URL(), Built: built, Took: time.Since(start)})
			}
		}
		failed = append(failed, s.Close())
	}
	return errors.Join(failed...)
}

// measure computes the metrics of the first sink that can be read and keeps
// them there, if it keeps any.
func (x *round) measure(ctx context.Context) error {
	e, url, done, err := FirstEstate(ctx, x.Config)
	if err != nil {
		return err
	}
	r := x.report
	r.Measured, r.MeasuredAt = e.Sync, time.Now().UTC()
	r.Metrics, err = e.Measure(ctx, x.metrics, r.MeasuredAt, x.settings)
	if err = errors.Join(err, done()); err != nil {
		return err
	}
	err = KeepMetrics(ctx, x.Config, url, r.Measured, r.MeasuredAt, r.Metrics)
	if errors.Is(err, ErrKeepsNoMetrics) {
		err = nil
	}
	for _, m := range r.Metrics {
		err = errors.Join(err, m.Err)
	}
	return err
}

// plan plans the rules in force on the first sink, where they are applied.
func (x *round) plan(ctx context.Context) (err error) {
	if x.cat, err = LoadCatalogue(x.Config); err != nil {
		return err
	}
	store, err := OpenStore(ctx, x.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	e, done, err := OpenEstate(ctx, x.Config.Sinks[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	p, err := NewPlanner(ctx, x.Config, e, x.cat, store, x.Version)
	if err != nil {
		return err
	}
	p.Mark = true
	x.report.Plans, err = p.PlanAll(ctx, x.planned, x.inForce, time.Now())
	return errors.Join(err, KeepPlans(ctx, store, x.report.Plans))
}

// applies says whether there is anything to apply.
func (x *round) applies() bool {
	for _, p := range x.report.Plans {
		if x.applying[p.Rule] && (p.Refused != "" || len(p.Ready()) > 0) {
			return true
		}
	}
	return false
}

// apply carries out the plans of the rules that are to be.
func (x *round) apply(ctx context.Context) (err error) {
	actor, err := OpenActor(x.Config, x.Version)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, actor.Close()) }()
	store, err := OpenStore(ctx, x.Config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var failed []error
	for _, p := range x.report.Plans {
		if !x.applying[p.Rule] || p.Refused == "" && len(p.Ready()) == 0 {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		rule := x.inForce[findRule(x.inForce, p.Rule)]
		o := Outcome{Plan: p, Rule: p.Rule}
		var a *react.Applier
		if a, o.Err = NewApplier(ctx, x.Config, x.cat, actor, store, rule, x.Version); o.Err == nil {
			o.Results, o.Err = a.Apply(ctx, p)
		}
		x.report.Outcomes = append(x.report.Outcomes, o)
		failed = append(failed, o.Err)
	}
	return errors.Join(failed...)
}

// endSpan ends a span with what became of it.
func endSpan(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, firstLine(err.Error()))
	}
	span.End()
}
