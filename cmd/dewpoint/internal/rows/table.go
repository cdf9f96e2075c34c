package rows

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
)

// lookAhead is the number of rows that decide how wide columns are; later
// ones are snipped to that.
const lookAhead = 1000

// tableWriter writes aligned columns under a header.
type tableWriter struct {
	screen  *term.Screen
	out     *bufio.Writer
	null    string
	columns []string

	pending [][]cell
	widths  []int // set when the header is written
	right   []bool
}

type cell struct {
	text string
	null bool
}

func (w *tableWriter) row(values []any, types []string) error {
	cells := make([]cell, len(values))
	if w.right == nil {
		w.right = make([]bool, len(values))
	}
	for i, v := range values {
		if v == nil {
			cells[i] = cell{w.null, true}
			continue
		}
		cells[i] = cell{term.Clean(text(v, types[i])), false}
		w.right[i] = w.right[i] || number(v)
	}
	if w.widths != nil {
		return w.line(cells)
	}
	if w.pending = append(w.pending, cells); len(w.pending) == lookAhead {
		return w.begin()
	}
	return nil
}

func number(v any) bool {
	switch v.(type) {
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64:
		return true
	case interface{ Float64() float64 }, interface{ IsInt64() bool }:
		return true // decimals, huge integers
	}
	return false
}

// begin writes the header and what waits.
func (w *tableWriter) begin() error {
	if w.right == nil {
		w.right = make([]bool, len(w.columns))
	}
	widths := make([]int, len(w.columns))
	for i, c := range w.columns {
		widths[i] = term.Width(c)
		for _, r := range w.pending {
			widths[i] = max(widths[i], term.Width(r[i].text))
		}
	}
	w.widths = term.Fit(widths, w.right, w.screen.Width)
	rule := make([]string, len(w.widths))
	for i, n := range w.widths {
		rule[i] = strings.Repeat("─", n)
	}
	fmt.Fprintln(w.out, w.screen.Bold(term.Line(w.columns, w.widths, w.right)))
	fmt.Fprintln(w.out, w.screen.Dim(strings.Join(rule, "  ")))
	for _, r := range w.pending {
		if err := w.line(r); err != nil {
			return err
		}
	}
	w.pending = nil
	return nil
}

func (w *tableWriter) line(cells []cell) error {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = c.text
		if c.null && i < len(w.widths) {
			texts[i] = w.screen.Dim(term.Snip(c.text, w.widths[i]))
		}
	}
	_, err := fmt.Fprintln(w.out, term.Line(texts, w.widths, w.right))
	return err
}

func (w *tableWriter) end(rows int64) error {
	if w.widths == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	if !w.screen.Terminal {
		return nil
	}
	note := term.Plural(rows, "row", "rows")
	if n := len(w.columns); len(w.widths) < n {
		note += fmt.Sprintf(", %d of %d columns: -o line shows all", len(w.widths), n)
	}
	_, err := fmt.Fprintln(w.out, w.screen.Dim(note))
	return err
}

// lineWriter writes one column a line, for wide rows.
type lineWriter struct {
	screen  *term.Screen
	out     *bufio.Writer
	null    string
	columns []string
	begun   bool
}

func (w *lineWriter) row(values []any, types []string) error {
	if w.begun {
		w.out.WriteString("\n")
	}
	w.begun = true
	width := 0
	for _, c := range w.columns {
		width = max(width, term.Width(c))
	}
	for i, v := range values {
		t := w.screen.Dim(w.null)
		if v != nil {
			t = term.Clean(text(v, types[i]))
		}
		line := w.screen.Bold(term.Pad(w.columns[i], width, true)) + "  " + t
		if _, err := fmt.Fprintln(w.out, line); err != nil {
			return err
		}
	}
	return nil
}

func (w *lineWriter) end(rows int64) error {
	if !w.screen.Terminal {
		return nil
	}
	_, err := fmt.Fprintln(w.out, w.screen.Dim(term.Plural(rows, "row", "rows")))
	return err
}
