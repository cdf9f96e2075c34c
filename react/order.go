package react

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/schema"
)

// sequence orders the members that are deleted by calls: what refers to
// another goes first. Where that is a circle, and where a reference does not
// say the order, a declared call takes it away before.
func (s *planning) sequence(u *unit) {
	after := map[string][]link{} // referent -> references of others in the unit
	for uid := range u.members {
		for _, l := range s.inward[uid] {
			m := u.members[l.from]
			switch {
			case m == nil:
			case l.onDelete != string(schema.None):
				after[uid] = append(after[uid], l)
				if m.along && !u.members[uid].along {
					s.detach(u, l) // it goes later, with what it goes along with
				}
			case !m.along:
				s.detach(u, l)
			}
		}
		slices.SortFunc(after[uid], func(a, b link) int { return strings.Compare(a.from+a.relation, b.from+b.relation) })
	}
	slices.SortFunc(u.detached, byEnds)
	state := map[string]int{} // 1 under way, 2 done
	var visit func(uid string)
	visit = func(uid string) {
		state[uid] = 1
		for _, l := range after[uid] {
			switch {
			case state[l.from] == 1 && !u.members[uid].along && !u.members[l.from].along:
				if !s.detach(u, l) {
					u.block("%s and %s refer to each other", s.name(u, uid), s.name(u, l.from))
				}
			case state[l.from] == 0:
				visit(l.from)
			}
		}
		state[uid] = 2
		if !u.members[uid].along {
			u.order = append(u.order, uid)
		}
	}
	for _, uid := range slices.Sorted(maps.Keys(u.members)) {
		if uid != u.root && state[uid] == 0 && u.members[uid].loose {
			visit(uid) // nothing says that it goes before
		}
	}
	visit(u.root) // all else that has calls refers to it, if by others
}

func byEnds(a, b link) int {
	return strings.Compare(a.from+" "+a.to+" "+a.relation, b.from+" "+b.to+" "+b.relation)
}

// loosen breaks circles of units, each of which has something that refers to
// the next, by declared calls; units of one that has no such call are blocked.
func (s *planning) loosen(units []*unit) {
	in := map[string][]*unit{} // by member
	for _, u := range units {
		for uid := range u.members {
			if len(u.blockers) == 0 {
				in[uid] = append(in[uid], u)
			}
		}
	}
	state := map[*unit]int{} // 1 under way, 2 done
	var visit func(u *unit)
	visit = func(u *unit) {
		state[u] = 1
		first := map[*unit][]link{} // what has to go before, and why
		var order []*unit
		for _, uid := range slices.Sorted(maps.Keys(u.members)) {
			for _, l := range s.inward[uid] {
				if u.members[l.from] != nil || l.onDelete == string(schema.None) {
					continue
				}
				for _, o := range in[l.from] {
					if first[o] == nil {
						order = append(order, o)
					}
					first[o] = append(first[o], l)
				}
			}
		}
		for _, o := range order {
			switch state[o] {
			case 0:
				visit(o)
			case 1:
				for _, l := range first[o] {
					if !s.detach(u, l) {
						u.block("it and %s refer to each other", s.facts[o.root].Shown())
					}
				}
			}
		}
		state[u] = 2
	}
	for _, u := range units {
		if len(u.blockers) == 0 && state[u] == 0 {
			visit(u)
		}
	}
}

// columns reads the columns that calls on resources need.
func (s *planning) columns(ctx context.Context, ids []string) error {
	byKind := map[string][]string{}
	for _, uid := range ids {
		if f := s.facts[uid]; f.Columns == nil && len(s.Calls.Columns(f.Kind)) > 0 {
			byKind[f.Kind] = append(byKind[f.Kind], uid)
		}
	}
	for kind, ids := range byKind {
		names := s.Calls.Columns(kind)
		quoted := make([]string, len(names))
		for i, n := range names {
			quoted[i] = ", " + s.Estate.Dialect.value(n)
		}
		slices.Sort(ids)
		err := chunked(slices.Compact(ids), func(list string) error {
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
		}, s.Estate.Dialect.uuids())
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

// detaching are the steps by which references are taken away, those of one
// resource to another in one.
func (s *planning) detaching(u *unit) []Step {
	var out []Step
	for _, l := range u.detached {
		from, to := s.facts[l.from], s.facts[l.to]
		step := Step{Verb: action.Detach, Resource: from.Resource, To: &to.Resource, Relation: l.relation}
		step.ID = step.in(s.plan.ID)
		if slices.ContainsFunc(out, func(x Step) bool { return x.ID == step.ID }) {
			continue
		}
		var err error
		if step.Calls, err = s.Calls.Calls(action.Detach, from.Resource, step.args()); err != nil {
			u.block("%s cannot be detached from %s: %s", s.name(u, l.from), s.name(u, l.to), err)
			continue
		}
		out = append(out, step)
	}
	return out
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
	t.Steps = s.detaching(u)
	for _, uid := range u.order {
		f := s.facts[uid]
		options := s.rule.options(&f.Resource)
		if uid != u.root && !s.Calls.Can(action.Snapshot, f.Kind) {
			options.Snapshot = false // only of the target has there to be one
		}
		id := stepID(s.plan.ID, uid, action.Delete)
		if s.of != nil {
			id = stepID(s.of.ID, uid, action.Delete)
		}
		calls, err := s.Calls.Calls(action.Delete, f.Resource, action.Args{Options: options, ActionID: id.String()})
		if err != nil {
			u.block("%s cannot be deleted: %s", s.name(u, uid), err)
			continue
		}
		t.Steps = append(t.Steps, Step{ID: stepID(s.plan.ID, uid, action.Delete), Verb: action.Delete, Resource: f.Resource, Calls: calls, Options: options})
	}
	return t
}
