package react

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/schema"
)

// takesAlong are kinds that a vendor deletes together with one that refers to
// them, where it is set up so: they are taken as deleted.
var takesAlong = map[string][]string{
	// DeleteOnTermination of block devices and network interfaces.
	"aws_ec2_instance": {"aws_ec2_volume", "aws_ec2_network_interface"},
}

// unit is a target with all that goes down with it.
type unit struct {
	root    string
	members map[string]*member // the root included
	// order are the members that have calls, referrers first.
	order    []string
	blockers []string
}

type member struct {
	why   string
	along bool
}

func (u *unit) block(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !slices.Contains(u.blockers, text) {
		u.blockers = append(u.blockers, text)
	}
}

// deletions plans the deletion of targets.
func (s *planning) deletions(ctx context.Context, due []string) error {
	units := make([]*unit, len(due))
	for i, uid := range due {
		units[i] = &unit{root: uid, members: map[string]*member{uid: {}}}
	}
	if err := s.grow(ctx, units); err != nil {
		return err
	}
	if err := s.surroundings(ctx, units); err != nil {
		return err
	}
	for _, u := range units {
		s.inspect(u)
	}
	s.settle(units)
	for _, u := range units {
		s.sequence(u)
	}
	if err := s.columns(ctx, units); err != nil {
		return err
	}
	members := map[string]bool{}
	for _, u := range units {
		for uid := range u.members {
			members[uid] = true
		}
	}
	saving, err := s.savings(ctx, slices.Sorted(maps.Keys(members)))
	if err != nil {
		return err
	}
	for _, u := range units {
		t := s.deletion(u)
		for uid := range u.members {
			t.Saving += saving[uid]
		}
		s.plan.Targets = append(s.plan.Targets, t)
	}
	// A step without a call blocks its target, and with it those that need it.
	s.settle(units)
	down := map[string]bool{}
	for _, u := range units {
		for uid := range u.members {
			down[uid] = down[uid] || len(u.blockers) == 0
		}
	}
	for i, u := range units {
		t := &s.plan.Targets[i]
		for uid := range u.members {
			for _, l := range s.inward[uid] {
				if down[l.from] && u.members[l.from] == nil && l.onDelete != string(schema.None) && !slices.Contains(t.After, l.from) {
					t.After = append(t.After, l.from)
				}
			}
		}
		slices.Sort(t.After)
		for _, b := range u.blockers {
			if !slices.Contains(t.Blockers, b) {
				t.Blockers = append(t.Blockers, b)
			}
		}
		if len(t.Blockers) > 0 {
			t.Steps = nil
		}
	}
	return s.caps(ctx, units)
}

// grow adds to the units what goes down with their members.
func (s *planning) grow(ctx context.Context, units []*unit) error {
	type joining struct {
		u   *unit
		uid string
	}
	var frontier []joining
	for _, u := range units {
		frontier = append(frontier, joining{u, u.root})
	}
	for len(frontier) > 0 {
		var ids []string
		for _, j := range frontier {
			if !s.known[j.uid] {
				s.known[j.uid] = true
				ids = append(ids, j.uid)
			}
		}
		if err := s.readLinks(ctx, ids); err != nil {
			return err
		}
		var next []joining
		add := func(u *unit, uid, why string, along bool) {
			if u.members[uid] == nil {
				u.members[uid] = &member{why: why, along: along}
				next = append(next, joining{u, uid})
			}
		}
		for _, j := range frontier {
			f := s.facts[j.uid]
			for _, l := range s.inward[j.uid] {
				i := slices.IndexFunc(s.rule.With, func(w WithKind) bool { return w.Kind == l.fromKind })
				switch {
				case i >= 0 && l.onDelete != string(schema.None):
					add(j.u, l.from, fmt.Sprintf("%s %s", l.relation, f.show()), s.along[l.from])
				case l.onDelete == string(schema.Cascade):
					add(j.u, l.from, fmt.Sprintf("%s %s, which it cannot outlive", l.relation, f.show()), true)
				}
			}
			for _, l := range s.takes[j.uid] {
				add(j.u, l.to, "may be deleted together with "+f.show(), true)
			}
		}
		ids = ids[:0]
		for _, j := range next {
			if s.facts[j.uid] == nil {
				ids = append(ids, j.uid)
			}
		}
		slices.Sort(ids)
		more, err := s.Estate.facts(ctx, slices.Compact(ids))
		if err != nil {
			return err
		}
		maps.Copy(s.facts, more)
		frontier = frontier[:0]
		for _, j := range next {
			if s.facts[j.uid] == nil {
				j.u.block("what hangs on it is not known: there is no resource %s", j.uid)
				continue
			}
			frontier = append(frontier, j)
		}
	}
	return nil
}

// readLinks reads the edges to and from resources, as far as they matter.
func (s *planning) readLinks(ctx context.Context, ids []string) error {
	in, err := s.Estate.links(ctx, "to_id IN (%s) AND from_id <> to_id", ids, s.Estate.Dialect.uuid)
	if err != nil {
		return err
	}
	candidates := map[string][]string{} // kind -> referrers that may go along
	for _, l := range in {
		s.inward[l.to] = append(s.inward[l.to], l)
		for _, w := range s.rule.With {
			if w.Kind == l.fromKind && w.Along != "" {
				candidates[w.Kind] = append(candidates[w.Kind], l.from)
			}
		}
	}
	for _, w := range s.rule.With {
		if err := s.readAlong(ctx, w, candidates[w.Kind]); err != nil {
			return err
		}
	}
	owned, err := s.Estate.links(ctx, "from_id IN (%s) AND relation = 'managed_by'", ids, s.Estate.Dialect.uuid)
	if err != nil {
		return err
	}
	for _, l := range owned {
		s.owned[l.from] = append(s.owned[l.from], l)
	}
	var takers []string
	for _, id := range ids {
		if takesAlong[s.facts[id].Kind] != nil {
			takers = append(takers, id)
		}
	}
	out, err := s.Estate.links(ctx, "from_id IN (%s) AND to_id IS NOT NULL", takers, s.Estate.Dialect.uuid)
	if err != nil {
		return err
	}
	for _, l := range out {
		if slices.Contains(takesAlong[l.fromKind], l.toKind) {
			s.takes[l.from] = append(s.takes[l.from], l)
		}
	}
	// A network interface refers to its instance, not the other way round.
	for _, l := range in {
		if f := s.facts[l.to]; slices.Contains(takesAlong[f.Kind], l.fromKind) && l.relation == "attached_to" {
			s.takes[l.to] = append(s.takes[l.to], link{from: l.to, to: l.from, toKind: l.fromKind})
		}
	}
	return nil
}

// readAlong finds out which resources of a kind have no deletion of their own.
func (s *planning) readAlong(ctx context.Context, w WithKind, ids []string) error {
	slices.Sort(ids)
	err := chunked(slices.Compact(ids), func(list string) error {
		rows, err := s.Estate.DB.QueryContext(ctx, "SELECT CAST(_id AS VARCHAR) FROM "+w.Kind+" WHERE ("+w.Along+") AND _id IN ("+list+")")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			s.along[id] = true
		}
		return rows.Err()
	}, s.Estate.Dialect.uuid)
	if err != nil {
		return fmt.Errorf("with %s, along: %w", w.Kind, err)
	}
	return nil
}

// surroundings reads what refers to members from outside, to name it, and
// references that may be to them.
func (s *planning) surroundings(ctx context.Context, units []*unit) error {
	var ids, texts []string
	for _, u := range units {
		for uid := range u.members {
			for _, l := range s.inward[uid] {
				if s.facts[l.from] == nil && l.onDelete != string(schema.None) {
					ids = append(ids, l.from)
				}
			}
			if f := s.facts[uid]; f != nil {
				texts = append(texts, f.ID, f.Name, f.URN)
			}
		}
	}
	slices.Sort(ids)
	more, err := s.Estate.facts(ctx, slices.Compact(ids))
	if err != nil {
		return err
	}
	maps.Copy(s.facts, more)
	slices.Sort(texts)
	texts = slices.DeleteFunc(slices.Compact(texts), func(t string) bool { return t == "" })
	vague, err := s.Estate.links(ctx, "to_id IS NULL AND resolution = 'ambiguous' AND to_ref IN (%s)", texts, s.Estate.text)
	if err != nil {
		return err
	}
	for _, l := range vague {
		s.vague[l.toRef] = append(s.vague[l.toRef], l)
	}
	return nil
}

// text writes a text as a literal.
func (e *Estate) text(s string) string {
	if e.Dialect == Snowflake {
		s = strings.ReplaceAll(s, `\`, `\\`)
	}
	return literal(s)
}

// inspect finds what forbids to delete a member, but for what refers to it.
func (s *planning) inspect(u *unit) {
	root := s.facts[u.root]
	for _, uid := range slices.Sorted(maps.Keys(u.members)) {
		f := s.facts[uid]
		if f == nil {
			continue // blocked already
		}
		name := "it"
		if uid != u.root {
			name = f.show()
		}
		if why := s.guard.why(f); why != "" {
			u.block("%s: %s", name, why)
		}
		if uid != u.root {
			switch {
			case f.Account != root.Account || f.Cloud != root.Cloud:
				u.block("%s is in another account, %s", name, f.Account)
			case f.Tags == nil && s.Calls.Taggable(f.Kind):
				u.block("the tags of %s are not known: it may be protected", name)
			case f.unread != "":
				u.block("details of %s could not be read: %s", name, f.unread)
			}
			if owner, of := s.owner(root), s.owner(f); of != "" && of != owner {
				u.block("%s is owned by %s", name, of)
			}
		}
		for _, l := range s.owned[uid] {
			if l.to == "" || u.members[l.to] == nil {
				u.block("%s is managed by %s %s", name, l.toKind, l.toRef)
			}
		}
		if why := s.fresh.of(f.Kind, f.scope, s.since); why != "" {
			u.block("%s", why)
		}
		for _, kind := range s.referrers(f.Kind) {
			if matchesAny(s.rule.Unread, kind) {
				continue
			}
			why := s.fresh.in(kind, f.Cloud, f.Account, s.since)
			if s.Kinds[kind].Cloud != f.Cloud {
				why = s.fresh.anywhere(kind, s.since)
			}
			if why != "" {
				u.block("what refers to %s is not known: %s", name, why)
			}
		}
		for _, text := range []string{f.ID, f.Name, f.URN} {
			for _, l := range s.vague[text] {
				if text != "" && (l.toKind == f.Kind || l.toKind == "*" || l.toKind == "") && l.onDelete != string(schema.None) {
					u.block("a %s may refer to %s: its reference to %q is ambiguous", l.fromKind, name, text)
				}
			}
		}
	}
}

func (s *planning) owner(f *fact) string {
	for _, k := range s.Settings.OwnerTags {
		if v := f.Tags[k]; v != "" {
			return v
		}
	}
	return ""
}

// referrers are the kinds that can refer to a kind so that it matters,
// optional ones that are never read left out: those are not in the estate.
func (s *planning) referrers(kind string) []string {
	var out []string
	for _, k := range s.Kinds {
		for _, e := range k.Edges {
			if e.To == kind && e.OnDelete != schema.None && e.Relation != "managed_by" && !slices.Contains(out, k.Name) {
				out = append(out, k.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// settle blocks units whose members are referred to from outside of what goes
// down, until nothing changes: a unit that is blocked stays, and so does what
// its members refer to.
func (s *planning) settle(units []*unit) {
	for changed := true; changed; {
		changed = false
		down := map[string]bool{}
		for _, u := range units {
			if len(u.blockers) == 0 {
				for uid := range u.members {
					down[uid] = true
				}
			}
		}
		for _, u := range units {
			for uid := range u.members {
				for _, l := range s.inward[uid] {
					if down[l.from] || u.members[l.from] != nil || l.onDelete == string(schema.None) {
						continue
					}
					before := len(u.blockers)
					u.block("%s is referred to by %s (%s)", s.name(u, uid), s.shown(l), l.relation)
					changed = changed || before == 0
				}
			}
		}
	}
}

func (s *planning) name(u *unit, uid string) string {
	if uid == u.root {
		return "it"
	}
	return s.facts[uid].show()
}

func (s *planning) shown(l link) string {
	if f := s.facts[l.from]; f != nil {
		return f.show()
	}
	return l.fromKind + " " + l.from
}

// sequence orders the members that are deleted by calls: what refers to
// another goes first.
func (s *planning) sequence(u *unit) {
	after := map[string][]string{} // referent -> referrers in the unit
	for uid := range u.members {
		for _, l := range s.inward[uid] {
			if u.members[l.from] != nil && l.onDelete != string(schema.None) {
				after[uid] = append(after[uid], l.from)
			}
		}
	}
	state := map[string]int{} // 1 under way, 2 done
	var visit func(uid string)
	visit = func(uid string) {
		state[uid] = 1
		slices.Sort(after[uid])
		for _, from := range slices.Compact(after[uid]) {
			switch {
			case state[from] == 1 && !u.members[uid].along && !u.members[from].along:
				u.block("%s and %s refer to each other", s.name(u, uid), s.name(u, from))
			case state[from] == 0:
				visit(from)
			}
		}
		state[uid] = 2
		if !u.members[uid].along {
			u.order = append(u.order, uid)
		}
	}
	visit(u.root) // all that has calls refers to it, if by others
}

// columns reads the columns that calls need.
func (s *planning) columns(ctx context.Context, units []*unit) error {
	byKind := map[string][]string{}
	for _, u := range units {
		for _, uid := range u.order {
			if f := s.facts[uid]; f.Columns == nil && len(s.Calls.Columns(f.Kind)) > 0 && !slices.Contains(byKind[f.Kind], uid) {
				byKind[f.Kind] = append(byKind[f.Kind], uid)
			}
		}
	}
	for kind, ids := range byKind {
		names := s.Calls.Columns(kind)
		quoted := make([]string, len(names))
		for i, n := range names {
			quoted[i] = ", " + s.Estate.Dialect.value(n)
		}
		err := chunked(ids, func(list string) error {
			rows, err := s.Estate.DB.QueryContext(ctx, "SELECT CAST(_id AS VARCHAR)"+strings.Join(quoted, "")+" FROM "+kind+" WHERE _id IN ("+list+")")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				values := make([]*string, len(names)+1)
				ptrs := make([]any, len(values))
				for i := range values {
					ptrs[i] = &values[i]
				}
				if err := rows.Scan(ptrs...); err != nil {
					return err
				}
				f := s.facts[*values[0]]
				f.Columns = map[string]string{}
				for i, n := range names {
					if v := values[i+1]; v != nil {
						f.Columns[n] = plainText(*v)
					}
				}
			}
			return rows.Err()
		}, s.Estate.Dialect.uuid)
		if err != nil {
			return fmt.Errorf("read the columns of %s: %w", kind, err)
		}
	}
	return nil
}

// plainText is a text that JSON holds; what is no text stays JSON.
func plainText(s string) string {
	var text string
	if json.Unmarshal([]byte(s), &text) == nil {
		return text
	}
	return s
}

// deletion is the target of a unit.
func (s *planning) deletion(u *unit) Target {
	t := s.target(u.root)
	t.Resource = s.facts[u.root].Resource
	for _, uid := range slices.Sorted(maps.Keys(u.members)) {
		if f := s.facts[uid]; uid != u.root && f != nil {
			m := u.members[uid]
			t.Takes = append(t.Takes, Member{Resource: f.Resource, Incarnation: f.incarnation(), Why: m.why, Along: m.along})
		}
	}
	slices.SortFunc(t.Takes, func(a, b Member) int {
		return strings.Compare(a.Kind+" "+a.ID, b.Kind+" "+b.ID)
	})
	for _, uid := range u.order {
		f := s.facts[uid]
		calls, err := s.Calls.Calls(action.Delete, f.Resource, action.Args{})
		if err != nil {
			u.block("%s cannot be deleted: %s", s.name(u, uid), err)
			continue
		}
		t.Steps = append(t.Steps, Step{ID: stepID(s.plan.ID, uid, action.Delete), Verb: action.Delete, Resource: f.Resource, Calls: calls})
	}
	return t
}

// caps refuses a plan that deletes too much.
func (s *planning) caps(ctx context.Context, units []*unit) error {
	gone := map[string]bool{}
	for _, u := range units {
		if len(u.blockers) == 0 {
			for uid := range u.members {
				gone[uid] = true
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if limit := s.rule.max(); len(gone) > limit {
		s.plan.Refused = fmt.Sprintf("%d resources would be deleted with all that goes down, the rule may delete %d: raise its limits.max if that is right", len(gone), limit)
		return nil
	}
	perDay := s.PerDay
	if perDay == 0 {
		perDay = 500
	}
	done, err := s.deletedSince(ctx, s.now.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	if done+len(gone) > perDay {
		s.plan.Refused = fmt.Sprintf("%d resources were deleted in 24 hours, %d more would be over the limit of %d for all rules", done, len(gone), perDay)
		return nil
	}
	return s.capShares(ctx, gone)
}

// deletedSince counts the deletions in the ledger, with what went along.
func (s *planning) deletedSince(ctx context.Context, t time.Time) (int, error) {
	all, err := s.Store.Actions(ctx, ActionFilter{Since: t})
	n := 0
	for _, a := range all {
		if a.Verb == action.Delete && a.State != Failed {
			n += 1 + a.Along
		}
	}
	return n, err
}

// capShares compares with how many of each kind there are in an account.
func (s *planning) capShares(ctx context.Context, gone map[string]bool) error {
	type place struct{ account, kind string }
	counts := map[place]int{}
	var kinds []string
	for uid := range gone {
		f := s.facts[uid]
		counts[place{f.Account, f.Kind}]++
		kinds = append(kinds, f.Kind)
	}
	slices.Sort(kinds)
	totals := map[place]int{}
	err := chunked(slices.Compact(kinds), func(list string) error {
		rows, err := s.Estate.DB.QueryContext(ctx, "SELECT account, kind, count(*) FROM resources WHERE kind IN ("+list+") GROUP BY 1, 2")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p place
			var n int
			if err := rows.Scan(&p.account, &p.kind, &n); err != nil {
				return err
			}
			totals[p] = n
		}
		return rows.Err()
	}, literal)
	if err != nil {
		return fmt.Errorf("count the resources: %w", err)
	}
	for _, p := range slices.SortedFunc(maps.Keys(counts), func(a, b place) int { return strings.Compare(a.account+a.kind, b.account+b.kind) }) {
		n, total := counts[p], totals[p]
		if share := 100 * float64(n) / float64(max(total, 1)); total >= 10 && share > s.rule.percent() {
			s.plan.Refused = fmt.Sprintf("%d of %d %s in %s would be deleted, the rule may delete %g%%: raise its limits.percent if that is right", n, total, p.kind, p.account, s.rule.percent())
			return nil
		}
	}
	return nil
}
