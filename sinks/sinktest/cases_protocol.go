package sinktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
