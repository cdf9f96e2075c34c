package normalize

import (
	"encoding/xml"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dewpoint-data/dewpoint/schema"
)

func TestXMLValues(t *testing.T) {
	grant := structure("Grant", member("Kind/xsi:type", text()), member("Name", text()))
	grant.Members[0].Attr = true
	entries := dict(text())
	entries.EntryName, entries.KeyName, entries.ValueName = "entry", "Name", "Val"
	pair := structure("Pair", member("B", integer()), member("A", text()), set(member("Names", list(text()))))
	for _, c := range []struct {
		name  string
		typ   schema.Type
		shape *Shape
		in    string
		want  string
	}{
		{"text", schema.Text, text(), `<V>abc</V>`, `"abc"`},
		{"entities", schema.Text, text(), `<V>&lt;&amp;&gt;&quot;&apos;&#65;&#x1F600;</V>`, `"<&>\"'A😀"`},
		{"CDATA", schema.Text, text(), `<V>a<![CDATA[<b>&amp;]]>c</V>`, `"a<b>&amp;c"`},
		{"comments and instructions", schema.Text, text(), `<V>a<!-- <V>x</V> -->b<?pi <?>c</V>`, `"abc"`},
		{"space is text", schema.Text, text(), "<V> a\n </V>", `" a\n "`},
		{"line ends", schema.Text, text(), "<V>a\r\nb\rc<![CDATA[d\r\ne]]></V>", `"a\nb\nc` + `d\ne"`},
		{"empty", schema.Text, text(), `<V></V>`, `""`},
		{"self-closing", schema.Text, text(), `<V/>`, `""`},
		{"self-closing with space", schema.Text, text(), `<V />`, `""`},
		{"attributes are skipped", schema.Text, text(), `<V a="x>y" b='"/>'>z</V>`, `"z"`},
		{"prefixes are ignored", schema.Text, text(), `<ns2:V xmlns:ns2="urn:x">z</ns2:V>`, `"z"`},
		{"case does not matter", schema.Text, text(), `<v>z</v>`, `"z"`},
		{"space in the end tag", schema.Text, text(), "<V>z</V\n>", `"z"`},
		{"the last of two", schema.Text, text(), `<V>a</V><V>b</V>`, `"b"`},
		{"NUL", schema.Text, text(), `<V>a&#0;b</V>`, `"a` + replacement + `b"`},
		{"surrogate", schema.Text, text(), `<V>&#xD800;</V>`, `"` + replacement + `"`},
		{"beyond Unicode", schema.Text, text(), `<V>&#x99999999;</V>`, `"` + replacement + `"`},
		{"broken UTF-8", schema.Text, text(), "<V>a\xffb</V>", `"a` + replacement + `b"`},
		{"NUL in CDATA", schema.Text, text(), "<V><![CDATA[a\x00b]]></V>", `"a` + replacement + `b"`},
		{"elements in text", schema.Text, text(), `<V>a<b>x</b>c</V>`, `"ac"`},
		{"number", schema.Int64, integer(), "<V>\n 42 </V>", `42`},
		{"empty number", schema.Int64, integer(), `<V/>`, ``},
		{"float", schema.Float64, float(), `<V>1.5E3</V>`, `1500`},
		{"no float", schema.Float64, float(), `<V>NaN</V>`, ``},
		{"bool", schema.Bool, boolean(), `<V>true</V>`, `true`},
		{"time", schema.Timestamp, when(TimeISO), `<V>2024-03-12T09:30:15.123Z</V>`, `2024-03-12T09:30:15.123Z`},
		{"no time", schema.Timestamp, when(TimeISO), `<V>N/A</V>`, ``},
		{"list", schema.TextList, list(text()), "<V>\n <member>b</member><!-- x --><member/><item>a</item></V>", `["b", "", "a"]`},
		{"empty list", schema.TextList, list(text()), `<V/>`, `[]`},
		{"empty list with space", schema.TextList, list(text()), "<V>\n</V>", `[]`},
		{"JSON list", schema.JSON, list(pair), `<V><member><B>1</B><A>x</A></member><member/></V>`, quote(`[{"A":"x","B":1},{}]`)},
		{"set in JSON", schema.JSON, pair, `<V><Names><member>b</member><member>a</member></Names></V>`, quote(`{"Names":["a","b"]}`)},
		{"empty in JSON", schema.JSON, pair, `<V><Names/><A/><B/></V>`, quote(`{"A":"","Names":[]}`)},
		{"unknown in JSON", schema.JSON, pair, `<V><New><A>1</A></New><A>x</A></V>`, quote(`{"A":"x"}`)},
		{"map", schema.TextMap, entries, `<V><entry><Name>b</Name><Val>2</Val></entry><entry><Val>1</Val><Name>a</Name></entry></V>`, `{"a": "1", "b": "2"}`},
		{"map in JSON", schema.JSON, entries, `<V><entry><Name>b</Name><Val>2</Val></entry><entry><Val>1</Val><Name>a</Name></entry></V>`, quote(`{"a":"1","b":"2"}`)},
		{"attribute", schema.JSON, grant, `<V xmlns:xsi="http://x" xsi:type="a&amp;b"><Name>n</Name></V>`, quote(`{"Kind":"a&b","Name":"n"}`)},
		{"attribute of an empty element", schema.JSON, grant, `<V xsi:type = 'User'/>`, quote(`{"Kind":"User"}`)},
	} {
		if got, _ := oneXML(t, c.typ, c.shape, c.in); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestXMLThatIsNone(t *testing.T) {
	for _, in := range []string{
		`<V>`, `<V>a`, `<V>a</W>`, `<V>a</V`, `<V>&nbsp;</V>`, `<V>&</V>`, `<V>&#;</V>`, `<V a="x>z</V>`, `<V><![CDATA[x</V>`, `<V><!-- x</V>`,
		`<V/ >`, `<V<V>a</V>`, `<1>a</1>`, `<>a</>`, `<New><a></b></New>`, `<New>&x;</New>`, `<!DOCTYPE x><V>a</V>`, `</V>`,
	} {
		if got, _ := oneXML(t, schema.Text, text(), in); !strings.HasPrefix(got, "error: ListThings: the answer is not the output") {
			t.Errorf("%s: got %s", in, got)
		}
	}
}

func TestXMLFlat(t *testing.T) {
	pair := structure("Pair", member("B", integer()), member("A", text()))
	attributes := dict(text())
	attributes.KeyName, attributes.ValueName = "Name", "Value"
	item := structure("Thing", member("Id", text()), flat(member("Names/Name", list(text()))), flat(member("Pairs/Pair", list(pair))),
		flat(member("Attributes/Attribute", attributes)), member("Inner", structure("Inner", flat(set(member("Names/Name", list(text())))),
			member("Z", text()), flat(member("Attributes/Attribute", attributes)), flat(member("Pairs/Pair", list(pair))))))
	src := xmlThings(item)
	src.Shape.Members[0].Flat = true
	s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"names", schema.TextList, at("Names"), 0, false},
		fieldOf{"pairs", schema.JSON, at("Pairs"), 0, false}, fieldOf{"attributes", schema.TextMap, at("Attributes"), 0, false},
		fieldOf{"delay", schema.Int64, at("Attributes.Delay"), 0, false}, fieldOf{"inner", schema.JSON, at("Inner"), 0, false})
	body := `<ListThingsResponse><ListThingsResult>
	<Things><Id>x</Id><Name>b</Name><Pair><B>1</B></Pair><Name>a</Name><Attribute><Name>Delay</Name><Value>5</Value></Attribute>
	<Pair><A>y</A></Pair><Attribute><Name>Arn</Name><Value>arn:</Value></Attribute>
	<Inner><Name>b</Name><Pair/><Attribute><Name>k</Name><Value>2</Value></Attribute><Z>z</Z><Name>a</Name><Attribute><Name>j</Name><Value/></Attribute></Inner></Things>
	<Things><Id>y</Id></Things><NextToken>t</NextToken></ListThingsResult></ListThingsResponse>`
	out := page(t, s, body)
	for _, c := range [][2]string{
		{"names", `["b", "a"]`},
		{"pairs", quote(`[{"B":1},{"A":"y"}]`)},
		{"attributes", `{"Arn": "arn:", "Delay": "5"}`},
		{"delay", "5"},
		{"inner", quote(`{"Attributes":{"j":"","k":"2"},"Names":["a","b"],"Pairs":[{}],"Z":"z"}`)},
	} {
		if got := valueOf(out, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	if strings.Count(out, "row ") != 2 {
		t.Errorf("rows: %s", out)
	}
}

// Of two members with one wire name the flat list takes all.
func TestXMLMembersOfOneName(t *testing.T) {
	for _, members := range [][]Member{
		{member("Event", text()), flat(member("Events/Event", list(text())))},
		{flat(member("Events/Event", list(text()))), member("Event", text())},
	} {
		for range 3 {
			got, _ := oneXML(t, schema.JSON, structure("V", members...), `<V><Event>a</Event><Event>b</Event><Event>c</Event></V>`)
			if want := quote(`{"Events":["a","b","c"]}`); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	}
}

// The standard library reads the same texts out of whatever it can read.
func TestXMLTextsOfTheStandardLibrary(t *testing.T) {
	parts := []string{"a", " ", "\n", "é", "&amp;", "&#10;", "&#x20AC;", "<![CDATA[x&y<z]]>", "<!-- c -->", "<?p i?>", "\r\n", "]", "12345678", "abcdefghijk"}
	rapid.Check(t, func(t *rapid.T) {
		var in strings.Builder
		in.WriteString(`<?xml version="1.0"?><R><Things>`)
		n := rapid.IntRange(0, 4).Draw(t, "n")
		for range n {
			in.WriteString("<T x='1'>" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 6).Draw(t, "text"), "") + "</T>")
		}
		in.WriteString("</Things></R>")
		var want struct {
			Things []string `xml:"Things>T"`
		}
		if err := xml.Unmarshal([]byte(in.String()), &want); err != nil {
			t.Skip(err)
		}
		src := xmlThings(structure("Thing", member("Id", text())))
		src.Wrap = nil
		src.Shape = structure("R", member("Things", list(text())))
		src.Wrap = []string{"R"}
		src.Tokens, src.Items = nil, nil
		s := spec(src, fieldOf{"all", schema.TextList, at("Things"), 0, false})
		s.ID = []Expr{at("Things[]")}
		p, err := Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		w := newWalker(p)
		w.cols = p.newColumns()
		w.row = &Builder{manual: true}
		if err := w.read(0, []byte(in.String()), &p.sources[0].full); err != nil {
			t.Fatalf("%s: %v", in.String(), err)
		}
		c := &w.cols[schema.NumBatchUnified]
		if len(c.ends)-1 != n {
			t.Fatalf("%s: %d texts", in.String(), len(c.ends)-1)
		}
		for i, text := range want.Things {
			if string(c.key(i)) != text {
				t.Fatalf("%s: got %q, want %q", in.String(), c.key(i), text)
			}
		}
	})
}
