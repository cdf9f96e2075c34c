package react

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Planner makes plans of rules on an estate.
type Planner struct {
	Estate *Estate
	// Kinds are those of the catalogue, by name.
	Kinds map[string]*schema.Kind
	// Calls says what acting takes.
	Calls      action.Calls
	Settings   Settings
	Protection Protection
	// Store holds marks and the ledger.
	Store Store
	// Fresh is how old a complete reading may be, 3 hours if zero.
	Fresh time.Duration
	// PerDay is how many resources all rules may delete in 24 hours, 500 if
	// zero.
	PerDay int
	// Version is dewpoint's.
	Version string
	// Corrected are the _ids whose tags another rule corrects in the same run,
	// with that rule's name: they are not deleted in it.
	Corrected map[string]string
	// Mark says that what matches is marked, so that its grace runs; without
	// it the store is only read.
	Mark bool
}

// planning is the making of one plan.
type planning struct {
	*Planner
	// of is the plan that is made again, nil for a first one.
	of     *Plan
	rule   *Rule
	plan   *Plan
	guard  *guard
	fresh  *freshness
	now    time.Time
	since  time.Time
	facts  map[string]*fact
	rows   map[string]*match
	acted  map[string]Action    // newest action by _id
	fixed  map[string]time.Time // newest correction of a tag that says when, by _id
	absent map[string]*absence  // by cloud/account
	marks  map[string]Mark
	inward map[string][]link // edges by to
	known  map[string]bool   // whose edges are read
	along  map[string]bool   // members that go along, by WithKind.Along
	owned  map[string][]link // managed_by by from
	takes  map[string][]link // takesAlong by from
	vague  map[string][]link // ambiguous references by what they say
	halves map[string][]half // rows that are not read whole, by kind
}

// Plan makes the plan of a rule. An error means that nothing can be said; what
// merely forbids to act is in the plan.
func (p *Planner) Plan(ctx context.Context, r *Rule, now time.Time) (*Plan, error) {
	return p.plan(ctx, r, now, nil)
}

// Again makes the plan of a rule on rows that were read anew for a plan of it,
// with that plan's present. Nothing is marked. What was done after the sync
// that the plan was made on counts as done since the newest sync, but for what
// the plan itself did before it was interrupted.
func (p *Planner) Again(ctx context.Context, r *Rule, of *Plan) (*Plan, error) {
	x := *p
	x.Mark = false
	return x.plan(ctx, r, of.Now, of)
}

func (p *Planner) plan(ctx context.Context, r *Rule, now time.Time, of *Plan) (*Plan, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now = now.UTC().Truncate(time.Microsecond)
	plan := &Plan{
		ID: id, Rule: r.Name, RuleHash: r.Hash(), Version: p.Version, Sync: p.Estate.Sync.ID, SyncedAt: p.Estate.Sync.StartedAt.UTC(), Now: now,
		ExpiresAt: now.Add(PlanTime), Targets: []Target{},
	}
	s := &planning{
		Planner: p, of: of, rule: r, plan: plan, now: now, since: now.Add(-cmp.Or(p.Fresh, 3*time.Hour)),
		absent: map[string]*absence{}, inward: map[string][]link{}, known: map[string]bool{},
		along: map[string]bool{}, owned: map[string][]link{}, takes: map[string][]link{}, vague: map[string][]link{}, halves: map[string][]half{},
	}
	if err := s.make(ctx); err != nil {
		return nil, fmt.Errorf("rule %s: %w", r.Name, err)
	}
	plan.sort()
	return plan, nil
}

// PlanAll plans rules, those that correct tags first: what they change is no
// target of the others. The rules in also are planned with them, as those in
// force are that were not asked for, without being marked or returned. One that
// fails leaves the others alone; that a correction is not known is an error of
// all deletions.
func (p *Planner) PlanAll(ctx context.Context, rules, also []*Rule, now time.Time) ([]*Plan, error) {
	all := slices.Clone(rules)
	for _, r := range also {
		if r.Action == action.Tag && !slices.ContainsFunc(rules, func(x *Rule) bool { return x.Name == r.Name }) {
			all = append(all, r)
		}
	}
	rank := map[action.Verb]int{action.Tag: 0, action.Delete: 1}
	slices.SortStableFunc(all, func(a, b *Rule) int { return cmp.Compare(rank[a.Action], rank[b.Action]) })
	x := *p
	x.Corrected = maps.Clone(p.Corrected)
	if x.Corrected == nil {
		x.Corrected = map[string]string{}
	}
	if p.Mark {
		if err := p.settle(ctx, now); err != nil {
			return nil, fmt.Errorf("settle the ledger: %w", err)
		}
	}
	var plans []*Plan
	var failed []error
	unknown := ""
	for _, r := range all {
		asked := slices.ContainsFunc(rules, func(o *Rule) bool { return o.Name == r.Name })
		if r.Action == action.Delete && unknown != "" {
			failed = append(failed, fmt.Errorf("rule %s: what the rule %s corrects is not known", r.Name, unknown))
			continue
		}
		x.Mark = p.Mark && asked
		plan, err := x.Plan(ctx, r, now)
		if err != nil {
			failed = append(failed, err)
			if r.Action == action.Tag {
				unknown = r.Name
			}
			continue
		}
		for _, t := range plan.Targets {
			if r.Action == action.Tag && len(t.Steps) > 0 {
				x.Corrected[t.UID] = r.Name
			}
		}
		if asked {
			plans = append(plans, plan)
		}
	}
	return plans, errors.Join(failed...)
}

// sort puts what a plan lists into an order for people.
func (p *Plan) sort() {
	byPlace := func(a, b action.Resource) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region), strings.Compare(a.ID, b.ID))
	}
	for _, all := range [][]Target{p.Targets, p.Waiting} {
		slices.SortFunc(all, func(a, b Target) int { return byPlace(a.Resource, b.Resource) })
	}
	slices.SortFunc(p.Skipped, func(a, b Skip) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.Account, b.Account), strings.Compare(a.Region, b.Region), strings.Compare(a.ID, b.ID))
	})
}

func (s *planning) make(ctx context.Context) (err error) {
	if s.guard, err = s.Estate.guard(ctx, s.Protection); err != nil {
		return err
	}
	if s.fresh, err = s.Estate.freshness(ctx); err != nil {
		return err
	}
	if err = s.fresh.definitions(ctx, s.Estate, s.rule.Absent); err != nil {
		return err
	}
	if err = s.readLedger(ctx); err != nil {
		return err
	}
	switch {
	case len(s.rule.Policy) > 0:
		s.rows, err = s.judgeTags(ctx)
	default:
		s.rows, err = s.selectRows(ctx)
	}
	if err != nil {
		return err
	}
	s.plan.Matched = len(s.rows)
	if s.facts, err = s.Estate.facts(ctx, slices.Sorted(maps.Keys(s.rows))); err != nil {
		return err
	}
	due, err := s.targets(ctx)
	if err != nil {
		return err
	}
	if limit := s.rule.max(); len(due) > limit {
		s.plan.Refused = fmt.Sprintf("%d resources match, the rule may act on %d: raise its limits.max if that is right", len(due), limit)
		return nil
	}
	if s.rule.Action == action.Delete {
		return s.deletions(ctx, due)
	}
	if err := s.columns(ctx, due); err != nil {
		return err
	}
	if s.rule.Action == action.Tag {
		s.tagging(due)
		return nil
	}
	return s.switching(ctx, due)
}

// switching plans to stop targets, or to start them. What is managed is left to
// its manager, which would undo it.
func (s *planning) switching(ctx context.Context, due []string) error {
	managed, err := s.Estate.links(ctx, "from_id IN (%s) AND relation IN ('managed_by', '"+ownedBy+"')", due, s.Estate.Dialect.uuids())
	if err != nil {
		return err
	}
	for _, uid := range due {
		f := s.facts[uid]
		t := s.target(uid)
		if why := s.guard.why(f); why != "" {
			t.Blockers = append(t.Blockers, why)
		}
		for _, l := range managed {
			if l.from == uid {
				t.Blockers = append(t.Blockers, "it is managed by "+l.toKind+" "+l.toRef)
			}
		}
		v := s.rule.Action
		step := Step{ID: stepID(s.plan.ID, uid, v), Verb: v, Resource: f.Resource}
		if step.Calls, err = s.Calls.Calls(v, f.Resource, action.Args{}); err != nil {
			t.Blockers = append(t.Blockers, err.Error())
		}
		if len(t.Blockers) == 0 {
			t.Steps = []Step{step}
		}
		s.plan.Targets = append(s.plan.Targets, t)
	}
	return nil
}

// tagging plans the tags of targets.
func (s *planning) tagging(due []string) {
	for _, uid := range due {
		f, row := s.facts[uid], s.rows[uid]
		t := s.target(uid)
		if why := s.guard.why(f); why != "" {
			t.Blockers = append(t.Blockers, why)
		}
		for _, v := range []action.Verb{action.Tag, action.Untag} {
			step := Step{ID: stepID(s.plan.ID, uid, v), Verb: v, Resource: f.Resource}
			args := action.Args{}
			switch {
			case v == action.Tag && len(row.set) > 0:
				step.Set, args.Tags = row.set, row.set
			case v == action.Untag && len(row.remove) > 0:
				step.Remove, args.Keys = row.remove, row.remove
			default:
				continue
			}
			var err error
			if step.Calls, err = s.Calls.Calls(v, f.Resource, args); err != nil {
				t.Blockers = append(t.Blockers, err.Error())
				continue
			}
			t.Steps = append(t.Steps, step)
		}
		if len(t.Steps) == 0 && len(t.Blockers) == 0 {
			s.skip(uid, "%s", row.reason)
			continue
		}
		s.plan.Targets = append(s.plan.Targets, t)
	}
}
