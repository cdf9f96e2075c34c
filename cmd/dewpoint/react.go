package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/workflow"
)

func (a *app) reactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "react",
		Short:   "Plan what rules would do, and do it",
		GroupID: "use",
		Long: `A rule is a SELECT of resources and what is to be done to them. Rules do nothing
until react.rules names them, and then they are planned: no command changes a
cloud without a plan.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.rulesCommand(), a.planCommand(), a.plansCommand(), a.applyCommand(), a.ledgerCommand())
	return cmd
}

func (a *app) rulesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rules",
		Short: "List the rules and which are in force",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			all, enabled, err := workflow.LoadRules(c)
			if err != nil {
				return err
			}
			t := term.NewTable("RULE", "IN FORCE", "ACTION", "WHAT IT TAKES").Keep(3)
			for _, r := range all {
				force := "no"
				if slices.Contains(enabled, r.Name) {
					force = "yes"
				}
				t.Row(r.Name, force, string(r.Action), r.Help)
			}
			return t.Write(a.out)
		},
	}
}

type planFlags struct {
	targets
	output, out string
}

var planFormats = []string{"table", "json", "markdown"}

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan [RULE...]",
		Short: "Say what rules would do, call by call, and what they leave alone and why",
		Long: `Plans the rules in force, or those that are named, on the newest sync. A plan
says of each resource why it matched, whose it is, the exact calls in order, what
goes down with it, and what blocks it. Nothing in any cloud is changed.

What matches is marked, so that the grace of its rule runs. A plan of which
something can be done is kept in the state: dewpoint react plans lists them, and
dewpoint react apply takes their ids.`,
		Example: `  $ dewpoint react plan unattached-volumes
  $ dewpoint react plan expired -o markdown`,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := oneOf("--output", f.output, planFormats); err != nil {
				return err
			}
			return a.plan(&f, args)
		},
	}
	f.targets.flags(cmd, "read this sink, by `URL` (default as sync writes)")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", strings.Join(planFormats, ", "))
	complete(cmd, "output", completeWith(planFormats...))
	cmd.Flags().StringVar(&f.out, "out", "", "also write the plans as JSON to this `file`")
	return cmd
}

func (a *app) plan(f *planFlags, names []string) (err error) {
	c, err := a.loadTargets(&f.targets)
	if err != nil {
		return err
	}
	rules, inForce, err := chooseRules(c, names)
	if err != nil {
		return err
	}
	cat, err := workflow.LoadCatalogue(c)
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
	e, _, done, err := workflow.FirstEstate(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	p, err := workflow.NewPlanner(ctx, c, e, cat, store, buildVersion())
	if err != nil {
		return err
	}
	p.Mark = true
	plans, failed := p.PlanAll(ctx, rules, inForce, time.Now())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := workflow.KeepPlans(ctx, store, plans); err != nil {
		return err
	}
	if f.out != "" {
		if err := writePlans(f.out, plans); err != nil {
			return err
		}
	}
	if err := a.printPlans(plans, f.output); err != nil {
		return err
	}
	if failed != nil {
		return &partialError{failed}
	}
	return nil
}

// chooseRules are the rules that are named, or those in force, and all in
// force.
func chooseRules(c *workflow.Config, names []string) (chosen, inForce []*react.Rule, err error) {
	all, enabled, err := workflow.LoadRules(c)
	if err != nil {
		return nil, nil, err
	}
	var known []string
	for _, r := range all {
		known = append(known, r.Name)
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, nil, usagef("there is no rule %q%s", n, suggest(n, known))
		}
	}
	if len(names) == 0 {
		names = enabled
	}
	if len(names) == 0 {
		return nil, nil, usagef("no rule is in force: name one, or some in react.rules; dewpoint react rules lists them")
	}
	for _, r := range all {
		if slices.Contains(names, r.Name) {
			chosen = append(chosen, r)
		}
		if slices.Contains(enabled, r.Name) {
			inForce = append(inForce, r)
		}
	}
	return chosen, inForce, nil
}

func writePlans(path string, plans []*react.Plan) error {
	b, err := json.MarshalIndent(plans, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

func (a *app) printPlans(plans []*react.Plan, format string) error {
	switch format {
	case "json":
		enc := json.NewEncoder(a.out.Out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(plans)
	case "markdown":
		return react.WriteMarkdown(a.out.Out, plans)
	}
	return a.printReport(&react.Report{Plans: plans}, true)
}

// shownRows is how many resources of a plan are listed that nothing is done to,
// where not all are asked for.
const shownRows = 20

// printReport says what plans come to, and what came of them. Without all, what
// nothing is done to is cut off after some.
func (a *app) printReport(x *react.Report, all bool) error {
	for i, p := range x.Plans {
		if i > 0 {
			fmt.Fprintln(a.out.Out)
		}
		if err := a.printPlan(x, p, all); err != nil {
			return err
		}
	}
	a.printTotal(x)
	return nil
}

// printTotal says what came of several plans.
func (a *app) printTotal(x *react.Report) {
	if text := x.Total(); text != "" && len(x.Results) > 1 {
		fmt.Fprintf(a.out.Out, "\n%s\n", text)
	}
}

func (a *app) printPlan(x *react.Report, p *react.Plan, all bool) error {
	fmt.Fprintf(a.out.Out, "%s: %s\n", a.out.Bold(p.Rule), term.Clean(x.Sentence(p)))
	t := term.NewTable("", "RESOURCE", "ACCOUNT", "REGION", "OWNER", "WHY").Keep(2).Below()
	row := func(word string, of react.Target, why string) {
		t.Row(word, of.Shown(), of.Account, of.Region, of.Owner, why)
	}
	acted := func(word string, of react.Target) {
		row(word, of, of.Why())
		for _, s := range of.Steps {
			for _, c := range s.Calls {
				if c.Says != "" {
					t.Row("  before", s.Resource.Shown(), s.Resource.Account, s.Resource.Region, "", c.Op+": "+c.Says)
				}
			}
		}
		for _, m := range of.Takes {
			t.Row("  with it", m.Shown(), m.Account, m.Region, "", m.Why)
		}
	}
	results, applied := x.Results[p.Rule]
	for _, r := range results {
		if r.Done {
			acted("done", r.Target)
		} else {
			row("not done", r.Target, r.Why)
		}
	}
	if !applied {
		for _, r := range p.Ready() {
			acted(string(r.Verb()), r)
		}
	}
	before := t.Len()
	for _, r := range p.Blocked() {
		row("blocked", r, strings.Join(r.Blockers, "; "))
	}
	for _, r := range p.Waiting {
		row("waits", r, "until "+r.DueAt.Format("2006-01-02 15:04")+": "+r.Why())
	}
	for _, r := range p.Skipped {
		t.Row("left alone", r.Shown(), r.Account, r.Region, "", r.Why)
	}
	more := 0
	if !all {
		more = t.Cut(before + shownRows)
	}
	if t.Len() == 0 {
		return nil
	}
	if err := t.Write(a.out); err != nil {
		return err
	}
	if more > 0 {
		fmt.Fprintf(a.out.Out, "and %d more\n", more)
	}
	return nil
}
