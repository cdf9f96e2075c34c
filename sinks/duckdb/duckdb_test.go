package duckdb

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// The environment of a child process that holds a file open until its input
// ends: childHold is an access mode of DuckDB, or staging for the sync's lock.
const (
	childFile = "DEWPOINT_TEST_CHILD_FILE"
	childHold = "DEWPOINT_TEST_CHILD_HOLD"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		os.Exit(holdFile(path, os.Getenv(childHold)))
	}
	sinktest.Child(func(path string, at func(step string)) (sinks.Sink, error) {
		s, err := Open(path, Options{})
		if err != nil {
			return nil, err
		}
		s.at = at
		return s, nil
	})
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Target { return newTarget(t, Options{LockTimeout: 50 * time.Millisecond}) })
}

// TestConformanceWithoutHashes runs the suite as it is for kinds whose hashes
// do not fit the budget.
func TestConformanceWithoutHashes(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite a second time")
	}
	sinktest.Run(t, func(t *testing.T) sinktest.Target {
		return newTarget(t, Options{LockTimeout: 50 * time.Millisecond, HashBudget: 1})
	})
}

func newTarget(t *testing.T, o Options) sinktest.Target {
	path := filepath.Join(t.TempDir(), "estate.duckdb")
	return sinktest.Target{
		Open:         func() (sinks.Sink, error) { return Open(path, o) },
		Query:        func(q string) ([][]string, error) { return query(path, q) },
		QueryOverlay: func(o sinks.Overlay, q string) ([][]string, error) { return query(o.(*overlay).path, q) },
		Exec: func(q string) error {
			db, err := sql.Open("duckdb", path)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Exec(q)
			return err
		},
		Place: path,
	}
}

// query reads a file as another program would.
func query(path, q string) ([][]string, error) {
	db, err := OpenReader(context.Background(), path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return sinktest.QueryDuckDB(db, q)
}

// TestNothingStaged holds that what a commit reads from leaves nothing in the
// file.
func TestNothingStaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.duckdb")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, sync := range sinktest.Estate() {
		if _, err := sync.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	db, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("SELECT count(*) FROM duckdb_views() WHERE NOT internal AND sql = ''").Scan(&n); err != nil || n > 0 {
		t.Errorf("%d views of nothing are left: %v", n, err)
	}
}
