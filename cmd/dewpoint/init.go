package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) initCommand() *cobra.Command {
	var force bool
	var profiles, regions []string
	cmd := &cobra.Command{
		Use:     "init",
		Short:   "Find credentials and write a commented dewpoint.yaml",
		GroupID: "setup",
		Long: `Tries the default AWS credentials and every profile of the AWS configuration
files, writes dewpoint.yaml with what works, and shows what a sync would read.
It asks AWS who the caller is and which regions are enabled, and nothing else.`,
		Example: `  $ dewpoint init
  $ dewpoint init --force --profile production --profile staging`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			path := a.config
			if path == "" {
				path = "dewpoint.yaml"
			}
			if _, err := os.Stat(path); err == nil && !force {
				return usagef("%s exists: --force overwrites it", path)
			}
			return a.init(path, profiles, regions)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "overwrite the file")
	list(cmd, &profiles, "profile", "read the accounts of these AWS `profiles`")
	list(cmd, &regions, "region", "read these `regions`: name or glob (default enabled)")
	return cmd
}

// found is what came of trying a profile.
type found struct {
	profile string // empty: the default credentials
	account *aws.Account
	regions []string
	err     error
}

func (f found) name() string {
	if f.profile == "" {
		return "default credentials"
	}
	return "profile " + f.profile
}

func (a *app) init(path string, chosen, regions []string) error {
	ctx, cancel := interruptible()
	defer cancel()
	names := append([]string{""}, chosen...)
	if len(chosen) == 0 {
		names = append(names, profiles()...)
	}
	tried := tryProfiles(ctx, names, regions)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	t := term.NewTable("CREDENTIALS", "ACCOUNT", ">REGIONS", "CALLER")
	for _, f := range tried {
		if f.err != nil {
			t.Row(f.name(), "-", "-", term.Clean(firstLine(f.err)))
			continue
		}
		t.Row(f.name(), strings.TrimSpace(f.account.ID+" "+f.account.Name), fmt.Sprint(len(f.regions)), f.account.Caller)
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	if err := writeConfig(path, configText(tried, chosen, regions)); err != nil {
		return err
	}
	fmt.Fprintf(a.out.Out, "\nWrote %s.\n", path)
	return a.wouldRead(path, tried, chosen)
}

// writeConfig writes a valid configuration at once or nothing.
func writeConfig(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".dewpoint-*.yaml")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if _, err := workflow.LoadConfig(f.Name()); err != nil {
		return fmt.Errorf("the configuration would not be valid: %w", err)
	}
	return os.Rename(f.Name(), path)
}

// wouldRead says what a sync with the new configuration reads.
func (a *app) wouldRead(path string, tried []found, chosen []string) error {
	c, err := workflow.LoadConfig(path)
	if err != nil {
		return err
	}
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		return err
	}
	entries, err := cat.Select(c.Kinds.Only, c.Kinds.Skip)
	if err != nil {
		return err
	}
	var accounts []string
	regions := 0
	for _, f := range tried {
		if f.err == nil && (f.profile == "") == (len(chosen) == 0) {
			accounts = addOnce(accounts, f.account.ID)
			regions = max(regions, len(f.regions))
		}
	}
	if len(accounts) == 0 {
		fmt.Fprintf(a.out.Out, "No credentials work yet: log in (aws sso login, aws configure, AWS_PROFILE=...), then dewpoint doctor.\n")
		return nil
	}
	_, err = fmt.Fprintf(a.out.Out, "It reads %s of %s in %s into %s.\n\nNext: %s\n",
		term.Plural(int64(len(entries)), "kind", "kinds"), some(accounts, 5),
		term.Plural(int64(regions), "region", "regions"), c.Sinks[0],
		a.out.Cyan("dewpoint sync --dry-run")+", then "+a.out.Cyan("dewpoint sync"))
	return err
}

// tryTimeout is how long a profile may take; SSO and role chains are quicker.
const tryTimeout = 10 * time.Second

func tryProfiles(ctx context.Context, names, regions []string) []found {
	out := make([]found, len(names))
	limit := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i, n := range names {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			out[i] = tryProfile(ctx, n, regions)
		})
	}
	wg.Wait()
	return out
}

func tryProfile(ctx context.Context, profile string, regions []string) found {
	ctx, cancel := context.WithTimeoutCause(ctx, tryTimeout, errors.New("no answer in 10 s"))
	defer cancel()
	f := found{profile: profile}
	client, err := aws.NewClient(ctx, aws.Options{MaxAttempts: 2, UserAgent: "dewpoint/" + buildVersion()})
	if err != nil {
		f.err = err
		return f
	}
	defer client.Close()
	if f.account, f.err = client.Account(ctx, aws.AccountConfig{Profile: profile}); f.err == nil {
		f.regions, _, _, f.err = client.Regions(ctx, f.account, regions...)
	}
	return f
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// configText writes dewpoint.yaml: what is in use as keys, the rest as
// comments.
func configText(tried []found, chosen, regions []string) []byte {
	var b bytes.Buffer
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	w("# What dewpoint reads and where it writes. Every key may be left out.")
	w("# All keys: docs/configuration.md. ${NAME} is an environment variable.")
	w("")
	w("# The databases to write to, by URL: docs/sinks/README.md has them.")
	w("sinks:")
	w("  - duckdb:dewpoint.duckdb")
	w("")
	w("aws:")
	accounts := false
	for _, f := range tried {
		if f.profile == "" {
			continue
		}
		if !accounts {
			w("  # The accounts to read, by profile or by a role to assume; without them the")
			w("  # one of the default credentials.")
			if len(chosen) > 0 {
				w("  accounts:")
			} else {
				w("  # accounts:")
			}
			accounts = true
		}
		note := ""
		if f.err == nil {
			note = "  # " + strings.TrimSpace(f.account.ID+" "+term.Clean(f.account.Name))
		}
		if len(chosen) > 0 {
			w("    - profile: %s%s", yamlString(f.profile), note)
		} else {
			w("  #   - profile: %s%s", yamlString(f.profile), note)
		}
	}
	if !accounts {
		w("  # The accounts to read, by profile or by a role to assume; without them the")
		w("  # one of the default credentials.")
		w("  # accounts:")
		w("  #   - profile: production")
	}
	w("  #   - role_arn: arn:aws:iam::111122223333:role/reader")
	w("  #     external_id: ${EXTERNAL_ID}")
	w("  # The regions to read, names or globs; without them all that are enabled.")
	if len(regions) > 0 {
		w("  regions:")
		for _, r := range regions {
			w("    - %s", yamlString(r))
		}
	} else {
		w("  # regions: [eu-west-1, us-*]")
	}
	w("")
	w("# The kinds to read, by name, service or glob: see dewpoint kinds.")
	w("# kinds:")
	w("#   only: [ec2, aws_iam_*]")
	w("#   skip: [aws_ec2_snapshot]")
	w("")
	w("# Kinds of your own, or changes to the built-in ones.")
	w("# catalogue: [kinds.yaml]")
	w("")
	w("# How many lists are read at once, and how long one may take.")
	w("# workers: 64")
	w("# scope_timeout: 30m")
	w("# How long former values are kept in resource_history.")
	w("# history_retention: 400d")
	w("# How long to wait for another process that holds the database.")
	w("# lock_timeout: 1m")
	return b.Bytes()
}

// yamlString quotes a text where YAML would read something else.
func yamlString(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 && strings.IndexFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' }) == 0 {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
