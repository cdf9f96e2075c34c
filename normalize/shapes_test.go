package normalize

import (
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Shapes for tests, in few words.

func text() *Shape    { return &Shape{Name: "Text", Type: String} }
func integer() *Shape { return &Shape{Name: "Integer", Type: Integer} }
func float() *Shape   { return &Shape{Name: "Float", Type: Float} }
func boolean() *Shape { return &Shape{Name: "Boolean", Type: Boolean} }
func when(f TimeFormat) *Shape {
	return &Shape{Name: "Time", Type: Time, Time: f}
}

func list(elem *Shape) *Shape {
	return &Shape{Name: "List", Type: List, Elem: elem, ElemName: "member"}
}
func dict(elem *Shape) *Shape { return &Shape{Name: "Map", Type: Map, Elem: elem} }
func structure(name string, members ...Member) *Shape {
	return &Shape{Name: name, Type: Structure, Members: members}
}

// member is a member whose wire name stands behind a slash, if it differs.
func member(name string, s *Shape) Member {
	name, wire, ok := strings.Cut(name, "/")
	if !ok {
		wire = name
	}
	return Member{Name: name, Wire: wire, Shape: s}
}

func flat(m Member) Member { m.Flat = true; return m }
func drop(m Member) Member { m.Drop = true; return m }
func set(m Member) Member  { m.Set = true; return m }

// path parses A.B[].C{}.D{key}.
func path(s string) Path {
	if s == "." || s == "" {
		return nil
	}
	var p Path
	for part := range strings.SplitSeq(s, ".") {
		st := Step{}
		switch {
		case strings.HasSuffix(part, "[]"):
			st.Each, part = true, strings.TrimSuffix(part, "[]")
		case strings.HasSuffix(part, "{}"):
			st.Values, part = true, strings.TrimSuffix(part, "{}")
		case strings.HasSuffix(part, "{key}"):
			st.Keys, part = true, strings.TrimSuffix(part, "{key}")
		}
		st.Member = part
		p = append(p, st)
	}
	return p
}

// at is an expression over source 0; carets leave the item.
func at(s string, t ...Transform) Expr {
	up := 0
	for strings.HasPrefix(s, "^.") {
		up++
		s = s[2:]
	}
	return Expr{Up: up, Path: path(s), Transforms: t}
}

// field is a column of a spec under construction.
type fieldOf struct {
	name string
	typ  schema.Type
	from Expr
	time TimeFormat
	set  bool
}

// spec makes a spec of one source whose id is the first field.
func spec(src Source, fields ...fieldOf) Spec {
	k := &schema.Kind{Name: "aws_test_thing", Key: "aws_test_thing", Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion}
	s := Spec{Kind: k, Sources: []Source{src}}
	for i, f := range fields {
		k.Columns = append(k.Columns, schema.Column{Name: f.name, Type: f.typ})
		s.Fields = append(s.Fields, Field{Column: i, Expr: f.from, Time: f.time, Set: f.set})
	}
	s.ID = []Expr{fields[0].from}
	return s
}

// edge adds an edge to a spec.
func (s *Spec) edge(to string, e Expr) {
	s.Edges = append(s.Edges, EdgeExpr{Edge: len(s.Kind.Edges), Expr: e})
	s.Kind.Edges = append(s.Kind.Edges, schema.Edge{To: to, Ref: e.Path.String(), Relation: "uses", Match: schema.MatchID, OnDelete: schema.Block})
}

// things is a JSON list of items of the given shape, at Things.
func things(item *Shape) Source {
	return Source{
		Call: "ListThings", Format: JSON, Items: path("Things[]"), Tokens: []Path{path("NextToken")},
		Shape: structure("ListThingsOutput", member("Things", list(item)), member("NextToken", text())),
	}
}

// xmlThings is the same in the query protocol's XML.
func xmlThings(item *Shape) Source {
	s := things(item)
	s.Format = XML
	s.Wrap = []string{"ListThingsResponse", "ListThingsResult"}
	return s
}
