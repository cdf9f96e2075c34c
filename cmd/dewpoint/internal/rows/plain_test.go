package rows

import "testing"

func TestValuesOfAllDatabasesLookAlike(t *testing.T) {
	for _, c := range []struct {
		v    any
		typ  string
		text string
		json string
	}{
		{[]byte(`{"b": [1, 12345678901234567890], "a": "x"}`), "JSONB", `{"a":"x","b":[1,12345678901234567890]}`, `{"a":"x","b":[1,12345678901234567890]}`},
		{`{"b": 1, "a": null}`, "OBJECT", `{"a":null,"b":1}`, `{"a":null,"b":1}`},
		{"[\n  \"x\"\n]", "ARRAY", `["x"]`, `["x"]`},
		{`"text"`, "VARIANT", `"text"`, `"text"`},
		{[]byte(`null`), "JSONB", `null`, `null`},
		{map[string]any{"a": int64(1)}, "JSON", `{"a":1}`, `{"a":1}`},
		{"scalar", "JSON", `"scalar"`, `"scalar"`},
		{`{a,"b,\"c\\",NULL,"NULL",""}`, "_TEXT", `["a","b,\"c\\",null,"NULL",""]`, `["a","b,\"c\\",null,"NULL",""]`},
		{`{}`, "_TEXT", `[]`, `[]`},
		{`{1,-2,NULL}`, "_INT8", `[1,-2,null]`, `[1,-2,null]`},
		{`{t,f}`, "_BOOL", `[true,false]`, `[true,false]`},
		{`{1.5,NaN}`, "_FLOAT8", `[1.5,null]`, `[1.5,null]`},
		{`{{1,2},{3,4}}`, "_INT8", `{{1,2},{3,4}}`, `"{{1,2},{3,4}}"`},
		{"1.50", "NUMERIC", "1.50", "1.50"},
		{"NaN", "NUMERIC", "NaN", `"NaN"`},
		{"9223372036854775808", "FIXED", "9223372036854775808", "9223372036854775808"},
		{"{a}", "TEXT", "{a}", `"{a}"`},
		{[]byte{0, 255}, "BYTEA", `\x00ff`, `"\\x00ff"`},
	} {
		v, typ := plain(c.v, c.typ)
		if got := text(v, typ); got != c.text {
			t.Errorf("%s %v is the text %s, want %s", c.typ, c.v, got, c.text)
		}
		if got := string(appendJSON(nil, v, typ)); got != c.json {
			t.Errorf("%s %v is the JSON %s, want %s", c.typ, c.v, got, c.json)
		}
	}
}
