package main

import (
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
files, looks for Google's application default credentials and for a kubeconfig,
writes dewpoint.yaml with what it found, and shows what a sync would read. It
asks AWS who the caller is and which regions are enabled, and nothing else.`,
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
	others := otherClouds()
	t := term.NewTable("CREDENTIALS", "ACCOUNT", ">REGIONS", "CALLER")
	for _, f := range tried {
		if f.err != nil {
			t.Row(f.name(), "-", "-", term.Clean(firstLine(f.err)))
			continue
		}
		t.Row(f.name(), strings.TrimSpace(f.account.ID+" "+f.account.Name), fmt.Sprint(len(f.regions)), f.account.Caller)
	}
	for _, o := range others {
		t.Row(o.what, term.Clean(o.name), "", term.Clean(o.from))
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	if err := writeConfig(path, configText(tried, others, chosen, regions)); err != nil {
		return err
	}
	fmt.Fprintf(a.out.Out, "\nWrote %s.\n", path)
	return a.wouldRead(path, tried, others, chosen)
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
func (a *app) wouldRead(path string, tried []found, others []otherCloud, chosen []string) error {
	c, err := workflow.LoadConfig(path)
	if err != nil {
		return err
	}
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		return err
	}
	entries, err := workflow.SelectKinds(c, cat)
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
	for _, o := range others {
		accounts = addOnce(accounts, o.name)
	}
	if len(accounts) == 0 {
		fmt.Fprintf(a.out.Out, "No credentials work yet: log in (aws sso login, gcloud auth application-default login, kubectl config use-context), then dewpoint doctor.\n")
		return nil
	}
	where := ""
	if regions > 0 {
		where = " in " + term.Plural(int64(regions), "region", "regions")
	}
	_, err = fmt.Fprintf(a.out.Out, "It reads %s of %s%s into %s.\n\nNext: %s\n",
		term.Plural(int64(len(entries)), "kind", "kinds"), some(accounts, 5), where, c.Sinks[0],
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
