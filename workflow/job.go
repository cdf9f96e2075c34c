package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
	"github.com/dewpoint-data/dewpoint/react/program"
	"github.com/dewpoint-data/dewpoint/workflow/daemon"
)

// Job is something to do on events or on a schedule.
type Job struct {
	// On are events, Schedule is cron's five fields or an interval.
	On       []EventName `yaml:"on"`
	Schedule string      `yaml:"schedule"`
	// SQL is asked of the first sink that can be read; without rows there is
	// nothing to do, unless Always says otherwise.
	SQL    string `yaml:"sql"`
	Always bool   `yaml:"always"`
	// Plan and Apply are rules to plan and to apply.
	Plan  []string `yaml:"plan"`
	Apply []string `yaml:"apply"`
	// Exec is a program that is given the rows, Notify are channels that are.
	Exec   *program.Program `yaml:"exec"`
	Notify []string         `yaml:"notify"`
	// Title is what a notification says first, Severity how bad it is.
	Title    string `yaml:"title"`
	Severity string `yaml:"severity"`
	// Timeout ends it: 5m, for one that applies rules 2h.
	Timeout Duration `yaml:"timeout"`
}

func (c *Config) validateJobs() error {
	for _, name := range slices.Sorted(maps.Keys(c.Jobs)) {
		if err := c.validateJob(c.Jobs[name]); err != nil {
			return fmt.Errorf("jobs.%s: %w", name, err)
		}
	}
	return nil
}

func (c *Config) validateJob(j *Job) error {
	switch {
	case j == nil || len(j.On) == 0 && j.Schedule == "":
		return errors.New("say when: on some events, or by schedule")
	case len(j.Plan)+len(j.Apply)+len(j.Notify) == 0 && j.Exec == nil:
		return errors.New("it does nothing: give it exec, notify, plan or apply")
	case j.Always && j.SQL == "":
		return errors.New("always needs sql")
	case j.SQL != "" && len(j.Plan)+len(j.Apply) > 0:
		return errors.New("give either sql or rules: what a rule selects is in the rule")
	case j.Severity != "" && !slices.Contains([]string{"info", "warning", "error"}, j.Severity):
		return fmt.Errorf("severity is %q: take info, warning or error", j.Severity)
	}
	for _, e := range j.On {
		if !slices.Contains(eventNames, e) {
			return fmt.Errorf("there is no event %q: take %s", e, joinEvents())
		}
	}
	if j.Schedule != "" {
		zone, err := c.Serve.zone()
		if err == nil {
			_, err = daemon.ParseSchedule(j.Schedule, zone)
		}
		if err != nil {
			return fmt.Errorf("schedule: %w", err)
		}
	}
	for _, r := range slices.Concat(j.Plan, j.Apply) {
		if _, ok := c.React.Rules[r]; !ok {
			return fmt.Errorf("the rule %q is not in react.rules", r)
		}
	}
	if j.Exec != nil {
		if err := j.Exec.Validate(); err != nil {
			return fmt.Errorf("exec: %w", err)
		}
	}
	return c.channels(j.Notify)
}

func joinEvents() string {
	var all []string
	for _, e := range eventNames {
		all = append(all, string(e))
	}
	return strings.Join(all, ", ")
}

// JobReport is what came of a job.
type JobReport struct {
	Name  string
	Event EventName
	Took  time.Duration
	// Did is false where there was nothing to do.
	Did bool
	Err error
}

// jobRunner does jobs.
type jobRunner struct {
	courier
	version  string
	planOnly bool
	tracer   trace.Tracer
}

// on does the jobs of an event, by name, one after the other. One that fails
// leaves the others alone.
func (r *jobRunner) on(ctx context.Context, e *Event) []JobReport {
	var out []JobReport
	for _, name := range slices.Sorted(maps.Keys(r.config.Jobs)) {
		if slices.Contains(r.config.Jobs[name].On, e.Name) && ctx.Err() == nil {
			out = append(out, r.run(ctx, name, e))
		}
	}
	return out
}

// JobInput is what a program reads.
type JobInput struct {
	Job string `json:"job"`
	// Key is the same for the same job of the same event.
	Key     string           `json:"key"`
	Event   *Event           `json:"event"`
	Columns []string         `json:"columns,omitempty"`
	Rows    []map[string]any `json:"rows,omitempty"`
}

func (r *jobRunner) run(ctx context.Context, name string, e *Event) (out JobReport) {
	j := r.config.Jobs[name]
	limit := time.Duration(j.Timeout)
	if limit == 0 {
		limit = 5 * time.Minute
		if len(j.Apply) > 0 {
			limit = 2 * time.Hour
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than its timeout of %s", limit))
	defer cancel()
	ctx, span := r.tracer.Start(ctx, "job", trace.WithAttributes(attribute.String("dewpoint.job", name)))
	defer func() { endSpan(span, out.Err) }()
	start := time.Now()
	out = JobReport{Name: name, Event: e.Name}
	out.Did, out.Err = r.do(ctx, name, j, e)
	if out.Err != nil && ctx.Err() != nil && !errors.Is(out.Err, context.Cause(ctx)) {
		out.Err = errors.Join(context.Cause(ctx), out.Err)
	}
	out.Took = time.Since(start)
	return out
}

func (r *jobRunner) do(ctx context.Context, name string, j *Job, e *Event) (did bool, err error) {
	own := *e
	in := &JobInput{Job: name, Key: uuid.NewSHA1(e.Cycle, []byte("job "+name+" "+string(e.Name))).String(), Event: &own}
	if j.SQL != "" {
		if in.Columns, in.Rows, err = r.query(ctx, j.SQL); err != nil {
			return false, err
		}
		if len(in.Rows) == 0 && !j.Always {
			return false, nil
		}
	}
	var failed []error
	if len(j.Plan)+len(j.Apply) > 0 {
		own.Plans, own.Results, err = r.rules(ctx, j)
		failed = append(failed, err)
	}
	if j.Exec != nil {
		failed = append(failed, r.exec(ctx, name, in))
	}
	if len(j.Notify) > 0 {
		failed = append(failed, r.send(ctx, j.Notify, j.message(in)))
	}
	return true, errors.Join(failed...)
}

// rules plans rules, and applies those that are to be.
func (r *jobRunner) rules(ctx context.Context, j *Job) ([]*react.Plan, []Outcome, error) {
	x := &round{Cycle: &Cycle{Config: r.config, Version: r.version, Sender: r.sender, Tracer: r.tracer}, jobs: r, report: &CycleReport{}, applying: map[string]bool{}}
	var err error
	if x.inForce, err = RulesInForce(r.config); err != nil {
		return nil, nil, err
	}
	for _, rule := range x.inForce {
		if slices.Contains(j.Plan, rule.Name) || slices.Contains(j.Apply, rule.Name) {
			x.planned = append(x.planned, rule)
		}
		x.applying[rule.Name] = slices.Contains(j.Apply, rule.Name) && !r.planOnly
	}
	err = x.plan(ctx)
	if x.notices() {
		err = errors.Join(err, x.giveNotice(ctx))
	}
	if x.applies() && ctx.Err() == nil {
		err = errors.Join(err, x.apply(ctx), x.sayDone(ctx))
	}
	return x.report.Plans, x.report.Outcomes, err
}

// message is what a job says.
func (j *Job) message(in *JobInput) *notify.Message {
	e := in.Event
	m := &notify.Message{
		Key: in.Key, Event: string(e.Name), Severity: j.Severity, Group: "job/" + in.Job, At: e.At.Truncate(time.Second), Title: j.Title,
		Columns: in.Columns, Rows: in.Rows, Data: in,
	}
	if j.SQL == "" {
		m.Fields = append(m.Fields, notify.Field{Name: "State", Value: e.State})
	}
	if e.Sync != "" {
		m.Fields = append(m.Fields, notify.Field{Name: "Sync", Value: e.Sync})
	}
	if m.Title == "" {
		m.Title = in.Job + ": " + string(e.Name)
		switch {
		case j.SQL != "":
			m.Title = fmt.Sprintf("%s: %d rows", in.Job, len(in.Rows))
		case len(e.Errors) > 0:
			m.Title += ": " + firstLine(e.Errors[0])
		}
	}
	if m.Severity == "" {
		m.Severity = map[string]string{"failed": "error", "partial": "warning"}[e.State]
		if m.Severity == "" || j.SQL != "" {
			m.Severity = "info"
		}
		if e.Name == Failed {
			m.Severity = "error"
		}
	}
	var text []string
	for _, p := range e.Plans {
		text = append(text, p.Rule+": "+p.Sentence())
	}
	for _, o := range e.Results {
		text = append(text, done(o).Title)
	}
	m.Text = strings.Join(append(text, e.Errors...), "\n")
	return m
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// resolve ends the incidents that failures opened.
func (r *jobRunner) resolve(ctx context.Context, e *Event) error {
	var failed []error
	for _, name := range slices.Sorted(maps.Keys(r.config.Jobs)) {
		j := r.config.Jobs[name]
		if !slices.Contains(j.On, Failed) || j.SQL != "" {
			continue
		}
		for _, channel := range j.Notify {
			if r.config.Notify[channel].Type == "pagerduty" {
				m := j.message(&JobInput{Job: name, Key: uuid.NewSHA1(e.Cycle, []byte("resolve "+name)).String(), Event: e})
				m.Resolved = true
				failed = append(failed, sendTo(ctx, r.sender, r.config, []string{channel}, m))
			}
		}
	}
	return errors.Join(failed...)
}
