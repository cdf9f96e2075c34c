package normalize

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestOutlineStepsOverItems(t *testing.T) {
	s := spec(things(structure("Thing", member("Id", text()))), fieldOf{"thing_id", schema.Text, at("Id"), 0, false})
	zone := structure("Zone", member("Things", list(s.Sources[0].Shape.Member("Things").Shape.Elem)))
	s.Sources[0].Shape = structure("Out", member("Zones", dict(zone)), member("NextToken", text()))
	s.Sources[0].Items = path("Zones{}.Things[]")
	p := compile(t, s)
	body := []byte(`{"Zones": {"a": {"Things": [{"Id":"1"} , {"Id":"2"}], "warning": {"code":"X"}}, "b\u0020": {"Things": []}, "c": {"Things": [ {"Id":"3"} ], "more": [1,[2],{}]}}, "NextToken": "t" } `)
	b := p.NewBuilder(memory.DefaultAllocator)
	b.Begin(Origin{Scope: schema.Scope{Account: "1", Region: "r"}})
	for range 2 {
		if _, n, err := b.Page(body, nil); err != nil || n != 3 {
			t.Fatal(n, err)
		}
	}
	defer b.Flush().Release()
	var got []string
	for _, x := range b.Stretches() {
		got = append(got, string(body[x.From:x.To]))
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", []string{`{"Id":"1"} , {"Id":"2"}`, `{"Id":"3"}`}) {
		t.Errorf("%q", got)
	}
	for name, items := range map[string][]Stretch{"with items": b.Stretches(), "without": nil} {
		var seen []string
		o := NewOutline(body, items)
		end := o.Members(0, func(key []byte, at int) int {
			if string(key) != "Zones" {
				end := o.Skip(at)
				seen = append(seen, string(key)+"="+string(body[at:end]))
				return end
			}
			return o.Members(at, func(zone []byte, at int) int {
				return o.Members(at, func(key []byte, at int) int {
					end := o.Skip(at)
					if string(key) != "Things" {
						seen = append(seen, fmt.Sprintf("%s.%s=%s", zone, key, body[at:end]))
					}
					return end
				})
			})
		})
		want := []string{`a.warning={"code":"X"}`, `c.more=[1,[2],{}]`, `NextToken="t"`}
		if end != len(body)-1 || fmt.Sprintf("%q", seen) != fmt.Sprintf("%q", want) {
			t.Errorf("%s: %q to %d", name, seen, end)
		}
	}
	for _, bad := range []string{``, `[]`, `{"a"}`, `{"a":}`, `{"a":1`, `{"a":[1}`, `{"a":1 "b":2}`, `{"a":[1,]}`, `{1:2}`} {
		o := NewOutline([]byte(bad), nil)
		if end := o.Members(0, func(_ []byte, at int) int { return o.Skip(at) }); end >= 0 {
			t.Errorf("%s: ends at %d", bad, end)
		}
	}
}
