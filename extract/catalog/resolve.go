package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// target is what a path leads to.
type target struct {
	shape  *api.Shape
	member *api.Member // the last one on the way, nil if there is none
	many   bool        // the path passes through a list or the values of a map
	// sensitive says that something on the way is marked so.
	sensitive bool
	// mapKey says that the last step is a key of a map.
	mapKey bool
}

var keyShape = &api.Shape{Name: "Key", Type: "string"}

// walk follows a path through a shape. The error says where it ends and how
// far that is (depth), so that of several tries the best can be told.
func walk(s *api.Shape, path normalize.Path) (target, error) {
	t := target{shape: s}
	for i, step := range path {
		if t.shape != nil && t.shape.Document {
			return t, nil
		}
		if step.Member != "" {
			t.mapKey = false
			switch {
			case t.shape == nil:
				return t, &pathError{i, fmt.Sprintf("no member %q: there is no structure", step.Member)}
			case t.shape.Type == "map":
				t.shape, t.member, t.mapKey = t.shape.Value, nil, true
			case t.shape.Type == "structure":
				m := t.shape.Member(step.Member)
				if m == nil {
					return t, &pathError{i, fmt.Sprintf("no member %q in %s%s", step.Member, t.shape.Name, didYouMean(step.Member, memberNames(t.shape)))}
				}
				t.shape, t.member = m.Shape, m
				t.sensitive = t.sensitive || m.Sensitive || m.Shape.Sensitive
			case t.shape.Type == "list":
				return t, &pathError{i, fmt.Sprintf("no member %q: %s is a list, write %s[]", step.Member, pathText(path[:i]), pathText(path[:i]))}
			default:
				return t, &pathError{i, fmt.Sprintf("no member %q: %s is a %s", step.Member, pathText(path[:i]), t.shape.Type)}
			}
		}
		at := path[:i+1]
		switch {
		case step.Each:
			if t.shape == nil || t.shape.Type != "list" {
				return t, &pathError{i, fmt.Sprintf("%s: not a list", pathText(at))}
			}
			t.shape, t.many = t.shape.Elem, true
		case step.Values, step.Keys:
			if t.shape == nil || t.shape.Type != "map" {
				return t, &pathError{i, fmt.Sprintf("%s: not a map", pathText(at))}
			}
			t.many = true
			if step.Keys {
				t.shape = keyShape
			} else {
				t.shape = t.shape.Value
			}
		}
		if t.shape != nil {
			t.sensitive = t.sensitive || t.shape.Sensitive
		}
	}
	return t, nil
}

type pathError struct {
	depth int
	msg   string
}

func (e *pathError) Error() string { return e.msg }

// better returns the error that got further.
func better(a, b error) error {
	var pa, pb *pathError
	if a == nil || errors.As(a, &pa) && errors.As(b, &pb) && (pb.depth > pa.depth || pb.depth == pa.depth && strings.Contains(pb.msg, "did you mean") && !strings.Contains(pa.msg, "did you mean")) {
		return b
	}
	return a
}

func memberNames(s *api.Shape) []string {
	if s == nil {
		return nil
	}
	out := make([]string, len(s.Members))
	for i, m := range s.Members {
		out[i] = m.Name
	}
	return out
}

// member finds a dotted member of an input.
func member(s *api.Shape, path string) (*api.Member, *api.Shape, error) {
	var m *api.Member
	for name := range strings.SplitSeq(path, ".") {
		next := s.Member(name)
		if next == nil {
			return nil, nil, fmt.Errorf("no member %q%s", name, didYouMean(name, memberNames(s)))
		}
		m, s = next, next.Shape
	}
	return m, s, nil
}

// call is one source of a kind: the list or a detail.
type call struct {
	index int
	op    *api.Operation
	svc   *api.Service
	// items leads from the output to where paths begin, item is what is there.
	items normalize.Path
	item  *api.Shape
	// prefix of paths in the projection: items, where the projection begins
	// at the output.
	prefix normalize.Path
	// tokens are the members of the output that page it.
	tokens map[string]bool
	// shape is the kind's own description of the output.
	shape *normalize.Shape
	owned map[*normalize.Shape]bool
	// reads are paths from the output to what is read besides values.
	reads []normalize.Path
	as    string
	none  bool // takes no columns by itself
}

// outer are the paths to the structures around the item, innermost first; the
// last is the output itself.
func (c *call) outer() []normalize.Path {
	var out []normalize.Path
	for i := len(c.items) - 2; i >= 0; i-- {
		if s := c.items[i]; s.Each || s.Values {
			out = append(out, c.items[:i+1])
		}
	}
	if len(c.items) > 0 {
		out = append(out, nil)
	}
	return out
}

// value is a resolved expression.
type value struct {
	target
	call   *call // nil for parent's
	up     int
	path   normalize.Path // from the item, or from the structure up
	parent int
	tag    string
	header string
	scope  string // account, region or partition

	transforms []normalize.Transform
}

// key identifies what is read, whatever the transforms.
func (v value) key() string {
	switch {
	case v.scope != "":
		return "scope/" + v.scope
	case v.parent > 0:
		return fmt.Sprintf("parent/%d", v.parent)
	case v.tag != "":
		return "tag/" + v.tag
	case v.header != "":
		return fmt.Sprintf("%d/header/%s", v.call.index, v.header)
	}
	p := v.path
	if n := len(p); n > 0 && p[n-1].Each && p[n-1].Member != "" {
		p = append(append(normalize.Path(nil), p[:n-1]...), normalize.Step{Member: p[n-1].Member})
	}
	return fmt.Sprintf("%d/%d/%s", v.call.index, v.up, pathText(p))
}

// expr makes the projection's expression. For several values of a list it
// goes to each of them.
func (v value) expr() normalize.Expr {
	e := v.listExpr()
	if v.shape != nil && v.shape.Type == "list" && v.tag == "" && v.header == "" && v.parent == 0 {
		e.Path = each(e.Path)
	}
	return e
}

// listExpr is expr, but a list stays one.
func (v value) listExpr() normalize.Expr {
	e := normalize.Expr{Tag: v.tag, Header: v.header, Parent: v.parent, Var: v.scope, Transforms: v.transforms}
	if v.call != nil {
		e.Source = v.call.index
	}
	if v.scope != "" || v.parent > 0 || v.tag != "" || v.header != "" {
		return e
	}
	e.Path = v.path
	switch {
	case v.call.index == 0:
		e.Up = v.up
	case v.up == 0:
		e.Path = append(append(normalize.Path(nil), v.call.prefix...), v.path...)
	}
	return e
}

// each makes a path to a list one to its elements.
func each(p normalize.Path) normalize.Path {
	p = append(normalize.Path(nil), p...)
	if n := len(p); n > 0 && p[n-1] == (normalize.Step{Member: p[n-1].Member}) {
		p[n-1].Each = true
		return p
	}
	return append(p, normalize.Step{Each: true})
}

// full is the path from the output.
func (v value) full() normalize.Path {
	base := v.call.items
	if v.up > 0 {
		base = nil
		if v.call.index == 0 {
			base = v.call.outer()[v.up-1]
		}
	}
	return append(append(normalize.Path(nil), base...), v.path...)
}

// scalarType is the type of a column that holds a scalar, 0 if it is none.
func scalarType(s *api.Shape) schema.Type {
	if s == nil || s.Document {
		return 0
	}
	switch s.Type {
	case "string", "character", "blob":
		return schema.Text
	case "boolean":
		return schema.Bool
	case "integer", "long", "short", "byte", "bigInteger", "biginteger":
		return schema.Int64
	case "float", "double", "bigDecimal", "bigdecimal":
		return schema.Float64
	case "timestamp":
		return schema.Timestamp
	}
	return 0
}

// columnType is the type of a column that holds a value of the shape.
func columnType(s *api.Shape) schema.Type {
	if t := scalarType(s); t != 0 {
		return t
	}
	if s != nil && s.Type == "list" {
		if t := scalarType(s.Elem).List(); t != 0 {
			return t
		}
	}
	return schema.JSON
}
