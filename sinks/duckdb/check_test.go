package duckdb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks"
)

func TestCheckSaysWhetherASyncWouldWork(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	check := func(path string, want ...string) {
		t.Helper()
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range s.Check(t.Context()) {
			got = append(got, f.Level.String()+" "+f.About+" "+f.Text)
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %q, want %q", path, got, want)
		}
		for i := range want {
			if !strings.Contains(got[i], want[i]) {
				t.Errorf("%s: %q, want %q", path, got[i], want[i])
			}
		}
	}
	check(filepath.Join(dir, "new", "x.db"), "fine lock no sync runs", "fine storage the first sync creates the file")
	check("/dev/null/x.db", "problem storage")
	check(write("text", strings.Repeat("no database ", 1000)), "fine lock", "problem connection")

	path := filepath.Join(dir, "estate.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ApplySchema(t.Context(), nil, false); err != nil {
		t.Fatal(err)
	}
	check(path, "fine lock no sync runs", "fine connection DuckDB v")
	tx, err := s.Begin(t.Context(), sinks.Sync{ID: uuid.Must(uuid.NewV7())})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	check(path, "notice lock a sync runs: process", "fine connection")
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("Check leaves %v, %v", entries, err)
	}
}
