package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/workflow"
)

// targets are the sinks that a command line names, instead of those of the
// configuration.
type targets struct{ to []string }

func (t *targets) flags(cmd *cobra.Command, usage string) {
	// Not a list of values after commas: URLs have commas.
	cmd.Flags().StringArrayVar(&t.to, "to", nil, usage)
	complete(cmd, "to", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return workflow.SinkPrefixes(), cobra.ShellCompDirectiveNoSpace
	})
}

// apply replaces the sinks of a configuration by those that are named.
func (t *targets) apply(c *workflow.Config) error {
	if len(t.to) == 0 {
		return nil
	}
	urls, err := workflow.ExpandURLs(t.to)
	if err != nil {
		return err
	}
	c.Sinks = urls
	return nil
}

// loadTargets reads the configuration, with the sinks that are named.
func (a *app) loadTargets(t *targets) (*workflow.Config, error) {
	c, err := a.loadConfig()
	if err != nil {
		return nil, err
	}
	return c, t.apply(c)
}

// firstReadable opens the first sink that can be read and says which others
// before it cannot.
func (a *app) firstReadable(ctx context.Context, urls []string) (*sql.DB, string, error) {
	var failed []error
	for _, url := range urls {
		db, err := workflow.OpenReader(ctx, url)
		if err == nil {
			for _, e := range failed {
				a.logger(a.err.Out).Warn(e.Error() + ": asking " + shortURL(workflow.ShowURL(url)))
			}
			return db, workflow.ShowURL(url), nil
		}
		failed = append(failed, named(workflow.ShowURL(url), err))
	}
	return nil, "", errors.Join(failed...)
}

// named puts the sink's name before an error that lacks it.
func named(url string, err error) error {
	_, rest, _ := strings.Cut(url, ":")
	if err == nil || strings.Contains(err.Error(), rest) {
		return err
	}
	return fmt.Errorf("%s: %w", url, err)
}

// shortURL names a file below the working directory by its relative path.
func shortURL(url string) string {
	scheme, path, ok := strings.Cut(url, ":")
	wd, err := os.Getwd()
	if !ok || err != nil || !filepath.IsAbs(path) || strings.HasPrefix(path, "//") {
		return url
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return scheme + ":" + rel
	}
	return url
}

func shellQuote(s string) string {
	if !strings.ContainsAny(s, " '\"\\$`&;|<>()*?[]{}~!#") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
