package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// parquetTimes are what a child process that writes Parquet reports.
type parquetTimes struct {
	Table  float64 // seconds for the files of the kind's table
	CPU    float64 // CPU time of it, where one file was written after another
	Sync   float64 // for the whole sync, without making the rows
	Made   float64 // for making the rows
	Files  int     // of the kind's table
	Bytes  int64
	Writes int // files of kinds that the sync wrote
}

// parquetFigures measures syncs of synthetic rows of 32 columns into Parquet
// files on disk against pqarrow writing the same rows with the same settings.
func parquetFigures(small, large int) ([]figure, error) {
	dir, err := os.MkdirTemp("", "dewpoint-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var all []figure
	add := func(f ...figure) { all = append(all, f...) }
	alone, _, err := parquetChild("parquet-alone", filepath.Join(dir, "alone.parquet"), large, 1)
	if err != nil {
		return nil, err
	}
	for _, scopes := range []int{1, large / 10} {
		place := filepath.Join(dir, fmt.Sprint("estate-", scopes))
		first, r, err := parquetChild("parquet-sync", place, large, scopes)
		if err != nil {
			return nil, err
		}
		before := alone.Table
		if alone, _, err = parquetChild("parquet-alone", filepath.Join(dir, "alone.parquet"), large, 1); err != nil {
			return nil, err
		}
		wall := (before + alone.Table) / 2 // of before and after: the load of the machine changes
		serial, _, err := parquetChild("parquet-sync-serial", place+"-serial", large, scopes)
		if err != nil {
			return nil, err
		}
		again, r2, err := parquetChild("parquet-sync", place, large, scopes)
		if err != nil {
			return nil, err
		}
		if again.Writes > 0 {
			return nil, fmt.Errorf("the unchanged second sync of %d scopes wrote %d files of kinds", scopes, again.Writes)
		}
		name := fmt.Sprintf("%d rows, %d scopes", large, scopes)
		add(figure{
			what: "Parquet, " + name + ": speed of the kind's table / pqarrow alone", value: wall / first.Table, unit: "x", limit: 0.85, least: true,
			note: fmt.Sprintf("%.1f / %.1f s, %d files, %.0f MB", first.Table, wall, first.Files, float64(first.Bytes)/1e6),
		}, figure{
			what: "the same in CPU time, one file after another", value: alone.CPU / serial.CPU, unit: "x",
			note: fmt.Sprintf("%.1f / %.1f CPU-s", serial.CPU, alone.CPU),
		}, figure{
			what: "the whole first sync (staging, table, resources, edges, commit)", value: first.Sync / wall, unit: "x",
			note: fmt.Sprintf("%.1f s; the rows took %.1f s to make", first.Sync, first.Made),
		}, figure{
			what: "the unchanged second sync / the first, no file of a kind written", value: again.Sync / first.Sync, unit: "x", limit: 0.4,
			note: fmt.Sprintf("%.1f s", again.Sync),
		}, figure{what: "peak memory of the first", value: r.peakMB, unit: "MB", limit: 300},
			figure{what: "peak memory of the second", value: r2.peakMB, unit: "MB", limit: 300})
		if err := errors.Join(os.RemoveAll(place), os.RemoveAll(place+"-serial")); err != nil {
			return nil, err
		}
	}
	_, r, err := parquetChild("parquet-sync", filepath.Join(dir, "small"), small, small/10)
	if err != nil {
		return nil, err
	}
	add(figure{what: fmt.Sprintf("Parquet, %d rows, %d scopes: peak memory", small, small/10), value: r.peakMB, unit: "MB", limit: 300})
	return all, nil
}

func parquetChild(what, place string, rows, scopes int) (t parquetTimes, r run, err error) {
	self, err := os.Executable()
	if err != nil {
		return t, r, err
	}
	report := place + ".json"
	if r, err = measure(exec.Command(self, what, place, strconv.Itoa(rows), strconv.Itoa(scopes), report)); err != nil {
		return t, r, err
	}
	b, err := os.ReadFile(report)
	if err != nil {
		return t, r, err
	}
	return t, r, json.Unmarshal(b, &t)
}

// parquetMain is what the child processes run.
func parquetMain(args []string) error {
	if len(args) != 5 {
		return errors.New("want: what place rows scopes report")
	}
	rows, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	scopes, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	var t parquetTimes
	switch args[0] {
	case "parquet-alone":
		t, err = parquetAlone(args[1], rows)
	case "parquet-sync-serial":
		t, err = parquetSync(args[1], rows, scopes, 1)
	default:
		t, err = parquetSync(args[1], rows, scopes, 0)
	}
	if err != nil {
		return err
	}
	b, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return os.WriteFile(args[4], b, 0o600)
}

func parquetScope(k *schema.Kind, i int) schema.Scope {
	return schema.Scope{Cloud: "aws", Account: fmt.Sprintf("%012d", i/20), Region: fmt.Sprintf("eu-west-%d", i%20), Kind: k.Name}
}

// parquetSync is one sync of all rows.
func parquetSync(place string, rows, scopes, threads int) (t parquetTimes, err error) {
	ctx := context.Background()
	g := sinktest.NewSynthetic("aws_bench_row", 32, 1)
	var begun time.Time
	var spent float64
	o := parquet.Options{Threads: threads, Writing: func(table, _ string, done bool) {
		t.Writes++
		switch {
		case table != g.Kind.Name:
		case done:
			t.Table, t.CPU = time.Since(begun).Seconds(), cpuSeconds()-spent
		default:
			begun, spent = time.Now(), cpuSeconds()
		}
	}}
	s, err := parquet.Open(ctx, "parquet:"+place, o)
	if err != nil {
		return t, err
	}
	defer s.Close()
	started := time.Now()
	id, err := uuid.NewV7()
	if err != nil {
		return t, err
	}
	tx, err := s.Begin(ctx, sinks.Sync{ID: id, StartedAt: time.Now(), Version: "bench", Kinds: []*schema.Kind{g.Kind}})
	if err != nil {
		return t, err
	}
	defer tx.Rollback(ctx)
	var made time.Duration
	per := rows / scopes
	for i := range scopes {
		scope := parquetScope(g.Kind, i)
		for n := i * per; n < (i+1)*per; n += 1000 {
			from := time.Now()
			b := g.Batch(scope, n, min(n+1000, (i+1)*per))
			made += time.Since(from)
			if err := tx.Write(ctx, b); err != nil {
				return t, err
			}
		}
		if err := tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete, Rows: int64(per)}); err != nil {
			return t, err
		}
	}
	sum, err := tx.Commit(ctx, sinks.Outcome{FinishedAt: time.Now()})
	if err != nil {
		return t, err
	}
	t.Made, t.Sync = made.Seconds(), (time.Since(started) - made).Seconds()
	if got := sum.Kinds[0].Rows; got != int64(per*scopes) {
		return t, fmt.Errorf("%d rows landed, want %d", got, per*scopes)
	}
	files, err := filepath.Glob(filepath.Join(place, g.Kind.Name, "*", "*", "*.parquet"))
	if err != nil {
		return t, err
	}
	t.Files = len(files)
	for _, f := range files {
		fi, err := os.Stat(f)
		if err != nil {
			return t, err
		}
		t.Bytes += fi.Size()
	}
	return t, nil
}

// parquetAlone writes the rows by pqarrow from batches in memory, a row group
// each, and counts only that.
func parquetAlone(path string, rows int) (t parquetTimes, err error) {
	g := sinktest.NewSynthetic("aws_bench_row", 32, 0)
	cols := g.Kind.BatchColumns()
	f, err := os.Create(path)
	if err != nil {
		return t, err
	}
	defer f.Close()
	out := bufio.NewWriterSize(f, 1<<20)
	w, err := pqarrow.NewFileWriter(parquet.ArrowSchema(cols), out, parquet.WriterProperties(cols), pqarrow.DefaultWriterProps())
	if err != nil {
		return t, err
	}
	const group = 65536
	var took time.Duration
	var spent float64
	for n := 0; n < rows; n += group {
		b := g.Batch(parquetScope(g.Kind, n/group), n, min(n+group, rows))
		rec := asFile(b.Rows, cols)
		begun, before := time.Now(), cpuSeconds()
		if err := w.Write(rec); err != nil {
			return t, err
		}
		took += time.Since(begun)
		spent += cpuSeconds() - before
		rec.Release()
		b.Release()
	}
	begun, before := time.Now(), cpuSeconds()
	if err := w.Close(); err != nil {
		return t, err
	}
	if err := errors.Join(out.Flush(), f.Sync()); err != nil && !errors.Is(err, os.ErrClosed) {
		return t, err
	}
	t.Table, t.CPU = (took + time.Since(begun)).Seconds(), spent+cpuSeconds()-before
	return t, nil
}

// asFile is a batch with the columns that a file has: UUIDs are text.
func asFile(rec arrow.RecordBatch, cols []schema.Column) arrow.RecordBatch {
	arrays := make([]arrow.Array, len(cols))
	for i, c := range cols {
		if c.Type != schema.UUID {
			arrays[i] = rec.Column(i)
			arrays[i].Retain()
			continue
		}
		b := array.NewStringBuilder(memory.DefaultAllocator)
		ids := rec.Column(i).(*array.FixedSizeBinary)
		for j := range ids.Len() {
			b.Append(uuid.UUID(ids.Value(j)).String())
		}
		arrays[i] = b.NewArray()
		b.Release()
	}
	return array.NewRecordBatch(parquet.ArrowSchema(cols), arrays, rec.NumRows())
}
