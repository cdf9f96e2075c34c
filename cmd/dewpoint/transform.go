package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/transform"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) transformCommand() *cobra.Command {
	var t targets
	var withDBT, verbose bool
	var program, project string
	cmd := &cobra.Command{
		Use:     "transform [-- DBT'S ARGUMENTS]",
		Short:   "Build the models: relationships, closure, marts",
		GroupID: "use",
		Long: `Builds the tables and views of the dbt project from what the last sync wrote, in
a schema beside dewpoint's: dewpoint_models. Neither Python nor dbt is needed;
with --dbt it runs dbt instead, which also runs its tests.

In DuckDB and Postgres all models become visible at once. In Snowflake each is
replaced by itself. Parquet files hold no models.`,
		Example: `  dewpoint transform
  dewpoint transform --to postgres://localhost/estate
  dewpoint transform --dbt -- --select marts`,
		RunE: func(_ *cobra.Command, args []string) error {
			if !withDBT && (len(args) > 0 || program != "dbt" || project != "") {
				return usagef("arguments of dbt, --dbt-program and --project need --dbt")
			}
			c, err := a.loadTargets(&t)
			if err != nil {
				return err
			}
			ctx, cancel := interruptible()
			defer cancel()
			return a.eachModeller(ctx, c, func(m sinks.Modeller) error {
				if withDBT {
					return transform.RunDBT(ctx, m, strings.Fields(program), project, args, a.out.Out, transform.WithPrices(c.Prices))
				}
				start := time.Now()
				all, err := transform.Run(ctx, m, nil, transform.WithPrices(c.Prices))
				if err != nil {
					return err
				}
				return a.showBuilt(m, all, time.Since(start), verbose)
			})
		},
	}
	f := cmd.Flags()
	t.flags(cmd, "build in this sink, by `URL` (default as sync writes)")
	f.BoolVar(&withDBT, "dbt", false, "run dbt build instead")
	f.StringVar(&program, "dbt-program", "dbt", "the `command` that is dbt")
	f.StringVar(&project, "project", "", "`folder` of a dbt project that has dewpoint's as a package (default the bundled one)")
	f.BoolVarP(&verbose, "verbose", "v", false, "list all models and the time each took")
	return cmd
}

// eachModeller calls f for each configured sink that takes models. It fails
// where none does.
func (a *app) eachModeller(ctx context.Context, c *workflow.Config, f func(sinks.Modeller) error) error {
	var failed []error
	done := false
	for _, url := range c.Sinks {
		s, err := workflow.OpenSink(ctx, url, c)
		if err != nil {
			return err
		}
		m, err := transform.Models(s)
		if err == nil {
			done = true
			err = f(m)
		} else if len(c.Sinks) > 1 {
			a.logger(a.err.Out).Info(err.Error())
			err = nil
		}
		failed = append(failed, err, s.Close())
	}
	if !done && errors.Join(failed...) == nil {
		return errors.New("no sink takes models: name a DuckDB file, Postgres or Snowflake with --to")
	}
	return errors.Join(failed...)
}

func (a *app) showBuilt(m sinks.Modeller, all []transform.Built, took time.Duration, verbose bool) error {
	tables := 0
	t := term.NewTable("MODEL", "IS", ">SECONDS").Keep(1)
	for _, b := range all {
		is := "view"
		if b.Table {
			is, tables = "table", tables+1
		}
		t.Row(b.Name, is, fmt.Sprintf("%.2f", b.Took.Seconds()))
	}
	if verbose {
		if err := t.Write(a.out); err != nil {
			return err
		}
	}
	_, models := m.ModelSchemas()
	_, err := fmt.Fprintf(a.out.Out, "%d tables and %d views in %s of %s in %.1fs\n",
		tables, len(all)-tables, strings.Trim(models, `"`), shortURL(m.URL()), took.Seconds())
	return err
}
