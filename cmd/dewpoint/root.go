package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/report"
	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// The exit codes.
const (
	exitComplete = 0
	exitFailed   = 1
	exitUsage    = 2 // the command line or the configuration is wrong
	exitPartial  = 3 // something could not be read; all else is stored
)

// app is what the commands share: the streams and the persistent flags.
type app struct {
	in       *os.File
	out, err *term.Screen

	config    string
	logLevel  string
	logFormat string
	noColour  bool
}

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// partialError is what failed while something else was done.
type partialError struct{ err error }

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// exitError ends the program with a code after all has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// run runs a command line and returns the exit code.
func run(args []string) int {
	a := &app{in: os.Stdin}
	a.open()
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteC()
	if err == nil {
		return exitComplete
	}
	var code exitError
	if errors.As(err, &code) {
		return int(code)
	}
	a.fail(cmd, err)
	return exitCode(err)
}

func (a *app) open() {
	a.out, a.err = term.Open(os.Stdout, a.noColour), term.Open(os.Stderr, a.noColour)
}

func exitCode(err error) int {
	var usage *usageError
	var config *workflow.ConfigError
	var problems catalog.Problems
	var url *sinks.URLError
	var partial *partialError
	switch {
	case errors.As(err, &usage) || errors.As(err, &config) || errors.As(err, &problems) || errors.As(err, &url):
		return exitUsage
	case errors.As(err, &partial):
		return exitPartial
	}
	return exitFailed
}

// fail says what went wrong, in the format of the log.
func (a *app) fail(cmd *cobra.Command, err error) {
	if a.logFormat == "json" {
		a.logger(a.err.Out).Error(err.Error())
		return
	}
	fmt.Fprintln(a.err.Out, a.err.Red("dewpoint:")+" "+err.Error())
	var usage *usageError
	if errors.As(err, &usage) {
		fmt.Fprintf(a.err.Out, "See %s --help\n", cmd.CommandPath())
	}
}

// logger returns a logger that writes to out; validate has checked the flags.
func (a *app) logger(out io.Writer) *slog.Logger {
	var level slog.Level
	// An unknown level has been refused before.
	_ = level.UnmarshalText([]byte(a.logLevel))
	if a.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(report.NewTextHandler(out, level))
}

func (a *app) validate() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return usagef("--log-level %q: take debug, info, warn or error", a.logLevel)
	}
	if f := a.logFormat; f != "text" && f != "json" {
		a.logFormat = "text"
		return usagef("--log-format %q: take text or json", f)
	}
	return nil
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "dewpoint",
		Short: "Condense clouds into SQL tables",
		Long: `Dewpoint reads what exists in AWS, Google Cloud and Kubernetes and writes typed,
related SQL tables.

  dewpoint sync                                reads the account of the default
                                               credentials into dewpoint.duckdb
  dewpoint query "SELECT kind, count(*) FROM resources GROUP BY kind"

Exit codes: 0 complete, 3 partial (what could be read is stored), 1 failed,
2 the command line or the configuration is wrong.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              cobra.ArbitraryArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			a.open()
			return a.validate()
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usagef("unknown command %q%s", args[0], suggest(args[0], commandNames(cmd)))
		},
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.AddGroup(&cobra.Group{ID: "use", Title: "Commands:"}, &cobra.Group{ID: "setup", Title: "Setting up:"})
	root.SetCompletionCommandGroupID("setup")
	root.SetHelpCommandGroupID("setup")
	f := root.PersistentFlags()
	f.StringVarP(&a.config, "config", "c", "", "configuration `file` (default dewpoint.yaml)")
	f.StringVar(&a.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&a.logFormat, "log-format", "text", "text, or json for one object a line")
	f.BoolVar(&a.noColour, "no-color", false, "no colours (also NO_COLOR)")
	complete(root, "log-format", completeWith("text", "json"))
	complete(root, "log-level", completeWith("debug", "info", "warn", "error"))
	root.AddCommand(a.syncCommand(), a.runCommand(), a.serveCommand(), a.queryCommand(), a.transformCommand(), a.impactCommand(), a.pathCommand(), a.metricsCommand(), a.dashboardsCommand(), a.reactCommand(), a.kindsCommand(), a.initCommand(), a.doctorCommand(),
		a.schemaCommand(), a.pricesCommand(), a.notifyCommand(), a.permissionsCommand(), a.versionCommand(), a.manCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w%s", err, suggestFlag(cmd, err))
	})
	return root
}

// loadConfig reads the configuration.
func (a *app) loadConfig() (*workflow.Config, error) {
	return workflow.LoadConfig(a.config)
}

// interruptible returns a context that ends with the first signal.
func interruptible() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes no argument %q%s", cmd.CommandPath(), args[0], suggest(args[0], commandNames(cmd)))
	}
	return nil
}

// atMost refuses more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return usagef("%s takes %s, not %d: quote what belongs together", cmd.CommandPath(),
				term.Plural(int64(n), "argument", "arguments"), len(args))
		}
		return nil
	}
}

// exactly wants n arguments, which what names.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usagef("%s takes %s, not %s", cmd.CommandPath(), what, term.Plural(int64(len(args)), "argument", "arguments"))
		}
		return nil
	}
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// list is a flag that may be repeated or hold several values after commas.
func list(cmd *cobra.Command, p *[]string, name, usage string) {
	cmd.Flags().StringSliceVar(p, name, nil, usage)
}

// oneOf refuses a value that is not among those allowed.
func oneOf(flag, value string, allowed []string) error {
	for _, v := range allowed {
		if v == value {
			return nil
		}
	}
	return usagef("%s %q: take one of %s%s", flag, value, strings.Join(allowed, ", "), suggest(value, allowed))
}

// completeKinds completes names of kinds on the shell's command line.
func (a *app) completeKinds(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return cat.Names(), cobra.ShellCompDirectiveNoFileComp
}

// complete completes the values of a flag.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic("dewpoint: " + err.Error()) // no such flag
	}
}

// hide leaves a flag out of the help.
func hide(cmd *cobra.Command, flag string) {
	if err := cmd.Flags().MarkHidden(flag); err != nil {
		panic("dewpoint: " + err.Error()) // no such flag
	}
}

// completeWith completes with fixed words.
func completeWith(words ...string) cobra.CompletionFunc {
	return cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
}
