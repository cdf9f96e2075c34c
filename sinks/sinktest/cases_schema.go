package sinktest

import (
	"errors"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var schemaCases = []testCase{
	{"AddedColumnIsSchema", testAddedColumn},
	{"AddedColumnOfAFailedScope", testAddedColumnLater},
	{"RemovedColumnStays", testRemovedColumn},
	{"IncompatibleChangeIsRefused", testIncompatible},
	{"ChangedDefinitionIsOutOfScope", testDefinition},
	{"RenamedKindKeepsItsRows", testRenamed},
	{"BaseViews", testBaseViews},
	{"UserTablesAndViewsStay", testUserObjects},
	{"ForeignTableIsRefused", testForeignTable},
	{"ForeignOwnTableIsRefused", testForeignOwn},
}

// redefine returns a copy of a kind with another definition.
func redefine(k *schema.Kind, definition string, columns ...schema.Column) *schema.Kind {
	c := *k
	c.Definition = definition
	c.Columns = append(slices.Clone(k.Columns), columns...)
	return &c
}

func testAddedColumn(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, {ID: "b"}, {ID: "c"}}})
	k = redefine(k, "2", column("weight", schema.Float64))
	sum := h.reads(kinds(k), read{scope: s, rows: []Row{
		Row{ID: "a"}.With("weight", 1.5), Row{ID: "b"}.With("weight", 2.5).With("size", int64(1)), {ID: "c"},
	}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, Changed: 2, Unchanged: 1})
	h.want("SELECT id, size, weight FROM aws_test_box", "a|NULL|1.5", "b|1|2.5", "c|NULL|NULL")
	h.want("SELECT doc->>'id', change, changed_columns FROM resource_history", `a|schema|["weight"]`, `b|changed|["size","weight"]`)
	// From now on the column is one like any other.
	h.reads(kinds(k), read{scope: s, rows: []Row{
		Row{ID: "a"}.With("weight", 7.0), Row{ID: "b"}.With("weight", 2.5).With("size", int64(1)), {ID: "c"},
	}})
	h.want("SELECT change, changed_columns FROM resource_history WHERE valid_to >= TIMESTAMPTZ '2026-01-01 02:00:00Z'", `changed|["weight"]`)
}

func testAddedColumnLater(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	k = redefine(k, "2", column("weight", schema.Float64))
	h.reads(kinds(k), read{scope: s, state: schema.Failed})
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("weight", 1.5)}})
	h.want("SELECT change, changed_columns FROM resource_history", `schema|["weight"]`)
}

func testRemovedColumn(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1)).With("color", "red"), {ID: "b"}}})
	k = redefine(k, "2")
	k.Columns = k.Columns[:1]
	h.reads(kinds(k), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1)), {ID: "b"}}})
	h.want("SELECT id, size, color FROM aws_test_box", "a|1|NULL", "b|NULL|NULL")
	h.want("SELECT change, changed_columns FROM resource_history", `schema|["color"]`)
}

func testIncompatible(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	k = redefine(k, "2")
	k.Columns[0].Type = schema.Text
	_, _, err := h.tryBegin(run{kinds: kinds(k)})
	var refused *sinks.SchemaError
	if !errors.As(err, &refused) || refused.Kind != k.Name || refused.Column != "size" {
		h.Fatalf("begin: %v, want a *sinks.SchemaError of size", err)
	}
	h.want("SELECT id FROM aws_test_box", "a")
	h.reads(kinds(box()), read{scope: s, rows: []Row{{ID: "a"}, {ID: "b"}}})
	h.want("SELECT id FROM aws_test_box", "a", "b")
}

func testDefinition(h *harness) {
	k := box()
	s, other := scopeOf(k, accountA, west), scopeOf(k, accountA, east)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, {ID: "b"}}}, read{scope: other, rows: []Row{{ID: "c"}, {ID: "d"}}})
	k = redefine(k, "2")
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}}, read{scope: other, state: schema.Failed})
	h.want("SELECT doc->>'id', change FROM resource_history", "b|out_of_scope")
	h.reads(kinds(k), read{scope: s}, read{scope: other, rows: []Row{{ID: "d"}}})
	h.want("SELECT doc->>'id', change FROM resource_history", "a|deleted", "b|out_of_scope", "c|out_of_scope")
	h.reads(kinds(k), read{scope: s}, read{scope: other})
	h.want("SELECT change FROM resource_history WHERE doc->>'id' = 'd'", "deleted")
}

func testRenamed(h *harness) {
	k, c := host(), box()
	s := scopeOf(k, accountA, west)
	rows := []Row{{ID: "a", Refs: []Ref{{0, "x"}}}}
	boxes := read{scope: scopeOf(c, accountA, west), rows: []Row{{ID: "x"}}}
	h.reads(kinds(k, c), read{scope: s, rows: rows}, boxes)
	renamed := redefine(k, "1", column("weight", schema.Float64))
	renamed.Name, renamed.Renamed = "aws_test_server", []string{"aws_test_host"}
	s.Kind = renamed.Name
	h.reads(kinds(renamed, c), read{scope: s, rows: rows}, boxes)
	h.want("SELECT id, kind, weight FROM aws_test_server", "a|aws_test_server|NULL")
	h.want("SELECT id, kind FROM aws_test_host", "a|aws_test_server")
	h.want("SELECT kind FROM resources WHERE id = 'a'", "aws_test_server")
	h.want("SELECT from_kind FROM edges", "aws_test_server")
	h.want(count("resource_history"), "0")
	h.want("SELECT kind FROM scope_freshness", "aws_test_box", "aws_test_server")
	// The former name stays whatever becomes of the columns.
	other := redefine(renamed, "1")
	other.Columns = []schema.Column{column("height", schema.Int64), renamed.Columns[0], renamed.Columns[2]}
	h.reads(kinds(other, c), read{scope: s, rows: []Row{Row{ID: "a", Refs: rows[0].Refs}.With("height", int64(2)).With("weight", 1.5)}}, boxes)
	h.want("SELECT id, height, weight FROM aws_test_host", "a|2|1.5")
}

func testBaseViews(h *harness) {
	vm := newKind("aws_test_vm", column("type", schema.Text), column("state", schema.Text), column("cores", schema.Int64), column("memory_mb", schema.Int64))
	vm.Base = &schema.Base{Name: "instance", Columns: map[string]schema.BaseColumn{
		"instance_type": {Column: "type"}, "instance_status": {Column: "state", Values: map[string]string{"on": "running", "off": "stopped"}},
		"instance_cores": {Column: "cores"}, "instance_memory_bytes": {Column: "memory_mb", Scale: 1 << 20},
	}}
	disk := newKind("aws_test_disk", column("key", schema.Text))
	disk.Base = &schema.Base{Name: "volume", Columns: map[string]schema.BaseColumn{
		"volume_encrypted": {Column: "key", Present: true}, "volume_type": {Const: "ssd"},
		"volume_status": {Column: "key", Present: true, Values: map[string]string{"true": "busy", "false": "available"}},
	}}
	h.reads(kinds(vm, disk),
		read{scope: scopeOf(vm, accountA, west), rows: []Row{
			{ID: "a", Values: map[string]any{"type": "big", "state": "on", "cores": int64(4), "memory_mb": int64(2)}}, Row{ID: "b"}.With("state", "odd"),
		}},
		read{scope: scopeOf(disk, accountA, west), rows: []Row{{ID: "d"}, Row{ID: "e"}.With("key", "k")}})
	h.want("SELECT id, kind, instance_type, instance_status, instance_cores, instance_memory_bytes FROM instances",
		"a|aws_test_vm|big|running|4|2097152", "b|aws_test_vm|NULL|unknown|NULL|NULL")
	h.want("SELECT id, volume_encrypted, volume_type, volume_iops, volume_status FROM volumes", "d|false|ssd|NULL|available", "e|true|ssd|NULL|busy")
	h.want("SELECT base, count(*) FROM resources GROUP BY base", "instance|2", "volume|2")
	// A sync without the kinds leaves the views as they are.
	h.reads(kinds(box()))
	h.want("SELECT id FROM instances", "a", "b")
}

func testUserObjects(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k, role()), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(1))}})
	h.exec("CREATE TABLE tmp_mine (a int)", "INSERT INTO tmp_mine VALUES (1)", "CREATE TABLE aws_test_mine (a int)",
		"CREATE VIEW my_boxes AS SELECT id, size FROM aws_test_box",
		"CREATE VIEW my_edges AS SELECT * FROM edges",
		"CREATE VIEW my_resources AS SELECT r.id, b.size, r.tags FROM resources r JOIN aws_test_box b ON r._id = b._id")
	more := redefine(k, "2", column("weight", schema.Float64))
	h.plan(kinds(more), "add_column aws_test_box.weight", "drop_table aws_test_role")
	h.reads(kinds(more), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(2)).With("weight", 1.0)}})
	stays := func(size string) {
		h.Helper()
		h.want("SELECT a FROM tmp_mine", "1")
		h.want(count("aws_test_mine"), "0")
		h.want("SELECT id, size FROM my_boxes", "a|"+size)
		h.want("SELECT id, size FROM my_resources", "a|"+size)
		h.want(count("my_edges"), "0")
	}
	stays("2")
	renamed := redefine(more, "2")
	renamed.Name, renamed.Renamed = "aws_test_crate", []string{k.Name}
	s.Kind = renamed.Name
	h.reads(kinds(renamed), read{scope: s, rows: []Row{Row{ID: "a"}.With("size", int64(3)).With("weight", 1.0)}})
	stays("3")
	h.apply(kinds(renamed), true, "drop_table aws_test_role")
	stays("3")
	h.plan(kinds(renamed))
}

func testForeignTable(h *harness) {
	h.reads(kinds(role()))
	h.exec("CREATE TABLE aws_test_box (a int)")
	h.plan(kinds(role(), box()), "conflict aws_test_box")
	if _, _, err := h.tryBegin(run{kinds: kinds(box())}); err == nil || !strings.Contains(err.Error(), "aws_test_box") {
		h.Fatalf("begin: %v, want an error that names aws_test_box", err)
	}
	h.want(count("aws_test_box"), "0")
}

// testForeignOwn begins in a place that has a table of a user under the name
// of one of dewpoint's own.
func testForeignOwn(h *harness) {
	h.exec("CREATE TABLE edges (a int)", "INSERT INTO edges VALUES (7)")
	k := box()
	h.plan(kinds(k), "conflict edges", "create_table aws_test_box")
	if _, _, err := h.tryBegin(run{kinds: kinds(k)}); err == nil || !strings.Contains(err.Error(), "edges") {
		h.Fatalf("begin: %v, want an error that names edges", err)
	}
	if _, err := h.sink.ApplySchema(h.Context(), kinds(k), true); err == nil || !strings.Contains(err.Error(), "edges") {
		h.Fatalf("apply: %v, want an error that names edges", err)
	}
	h.want("SELECT a FROM edges", "7")
}
