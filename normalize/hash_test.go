package normalize

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// shuffled writes an item whose members, map entries and set lists are in any
// order.
func shuffled(r *rand.Rand, f Format) string {
	join := func(parts []string, sep string) string {
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return strings.Join(parts, sep)
	}
	if f == JSON {
		tags := join([]string{`{"Key":"a","Value":"1"}`, `{"Value":"2","Key":"b"}`, `{"Key":"Name","Value":"n"}`}, ",")
		net := join([]string{`"Zone":"z"`, `"Names":["y","x"]`}, ",")
		return `{"Things":[{` + join([]string{
			`"Id":"i"`, `"Size":5`, `"When":1710235815`, `"Tags":[` + tags + `]`, `"Net":{` + net + `}`,
			`"Groups":[` + join([]string{`"g"`, `"h"`, `"j"`}, ",") + `]`, `"Sizes":[` + join([]string{"1", "2", "30"}, ", ") + `]`,
		}, " , ") + `}]}`
	}
	list := func(name string, elems ...string) string {
		return "<" + name + "><member>" + join(elems, "</member> <member>") + "</member></" + name + ">"
	}
	return `<ListThingsResponse><ListThingsResult><Things><member>` + join([]string{
		"<Id>i</Id>", "<Size>5</Size>", "<When>2024-03-12T09:30:15+00:00</When>",
		list("Tags", "<Key>a</Key><Value>1</Value>", "<Value>2</Value><Key>b</Key>", "<Key>Name</Key><Value>n</Value>"),
		"<Net>" + join([]string{"<Zone>z</Zone>", "<Names><member>y</member><member>x</member></Names>"}, "\n") + "</Net>",
		list("Groups", "g", "h", "j"), list("Sizes", "1", "2", "30"),
	}, "") + `</member></Things></ListThingsResult></ListThingsResponse>`
}

func TestHashDoesNotDependOnOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	want := ""
	for i := range 200 {
		f := JSON + Format(i%2)
		body := shuffled(r, f)
		got := page(t, small(f), body)
		if strings.Contains(got, "problem") || valueOf(got, "_hash") == "" {
			t.Fatalf("%s\n%s", body, got)
		}
		// Edges are in the document's order.
		got, edges, _ := strings.Cut(got, "edge ")
		if want == "" {
			want = got
		}
		if got != want || strings.Count(edges, "aws_") != 4 {
			t.Fatalf("%s\ngot %s\nwant %s\n%s", body, got, want, edges)
		}
	}
}

func TestHashSeesEveryValue(t *testing.T) {
	const item = `"Id":"i","Size":5,"When":1710235815,"Tags":[{"Key":"a","Value":"1"}],"Net":{"Zone":"z","Names":["x"]},"Groups":["g"],"Sizes":[1,2]`
	seen := map[string]string{}
	for _, body := range []string{
		item,
		strings.Replace(item, `"Id":"i"`, `"Id":"j"`, 1),
		strings.Replace(item, `"Size":5`, `"Size":6`, 1),
		strings.Replace(item, `"Size":5`, `"Size":null`, 1),
		strings.Replace(item, `"Size":5`, `"Size":0`, 1),
		strings.Replace(item, `1710235815`, `1710235815.000001`, 1),
		strings.Replace(item, `"Value":"1"`, `"Value":"2"`, 1),
		strings.Replace(item, `"Key":"a"`, `"Key":"a1"`, 1),
		strings.Replace(item, `{"Key":"a","Value":"1"}`, ``, 1),
		strings.Replace(item, `"Zone":"z"`, `"Zone":"y"`, 1),
		strings.Replace(item, `["x"]`, `[]`, 1),
		strings.Replace(item, `["g"]`, `["gg"]`, 1),
		strings.Replace(item, `["g"]`, `["g","g"]`, 1),
		strings.Replace(item, `["g"]`, `[]`, 1),
		strings.Replace(item, `[1,2]`, `[1,3]`, 1),
		strings.Replace(item, `[1,2]`, `[12]`, 1),
	} {
		h := valueOf(page(t, small(JSON), `{"Things":[{`+body+`}]}`), "_hash")
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", body, other)
		}
		seen[h] = body
	}
}

func TestHashLeavesOut(t *testing.T) {
	s := small(JSON)
	want := valueOf(page(t, s, smallJSON), "_hash")

	s.Kind.Columns[1].Volatile = true
	a := valueOf(page(t, s, `{"Things":[{"Id":"a","Size":1}]}`), "_hash")
	b := valueOf(page(t, s, `{"Things":[{"Id":"a","Size":2}]}`), "_hash")
	if a != b {
		t.Error("a volatile column changes the hash")
	}
	s.Kind.Columns[1].Volatile = false

	// A column that is NULL changes nothing, nor does the scope of the reader.
	s.Kind.Columns = append(s.Kind.Columns, schema.Column{Name: "new", Type: schema.Text})
	if got := valueOf(page(t, s, smallJSON), "_hash"); got != want {
		t.Error("a new column that is NULL changes the hash")
	}
	s.Account = Template{{Text: "123456789012"}}
	p := compile(t, s)
	bd := builder(t, p)
	o := origin()
	o.Scope.Account, o.Scope.Parent = "210987654321", "p"
	bd.Begin(o)
	if _, _, err := bd.Page([]byte(smallJSON), nil); err != nil {
		t.Fatal(err)
	}
	if got := valueOf(flush(bd), "_hash"); got != want {
		t.Error("the reader changes the hash")
	}
}

func TestRowID(t *testing.T) {
	k := schema.Kind{Cloud: "aws", Key: "aws_x_y", KeyScope: schema.KeyRegion}
	// Length-prefixed parts: the same by hand.
	name := "\x00\x00\x00\x03aws\x00\x00\x00\x041234\x00\x00\x00\x02eu\x00\x00\x00\x07aws_x_y\x00\x00\x00\x03i-1"
	if got, want := uuid.UUID(RowID(&k, "1234", "eu", "i-1")), uuid.NewSHA1(Namespace, []byte(name)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	id := func(scope schema.KeyScope, account, region string) string {
		k.KeyScope = scope
		return uuid.UUID(RowID(&k, account, region, "x")).String()
	}
	if id(schema.KeyGlobal, "a", "b") != id(schema.KeyGlobal, "c", "d") || id(schema.KeyAccount, "a", "b") != id(schema.KeyAccount, "a", "c") ||
		id(schema.KeyAccount, "a", "b") == id(schema.KeyAccount, "b", "b") || id(schema.KeyRegion, "a", "b") == id(schema.KeyRegion, "a", "c") ||
		id(schema.KeyRegion, "ab", "c") == id(schema.KeyRegion, "a", "bc") {
		t.Error("the key scope is not what it says")
	}
}

// What is written as JSON is what the standard library writes.
func TestCanonicalJSONOfTheStandardLibrary(t *testing.T) {
	w := newWalker(compile(t, small(JSON)))
	rapid.Check(t, func(t *rapid.T) {
		doc := randomJSON(t, 4)
		got, ok := w.canonical(nil, []byte(doc))
		want := remarshal(doc)
		if !ok || string(got) != want {
			t.Fatalf("%s\ngot  %s\nwant %s", doc, got, want)
		}
		again, ok := w.canonical(nil, got)
		if !ok || string(again) != want {
			t.Fatalf("not stable: %s", again)
		}
		w.arena = w.arena[:0]
	})
}

func randomJSON(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 6).Draw(t, "kind")
	if depth == 0 && kind > 4 {
		kind = 0
	}
	space := rapid.SampledFrom([]string{"", " ", "\n\t"})
	switch kind {
	case 0:
		return rapid.SampledFrom([]string{"null", "true", "false", "0", "-1.5e+10", "12345678901234567890123", "1E5"}).Draw(t, "literal")
	case 1:
		return fmt.Sprint(rapid.Int64().Draw(t, "int"))
	case 2, 3, 4:
		return randomString(t)
	case 5:
		var parts []string
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			parts = append(parts, space.Draw(t, "space")+randomJSON(t, depth-1)+space.Draw(t, "space"))
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	var parts []string
	for range rapid.IntRange(0, 5).Draw(t, "members") {
		parts = append(parts, space.Draw(t, "space")+randomString(t)+space.Draw(t, "space")+":"+randomJSON(t, depth-1))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func randomString(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "Z", "é", "😀", `\n`, `\"`, `\\`, `\/`, `\u00e9`, `\ud83d\ude00`, `\ud800`, `\u001f`, "\x7f", "longer text of ten", "<", "&", "\xff"}), 0, 4)
	return `"` + strings.Join(parts.Draw(t, "string"), "") + `"`
}
