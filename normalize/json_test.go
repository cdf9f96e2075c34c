package normalize

import (
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

// one builds a page of one JSON item with an id and the column v, and returns
// the column's text and the problems.
func one(t *testing.T, typ schema.Type, s *Shape, body string) (string, string) {
	t.Helper()
	src := things(structure("Thing", member("Id", text()), member("V", s)))
	out := page(t, spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"v", typ, at("V"), 0, false}),
		`{"Things":[{"Id":"x","V":`+body+`}]}`)
	return valueOf(out, "v"), problemsOf(out)
}

// oneXML is one for XML.
func oneXML(t *testing.T, typ schema.Type, s *Shape, body string) (string, string) {
	t.Helper()
	src := xmlThings(structure("Thing", member("Id", text()), member("V", s)))
	out := page(t, spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"v", typ, at("V"), 0, false}),
		"<ListThingsResponse><ListThingsResult><Things><member><Id>x</Id>"+body+"</member></Things></ListThingsResult></ListThingsResponse>")
	if strings.HasPrefix(out, "error") {
		return out, ""
	}
	return valueOf(out, "v"), problemsOf(out)
}

func problemsOf(out string) string {
	var s []string
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "problem ListThings "); ok {
			s = append(s, strings.TrimSuffix(rest, "\n"))
		}
	}
	return strings.Join(s, "; ")
}

func TestJSONValues(t *testing.T) {
	for _, c := range []struct {
		typ     schema.Type
		shape   *Shape
		in      string
		want    string
		problem string
	}{
		{schema.Int64, integer(), `9223372036854775807`, "9223372036854775807", ""},
		{schema.Int64, integer(), `-9223372036854775808`, "-9223372036854775808", ""},
		{schema.Int64, integer(), `9223372036854775808`, "", "v number x1: 9223372036854775808"},
		{schema.Int64, integer(), `18446744073709551615`, "", "v number x1: 18446744073709551615"},
		{schema.Int64, integer(), `-9223372036854775809`, "", "v number x1: -9223372036854775809"},
		{schema.Int64, integer(), `"42"`, "42", ""},
		{schema.Int64, integer(), `" 42 "`, "42", ""},
		{schema.Int64, text(), `"42"`, "42", ""},
		{schema.Int64, integer(), `1e3`, "1000", ""},
		{schema.Int64, integer(), `7.0`, "7", ""},
		{schema.Int64, integer(), `7.5`, "", "v number x1: 7.5"},
		{schema.Int64, integer(), `"many"`, "", "v number x1: many"},
		{schema.Int64, integer(), `true`, "", "v number x1: true"},
		{schema.Int64, integer(), `""`, "", ""},
		{schema.Int64, integer(), `null`, "", ""},
		{schema.Int64, integer(), `{"a":1}`, "", `v type x1: {"a":1}`},
		{schema.Float64, float(), `1.5`, "1.5", ""},
		{schema.Float64, float(), `-2.5E-3`, "-0.0025", ""},
		{schema.Float64, float(), `12345678901234567890`, "1.2345678901234567e+19", ""},
		{schema.Float64, float(), `"1.5"`, "1.5", ""},
		{schema.Float64, float(), `"NaN"`, "", "v number x1: NaN"},
		{schema.Float64, float(), `"-Infinity"`, "", "v number x1: -Infinity"},
		{schema.Float64, float(), `"0x10"`, "", "v number x1: 0x10"},
		{schema.Float64, float(), `1e400`, "", "v number x1: 1e400"},
		{schema.Bool, boolean(), `true`, "true", ""},
		{schema.Bool, boolean(), `"False"`, "false", ""},
		{schema.Bool, boolean(), `"perhaps"`, "", "v type x1: perhaps"},
		{schema.Text, text(), `"a\u00e9\ud83d\ude00\n\"\\\/"`, `"aé😀\n\"\\/"`, ""},
		{schema.Text, text(), `""`, `""`, ""},
		{schema.Text, text(), `"a\u0000b"`, `"a` + replacement + `b"`, "v text x1: a" + replacement + "b"},
		{schema.Text, text(), `"\ud800"`, `"` + replacement + `"`, "v text x1: " + replacement},
		{schema.Text, text(), `"\ude00\ud83d\ud83d\ude00"`, `"` + replacement + replacement + `😀"`, "v text x1: " + replacement + replacement + "😀"},
		{schema.Text, text(), "\"\xff\xfe\"", `"` + replacement + replacement + `"`, "v text x1: " + replacement + replacement},
		{schema.Text, text(), "\"\xe2\x82\"", `"` + replacement + replacement + `"`, "v text x1: " + replacement + replacement},
		{schema.Text, text(), `12345678901234567890.50`, `"12345678901234567890.50"`, ""},
		{schema.Text, text(), `true`, `"true"`, ""},
		{schema.Text, text(), `["a"]`, "", `v type x1: ["a"]`},
		{schema.Text, &Shape{Type: Blob}, `"QUJD"`, `"QUJD"`, ""},
		{schema.Timestamp, when(EpochSeconds), `1.710235815123E9`, "2024-03-12T09:30:15.123Z", ""},
		{schema.Timestamp, when(EpochSeconds), `"2024-03-12T09:30:15Z"`, "2024-03-12T09:30:15Z", ""},
		{schema.Timestamp, when(TimeISO), `1710235815`, "2024-03-12T09:30:15Z", ""},
		{schema.Timestamp, when(EpochMillis), `1710235815123`, "2024-03-12T09:30:15.123Z", ""},
		{schema.Timestamp, when(EpochMillis), `"1710235815123"`, "2024-03-12T09:30:15.123Z", ""},
		{schema.Timestamp, when(TimeISO), `"N/A"`, "", ""},
		{schema.Timestamp, when(TimeISO), `null`, "", ""},
		{schema.Timestamp, when(TimeISO), `"soon"`, "", "v time x1: soon"},
		{schema.Timestamp, when(TimeISO), `true`, "", "v time x1: true"},
		{schema.TextList, list(text()), `["b","a",null,"c"]`, `["b", "a", "c"]`, ""},
		{schema.TextList, list(text()), `[]`, `[]`, ""},
		{schema.TextList, list(text()), `null`, ``, ""},
		{schema.TextList, list(text()), `"a"`, ``, `v type x1: "a"`},
		{schema.Int64List, list(integer()), `[3,1,"2",1.5]`, `[3, 1, 2]`, "v number x1: 1.5"},
		{schema.Float64List, list(float()), `[1.5,2]`, `[1.5, 2]`, ""},
		{schema.BoolList, list(boolean()), `[true,false,true,true,false,false,true,true,true]`, `[true, false, true, true, false, false, true, true, true]`, ""},
		{schema.TimestampList, list(when(TimeISO)), `["2024-03-12",null,""]`, `[2024-03-12T00:00:00Z]`, ""},
		{schema.TextMap, dict(text()), `{"b":"2","a":"1"}`, `{"a": "1", "b": "2"}`, ""},
		{schema.TextMap, dict(text()), `{"b":"2","a":"1","b":"3"}`, `{"a": "1", "b": "2"}`, "v tag x1: b"},
		{schema.TextMap, dict(text()), `{}`, `{}`, ""},
		{schema.TextMap, dict(integer()), `{"a":1}`, `{"a": "1"}`, ""},
	} {
		got, problem := one(t, c.typ, c.shape, c.in)
		if c.want == replacement {
			c.want = `""`
		}
		if got != c.want || problem != c.problem {
			t.Errorf("%s from %s: got %s (%s), want %s (%s)", c.typ, c.in, got, problem, c.want, c.problem)
		}
	}
}

func TestCanonicalJSON(t *testing.T) {
	rule := structure("Rule", member("Port", integer()), member("Cidrs", list(text())), set(member("Names", list(text()))),
		member("At", when(EpochSeconds)), drop(member("Secret", text())), member("Ratio", float()), member("Any", &Shape{Type: Document}),
		member("Labels", dict(text())), member("On", boolean()), member("Camel/wireName", text()))
	rule.Members = append(rule.Members, member("Nested", rule))
	for _, c := range []struct {
		name  string
		shape *Shape
		in    string
		want  string
	}{
		{"keys are sorted, spaces go", rule, `{ "Port" : 1 , "Cidrs" : [ "b" , "a" ] }`, `{"Cidrs":["b","a"],"Port":1}`},
		{"in order already", rule, `{"Cidrs":[],"Port":1}`, `{"Cidrs":[],"Port":1}`},
		{"sets are sorted", rule, `{"Names":["b","c","a"]}`, `{"Names":["a","b","c"]}`},
		{"times are RFC 3339", rule, `{"At":1710235815.5}`, `{"At":"2024-03-12T09:30:15.5Z"}`},
		{"times that are none are left out", rule, `{"At":"N/A","Port":2}`, `{"Port":2}`},
		{"dropped and unknown members are left out", rule, `{"Secret":"x","New":{"a":[1]},"Port":2}`, `{"Port":2}`},
		{"null is absent", rule, `{"Port":null,"Cidrs":null}`, `{}`},
		{"description's names", rule, `{"wireName":"x"}`, `{"Camel":"x"}`},
		{"numbers", rule, `{"Ratio":1.50,"Port":"80","Any":[1.0,1e3,-0,12345678901234567890]}`, `{"Any":[1.0,1e3,-0,12345678901234567890],"Port":80,"Ratio":1.5}`},
		{"wide integers stay", rule, `{"Port":18446744073709551615}`, `{"Port":18446744073709551615}`},
		{"strings have the escapes they need", rule, `{"Camel":1,"wireName":"\u00e9\/\u003c\"\\\n\u0001\u007f"}`, `{"Camel":"é/<\"\\\n\u0001` + "\x7f" + `"}`},
		{"documents", rule, `{"Any":{"b":{"d":null,"c":"\u0041"},"a":[ ]}}`, `{"Any":{"a":[],"b":{"c":"A","d":null}}}`},
		{"maps are sorted", rule, `{"Labels":{"b":"1","a":"2","\u0061":"3"}}`, `{"Labels":{"a":"3","b":"1"}}`},
		{"recursion", rule, `{"Nested":{"Nested":{"Port":1}}}`, `{"Nested":{"Nested":{"Port":1}}}`},
		{"members twice: the last", rule, `{"Port":1,"On":true,"Port":2}`, `{"On":true,"Port":2}`},
		{"another type is kept", rule, `{"Port":{"b":1,"a":2},"Cidrs":"x"}`, `{"Cidrs":"x","Port":{"a":2,"b":1}}`},
		{"lists", list(rule), `[{"Port":2},{},{"Port":1}]`, `[{"Port":2},{},{"Port":1}]`},
		{"an empty list", list(rule), `[]`, `[]`},
		{"an empty structure", rule, `{}`, `{}`},
		{"a scalar", text(), `"a\tb"`, `"a\tb"`},
		{"a document", &Shape{Type: Document}, ` [ {"b":1,"a":2} ] `, `[{"a":2,"b":1}]`},
	} {
		got, _ := one(t, schema.JSON, c.shape, c.in)
		if want := quote(c.want); got != want {
			t.Errorf("%s: got %s, want %s", c.name, got, want)
		}
	}
	if got, _ := one(t, schema.JSON, rule, `null`); got != "" {
		t.Errorf("null: got %s", got)
	}
}

func TestJSONColumnOfManyValues(t *testing.T) {
	inner := structure("Inner", member("A", integer()), set(member("Names", list(text()))))
	item := structure("Thing", member("Id", text()), set(member("Sets", list(inner))), member("Lists", list(inner)), member("Map", dict(inner)))
	s := spec(things(item), fieldOf{"thing_id", schema.Text, at("Id"), 0, false},
		fieldOf{"sets", schema.JSON, at("Sets"), 0, false}, fieldOf{"numbers", schema.JSON, at("Lists[].A"), 0, true},
		fieldOf{"ints", schema.Int64List, at("Lists[].A"), 0, false}, fieldOf{"names", schema.TextList, at("Lists[].Names"), 0, true},
		fieldOf{"first", schema.Int64, at("Lists[].A"), 0, false}, fieldOf{"keys", schema.TextList, at("Map{key}"), 0, false},
		fieldOf{"values", schema.Int64List, at("Map{}.A"), 0, false}, fieldOf{"x", schema.Int64, at("Map.x.A"), 0, false},
		fieldOf{"map", schema.JSON, at("Map"), 0, false})
	out := page(t, s, `{"Things":[{"Id":"i","Sets":[{"A":2},{"A":1}],"Lists":[{"A":3,"Names":["b"]},{"A":1,"Names":["a","c"]}],"Map":{"y":{"A":7},"x":{"A":8}}}]}`)
	for _, c := range [][2]string{
		{"sets", quote(`[{"A":1},{"A":2}]`)},
		{"numbers", quote(`[1,3]`)},
		{"ints", "[3, 1]"},
		{"names", `["a", "b", "c"]`},
		{"first", "3"},
		{"keys", `["y", "x"]`},
		{"values", "[7, 8]"},
		{"x", "8"},
		{"map", quote(`{"x":{"A":8},"y":{"A":7}}`)},
	} {
		if got := valueOf(out, c[0]); got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
	out = page(t, s, `{"Things":[{"Id":"i","Sets":[],"Lists":[],"Map":{}}]}`)
	for _, c := range [][2]string{{"sets", `"[]"`}, {"numbers", `"[]"`}, {"ints", "[]"}, {"names", "[]"}, {"first", ""}, {"keys", "[]"}, {"values", "[]"}, {"map", `"{}"`}} {
		if got := valueOf(out, c[0]); got != c[1] {
			t.Errorf("empty %s: got %s, want %s", c[0], got, c[1])
		}
	}
}

// TestTextOfTwoUses says that a text with escapes is the same in JSON whoever
// else reads it.
func TestTextOfTwoUses(t *testing.T) {
	for _, in := range []string{`"a\"b\\c\n\ud83e\uddab\/"`, `"plain é"`} {
		src := things(structure("Thing", member("Id", text()), member("V", list(text())), member("W", structure("W", member("Name", text())))))
		s := spec(src, fieldOf{"thing_id", schema.Text, at("Id"), 0, false}, fieldOf{"v", schema.JSON, at("V"), 0, false},
			fieldOf{"texts", schema.TextList, at("V"), 0, false}, fieldOf{"w", schema.JSON, at("W"), 0, false})
		s.Name = Template{{Expr: &Expr{Path: path("W.Name")}}}
		s.edge("aws_thing", at("V"))
		out := page(t, s, `{"Things":[{"Id":"x","V":[`+in+`],"W":{"Name":`+in+`}}]}`)
		want, _ := one(t, schema.JSON, structure("W", member("Name", text())), `{"Name":`+in+`}`)
		if got := valueOf(out, "w"); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		want, _ = one(t, schema.JSON, list(text()), `[`+in+`]`)
		if got := valueOf(out, "v"); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
