package normalize

import (
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestCompileErrors(t *testing.T) {
	item := func() *Shape {
		return structure("Thing", member("Id", text()), member("N", integer()), member("Inner", structure("Inner", member("A", text()))),
			member("List", list(structure("Elem", member("B", text())))), member("Map", dict(text())), drop(member("Secret", text())), member("Any", &Shape{Type: Document}))
	}
	id := fieldOf{"thing_id", schema.Text, at("Id"), 0, false}
	for _, c := range []struct {
		name   string
		change func(s *Spec)
		fields []fieldOf
		want   string
	}{
		{"no kind", func(s *Spec) { s.Kind = nil }, nil, "needs a kind"},
		{"no source", func(s *Spec) { s.Sources = nil }, nil, "needs a kind and a source"},
		{"no id", func(s *Spec) { s.ID = nil }, nil, "no id"},
		{"unknown member", nil, []fieldOf{{"x", schema.Text, at("Inner.Nope"), 0, false}}, "column x: Inner.Nope: Inner has no member Nope"},
		{"member of a text", nil, []fieldOf{{"x", schema.Text, at("Id.A"), 0, false}}, "column x: Id.A: Text has no members"},
		{"elements of a structure", nil, []fieldOf{{"x", schema.Text, at("Inner[].A"), 0, false}}, "column x: Inner[]: Inner has no such elements"},
		{"values of a list", nil, []fieldOf{{"x", schema.Text, at("List{}"), 0, false}}, "has no such elements"},
		{"dropped", nil, []fieldOf{{"x", schema.Text, at("Secret"), 0, false}}, "Secret: the member is dropped"},
		{"structure as text", nil, []fieldOf{{"x", schema.Text, at("Inner"), 0, false}}, "make it json"},
		{"list of structures as text", nil, []fieldOf{{"x", schema.TextList, at("List"), 0, false}}, "make it json"},
		{"document as text", nil, []fieldOf{{"x", schema.Text, at("Any"), 0, false}}, "make it json"},
		{"no map", nil, []fieldOf{{"x", schema.TextMap, at("Inner"), 0, false}}, "Inner is no map"},
		{"JSON of keys", nil, []fieldOf{{"x", schema.JSON, at("Map{key}"), 0, false}}, "keys make a list of texts"},
		{"behind keys", nil, []fieldOf{{"x", schema.Text, at("Map{key}.A"), 0, false}}, "nothing follows keys"},
		{"unit unknown", nil, []fieldOf{{"x", schema.Timestamp, at("N"), 0, false}}, "column x: N: the unit of the time is not known"},
		{"filled twice", nil, []fieldOf{{"x", schema.Text, at("Id"), 0, false}}, "column x: it is filled twice"},
		{"no column", func(s *Spec) { s.Fields[0].Column = 9 }, nil, "no column 9"},
		{"no source 3", func(s *Spec) { s.Fields[0].Source = 3 }, nil, "column thing_id: no source 3"},
		{"items", func(s *Spec) { s.Sources[0].Items = path("Nope[]") }, nil, "ListThings: items Nope[]: ListThingsOutput has no member Nope"},
		{"keys as items", func(s *Spec) { s.Sources[0].Items = path("Things{key}") }, nil, "keys cannot be items"},
		{"format", func(s *Spec) { s.Sources[0].Format = 0 }, nil, "neither json nor xml"},
		{"output", func(s *Spec) { s.Sources[0].Shape = text() }, nil, "ListThings: the output is not a structure"},
		{"token", func(s *Spec) { s.Sources[0].Tokens = []Path{path("Nope")} }, nil, "ListThings: token: Nope:"},
		{"token structure", func(s *Spec) { s.Sources[0].Tokens = []Path{path("Things")} }, nil, "token: Things is no text"},
		{"up", func(s *Spec) { s.Name = Template{{Expr: &Expr{Up: 2, Path: path("X")}}} }, nil, "name: X: nothing holds the item 2 levels up"},
		{"variable", func(s *Spec) { s.URN = Template{{Var: "zone"}} }, nil, "no variable zone"},
		{"tags", func(s *Spec) { s.Tags = &TagExpr{Expr: at("Inner.A")} }, nil, "tags: Inner.A is neither a list of structures nor a map"},
		{"tag key", func(s *Spec) { s.Tags = &TagExpr{Expr: at("List"), Key: "Key", Value: "B"} }, nil, "tags: Key: Elem has no member Key"},
		{"tag without tags", func(s *Spec) { s.Name = Template{{Expr: &Expr{Tag: "Name"}}} }, nil, "name: tag:Name: the kind has no tags"},
		{"edge", func(s *Spec) { s.edge("aws_x", at("Inner")) }, nil, "edge to aws_x: Inner leads to Inner: an expression needs a text"},
		{"edge index", func(s *Spec) { s.Edges = []EdgeExpr{{Edge: 4}} }, nil, "no edge 4"},
		{"transform", nil, []fieldOf{{"x", schema.Text, at("Id", Transform{Op: AfterLast}), 0, false}}, "without its separator"},
		{"arn part", nil, []fieldOf{{"x", schema.Text, at("Id", Transform{ARNPart, "zone"}), 0, false}}, `an ARN has no part "zone"`},
		{"capture", func(s *Spec) { s.Captures = []Expr{{Source: 1}} }, nil, "only the list call is captured"},
		{"created", func(s *Spec) { s.CreatedAt = &TimeExpr{Expr: at("N")} }, nil, "created_at: N: the unit of the time is not known"},
	} {
		s := spec(things(item()), append([]fieldOf{id}, c.fields...)...)
		if c.name == "filled twice" {
			s.Fields = append(s.Fields, s.Fields[1])
		}
		if c.change != nil {
			c.change(&s)
		}
		_, err := Compile(s)
		if err == nil || !strings.Contains(err.Error(), c.want) || s.Kind != nil && len(s.Sources) > 0 && !strings.HasPrefix(err.Error(), "compile aws_test_thing: ") {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}

// Shapes that contain themselves compile and are read to any depth.
func TestRecursiveShapes(t *testing.T) {
	node := structure("Node", member("Name", text()))
	node.Members = append(node.Members, member("Children", list(node)), member("Parent", node), member("ByName", dict(node)))
	s := spec(things(structure("Thing", member("Id", text()), member("Root", node))), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"root", schema.JSON, at("Root"), 0, false})
	s.edge("aws_node", at("Root.Children[].Children[].Name"))
	out := page(t, s, `{"Things":[{"Id":"x","Root":{"Name":"a","Children":[{"Name":"b","Children":[{"Parent":{"Name":"c"},"Name":"d"}],"ByName":{"k":{}}}]}}]}`)
	if got, want := valueOf(out, "root"), quote(`{"Children":[{"ByName":{"k":{}},"Children":[{"Name":"d","Parent":{"Name":"c"}}],"Name":"b"}],"Name":"a"}`); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if !strings.Contains(out, `aws_node "d"`) {
		t.Errorf("no edge: %s", out)
	}
}

func TestTags(t *testing.T) {
	pair := structure("Tag", member("TagKey", text()), member("TagValue", text()))
	for _, c := range []struct {
		name          string
		shape         *Shape
		in            string
		want, problem string
	}{
		{"a list", list(pair), `[{"TagKey":"b","TagValue":"2"},{"TagValue":"1","TagKey":"a"}]`, `{"a": "1", "b": "2"}`, ""},
		{"no value", list(pair), `[{"TagKey":"a"},{"TagKey":"b","TagValue":null}]`, `{"a": "", "b": ""}`, ""},
		{"no key", list(pair), `[{"TagValue":"1"},null,{"TagKey":"b","TagValue":"2"}]`, `{"b": "2"}`, "tags tag x1: 1"},
		{"an empty key", list(pair), `[{"TagKey":"","TagValue":"1"}]`, `{"": "1"}`, ""},
		{"a key twice", list(pair), `[{"TagKey":"a","TagValue":"2"},{"TagKey":"a","TagValue":"1"},{"TagKey":"a","TagValue":"3"}]`, `{"a": "2"}`, "tags tag x2: a"},
		{"text", list(pair), `[{"TagKey":"a\u0000","TagValue":"\n"}]`, `{"a` + replacement + `": "\n"}`, "tags text x1: a" + replacement},
		{"none", list(pair), `[]`, `{}`, ""},
		{"null", list(pair), `null`, `{}`, ""},
		{"another type", list(pair), `"a"`, `{}`, `tag_json type x1: "a"`},
		{"a map", dict(text()), `{"b":"2","a":"1"}`, `{"a": "1", "b": "2"}`, ""},
		{"a map with null", dict(text()), `{"b":null,"a":"1"}`, `{"a": "1", "b": ""}`, ""},
		{"a map with a key twice", dict(text()), `{"a":"2","a":"1"}`, `{"a": "2"}`, "tags tag x1: a"},
		{"an empty map", dict(text()), `{}`, `{}`, ""},
	} {
		s := spec(things(structure("Thing", member("Id", text()), member("Tags", c.shape))), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"tag_json", schema.JSON, at("Tags"), 0, false})
		s.Tags = &TagExpr{Expr: at("Tags"), Key: "TagKey", Value: "TagValue"}
		s.Name = Template{{Expr: &Expr{Tag: "a"}}}
		out := page(t, s, `{"Things":[{"Id":"x","Tags":`+c.in+`}]}`)
		if got, problem := valueOf(out, "tags"), problemsOf(out); got != c.want || problem != c.problem {
			t.Errorf("%s: got %s (%s), want %s (%s)", c.name, got, problem, c.want, c.problem)
		}
	}
	// Absent from a document that was read: none. Nobody asked: unknown.
	s := spec(things(structure("Thing", member("Id", text()), member("Tags", list(pair)))), fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
	if got := valueOf(page(t, s, `{"Things":[{"Id":"x"}]}`), "tags"); got != "" {
		t.Errorf("a kind without tags: %s", got)
	}
	s.Tags = &TagExpr{Expr: at("Tags"), Key: "TagKey", Value: "TagValue"}
	if got := valueOf(page(t, s, `{"Things":[{"Id":"x"}]}`), "tags"); got != "{}" {
		t.Errorf("absent: %s", got)
	}
}
