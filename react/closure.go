package react

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/dewpoint-data/dewpoint/schema"
)

// takesAlong are kinds that a vendor deletes together with one that refers to
// them, where it is set up so: they are taken as deleted.
var takesAlong = map[string][]string{
	// DeleteOnTermination of block devices and network interfaces.
	"aws_ec2_instance": {"aws_ec2_volume", "aws_ec2_network_interface"},
	// autoDelete of disks.
	"gcp_compute_instance": {"gcp_compute_disk"},
}

// unit is a target with all that goes down with it.
type unit struct {
	root    string
	members map[string]*member // the root included
	// order are the members that have calls, referrers first.
	order    []string
	blockers []string
	// detached are references that are taken away before.
	detached []link
}

// detach has a reference taken away before the deletions. It is false where no
// call does.
func (s *planning) detach(u *unit, l link) bool {
	can, _ := s.Calls.Detaches(l.fromKind, l.relation, s.facts[l.to].Kind)
	if can && !u.severed(l) {
		u.detached = append(u.detached, l)
	}
	return can
}

// severed says whether a reference is taken away before.
func (u *unit) severed(l link) bool {
	return slices.ContainsFunc(u.detached, func(d link) bool { return d.from == l.from && d.to == l.to && d.relation == l.relation })
}

type member struct {
	why   string
	along bool
	// by is the member that it hangs on; a loose one does not depend on it, and
	// goes down only if nothing else refers to it.
	by    string
	loose bool
}

// shed leaves out loose members that something outside refers to, with what
// hangs on them.
func (s *planning) shed(u *unit) {
	for changed := true; changed; {
		changed = false
		for uid, m := range u.members {
			_, there := u.members[m.by]
			used := slices.ContainsFunc(s.inward[uid], func(l link) bool { return l.onDelete != string(schema.None) && u.members[l.from] == nil })
			if m.by != "" && !there || m.loose && used {
				delete(u.members, uid)
				changed = true
			}
		}
	}
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
	for _, u := range units {
		s.shed(u)
	}
	if err := s.surroundings(ctx, units); err != nil {
		return err
	}
	for _, u := range units {
		s.inspect(u)
	}
	if err := s.needed(ctx, units); err != nil {
		return err
	}
	s.settle(units)
	for _, u := range units {
		s.sequence(u)
	}
	s.loosen(units)
	var called []string
	for _, u := range units {
		called = append(called, u.order...)
	}
	if err := s.columns(ctx, called); err != nil {
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
		s.plan.Targets = append(s.plan.Targets, s.deletion(u))
	}
	// A step without a call blocks its target, and with it those that need it.
	s.settle(units)
	down := map[string]bool{}
	for _, u := range units {
		for uid := range u.members {
			down[uid] = down[uid] || len(u.blockers) == 0
		}
	}
	s.save(units, saving)
	for i, u := range units {
		t := &s.plan.Targets[i]
		for uid := range u.members {
			for _, l := range s.inward[uid] {
				if down[l.from] && u.members[l.from] == nil && l.onDelete != string(schema.None) && !u.severed(l) && !slices.Contains(t.After, l.from) {
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
	// What is blocked by itself and goes down with another is told there.
	s.plan.Targets = slices.DeleteFunc(s.plan.Targets, func(t Target) bool { return len(t.Blockers) > 0 && down[t.UID] })
	return s.caps(ctx, units)
}

// save says what each target saves. What several take counts once: as a target
// of its own, or with the first.
func (s *planning) save(units []*unit, saving map[string]float64) {
	counted := map[string]bool{}
	for i, u := range units {
		if len(u.blockers) == 0 {
			counted[u.root] = true
			s.plan.Targets[i].Saving = saving[u.root]
		}
	}
	for i, u := range units {
		for uid := range u.members {
			if len(u.blockers) > 0 || !counted[uid] {
				s.plan.Targets[i].Saving += saving[uid]
				counted[uid] = counted[uid] || len(u.blockers) == 0
			}
		}
	}
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
		add := func(u *unit, uid string, m member) {
			old := u.members[uid]
			switch {
			case old == nil:
				u.members[uid] = &m
				next = append(next, joining{u, uid})
			case old.loose && !m.loose:
				*old = m
				next = append(next, joining{u, uid})
			}
		}
		for _, j := range frontier {
			f := s.facts[j.uid]
			if j.u.members[j.uid].loose {
				continue // what refers to it keeps it
			}
			for _, l := range s.inward[j.uid] {
				i := slices.IndexFunc(s.rule.With, func(w WithKind) bool { return w.Kind == l.fromKind })
				switch {
				case i >= 0:
					add(j.u, l.from, member{fmt.Sprintf("%s %s", l.relation, f.Shown()), s.along[l.from], j.uid, l.onDelete == string(schema.None)})
				case l.onDelete == string(schema.Cascade):
					add(j.u, l.from, member{fmt.Sprintf("%s %s, which it cannot outlive", l.relation, f.Shown()), true, j.uid, false})
				}
			}
			for _, l := range s.takes[j.uid] {
				add(j.u, l.to, member{"may be deleted together with " + f.Shown(), true, j.uid, false})
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
	in, err := s.Estate.links(ctx, "to_id IN (%s) AND from_id <> to_id", ids, s.Estate.Dialect.uuids())
	if err != nil {
		return err
	}
	candidates := map[string][]string{} // kind -> referrers that may go along
	for _, l := range in {
		if l.relation == ownedBy && s.rule.Propagation == orphan {
			l.onDelete = string(schema.None)
		}
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
	owned, err := s.Estate.links(ctx, "from_id IN (%s) AND relation IN ('managed_by', '"+ownedBy+"')", ids, s.Estate.Dialect.uuids())
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
	out, err := s.Estate.links(ctx, "from_id IN (%s) AND to_id IS NOT NULL", takers, s.Estate.Dialect.uuids())
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

// ownedBy is the relation of an object of Kubernetes to what owns it, which
// makes it anew and takes it along.
const ownedBy = "owned_by"

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
	}, s.Estate.Dialect.uuids())
	if err != nil {
		return fmt.Errorf("with %s, along: %w", w.Kind, err)
	}
	return nil
}
