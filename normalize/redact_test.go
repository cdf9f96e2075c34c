package normalize

import (
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
