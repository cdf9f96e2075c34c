package sinktest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// The environment of a child process.
const (
	childPlace = "DEWPOINT_TEST_CHILD_PLACE"
	childStep  = "DEWPOINT_TEST_CHILD_STEP"
	childSync  = "DEWPOINT_TEST_CHILD_SYNC"
)

// Child makes a test binary able to be the process that KilledAtEveryStep
// kills: the package's TestMain calls it first. In that process it runs a sync
// and ends the process, in any other it does nothing.
//
// open opens the sink on Target.Place. The sink calls at, in the order of its
// protocol, with its own names of the steps at which a sync can die.
func Child(open func(place string, at func(step string)) (sinks.Sink, error)) {
	place := os.Getenv(childPlace)
	if place == "" {
		return
	}
	s, err := open(place, func(step string) {
		fmt.Println("step:" + step)
		if step == os.Getenv(childStep) {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	if err == nil {
		n, _ := strconv.Atoi(os.Getenv(childSync))
		err = crashingSync(context.Background(), s, n)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// syncTime is when a harness's n-th sync starts.
func syncTime(n int) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n-1) * time.Hour)
}

// crashingSync is the sync that the child runs.
func crashingSync(ctx context.Context, s sinks.Sink, n int) error {
	b, k := box(), host()
	at := syncTime(n)
	tx, err := s.Begin(ctx, sinks.Sync{ID: uuidV7(at, n), StartedAt: at, Version: "1.0.0", Kinds: kinds(b, k)})
	if err != nil {
		return err
	}
	for _, batch := range []*schema.Batch{
		Batch(b, scopeOf(b, accountA, west), Row{ID: "b"}.With("size", int64(2)), Row{ID: "c"}),
		Batch(k, scopeOf(k, accountA, west), Row{ID: "h", Refs: []Ref{{0, "c"}}}),
	} {
		scope := batch.Scope
		if err := tx.Write(ctx, batch); err != nil {
			return err
		}
		if err := tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete}); err != nil {
			return err
		}
	}
	_, err = tx.Commit(ctx, sinks.Outcome{FinishedAt: at.Add(time.Minute)})
	return err
}

// child runs the next sync in another process, killed at the step unless that
// is empty, and returns the steps that it came by.
func (h *harness) child(step string) ([]string, error) {
	h.syncs++
	cmd := exec.CommandContext(h.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childPlace+"="+h.target.Place, childStep+"="+step, fmt.Sprintf("%s=%d", childSync, h.syncs))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var steps []string
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		if s, ok := strings.CutPrefix(lines.Text(), "step:"); ok {
			steps = append(steps, s)
		}
	}
	var exit *exec.ExitError
	if step != "" && errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return steps, nil
	}
	if err != nil || step != "" {
		return nil, fmt.Errorf("the child was not killed at %q: %v: %s", step, err, errs.Bytes())
	}
	return steps, nil
}

// testKilled kills a sync at each of its steps: the state is the old or the
// new one, whole, and the next sync works on it.
func testKilled(h *harness) {
	b, k := box(), host()
	base := []read{
		{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "a"}, Row{ID: "b"}.With("size", int64(1))}},
		{scope: scopeOf(k, accountA, west), rows: []Row{{ID: "h", Refs: []Ref{{0, "a"}}}}},
	}
	state := func() string {
		var all []string
		for _, q := range []string{"SELECT id, size FROM aws_test_box", "SELECT id FROM resources", "SELECT to_ref, resolution FROM edges"} {
			all = append(all, strings.Join(h.query(q), " "))
		}
		return strings.Join(all, "; ")
	}
	counts := func() (syncs, history int) {
		for q, n := range map[string]*int{count("syncs"): &syncs, count("resource_history"): &history} {
			var err error
			if *n, err = strconv.Atoi(h.query(q)[0]); err != nil {
				h.Fatal(err)
			}
		}
		return syncs, history
	}
	const before, after = "a|NULL b|1; a b h; a|id", "b|2 c|NULL; b c h; c|id"
	var steps []string
	ends := map[string]int{}
	try := func(step string) {
		h.reads(kinds(b, k), base...)
		syncs, history := counts()
		if got := state(); got != before {
			h.Fatalf("before %s the state is %s, want %s", step, got, before)
		}
		passed, err := h.child(step)
		if err != nil {
			h.Fatal(err)
		}
		if step == "" {
			steps = passed
		}
		s, r := counts()
		got := state()
		ends[got]++
		if old, now := got == before && s == syncs && r == history, got == after && s == syncs+1 && r == history+2; !now && (!old || step == "") {
			h.Fatalf("killed at %q: the state is %s with %d syncs and %d history rows more, neither the old nor the new one", step, got, s-syncs, r-history)
		}
	}
	try("")
	seen := map[string]bool{}
	for _, step := range steps {
		if !seen[step] {
			seen[step] = true
			try(step)
		}
	}
	h.reads(kinds(b, k), base...)
	if ends[before] == 0 || ends[after] < 2 {
		h.Errorf("the sync was killed at the steps %q, which all end in the same state", steps)
	}
}
