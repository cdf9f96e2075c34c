package duckdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// benchRows is the number of rows of the benchmarks, DEWPOINT_BENCH_ROWS.
func benchRows(b *testing.B) int {
	v := os.Getenv("DEWPOINT_BENCH_ROWS")
	if v == "" {
		return 100_000
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		b.Fatalf("DEWPOINT_BENCH_ROWS: %v", err)
	}
	return n
}

// BenchmarkSync measures a first, an unchanged and a wholly changed sync
// against DuckDB's own insert of the same rows from an Arrow view and from
// Parquet; insert is the step of the first sync that enters the rows in the
// kind's table. Times are CPU time without that of making the
// rows. Peak memory is
// the process's: run one benchmark at a time to read it.
func BenchmarkSync(b *testing.B) {
	rows := benchRows(b)
	for _, columns := range []int{32, 60} {
		for _, scopes := range []int{1, rows / 10} {
			b.Run(fmt.Sprintf("columns=%d/scopes=%d", columns, scopes), func(b *testing.B) {
				for b.Loop() {
					l := load{B: b, dir: b.TempDir(), g: sinktest.NewSynthetic("aws_test_row", columns, 1), rows: rows, scopes: scopes}
					l.run()
				}
			})
		}
	}
}

// load is one run of the benchmark.
type load struct {
	*testing.B
	dir          string
	g            *sinktest.Synthetic
	rows, scopes int
	made         time.Duration // to make the rows alone
}

func (l *load) run() {
	l.made = l.cpu(func() { l.each(func(b *schema.Batch) error { b.Release(); return nil }) })
	s, err := Open(filepath.Join(l.dir, "estate.duckdb"), Options{})
	if err != nil {
		l.Fatal(err)
	}
	at := map[string]time.Duration{}
	s.at = func(step string) { at[step] = cpuTime() }
	first := l.cpu(func() { l.sync(s) }) - l.made
	s.at = func(string) {}
	insert := at["commit:inserted"] - at["commit:chosen"]
	l.ReportMetric(float64(peakBytes(l.B))/1e6, "first-peak-MB")
	l.ReportMetric(float64(fileSize(s.path))/1e6, "first-file-MB")
	unchanged := l.cpu(func() { l.sync(s) }) - l.made
	view := l.insertView() - l.cpu(func() {
		for r := l.batches(); r.Next(); {
		}
	})
	parquet := l.cpu(l.insertParquet)
	l.g.Version++
	changed := l.cpu(func() { l.sync(s) }) - l.made
	per := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(l.rows) }
	l.ReportMetric(0, "ns/op")
	l.ReportMetric(per(first), "first-µs/row")
	l.ReportMetric(per(unchanged), "unchanged-µs/row")
	l.ReportMetric(per(changed), "changed-µs/row")
	l.ReportMetric(per(view), "view-µs/row")
	l.ReportMetric(per(parquet), "parquet-µs/row")
	l.ReportMetric(float64(first)/float64(view), "first/view")
	l.ReportMetric(float64(view)/float64(insert), "view/insert")
	l.ReportMetric(float64(unchanged)/float64(first), "unchanged/first")
	l.ReportMetric(float64(peakBytes(l.B))/1e6, "peak-MB")
}

// each makes the rows and gives them to f, at most 1000 at a time.
func (l *load) each(f func(*schema.Batch) error) {
	per := l.rows / l.scopes
	for i := range l.scopes {
		for n := i * per; n < (i+1)*per; n += 1000 {
			if err := f(l.g.Batch(l.scope(i), n, min(n+1000, (i+1)*per))); err != nil {
				l.Fatal(err)
			}
		}
	}
}

func (l *load) scope(i int) schema.Scope {
	return schema.Scope{Cloud: "aws", Account: fmt.Sprintf("%012d", i/20), Region: fmt.Sprintf("eu-west-%d", i%20), Kind: l.g.Kind.Name}
}

func (l *load) sync(s *Sink) {
	tx, err := s.Begin(l.Context(), newSync(l.g.Kind))
	if err != nil {
		l.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	l.each(func(b *schema.Batch) error { return tx.Write(l.Context(), b) })
	for i := range l.scopes {
		if err := tx.Scope(l.Context(), schema.ScopeResult{Scope: l.scope(i), State: schema.Complete, Rows: int64(l.rows / l.scopes)}); err != nil {
			l.Fatal(err)
		}
	}
	if _, err := tx.Commit(l.Context(), newOutcome()); err != nil {
		l.Fatal(err)
	}
}

// insertView is DuckDB's own insert of the rows, without edges, from an Arrow
// view into the kind's table in a file. The batches are those that a sync's
// stage makes.
func (l *load) insertView() time.Duration {
	c := l.connect("view.duckdb")
	defer c.close()
	k := &kindCommit{ks: &stage.Kind{Kind: l.g.Kind}}
	view := l.batches()
	took := l.cpu(func() {
		err := c.withView(view, "v", func() error {
			return c.exec(l.Context(), fmt.Sprintf("INSERT INTO t (%s) SELECT %s FROM v; CHECKPOINT", k.names(), k.staged()))
		})
		if err != nil {
			l.Fatal(err)
		}
	})
	if err := c.exec(l.Context(), "COPY t TO "+literal(filepath.Join(l.dir, "rows.parquet"))+" (COMPRESSION zstd)"); err != nil {
		l.Fatal(err)
	}
	return took
}

// batches streams the rows as large batches without edges.
func (l *load) batches() *stage.Stream {
	const step = 8000
	n := 0
	return stage.NewStream(l.g.Kind.BatchSchema(), func() (arrow.RecordBatch, error) {
		if n >= l.rows {
			return nil, nil
		}
		b := l.g.Batch(l.scope(0), n, min(n+step, l.rows))
		n += step
		b.Edges.Release()
		return b.Rows, nil
	})
}

func (l *load) insertParquet() {
	c := l.connect("parquet.duckdb")
	defer c.close()
	if err := c.exec(l.Context(), "INSERT INTO t SELECT * FROM read_parquet("+literal(filepath.Join(l.dir, "rows.parquet"))+"); CHECKPOINT"); err != nil {
		l.Fatal(err)
	}
}

// connect opens a new file with the kind's table as t, for DuckDB alone and
// with more memory than it needs.
func (l *load) connect(name string) *conn {
	s, err := Open(filepath.Join(l.dir, name), Options{MemoryLimit: 2 << 30})
	if err != nil {
		l.Fatal(err)
	}
	if err := os.MkdirAll(s.staging, 0o700); err != nil {
		l.Fatal(err)
	}
	c, err := s.connect(l.Context(), false)
	if err != nil {
		l.Fatal(err)
	}
	var cols []string
	for _, col := range l.g.Kind.TableColumns() {
		cols = append(cols, ident(col.Name)+" "+columnType(col.Type))
	}
	if err := c.exec(l.Context(), "CREATE TABLE t ("+strings.Join(cols, ", ")+")"); err != nil {
		l.Fatal(err)
	}
	return c
}

func (l *load) cpu(f func()) time.Duration {
	runtime.GC()
	start := cpuTime()
	f()
	return cpuTime() - start
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakBytes is the process's peak resident memory.
func peakBytes(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Maxrss << 10
}
