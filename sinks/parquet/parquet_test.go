package parquet

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func TestMain(m *testing.M) {
	sinktest.Child(func(place string, at func(step string)) (sinks.Sink, error) {
		s, err := Open(context.Background(), place, Options{})
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
	place := "parquet:" + filepath.Join(t.TempDir(), "estate")
	return sinktest.Target{
		Open:  func() (sinks.Sink, error) { return Open(t.Context(), place, o) },
		Query: func(q string) ([][]string, error) { return query(t.Context(), place, q) },
		Place: place,
		QueryOverlay: func(o sinks.Overlay, q string) ([][]string, error) {
			db, err := o.Read(t.Context())
			if err != nil {
				return nil, err
			}
			defer db.Close()
			return sinktest.QueryDuckDB(db, q)
		},
	}
}

func query(ctx context.Context, place, q string) ([][]string, error) {
	db, err := OpenReader(ctx, place)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return sinktest.QueryDuckDB(db, q)
}
