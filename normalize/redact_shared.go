package normalize

import (
	"fmt"
	"slices"
	"strings"
)

// Redactor redacts the answers of a list call that several kinds are read
// from. It is safe for concurrent use.
type Redactor struct {
	plan *Plan
	node *redactNode
}

// NewRedactor returns a redactor for the plans, at least one, whose source 0
// is the same call's. A member is left out where a kind drops it and no other
// keeps it that has its items there, or on the way to them.
func NewRedactor(plans ...*Plan) *Redactor {
	r := &Redactor{plan: plans[0]}
	if len(plans) == 1 {
		r.node = plans[0].sources[0].redact()
		return r
	}
	views := make([]redactView, len(plans))
	for i, p := range plans {
		s := &p.spec.Sources[0]
		views[i] = redactView{node: p.sources[0].redact(), cares: true, rest: wirePath(s)}
	}
	r.node = sharedNode(views, map[string]*redactNode{})
	return r
}

// Redact is Plan.Redact of source 0 for all the kinds.
func (r *Redactor) Redact(body []byte) []byte { return r.plan.redact(0, r.node, body) }

// wirePath are the names of the members on the way to the items.
func wirePath(s *Source) []string {
	b := nodeBuilder{format: s.Format}
	var out []string
	shape := s.Shape
	for _, st := range s.Items {
		if st.Member != "" {
			if shape.Type == Map {
				out, shape = append(out, st.Member), shape.Elem
			} else if m := shape.Member(st.Member); m != nil {
				out, shape = append(out, b.wire(m)), m.Shape
			}
		}
		if (st.Each || st.Values) && shape != nil {
			shape = shape.Elem
		}
	}
	return out
}

// redactView is what one kind drops at a place. It cares for what is kept
// there on the way to its items, rest names the members that are left of it,
// and in them.
type redactView struct {
	node  *redactNode
	cares bool
	rest  []string
}

func (v redactView) drops() bool { return v.node != nil && v.node.drop }

// member is the view of a member.
func (v redactView) member(name string) redactView {
	out := redactView{cares: v.cares, rest: v.rest}
	if v.node != nil {
		out.node = v.node.members[name]
	}
	if v.cares && len(v.rest) > 0 {
		if out.cares = v.rest[0] == name; out.cares {
			out.rest = v.rest[1:]
		}
	}
	return out
}

// sharedNode is what is dropped of a value that several kinds look at.
func sharedNode(views []redactView, memo map[string]*redactNode) *redactNode {
	if slices.ContainsFunc(views, redactView.drops) {
		if !slices.ContainsFunc(views, func(v redactView) bool { return v.cares && !v.drops() }) {
			return &redactNode{drop: true}
		}
		views = slices.DeleteFunc(slices.Clone(views), redactView.drops)
	}
	views = slices.Clone(views)
	var key strings.Builder
	some := false
	for _, v := range views {
		some = some || v.node != nil
		fmt.Fprintf(&key, "%p %v %v;", v.node, v.cares, v.rest)
	}
	if !some {
		return nil
	}
	if n := memo[key.String()]; n != nil {
		return n
	}
	n := &redactNode{}
	memo[key.String()] = n
	names := map[string]bool{}
	elems := slices.Clone(views)
	for i, v := range views {
		elems[i].node = nil
		if v.node == nil {
			continue
		}
		n.flat = n.flat || v.node.flat
		elems[i].node = v.node.elem
		for name := range v.node.members {
			names[name] = true
		}
		for k := range v.node.keys {
			keeps := func(o redactView) bool { return o.cares && len(o.rest) == 0 && !o.node.dropsKey([]byte(k)) }
			if !slices.ContainsFunc(views, keeps) {
				if n.keys == nil {
					n.key, n.keys = v.node.key, map[string]bool{}
				}
				n.keys[k] = true
			}
		}
	}
	n.elem = sharedNode(elems, memo)
	for name := range names {
		subs := make([]redactView, len(views))
		for i, v := range views {
			subs[i] = v.member(name)
		}
		if sub := sharedNode(subs, memo); sub != nil {
			if n.members == nil {
				n.members = map[string]*redactNode{}
			}
			n.members[name] = sub
		}
	}
	return n
}
