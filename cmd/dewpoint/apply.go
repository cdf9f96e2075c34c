package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/workflow"
)

type applyFlags struct {
	targets
	reportFlag
	approve bool
}

func (a *app) applyCommand() *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply [FILE | ID | RULE...]",
		Short: "Carry out a plan",
		Long: `Carries out the plans in a file that react plan --out wrote, or the one with an
id that react plans lists, also of another host; or with --auto-approve plans the
rules in force, or those that are named, and carries that out.

What a plan reasons from and acts on is read anew, its rule is planned again on
that, and only what both say is done. Each resource is read by its id right
before it is acted on. What refers to another goes first. The ledger says what
was done; a plan whose application was interrupted is applied again to go on.

It acts with the credentials of react.aws, react.gcp and react.kubernetes and no
others; without any it does nothing.

Exit codes: 0 all was done, 3 something was left and is said, 1 failed.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if !f.approve && len(args) != 1 {
				return usagef("name the file of a plan, as react plan --out writes it, or the id of one that react plans lists, or say --auto-approve")
			}
			return a.apply(&f, args)
		},
	}
	f.targets.flags(cmd, "read this sink, by `URL` (default as sync writes)")
	cmd.Flags().BoolVar(&f.approve, "auto-approve", false, "plan and apply without a file in between")
	f.reportFlag.flag(cmd)
	return cmd
}

func (a *app) apply(f *applyFlags, args []string) (err error) {
	c, err := a.loadTargets(&f.targets)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		return err
	}
	actor, err := workflow.OpenActor(c, buildVersion())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, actor.Close()) }()
	store, err := workflow.OpenStore(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	var plans []*react.Plan
	if f.approve {
		plans, err = a.planNow(ctx, c, cat, store, args)
	} else {
		plans, err = findPlans(ctx, store, args[0])
	}
	if err != nil {
		return err
	}
	x := &react.Report{Plans: plans, Results: map[string][]react.Result{}}
	left := false
	for i, p := range plans {
		if x.Results[p.Rule], err = a.applyPlan(ctx, c, cat, actor, store, p); err != nil {
			x.Plans = plans[:i]
			return errors.Join(err, f.write(x))
		}
		if i > 0 {
			fmt.Fprintln(a.out.Out)
		}
		if err := a.printPlan(x, p, true); err != nil {
			return err
		}
		for _, r := range x.Results[p.Rule] {
			left = left || !r.Done
		}
	}
	a.printTotal(x)
	if err := f.write(x); err != nil {
		return err
	}
	if left {
		return exitError(exitPartial)
	}
	return nil
}

// planNow plans the rules in force, or those that are named. The first sink is
// read, which is the one that is read into anew.
func (a *app) planNow(ctx context.Context, c *workflow.Config, cat *catalog.Catalogue, store react.Store, names []string) (plans []*react.Plan, err error) {
	rules, inForce, err := chooseRules(c, names)
	if err != nil {
		return nil, err
	}
	e, done, err := workflow.OpenEstate(ctx, c.Sinks[0])
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	p, err := workflow.NewPlanner(ctx, c, e, cat, store, buildVersion())
	if err != nil {
		return nil, err
	}
	p.Mark = true
	return p.PlanAll(ctx, rules, inForce, time.Now())
}

// findPlans are the plans of a file, or the one that the state has under an id.
func findPlans(ctx context.Context, store react.Store, name string) ([]*react.Plan, error) {
	id, err := uuid.Parse(name)
	keeper, ok := store.(react.Plans)
	if _, missing := os.Stat(name); err != nil || !ok || missing == nil {
		return readPlans(name)
	}
	p, err := keeper.KeptPlan(ctx, id)
	if err == nil && p == nil {
		return nil, usagef("the state has no plan %s: dewpoint react plans lists those it has", id)
	}
	return []*react.Plan{p}, err
}

func readPlans(path string) ([]*react.Plan, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &usageError{err}
	}
	var plans []*react.Plan
	if err := json.Unmarshal(b, &plans); err != nil {
		return nil, usagef("%s holds no plans, as react plan --out writes them: %w", path, err)
	}
	return plans, nil
}

func (a *app) applyPlan(ctx context.Context, c *workflow.Config, cat *catalog.Catalogue, actor *workflow.Actor, store react.Store, p *react.Plan) ([]react.Result, error) {
	if p.Version != buildVersion() {
		return nil, fmt.Errorf("the plan of %s was made by dewpoint %s, this is %s: plan again", p.Rule, p.Version, buildVersion())
	}
	rules, _, err := chooseRules(c, []string{p.Rule})
	if err != nil {
		return nil, err
	}
	x, err := workflow.NewApplier(ctx, c, cat, actor, store, rules[0], buildVersion())
	if err != nil {
		return nil, err
	}
	return x.Apply(ctx, p)
}

// reportFlag is the flag --report.
type reportFlag struct{ file string }

func (f *reportFlag) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.file, "report", "", "also write what was done and what was left, and why, as Markdown to\nthis `file`")
}

// write writes what came of plans to the file that is named, if one is.
func (f reportFlag) write(x *react.Report) error {
	if f.file == "" {
		return nil
	}
	var b bytes.Buffer
	if text := x.Total(); text != "" {
		b.WriteString(text + "\n\n")
	}
	if err := x.WriteMarkdown(&b); err != nil {
		return err
	}
	return os.WriteFile(f.file, b.Bytes(), 0o600)
}

// withStore runs a command that reads only the state.
func (a *app) withStore(f *targets, do func(context.Context, react.Store) error) func(*cobra.Command, []string) error {
	return func(*cobra.Command, []string) (err error) {
		c, err := a.loadTargets(f)
		if err != nil {
			return err
		}
		ctx, cancel := interruptible()
		defer cancel()
		store, err := workflow.OpenStore(ctx, c)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, store.Close()) }()
		return do(ctx, store)
	}
}

func (a *app) ledgerCommand() *cobra.Command {
	var f targets
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "ledger",
		Short: "Show what was done, newest last",
		Args:  noArgs,
		RunE: a.withStore(&f, func(ctx context.Context, store react.Store) error {
			all, err := store.Actions(ctx, react.ActionFilter{Since: time.Now().Add(-since)})
			if err != nil {
				return err
			}
			t := term.NewTable("AT", "STATE", "RULE", "VERB", "RESOURCE", "ACCOUNT", "REGION", "WHY").Keep(5)
			for _, x := range all {
				why := x.Reason
				if x.Error != "" {
					why = x.Error
				}
				t.Row(x.At.UTC().Format("2006-01-02 15:04:05"), string(x.State), x.Rule, string(x.Verb), x.Kind+" "+x.Resource, x.Account, x.Region, why)
			}
			return t.Write(a.out)
		}),
	}
	f.flags(cmd, "whose ledger, if it is a Postgres, by `URL` (default as sync writes)")
	cmd.Flags().DurationVar(&since, "since", 30*24*time.Hour, "how far back")
	return cmd
}

func (a *app) plansCommand() *cobra.Command {
	var f targets
	cmd := &cobra.Command{
		Use:   "plans",
		Short: "List the plans that can be applied by their ids, newest last",
		Long: `Lists the plans of which something can be done, as react plan, run and serve made
them: those in the state, of all hosts that share one Postgres. They are kept for
30 days; one that has expired can only be gone on with.`,
		Args: noArgs,
		RunE: a.withStore(&f, func(ctx context.Context, store react.Store) error {
			t := term.NewTable("ID", "RULE", "READY", "MADE AT", "BY", "EXPIRES AT").Keep(1)
			if keeper, ok := store.(react.Plans); ok {
				all, err := keeper.KeptPlans(ctx)
				if err != nil {
					return err
				}
				for _, k := range all {
					t.Row(k.ID.String(), k.Rule, fmt.Sprint(k.Ready), k.MadeAt.Format("2006-01-02 15:04:05"), k.MadeBy, k.ExpiresAt.Format("2006-01-02 15:04:05"))
				}
			}
			return t.Write(a.out)
		}),
	}
	f.flags(cmd, "whose plans, if it is a Postgres, by `URL` (default as sync writes)")
	return cmd
}
