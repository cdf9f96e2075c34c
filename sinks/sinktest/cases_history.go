package sinktest

import (
	"fmt"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var historyCases = []testCase{
	{"HistoryHoldsPreviousValues", testHistory},
	{"HistoryEndsWithRetention", testRetention},
	{"DayOfUnchangedSyncs", testUnchangedDay},
	{"MetricsAreKept", testMetrics},
}

func testMetrics(h *harness) {
	keeper, ok := h.sink.(sinks.MetricsKeeper)
	if !ok {
		h.Fatal("the sink keeps no metrics")
	}
	k := box()
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}})
	at := time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC)
	keep := func(at time.Time, samples ...sinks.MetricSample) {
		h.Helper()
		m := sinks.Metrics{MeasuredAt: at, SyncID: uuidV7(at, 1).String(), Samples: samples, Retention: 2 * time.Hour}
		if err := keeper.KeepMetrics(h.Context(), m); err != nil {
			h.Fatal(err)
		}
	}
	odd := map[string]string{"account": accountA, "owner": `it's "\ü` + "\n"}
	keep(at, sinks.MetricSample{Name: "volumes", Labels: odd, Value: 2.5}, sinks.MetricSample{Name: "accounts", Value: 1e300})
	h.want("SELECT name, labels, value, measured_at, sync_id FROM metrics WHERE name = 'volumes'",
		`volumes|{"account":"`+accountA+`","owner":"it's \"\\ü\n"}|2.5|2026-01-01T01:00:00Z|`+uuidV7(at, 1).String())
	var many []sinks.MetricSample
	for i := range 1100 {
		many = append(many, sinks.MetricSample{Name: "many", Labels: map[string]string{"n": fmt.Sprint(i)}, Value: float64(i)})
	}
	keep(at.Add(time.Hour), many...)
	h.want("SELECT name, count(*) FROM metrics GROUP BY name ORDER BY name", "accounts|1", "many|1100", "volumes|1")
	// What is older than the retention ends, a sync leaves the others alone.
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}})
	keep(at.Add(150 * time.Minute))
	h.want("SELECT name, count(*) FROM metrics GROUP BY name ORDER BY name", "many|1100")
}

func testHistory(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1)).With("color", "red")}})
	h.want(count("resource_history"), "0")
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(2))}})
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(2))}})
	h.reads(kinds(k), read{scope: s})
	h.want("SELECT _id, kind, change, changed_columns, valid_from, valid_to FROM resource_history",
		ID(k, accountA, west, "a").String()+`|aws_test_box|changed|["size","color"]|2026-01-01T00:00:00Z|2026-01-01T01:00:00Z`,
		ID(k, accountA, west, "a").String()+`|aws_test_box|deleted|NULL|2026-01-01T01:00:00Z|2026-01-01T03:00:00Z`)
	h.want("SELECT doc->>'size', doc->>'color', doc->>'id' FROM resource_history", "1|red|a", "2|NULL|a")
	h.want(`SELECT id, doc->>'size' FROM as_of(TIMESTAMPTZ '2026-01-01 00:30:00Z')`, "a|1")
	h.want(`SELECT id, doc->>'size' FROM as_of(TIMESTAMPTZ '2026-01-01 02:30:00Z')`, "a|2")
	h.want(`SELECT id FROM as_of(TIMESTAMPTZ '2026-01-01 03:00:00Z')`)
	h.want(`SELECT id FROM as_of(TIMESTAMPTZ '2025-12-31 23:59:59Z')`)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	h.want(`SELECT id FROM as_of(TIMESTAMPTZ '2026-01-01 04:00:00Z')`, "a")
	h.want(`SELECT id FROM as_of(TIMESTAMPTZ '2026-01-01 03:30:00Z')`)
}

func testRetention(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	for i := range 4 {
		h.sync(run{kinds: kinds(k), retention: 90 * time.Minute, reads: []read{{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(i))}}}})
	}
	h.want("SELECT valid_to FROM resource_history", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z")
	h.want(count("syncs"), "2")
}

func testUnchangedDay(h *harness) {
	k, b := host(), box()
	hosts := repeat(50, func(i int) Row {
		id := string(rune('a'+i%26)) + string(rune('a'+i/26))
		return Row{ID: id, Tags: map[string]string{"n": id}, Refs: []Ref{{0, id}, {0, "none"}, {1, id}}}
	})
	boxes := repeat(50, func(i int) Row { return Row{ID: hosts[i].ID} })
	for i := range 24 {
		for j := range hosts { // in another order each time
			o := (j*7 + i) % len(hosts)
			hosts[j], hosts[o] = hosts[o], hosts[j]
			boxes[j], boxes[o] = boxes[o], boxes[j]
		}
		h.reads(kinds(k, b), read{scope: scopeOf(k, accountA, west), rows: hosts[:20], pages: [][]Row{hosts[20:]}},
			read{scope: scopeOf(b, accountA, west), rows: boxes}, read{scope: scopeOf(b, accountA, east), state: schema.Denied})
	}
	h.want(count("resource_history"), "0")
	h.want("SELECT count(DISTINCT _sync_id) FROM resources", "1")
	h.want(count("edges"), "150")
	h.want(count("scopes"), "2")
	h.want(count("syncs"), "24")
}
