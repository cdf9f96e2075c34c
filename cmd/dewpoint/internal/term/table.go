package term

import (
	"io"
	"strings"
)

// gap separates columns.
const gap = 2

// minColumn is the width below which a column is not shrunk.
const minColumn = 8

// Fit shrinks the widest columns until they and the gaps between them take at
// most total cells; 0 is no limit. Columns marked in keep stay as wide as they
// are. Those that still do not fit are left out from the right: the result has
// the widths of those that are shown.
func Fit(widths []int, keep []bool, total int) []int {
	floor := func(i int) int {
		if keep != nil && keep[i] {
			return widths[i]
		}
		return min(widths[i], minColumn)
	}
	n, least := 0, -gap
	for n < len(widths) && (total <= 0 || least+gap+floor(n) <= total) {
		least += gap + floor(n)
		n++
	}
	out := append([]int(nil), widths[:n]...)
	if n == 0 && len(widths) > 0 {
		return []int{total}
	}
	sum := gap * (n - 1)
	for _, w := range out {
		sum += w
	}
	for total > 0 && sum > total {
		widest := -1
		for i, w := range out {
			if w > floor(i) && (widest < 0 || w > out[widest]) {
				widest = i
			}
		}
		out[widest]--
		sum--
	}
	return out
}

// Line lays cells out in columns, without spaces at its end. Cells longer
// than their column are snipped; cells beyond the widths are left out.
func Line(cells []string, widths []int, right []bool) string {
	var b strings.Builder
	for i, w := range widths {
		if i > 0 {
			b.WriteString(strings.Repeat(" ", gap))
		}
		b.WriteString(Pad(Snip(cells[i], w), w, right[i]))
	}
	return strings.TrimRight(b.String(), " ")
}

// Table is a small table whose columns are fitted to the screen.
type Table struct {
	header []string
	right  []bool
	keep   []bool
	rows   [][]string
	indent string
	below  bool
}

// NewTable returns a table with a header. Columns whose title begins with ">"
// are aligned on the right.
func NewTable(header ...string) *Table {
	t := &Table{right: make([]bool, len(header)), keep: make([]bool, len(header))}
	for i, h := range header {
		h, t.right[i] = strings.CutPrefix(h, ">")
		t.keep[i] = t.right[i]
		t.header = append(t.header, h)
	}
	return t
}

// Indent puts spaces before every line.
func (t *Table) Indent(n int) *Table {
	t.indent = strings.Repeat(" ", n)
	return t
}

// Keep has the first n columns shown in their full width.
func (t *Table) Keep(n int) *Table {
	for i := range n {
		t.keep[i] = true
	}
	return t
}

// Below has the last column stand below the others, in as many lines as it
// needs, on a screen that is too narrow for it.
func (t *Table) Below() *Table {
	t.below = true
	return t
}

// Row adds a row.
func (t *Table) Row(cells ...string) {
	for len(cells) < len(t.header) {
		cells = append(cells, "")
	}
	t.rows = append(t.rows, cells)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.rows) }

// Cut leaves the first n rows and returns how many others there were.
func (t *Table) Cut(n int) int {
	more := max(0, len(t.rows)-n)
	t.rows = t.rows[:len(t.rows)-more]
	return more
}

// Write writes the table; a header of empty titles is left out.
func (t *Table) Write(s *Screen) error {
	widths := make([]int, len(t.header))
	for i, h := range t.header {
		widths[i] = Width(h)
		for _, r := range t.rows {
			widths[i] = max(widths[i], Width(r[i]))
		}
	}
	total := s.Width
	if total > 0 {
		total -= len(t.indent)
	}
	sum := -gap
	for _, w := range widths {
		sum += gap + w
	}
	last := len(widths) - 1
	below := t.below && total > 0 && sum > total
	margin := widths[0] + gap
	if below {
		widths = widths[:last]
	}
	widths = Fit(widths, t.keep[:len(widths)], total)
	var b strings.Builder
	if h := Line(t.header, widths, t.right); h != "" {
		b.WriteString(t.indent + s.Bold(h) + "\n")
	}
	for _, r := range t.rows {
		b.WriteString(strings.TrimRight(t.indent+Line(r, widths, t.right), " ") + "\n")
		if !below || r[last] == "" {
			continue
		}
		for _, line := range Wrap(r[last], max(total-margin, minColumn)) {
			b.WriteString(t.indent + strings.Repeat(" ", margin) + line + "\n")
		}
	}
	_, err := io.WriteString(s.Out, b.String())
	return err
}
