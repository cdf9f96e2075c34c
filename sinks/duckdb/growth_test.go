package duckdb

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func newSync(k *schema.Kind) sinks.Sync {
	return sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: time.Now(), Version: "1.0.0", Kinds: []*schema.Kind{k}}
}

func newOutcome() sinks.Outcome { return sinks.Outcome{FinishedAt: time.Now()} }

// syncSynthetic runs a sync of one synthetic scope.
func syncSynthetic(ctx context.Context, s *Sink, g *sinktest.Synthetic, rows int, at time.Time) (sinks.Summary, error) {
	sync := newSync(g.Kind)
	sync.StartedAt = at
	tx, err := s.Begin(ctx, sync)
	if err != nil {
		return sinks.Summary{}, err
	}
	defer tx.Rollback(ctx)
	scope := schema.Scope{Cloud: "aws", Account: "111111111111", Region: "eu-west-1", Kind: g.Kind.Name}
	for n := 0; n < rows; n += 1000 {
		if err := tx.Write(ctx, g.Batch(scope, n, min(n+1000, rows))); err != nil {
			return sinks.Summary{}, err
		}
	}
	if err := tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete, Rows: int64(rows)}); err != nil {
		return sinks.Summary{}, err
	}
	return tx.Commit(ctx, sinks.Outcome{FinishedAt: at.Add(time.Minute)})
}

// TestUnchangedSyncsDoNotGrowTheFile lets a file settle for six syncs and runs
// 50 more; it may grow by the 50 rows of syncs, not more. From sync to sync the
// size goes up and down by some blocks of 256 KB, by how many depends on how
// DuckDB's threads came to run: the smallest of the last sizes counts against
// the largest of the first ones.
func TestUnchangedSyncsDoNotGrowTheFile(t *testing.T) {
	const settling = 6
	for _, volatile := range []bool{false, true} {
		t.Run(fmt.Sprintf("volatile=%v", volatile), func(t *testing.T) {
			syncs := 50
			if testing.Short() {
				syncs = 10
			}
			path := filepath.Join(t.TempDir(), "estate.duckdb")
			s, err := Open(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			g := sinktest.NewSynthetic("aws_test_row", 32, 1)
			g.Kind.Columns[0].Volatile = volatile
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			var sizes []int64
			for i := range syncs + settling {
				if volatile {
					g.Count = i
				}
				sum, err := syncSynthetic(t.Context(), s, g, 5000, at.Add(time.Duration(i)*time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				if i > 0 && (sum.Kinds[0].Unchanged != 5000 || sum.Kinds[0].Rows != 5000) {
					t.Fatalf("sync %d: %+v", i, sum)
				}
				sizes = append(sizes, sum.Bytes)
			}
			t.Log(sizes)
			first, last := slices.Max(sizes[1:settling]), slices.Min(sizes[len(sizes)-4:])
			if last > first+first/20 {
				t.Errorf("in %d syncs the file grew from %d to %d bytes: %d", syncs, first, last, sizes)
			}
		})
	}
}
