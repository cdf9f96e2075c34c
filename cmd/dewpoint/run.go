package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/report"
	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/workflow"
)

type runFlags struct {
	targets
	reportFlag
	planOnly   bool
	replay     string
	noProgress bool
	verbose    bool
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:     "run",
		Short:   "Do one round: sync, transform, metrics, react",
		GroupID: "use",
		Long: `Does one after the other what a scheduled run needs: a sync; the models, in every
sink that takes them; the metrics, which go to the table metrics; and a plan of
the rules in force. A plan is carried out only if its rule says apply: true in
react.rules, with the credentials that react names for acting; all others are
only said. --replay reads a recording in the place of the clouds; as it says
nothing of what there is now, nothing is applied then.

A sync that could not read everything is followed by the rest. Rules that reason
from what was not read leave it alone and say so. A stage that fails leaves the
others alone.

Exit codes: 0 complete, 3 something could not be read or done and is said,
1 nothing was stored, 2 the configuration is wrong.`,
		Example: `  $ dewpoint run
  $ dewpoint run --plan-only -q`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadTargets(&f.targets)
			if err != nil {
				return err
			}
			return a.run(c, &f)
		},
	}
	f.targets.flags(cmd, "write to this sink, by `URL`; may be repeated (default sinks of the\nconfiguration, or duckdb:dewpoint.duckdb)")
	fl := cmd.Flags()
	fl.BoolVar(&f.planOnly, "plan-only", false, "apply nothing, whatever the rules say")
	fl.StringVar(&f.replay, "replay", "", "read this `folder` of kept answers, not the cloud, and apply nothing")
	fl.BoolVarP(&f.noProgress, "no-progress", "q", false, "show no progress")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "report all kinds, scopes and problems, and all that rules leave alone")
	f.reportFlag.flag(cmd)
	return cmd
}

func (a *app) run(c *workflow.Config, f *runFlags) error {
	reading, stop, done := signals()
	defer done()
	p := workflow.NewProgress()
	finish, log := a.show(p, f.noProgress)
	told := context.AfterFunc(reading, func() {
		log.Warn("stopping: what is complete is committed; once more stops at once")
	})
	tracer, flush, err := openTracer(reading, log)
	if err != nil {
		return err
	}
	defer flush()
	collected := false
	cycle := &workflow.Cycle{
		Config: c, Version: buildVersion(), PlanOnly: f.planOnly, Replay: f.replay, Progress: p, SinkFailed: warnOfSink(c, log), Log: a.logger(a.err.Out), Tracer: tracer,
		Told: func(_ context.Context, e *workflow.Event) {
			if e.Name == workflow.Collected {
				finish()
				collected = true
			}
		},
	}
	r, err := cycle.Run(reading, stop)
	told()
	if !collected {
		finish()
	}
	if err != nil {
		return err
	}
	if err := a.printCycle(r, f); err != nil {
		return err
	}
	if err := f.write(r.React()); err != nil {
		return err
	}
	switch r.State() {
	case "failed":
		return r.Err()
	case "partial":
		return exitError(exitPartial)
	}
	return nil
}

// printCycle says what came of a cycle, stage by stage.
func (a *app) printCycle(r *workflow.CycleReport, f *runFlags) error {
	log := a.logger(a.err.Out)
	if r.Sync != nil && r.Sync.Committed() {
		lookup := origins(r.Catalogue)
		if a.logFormat == "json" {
			report.Log(log, r.Sync, lookup)
		} else if err := report.Print(a.out, r.Sync, report.Options{Lookup: lookup, Verbose: f.verbose, Name: shortURL}); err != nil {
			return err
		}
	}
	if a.logFormat == "json" {
		workflow.LogCycle(log, r)
		return nil
	}
	for _, m := range r.Models {
		fmt.Fprintf(a.out.Out, "Models: %d in %s in %.1fs\n", len(m.Built), shortURL(m.URL), m.Took.Seconds())
	}
	if len(r.Metrics) > 0 {
		samples := 0
		for _, m := range r.Metrics {
			samples += len(m.Samples)
		}
		fmt.Fprintf(a.out.Out, "Metrics: %s of %d\n", term.Plural(int64(samples), "value", "values"), len(r.Metrics))
	}
	if err := a.printRules(r, f.verbose); err != nil {
		return err
	}
	if err := r.Err(); err != nil && r.State() != "failed" {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintln(a.err.Out, a.err.Red("Failed: ")+term.Clean(strings.TrimSuffix(line, "\n")))
		}
	}
	return nil
}

// printRules says what the rules would do, and what was done. Of those that
// nothing was applied of, it says how much.
func (a *app) printRules(r *workflow.CycleReport, verbose bool) error {
	x := r.React()
	for _, p := range x.Plans {
		if _, applied := x.Results[p.Rule]; !applied && !verbose {
			fmt.Fprintf(a.out.Out, "%s: %s\n", a.out.Bold(p.Rule), term.Clean(x.Sentence(p)))
		}
	}
	if !verbose {
		x.Plans = slices.DeleteFunc(x.Plans, func(p *react.Plan) bool { return x.Results[p.Rule] == nil })
	}
	return a.printReport(x, verbose)
}
