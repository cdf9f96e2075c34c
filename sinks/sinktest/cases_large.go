package sinktest

import (
	"fmt"
	"os"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var largeCases = []testCase{
	{"ManyRows", testManyRows},
	{"MillionRows", testMillionRows},
}

func testManyRows(h *harness) { h.large(8_000, 4) }

// testMillionRows takes minutes: DEWPOINT_TEST_LARGE=1 and -timeout 1h run it.
func testMillionRows(h *harness) {
	if testing.Short() || os.Getenv("DEWPOINT_TEST_LARGE") != "1" {
		h.Skip("a million rows: run with DEWPOINT_TEST_LARGE=1 and -timeout 1h")
	}
	h.large(1_000_000, 1000)
}

// large reads rows with a reference each, evenly over scopes: all new, all
// unchanged with volatile values that moved, some gone, all changed, and all
// gone but those of a scope that failed.
func (h *harness) large(rows, scopes int) {
	g := NewSynthetic("aws_test_large", 32, 1)
	g.Kind.Columns = append([]schema.Column{{Name: "counter", Type: schema.Int64, Doc: "A counter.", Volatile: true}}, g.Kind.Columns...)
	each := rows / scopes
	read := func(less, failed int) sinks.KindSummary {
		h.Helper()
		tx, at := h.begin(run{kinds: kinds(g.Kind)})
		for i := range scopes {
			s := schema.Scope{Cloud: "aws", Account: fmt.Sprintf("%012d", i/20), Region: fmt.Sprintf("r-%d", i%20), Kind: g.Kind.Name}
			res := schema.ScopeResult{Scope: s, State: schema.Complete}
			if i == failed {
				res.State = schema.Failed
			}
			to := (i+1)*each - less
			for n := i * each; n < to; n += 1000 {
				if err := tx.Write(h.Context(), g.Batch(s, n, min(n+1000, to))); err != nil {
					h.Fatal(err)
				}
			}
			if err := tx.Scope(h.Context(), res); err != nil {
				h.Fatal(err)
			}
		}
		sum, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at})
		if err != nil {
			h.Fatal(err)
		}
		h.want("SELECT count(*), count(DISTINCT _id) FROM resources", fmt.Sprintf("%d|%[1]d", sum.Kinds[0].Rows))
		h.want("SELECT count(*), count(DISTINCT _id) FROM aws_test_large", fmt.Sprintf("%d|%[1]d", sum.Kinds[0].Rows))
		return sum.Kinds[0]
	}
	check := func(got sinks.KindSummary, want sinks.KindSummary) {
		h.Helper()
		h.kindSum(sinks.Summary{Kinds: []sinks.KindSummary{got}}, g.Kind.Name, want)
	}
	n := int64(rows)
	check(read(0, -1), sinks.KindSummary{Rows: n, New: n})
	h.want("SELECT resolution, count(*) FROM edges GROUP BY resolution", fmt.Sprintf("id|%d", n))
	g.Count = 1
	check(read(0, -1), sinks.KindSummary{Rows: n, Unchanged: n})
	h.want(count("resource_history"), "0")
	h.want("SELECT count(DISTINCT _sync_id) FROM resources", "1")
	gone := int64(scopes * 10)
	check(read(10, -1), sinks.KindSummary{Rows: n - gone, Unchanged: n - gone, Gone: gone})
	h.want(count("resource_history"), fmt.Sprint(gone))
	// The peers of the rows that are gone are gone, too: each is another's.
	h.want("SELECT resolution, count(*) FROM edges GROUP BY resolution", fmt.Sprintf("id|%d", n-gone))
	g.Version = 1
	check(read(10, -1), sinks.KindSummary{Rows: n - gone, Changed: n - gone})
	h.want(count("resource_history"), fmt.Sprint(n))
	check(read(each, 0), sinks.KindSummary{Rows: int64(each - 10), Gone: n - gone - int64(each-10)})
	h.want("SELECT count(*) FROM edges WHERE resolution = 'gone'", "0")
}
