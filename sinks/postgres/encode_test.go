package postgres

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// TestEncoder sends a batch, whole and in slices, to a table of all types and
// compares what Postgres makes of it.
func TestEncoder(t *testing.T) {
	types := []schema.Type{
		schema.Bool, schema.Int64, schema.Float64, schema.Text, schema.Timestamp, schema.JSON, schema.TextMap, schema.UUID,
		schema.BoolList, schema.Int64List, schema.Float64List, schema.TextList, schema.TimestampList,
	}
	var fields []arrow.Field
	var columns, defs []string
	for i, typ := range types {
		name := fmt.Sprintf("c%d", i)
		fields = append(fields, arrow.Field{Name: name, Type: typ.Arrow(), Nullable: true})
		columns = append(columns, name)
		defs = append(defs, name+" "+columnType(typ))
	}
	sc := arrow.NewSchema(fields, nil)
	rec, _, err := array.RecordFromJSON(memory.DefaultAllocator, sc, strings.NewReader(`[
		{"c0": true, "c1": -9223372036854775808, "c2": 0.1, "c3": "plain", "c4": "0001-01-01T00:00:00.000001Z", "c5": "{\"a\":[1,{\"b\":null}]}",
			"c6": [{"key": "a\"\\\n\u0001", "value": "ü"}, {"key": "b", "value": null}], "c7": "AAECAwQFBgcICQoLDA0ODw==",
			"c8": [true, null, false], "c9": [1, -1], "c10": [1.5, null], "c11": ["", null, "x,\"y"], "c12": ["9999-12-31T23:59:59.999999Z"]},
		{"c0": null, "c1": null, "c2": null, "c3": null, "c4": null, "c5": null, "c6": null, "c7": null, "c8": null, "c9": null, "c10": null, "c11": null, "c12": null},
		{"c0": false, "c1": 7, "c2": -0.0, "c3": "", "c4": "1970-01-01T00:00:00Z", "c5": "[]", "c6": [], "c7": "/////////////////////w==",
			"c8": [], "c9": [], "c10": [], "c11": [], "c12": []}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`true|-9223372036854775808|0.1|plain|0001-01-01T00:00:00.000001Z|{"a":[1,{"b":null}]}|{"a\"\\\n\u0001":"ü","b":null}|00010203-0405-0607-0809-0a0b0c0d0e0f|` +
			`[true,null,false]|[1,-1]|[1.5,null]|["",null,"x,\"y"]|["9999-12-31T23:59:59.999999Z"]`,
		strings.TrimSuffix(strings.Repeat("NULL|", len(types)), "|"),
		`false|7|0||1970-01-01T00:00:00Z|[]|{}|ffffffff-ffff-ffff-ffff-ffffffffffff|[]|[]|[]|[]|[]`,
	}
	url := shared.url(t)
	s := newSink(t, url)
	c, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.exec(t.Context(), "CREATE SCHEMA "+ident(s.cfg.schema), "CREATE SCHEMA "+ident(s.cfg.staging)); err != nil {
		t.Fatal(err)
	}
	for _, cut := range [][2]int64{{0, 3}, {0, 1}, {1, 3}, {2, 3}, {1, 1}} {
		if err := c.exec(t.Context(), fmt.Sprintf("DROP TABLE IF EXISTS %[1]s.t; CREATE TABLE %[1]s.t (%s)", ident(s.cfg.staging), strings.Join(defs, ", "))); err != nil {
			t.Fatal(err)
		}
		to := s.newTarget("t", columns, sc)
		to.jsonb = func(i int) bool { return types[i] == schema.JSON }
		if err := c.load(t.Context(), to, rec.NewSlice(cut[0], cut[1])); err != nil {
			t.Fatal(err)
		}
		got, err := query(url, "SELECT * FROM "+ident(s.cfg.staging)+".t")
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != int(cut[1]-cut[0]) {
			t.Fatalf("%v: %d rows", cut, len(got))
		}
		for i, r := range got {
			if row := strings.Join(r, "|"); row != want[cut[0]+int64(i)] {
				t.Errorf("%v row %d:\n got %s\nwant %s", cut, i, row, want[cut[0]+int64(i)])
			}
		}
	}
}

// TestCleanedText replaces what Postgres refuses in text and jsonb.
func TestCleanedText(t *testing.T) {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.AppendValues([]string{"plain", "a\x00b", "", "\xff\xfe", "ü"}, []bool{true, true, false, true, true})
	c := openArray(b.NewArray(), formText, 0)
	var got []string
	for i := range 5 {
		got = append(got, string(c.bytes[c.offsets[i]:c.offsets[i+1]]))
	}
	if want := []string{"plain", "a\ufffdb", "", "\ufffd", "ü"}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
	for in, want := range map[string]string{
		`{"a":"x\u0000y"}`:        `{"a":"x\ufffdy"}`,
		`{"a":"\\u0000"}`:         `{"a":"\\u0000"}`,
		`["\ud800"]`:              `["\ufffd"]`,
		`["\udc00x"]`:             `["\ufffdx"]`,
		`["\ud83d\ude00"]`:        `["\ud83d\ude00"]`,
		`["\ud83d\u0041"]`:        `["\ufffd\u0041"]`,
		`["\\\ud800"]`:            `["\\\ufffd"]`,
		"[\"\xff\"]":              "[\"\ufffd\"]",
		`{"\u0000":1,"\u001f":2}`: `{"\ufffd":1,"\u001f":2}`,
	} {
		b.Append(in)
		c := openArray(b.NewArray(), formJSONB, 0)
		if got := string(c.bytes[c.offsets[0]:c.offsets[1]]); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
}

// FuzzString compares the encoding of JSON strings with another's reading.
func FuzzString(f *testing.F) {
	f.Add("a\"b\\c\n\x00\x1f")
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "?")
		var got string
		if err := json.Unmarshal(appendString(nil, []byte(s)), &got); err != nil || got != s {
			t.Errorf("%q becomes %q, %v", s, got, err)
		}
	})
}

// TestRowDecoder takes a stream cut anywhere.
func TestRowDecoder(t *testing.T) {
	stream := append([]byte{}, copyHeader...)
	var want []string
	for i := range 200 {
		long := strings.Repeat("x", i*7%300)
		stream = append(stream, 0, 2, 0, 0, byte(len(long)>>8), byte(len(long)))
		stream = append(stream, long...)
		stream = append(stream, 0xff, 0xff, 0xff, 0xff)
		want = append(want, long)
	}
	stream = append(stream, copyTrailer...)
	for range 50 {
		var got []string
		d := &rowDecoder{fields: make([][]byte, 2), row: func(f [][]byte) error {
			if f[1] != nil {
				t.Fatal("NULL is not nil")
			}
			got = append(got, string(f[0]))
			return nil
		}}
		for in := bytes.NewReader(stream); in.Len() > 0; {
			p := make([]byte, 1+rand.IntN(700))
			n, _ := in.Read(p)
			if _, err := d.Write(p[:n]); err != nil {
				t.Fatal(err)
			}
		}
		if !d.ended || strings.Join(got, ",") != strings.Join(want, ",") {
			t.Fatalf("got %d rows, ended %v", len(got), d.ended)
		}
	}
}
