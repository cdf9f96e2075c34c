package sinktest

import (
	"errors"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var planCases = []testCase{
	{"PlanOfAnEmptyPlace", testPlanEmpty},
	{"PlanAndApplyAdditions", testPlanAdditions},
	{"OnlyToldDropsDrop", testPlanDrops},
	{"PlanNamesConflicts", testPlanConflicts},
	{"TypesAreNeverChanged", testTypeChanges},
	{"SchemaIsNotAppliedDuringASync", testPlanLocked},
}

// plan compares what is planned, migrations of own tables left out, with
// actions, tables and columns.
func (h *harness) plan(kinds []*schema.Kind, want ...string) []sinks.SchemaChange {
	h.Helper()
	changes, err := h.sink.PlanSchema(h.Context(), kinds)
	if err != nil {
		h.Fatalf("plan: %v", err)
	}
	h.changes("plan", changes, want)
	return changes
}

func (h *harness) apply(kinds []*schema.Kind, drop bool, want ...string) {
	h.Helper()
	changes, err := h.sink.ApplySchema(h.Context(), kinds, drop)
	if err != nil {
		h.Fatalf("apply: %v", err)
	}
	h.changes("apply", changes, want)
}

func (h *harness) changes(what string, got []sinks.SchemaChange, want []string) {
	h.Helper()
	var lines []string
	for _, c := range got {
		if c.Action != sinks.Migrate {
			lines = append(lines, strings.TrimSuffix(c.Action.String()+" "+c.Table+"."+c.Column, "."))
		}
	}
	slices.Sort(lines)
	if d := cmp.Diff(slices.Sorted(slices.Values(want)), lines, cmpopts.EquateEmpty()); d != "" {
		h.Fatalf("%s (-want +got):\n%s", what, d)
	}
}

func testPlanEmpty(h *harness) {
	k, c := box(), cluster()
	for range 2 {
		h.plan(kinds(k, c), "create_table aws_test_box", "create_table aws_test_cluster")
	}
	h.plan(nil)
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}})
	h.plan(kinds(k, c), "create_table aws_test_cluster")
	h.apply(kinds(k, c), false, "create_table aws_test_cluster")
	h.plan(kinds(k, c))
	h.apply(kinds(k, c), true)
	h.want("SELECT id FROM aws_test_box", "a")
	h.want(count("aws_test_cluster"), "0")
	h.reads(kinds(k, c), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}}, read{scope: scopeOf(c, accountA, west), rows: []Row{{ID: "c"}}})
	h.want("SELECT id FROM aws_test_cluster", "c")
}

func testPlanAdditions(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	row := Row{ID: "a"}.With("size", int64(1))
	h.apply(kinds(k), false, "create_table aws_test_box")
	h.reads(kinds(k), read{scope: s, rows: []Row{row}})
	more := redefine(k, "2", column("weight", schema.Float64), column("group", schema.TextList))
	more.Name, more.Renamed = "aws_test_crate", []string{"aws_test_box"}
	want := []string{"rename_table aws_test_crate", "add_column aws_test_crate.weight", "add_column aws_test_crate.group"}
	for _, c := range h.plan(kinds(more), want...) {
		if !c.Action.Additive() {
			h.Errorf("%+v is not additive", c)
		}
	}
	h.want("SELECT id FROM aws_test_box", "a")
	h.apply(kinds(more), false, want...)
	h.plan(kinds(more))
	h.want("SELECT id, kind, size, weight FROM aws_test_crate", "a|aws_test_crate|1|NULL")
	h.want("SELECT id, size FROM aws_test_box", "a|1")
	h.want("SELECT kind FROM resources", "aws_test_crate")
	s.Kind = more.Name
	sum := h.reads(kinds(more), read{scope: s, rows: []Row{row.With("weight", 1.5)}})
	h.kindSum(sum, more.Name, sinks.KindSummary{Rows: 1, Changed: 1})
	h.want("SELECT change, changed_columns FROM resource_history", `schema|["weight"]`)
}

func testPlanDrops(h *harness) {
	k, b, c := host(), box(), cluster()
	reads := []read{
		{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "h", Refs: []Ref{{0, "x"}}}.With("box", "x").With("size", int64(1))}},
		{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}, {ID: "y"}}},
		{scope: scopeOf(b, accountB, west), rows: []Row{{ID: "y", Account: accountA}}},
		{scope: scopeOf(b, accountA, east), state: schema.Denied},
		{scope: scopeOf(c, accountA, west), rows: []Row{{ID: "c"}}},
	}
	h.reads(kinds(k, b, c), reads...)
	reads[1].rows = []Row{Row{ID: "x"}.With("size", int64(5)), {ID: "y"}}
	h.reads(kinds(k, b, c), reads...)
	h.want("SELECT kind FROM sightings", b.Name)
	less := redefine(k, "1")
	less.Columns = less.Columns[:1]
	want := []string{"drop_column aws_test_host.box", "drop_table aws_test_box"}
	for _, d := range h.plan(kinds(less, c), want...) {
		if d.Action.Additive() {
			h.Errorf("%+v is additive", d)
		}
	}
	// Neither a sync nor an apply that is not told to drops anything.
	h.apply(kinds(less, c), false)
	h.reads(kinds(less, c), reads[0], reads[4])
	h.want(count("aws_test_box"), "2")
	h.want("SELECT id, box FROM aws_test_host", "h|NULL")
	h.plan(kinds(less, c), want...)
	h.apply(kinds(less, c), true, want...)
	h.plan(kinds(less, c))
	if _, err := h.target.Query(h.target.sql(`SELECT "box" FROM aws_test_host`)); err == nil {
		h.Error("the column is still there")
	}
	if _, err := h.target.Query("SELECT * FROM aws_test_box"); err == nil {
		h.Error("the table is still there")
	}
	h.want("SELECT kind, id FROM resources", "aws_test_cluster|c", "aws_test_host|h")
	h.want("SELECT from_kind, to_kind, to_ref, to_id, resolution FROM edges", "aws_test_host|aws_test_box|x|NULL|not_collected")
	h.want(count("sightings"), "0")
	h.want("SELECT kind, state FROM scope_freshness", "aws_test_cluster|complete", "aws_test_host|complete")
	h.want("SELECT kind FROM kinds", "aws_test_cluster", "aws_test_host")
	h.want("SELECT kind, change FROM resource_history", "aws_test_box|changed", "aws_test_host|schema")
	// What was dropped can come back.
	reads[0].rows[0].Refs = []Ref{{0, "x"}}
	sum := h.reads(kinds(k, b, c), reads...)
	h.kindSum(sum, b.Name, sinks.KindSummary{Rows: 2, New: 2})
	h.want("SELECT id, box FROM aws_test_host", "h|x")
	h.want("SELECT to_id, resolution FROM edges", ID(b, accountA, west, "x").String()+"|id")
	h.plan(kinds(k, b, c))
	// A kind is renamed, loses a column, gets another; another kind takes the
	// name of one that left.
	crate := redefine(less, "2", column("weight", schema.Float64))
	crate.Name, crate.Renamed = "aws_test_crate", []string{k.Name}
	taken := cluster()
	taken.Key = "aws_test_other"
	want = []string{"rename_table aws_test_crate", "add_column aws_test_crate.weight", "drop_column aws_test_crate.box", "drop_table aws_test_box", "drop_table aws_test_cluster"}
	h.plan(kinds(crate, taken), append(want, "conflict aws_test_cluster")...)
	h.apply(kinds(crate, taken), true, append(want, "create_table aws_test_cluster")...)
	h.plan(kinds(crate, taken))
	h.want("SELECT id, size, weight FROM aws_test_crate", "h|1|NULL")
	h.want("SELECT id, size FROM aws_test_host", "h|1")
	h.want("SELECT kind, id FROM resources", "aws_test_crate|h")
	// A former name goes with its kind.
	h.apply(kinds(taken), true, "drop_table aws_test_crate")
	if _, err := h.target.Query("SELECT * FROM aws_test_host"); err == nil {
		h.Error("the view of the former name is still there")
	}
	h.want(count("resources"), "0")
}

func testPlanConflicts(h *harness) {
	k, fresh := box(), cluster()
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}})
	other := redefine(k, "2", column("weight", schema.Float64))
	other.Columns[1].Type = schema.JSON
	want := []string{"conflict aws_test_box.color", "create_table aws_test_cluster", "add_column aws_test_box.weight"}
	changes := h.plan(kinds(fresh, other), want...)
	for _, c := range changes {
		if c.Action == sinks.Conflict && (c.Have == "" || c.Want == "" || c.Action.Additive()) {
			h.Errorf("the conflict is %+v", c)
		}
	}
	for _, drop := range []bool{false, true} {
		_, err := h.sink.ApplySchema(h.Context(), kinds(fresh, other), drop)
		var refused *sinks.SchemaError
		if !errors.As(err, &refused) || refused.Kind != k.Name || refused.Column != "color" {
			h.Fatalf("apply: %v, want a *sinks.SchemaError of color", err)
		}
	}
	h.plan(kinds(fresh, other), want...)
	h.want("SELECT id, color FROM aws_test_box", "a|NULL")
	// The plan says what solves it, where that is a matter of SQL.
	for _, c := range changes {
		if c.Action != sinks.Conflict || c.SQL == "" {
			continue
		}
		if err := h.target.Exec(c.SQL); err != nil {
			h.Fatalf("%s: %v", c.SQL, err)
		}
		h.plan(kinds(fresh, other), "create_table aws_test_cluster", "add_column aws_test_box.color", "add_column aws_test_box.weight")
		h.reads(kinds(fresh, other), read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "a"}.With("color", `{"r":1}`)}})
		h.want("SELECT id, color FROM aws_test_box", `a|{"r":1}`)
	}
}

// testTypeChanges refuses every change of a column's type, wider ones too.
func testTypeChanges(h *harness) {
	k := every()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	for i := range k.Columns {
		for _, typ := range []schema.Type{schema.Text, schema.Float64, schema.JSON, schema.TextList, schema.TextMap} {
			if typ == k.Columns[i].Type {
				continue
			}
			other := redefine(k, "1")
			other.Columns[i].Type = typ
			h.plan(kinds(other), "conflict aws_test_every."+k.Columns[i].Name)
		}
	}
	wider := redefine(k, "1")
	wider.Columns[1].Type = schema.Float64
	_, _, err := h.tryBegin(run{kinds: kinds(wider)})
	var refused *sinks.SchemaError
	if !errors.As(err, &refused) || refused.Column != "an_int" {
		h.Fatalf("begin: %v, want a *sinks.SchemaError of an_int", err)
	}
	sum := h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
}

func testPlanLocked(h *harness) {
	k, c := box(), cluster()
	s := scopeOf(k, accountA, west)
	r := run{kinds: kinds(k), reads: []read{{scope: s, rows: []Row{{ID: "a"}}}}}
	tx, at := h.begin(r)
	other, err := h.target.Open()
	if err != nil {
		h.Fatal(err)
	}
	defer other.Close()
	if _, err := other.PlanSchema(h.Context(), kinds(k, c)); err != nil {
		h.Errorf("plan during a sync: %v", err)
	}
	_, err = other.ApplySchema(h.Context(), kinds(k, c), false)
	h.locked(err)
	h.write(tx, r)
	if _, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at}); err != nil {
		h.Fatal(err)
	}
	if _, err := other.ApplySchema(h.Context(), kinds(k, c), false); err != nil {
		h.Fatal(err)
	}
	h.want(count("aws_test_cluster"), "0")
}
