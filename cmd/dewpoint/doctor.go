package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/report"
	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) doctorCommand() *cobra.Command {
	var s selection
	var t targets
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Check the configuration, the credentials and the permissions",
		GroupID: "setup",
		Long: `Checks the configuration and the catalogue; of each sink that it is reached, its
privileges, its tables, who holds it and whether it can be written; who the
credentials are, and, with one page of each list in one region of each account,
which permissions are missing. Nothing is written.`,
		Example: `  $ dewpoint doctor
  $ dewpoint doctor --only ec2
  $ dewpoint doctor --to duckdb:estate.duckdb`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			d := &doctor{app: a}
			d.examine(&s, &t)
			if d.failed {
				return exitError(exitFailed)
			}
			return nil
		},
	}
	s.flags(a, cmd)
	t.flags(cmd, "check this sink, by `URL`; may be repeated (default sinks of the\nconfiguration, or duckdb:dewpoint.duckdb)")
	return cmd
}

// doctor prints one line for each thing that it looks at.
type doctor struct {
	*app
	failed bool
}

func (d *doctor) ok(what, format string, args ...any) {
	d.print(d.out.Green("ok  "), what, format, args...)
}

func (d *doctor) bad(what, format string, args ...any) {
	d.failed = true
	d.print(d.out.Red("FAIL"), what, format, args...)
}

func (d *doctor) print(mark, what, format string, args ...any) {
	width := 0
	if d.out.Width > 0 {
		width = max(20, min(d.out.Width, 110)-21)
	}
	for _, line := range strings.Split(fmt.Sprintf(format, args...), "\n") {
		for _, l := range term.Wrap(term.Clean(line), width) {
			fmt.Fprintf(d.out.Out, "%s  %s  %s\n", mark, term.Pad(what, 13, false), l)
			mark, what = "    ", ""
		}
	}
}

func (d *doctor) examine(s *selection, t *targets) {
	ctx, cancel := interruptible()
	defer cancel()
	c, err := d.loadConfig()
	if err != nil {
		d.bad("configuration", "%v", err)
		return
	}
	if c.Path() == "" {
		d.ok("configuration", "no dewpoint.yaml: the defaults hold")
	} else {
		d.ok("configuration", "%s", c.Path())
	}
	if err := t.apply(c); err != nil {
		d.bad("sink", "%v", err)
		return
	}
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		d.bad("catalogue", "%v", err)
		return
	}
	selected, err := workflow.SelectKinds(c, cat)
	if err != nil {
		d.bad("configuration", "%v", err)
		return
	}
	d.ok("catalogue", "%s", term.Plural(int64(len(cat.Entries())), "kind", "kinds"))
	for _, url := range c.Sinks {
		d.sink(ctx, url, c, cat, selected)
	}
	d.clouds(ctx, c, cat, s)
}

// sink says whether a sync into a sink would work.
func (d *doctor) sink(ctx context.Context, url string, c *workflow.Config, cat *catalog.Catalogue, selected []*catalog.Entry) {
	name := shortURL(workflow.ShowURL(url))
	show := func(l sinks.Level, format string, args ...any) {
		text := name + ": " + fmt.Sprintf(format, args...)
		switch l {
		case sinks.Problem:
			d.bad("sink", "%s", text)
		case sinks.Notice:
			d.print(d.out.Yellow("note"), "sink", "%s", text)
		default:
			d.ok("sink", "%s", text)
		}
	}
	s, err := workflow.OpenSink(ctx, url, c)
	if err != nil {
		show(sinks.Problem, "%v", err)
		return
	}
	name = shortURL(s.URL())
	defer func() {
		if err := s.Close(); err != nil {
			show(sinks.Problem, "%v", err)
		}
	}()
	worst := sinks.Fine
	if k, ok := s.(sinks.Checker); ok {
		for _, f := range k.Check(ctx) {
			show(f.Level, "%s: %s", f.About, f.Text)
			worst = max(worst, f.Level)
		}
	}
	if worst == sinks.Problem {
		return
	}
	changes, err := workflow.PlanSchema(ctx, s, cat, selected)
	var locked *sinks.LockedError
	n := tally(shown(changes))
	switch {
	case errors.As(err, &locked):
		show(sinks.Notice, "schema: %v", err)
	case err != nil:
		show(sinks.Problem, "schema: %v", err)
	case n.conflicts > 0:
		show(sinks.Problem, "schema: %s: see dewpoint schema plan", counts(shown(changes)))
	case len(changes) > 0:
		show(sinks.Fine, "schema: the next sync makes %s, which dewpoint schema plan shows", counts(shown(changes)))
	default:
		show(sinks.Fine, "schema: the tables are those of the catalogue")
	}
}

// clouds tries every list once in each account: its first page shows whether
// it may be read.
func (d *doctor) clouds(ctx context.Context, c *workflow.Config, cat *catalog.Catalogue, s *selection) {
	open, err := workflow.OpenSources(ctx, c, cat, s.options())
	if err != nil {
		d.bad("credentials", "%v", err)
		return
	}
	defer func() {
		if err := open.Close(); err != nil {
			d.bad("credentials", "%v", err)
		}
	}()
	out := &outcomes{}
	type list struct{ account, service, name string }
	tried := map[list]bool{}
	regions := map[string][]string{}
	clouds := map[string]string{} // by account
	var accounts []string
	var tasks []extract.Task
	for _, src := range open.Sources {
		for t, err := range src.Tasks(ctx, out) {
			if err != nil {
				d.bad("credentials", "%v", err)
				return
			}
			accounts = addOnce(accounts, t.Account)
			clouds[t.Account] = src.Cloud()
			regions[t.Account] = addOnce(regions[t.Account], t.Region)
			if k := (list{t.Account, t.Service, t.Name}); !tried[k] {
				tried[k] = true
				tasks = append(tasks, t)
			}
		}
	}
	for _, r := range out.results {
		if r.State == schema.NotApplicable {
			d.print(d.out.Yellow("note"), "region", "%s in %s: %s", r.Scope.Region, r.Scope.Account, r.Error)
		} else if incomplete(r) {
			d.bad("credentials", "%s %s: %s", r.Scope.Cloud, r.Scope.Account, r.Error)
		}
	}
	slices.Sort(accounts)
	for _, id := range accounts {
		where := ""
		if n := len(slices.DeleteFunc(regions[id], func(r string) bool { return r == "global" })); n > 0 {
			where = ", " + term.Plural(int64(n), "region", "regions")
		}
		d.ok("account", "%s %s%s", clouds[id], id, where)
	}
	found := len(out.results)
	d.wait(tasks, func() { tryTasks(ctx, tasks, c.Workers, out) })
	if ctx.Err() != nil {
		d.bad("permissions", "interrupted")
		return
	}
	bad := slices.DeleteFunc(slices.Clone(out.results[found:]), func(r schema.ScopeResult) bool { return !incomplete(r) })
	if len(bad) == 0 && len(tasks) > 0 {
		d.ok("permissions", "%s can be read", term.Plural(int64(len(tasks)), "list", "lists"))
	}
	for _, g := range report.Fold(report.Incomplete(bad, origins(open.Catalogue))) {
		if g.State == schema.TimedOut {
			d.bad("permissions", "%s %s: %s", g.Service, g.Call, g.Error)
			continue
		}
		d.bad("permissions", "%s", strings.Join(append([]string{fmt.Sprintf("%s %s: %s: %s", g.Service, g.Call, g.Code, g.Error)}, g.Advice...), "\n"))
	}
}

// wait says on a terminal what is waited for while do runs.
func (d *doctor) wait(tasks []extract.Task, do func()) {
	if d.err.Terminal && len(tasks) > 0 {
		fmt.Fprintf(d.err.Out, "      Asking for the first page of %s ...", term.Plural(int64(len(tasks)), "list", "lists"))
		defer fmt.Fprint(d.err.Out, "\r\x1b[K")
	}
	do()
}

func incomplete(r schema.ScopeResult) bool {
	return r.State != schema.Complete && r.State != schema.NotApplicable
}

// pageTimeout is how long a first page may take, retries included.
const pageTimeout = 20 * time.Second

// tryTasks runs tasks until their first rows come.
func tryTasks(ctx context.Context, tasks []extract.Task, workers int, out *outcomes) {
	limit := make(chan struct{}, min(workers, 16))
	var wg sync.WaitGroup
	for _, t := range tasks {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			ctx, cancel := context.WithTimeout(ctx, pageTimeout)
			defer cancel()
			f := &firstPage{outcomes: out, page: ctx, stop: cancel}
			// Errors are those of the context; scopes report the others.
			_ = t.Run(ctx, f)
		})
	}
	wg.Wait()
}

// firstPage ends a task when rows come, and drops the outcomes of what that
// interrupts.
type firstPage struct {
	*outcomes
	page context.Context // of the task
	stop context.CancelFunc
	done bool
}

// Write implements extract.Writer.
func (f *firstPage) Write(_ context.Context, b *schema.Batch) error {
	b.Release()
	f.mu.Lock()
	f.done = true
	f.mu.Unlock()
	f.stop()
	return nil
}

// Scope implements extract.Writer.
func (f *firstPage) Scope(ctx context.Context, r schema.ScopeResult) error {
	f.mu.Lock()
	done := f.done
	f.mu.Unlock()
	switch {
	case done:
		return nil
	case f.page.Err() != nil && r.State == schema.Skipped:
		r.State, r.Code, r.Error = schema.TimedOut, "", fmt.Sprintf("no answer that can be used within %s, in which it was asked again: a sync takes longer over it", pageTimeout)
	}
	return f.outcomes.Scope(ctx, r)
}
