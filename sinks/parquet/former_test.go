package parquet

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// TestOlderEstatesAreOpened takes what kinds were declared as from an estate,
// as in one that an older dewpoint wrote.
func TestOlderEstatesAreOpened(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "estate")
	place := "parquet:" + dir
	sync := func(n int) []string {
		s, err := Open(t.Context(), place, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := sinktest.Estate()[n].Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		return clouds(t, place)
	}
	if got := sync(0); !slices.Equal(got, []string{"aws"}) {
		t.Fatalf("clouds %v", got)
	}
	layouts, err := filepath.Glob(filepath.Join(dir, layoutFolder, "*"))
	if err != nil || len(layouts) != 1 {
		t.Fatalf("layouts %v: %v", layouts, err)
	}
	have, err := os.ReadFile(layouts[0])
	if err != nil {
		t.Fatal(err)
	}
	old := regexp.MustCompile(`"(cloud|service|key_scope)":"[^"]*",`).ReplaceAll(have, nil)
	if bytes.Equal(old, have) {
		t.Fatal("the layout has no clouds")
	}
	if err := os.WriteFile(layouts[0], old, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := clouds(t, place); !slices.Equal(got, []string{"NULL"}) {
		t.Fatalf("clouds of the older estate %v", got)
	}
	s, err := Open(t.Context(), place, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if former, err := s.Former(t.Context(), "aws"); err != nil || len(former) > 0 {
		t.Fatalf("the older estate remembers %v: %v", former, err)
	}
	if got := sync(1); !slices.Equal(got, []string{"aws"}) {
		t.Fatalf("clouds after a sync %v", got)
	}
}

func clouds(t *testing.T, place string) []string {
	t.Helper()
	rows, err := query(t.Context(), place, "SELECT DISTINCT cloud FROM kinds")
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(rows...)
}
