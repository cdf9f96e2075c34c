package normalize

import (
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestUpFromAnItemInsideAListElement(t *testing.T) {
	entry := structure("Entry", member("Kind", text()), member("Policy", structure("Policy", member("Id", text()))))
	src := Source{Call: "ListPolicies", Format: JSON, Items: path("List.Items[].Policy"), Shape: structure("Output", member("List", structure("List", member("Items", list(entry)))))}
	s := spec(src, fieldOf{"policy_id", schema.Text, at("Id"), 0, false}, fieldOf{"type", schema.Text, at("^.Kind"), 0, false})
	for _, body := range []string{
		`{"List":{"Items":[{"Kind":"a","Policy":{"Id":"x"}}]}}`,
		`{"List":{"Items":[{"Policy":{"Id":"x"},"Kind":"a"}]}}`,
	} {
		if out := page(t, s, body); valueOf(out, "type") != `"a"` {
			t.Errorf("%s: %s", body, out)
		}
	}
	out := page(t, s, `{"List":{"Items":[{"Kind":"a","Policy":{"Id":"x"}},{"Policy":{"Id":"y"}}]}}`)
	if strings.Count(out, `"a"`) != 1 {
		t.Errorf("the kind of one entry is another's: %s", out)
	}
}

func TestComposedReferences(t *testing.T) {
	src := things(structure("Thing", member("Id", text()), member("Parts", list(text()))))
	s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
	parts := at("Parts[]", Transform{Op: BeforeLast, Arg: ":"})
	s.edge("aws_part", Expr{})
	s.Edges[0].Template = Template{{Expr: &Expr{Parent: 1}}, {Text: "/"}, {Expr: &parts}}
	p := compile(t, s)
	for _, c := range []struct {
		parent []string
		want   string
	}{
		{[]string{"p"}, `"p/a:1" "p/b"`},
		{[]string{""}, ""},
		{nil, ""},
	} {
		b := builder(t, p)
		o := origin()
		o.Parent = c.parent
		b.Begin(o)
		if _, _, err := b.Page([]byte(`{"Things":[{"Id":"x","Parts":["a:1:2","b","b:3"]}]}`), nil); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(flush(b)) {
			if strings.Contains(line, "aws_part") {
				got = append(got, line[strings.LastIndexByte(line, ' ')+1:len(line)-1])
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("parent %q: got %s, want %s", c.parent, s, c.want)
		}
	}
}

func TestReferencesOfTextsThatBelongTogether(t *testing.T) {
	subject := structure("Subject", member("Kind", text()), member("Name", text()), member("Space", text()))
	src := things(structure("Thing", member("Id", text()), member("Space", text()), member("Subjects", list(subject)), member("Role", subject)))
	s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
	s.edge("aws_account", Expr{})
	s.Edges[0].Each = &Each{Path: path("Subjects[]"), Fields: []Path{path("Space"), path("Name"), path("Kind")}, When: []EachCondition{{3, []string{"Account"}}}}
	s.Edges[0].Template = Template{{Field: 1}, {Text: "/"}, {Field: 2}}
	s.edge("aws_role", Expr{})
	space := at("Space")
	s.Edges[1].Each = &Each{Path: path("Role"), Fields: []Path{path("Name")}}
	s.Edges[1].Template = Template{{Expr: &space}, {Text: "/"}, {Field: 1}}
	for _, c := range []struct{ body, want string }{
		{`"Space":"s","Role":{"Name":"r"},"Subjects":[{"Kind":"User","Name":"u"},{"Kind":"Account","Name":"a","Space":"x"},{"Space":"y","Name":"b","Kind":"Account"}]`, `"x/a" "y/b" "s/r"`},
		{`"Subjects":[{"Kind":"Account","Name":"a"},{"Kind":"Account","Space":"y"},{"Kind":"Account","Name":"c","Space":"z"}],"Role":{"Name":"r"},"Space":"late"`, `"z/c" "late/r"`},
		{`"Subjects":[],"Role":{"Name":"r"}`, ``},
		{`"Subjects":null,"Role":null`, ``},
		{`"Space":"s","Role":{"Name":"a/b\u0000c"}`, `"s/a/b�c"`},
	} {
		var got []string
		for line := range strings.Lines(page(t, s, `{"Things":[{"Id":"before","Subjects":[{"Kind":"Account","Name":"no"}]},{"Id":"x",`+c.body+`}]}`)) {
			if strings.Contains(line, "aws_account") || strings.Contains(line, "aws_role") {
				got = append(got, line[strings.LastIndexByte(line, ' ')+1:len(line)-1])
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: got %s, want %s", c.body, s, c.want)
		}
	}
}

func TestEachIsChecked(t *testing.T) {
	src := things(structure("Thing", member("Id", text()), member("Parts", list(text())), member("One", structure("One", member("Names", list(text()))))))
	for _, c := range []struct {
		each Each
		want string
	}{
		{Each{Path: path("Parts[]")}, "no structure"},
		{Each{Path: path("One"), Fields: []Path{path("Names[]")}}, "not one text"},
		{Each{Path: path("One"), When: []EachCondition{{1, nil}}}, "condition on field 1 of 0"},
	} {
		s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
		s.edge("aws_part", Expr{})
		s.Edges[0].Each, s.Edges[0].Template = &c.each, Template{{Text: "x"}}
		if _, err := Compile(s); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.each, err, c.want)
		}
	}
}
