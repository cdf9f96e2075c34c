package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/report"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// selection are the flags that say what is read, over the configuration.
type selection struct {
	only, skip, regions []string
	profile             string
	record, replay      string
}

func (s *selection) flags(a *app, cmd *cobra.Command) {
	list(cmd, &s.only, "only", "read these `kinds`: name, service or glob (aws_rds_*)")
	list(cmd, &s.skip, "skip", "leave these `kinds` out")
	list(cmd, &s.regions, "region", "read these `regions`: name or glob (default enabled)")
	complete(cmd, "only", a.completeKinds)
	complete(cmd, "skip", a.completeKinds)
	cmd.Flags().StringVar(&s.profile, "profile", "", "use the credentials of this AWS `profile`")
	complete(cmd, "profile", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return profiles(), cobra.ShellCompDirectiveNoFileComp
	})
}

func (s *selection) options() workflow.SourceOptions {
	return workflow.SourceOptions{
		Only: s.only, Skip: s.skip, Regions: s.regions, Profile: s.profile,
		Record: s.record, Replay: s.replay, Version: buildVersion(),
	}
}

type syncFlags struct {
	selection
	targets
	dryRun     bool
	workers    int
	lock       time.Duration
	noProgress bool
	verbose    bool
}

func (a *app) syncCommand() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:     "sync",
		Short:   "Read the clouds and write their tables",
		GroupID: "use",
		Long: `Reads every kind in every region of every account and commits what was read in
one transaction. Without a configuration it reads the account of the default AWS
credentials into ./dewpoint.duckdb; the keys gcp and kubernetes of dewpoint.yaml
turn on the other clouds.

Several sinks receive the same rows in one sync and commit each on its own: one
that fails is reported and leaves the others alone; the exit code is then 3.

Rows of a list that could not be read completely stay as they are; the report
says which and what to do. Flags go before what dewpoint.yaml says.

Ctrl-C stops reading, commits what is complete and exits with 3; a second one
stops at once and leaves the database as it was.`,
		Example: `  $ dewpoint sync
  $ dewpoint sync --only ec2 --only aws_iam_role --region 'eu-*'
  $ dewpoint sync --dry-run
  $ dewpoint sync --profile production --to duckdb:production.duckdb
  $ dewpoint sync --to duckdb:estate.duckdb --to duckdb:copy.duckdb`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.loadTargets(&f.targets)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("workers") {
				if f.workers < 1 || f.workers > 4096 {
					return usagef("--workers is %d: it must be between 1 and 4096", f.workers)
				}
				c.Workers = f.workers
			}
			if cmd.Flags().Changed("lock-timeout") {
				c.LockTimeout = workflow.Duration(f.lock)
			}
			if f.record != "" && f.replay != "" {
				return usagef("--record and --replay exclude each other")
			}
			return a.sync(c, &f)
		},
	}
	f.selection.flags(a, cmd)
	f.targets.flags(cmd, "write to this sink, by `URL`; may be repeated (default sinks of the\nconfiguration, or duckdb:dewpoint.duckdb)")
	fl := cmd.Flags()
	fl.BoolVar(&f.dryRun, "dry-run", false, "print the calls that would be made")
	fl.StringVar(&f.record, "record", "", "keep the answers in this `folder`, without secrets")
	fl.StringVar(&f.replay, "replay", "", "read this `folder` of kept answers, not the cloud")
	fl.IntVar(&f.workers, "workers", 64, "lists that are read at once")
	fl.DurationVar(&f.lock, "lock-timeout", time.Minute, "how long to wait for a locked database")
	fl.BoolVarP(&f.noProgress, "no-progress", "q", false, "show no progress")
	fl.BoolVarP(&f.verbose, "verbose", "v", false, "report all kinds, scopes and problems")
	return cmd
}

func (a *app) sync(c *workflow.Config, f *syncFlags) error {
	reading, stop, done := signals()
	defer done()
	if f.dryRun {
		return a.dryRunSync(reading, c, f)
	}
	p := workflow.NewProgress()
	finish, log := a.show(p, f.noProgress)
	told := context.AfterFunc(reading, func() {
		log.Warn("stopping: what is complete is committed; once more stops at once")
	})
	r, cat, err := workflow.Collect(reading, stop, c, workflow.CollectOptions{
		SourceOptions: f.options(), Progress: p, SinkFailed: warnOfSink(c, log),
	})
	told()
	finish()
	if err != nil {
		return err
	}
	lookup := origins(cat)
	if a.logFormat == "json" {
		report.Log(log, r, lookup)
	} else if err := report.Print(a.out, r, report.Options{Lookup: lookup, Verbose: f.verbose, Name: shortURL, Query: nextQuery(r, len(f.to) == 0)}); err != nil {
		return err
	}
	if !r.Complete() {
		return exitError(exitPartial)
	}
	return nil
}

// dryRunSync prints the calls that a sync would make.
func (a *app) dryRunSync(ctx context.Context, c *workflow.Config, f *syncFlags) (err error) {
	cat, err := workflow.LoadSelected(c, f.options())
	if err != nil {
		return err
	}
	src, err := workflow.OpenSources(ctx, c, cat, f.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	return a.dryRun(ctx, src.Sources)
}

// warnOfSink says at once that one of several sinks failed.
func warnOfSink(c *workflow.Config, log *slog.Logger) func(string, error) {
	return func(url string, err error) {
		if len(c.Sinks) > 1 {
			log.Warn("a sink failed: the others go on", "sink", shortURL(url), "error", err.Error())
		}
	}
}

// signals returns a context that the first signal ends and one that the
// second ends; the third kills the process.
func signals() (reading, stop context.Context, done func()) {
	reading, cancelReading := context.WithCancel(context.Background())
	stop, cancelStop := context.WithCancel(context.Background())
	ch := make(chan os.Signal, 3)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	go func() {
		for _, end := range []context.CancelFunc{cancelReading, cancelStop} {
			if _, ok := <-ch; !ok {
				return
			}
			end()
		}
		signal.Stop(ch)
		signal.Reset(os.Interrupt, syscall.SIGTERM)
	}()
	return reading, stop, func() {
		signal.Stop(ch)
		close(ch)
		cancelReading()
		cancelStop()
	}
}

// show shows the progress until the function it returns is called.
func (a *app) show(p *workflow.Progress, none bool) (finish func(), log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	out := a.err.Out
	switch {
	case none:
	case a.err.Terminal && a.logFormat == "text":
		live := report.NewLive(a.err, p.Snapshot)
		out = io.Writer(live)
		wg.Go(func() { live.Run(ctx) })
	default:
		wg.Go(func() { report.Lines(ctx, a.logger(a.err.Out), p, 5*time.Second) })
	}
	return func() {
		cancel()
		wg.Wait()
	}, a.logger(out)
}

// nextQuery is a query worth asking first. It names the sink unless it is the
// first of the configuration, which query finds by itself.
func nextQuery(r *workflow.Report, configured bool) string {
	for i, s := range r.Sinks {
		if s.Err != nil || r.Rows == 0 {
			continue
		}
		to := ""
		if i > 0 || !configured {
			to = "--to " + shellQuote(shortURL(s.URL)) + " "
		}
		return "dewpoint query " + to + `"SELECT kind, count(*) FROM resources GROUP BY kind"`
	}
	return ""
}

// origins looks kinds up in the catalogue.
func origins(cat *catalog.Catalogue) report.Lookup {
	return func(kind string) report.Origin {
		e, ok := cat.Entry(kind)
		if !ok {
			return report.Origin{}
		}
		o := report.Origin{Service: e.List.Service, Call: e.List.Op, Actions: map[string][]string{e.List.Op: e.List.Actions}, Services: map[string]string{}}
		for _, d := range e.Details {
			o.Actions[d.Op], o.Services[d.Op] = d.Actions, d.Service
		}
		return o
	}
}
