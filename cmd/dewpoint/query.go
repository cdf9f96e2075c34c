package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/rows"
	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
)

func (a *app) queryCommand() *cobra.Command {
	var t targets
	var output, null string
	cmd := &cobra.Command{
		Use:     "query [SQL]",
		Short:   "Ask the tables a question in SQL",
		GroupID: "use",
		Long: `Runs one SQL statement, from the argument or from standard input, and prints its
rows. The database is opened for reading only, so a query can run during a sync.
Of several sinks the first that can be read is asked.

Times are UTC. A table is fitted to the terminal; -o line shows every column.`,
		Example: `  $ dewpoint query "SELECT kind, count(*) AS n FROM resources GROUP BY kind ORDER BY n DESC"
  $ dewpoint query "FROM aws_ec2_instance LIMIT 1" -o line
  $ dewpoint query -o csv < report.sql > report.csv`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("--output", output, rows.Formats); err != nil {
				return err
			}
			text, err := a.statement(args)
			if err != nil {
				return err
			}
			c, err := a.loadTargets(&t)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("null") && (output == "csv" || output == "markdown") {
				null = ""
			}
			return a.query(c.Sinks, text, rows.Options{Format: output, Null: null})
		},
	}
	f := cmd.Flags()
	t.flags(cmd, "ask this sink, by `URL` (default as sync writes)")
	f.StringArrayVar(&t.to, "from", nil, "the same as --to")
	hide(cmd, "from")
	f.StringVarP(&output, "output", "o", "table", strings.Join(rows.Formats, ", "))
	complete(cmd, "output", completeWith(rows.Formats...))
	f.StringVar(&null, "null", "NULL", "what stands for NULL (nothing in csv, markdown)")
	return cmd
}

// statement is the SQL of the argument, or of standard input.
func (a *app) statement(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		if strings.TrimSpace(args[0]) == "" {
			return "", usagef("the SQL is empty")
		}
		return args[0], nil
	}
	if len(args) == 0 && term.IsTerminal(a.in) {
		return "", usagef(`no SQL: dewpoint query "SELECT ..."`)
	}
	b, err := io.ReadAll(a.in)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(string(b)) == "" {
		return "", usagef("the SQL on standard input is empty")
	}
	return string(b), nil
}

func (a *app) query(urls []string, text string, o rows.Options) (err error) {
	ctx, cancel := interruptible()
	defer cancel()
	db, url, err := a.firstReadable(ctx, urls)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := ask(ctx, db, a.out, text, o); err != nil {
		return fmt.Errorf("%s: %w", shortURL(url), err)
	}
	return nil
}

func ask(ctx context.Context, db *sql.DB, out *term.Screen, text string, o rows.Options) (err error) {
	rs, err := db.QueryContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rs.Close()) }()
	_, err = rows.Write(out, rs, o)
	return err
}
