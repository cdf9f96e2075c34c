package sinktest

import (
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var scopeCases = []testCase{
	{"IncompleteScopesKeepRows", testIncomplete},
	{"UnreportedScopeCountsAsFailed", testUnreported},
	{"ScopesNotAskedForKeepRows", testNotAsked},
	{"AccountsAreApart", testAccountsApart},
	{"UnreadColumnsKeepValues", testUnread},
	{"UnreadTagsOfANewRow", testUnreadNew},
	{"MovedRowIsNotGone", testMoved},
	{"TwoReportersOneRow", testTwoReporters},
	{"OwnerDeniedOtherReports", testOwnerDenied},
	{"OwnersReadingWins", testOwnerWins},
	{"GoneOnlyWhenNoReporterHasIt", testGoneForBoth},
	{"FailedReporterKeepsRow", testFailedReporter},
	{"ParentGoneTakesChildren", testParentGone},
	{"ParentThatIsNoRowTakesChildren", testParentNoRow},
	{"ParentsShareABatch", testSharedBatch},
	{"FailedParentKeepsChildren", testFailedParent},
	{"ChildOfIncompleteScopeStays", testChildIncomplete},
	{"ClosedAccount", testClosedAccount},
	{"ScopesAreCompact", testScopesTable},
	{"FreshnessSaysWhatIsComplete", testFreshness},
	{"ProblemsAreCounted", testProblems},
	{"SyncStates", testSyncStates},
}

func testIncomplete(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, {ID: "b"}}})
	for _, state := range []schema.State{
		schema.Denied, schema.Throttled, schema.Failed, schema.TimedOut, schema.Unreachable, schema.NotApplicable, schema.Skipped,
	} {
		sum := h.reads(kinds(k), read{scope: s, state: state})
		h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 2})
		h.want("SELECT state FROM scopes", string(state))
	}
	// What an incomplete scope did bring is new or changed.
	sum := h.reads(kinds(k), read{scope: s, state: schema.Failed, rows: []Row{Row{ID: "a"}.With("size", int64(1)), {ID: "c"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 3, New: 1, Changed: 1})
	h.want("SELECT id FROM aws_test_box", "a", "b", "c")
	sum = h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "c"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Gone: 2, Unchanged: 1})
}

func testUnreported(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, {ID: "b"}}})
	h.reads(kinds(k), read{scope: s, state: "-", rows: []Row{{ID: "a"}, {ID: "c"}}})
	h.want("SELECT id FROM aws_test_box", "a", "b", "c")
}

func testNotAsked(h *harness) {
	k := box()
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}}, read{scope: scopeOf(k, accountA, east), rows: []Row{{ID: "b"}}})
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west)})
	h.want("SELECT id FROM aws_test_box", "b")
	h.reads(kinds(cluster()))
	h.want("SELECT id FROM aws_test_box", "b")
	h.want("SELECT region, state FROM scope_freshness", "eu-west-1|complete", "us-east-1|complete")
}

func testAccountsApart(h *harness) {
	k := box()
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}})
	h.reads(kinds(k), read{scope: scopeOf(k, accountB, west), rows: []Row{{ID: "a"}}})
	h.want("SELECT account, id FROM aws_test_box", accountA+"|a", accountB+"|a")
	h.reads(kinds(k), read{scope: scopeOf(k, accountB, west)})
	h.want("SELECT account, id FROM aws_test_box", accountA+"|a")
}

func testUnread(h *harness) {
	k := counter()
	s := scopeOf(k, accountA, west)
	tagged := Row{ID: "a", Tags: map[string]string{"owner": "x"}}.With("size", int64(1)).With("policy", `{"v":1}`)
	other := Row{ID: "b", Tags: map[string]string{}}.With("policy", `{"v":2}`)
	h.reads(kinds(k), read{scope: s, rows: []Row{tagged, other}})
	unread := Row{ID: "a", Unread: []string{"tags", "policy"}}.With("size", int64(1))
	for range 2 {
		sum := h.reads(kinds(k), read{scope: s, rows: []Row{unread, other}})
		h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 2, Unchanged: 2, Unread: 1})
		h.want("SELECT id, size, policy, tags, _unread FROM aws_test_counter",
			`a|1|{"v":1}|{"owner":"x"}|["tags","policy"]`, `b|NULL|{"v":2}|{}|NULL`)
		h.want("SELECT id, tags, _unread FROM resources", `a|{"owner":"x"}|["tags","policy"]`, `b|{}|NULL`)
		h.want(count("resource_history"), "0")
		h.want("SELECT count(*) FROM scopes WHERE state <> 'complete'", "0")
	}
	// What could be read of the row changes; the rest stays.
	h.reads(kinds(k), read{scope: s, rows: []Row{unread.With("size", int64(2)), other}})
	h.want("SELECT size, policy, tags FROM aws_test_counter WHERE id = 'a'", `2|{"v":1}|{"owner":"x"}`)
	h.want("SELECT changed_columns FROM resource_history", `["size"]`)
	h.reads(kinds(k), read{scope: s, rows: []Row{tagged.With("size", int64(2)), other}})
	h.want("SELECT size, policy, tags, _unread FROM aws_test_counter WHERE id = 'a'", `2|{"v":1}|{"owner":"x"}|NULL`)
	h.want(count("resource_history"), "1")
	h.reads(kinds(k), read{scope: s, rows: []Row{other}})
	h.want("SELECT id FROM aws_test_counter", "b")
}

func testUnreadNew(h *harness) {
	k := counter()
	s := scopeOf(k, accountA, west)
	sum := h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a", Unread: []string{"tags"}}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, New: 1, Unread: 1})
	h.want("SELECT tags, _unread FROM aws_test_counter", `NULL|["tags"]`)
}

func testMoved(h *harness) {
	k := box()
	k.KeyScope = schema.KeyAccount
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}}, read{scope: scopeOf(k, accountA, east)})
	sum := h.reads(kinds(k), read{scope: scopeOf(k, accountA, west)}, read{scope: scopeOf(k, accountA, east), rows: []Row{{ID: "a"}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Changed: 1})
	h.want("SELECT region, _scope FROM aws_test_box", "us-east-1|aws/111111111111/us-east-1")
	h.want("SELECT change FROM resource_history", "changed")
	// It moves between scopes without changing.
	row := Row{ID: "a", Region: east}
	sum = h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{row}}, read{scope: scopeOf(k, accountA, east)})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
	h.want("SELECT _scope FROM aws_test_box", "aws/111111111111/eu-west-1")
	h.want("SELECT _scope FROM resources", "aws/111111111111/eu-west-1")
	h.want(count("resource_history"), "1")
	sum = h.reads(kinds(k), read{scope: scopeOf(k, accountA, west)}, read{scope: scopeOf(k, accountA, east)})
	h.kindSum(sum, k.Name, sinks.KindSummary{Gone: 1})
}

// shared is a row of account A that both A and B report.
func shared(k *schema.Kind, size int64) (inA, inB read) {
	row := Row{ID: "v", Account: accountA}.With("size", size)
	return read{scope: scopeOf(k, accountA, west), rows: []Row{row}}, read{scope: scopeOf(k, accountB, west), rows: []Row{row}}
}

func testTwoReporters(h *harness) {
	k := box()
	a, b := shared(k, 1)
	for i := range 3 {
		sum := h.reads(kinds(k), b, a)
		if i > 0 {
			h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
		}
		h.want("SELECT account, _scope FROM aws_test_box", accountA+"|aws/111111111111/eu-west-1")
		h.want("SELECT kind, _scope FROM sightings", k.Name+"|aws/222222222222/eu-west-1")
	}
	h.want(count("resources"), "1")
	h.want(count("resource_history"), "0")
	// B sees it no more: it is A's.
	h.reads(kinds(k), a, read{scope: b.scope})
	h.want(count("sightings"), "0")
	h.want(count("aws_test_box"), "1")
}

func testOwnerDenied(h *harness) {
	k := box()
	a, b := shared(k, 1)
	h.reads(kinds(k), a, b)
	h.reads(kinds(k), read{scope: a.scope, state: schema.Denied}, b)
	h.want("SELECT id, size FROM aws_test_box", "v|1")
	// B sees less than the owner: the owner's values stay.
	_, less := shared(k, 0)
	h.reads(kinds(k), read{scope: a.scope, state: schema.Denied}, less)
	h.want("SELECT id, size FROM aws_test_box", "v|1")
	h.want(count("resource_history"), "0")
	// B sees it no more, but the owner was not asked completely.
	h.reads(kinds(k), read{scope: a.scope, state: schema.Denied}, read{scope: b.scope})
	h.want("SELECT id, size FROM aws_test_box", "v|1")
	h.reads(kinds(k), read{scope: a.scope}, read{scope: b.scope})
	h.want(count("aws_test_box"), "0")
}

func testOwnerWins(h *harness) {
	k := box()
	a, _ := shared(k, 1)
	_, b := shared(k, 2)
	h.reads(kinds(k), b)
	h.want("SELECT size, _scope FROM aws_test_box", "2|aws/222222222222/eu-west-1")
	for range 2 {
		h.reads(kinds(k), a, b)
		h.want("SELECT size, _scope FROM aws_test_box", "1|aws/111111111111/eu-west-1")
		h.want("SELECT _scope FROM sightings", "aws/222222222222/eu-west-1")
		h.want(count("resource_history"), "1")
		h.want("SELECT count(*) FROM problems WHERE code = 'duplicate'", "0")
	}
	// The owner has it no more, B still does.
	h.reads(kinds(k), read{scope: a.scope}, b)
	h.want("SELECT size, _scope FROM aws_test_box", "2|aws/222222222222/eu-west-1")
	h.want(count("sightings"), "0")
}

func testGoneForBoth(h *harness) {
	k := box()
	a, b := shared(k, 1)
	h.reads(kinds(k), a, b)
	h.reads(kinds(k), read{scope: a.scope}, b)
	h.want("SELECT id, _scope FROM aws_test_box", "v|aws/222222222222/eu-west-1")
	sum := h.reads(kinds(k), read{scope: a.scope}, read{scope: b.scope})
	h.kindSum(sum, k.Name, sinks.KindSummary{Gone: 1})
	h.want(count("sightings"), "0")
	h.want("SELECT change FROM resource_history", "deleted")
}

func testFailedReporter(h *harness) {
	k := box()
	a, b := shared(k, 1)
	h.reads(kinds(k), a, b)
	h.reads(kinds(k), read{scope: a.scope}, read{scope: b.scope, state: schema.TimedOut})
	h.want("SELECT id, _scope FROM aws_test_box", "v|aws/222222222222/eu-west-1")
	h.reads(kinds(k), read{scope: a.scope}, read{scope: b.scope})
	h.want(count("aws_test_box"), "0")
}

// children is the read of a cluster's services.
func children(k *schema.Kind, parent string, state schema.State, ids ...string) read {
	s := scopeOf(k, accountA, west)
	s.Parent = ID(cluster(), accountA, west, parent).String()
	rows := repeat(len(ids), func(i int) Row { return Row{ID: ids[i]} })
	return read{scope: s, state: state, rows: rows}
}

func testParentGone(h *harness) {
	p, c := cluster(), service()
	ps := scopeOf(p, accountA, west)
	h.reads(kinds(c, p), read{scope: ps, rows: []Row{{ID: "p1"}, {ID: "p2"}}},
		children(c, "p1", "", "a", "b"), children(c, "p2", "", "c"))
	h.want(count("aws_test_service"), "3")
	sum := h.reads(kinds(c, p), read{scope: ps, rows: []Row{{ID: "p2"}}}, children(c, "p2", "", "c"))
	h.kindSum(sum, p.Name, sinks.KindSummary{Rows: 1, Unchanged: 1, Gone: 1})
	h.kindSum(sum, c.Name, sinks.KindSummary{Rows: 1, Unchanged: 1, Gone: 2})
	h.want("SELECT id FROM aws_test_service", "c")
	h.want("SELECT kind, change FROM resource_history", "aws_test_cluster|deleted", "aws_test_service|deleted", "aws_test_service|deleted")
}

// testParentNoRow reads a kind without the one that it is listed for.
func testParentNoRow(h *harness) {
	c := service()
	parents := read{scope: scopeOf(c, accountA, west)}
	h.reads(kinds(c), parents, children(c, "p1", "", "a", "b"), children(c, "p2", "", "c"), children(c, "p3", "", "d"))
	failed := parents
	failed.state = schema.Failed
	h.reads(kinds(c), failed, children(c, "p2", "", "c"))
	h.want(count("aws_test_service"), "4")
	h.reads(kinds(c), parents, children(c, "p2", "", "c"), children(c, "p3", schema.Denied))
	h.want("SELECT id FROM aws_test_service", "c", "d")
	h.want("SELECT id FROM resources", "c", "d")
}

// testSharedBatch writes rows of two parents in one batch.
func testSharedBatch(h *harness) {
	c := service()
	parents := read{scope: scopeOf(c, accountA, west)}
	p1, p2 := children(c, "p1", ""), children(c, "p2", "")
	p2.rows = []Row{{ID: "a", Parent: p1.scope.Parent}, {ID: "b"}}
	h.reads(kinds(c), parents, p2, p1)
	h.want("SELECT id, _scope FROM aws_test_service", "a|"+p1.scope.ID(), "b|"+p2.scope.ID())
	h.reads(kinds(c), parents, p2, p1)
	h.want("SELECT id, _scope FROM aws_test_service", "a|"+p1.scope.ID(), "b|"+p2.scope.ID())
	h.want(count("sightings"), "0")
	// The first parent's list fails: its row stays.
	h.reads(kinds(c), parents, children(c, "p1", schema.Denied), children(c, "p2", ""))
	h.want("SELECT id FROM aws_test_service", "a")
}

func testFailedParent(h *harness) {
	p, c := cluster(), service()
	ps := scopeOf(p, accountA, west)
	h.reads(kinds(p, c), read{scope: ps, rows: []Row{{ID: "p1"}, {ID: "p2"}}},
		children(c, "p1", "", "a", "b"), children(c, "p2", "", "c"))
	// The list of parents failed: nothing is known of any child.
	h.reads(kinds(p, c), read{scope: ps, state: schema.Failed, rows: []Row{{ID: "p2"}}}, children(c, "p2", "", "c"))
	h.want("SELECT id FROM aws_test_service", "a", "b", "c")
	h.want(count("aws_test_cluster"), "2")
}

func testChildIncomplete(h *harness) {
	p, c := cluster(), service()
	parents := read{scope: scopeOf(p, accountA, west), rows: []Row{{ID: "p1"}, {ID: "p2"}}}
	h.reads(kinds(p, c), parents, children(c, "p1", "", "a", "b"), children(c, "p2", "", "c", "d"))
	h.reads(kinds(p, c), parents, children(c, "p1", schema.Throttled, "a"), children(c, "p2", "", "c"))
	h.want("SELECT id FROM aws_test_service", "a", "b", "c")
	h.want("SELECT kind, parent, state FROM scopes WHERE state <> 'complete'", c.Name+"|"+ID(p, accountA, west, "p1").String()+"|throttled")
	h.want("SELECT kind, state FROM scope_freshness", "aws_test_cluster|complete", "aws_test_service|throttled")
}

func testClosedAccount(h *harness) {
	k := box()
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}}, read{scope: scopeOf(k, accountB, west), rows: []Row{{ID: "b"}}})
	sum := h.sync(run{kinds: kinds(k), closed: []sinks.Account{{Cloud: "aws", ID: accountB}}, reads: []read{{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}}}})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1, Gone: 1})
	h.want("SELECT id FROM aws_test_box", "a")
	h.want("SELECT change FROM resource_history", "account_closed")
}

func testScopesTable(h *harness) {
	k, p := box(), cluster()
	all := []read{
		{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}, {ID: "b"}}},
		{scope: scopeOf(p, accountA, west), rows: []Row{{ID: "a"}}},
		{scope: scopeOf(k, accountA, east)},
		{scope: scopeOf(p, accountA, east), state: schema.Denied, code: "AccessDenied"},
	}
	h.reads(kinds(k, p), all...)
	first := `SELECT region, kind, state, scopes, "rows", code FROM scopes`
	want := []string{"eu-west-1|NULL|complete|2|3|NULL", "us-east-1|aws_test_cluster|denied|1|0|AccessDenied", "us-east-1|NULL|complete|1|0|NULL"}
	h.want(first, want...)
	// Nothing changed: the rows are those of the first sync.
	h.reads(kinds(k, p), all...)
	h.want(first, want...)
	h.want("SELECT count(DISTINCT sync_id) FROM scopes", "1")
	all[3].state, all[3].code = schema.Complete, ""
	h.reads(kinds(k, p), all...)
	h.want(first, "eu-west-1|NULL|complete|2|3|NULL", "us-east-1|NULL|complete|2|0|NULL")
	h.want("SELECT count(DISTINCT sync_id) FROM scopes", "2")
}

func testFreshness(h *harness) {
	k, p := box(), cluster()
	view := "SELECT account, region, kind, state, last_complete FROM scope_freshness"
	h.reads(kinds(k, p), read{scope: scopeOf(k, accountA, west)}, read{scope: scopeOf(p, accountA, west), state: schema.Failed})
	h.want(view, "111111111111|eu-west-1|aws_test_box|complete|2026-01-01T00:00:00Z", "111111111111|eu-west-1|aws_test_cluster|failed|NULL")
	h.reads(kinds(k, p), read{scope: scopeOf(k, accountA, west), state: schema.Denied}, read{scope: scopeOf(p, accountA, west)})
	h.want(view, "111111111111|eu-west-1|aws_test_box|denied|2026-01-01T00:00:00Z", "111111111111|eu-west-1|aws_test_cluster|complete|2026-01-01T01:00:00Z")
	// A sync of one kind alone leaves the other's age.
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west)})
	h.want(view, "111111111111|eu-west-1|aws_test_box|complete|2026-01-01T02:00:00Z", "111111111111|eu-west-1|aws_test_cluster|complete|2026-01-01T01:00:00Z")
	h.reads(kinds(k, p), read{scope: scopeOf(k, accountA, west), state: schema.Failed}, read{scope: scopeOf(p, accountA, west)})
	h.reads(kinds(k, p), read{scope: scopeOf(k, accountA, west), state: schema.Failed}, read{scope: scopeOf(p, accountA, west)})
	h.want(view, "111111111111|eu-west-1|aws_test_box|failed|2026-01-01T02:00:00Z", "111111111111|eu-west-1|aws_test_cluster|complete|2026-01-01T04:00:00Z")
}

func testProblems(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	p := schema.Problem{Kind: k.Name, Account: accountA, Region: west, Call: "GetSize", Column: "size", Code: "number", Count: 2, Sample: "x\x00\xff"}
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}, problems: []schema.Problem{p, p}})
	query := `SELECT kind, account, region, "call", "column", code, "count", "sample" FROM problems`
	want := "aws_test_box|111111111111|eu-west-1|GetSize|size|number|4|x\ufffd\ufffd"
	h.want(query, want)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}, problems: []schema.Problem{p, p}})
	h.want(query, want)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	h.want(query)
}

func testSyncStates(h *harness) {
	k := box()
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}}, read{scope: scopeOf(k, accountA, east), state: schema.NotApplicable})
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), state: schema.Failed})
	h.want(`SELECT state, scopes, incomplete, "rows", "new", unchanged, version, started_at, finished_at FROM syncs`,
		"complete|2|0|1|1|0|1.0.0|2026-01-01T00:00:00Z|2026-01-01T00:01:00Z", "partial|1|1|1|0|0|1.0.0|2026-01-01T01:00:00Z|2026-01-01T01:01:00Z")
}
