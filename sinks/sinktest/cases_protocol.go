package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var protocolCases = []testCase{
	{"NothingIsVisibleBeforeCommit", testNotVisible},
	{"RollbackLeavesNothing", testRollback},
	{"FailedWriteFailsTheCommit", testFailedWrite},
	{"CancelledCommitLeavesTheOldState", testCancelled},
	{"WritesAreConcurrent", testConcurrent},
	{"SecondSyncIsRefused", testSecondSync},
	{"TwoSyncsAtOnce", testTwoAtOnce},
	{"EndedSyncTakesNothing", testEnded},
	{"ScopeReportedTwice", testScopeTwice},
	{"SinksFollowEachOther", testFollow},
	{"CheckChangesNothing", testCheck},
	{"ManyScopes", testManyScopes},
	{"KilledAtEveryStep", testKilled},
}

func testNotVisible(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	r := run{kinds: kinds(k), reads: []read{{scope: s, rows: []Row{{ID: "b"}}}}}
	tx, at := h.begin(r)
	h.write(tx, r)
	h.want("SELECT id FROM aws_test_box", "a")
	if _, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at}); err != nil {
		h.Fatal(err)
	}
	h.want("SELECT id FROM aws_test_box", "b")
	if err := tx.Rollback(h.Context()); err != nil {
		h.Fatalf("rollback after commit: %v", err)
	}
	h.want("SELECT id FROM aws_test_box", "b")
}

func testRollback(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	r := run{kinds: kinds(k, cluster()), reads: []read{{scope: s, rows: []Row{{ID: "b"}}}}}
	tx, _ := h.begin(r)
	h.write(tx, r)
	if err := tx.Rollback(h.Context()); err != nil {
		h.Fatal(err)
	}
	h.want("SELECT id FROM aws_test_box", "a")
	h.want(count("syncs"), "1")
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}, {ID: "c"}}})
	h.want("SELECT id FROM aws_test_box", "a", "c")
}

func testFailedWrite(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	tx, _ := h.begin(run{kinds: kinds(k)})
	if err := tx.Write(h.Context(), Batch(cluster(), scopeOf(cluster(), accountA, west), Row{ID: "x"})); err == nil {
		h.Fatal("a batch of a kind that is not part of the sync is taken")
	}
	if err := tx.Scope(h.Context(), schema.ScopeResult{Scope: s, State: schema.Complete}); err != nil {
		h.Fatal(err)
	}
	if _, err := tx.Commit(h.Context(), sinks.Outcome{}); err == nil {
		h.Fatal("the commit after a failed write succeeds")
	}
	h.want("SELECT id FROM aws_test_box", "a")
}

func testCancelled(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}})
	r := run{kinds: kinds(k), reads: []read{{scope: s, rows: []Row{{ID: "b"}}}}}
	tx, _ := h.begin(r)
	h.write(tx, r)
	ctx, cancel := context.WithCancel(h.Context())
	cancel()
	if _, err := tx.Commit(ctx, sinks.Outcome{}); !errors.Is(err, context.Canceled) {
		h.Fatalf("commit: %v, want %v", err, context.Canceled)
	}
	if err := tx.Rollback(h.Context()); err != nil {
		h.Fatal(err)
	}
	h.want("SELECT id FROM aws_test_box", "a")
	h.reads(kinds(k), r.reads...)
	h.want("SELECT id FROM aws_test_box", "b")
}

func testConcurrent(h *harness) {
	k, c := box(), counter()
	const writers, batches, each = 8, 10, 20
	all := kinds(k, c)
	for round := range 2 {
		tx, at := h.begin(run{kinds: all})
		var wg sync.WaitGroup
		for w := range writers {
			kind := all[w%2]
			scope := scopeOf(kind, accountA, fmt.Sprintf("r-%d", w))
			wg.Go(func() {
				for n := range batches {
					rows := repeat(each, func(i int) Row {
						return Row{ID: fmt.Sprintf("%d-%d-%d", w, n, i), Tags: map[string]string{"w": fmt.Sprint(w)}}.With("size", int64(round*(i%2)))
					})
					if err := tx.Write(h.Context(), Batch(kind, scope, rows...)); err != nil {
						h.Error(err)
					}
				}
				if err := tx.Scope(h.Context(), schema.ScopeResult{Scope: scope, State: schema.Complete}); err != nil {
					h.Error(err)
				}
			})
		}
		wg.Wait()
		sum, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at})
		if err != nil {
			h.Fatal(err)
		}
		total := int64(writers / 2 * batches * each)
		want := sinks.KindSummary{Rows: total, New: total}
		if round == 1 {
			want = sinks.KindSummary{Rows: total, Changed: total / 2, Unchanged: total / 2}
		}
		h.kindSum(sum, k.Name, want)
		h.kindSum(sum, c.Name, want)
	}
	h.want("SELECT count(*), count(DISTINCT _id) FROM resources", fmt.Sprintf("%d|%[1]d", writers*batches*each))
}

func testSecondSync(h *harness) {
	k := box()
	tx, _ := h.begin(run{kinds: kinds(k)})
	other, err := h.target.Open()
	if err != nil {
		h.Fatal(err)
	}
	defer other.Close()
	again := sinks.Sync{ID: uuidV7(syncTime(2), 99), StartedAt: syncTime(2), Kinds: kinds(k)}
	_, err = other.Begin(h.Context(), again)
	h.locked(err)
	if err := tx.Rollback(h.Context()); err != nil {
		h.Fatal(err)
	}
	second, err := other.Begin(h.Context(), again)
	if err != nil {
		h.Fatal(err)
	}
	if err := second.Rollback(h.Context()); err != nil {
		h.Fatal(err)
	}
}

// testTwoAtOnce lets syncs of several sinks run into each other: each is either
// refused or whole.
func testTwoAtOnce(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "begin"}}})
	const sinksAtOnce, rounds = 3, 3
	done := make([][]string, sinksAtOnce)
	var number atomic.Int64 // of the sync, the first is over
	number.Store(1)
	var wg sync.WaitGroup
	for i := range sinksAtOnce {
		other, err := h.target.Open()
		if err != nil {
			h.Fatal(err)
		}
		defer other.Close()
		wg.Go(func() {
			for n := range rounds {
				id := fmt.Sprintf("%d-%d", i, n)
				nth := int(number.Add(1))
				at := syncTime(nth)
				r := run{kinds: kinds(k), reads: []read{{scope: s, rows: []Row{{ID: id}}, pages: [][]Row{{{ID: id + "-too"}}}}}}
				tx, err := other.Begin(h.Context(), sinks.Sync{ID: uuidV7(at, nth), StartedAt: at, Version: "1.0.0", Kinds: r.kinds})
				var locked *sinks.LockedError
				if errors.As(err, &locked) {
					continue
				}
				if err == nil {
					err = r.write(h.Context(), tx)
				}
				if err == nil {
					_, err = tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at})
				}
				if err != nil {
					h.Errorf("sync %s: %v", id, err)
					return
				}
				done[i] = append(done[i], id)
			}
		})
	}
	wg.Wait()
	total := 0
	for _, ids := range done {
		total += len(ids)
	}
	if total == 0 {
		h.Fatal("of several syncs at once, none was committed")
	}
	h.want(count("syncs"), fmt.Sprint(total+1))
	h.want("SELECT count(*), count(DISTINCT _sync_id) FROM aws_test_box", "2|1")
	h.want("SELECT count(*), count(DISTINCT _sync_id) FROM resources", "2|1")
	h.want(count("resource_history"), fmt.Sprint(2*total-1))
}

func testEnded(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	for _, end := range []func(tx sinks.Tx) error{
		func(tx sinks.Tx) error { _, err := tx.Commit(h.Context(), sinks.Outcome{}); return err },
		func(tx sinks.Tx) error { return tx.Rollback(h.Context()) },
	} {
		r := run{kinds: kinds(k), reads: []read{{scope: s, rows: []Row{{ID: "a"}}}}}
		tx, _ := h.begin(r)
		h.write(tx, r)
		if err := end(tx); err != nil {
			h.Fatal(err)
		}
		if err := tx.Write(h.Context(), Batch(k, s, Row{ID: "late"})); err == nil {
			h.Error("a sync that has ended takes a batch")
		}
		if _, err := tx.Commit(h.Context(), sinks.Outcome{}); err == nil {
			h.Error("a sync that has ended commits")
		}
		if err := tx.Rollback(h.Context()); err != nil {
			h.Errorf("rollback after the end: %v", err)
		}
	}
	h.want("SELECT id FROM aws_test_box", "a")
	h.want(count("syncs"), "1")
}

func testScopeTwice(h *harness) {
	k := box()
	s := scopeOf(k, accountA, west)
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}}, read{scope: s, rows: []Row{{ID: "b"}}})
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}}, read{scope: s, state: schema.Failed})
	h.want("SELECT id FROM aws_test_box", "a", "b")
	h.reads(kinds(k), read{scope: s, rows: []Row{{ID: "a"}}}, read{scope: s})
	h.want("SELECT id FROM aws_test_box", "a")
}

// testFollow syncs by a sink opened anew each time.
func testFollow(h *harness) {
	k := box()
	for i := range 3 {
		h.open()
		h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{Row{ID: "a"}.With("size", int64(i)), {ID: fmt.Sprint(i)}}})
	}
	h.want("SELECT id, size FROM aws_test_box", "2|NULL", "a|2")
	h.want(count("resource_history"), "4")
}

// testManyScopes reads many small scopes, then the same again, then with one
// row gone and one scope failed.
func testManyScopes(h *harness) {
	scopes, each := 2000, 10
	if testing.Short() {
		scopes = 200
	}
	g := NewSynthetic("aws_test_many", 24, 1)
	sync := func(gone, failed int) sinks.Summary {
		tx, at := h.begin(run{kinds: kinds(g.Kind)})
		for i := range scopes {
			s := schema.Scope{Cloud: "aws", Account: fmt.Sprintf("%012d", i/20), Region: fmt.Sprintf("r-%d", i%20), Kind: g.Kind.Name}
			n, state := each, schema.Complete
			switch i {
			case gone:
				n--
			case failed:
				n, state = 0, schema.Failed
			}
			if n > 0 {
				if err := tx.Write(h.Context(), g.Batch(s, i*each, i*each+n)); err != nil {
					h.Fatal(err)
				}
			}
			if err := tx.Scope(h.Context(), schema.ScopeResult{Scope: s, State: state, Rows: int64(n)}); err != nil {
				h.Fatal(err)
			}
		}
		sum, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at})
		if err != nil {
			h.Fatal(err)
		}
		return sum
	}
	total := int64(scopes * each)
	h.kindSum(sync(-1, -1), g.Kind.Name, sinks.KindSummary{Rows: total, New: total})
	h.kindSum(sync(-1, -1), g.Kind.Name, sinks.KindSummary{Rows: total, Unchanged: total})
	h.kindSum(sync(5, 7), g.Kind.Name, sinks.KindSummary{Rows: total - 1, Unchanged: total - 11, Gone: 1})
	h.want(count("resources"), fmt.Sprint(total-1))
	h.want("SELECT count(*) FROM scopes", fmt.Sprint(scopes))
}

// testCheck asks a sink whether a sync would work: before the first, after it,
// and while another one runs.
func testCheck(h *harness) {
	checker, ok := h.sink.(sinks.Checker)
	if !ok {
		h.Skip("the sink has no Check")
	}
	check := func(most sinks.Level) {
		h.Helper()
		var worst sinks.Level
		findings := checker.Check(h.Context())
		for _, f := range findings {
			worst = max(worst, f.Level)
			if f.About == "" || f.Text == "" {
				h.Errorf("%+v says nothing", f)
			}
		}
		if len(findings) == 0 || worst != most {
			h.Errorf("the findings are %+v, the worst should be a %s", findings, most)
		}
	}
	k := box()
	check(sinks.Fine)
	h.plan(kinds(k), "create_table aws_test_box")
	h.reads(kinds(k), read{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "a"}}})
	check(sinks.Fine)
	tx, at := h.begin(run{kinds: kinds(k)})
	check(sinks.Notice)
	if _, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at}); err != nil {
		h.Fatal(err)
	}
	check(sinks.Fine)
	h.want(count("syncs"), "2")
}
