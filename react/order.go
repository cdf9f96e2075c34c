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
