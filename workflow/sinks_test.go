package workflow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
)

// pair is an estate that is synced to two files.
type pair struct {
	*estate
	other string // the second file
}

func newPair(t *testing.T, otherFirst bool) *pair {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume", "aws_ec2_vpc")
	for _, r := range []string{east, west} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-1-"+r, 1), volume("vol-2-"+r, 1))
		e.Put(at("", r), "ec2.DescribeVpcs", vpc("vpc-"+r, accountA))
	}
	p := &pair{estate: e, other: filepath.Join(filepath.Dir(e.path), "other.duckdb")}
	e.sinks = []string{"duckdb:" + e.path, "duckdb:" + p.other}
	if otherFirst {
		slices.Reverse(e.sinks)
	}
	return p
}

// bigRows is about the size of what a big region answers.
const bigRows = 24 << 20

// reading calls f once while a list is being read, which may be big.
func (p *pair) reading(big bool, f func()) {
	items := []any{volume("vol-1-"+west, 1), volume("vol-2-"+west, 1)}
	if big {
		for i := range bigRows >> 20 {
			v := volume(fmt.Sprint("vol-big-", i), i)
			v["Tags"] = tags(strings.Repeat("x", 1<<20))
			items = append(items, v)
		}
	}
	var once sync.Once
	p.HandleList(at("", west), "ec2.DescribeVolumes", func(*awsfake.Request) (awsfake.List, error) {
		once.Do(f)
		return awsfake.List{Items: items}, nil
	})
}

// in looks into the second file.
func (p *pair) in() *estate { return &estate{t: p.t, path: p.other} }

// same compares all kind tables and resources of the two files.
func (p *pair) same() {
	p.t.Helper()
	for _, q := range []string{
		"SELECT * EXCLUDE (_sync_id) FROM resources", "SELECT * EXCLUDE (_sync_id) FROM aws_ec2_volume",
		"SELECT * EXCLUDE (_sync_id) FROM aws_ec2_vpc", "SELECT * FROM edges",
	} {
		p.in().want(q, p.rows(q)...)
	}
}

// full makes every further write to an open file fail as on a full disk.
func full(t *testing.T, path string) {
	t.Helper()
	dev, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err != nil || !strings.HasPrefix(to, path) || strings.HasSuffix(to, "/lock") {
			continue
		}
		var at int
		if _, err := fmt.Sscan(fd.Name(), &at); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(dev.Fd()), at, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n == 0 {
		t.Errorf("no file in %s is open", path)
	}
}

// failures are ways in which the second of two sinks fails.
var failures = map[string]struct {
	// before breaks the file before the sync, reading while it reads; what
	// they return mends it.
	before, reading func(t *testing.T, path string) (mend func())
	step, want      string
	big             bool // more is read than is held in memory
}{
	"no directory": {
		before: func(t *testing.T, path string) func() {
			write(t, path+".staging", "a file")
			return func() { os.Remove(path + ".staging") }
		},
		step: "begin", want: "not a directory",
	},
	"no database": {
		before: func(t *testing.T, path string) func() {
			write(t, path, strings.Repeat("no database ", 1000))
			return func() { os.Remove(path) }
		},
		step: "begin", want: "no DuckDB database",
	},
	"locked": {
		before: func(t *testing.T, path string) func() {
			s, err := duckdb.Open(path, duckdb.Options{})
			if err != nil {
				t.Fatal(err)
			}
			tx, err := s.Begin(t.Context(), sinks.Sync{})
			if err != nil {
				t.Fatal(err)
			}
			return func() { tx.Rollback(t.Context()) }
		},
		step: "begin", want: "is locked by process",
	},
	"disk full": {
		reading: func(t *testing.T, path string) func() {
			full(t, path+".staging")
			return func() {}
		},
		step: "write", want: "no space left on device", big: true,
	},
	"disk full at the end": {
		reading: func(t *testing.T, path string) func() {
			full(t, path+".staging")
			return func() {}
		},
		step: "commit", want: "no space left on device",
	},
	"replaced while reading": {
		reading: func(t *testing.T, path string) func() {
			write(t, path, strings.Repeat("no database ", 1000))
			return func() { os.Remove(path) }
		},
		step: "commit", want: "no DuckDB database",
	},
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestFailedSinkLeavesTheOtherAlone breaks one of two sinks at every step, the
// first and the second of them.
func TestFailedSinkLeavesTheOtherAlone(t *testing.T) {
	for name, f := range failures {
		for _, first := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/first=%v", name, first), func(t *testing.T) {
				p := newPair(t, first)
				var mend func()
				if f.before != nil {
					mend = f.before(t, p.other)
				} else {
					p.reading(f.big, func() { mend = f.reading(t, p.other) })
				}
				r := p.sync()
				if r.Complete() || !r.Committed() || r.Interrupted || len(r.Incomplete) > 0 {
					t.Errorf("complete %v, committed %v, interrupted %v, incomplete %v", r.Complete(), r.Committed(), r.Interrupted, r.Incomplete)
				}
				for _, s := range r.Sinks {
					switch s.URL {
					case "duckdb:" + p.path:
						if s.Err != nil || len(s.Summary.Kinds) != 2 {
							t.Errorf("the other sink: %v, %+v", s.Err, s.Summary)
						}
					case "duckdb:" + p.other:
						if s.Err == nil || !strings.HasPrefix(s.Err.Error(), f.step+": ") || !strings.Contains(s.Err.Error(), f.want) {
							t.Errorf("the sink fails with %v, want %s: %s", s.Err, f.step, f.want)
						}
						if s.Failure() == nil || !strings.Contains(s.Failure().Error(), "other.duckdb") {
							t.Errorf("the failure %v does not name the sink", s.Failure())
						}
					default:
						t.Errorf("there is a sink %s", s.URL)
					}
				}
				if len(r.Sinks) != 2 || !slices.Equal(p.failed, []string{"duckdb:" + p.other}) {
					t.Errorf("%d sinks are reported, %v failed", len(r.Sinks), p.failed)
				}
				p.want("SELECT id FROM aws_ec2_volume WHERE id NOT LIKE 'vol-big-%'", "vol-1-us-east-1", "vol-2-us-east-1", "vol-1-eu-west-1", "vol-2-eu-west-1")
				p.whole()

				mend()
				p.Put(at("", west), "ec2.DescribeVolumes", volume("vol-1-"+west, 2))
				p.complete()
				p.same()
				p.want("SELECT id, size FROM aws_ec2_volume", "vol-1-us-east-1 1", "vol-2-us-east-1 1", "vol-1-eu-west-1 2")
			})
		}
	}
}

func TestAllSinksFailingIsAnError(t *testing.T) {
	p := newPair(t, false)
	for _, path := range []string{p.path, p.other} {
		write(t, path, strings.Repeat("no database ", 1000))
	}
	r, err := p.attempt(t.Context())
	if err == nil || r.Committed() || len(r.Sinks) != 2 || len(p.failed) != 2 {
		t.Fatalf("%v, committed %v, %+v", err, r.Committed(), r.Sinks)
	}
	for _, name := range []string{"estate.duckdb", "other.duckdb"} {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("the error does not name %s: %v", name, err)
		}
	}
	if p.Calls("ec2.DescribeVolumes") > 0 {
		t.Error("lists are read though no sink is left")
	}
}

// TestInterruptEndsTheWaitForALock has the first signal come before anything
// is read.
func TestInterruptEndsTheWaitForALock(t *testing.T) {
	p := newPair(t, false)
	s, err := duckdb.Open(p.other, duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := s.Begin(t.Context(), sinks.Sync{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("the user has had enough")
	p.sinks = []string{"duckdb:" + p.path}
	p.wrap = func(sinks.Sink) sinks.Sink {
		time.AfterFunc(50*time.Millisecond, func() { cancel(enough) })
		s, err := duckdb.Open(p.other, duckdb.Options{LockTimeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	r, err := p.attempt(ctx)
	if !errors.Is(err, enough) || r.Committed() {
		t.Errorf("the sync ends with %v, committed %v", err, r.Committed())
	}
}

// TestSlowSinkSlowsAndLosesNothing has one of two sinks wait before each batch.
func TestSlowSinkSlowsAndLosesNothing(t *testing.T) {
	p := newPair(t, false)
	var many []item
	for i := range 60 {
		many = append(many, volume(fmt.Sprint("vol-", i), i))
	}
	p.Put(at("", west), "ec2.DescribeVolumes", many...)
	p.wrap = func(s sinks.Sink) sinks.Sink { return slow{s} }
	p.complete()
	p.same()
	p.want("SELECT count(*) FROM aws_ec2_volume", "62")
}

// slow takes its time.
type slow struct{ sinks.Sink }

func (s slow) Begin(ctx context.Context, sync sinks.Sync) (sinks.Tx, error) {
	tx, err := s.Sink.Begin(ctx, sync)
	return slowTx{tx}, err
}

type slowTx struct{ sinks.Tx }

func (t slowTx) Write(ctx context.Context, b *schema.Batch) error {
	time.Sleep(20 * time.Millisecond)
	return t.Tx.Write(ctx, b)
}

// TestBatchesAreReleased counts Arrow's memory after a sync into two sinks, of
// which one fails: what is left are builders, not rows.
func TestBatchesAreReleased(t *testing.T) {
	for name, f := range failures {
		if f.reading == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := newPair(t, true)
			p.reading(true, func() { f.reading(t, p.other) })
			before := memory.DefaultAllocator
			checked := memory.NewCheckedAllocator(before)
			memory.DefaultAllocator = checked
			defer func() { memory.DefaultAllocator = before }()
			if r := p.sync(); r.Complete() {
				t.Error("no sink failed")
			}
			if n := checked.CurrentAlloc(); n > bigRows/100 {
				t.Errorf("%d bytes are not released", n)
			}
		})
	}
}
