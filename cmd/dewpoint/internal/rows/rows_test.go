package rows

import (
	"bytes"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// slice are rows in memory.
type slice struct {
	columns []string
	rows    [][]any
	at      int
}

func (s *slice) Columns() ([]string, error) { return s.columns, nil }
func (s *slice) Next() bool                 { s.at++; return s.at <= len(s.rows) }
func (s *slice) Err() error                 { return nil }
func (s *slice) Scan(dest ...any) error {
	for i, v := range s.rows[s.at-1] {
		*dest[i].(*any) = v
	}
	return nil
}

func estate() *slice {
	at := time.Date(2026, 3, 1, 12, 30, 0, 250_000_000, time.FixedZone("CET", 3600))
	return &slice{
		columns: []string{"id", "name", "size_bytes", "price", "created_at", "tags", "public", "total"},
		rows: [][]any{
			{"i-1", "web \x1b[31m1\nnew", int64(1 << 60), 0.25, at, map[string]any{"owner": "ann", "b": "<x>"}, true, big.NewInt(12)},
			{"i-2", nil, int64(7), 1e21, time.Time(at), map[string]any{}, false, nil},
			{"i-3", "", nil, nil, nil, nil, nil, nil},
			{"i-4", "a, \"quoted\" | name", int64(-3), 3.0, at, []any{"x", int64(9007199254740993), nil}, true, big.NewInt(0)},
		},
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		name, format, null string
		screen             term.Screen
	}{
		{"table_wide", "table", "NULL", term.Screen{Width: 200, Terminal: true}},
		{"table_80", "table", "NULL", term.Screen{Width: 80, Terminal: true}},
		{"table_40", "table", "NULL", term.Screen{Width: 40, Terminal: true}},
		{"table_pipe", "table", "NULL", term.Screen{}},
		{"table_colour", "table", "NULL", term.Screen{Width: 120, Terminal: true, Colour: true}},
		{"line", "line", "NULL", term.Screen{}},
		{"csv", "csv", "", term.Screen{}},
		{"csv_null", "csv", "NULL", term.Screen{}},
		{"json", "json", "", term.Screen{}},
		{"markdown", "markdown", "", term.Screen{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			c.screen.Out = &b
			n, err := Write(&c.screen, estate(), Options{Format: c.format, Null: c.null})
			if err != nil || n != 4 {
				t.Fatalf("%d rows, %v", n, err)
			}
			golden(t, c.name, b.Bytes())
		})
	}
}

func TestNoRows(t *testing.T) {
	for format, want := range map[string]string{
		"table": "a  b\n─  ─\n", "line": "", "csv": "a,b\n", "json": "[]\n", "markdown": "| a | b |\n| --- | --- |\n",
	} {
		var b bytes.Buffer
		if _, err := Write(&term.Screen{Out: &b}, &slice{columns: []string{"a", "b"}}, Options{Format: format}); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s: got %q, want %q", format, b.String(), want)
		}
	}
}

func TestManyRowsKeepTheirWidths(t *testing.T) {
	s := &slice{columns: []string{"n", "text"}}
	for i := range 3 * lookAhead {
		s.rows = append(s.rows, []any{int64(i), strings.Repeat("x", 1+i/lookAhead*50)})
	}
	var b bytes.Buffer
	n, err := Write(&term.Screen{Out: &b, Width: 80, Terminal: true}, s, Options{Format: "table"})
	if err != nil || n != 3*lookAhead {
		t.Fatalf("%d rows, %v", n, err)
	}
	for line := range strings.Lines(b.String()) {
		if term.Width(strings.TrimSuffix(line, "\n")) > 80 {
			t.Fatalf("a line is too long: %q", line)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}
