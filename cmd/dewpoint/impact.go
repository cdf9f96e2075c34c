package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/rows"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/transform"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// relateFlags are the flags of the commands that ask the graph.
type relateFlags struct {
	targets
	sql    bool
	output string
}

func (f *relateFlags) add(cmd *cobra.Command, drawn string) {
	f.flags(cmd, "ask this sink, by `URL` (default as sync writes)")
	cmd.Flags().BoolVar(&f.sql, "sql", false, "print the SQL and do not run it")
	formats := append([]string{drawn}, rows.Formats...)
	cmd.Flags().StringVarP(&f.output, "output", "o", drawn, strings.Join(formats, ", "))
	complete(cmd, "output", completeWith(formats...))
}

func (a *app) impactCommand() *cobra.Command {
	var f relateFlags
	var limit, siblings int
	cmd := &cobra.Command{
		Use:     "impact RESOURCE",
		Short:   "Show what goes down with a resource and what blocks its deletion",
		GroupID: "use",
		Long: `Shows as a tree what hangs on a resource, which is named by its id, name, ARN or
other urn, address, or _id:

  blocks    has to be deleted before it
  goes      is deleted with it
  breaks    needs something that is deleted
  detached  loses a link and stays

It asks the models: run dewpoint transform after dewpoint sync.`,
		Example: `  dewpoint impact vpc-0a1b2c3d
  dewpoint impact 203.0.113.10
  dewpoint impact web-1 --sql`,
		Args: exactly(1, "RESOURCE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.relate(&f, "tree", func(ctx context.Context, db *sql.DB, m sinks.Modeller) error {
				if f.sql && db == nil {
					return a.printSQL(m, args, func(found []string) (string, error) { return transform.ImpactSQL(m, found[0], limit) })
				}
				of, err := transform.Find(ctx, db, m, args[0])
				if err != nil {
					return err
				}
				q, err := transform.ImpactSQL(m, of.UUID, limit)
				if err != nil {
					return err
				}
				if f.output != "tree" {
					return ask(ctx, db, a.out, q, rows.Options{Format: f.output, Null: "NULL"})
				}
				im, err := transform.ReadImpact(ctx, db, of, q)
				if err != nil {
					return err
				}
				return im.WriteTree(a.out.Out, siblings)
			})
		},
	}
	f.add(cmd, "tree")
	cmd.Flags().IntVar(&limit, "limit", 500, "read no more than so many `resources`, the nearest")
	cmd.Flags().IntVar(&siblings, "siblings", 5, "draw no more than so many of a `kind` that hang on the same")
	return cmd
}

func (a *app) pathCommand() *cobra.Command {
	var f relateFlags
	cmd := &cobra.Command{
		Use:     "path A B",
		Short:   "Show how two resources are related",
		GroupID: "use",
		Long: `Shows a shortest chain of relationships between two resources, up to six steps
long, in any direction and not through hubs: what both share with hundreds of
others says nothing. Each is named by its id, name, ARN or other urn, address,
or _id.

It asks the models: run dewpoint transform after dewpoint sync.`,
		Example: `  dewpoint path 203.0.113.10 checkout-00
  dewpoint path i-0a1b2c3d my-bucket --sql`,
		Args: exactly(2, "A and B"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.relate(&f, "path", func(ctx context.Context, db *sql.DB, m sinks.Modeller) error {
				if f.sql && db == nil {
					return a.printSQL(m, args, func(found []string) (string, error) { return transform.PathSQL(m, found[0], found[1]) })
				}
				var ends [2]transform.Resource
				for i, text := range args {
					var err error
					if ends[i], err = transform.Find(ctx, db, m, text); err != nil {
						return err
					}
				}
				q, err := transform.PathSQL(m, ends[0].UUID, ends[1].UUID)
				if err != nil {
					return err
				}
				if f.output != "path" {
					return ask(ctx, db, a.out, q, rows.Options{Format: f.output, Null: "NULL"})
				}
				steps, err := transform.ReadPath(ctx, db, q)
				if err != nil {
					return err
				}
				if len(steps) == 0 {
					return fmt.Errorf("no chain of up to six relationships leads from %s to %s without passing a hub", ends[0].Title(), ends[1].Title())
				}
				return transform.WritePath(a.out.Out, steps)
			})
		},
	}
	f.add(cmd, "path")
	return cmd
}

// printSQL prints how the resources are found and what is asked of them.
func (a *app) printSQL(m sinks.Modeller, names []string, ask func(found []string) (string, error)) error {
	var found []string
	for i, n := range names {
		fmt.Fprintf(a.out.Out, "-- Which resource is %s?\n%s;\n\n", strings.ReplaceAll(n, "\n", " "), transform.FindSQL(m, n))
		found = append(found, fmt.Sprintf("00000000-0000-0000-0000-%012d", i+1))
	}
	q, err := ask(found)
	if err != nil {
		return err
	}
	for i, id := range found {
		fmt.Fprintf(a.out.Out, "-- %s stands for the _id of %s.\n", id, strings.ReplaceAll(names[i], "\n", " "))
	}
	_, err = fmt.Fprintf(a.out.Out, "%s", q)
	return err
}

// relate opens the first sink that has models and can be read. With --sql it
// opens none: db is nil.
func (a *app) relate(f *relateFlags, drawn string, do func(ctx context.Context, db *sql.DB, m sinks.Modeller) error) (err error) {
	if f.output != drawn && !slices.Contains(rows.Formats, f.output) {
		return oneOf("--output", f.output, append([]string{drawn}, rows.Formats...))
	}
	c, err := a.loadTargets(&f.targets)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	var failed []error
	for _, url := range c.Sinks {
		s, err := workflow.OpenSink(ctx, url, c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.Close()) }()
		m, err := transform.Models(s)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if f.sql {
			return do(ctx, nil, m)
		}
		db, err := workflow.OpenReader(ctx, url)
		if err != nil {
			failed = append(failed, named(workflow.ShowURL(url), err))
			continue
		}
		return errors.Join(do(ctx, db, m), db.Close())
	}
	return errors.Join(failed...)
}
