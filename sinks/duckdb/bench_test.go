package duckdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the process's peak resident memory, in kilobytes.
func peak() string {
	b, _ := os.ReadFile("/proc/self/status")
	for l := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

func TestSmoke(t *testing.T) {
	rows, cols, scopes, edges := 10000, 32, 1, 1
	fmt.Sscan(os.Getenv("ROWS"), &rows)
	fmt.Sscan(os.Getenv("COLS"), &cols)
	fmt.Sscan(os.Getenv("SCOPES"), &scopes)
	fmt.Sscan(os.Getenv("EDGES"), &edges)
	path := filepath.Join(t.TempDir(), "x.duckdb")
	if os.Getenv("KEEP") != "" {
		path = os.Getenv("KEEP")
	}
	var o Options
	fmt.Sscan(os.Getenv("LIMIT"), &o.MemoryLimit)
	fmt.Sscan(os.Getenv("THREADS"), &o.Threads)
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	last, c0 := time.Now(), cpuTime()
	if os.Getenv("STEPS") != "" {
		s.at = func(step string) {
			fmt.Printf("   %-22s %6.2f s cpu %6.2f  %s\n", step, time.Since(last).Seconds(), (cpuTime() - c0).Seconds(), peak())
			last, c0 = time.Now(), cpuTime()
		}
	}
	ctx := context.Background()
	for i, version := range []int{0, 0, 1} {
		g := sinktest.NewSynthetic("aws_test_row", cols, edges)
		g.Version = version
		at, c := time.Now(), cpuTime()
		id, _ := uuid.NewV7()
		tx, err := s.Begin(ctx, sinks.Sync{ID: id, StartedAt: time.Now(), Version: "1", Kinds: []*schema.Kind{g.Kind}})
		if err != nil {
			t.Fatal(err)
		}
		for sc := range scopes {
			scope := schema.Scope{Cloud: "aws", Account: fmt.Sprint(100000000000 + sc/20), Region: fmt.Sprintf("eu-west-%d", sc%20), Kind: g.Kind.Name}
			per := rows / scopes
			for n := sc * per; n < (sc+1)*per; n += 1000 {
				if err := tx.Write(ctx, g.Batch(scope, n, min(n+1000, (sc+1)*per))); err != nil {
					t.Fatal(err)
				}
			}
			if err := tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete, Rows: int64(per)}); err != nil {
				t.Fatal(err)
			}
		}
		s.at("written")
		sum, err := tx.Commit(ctx, sinks.Outcome{FinishedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if os.Getenv("SYNCS") == fmt.Sprint(i+1) {
			defer os.Exit(0)
		}
		fmt.Printf("sync %d: %.2f s, cpu %.2f s, %+v, peak %s\n", i, time.Since(at).Seconds(), (cpuTime() - c).Seconds(), sum, peak())
	}
}
