package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/workflow"
)

type metricsFlags struct {
	targets
	output, listen string
	write, list    bool
	every          time.Duration
}

var metricsFormats = []string{"table", "openmetrics", "json"}

func (a *app) metricsCommand() *cobra.Command {
	var f metricsFlags
	cmd := &cobra.Command{
		Use:     "metrics [NAME...]",
		Short:   "Compute metrics from the tables",
		GroupID: "use",
		Long: `Computes the metrics, or those that are named, from the newest sync and prints
them. A metric is a SELECT in a file: the column value is the value, the others
are labels. Those in the folders of react.metrics come on top of the bundled ones.

--write adds the values to the table metrics. --listen answers Prometheus at
/metrics and computes them anew when there is another sync.`,
		Example: `  $ dewpoint metrics --list
  $ dewpoint metrics volume_bytes unused_volume_bytes
  $ dewpoint metrics --write -o openmetrics`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--output", f.output, metricsFormats); err != nil {
				return err
			}
			return a.metrics(&f, args)
		},
	}
	f.targets.flags(cmd, "read this sink, by `URL` (default as sync writes)")
	fl := cmd.Flags()
	fl.StringVarP(&f.output, "output", "o", "table", strings.Join(metricsFormats, ", "))
	complete(cmd, "output", completeWith(metricsFormats...))
	fl.BoolVar(&f.list, "list", false, "list the metrics and what they are")
	fl.BoolVar(&f.write, "write", false, "add the values to the table metrics")
	fl.StringVar(&f.listen, "listen", "", "answer Prometheus at this `address`")
	fl.DurationVar(&f.every, "every", time.Minute, "how often --listen looks for a new sync")
	return cmd
}

func (a *app) metrics(f *metricsFlags, names []string) error {
	c, err := a.loadTargets(&f.targets)
	if err != nil {
		return err
	}
	all, err := workflow.LoadMetrics(c)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		if all, err = chooseMetrics(all, names); err != nil {
			return err
		}
	}
	if f.list {
		t := term.NewTable("METRIC", "UNIT", "WHAT IT IS").Keep(1)
		for _, m := range all {
			t.Row(m.Name, m.Unit, m.Help)
		}
		return t.Write(a.out)
	}
	settings, err := workflow.ReactSettings(c)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	m := &measuring{app: a, config: c, metrics: all, settings: settings, write: f.write}
	if f.listen != "" {
		return m.serve(ctx, f.listen, f.every)
	}
	if err := m.measure(ctx); err != nil {
		return err
	}
	if err := a.printMetrics(m, f.output); err != nil {
		return err
	}
	return m.failed()
}

func chooseMetrics(all []*react.Metric, names []string) ([]*react.Metric, error) {
	var out []*react.Metric
	var known []string
	for _, m := range all {
		known = append(known, m.Name)
		if slices.Contains(names, m.Name) || slices.Contains(names, react.MetricPrefix+m.Name) {
			out = append(out, m)
		}
	}
	for _, n := range names {
		if n = strings.TrimPrefix(n, react.MetricPrefix); !slices.Contains(known, n) {
			return nil, usagef("there is no metric %q%s", n, suggest(n, known))
		}
	}
	return out, nil
}

// measuring computes metrics of the first sink that can be read.
type measuring struct {
	app      *app
	config   *workflow.Config
	metrics  []*react.Metric
	settings react.Settings
	write    bool

	sync   react.Sync
	at     time.Time
	result []react.Measurement
}

func (m *measuring) measure(ctx context.Context) error {
	e, url, done, err := workflow.FirstEstate(ctx, m.config)
	if err != nil {
		return err
	}
	m.sync, m.at = e.Sync, time.Now().UTC()
	m.result, err = e.Measure(ctx, m.metrics, m.at, m.settings)
	if err = errors.Join(err, done()); err != nil || !m.write {
		return err
	}
	return workflow.KeepMetrics(ctx, m.config, url, m.sync, m.at, m.result)
}

// failed is an error if a metric could not be computed.
func (m *measuring) failed() error {
	var all []error
	for _, r := range m.result {
		if r.Err != nil {
			all = append(all, r.Err)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &partialError{errors.Join(all...)}
}

func (a *app) printMetrics(m *measuring, format string) error {
	switch format {
	case "openmetrics":
		var x react.Exposition
		x.Set(m.result, m.at)
		return x.WriteOpenMetrics(a.out.Out)
	case "json":
		enc := json.NewEncoder(a.out.Out)
		enc.SetEscapeHTML(false)
		for _, r := range m.result {
			for _, s := range r.Samples {
				line := struct {
					Name string `json:"name"`
					react.Sample
					MeasuredAt time.Time `json:"measured_at"`
					SyncID     string    `json:"sync_id"`
				}{r.Metric.Name, s, m.at, m.sync.ID}
				if err := enc.Encode(line); err != nil {
					return err
				}
			}
		}
		return nil
	}
	t := term.NewTable("METRIC", ">VALUE", "LABELS").Keep(2)
	lacking := map[string][]string{}
	for _, r := range m.result {
		for _, s := range r.Samples {
			t.Row(r.Metric.Name, strconv.FormatFloat(s.Value, 'f', -1, 64), labels(s.Labels))
		}
		if r.Lacks != "" {
			lacking[r.Lacks] = append(lacking[r.Lacks], r.Metric.Name)
		}
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	for _, what := range sortedNames(lacking) {
		fmt.Fprintf(a.out.Out, "\nNot computed, since there is no table %s: %s\n", what, strings.Join(lacking[what], ", "))
	}
	return nil
}

func sortedNames(m map[string][]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func labels(all map[string]string) string {
	var parts []string
	for k, v := range all {
		parts = append(parts, k+"="+v)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// serve answers Prometheus until the context ends.
func (m *measuring) serve(ctx context.Context, address string, every time.Duration) error {
	if every < time.Second {
		return usagef("--every is %s: it must be at least 1s", every)
	}
	log := m.app.logger(m.app.err.Out)
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	var x react.Exposition
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", x.Handler())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.Info("answering Prometheus", "url", "http://"+listener.Addr().String()+"/metrics")
	seen := ""
	for {
		// A database that is away for a while leaves the last values.
		if id, err := m.newest(ctx); err != nil && ctx.Err() == nil {
			log.Warn(err.Error())
		} else if err == nil && id != seen {
			if err := m.measure(ctx); err != nil && ctx.Err() == nil {
				log.Warn(err.Error())
			} else if err == nil {
				seen = m.sync.ID
				x.Set(m.result, m.at)
				if err := m.failed(); err != nil {
					log.Warn(err.Error())
				}
			}
		}
		select {
		case err := <-served:
			return err
		case <-ctx.Done():
			end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return server.Shutdown(end)
		case <-time.After(every):
		}
	}
}

// newest is the id of the newest sync.
func (m *measuring) newest(ctx context.Context) (string, error) {
	e, _, done, err := workflow.FirstEstate(ctx, m.config)
	if err != nil {
		return "", err
	}
	return e.Sync.ID, done()
}
