package main

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) schemaCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "schema",
		Short:   "Show and make the changes that tables need",
		GroupID: "setup",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.schemaPlanCommand(), a.schemaApplyCommand())
	return cmd
}

type schemaFlags struct {
	targets
	output    string
	sql       bool
	exitCode  bool // plan
	allowDrop bool // apply
}

func (f *schemaFlags) flags(cmd *cobra.Command) {
	f.targets.flags(cmd, "look at this sink, by `URL`; may be repeated (default sinks of the\nconfiguration, or duckdb:dewpoint.duckdb)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", strings.Join(schemaFormats, " or "))
	complete(cmd, "output", completeWith(schemaFormats...))
	cmd.Flags().BoolVar(&f.sql, "sql", false, "print the statements instead of a table")
}

var schemaFormats = []string{"table", "json"}

func (a *app) schemaPlanCommand() *cobra.Command {
	var f schemaFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what would change in each sink",
		Long: `Compares the tables of each sink with the catalogue: what a new version of
dewpoint or a kind of your own adds, what has left the catalogue, and what
conflicts. It changes nothing.

A sync makes the additive changes by itself. Drops are made only by dewpoint
schema apply --allow-drop; they concern only what dewpoint made. A conflict,
such as a column of another type, is yours to solve: the statement shown renames
what is in the way.

With --exit-code it ends with 3 when there is something to do, a drop or a
conflict included, and with 0 when there is nothing.`,
		Example: `  $ dewpoint schema plan
  $ dewpoint schema plan --to duckdb:estate.duckdb --sql
  $ dewpoint schema plan --output json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.schema(&f, false) },
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "end with 3 when there is something to do")
	return cmd
}

func (a *app) schemaApplyCommand() *cobra.Command {
	var f schemaFlags
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Make the additive changes in each sink",
		Long: `Makes the changes that dewpoint schema plan shows: tables, columns and migrations
are added. What has left the catalogue is dropped, with its values, only with
--allow-drop. A sink with a conflict is left as it is.`,
		Example: `  $ dewpoint schema apply
  $ dewpoint schema apply --allow-drop`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return a.schema(&f, true) },
	}
	f.flags(cmd)
	cmd.Flags().BoolVar(&f.allowDrop, "allow-drop", false, "drop tables and columns that left the catalogue")
	return cmd
}

// schema plans or applies in each sink; one that fails leaves the others alone.
func (a *app) schema(f *schemaFlags, apply bool) (err error) {
	if err := oneOf("--output", f.output, schemaFormats); err != nil {
		return err
	}
	if f.sql && f.output == "json" {
		return usagef("--sql and --output json exclude each other: the statements are in the JSON")
	}
	ctx, cancel := interruptible()
	defer cancel()
	c, err := a.loadTargets(&f.targets)
	if err != nil {
		return err
	}
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		return err
	}
	selected, err := workflow.SelectKinds(c, cat)
	if err != nil {
		return err
	}
	open, unopened, err := workflow.OpenSinks(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, workflow.CloseSinks(open)) }()
	var all []sinkChanges
	var failed []error
	for _, u := range unopened {
		failed = append(failed, named(u.URL, u.Err))
	}
	for _, s := range open {
		r := sinkChanges{Sink: shortURL(s.URL())}
		found, err := changes(ctx, s, cat, selected, f, apply)
		r.Changes = shown(found)
		if err == nil && apply {
			found, err = workflow.PlanSchema(ctx, s, cat, selected)
			r.Left = shown(found)
		}
		if err != nil {
			r.Error = err.Error()
			failed = append(failed, named(s.URL(), err))
		}
		all = append(all, r)
	}
	print := changesPrinter{app: a, applied: apply}
	if err := print.all(all, f); err != nil {
		return err
	}
	return schemaOutcome(all, failed, len(c.Sinks), f)
}

func changes(ctx context.Context, s sinks.Sink, cat *catalog.Catalogue, selected []*catalog.Entry, f *schemaFlags, apply bool) ([]sinks.SchemaChange, error) {
	if apply {
		return workflow.ApplySchema(ctx, s, cat, selected, f.allowDrop)
	}
	return workflow.PlanSchema(ctx, s, cat, selected)
}

// schemaOutcome is the exit code: 1 where no sink could be looked at, 3 where
// one could not or where, asked for, something is to do.
func schemaOutcome(all []sinkChanges, failed []error, n int, f *schemaFlags) error {
	if len(failed) == n {
		return errors.Join(failed...)
	}
	for _, r := range all {
		if f.exitCode && len(r.Changes) > 0 {
			return exitError(exitPartial)
		}
	}
	if len(failed) > 0 {
		return &partialError{errors.Join(failed...)}
	}
	return nil
}
