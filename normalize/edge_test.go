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
