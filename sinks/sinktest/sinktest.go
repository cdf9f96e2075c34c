// Package sinktest is the conformance suite of the sinks: every rule about
// what becomes of a sync's rows, as a test against the sinks.Sink interface
// and SQL alone. A sink passes it by one call of Run.
package sinktest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Target is an empty place for a sink.
type Target struct {
	// Dialect is the SQL of Query and Exec, DuckDB if empty.
	Dialect Dialect
	// Open opens the sink on the place. It is called more than once, also
	// while an earlier one is still open.
	Open func() (sinks.Sink, error)
	// Query runs SQL on what is committed. Values come as Text gives them:
	// NULL as "NULL", booleans as true and false, timestamps as RFC 3339 in
	// UTC with the fraction they have, UUIDs in their usual form, numbers in
	// the shortest form, lists, maps and JSON as CanonicalJSON.
	Query func(query string) ([][]string, error)
	// QueryOverlay runs SQL on what is committed in an overlay, as Query does.
	QueryOverlay func(o sinks.Overlay, query string) ([][]string, error)
	// Exec runs a statement of a user.
	Exec func(statement string) error
	// Ident quotes a name of a table or column as the database has it, if it
	// is another than the name in double quotes.
	Ident func(name string) string
	// Place names the place for another process: the one that Child opens.
	Place string
}

// Run runs the suite. open makes a new empty target for each test and removes
// it with t.Cleanup.
//
// The file cannot.tsv beside the sink's test names cases that its system
// cannot pass, a tab, and the reason. The docs list them.
func Run(t *testing.T, open func(t *testing.T) Target) {
	cannot, err := readCannot("cannot.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range allCases() {
		t.Run(c.name, func(t *testing.T) {
			if reason, ok := cannot[c.name]; ok {
				t.Skip(reason)
			}
			c.run(newHarness(t, open(t)))
		})
	}
}

func allCases() []testCase {
	return slices.Concat(rowCases, valueCases, scopeCases, edgeCases, referenceCases, historyCases, schemaCases, planCases, formerCases, protocolCases, overlayCases, largeCases, estateCases)
}

// readCannot reads which cases a sink leaves out, and why. A file that is not
// there is empty.
func readCannot(path string) (map[string]string, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	all := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, reason, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || reason == "" || !slices.ContainsFunc(allCases(), func(c testCase) bool { return c.name == name }) {
			return nil, fmt.Errorf("%s: %q is not the name of a case, a tab and a reason", path, line)
		}
		all[name] = reason
	}
	return all, nil
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
	// syncs counts those that were begun; each starts an hour after the last.
	syncs int
}

func newHarness(t *testing.T, target Target) *harness {
	t.Helper()
	h := &harness{T: t, target: target}
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
	h.syncs++
	at := syncTime(h.syncs)
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

func (h *harness) write(tx sinks.Tx, r run) {
	h.Helper()
	if err := r.write(h.Context(), tx); err != nil {
		h.Fatal(err)
	}
}

// write hands a sync's rows to the sink.
func (r *run) write(ctx context.Context, tx sinks.Tx) error {
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
			if err := tx.Write(ctx, b); err != nil {
				return fmt.Errorf("write %s of %s: %w", rd.scope.ID(), k.Name, err)
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
		if err := tx.Scope(ctx, res); err != nil {
			return fmt.Errorf("scope %s of %s: %w", rd.scope.ID(), k.Name, err)
		}
	}
	return nil
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

// want compares a query's rows, each joined by |, with the given ones. Their
// order does not count.
func (h *harness) want(query string, rows ...string) {
	h.Helper()
	if d := cmp.Diff(slices.Sorted(slices.Values(rows)), h.query(query), cmpopts.EquateEmpty()); d != "" {
		h.Fatalf("%s (-want +got):\n%s", query, d)
	}
}

// query returns a query's rows, each joined by |, sorted.
func (h *harness) query(query string) []string {
	h.Helper()
	got, err := h.target.Query(h.target.sql(query))
	if err != nil {
		h.Fatalf("%s: %v", query, err)
	}
	text := make([]string, len(got))
	for i, r := range got {
		text[i] = strings.Join(r, "|")
	}
	slices.Sort(text)
	return text
}

// exec runs statements of a user.
func (h *harness) exec(statements ...string) {
	h.Helper()
	for _, s := range statements {
		if err := h.target.Exec(h.target.sql(s)); err != nil {
			h.Fatalf("%s: %v", s, err)
		}
	}
}

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
