package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// value resolves an expression: in the item of the list call, then in the
// details in their order, unless it says where.
func (k *kindCompiler) value(text string) (value, error) {
	e, err := parseExpr(text)
	if err != nil {
		return value{}, err
	}
	return k.lookup(e)
}

// itemValue resolves an expression in the item of the list call, or of the
// parent.
func (k *kindCompiler) itemValue(text string) (value, error) {
	e, err := parseExpr(text)
	if err != nil {
		return value{}, err
	}
	if e.from == fromAnywhere {
		e.from = fromItem
	}
	if e.from == fromCall {
		return value{}, fmt.Errorf("%q is not in the item of the list call", text)
	}
	if e.tag != "" && k.tags != nil && k.tags.call.index > 0 {
		return value{}, fmt.Errorf("%q: the tags are not in the item of the list call", text)
	}
	return k.lookup(e)
}

// errReported is what follows from something that is reported already.
var errReported = errors.New("something before is wrong")

func (k *kindCompiler) lookup(e expr) (value, error) {
	v := value{up: e.up, path: e.path, tag: e.tag, header: e.header, transforms: e.transforms}
	switch {
	case e.scopeVar != "":
		v.scope, v.shape = e.scopeVar, keyShape
		return v, nil
	case e.tag != "":
		if k.tags == nil && k.raw.Tags != "" {
			return v, errReported
		}
		if k.tags == nil {
			return v, fmt.Errorf("%q: the kind has no tags", e.text)
		}
		v.call, v.shape = k.tags.call, keyShape
		return v, nil
	case e.from == fromParent:
		return k.parentValue(e)
	case e.header != "":
		c, err := k.headerCall(e)
		v.call, v.shape = c, keyShape
		return v, err
	}
	var first error
	for _, c := range k.callsOf(e) {
		t, err := c.walk(e.up, e.path)
		if err == nil {
			v.call, v.target = c, t
			return v, nil
		}
		first = better(first, err)
	}
	if first == nil {
		ops := make([]string, len(k.calls))
		for i, c := range k.calls {
			ops[i] = c.op.Name
		}
		first = fmt.Errorf("no call %s among %s", e.call, strings.Join(ops, ", "))
	}
	return v, fmt.Errorf("%s: %w", e.text, first)
}

// all resolves a path in every call that has it, for what concerns them all.
func (k *kindCompiler) all(text string) ([]value, error) {
	v, err := k.value(text)
	if err != nil {
		return nil, err
	}
	out := []value{v}
	e, _ := parseExpr(text)
	if v.call == nil || v.tag != "" || v.header != "" || e.from != fromAnywhere {
		return out, nil
	}
	for _, c := range k.calls[v.call.index+1:] {
		if t, err := c.walk(e.up, e.path); err == nil {
			w := v
			w.call, w.target = c, t
			out = append(out, w)
		}
	}
	return out, nil
}

func (k *kindCompiler) callsOf(e expr) []*call {
	switch e.from {
	case fromItem:
		return k.calls[:1]
	case fromCall:
		var out []*call
		for _, c := range k.calls {
			if c.op.Name == e.call {
				out = append(out, c)
			}
		}
		return out
	}
	return k.calls
}

// headerCall is the call whose answer has the header: the one named, or the
// one that describes it, or the only detail.
func (k *kindCompiler) headerCall(e expr) (*call, error) {
	calls := k.callsOf(e)
	for _, c := range calls {
		if c.op.Output == nil {
			continue
		}
		for _, m := range c.op.Output.Members {
			if m.Location == "header" && (strings.EqualFold(m.LocationName, e.header) || strings.EqualFold(m.Name, e.header)) {
				return c, nil
			}
		}
	}
	switch {
	case e.from == fromCall && len(calls) > 0:
		return calls[0], nil
	case len(calls) == 2:
		return calls[1], nil
	case len(calls) == 1:
		return calls[0], nil
	}
	return nil, fmt.Errorf("%s: no answer is known to have the header: name the call, GetX:header:%s", e.text, e.header)
}

// parentValue captures a value of the parent's item.
func (k *kindCompiler) parentValue(e expr) (value, error) {
	if k.parent == nil {
		return value{}, fmt.Errorf("%s: the kind is not listed for each of another", e.text)
	}
	pe := e
	pe.from, pe.call = fromItem, ""
	if len(pe.path) > 0 && pe.path[0].Member == "parent" && k.parent.parent != nil {
		return value{}, fmt.Errorf("%s: only the parent's own item can be named", e.text)
	}
	pv, err := k.parent.lookup(pe)
	if err != nil {
		return value{}, fmt.Errorf("parent %s: %w", k.parent.raw.name, err)
	}
	i := k.parent.capture(pv)
	return value{target: target{shape: pv.shape, member: pv.member}, parent: i + 1, path: e.path}, nil
}

// capture makes an expression one of the item's captures.
func (k *kindCompiler) capture(v value) int {
	key := v.key() + "|" + transformsText(v.transforms)
	if i, ok := k.entry.captures[key]; ok {
		return i
	}
	i := len(k.entry.Spec.Captures)
	k.entry.captures[key] = i
	k.entry.Spec.Captures = append(k.entry.Spec.Captures, v.expr())
	k.used = append(k.used, v)
	return i
}

func transformsText(ts []normalize.Transform) string {
	var b strings.Builder
	for _, t := range ts {
		fmt.Fprintf(&b, "|%d(%s)", t.Op, t.Arg)
	}
	return b.String()
}

// walk follows a path from the item, or from the structure up around it.
func (c *call) walk(up int, path normalize.Path) (target, error) {
	s := c.item
	if up > 0 {
		base := normalize.Path(nil)
		if c.index == 0 {
			outer := c.outer()
			if up > len(outer) {
				return target{}, &pathError{0, fmt.Sprintf("^ leaves the output of %s", c.op.Name)}
			}
			base = outer[up-1]
		} else if up > 1 || len(c.items) == 0 || len(c.prefix) == 0 {
			return target{}, &pathError{0, fmt.Sprintf("^ leaves the output of %s", c.op.Name)}
		}
		t, err := walk(c.op.Output, base)
		if err != nil {
			return target{}, err
		}
		s = t.shape
	}
	return walk(s, path)
}

// at returns the member at a path from the output in the kind's own copy of
// the shape, which may be changed; nil if the path ends at none.
func (c *call) at(path normalize.Path) *normalize.Member {
	if c.shape == nil {
		return nil
	}
	c.shape = c.own(c.shape)
	s := c.shape
	var last *normalize.Member
	for _, step := range path {
		if s == nil {
			return nil
		}
		if step.Member != "" {
			if s.Type == normalize.Map {
				s.Elem = c.own(s.Elem)
				s, last = s.Elem, nil
			} else {
				m := s.Member(step.Member)
				if m == nil || m.Shape == nil {
					return nil
				}
				m.Shape = c.own(m.Shape)
				s, last = m.Shape, m
			}
		}
		if step.Each || step.Values {
			s.Elem = c.own(s.Elem)
			s = s.Elem
		}
	}
	return last
}

func (c *call) own(s *normalize.Shape) *normalize.Shape {
	if s == nil || c.owned[s] {
		return s
	}
	cp := *s
	cp.Members = slices.Clone(s.Members)
	c.owned[&cp] = true
	return &cp
}

// read lets the member at a path through, but not what is sensitive below it.
func (c *call) read(path normalize.Path) {
	if m := c.at(path); m != nil {
		m.Drop = false
	}
}

// keep lets the member at a path and all below it through.
func (c *call) keep(path normalize.Path) {
	if m := c.at(path); m != nil {
		m.Drop = false
		m.Shape = c.keepAll(m.Shape, map[*normalize.Shape]*normalize.Shape{})
	}
}

// keepAll copies a shape without dropping anything in it.
func (c *call) keepAll(s *normalize.Shape, memo map[*normalize.Shape]*normalize.Shape) *normalize.Shape {
	if s == nil {
		return nil
	}
	if t, ok := memo[s]; ok {
		return t
	}
	cp := *s
	t := &cp
	memo[s] = t
	c.owned[t] = true
	t.Elem = c.keepAll(s.Elem, memo)
	t.Members = slices.Clone(s.Members)
	for i := range t.Members {
		t.Members[i].Drop = false
		t.Members[i].Shape = c.keepAll(t.Members[i].Shape, memo)
	}
	return t
}

// dropSensitive drops all members that the description marks, but tokens.
func (c *call) dropSensitive() {
	seen := map[*normalize.Shape]bool{}
	var visit func(s *normalize.Shape)
	visit = func(s *normalize.Shape) {
		if s == nil || seen[s] {
			return
		}
		seen[s] = true
		visit(s.Elem)
		for i := range s.Members {
			m := &s.Members[i]
			if m.Sensitive && !c.tokens[m.Name] {
				m.Drop = true
			}
			visit(m.Shape)
		}
	}
	visit(c.shape)
}

// sensitive are the paths from the item to what the description marks.
func sensitivePaths(item *api.Shape) []normalize.Path {
	var out []normalize.Path
	stack := map[*api.Shape]bool{}
	var visit func(s *api.Shape, path normalize.Path)
	visit = func(s *api.Shape, path normalize.Path) {
		if s == nil || stack[s] {
			return
		}
		stack[s] = true
		defer delete(stack, s)
		switch s.Type {
		case "list":
			visit(s.Elem, each(path))
		case "map":
			p := slices.Clone(path)
			if n := len(p); n > 0 && p[n-1] == (normalize.Step{Member: p[n-1].Member}) {
				p[n-1].Values = true
			} else {
				p = append(p, normalize.Step{Values: true})
			}
			visit(s.Value, p)
		case "structure":
			for i := range s.Members {
				m := &s.Members[i]
				p := append(slices.Clone(path), normalize.Step{Member: m.Name})
				if m.Sensitive || marked(m.Shape) {
					out = append(out, p)
					continue
				}
				visit(m.Shape, p)
			}
		}
	}
	visit(item, nil)
	return out
}

// marked says whether a shape or the elements of a list or map are sensitive.
func marked(s *api.Shape) bool {
	for range 4 {
		if s == nil {
			return false
		}
		if s.Sensitive || s.Key != nil && s.Key.Sensitive {
			return true
		}
		switch s.Type {
		case "list":
			s = s.Elem
		case "map":
			s = s.Value
		default:
			return false
		}
	}
	return false
}
