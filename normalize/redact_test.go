package normalize

import (
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestRedactKeys(t *testing.T) {
	secret := func() *Shape {
		m := dict(text())
		m.DropKeys = []string{"Token"}
		return m
	}
	item := structure("Thing", member("Id", text()), member("Map", secret()), flat(member("Flat", secret())))
	p := compile(t, spec(things(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}))
	in := `{"Things":[{"Id":"a","Map":{"Token":"secret","On":"true","\u0054oken":"secret"}}]}`
	if got, want := string(p.Redact(0, []byte(in))), `{"Things":[{"Id":"a","Map":{"On":"true"}}]}`; got != want {
		t.Errorf("json: got %s, want %s", got, want)
	}
	p = compile(t, spec(xmlThings(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false}))
	wrap := func(s string) string {
		return `<ListThingsResponse><ListThingsResult><Things><member>` + s + `</member></Things></ListThingsResult></ListThingsResponse>`
	}
	for _, c := range []struct{ name, in, want string }{
		{
			"entries", `<Map><entry><key>On</key><value>true</value></entry><entry><key>Token</key><value>secret</value></entry></Map>`,
			`<Map><entry><key>On</key><value>true</value></entry></Map>`,
		},
		{"no key to tell", `<Map><entry><key><![CDATA[Token]]></key><value>secret</value></entry></Map>`, `<Map></Map>`},
		{
			"flat", `<Flat><key>Token</key><value>secret</value></Flat><Flat><key>On</key><value>true</value></Flat>`,
			`<Flat><key>On</key><value>true</value></Flat>`,
		},
	} {
		if got := string(p.Redact(0, []byte(wrap(c.in)))); got != wrap(c.want) {
			t.Errorf("xml %s: got %s, want %s", c.name, got, wrap(c.want))
		}
	}
}

func TestRedactForSeveralKinds(t *testing.T) {
	part := func(secret Member) *Shape { return structure("Part", member("Id", text()), secret) }
	thing := func(note, parts, key Member) *Shape {
		return structure("Thing", member("Id", text()), note, parts, key)
	}
	key, note := member("Key", text()), member("Note", text())
	of := func(shape *Shape, path ...string) *Plan {
		s := spec(things(shape), fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
		for _, p := range path {
			s.Sources[0].Items = append(s.Sources[0].Items, at(p).Path...)
		}
		return compile(t, s)
	}
	// One kind has parts elsewhere and a secret; the other is its parts, and
	// has a secret, too.
	whole := of(thing(note, drop(member("Parts", list(part(member("Secret", text()))))), drop(key)))
	parts := of(thing(note, member("Parts", list(part(drop(member("Secret", text()))))), key), "Parts[]")
	// A third reads the same items as the first and has no use for the note.
	again := of(thing(drop(note), drop(member("Parts", list(part(member("Secret", text()))))), drop(key)))
	in := `{"Things":[{"Id":"a","Note":"n","Key":"k","Parts":[{"Id":"p","Secret":"s"}]}]}`
	for name, c := range map[string]struct {
		plans []*Plan
		want  string
	}{
		"alone":  {[]*Plan{whole}, `{"Things":[{"Id":"a","Note":"n"}]}`},
		"both":   {[]*Plan{whole, parts}, `{"Things":[{"Id":"a","Note":"n","Parts":[{"Id":"p"}]}]}`},
		"turned": {[]*Plan{parts, whole}, `{"Things":[{"Id":"a","Note":"n","Parts":[{"Id":"p"}]}]}`},
		"three":  {[]*Plan{again, parts, whole}, `{"Things":[{"Id":"a","Note":"n","Parts":[{"Id":"p"}]}]}`},
		"two":    {[]*Plan{again, parts}, `{"Things":[{"Id":"a","Parts":[{"Id":"p"}]}]}`},
	} {
		if got := string(NewRedactor(c.plans...).Redact([]byte(in))); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestDroppedKeysOfAMapAreInNoColumn(t *testing.T) {
	m := dict(text())
	m.DropKeys = []string{"secret"}
	src := things(structure("Thing", member("Id", text()), member("Notes", m)))
	s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"notes", schema.JSON, at("Notes"), 0, false})
	out := page(t, s, `{"Things":[{"Id":"x","Notes":{"secret":"s3","b":"2","a":"1"}},{"Id":"y","Notes":{"secret":"s3"}}]}`)
	if strings.Contains(out, "s3") || !strings.Contains(out, `{\"a\":\"1\",\"b\":\"2\"}`) && !strings.Contains(out, `{"a":"1","b":"2"}`) {
		t.Errorf("got %s", out)
	}
}
