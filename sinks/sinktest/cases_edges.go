package sinktest

import (
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var edgeCases = []testCase{
	{"EdgesResolveByUniqueMatch", testResolve},
	{"EdgesDeclaredTwiceAreOne", testDeclaredTwice},
	{"EdgesAreRetried", testRetried},
	{"EdgesToGoneRows", testEdgesToGone},
	{"EdgesGoWithTheirRow", testEdgesGoWithRow},
	{"EdgesOfChangedRows", testEdgesChange},
	{"UnreadRowsKeepEdges", testEdgesUnread},
}

const edgeQuery = "SELECT relation, to_kind, to_ref, to_id, resolution, on_delete FROM edges"

func testResolve(h *harness) {
	b, k, r := box(), host(), role()
	hostRow := Row{ID: "h", Refs: []Ref{
		{0, "x"},      // the box of the same account and region
		{0, "far"},    // one of the account, another region
		{0, "only"},   // one of another account, unique in the estate
		{0, "twice"},  // two in other accounts
		{0, "nobody"}, // none
		{1, "named"},  // by name
		{1, "same"},   // a name that two boxes have
		{2, "arn:aws:test:eu-west-1:111111111111:x"},
		{3, "deploy"},
	}}
	reads := []read{
		{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}, {ID: "b1", Name: "named"}, {ID: "b2", Name: "same"}, {ID: "b3", Name: "same"}}},
		{scope: scopeOf(b, accountA, east), rows: []Row{{ID: "x"}, {ID: "far"}}},
		{scope: scopeOf(b, accountB, west), rows: []Row{{ID: "x"}, {ID: "only"}, {ID: "twice"}, {ID: "far"}}},
		{scope: scopeOf(b, accountC, west), rows: []Row{{ID: "twice"}}},
		{scope: schema.Scope{Cloud: "aws", Account: accountA, Region: "global", Kind: r.Name}, rows: []Row{{ID: "deploy"}}},
		{scope: scopeOf(k, accountA, west), rows: []Row{hostRow}},
	}
	id := func(k *schema.Kind, account, region, id string) string { return ID(k, account, region, id).String() }
	want := []string{
		"names|aws_test_box|named|" + id(b, accountA, west, "b1") + "|name|none",
		"names|aws_test_box|same|NULL|ambiguous|none",
		"runs_as|aws_test_role|deploy|" + id(r, accountA, "global", "deploy") + "|id|block",
		"targets|aws_test_box|arn:aws:test:eu-west-1:111111111111:x|" + id(b, accountA, west, "x") + "|urn|detach",
		"uses|aws_test_box|far|" + id(b, accountA, east, "far") + "|id|block",
		"uses|aws_test_box|nobody|NULL|not_collected|block",
		"uses|aws_test_box|only|" + id(b, accountB, west, "only") + "|id|block",
		"uses|aws_test_box|twice|NULL|ambiguous|block",
		"uses|aws_test_box|x|" + id(b, accountA, west, "x") + "|id|block",
	}
	sum := h.reads(kinds(k, b, r), reads...)
	if sum.Edges != int64(len(want)) {
		h.Errorf("the summary counts %d edges, want %d", sum.Edges, len(want))
	}
	h.want(edgeQuery, want...)
	h.want("SELECT DISTINCT from_id, from_kind, _scope FROM edges", id(k, accountA, west, "h")+"|aws_test_host|aws/111111111111/eu-west-1")
	h.reads(kinds(k, b, r), reads...)
	h.want(edgeQuery, want...)
}

// testDeclaredTwice has a kind that finds the same reference at two places of
// its documents.
func testDeclaredTwice(h *harness) {
	b, k := box(), host()
	k.Edges = append(k.Edges, schema.Edge{To: b.Name, Relation: "uses"})
	again := len(k.Edges) - 1
	hosts := read{scope: scopeOf(k, accountA, west), rows: []Row{
		{ID: "h", Refs: []Ref{{0, "x"}, {0, "y"}, {again, "x"}, {again, "z"}}},
		{ID: "i", Refs: []Ref{{again, "x"}}},
	}}
	boxes := read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}}}
	x := ID(b, accountA, west, "x").String()
	want := []string{"x|" + x, "x|" + x, "y|NULL", "z|NULL"}
	h.reads(kinds(k, b), hosts, boxes)
	h.want("SELECT to_ref, to_id FROM edges", want...)
	hosts.rows[0] = hosts.rows[0].With("size", int64(2))
	h.reads(kinds(k, b), hosts, boxes)
	h.want("SELECT to_ref, to_id FROM edges", want...)
}

func testRetried(h *harness) {
	b, k := box(), host()
	hosts := read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "x"}, {1, "n"}, {2, "arn:aws:test:eu-west-1:111111111111:x"}}}}}
	h.reads(kinds(k, b), hosts, read{scope: scopeOf(b, accountA, west), state: schema.Failed})
	h.want(edgeQuery, "names|aws_test_box|n|NULL|not_collected|none", "targets||arn:aws:test:eu-west-1:111111111111:x|NULL|not_collected|detach", "uses|aws_test_box|x|NULL|not_collected|block")
	h.reads(kinds(k, b), hosts, read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}, {ID: "y", Name: "n"}}})
	x, y := ID(b, accountA, west, "x").String(), ID(b, accountA, west, "y").String()
	h.want(edgeQuery, "names|aws_test_box|n|"+y+"|name|none", "targets|aws_test_box|arn:aws:test:eu-west-1:111111111111:x|"+x+"|urn|detach", "uses|aws_test_box|x|"+x+"|id|block")
	h.want(count("resource_history"), "0")
}

func testEdgesToGone(h *harness) {
	b, k := box(), host()
	hosts := read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "x"}}}}}
	boxes := read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}}}
	x := ID(b, accountA, west, "x").String()
	h.reads(kinds(k, b), hosts, boxes)
	h.want(edgeQuery, "uses|aws_test_box|x|"+x+"|id|block")
	h.reads(kinds(k, b), hosts, read{scope: boxes.scope})
	h.want(edgeQuery, "uses|aws_test_box|x|NULL|gone|block")
	h.reads(kinds(k, b), hosts, read{scope: boxes.scope})
	h.want(edgeQuery, "uses|aws_test_box|x|NULL|gone|block")
	h.reads(kinds(k, b), hosts, boxes)
	h.want(edgeQuery, "uses|aws_test_box|x|"+x+"|id|block")
}

func testEdgesGoWithRow(h *harness) {
	b, k := box(), host()
	boxes := read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}}}
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "x"}}}, {ID: "i", Refs: []Ref{{0, "x"}}}}})
	h.want(count("edges"), "2")
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), state: schema.Failed})
	h.want(count("edges"), "2")
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "x"}}}}})
	h.want("SELECT from_id FROM edges", ID(k, accountA, west, "h").String())
}

func testEdgesChange(h *harness) {
	b, k := box(), host()
	boxes := read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}, {ID: "y"}}}
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "x"}}}}})
	// The references changed, no column did.
	sum := h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "y"}, {0, "z"}}}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
	h.want("SELECT to_ref, to_id FROM edges", "y|"+ID(b, accountA, west, "y").String(), "z|NULL")
	h.want(count("resource_history"), "0")
	// A column changed, the references did not.
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "h", Refs: []Ref{{0, "y"}, {0, "z"}}}.With("size", int64(1))}})
	h.want("SELECT to_ref, to_id FROM edges", "y|"+ID(b, accountA, west, "y").String(), "z|NULL")
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "h"}.With("size", int64(1))}})
	h.want(count("edges"), "0")
}

func testEdgesUnread(h *harness) {
	b, k := box(), host()
	boxes := read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "x"}, {ID: "y"}}}
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "h", Refs: []Ref{{0, "x"}}}.With("box", "x")}})
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Unread: []string{"box"}, Refs: []Ref{{0, "y"}}}}})
	h.want("SELECT to_ref FROM edges", "x", "y")
	h.reads(kinds(k, b), boxes, read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "h", Refs: []Ref{{0, "y"}}}.With("box", "y")}})
	h.want("SELECT to_ref FROM edges", "y")
}
