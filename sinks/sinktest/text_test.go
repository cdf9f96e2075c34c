package sinktest

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestText(t *testing.T) {
	word := "x"
	for _, c := range []struct {
		v    any
		typ  string
		want string
	}{
		{nil, "", "NULL"},
		{(*string)(nil), "", "NULL"},
		{&word, "", "x"},
		{true, "", "true"},
		{int32(-7), "", "-7"},
		{big.NewInt(9), "HUGEINT", "9"},
		{0.1, "", "0.1"},
		{1e21, "", "1e+21"},
		{math.Copysign(0, -1), "", "0"},
		{`{"b": 1.50, "a": [1E2, null]}`, "jsonb", `{"a":[100,null],"b":1.5}`},
		{`{"b": 1}`, "text", `{"b": 1}`},
		{[]byte(`[ 9007199254740993 ]`), "VARIANT", "[9007199254740993]"},
		{time.Date(2026, 1, 2, 3, 4, 5, 6000, time.FixedZone("", 3600)), "", "2026-01-02T02:04:05.000006Z"},
		{[16]byte{15: 1}, "", "00000000-0000-0000-0000-000000000001"},
		{uuid.UUID{15: 1}, "UUID", "00000000-0000-0000-0000-000000000001"},
		{[]string{"a", "<\u2028"}, "", `["a","<\u2028"]`},
		{[]any{int64(1), nil, "a", 0.5}, "", `[1,null,"a",0.5]`},
		{[]time.Time{time.Unix(0, 0)}, "", `["1970-01-01T00:00:00Z"]`},
		{map[string]string{"b": "1", "a": ""}, "", `{"a":"","b":"1"}`},
	} {
		if got := Text(c.v, c.typ); got != c.want {
			t.Errorf("Text(%#v, %q) is %s, want %s", c.v, c.typ, got, c.want)
		}
	}
}

func TestDialect(t *testing.T) {
	const query = `SELECT doc->>'id', "rows" FROM as_of(TIMESTAMPTZ '2026-01-01 00:00:00Z')`
	target := Target{Dialect: Snowflake, Ident: func(name string) string { return name + "_" }}
	const want = `SELECT doc:id::VARCHAR, rows_ FROM TABLE(as_of('2026-01-01 00:00:00Z'::TIMESTAMP_TZ))`
	if got := target.sql(query); got != want {
		t.Errorf("%s is %s in Snowflake, want %s", query, got, want)
	}
	if got := new(Target).sql(query); got != query {
		t.Errorf("%s is %s in DuckDB", query, got)
	}
}
