package sinktest

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var valueCases = []testCase{
	{"TextIsKeptAsItIs", testText},
	{"TimesOfAllYears", testTimes},
	{"NestedJSON", testJSON},
	{"EveryTypeChanges", testEveryChange},
	{"DuplicatesInOneBatch", testBatchDuplicates},
	{"DuplicatesOverScopes", testScopeDuplicates},
	{"DocsAreAnyText", testDocs},
	{"AccountsAndRegionsAreAnyText", testOddScopes},
	{"ErrorsAreCleaned", testCleanedErrors},
	{"ProblemsOfNoBatch", testLooseProblems},
}

// testText writes what reaches a sink of a vendor's text: anything but NUL and
// halves of surrogates, which are U+FFFD by then.
func testText(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	megabyte := strings.Repeat("0123456789abcde\n", 1<<16)
	var rows []Row
	texts := []string{megabyte}
	for _, v := range pools[schema.Text] {
		if text, ok := v.(string); ok {
			texts = append(texts, text)
		}
	}
	for r := rune(1); r < 0x20; r++ {
		texts = append(texts, string(r))
	}
	for i, text := range texts {
		rows = append(rows, Row{ID: fmt.Sprint(i), Name: text, Tags: map[string]string{text[:min(len(text), 100)]: text}, Values: map[string]any{
			"a_text": text, "some_texts": []string{text, text}, "a_map": map[string]string{"k": text}, "a_json": mustJSON(map[string]string{"k": text}),
		}})
	}
	h.reads(kinds(k), read{scope: s, rows: rows})
	got, err := h.target.Query("SELECT id, a_text, some_texts, a_map, a_json, tags FROM aws_test_every")
	if err != nil {
		h.Fatal(err)
	}
	if len(got) != len(texts) {
		h.Fatalf("%d rows, want %d", len(got), len(texts))
	}
	for _, r := range got {
		var i int
		fmt.Sscan(r[0], &i)
		text := texts[i]
		object := mustJSON(map[string]string{"k": text})
		want := []string{r[0], text, mustJSON([]string{text, text}), object, object, mustJSON(map[string]string{text[:min(len(text), 100)]: text})}
		for j := range want {
			if r[j] != want[j] {
				h.Errorf("column %d of text %d: got %.100q, want %.100q", j, i, r[j], want[j])
			}
		}
	}
	sum := h.reads(kinds(k), read{scope: s, rows: rows})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: int64(len(texts)), Unchanged: int64(len(texts))})
}

func testTimes(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	times := []time.Time{
		time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Unix(0, 0).UTC(), time.Date(1970, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(1582, 10, 4, 0, 0, 0, 0, time.UTC), time.Date(1582, 10, 15, 0, 0, 0, 0, time.UTC), time.Date(1600, 2, 29, 0, 0, 0, 0, time.UTC),
		time.Date(1883, 11, 18, 12, 3, 58, 0, time.UTC), time.Date(1899, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2000, 2, 29, 12, 0, 0, 0, time.UTC),
		time.Date(2016, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC), time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
		time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC), time.Date(2026, 1, 2, 3, 4, 5, 100000000, time.UTC), time.Date(4713, 1, 1, 0, 0, 0, 120000, time.UTC),
	}
	var rows []Row
	var want []string
	for i, at := range times {
		rows = append(rows, Row{ID: fmt.Sprint(i), Values: map[string]any{"a_time": at, "some_times": []time.Time{at}}})
		text := Text(at, "")
		if i > 0 { // the first cannot be a Row's Created
			rows[i].Created = at
		}
		want = append(want, fmt.Sprintf(`%d|%s|["%[2]s"]`, i, text))
	}
	h.reads(kinds(k), read{scope: s, rows: rows})
	h.want("SELECT id, a_time, some_times FROM aws_test_every", want...)
	h.want("SELECT count(*) FROM aws_test_every WHERE created_at = a_time", fmt.Sprint(len(times)-1))
	h.want("SELECT count(*) FROM aws_test_every WHERE a_time < TIMESTAMPTZ '1970-01-01 00:00:00Z'", "8")
	h.reads(kinds(k), read{scope: s})
	h.want("SELECT count(*) FROM resource_history WHERE doc->>'a_time' IS NOT NULL", fmt.Sprint(len(times)))
}

func testJSON(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	deep := strings.Repeat(`{"a":[`, 50) + "1" + strings.Repeat("]}", 50)
	long := mustJSON(map[string]any{"text": strings.Repeat("x", 1<<20)})
	docs := []string{
		"null", "true", "0", "-1", `"text"`, `""`, "[]", "{}", "[null]", `{"a":null}`, deep, long,
		"9007199254740993", "-9223372036854775808", "18446744073709551615", "[3000000000,0.1,-0.5,1e-7,1.5e300]",
		`{"":1," ":2,"\"":3,"A":4,"a":5,"aa":6,"b":7,"\u0001":8,"é":9,"` + "\ufffd" + `":10}`, `["\\u0000","` + "\u2028" + `","<&>"]`,
	}
	var rows []Row
	var want []string
	for i, d := range docs {
		rows = append(rows, Row{ID: fmt.Sprint(i)}.With("a_json", d))
		want = append(want, fmt.Sprint(i)+"|"+CanonicalJSON(d))
	}
	h.reads(kinds(k), read{scope: s, rows: rows})
	h.want("SELECT id, a_json FROM aws_test_every", want...)
	sum := h.reads(kinds(k), read{scope: s, rows: rows})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: int64(len(docs)), Unchanged: int64(len(docs))})
	h.want(`SELECT a_json->>'a' FROM aws_test_every WHERE id = '16'`, "5")
}

// testEveryChange changes a value of each type, and takes it away.
func testEveryChange(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	names := make([]string, len(k.Columns))
	first, second := Row{ID: "a"}, Row{ID: "a"}
	for i, c := range k.Columns {
		names[i] = c.Name
		first, second = first.With(c.Name, pools[c.Type][0]), second.With(c.Name, pools[c.Type][len(pools[c.Type])-1])
	}
	second = second.With("a_bool", false).With("an_int", int64(math.MinInt64)).With("a_float", -0.5)
	for _, r := range []Row{first, second, {ID: "a"}, first} {
		h.reads(kinds(k), read{scope: s, rows: []Row{r}})
	}
	all := mustJSON(names)
	h.want("SELECT change, changed_columns, valid_from FROM resource_history",
		"changed|"+all+"|2026-01-01T00:00:00Z", "changed|"+all+"|2026-01-01T01:00:00Z", "changed|"+all+"|2026-01-01T02:00:00Z")
	h.want(`SELECT doc->>'an_int', doc->>'a_bool', doc->>'a_text' FROM resource_history`, "0|true|plain", "-9223372036854775808|false|-", "NULL|NULL|NULL")
	h.want("SELECT an_int, a_bool, a_text, a_map, some_ints FROM aws_test_every", fmt.Sprintf(`0|true|plain|%s|[-9223372036854775808,0,9223372036854775807]`, mustJSON(pools[schema.TextMap][0])))
}

func testBatchDuplicates(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	rows := []Row{
		Row{ID: "a"}.With("size", int64(1)), Row{ID: "b"}.With("size", int64(1)), Row{ID: "a"}.With("size", int64(2)),
		{ID: "c"},
		{ID: "c"},
		Row{ID: "a"}.With("size", int64(3)), Row{ID: "b"}.With("size", int64(1)),
	}
	sum := h.reads(kinds(k), read{scope: s, rows: rows})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, New: 3})
	h.want("SELECT id, size FROM aws_test_box", "a|3", "b|1", "c|NULL")
	h.want(`SELECT kind, code, "count" FROM problems`, "aws_test_box|duplicate|1")
	for range 2 {
		sum = h.reads(kinds(k), read{scope: s, rows: rows})
		h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, Unchanged: 3})
	}
	// The table's row comes first, then others: the last one counts, once.
	sum = h.reads(kinds(k), read{scope: s, rows: append(rows, Row{ID: "b"}.With("size", int64(2)), Row{ID: "b"}.With("size", int64(3)), Row{ID: "b"}.With("size", int64(4)))})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, Changed: 1, Unchanged: 2})
	h.want("SELECT id, size FROM aws_test_box", "a|3", "b|4", "c|NULL")
	h.want(`SELECT kind, code, "count" FROM problems`, "aws_test_box|duplicate|2")
	// The table's row comes last.
	sum = h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(7)), Row{ID: "a"}.With("size", int64(3)), Row{ID: "b"}.With("size", int64(4)), {ID: "c"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, Unchanged: 3})
	h.want(count("resource_history"), "1")
}

// testScopeDuplicates reads a row from two scopes of its owner: the first by
// name has it, and it does not move from sync to sync.
func testScopeDuplicates(h *harness) {
	k := box()
	k.KeyScope = schema.KeyAccount
	row := Row{ID: "a", Region: west}
	reads := []read{
		{scope: scopeOf(k, accountA, east), rows: []Row{row.With("size", int64(2))}},
		{scope: scopeOf(k, accountA, west), rows: []Row{row.With("size", int64(1))}},
	}
	for i := range 3 {
		sum := h.reads(kinds(k), reads[i%2], reads[1-i%2])
		if i == 0 {
			h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, New: 1})
		} else {
			h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
		}
		h.want("SELECT size, _scope FROM aws_test_box", "1|aws/111111111111/eu-west-1")
		h.want("SELECT _scope FROM sightings", "aws/111111111111/us-east-1")
		h.want(count("resources"), "1")
		h.want(count("problems"), "0")
	}
	h.want(count("resource_history"), "0")
}

func testDocs(h *harness) {
	doc := `It's "100%" $1 $$ ? :name @x {a} -- \ ; /* ` + "\n\ttwo lines; ünïcödé 🜁 " + strings.Repeat("long ", 300)
	k := newKind("aws_test_documented", schema.Column{Name: "size", Type: schema.Int64, Doc: doc}, schema.Column{Name: "bare", Type: schema.Text})
	k.Doc = doc
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "a"}.With("size", int64(1))}})
	k = redefine(k, "2", column("more", schema.Text))
	k.Doc += "'"
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "a"}.With("size", int64(2))}})
	h.want("SELECT size, more FROM aws_test_documented", "2|NULL")
}

func testOddScopes(h *harness) {
	k := box()
	var reads []read
	var want []string
	for i, name := range []string{"it's", `a"b`, `back\slash`, "per%cent_", "white space", "ü🜁", "semi;colon", "{brace}", "$1", "-", "domain.example:project", strings.Repeat("long-", 40)} {
		reads = append(reads, read{scope: scopeOf(k, name, west), rows: []Row{{ID: name}}}, read{scope: scopeOf(k, accountA, name), rows: []Row{{ID: name}}})
		want = append(want, name+"|eu-west-1|"+name, accountA+"|"+name+"|"+name)
		if i%2 == 0 {
			reads[len(reads)-1].state, reads[len(reads)-1].code = schema.Failed, name
		}
	}
	h.reads(kinds(k), reads...)
	sum := h.reads(kinds(k), reads...)
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: int64(len(want)), Unchanged: int64(len(want))})
	h.want("SELECT account, region, id FROM aws_test_box", want...)
	h.want("SELECT count(*) FROM scope_freshness WHERE state = 'complete'", "18")
	for i := range reads {
		reads[i].rows = nil
	}
	sum = h.reads(kinds(k), reads...)
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 6, Gone: int64(len(want)) - 6})
}

func testCleanedErrors(h *harness) {
	k := box()
	tx, at := h.begin(run{kinds: kinds(k)})
	err := tx.Scope(h.Context(), schema.ScopeResult{
		Scope: scopeOf(k, accountA, west), State: schema.Failed, Error: "a\x00b \xff\xfe 'quoted' " + strings.Repeat("x", 5000), Code: "C\x00", RequestID: "\xc3",
	})
	if err != nil {
		h.Fatal(err)
	}
	if _, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at}); err != nil {
		h.Fatal(err)
	}
	h.want("SELECT code, request_id, state FROM scopes", "C\ufffd|\ufffd|failed")
	h.want("SELECT count(*) FROM scopes WHERE error LIKE 'a\ufffdb \ufffd ''quoted'' xxx%'", "1")
}

func testLooseProblems(h *harness) {
	k := box()
	tx, at := h.begin(run{kinds: kinds(k)})
	err := tx.Problem(h.Context(), schema.Problem{Code: "drift", Sample: "one"}, schema.Problem{Code: "drift", Sample: "two"},
		schema.Problem{Kind: k.Name, Account: accountA, Code: "drift"})
	if err != nil {
		h.Fatal(err)
	}
	if _, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at}); err != nil {
		h.Fatal(err)
	}
	h.want(`SELECT kind, account, code, "count", "sample" FROM problems`, "||drift|2|one", "aws_test_box|111111111111|drift|1|")
	h.want("SELECT problems FROM syncs", "3")
}
