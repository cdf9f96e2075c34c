package duckdb

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// The columns of a table are documented from its first rows on.
func TestTablesWithRowsAreDocumented(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "estate.duckdb"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := sinktest.NewSynthetic("aws_test_row", 32, 0)
	g.Kind.Doc = "A row."
	for i := range g.Kind.Columns {
		g.Kind.Columns[i].Doc = "Column."
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	last := g.Kind.Columns[len(g.Kind.Columns)-1]
	for i, c := range []struct {
		rows int
		want string
	}{{0, "0 NULL"}, {3, "all Column."}, {0, "all Column."}} {
		if _, err := syncSynthetic(t.Context(), s, g, c.rows, at.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
		k, err := s.tryConnect(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.texts(t.Context(), `SELECT CASE count(comment) WHEN 0 THEN '0' ELSE 'all' END || ' ' || coalesce(max(comment) FILTER (column_name = '`+last.Name+`'), 'NULL')
			FROM duckdb_columns() WHERE table_name = 'aws_test_row'`)
		table, terr := k.texts(t.Context(), "SELECT comment FROM duckdb_tables() WHERE table_name = 'aws_test_row'")
		k.close()
		if err != nil || terr != nil || got[0][0] != c.want || table[0][0] != "A row." {
			t.Errorf("sync %d: columns %v, table %v, want %s: %v, %v", i, got, table, c.want, err, terr)
		}
	}
}
