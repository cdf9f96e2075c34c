// Package duckdb is the sink that keeps an estate in one DuckDB file.
//
// A sync is staged as Arrow record batches in the directory FILE.staging and
// becomes visible by one transaction. The file is open for writing only while
// that transaction runs, so other processes can read it during the sync.
//
// The package needs the build tag duckdb_arrow.
package duckdb

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// Options tune a sink. The zero value is ready to use.
type Options struct {
	// LockTimeout is how long to wait for another process that holds the
	// file or its staging; 10 seconds if zero, not at all if negative.
	LockTimeout time.Duration
	// MemoryLimit bounds DuckDB's buffers in bytes, 165 MB if zero. What does
	// not fit is spilled to the staging directory; what DuckDB holds beside
	// its buffers comes on top, up to as much again.
	MemoryLimit int64
	// Threads is the number of DuckDB's threads; half of the processors, at
	// most 4, if zero: one that has nothing to do waits by asking again and
	// again, and others use the machine too.
	Threads int
	// HashBudget bounds the memory in bytes for the hashes by which unchanged
	// rows are told before they are staged, 64 MB if zero. Kinds beyond it
	// are staged in full.
	HashBudget int64
}

// Sink is a DuckDB file.
type Sink struct {
	path    string
	staging string
	opts    Options
	// at is called at every step of the protocol; tests kill the process there.
	at func(step string)
}

var _ sinks.Sink = (*Sink)(nil)

// Open names the file of a sink. The file and what lies beside it are touched
// by Begin only; it is created by the first commit.
func Open(path string, o Options) (*Sink, error) {
	if path == "" {
		return nil, fmt.Errorf("duckdb: no file is named: use duckdb:PATH")
	}
	if strings.ContainsAny(path, "?\x00") || path == ":memory:" {
		return nil, fmt.Errorf("duckdb: %q cannot name a database file: use a path without ?", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("duckdb: %w", err)
	}
	if fi, err := os.Stat(abs); err == nil && fi.IsDir() {
		return nil, fmt.Errorf("duckdb: %s is a directory: name a file in it", path)
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	if o.MemoryLimit == 0 {
		o.MemoryLimit = 165e6
	}
	if o.Threads == 0 {
		o.Threads = max(1, min(runtime.GOMAXPROCS(0)/2, 4))
	}
	if o.HashBudget == 0 {
		o.HashBudget = 64 << 20
	}
	return &Sink{path: abs, staging: abs + ".staging", opts: o, at: func(string) {}}, nil
}

// URL returns duckdb: and the file's absolute path.
func (s *Sink) URL() string { return "duckdb:" + s.path }

// Close does nothing: the file is open only while Begin and Commit run.
func (s *Sink) Close() error { return nil }

// Begin locks the staging directory, sweeps it, checks the tables against the
// kinds and loads the hashes of the rows that are already there.
func (s *Sink) Begin(ctx context.Context, sync sinks.Sync) (sinks.Tx, error) {
	lock, err := s.lockStaging(ctx)
	if err != nil {
		return nil, err
	}
	t, err := s.begin(ctx, sync, lock)
	if err != nil {
		lock.release()
		return nil, err
	}
	return t, nil
}

func (s *Sink) begin(ctx context.Context, sync sinks.Sync, lock *stagingLock) (*tx, error) {
	if err := lock.sweep(); err != nil {
		return nil, fmt.Errorf("sweep %s: %w", s.staging, err)
	}
	s.sweepOverlay()
	s.at("begin:swept")
	t, err := newTx(s, sync, lock)
	if err != nil {
		return nil, err
	}
	if err := t.loadBase(ctx); err != nil {
		t.file.Close()
		return nil, err
	}
	s.at("begin:loaded")
	return t, nil
}

// exists says whether the database file is there and not empty.
func (s *Sink) exists() bool {
	fi, err := os.Stat(s.path)
	return err == nil && fi.Size() > 0
}
