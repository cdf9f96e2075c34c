// Package sinktest is the conformance suite of the sinks: every rule about
// what becomes of a sync's rows, as a test against the sinks.Sink interface
// and SQL alone. A sink passes it by one call of Run.
package sinktest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Target is an empty place for a sink.
type Target struct {
	// Open opens the sink on the place. It is called more than once, also
	// while an earlier one is still open.
	Open func() (sinks.Sink, error)
	// Query runs SQL on what is committed. Values come as text: NULL as
	// "NULL", booleans as true and false, timestamps as RFC 3339 in UTC with
	// the fraction they have, UUIDs in their usual form, numbers in the
	// shortest form, lists, maps and JSON as compact JSON.
	Query func(query string) ([][]string, error)
	// Exec runs a statement of a user.
	Exec func(statement string) error
	// Crash runs a sync in another process that is killed at a step; nil
	// skips the tests that need it.
	Crash *Crash
}

// Run runs the suite. open makes a new empty target for each test and removes
// it with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) Target) {
	for _, c := range slices.Concat(rowCases, scopeCases, edgeCases, historyCases, schemaCases, protocolCases) {
		t.Run(c.name, func(t *testing.T) { c.run(newHarness(t, open(t))) })
	}
}

type testCase struct {
	name string
	run  func(h *harness)
}

// harness drives one target.
type harness struct {
	*testing.T
	target Target
	sink   sinks.Sink
	syncs  int
	// start is when the next sync starts; each is an hour after the last.
	start time.Time
}

func newHarness(t *testing.T, target Target) *harness {
	t.Helper()
	h := &harness{T: t, target: target, start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	h.open()
	return h
}

func (h *harness) open() {
	h.Helper()
	s, err := h.target.Open()
	if err != nil {
		h.Fatal(err)
	}
	h.sink = s
	h.Cleanup(func() {
		if err := s.Close(); err != nil {
			h.Errorf("close: %v", err)
		}
	})
}

// read is what one scope reports in a sync.
type read struct {
	scope schema.Scope
	state schema.State // complete if empty, not reported if "-"
	rows  []Row
	// pages are further batches of the scope.
	pages    [][]Row
	code     string
	problems []schema.Problem
}

// run is one sync.
type run struct {
	kinds     []*schema.Kind
	reads     []read
	closed    []sinks.Account
	version   string
	retention time.Duration
}

// begin starts a sync and moves the clock on.
func (h *harness) begin(r run) (sinks.Tx, time.Time) {
	h.Helper()
	tx, at, err := h.tryBegin(r)
	if err != nil {
		h.Fatalf("begin sync %d: %v", h.syncs, err)
	}
	return tx, at
}

func (h *harness) tryBegin(r run) (sinks.Tx, time.Time, error) {
	at := h.start
	h.start = h.start.Add(time.Hour)
	h.syncs++
	version := r.version
	if version == "" {
		version = "1.0.0"
	}
	tx, err := h.sink.Begin(h.Context(), sinks.Sync{
		ID: uuidV7(at, h.syncs), StartedAt: at, Version: version, Kinds: r.kinds, HistoryRetention: r.retention,
	})
	if err == nil {
		h.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	}
	return tx, at, err
}

// write hands a sync's rows to the sink.
func (h *harness) write(tx sinks.Tx, r run) {
	h.Helper()
	kinds := map[string]*schema.Kind{}
	for _, k := range r.kinds {
		kinds[k.Name] = k
	}
	for _, rd := range r.reads {
		k := kinds[rd.scope.Kind]
		total := 0
		for i, rows := range append([][]Row{rd.rows}, rd.pages...) {
			if len(rows) == 0 && (i > 0 || len(rd.problems) == 0) {
				continue
			}
			b := Batch(k, rd.scope, rows...)
			if i == 0 {
				b.Problems = rd.problems
			}
			total += len(rows)
			if err := tx.Write(h.Context(), b); err != nil {
				h.Fatalf("write %s: %v", rd.scope.ID(), err)
			}
		}
		if rd.state == "-" {
			continue
		}
		res := schema.ScopeResult{Scope: rd.scope, State: rd.state, Rows: int64(total), Calls: 1, Code: rd.code}
		if res.State == "" {
			res.State = schema.Complete
		}
		if res.State != schema.Complete {
			res.Error = "it failed"
		}
		if err := tx.Scope(h.Context(), res); err != nil {
			h.Fatalf("scope %s: %v", rd.scope.ID(), err)
		}
	}
}

// sync runs a whole sync.
func (h *harness) sync(r run) sinks.Summary {
	h.Helper()
	tx, at := h.begin(r)
	h.write(tx, r)
	sum, err := tx.Commit(h.Context(), sinks.Outcome{FinishedAt: at.Add(time.Minute), GoneAccounts: r.closed})
	if err != nil {
		h.Fatalf("commit sync %d: %v", h.syncs, err)
	}
	return sum
}

// reads runs a sync of some kinds with these reads.
func (h *harness) reads(kinds []*schema.Kind, reads ...read) sinks.Summary {
	h.Helper()
	return h.sync(run{kinds: kinds, reads: reads})
}

// want compares a query's rows, each joined by |, with the given ones.
func (h *harness) want(query string, rows ...string) {
	h.Helper()
	got, err := h.target.Query(query)
	if err != nil {
		h.Fatalf("%s: %v", query, err)
	}
	text := make([]string, len(got))
	for i, r := range got {
		text[i] = strings.Join(r, "|")
	}
	if d := cmp.Diff(rows, text, cmpEmpty); d != "" {
		h.Fatalf("%s (-want +got):\n%s", query, d)
	}
}

var cmpEmpty = cmp.Transformer("nilIsEmpty", func(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
})

// kindSum compares what a commit did to a kind.
func (h *harness) kindSum(sum sinks.Summary, kind string, want sinks.KindSummary) {
	h.Helper()
	want.Kind = kind
	for _, s := range sum.Kinds {
		if s.Kind == kind {
			if d := cmp.Diff(want, s); d != "" {
				h.Fatalf("summary (-want +got):\n%s", d)
			}
			return
		}
	}
	h.Fatalf("the summary has no %s", kind)
}

// locked asserts a *sinks.LockedError that names a holder.
func (h *harness) locked(err error) {
	h.Helper()
	var locked *sinks.LockedError
	if !errors.As(err, &locked) {
		h.Fatalf("got %v, want a *sinks.LockedError", err)
	}
	if locked.Holder == "" {
		h.Fatalf("%v does not name its holder", err)
	}
}

// uuidV7 makes a UUID of version 7 with a time and a number.
func uuidV7(at time.Time, n int) (id uuid.UUID) {
	binary.BigEndian.PutUint64(id[:], uint64(at.UnixMilli())<<16|0x7000|uint64(n)&0xfff)
	binary.BigEndian.PutUint64(id[8:], 0x8000000000000000|uint64(n))
	return id
}

// scopeOf is a scope of a kind in the cloud aws.
func scopeOf(k *schema.Kind, account, region string) schema.Scope {
	return schema.Scope{Cloud: k.Cloud, Account: account, Region: region, Kind: k.Name}
}

func repeat(n int, f func(i int) Row) []Row {
	rows := make([]Row, n)
	for i := range rows {
		rows[i] = f(i)
	}
	return rows
}

func count(table string) string { return fmt.Sprintf("SELECT count(*) FROM %s", table) }
