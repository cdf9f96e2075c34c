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
	"github.com/dewpoint-data/dewpoint/react/timespan"
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
	rule   *Rule
	plan   *Plan
	guard  *guard
	fresh  *freshness
	now    time.Time
	since  time.Time
	facts  map[string]*fact
	rows   map[string]*match
	acted  map[string]Action // newest action by _id
	marks  map[string]Mark
	inward map[string][]link // edges by to
	known  map[string]bool   // whose edges are read
	along  map[string]bool   // members that go along, by WithKind.Along
	owned  map[string][]link // managed_by by from
	takes  map[string][]link // takesAlong by from
	vague  map[string][]link // ambiguous references by what they say
}

// Plan makes the plan of a rule. An error means that nothing can be said; what
// merely forbids to act is in the plan.
func (p *Planner) Plan(ctx context.Context, r *Rule, now time.Time) (*Plan, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	now = now.UTC().Truncate(time.Microsecond)
	plan := &Plan{
		ID: id, Rule: r.Name, RuleHash: r.Hash(), Version: p.Version, Sync: p.Estate.Sync.ID, Now: now, ExpiresAt: now.Add(PlanTime), Targets: []Target{},
	}
	s := &planning{
		Planner: p, rule: r, plan: plan, now: now, since: now.Add(-cmp.Or(p.Fresh, 3*time.Hour)), inward: map[string][]link{}, known: map[string]bool{},
		along: map[string]bool{}, owned: map[string][]link{}, takes: map[string][]link{}, vague: map[string][]link{},
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
	if s.acted, err = s.newestActions(ctx); err != nil {
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
	s.tagging(due)
	return nil
}

// newestActions are what was done to resources since the newest sync began,
// and corrections of any time.
func (s *planning) newestActions(ctx context.Context) (map[string]Action, error) {
	all, err := s.Store.Actions(ctx, ActionFilter{})
	if err != nil {
		return nil, err
	}
	out := map[string]Action{}
	for _, a := range all {
		if a.State == Done || a.State == Called || a.State == Unknown {
			if old, ok := out[a.UID]; !ok || old.At.Before(a.At) {
				out[a.UID] = a
			}
		}
	}
	return out, nil
}

func (s *planning) skip(uid, format string, args ...any) {
	k := Skip{UID: uid, Why: fmt.Sprintf(format, args...)}
	if f := s.facts[uid]; f != nil {
		k.Kind, k.ID, k.Account, k.Region = f.Kind, f.ID, f.Account, f.Region
	}
	s.plan.Skipped = append(s.plan.Skipped, k)
}

// targets are the _ids of the rows that are due, sorted. Others are skipped or
// wait.
func (s *planning) targets(ctx context.Context) ([]string, error) {
	var matched []string
	for _, uid := range slices.Sorted(maps.Keys(s.rows)) {
		if s.isTarget(uid) {
			matched = append(matched, uid)
		}
	}
	if err := s.remember(ctx, matched); err != nil {
		return nil, err
	}
	var due []string
	for _, uid := range matched {
		m := s.marks[uid]
		at := m.FirstMatchedAt.Add(time.Duration(s.rule.Grace))
		switch {
		case len(s.rule.Absent) > 0 && m.FirstSync == s.plan.Sync:
			// One reading that lacks something does not show that it is gone.
			s.wait(uid, at, "absent since this sync only: it must be in the next as well")
		case at.After(s.now):
			s.wait(uid, at, "")
		default:
			due = append(due, uid)
		}
	}
	return due, nil
}

func (s *planning) wait(uid string, at time.Time, why string) {
	t := s.target(uid)
	t.DueAt = at
	if why != "" {
		t.Reason += "; " + why
	}
	s.plan.Waiting = append(s.plan.Waiting, t)
}

// isTarget says whether a row may be a target at all.
func (s *planning) isTarget(uid string) bool {
	f, row := s.facts[uid], s.rows[uid]
	switch {
	case f == nil:
		s.skip(uid, "the table resources has no such _id")
	case !matches(s.rule.Kinds, f.Kind) || !matches(s.rule.Accounts, f.Account):
		s.skip(uid, "the rule is not for its kind or account")
	case f.unread != "":
		s.skip(uid, "its details could not be read: %s", f.unread)
	case f.Tags == nil && s.Calls.Taggable(f.Kind):
		s.skip(uid, "its tags are not known")
	case f.CreatedAt.IsZero() && s.Calls.Dated(f.Kind):
		s.skip(uid, "its creation time is not known")
	case f.CreatedAt.IsZero() && s.rule.Action == action.Delete && s.rule.Grace == 0:
		s.skip(uid, "its API tells no creation time: the rule needs a grace")
	case s.acted[uid].At.After(s.Estate.Sync.StartedAt):
		s.skip(uid, "the rule %s changed it after the newest sync began", s.acted[uid].Rule)
	case s.Corrected[uid] != "" && s.rule.Action == action.Delete:
		s.skip(uid, "the rule %s corrects its tags first", s.Corrected[uid])
	case s.deleted(f):
		return false // its row stays for a while, as that of a terminated machine
	case !s.Calls.Can(s.rule.Action, f.Kind):
		s.skip(uid, "its API has no call to %s it", s.rule.Action)
	default:
		if why := s.fresh.of(f.Kind, f.scope, s.since); why != "" {
			s.skip(uid, "%s", why)
			return false
		}
		if why := s.absence(f); why != "" {
			s.skip(uid, "%s", why)
			return false
		}
		return s.expired(f, row)
	}
	return false
}

// deleted says whether the ledger has the deletion of this very resource, and
// not of an earlier one with its id.
func (s *planning) deleted(f *fact) bool {
	a := s.acted[f.UID]
	if a.Verb != action.Delete || a.State != Done {
		return false
	}
	if f.CreatedAt.IsZero() {
		return s.now.Sub(a.At) < timespan.Day
	}
	return f.CreatedAt.Before(a.At)
}

// absence says why nothing can be concluded from the absence of a kind.
func (s *planning) absence(f *fact) string {
	for _, kind := range s.rule.Absent {
		if why := s.fresh.in(kind, f.Cloud, f.Account, s.since); why != "" {
			return "whether something is absent is not known: " + why
		}
	}
	return ""
}

// expired says whether the time has come that the row's tags name. Rows
// without such columns have no time to wait for.
func (s *planning) expired(f *fact, row *match) bool {
	if !row.timed {
		return true
	}
	switch {
	case row.expires == "" && row.expiration == "":
		s.skip(f.UID, "it has no expiry")
		return false
	case row.expires != "":
		if timespan.Never(row.expires) {
			return false
		}
		at, err := timespan.Instant(row.expires)
		if err != nil {
			s.skip(f.UID, "%s", err)
			return false
		}
		return !at.After(s.now)
	case timespan.Never(row.expiration):
		return false
	}
	d, err := timespan.Parse(row.expiration)
	switch {
	case err != nil:
		s.skip(f.UID, "%s", err)
		return false
	case d < 0:
		s.skip(f.UID, "%q is negative", row.expiration)
		return false
	case f.CreatedAt.IsZero():
		s.skip(f.UID, "it expires %s after its creation, whose time is not known", row.expiration)
		return false
	}
	at := f.CreatedAt.Add(d)
	// What react corrected counts from the correction.
	if a := s.acted[f.UID]; a.Verb == action.Tag {
		if c := a.At.Add(max(d, time.Duration(s.rule.Grace))); c.After(at) {
			at = c
		}
	}
	return !at.After(s.now)
}

// target is what a plan says of a row.
func (s *planning) target(uid string) Target {
	f, row := s.facts[uid], s.rows[uid]
	t := Target{Resource: f.Resource, Hash: f.hash, Incarnation: f.incarnation(), Reason: row.reason, Evidence: row.evidence}
	for _, k := range s.Settings.OwnerTags {
		if t.Owner == "" {
			t.Owner = f.Tags[k]
		}
	}
	return t
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

// match is a row that the rule selected.
type match struct {
	reason              string
	evidence            map[string]string
	timed               bool // the row has a column expires or expiration
	expires, expiration string
	set                 map[string]string
	remove              []string
}

var errUndeclared = errors.New("not declared")

// selectRows runs the rule's statement.
func (s *planning) selectRows(ctx context.Context) (map[string]*match, error) {
	q, err := s.Estate.render(s.rule.Name, s.rule.SQL, s.now, s.Settings, s.rule.Params)
	if err != nil {
		return nil, err
	}
	for _, name := range s.Estate.names(q) {
		if !slices.Contains(s.rule.Reads, name) && !slices.Contains(s.rule.Absent, name) {
			return nil, fmt.Errorf("its SQL names %s, which reads does not list: %w", name, errUndeclared)
		}
	}
	rows, err := s.Estate.DB.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for i := range columns {
		columns[i] = strings.ToLower(columns[i])
	}
	if !slices.Contains(columns, "_id") || !slices.Contains(columns, "reason") {
		return nil, errors.New("its SQL must select _id and reason")
	}
	timed := slices.Contains(columns, "expires") || slices.Contains(columns, "expiration")
	values, ptrs := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		ptrs[i] = &values[i]
	}
	out := map[string]*match{}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		m := &match{evidence: map[string]string{}, set: map[string]string{}, timed: timed}
		uid, key, value := "", "", ""
		for i, c := range columns {
			text := display(values[i])
			switch c {
			case "_id":
				if uid, err = uuidText(values[i]); err != nil {
					return nil, err
				}
			case "reason":
				m.reason = text
			case "expires":
				m.expires = text
			case "expiration":
				m.expiration = text
			case "set_key":
				key = text
			case "set_value":
				value = text
			case "remove_key":
				if text != "" {
					m.remove = append(m.remove, text)
				}
			default:
				if text != "" {
					m.evidence[c] = text
				}
			}
		}
		if key != "" {
			m.set[key] = value
		}
		if old := out[uid]; old != nil {
			old.add(m)
			continue
		}
		out[uid] = m
	}
	return out, rows.Err()
}

// add joins another row of the same resource.
func (m *match) add(o *match) {
	if !strings.Contains(m.reason, o.reason) {
		m.reason += "; " + o.reason
	}
	maps.Copy(m.set, o.set)
	for _, k := range o.remove {
		if !slices.Contains(m.remove, k) {
			m.remove = append(m.remove, k)
		}
	}
}

// uuidText is an _id in text form, as whatever a driver returns it.
func uuidText(v any) (string, error) {
	switch x := v.(type) {
	case []byte:
		if len(x) == 16 {
			return uuid.UUID(x).String(), nil
		}
		v = string(x)
	case [16]byte:
		return uuid.UUID(x).String(), nil
	}
	id, err := uuid.Parse(fmt.Sprint(v))
	if err != nil {
		return "", fmt.Errorf("_id is %v: %w", v, err)
	}
	return id.String(), nil
}
