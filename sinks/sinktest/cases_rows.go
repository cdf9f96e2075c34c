package sinktest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var rowCases = []testCase{
	{"NewChangedUnchangedGone", testNewChangedUnchangedGone},
	{"UnchangedRowsAreNotRewritten", testUnchangedNotRewritten},
	{"EveryTypeAtItsLimits", testTypes},
	{"NullIsNotEmpty", testNullIsNotEmpty},
	{"ManyColumns", testManyColumns},
	{"LongAndReservedNames", testNames},
	{"VolatileColumnsMakeNoHistory", testVolatile},
	{"LastPageOfADuplicateWins", testDuplicates},
	{"FirstPageMayAlreadyBeKnown", testKnownDuplicates},
	{"EmptyKindsHaveTables", testEmptyKinds},
	{"OwnTablesAndViewsStand", testOwnTables},
}

func testNewChangedUnchangedGone(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	sum := h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, New: 3})
	sum = h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, Row{ID: "b"}.With("size", int64(7)), {ID: "d"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, New: 1, Changed: 1, Gone: 1, Unchanged: 1})
	h.want("SELECT id, size, account, region, kind, _scope FROM aws_test_box",
		"a|NULL|111111111111|eu-west-1|aws_test_box|aws/111111111111/eu-west-1",
		"b|7|111111111111|eu-west-1|aws_test_box|aws/111111111111/eu-west-1",
		"d|NULL|111111111111|eu-west-1|aws_test_box|aws/111111111111/eu-west-1")
	h.want("SELECT id, kind, _id FROM resources",
		"a|aws_test_box|"+ID(k, accountA, west, "a").String(),
		"b|aws_test_box|"+ID(k, accountA, west, "b").String(),
		"d|aws_test_box|"+ID(k, accountA, west, "d").String())
	h.want("SELECT count(*) FROM resources r JOIN aws_test_box b ON r._id = b._id AND r._hash = b._hash AND r._sync_id = b._sync_id", "3")
}

func testUnchangedNotRewritten(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	rows := []Row{{ID: "a"}, {ID: "b"}}
	h.reads(kinds(k), read{scope: s, rows: rows})
	h.want("SELECT DISTINCT _sync_id FROM aws_test_box", uuidV7(syncTime(1), 1).String())
	sum := h.reads(kinds(k), read{scope: s, rows: []Row{rows[1], rows[0]}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 2, Unchanged: 2})
	h.want("SELECT count(DISTINCT _sync_id) FROM aws_test_box", "1")
	h.want("SELECT count(DISTINCT _sync_id) FROM resources", "1")
	h.want(count("resource_history"), "0")
	h.want(count("syncs"), "2")
}

func testTypes(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	long := strings.Repeat("x", 1<<20)
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Microsecond)
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	odd := "snow ☃, emoji 🜁, quote ' \" \\ \t\n, U+FFFD \ufffd"
	h.reads(kinds(k), read{scope: s, rows: []Row{
		{ID: "1", Values: map[string]any{
			"a_bool": true, "an_int": int64(math.MaxInt64), "a_float": math.MaxFloat64, "a_text": odd, "a_time": first,
			"a_json": `{"a":[1,2.5,null,{"b":"` + "ü" + `"}],"z":9007199254740993}`, "a_map": map[string]string{"k": "v", "": "empty"},
			"some_bools": []bool{true, false}, "some_ints": []int64{math.MinInt64, 3e9}, "some_floats": []float64{0.1},
			"some_texts": []string{"", odd}, "some_times": []time.Time{first, last},
		}, Tags: map[string]string{"owner": odd, "": ""}, Created: last},
		{ID: "2", Values: map[string]any{"a_bool": false, "an_int": int64(math.MinInt64), "a_float": -0.1, "a_text": long, "a_time": last, "a_json": `"text"`}},
		{ID: "3", Values: map[string]any{"an_int": int64(3e9), "a_float": math.SmallestNonzeroFloat64, "a_time": time.Date(2026, 2, 3, 4, 5, 6, 789012000, time.UTC), "a_json": "[]"}},
	}})
	h.want("SELECT id, an_int, a_bool FROM aws_test_every", "1|9223372036854775807|true", "2|-9223372036854775808|false", "3|3000000000|NULL")
	h.want("SELECT a_text FROM aws_test_every WHERE id = '1'", odd)
	h.want("SELECT length(a_text) FROM aws_test_every WHERE id = '2'", "1048576")
	h.want("SELECT id, a_time FROM aws_test_every", "1|0001-01-01T00:00:00.000001Z", "2|9999-12-31T23:59:59.999999Z", "3|2026-02-03T04:05:06.789012Z")
	h.want("SELECT id, a_float FROM aws_test_every", "1|1.7976931348623157e+308", "2|-0.1", "3|5e-324")
	h.want("SELECT id, a_json FROM aws_test_every", `1|{"a":[1,2.5,null,{"b":"ü"}],"z":9007199254740993}`, `2|"text"`, "3|[]")
	h.want("SELECT some_ints, some_bools, some_floats, some_times FROM aws_test_every WHERE id = '1'",
		`[-9223372036854775808,3000000000]|[true,false]|[0.1]|["0001-01-01T00:00:00.000001Z","9999-12-31T23:59:59.999999Z"]`)
	h.want("SELECT a_map FROM aws_test_every WHERE id = '1'", `{"":"empty","k":"v"}`)
	h.want("SELECT key, value FROM resource_tags", "|", "owner|"+odd)
	h.want("SELECT created_at FROM resources WHERE id = '1'", "9999-12-31T23:59:59.999999Z")
	// The same again is unchanged, value by value.
	h.want("SELECT count(*) FROM aws_test_every WHERE some_texts IS NOT NULL", "1")
}

func testNullIsNotEmpty(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{
		{ID: "empty", Tags: map[string]string{}, Values: map[string]any{"a_text": "", "some_texts": []string{}, "a_map": map[string]string{}, "a_json": "{}"}},
		{ID: "null", Values: map[string]any{"a_json": "null"}},
	}})
	h.want("SELECT id, a_text, some_texts, a_map, tags, a_json FROM aws_test_every", "empty||[]|{}|{}|{}", "null|NULL|NULL|NULL|NULL|null")
	h.want("SELECT id, tags FROM resources", "empty|{}", "null|NULL")
}

func testManyColumns(h *harness) {
	k := newKind("aws_test_wide")
	values := map[string]any{}
	for i := range 300 {
		k.Columns = append(k.Columns, column(fmt.Sprintf("c%03d", i), schema.Int64))
		values[fmt.Sprintf("c%03d", i)] = int64(i)
	}
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a", Values: values}}})
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a", Values: values}.With("c299", int64(-1))}})
	h.want("SELECT c000, c150, c299 FROM aws_test_wide", "0|150|-1")
	h.want("SELECT changed_columns FROM resource_history", `["c299"]`)
}

func testNames(h *harness) {
	long := strings.Repeat("very_long_", 9)[:90]
	k := newKind("aws_test_"+strings.Repeat("n", 81), column("select", schema.Text), column("group", schema.Text), column("order", schema.Int64),
		column("table", schema.Bool), column("user", schema.Text), column("Mixed_Case", schema.Text), column("rows", schema.Int64), column("values", schema.TextList),
		column(long[:89]+"1", schema.Text), column(long[:89]+"2", schema.Text), column(long[:63], schema.Text), column(long[:64], schema.Text))
	other := newKind(k.Name[:89]+"m", column("select", schema.Text))
	row := Row{ID: "a", Values: map[string]any{
		"select": "x", "group": "y", "order": int64(1), "table": true, "user": "me", "Mixed_Case": "mixed", "rows": int64(2), "values": []string{"v"},
		long[:89] + "1": "90-1", long[:89] + "2": "90-2", long[:63]: "63", long[:64]: "64",
	}}
	query := fmt.Sprintf(`SELECT "select", "group", "order", "table", "user", "Mixed_Case", "rows", "values", "%s1", "%[1]s2", "%s", "%s" FROM "%s"`, long[:89], long[:63], long[:64], k.Name)
	reads := []read{{scope: scopeOf(k, accountA, west), rows: []Row{row}}, {scope: scopeOf(other, accountA, west), rows: []Row{Row{ID: "b"}.With("select", "o")}}}
	h.reads(kinds(k, other), reads...)
	h.want(query, `x|y|1|true|me|mixed|2|["v"]|90-1|90-2|63|64`)
	h.want(fmt.Sprintf(`SELECT "select", kind FROM "%s"`, other.Name), "o|"+other.Name)
	// The names are found again.
	sum := h.reads(kinds(k, other), reads...)
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
	reads[0].rows = []Row{row.With("user", "you").With(long[:89]+"2", "new")}
	sum = h.reads(kinds(k, other), reads...)
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Changed: 1})
	h.want("SELECT kind, changed_columns FROM resource_history", fmt.Sprintf(`%s|["user","%s2"]`, k.Name, long[:89]))
	h.want(query, `x|y|1|true|you|mixed|2|["v"]|90-1|new|63|64`)
}

func testVolatile(h *harness) {
	k := counter()
	s := scopeOf(k, accountA, west)
	for i := range 6 {
		sum := h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("hits", int64(i)), {ID: "b"}}})
		if i > 0 {
			h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 2, Unchanged: 2})
		}
		h.want("SELECT id, hits FROM aws_test_counter", fmt.Sprintf("a|%d", i), "b|NULL")
	}
	h.want(count("resource_history"), "0")
	h.want("SELECT count(DISTINCT _sync_id) FROM aws_test_counter", "1")
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("hits", int64(99)).With("size", int64(1)), {ID: "b"}}})
	h.want("SELECT changed_columns FROM resource_history", `["size"]`)
	h.want("SELECT hits, size FROM aws_test_counter WHERE id = 'a'", "99|1")
}

func testDuplicates(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	sum := h.reads(kinds(k), read{
		scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1)), {ID: "b"}},
		pages: [][]Row{{Row{ID: "a"}.With("size", int64(2)), {ID: "b"}}},
	})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 2, New: 2})
	h.want("SELECT id, size FROM aws_test_box", "a|2", "b|NULL")
	h.want("SELECT kind, code, count FROM problems", "aws_test_box|duplicate|1")
	h.want(count("resources"), "2")
	// The same duplicates again change nothing.
	sum = h.reads(kinds(k), read{
		scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1)), {ID: "b"}},
		pages: [][]Row{{Row{ID: "a"}.With("size", int64(2)), {ID: "b"}}},
	})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 2, Unchanged: 2})
	h.want(count("resource_history"), "0")
}

func testKnownDuplicates(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1))}})
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1))}, pages: [][]Row{{Row{ID: "a"}.With("size", int64(2))}}})
	h.want("SELECT id, size FROM aws_test_box", "a|2")
	h.want("SELECT kind, code FROM problems", "aws_test_box|duplicate")
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1))}, pages: [][]Row{{Row{ID: "a"}.With("size", int64(2))}}})
	h.want("SELECT id, size FROM aws_test_box", "a|2")
	h.want(count("resource_history"), "1")
}

func testEmptyKinds(h *harness) {
	k, c := box(), every()
	h.reads(kinds(k, c))
	h.want(count("aws_test_box"), "0")
	h.want("SELECT a_json, some_times FROM aws_test_every")
}

func testOwnTables(h *harness) {
	h.reads(kinds(box()))
	for _, table := range []string{
		"resources", "edges", "resource_history", "syncs", "scopes", "problems", "metrics", "sightings", "resource_tags", "scope_freshness",
	} {
		want := "0"
		if table == "syncs" {
			want = "1"
		}
		h.want(count(table), want)
	}
	for _, v := range schema.BaseViews {
		h.want(fmt.Sprintf("SELECT _id, name, account FROM %s", v.View))
	}
}
