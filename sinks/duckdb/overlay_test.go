package duckdb

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// TestOverlaysAreSwept holds that the copy of a process that was killed goes
// with the next sync, and that of one that lives does not.
func TestOverlaysAreSwept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.duckdb")
	s, err := Open(path, Options{LockTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	first := sinktest.Estate()[0]
	if _, err := first.Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	o, err := s.Overlay(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var locked *sinks.LockedError
	if _, err := s.Overlay(t.Context(), nil); !errors.As(err, &locked) {
		t.Errorf("a second overlay: %v", err)
	}
	s.sweepOverlay()
	copied := filepath.Join(path+".overlay", "estate.duckdb")
	if _, err := os.Stat(copied); err != nil {
		t.Errorf("the overlay of a living process is swept: %v", err)
	}
	// Its lock ends with the process.
	if err := o.(*overlay).lock.file.Close(); err != nil {
		t.Fatal(err)
	}
	tx, err := s.Begin(t.Context(), sinks.Sync{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	if _, err := os.Stat(path + ".overlay"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the overlay is left behind: %v", err)
	}
}
