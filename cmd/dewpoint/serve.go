package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // for images that have no time zones

	systemd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/report"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) serveCommand() *cobra.Command {
	var f targets
	var listen string
	cmd := &cobra.Command{
		Use:     "serve",
		Short:   "Do rounds and jobs on schedules, and answer probes and Prometheus",
		GroupID: "use",
		Long: `Does what dewpoint run does, by the schedule of serve in the configuration, and
its jobs, one after the other: a round whose time comes while another runs
begins when that has ended. Of several processes on one Postgres one leads and
the others wait to follow it.

It answers /metrics, /healthz and /readyz at serve.listen. SIGHUP reads the
configuration anew; one that is wrong is said and leaves the former in force.
SIGTERM or Ctrl-C stops reading, commits what is complete and exits; a second
one stops at once.`,
		Example: `  dewpoint serve
  dewpoint serve -c /etc/dewpoint/dewpoint.yaml --log-format json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.serve(func() (*workflow.Config, error) {
				c, err := a.loadConfig()
				if err == nil {
					err = f.apply(c)
				}
				if err == nil && cmd.Flags().Changed("listen") {
					c.Serve.Listen = listen
				}
				return c, err
			})
		},
	}
	f.flags(cmd, "write to this sink, by `URL`; may be repeated (default sinks of the\nconfiguration, or duckdb:dewpoint.duckdb)")
	cmd.Flags().StringVar(&listen, "listen", "", "answer at this `address` (default serve.listen of the configuration)")
	return cmd
}

func (a *app) serve(load func() (*workflow.Config, error)) error {
	ctx, stop, done := signals()
	defer done()
	log := a.logger(a.err.Out)
	said := make(chan struct{})
	tell := context.AfterFunc(ctx, func() {
		defer close(said)
		notifySystemd(systemd.SdNotifyStopping)
		log.Info("stopping: what is complete is committed; once more stops at once")
	})
	defer func() {
		if !tell() {
			<-said
		}
	}()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	reload := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
			case <-ctx.Done():
				return
			}
			select {
			case reload <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	tracer, flush, err := openTracer(ctx, log)
	if err != nil {
		return err
	}
	defer flush()
	s := &workflow.Server{
		Load: load, Version: buildVersion(), Log: log, Tracer: tracer,
		Ended: func(r *workflow.CycleReport) {
			if r.Sync != nil && r.Sync.Committed() {
				report.Log(log, r.Sync, origins(r.Catalogue))
			}
			workflow.LogCycle(log, r)
		},
		Ready: func(string) { notifySystemd(systemd.SdNotifyReady) },
	}
	return s.Run(ctx, stop, reload)
}

// notifySystemd tells systemd, where it asks for it, how things are.
func notifySystemd(state string) {
	// Nothing is wrong where nobody asks.
	_, _ = systemd.SdNotify(false, state)
}
