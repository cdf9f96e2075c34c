package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/dashboards"
	"github.com/dewpoint-data/dewpoint/dashboards/grafana"
	"github.com/dewpoint-data/dewpoint/dashboards/metabase"
	"github.com/dewpoint-data/dewpoint/dashboards/superset"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) dashboardsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dashboards TOOL",
		Short:   "Provision dashboards in a BI tool",
		GroupID: "use",
		Long: `Makes dashboards over the models in a BI tool: overview, ownership and tags, age
and churn, unused and cost, freshness. Run dewpoint transform first. What is made
again replaces what was there.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usagef("unknown tool %q%s", args[0], suggest(args[0], commandNames(cmd)))
		},
	}
	cmd.AddCommand(a.supersetCommand(), a.metabaseCommand(), a.grafanaCommand())
	return cmd
}

func (a *app) supersetCommand() *cobra.Command {
	var t targets
	var url, uri, schema, output string
	cmd := &cobra.Command{
		Use:   "superset",
		Short: "Import the dashboards into Apache Superset, or write the bundle to import",
		Long: `Imports the database, datasets, charts and dashboards into a Superset by its API.
The user is SUPERSET_USERNAME with SUPERSET_PASSWORD, from the environment, and has
to be an admin. Superset reaches the database as the sink names it, or by the URI
of SQLAlchemy in --database-uri, where ${NAME} is a variable of the environment.

With --output it writes a zip file that Superset imports, and no password.`,
		Example: `  dewpoint dashboards superset --url http://localhost:8088
  dewpoint dashboards superset --url http://localhost:8088 --database-uri duckdb:////data/estate.duckdb
  dewpoint dashboards superset --output dewpoint.zip`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if (url == "") == (output == "") {
				return usagef("name a Superset by --url, or a file by --output")
			}
			ctx, cancel := interruptible()
			defer cancel()
			o := superset.Options{Models: schema}
			if uri != "" {
				named, err := workflow.ExpandURLs([]string{uri})
				if err != nil {
					return err
				}
				o.URI, o.ReadOnly = named[0], strings.HasPrefix(uri, "duckdb:")
			} else {
				c, err := a.dashboardDatabase(ctx, &t)
				if err != nil {
					return err
				}
				o = superset.Over(c)
				o.Models = cmp.Or(schema, o.Models)
			}
			o.Models = cmp.Or(o.Models, superset.Default.Models)
			if output != "" {
				bundle, err := superset.Bundle(o)
				if err != nil {
					return err
				}
				return os.WriteFile(output, bundle, 0o644)
			}
			s := superset.Server{URL: url, Username: os.Getenv("SUPERSET_USERNAME"), Password: os.Getenv("SUPERSET_PASSWORD")}
			if s.Username == "" || s.Password == "" {
				return usagef("set SUPERSET_USERNAME and SUPERSET_PASSWORD")
			}
			addresses, err := superset.Import(ctx, s, o)
			return a.showDashboards(addresses, err)
		},
	}
	f := cmd.Flags()
	t.flags(cmd, "show this sink, by `URL` (default as sync writes)")
	f.StringVar(&url, "url", "", "`address` of the Superset")
	f.StringVar(&uri, "database-uri", "", "the database as SQLAlchemy names it in Superset, a `URI`")
	f.StringVar(&schema, "schema", "", "`schema` of the models (default as the sink has it)")
	f.StringVarP(&output, "output", "o", "", "write the bundle to this `file` instead")
	return cmd
}

func (a *app) metabaseCommand() *cobra.Command {
	var t targets
	var url, schema string
	o := metabase.Options{}
	cmd := &cobra.Command{
		Use:   "metabase",
		Short: "Make the dashboards in Metabase",
		Long: `Makes a collection with a question of SQL for each chart and the dashboards of
them, by Metabase's API. Who logs in is METABASE_API_KEY or METABASE_USERNAME with
METABASE_PASSWORD, from the environment.

The database of the name --database is made, as the sink names it, where Metabase
has none of that name. Name it and the --schema of the models where Metabase has it
under another host: then no sink is read. Nothing is made where the database does
not answer.`,
		Example: `  dewpoint dashboards metabase --url http://localhost:3000 --to postgres://bi@db.example.org/estate
  dewpoint dashboards metabase --url http://localhost:3000 --database Estate --schema dewpoint_models`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if url == "" {
				return usagef("name a Metabase by --url")
			}
			s := metabase.Server{URL: url, Key: os.Getenv("METABASE_API_KEY"), Username: os.Getenv("METABASE_USERNAME"), Password: os.Getenv("METABASE_PASSWORD")}
			if s.Key == "" && (s.Username == "" || s.Password == "") {
				return usagef("set METABASE_API_KEY, or METABASE_USERNAME and METABASE_PASSWORD")
			}
			ctx, cancel := interruptible()
			defer cancel()
			if schema == "" || !cmd.Flags().Changed("database") {
				c, err := a.dashboardDatabase(ctx, &t)
				if err != nil {
					return err
				}
				o.Connection = c
			}
			o.Connection.Models = cmp.Or(schema, o.Connection.Models)
			addresses, err := metabase.Provision(ctx, s, o)
			return a.showDashboards(addresses, err)
		},
	}
	f := cmd.Flags()
	t.flags(cmd, "show this sink, by `URL` (default as sync writes)")
	f.StringVar(&url, "url", "", "`address` of the Metabase")
	f.StringVar(&o.Database, "database", "dewpoint", "`name` of the database in Metabase")
	f.StringVar(&schema, "schema", "", "`schema` of the models (default as the sink has it)")
	f.StringVar(&o.Collection, "collection", "dewpoint", "`name` of the collection")
	return cmd
}

func (a *app) grafanaCommand() *cobra.Command {
	o := grafana.Default
	var output string
	cmd := &cobra.Command{
		Use:   "grafana",
		Short: "Write the dashboards of what changes with time for Grafana",
		Long: `Writes two dashboards of what changes with time, one over the tables in Postgres
and one over Prometheus, and the files by which Grafana provisions them and their
data sources. They show what dewpoint metrics --write keeps and what dewpoint
metrics --listen answers.`,
		Example: `  dewpoint dashboards grafana --output grafana`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if output == "" {
				return usagef("name a folder by --output")
			}
			files, err := grafana.Files(o)
			if err != nil {
				return err
			}
			for path, text := range files {
				path = filepath.Join(output, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					return err
				}
				if err := os.WriteFile(path, text, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVarP(&output, "output", "o", "", "write to this `folder`")
	f.StringVar(&o.Dewpoint, "dewpoint-schema", o.Dewpoint, "`schema` of dewpoint's own tables")
	f.StringVar(&o.Models, "schema", o.Models, "`schema` of the models")
	return cmd
}

// dashboardDatabase is the first sink that holds models, as BI tools are told
// of it.
func (a *app) dashboardDatabase(ctx context.Context, t *targets) (dashboards.Connection, error) {
	c, err := a.loadTargets(t)
	if err != nil {
		return dashboards.Connection{}, err
	}
	var found dashboards.Connection
	err = a.eachModeller(ctx, c, func(m sinks.Modeller) (err error) {
		if found.Dialect != "" {
			return nil
		}
		_, models := m.ModelSchemas()
		if found, err = dashboards.Connect(m.Dialect(), models, m.Environment()); err == nil && found.File != "" {
			found.File, err = filepath.Abs(found.File)
		}
		return err
	})
	if err == nil && found.Dialect == "" {
		err = errors.New("no sink holds models: name a DuckDB file or Postgres with --to")
	}
	return found, err
}

func (a *app) showDashboards(addresses []string, err error) error {
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if _, err := fmt.Fprintln(a.out.Out, address); err != nil {
			return err
		}
	}
	return nil
}
