// Package rows writes the rows of a query as a table, lines, CSV, JSON or
// Markdown. Rows are streamed: memory does not grow with their number.
package rows

import (
	"bufio"
	"database/sql"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
)

// Formats are the names of the formats.
var Formats = []string{"table", "line", "csv", "json", "markdown"}

// Source are rows; *sql.Rows is one.
type Source interface {
	Columns() ([]string, error)
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// Options say how rows are written.
type Options struct {
	// Format is one of Formats.
	Format string
	// Null stands for NULL in tables, lines, CSV and Markdown.
	Null string
}

// Write writes all rows and returns how many there were.
func Write(s *term.Screen, src Source, o Options) (int64, error) {
	cols, err := src.Columns()
	if err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(s.Out, 1<<16)
	var w writer
	switch o.Format {
	case "table":
		w = &tableWriter{screen: s, out: out, null: o.Null, columns: cols}
	case "line":
		w = &lineWriter{screen: s, out: out, null: o.Null, columns: cols}
	case "csv":
		w = &csvWriter{out: out, null: o.Null, columns: cols}
	case "json":
		w = &jsonWriter{out: out, columns: cols}
	case "markdown":
		w = &markdownWriter{out: out, null: o.Null, columns: cols}
	default:
		return 0, fmt.Errorf("output format %q: take one of %s", o.Format, strings.Join(Formats, ", "))
	}
	n, err := copyRows(w, src, len(cols))
	if err != nil {
		return n, err
	}
	return n, out.Flush()
}

type writer interface {
	// row takes one row; the values and types are valid during the call.
	row(values []any, types []string) error
	end(rows int64) error
}

func copyRows(w writer, src Source, n int) (int64, error) {
	types, shown := make([]string, n), make([]string, n)
	if t, ok := src.(interface {
		ColumnTypes() ([]*sql.ColumnType, error)
	}); ok {
		ct, err := t.ColumnTypes()
		if err != nil {
			return 0, err
		}
		for i, c := range ct {
			types[i] = c.DatabaseTypeName()
		}
	}
	values, dest := make([]any, n), make([]any, n)
	for i := range values {
		dest[i] = &values[i]
	}
	var rows int64
	for src.Next() {
		if err := src.Scan(dest...); err != nil {
			return rows, err
		}
		for i, v := range values {
			values[i], shown[i] = plain(v, types[i])
		}
		if err := w.row(values, shown); err != nil {
			return rows, err
		}
		rows++
	}
	if err := src.Err(); err != nil {
		return rows, err
	}
	return rows, w.end(rows)
}

type csvWriter struct {
	out     *bufio.Writer
	null    string
	columns []string
	begun   bool
}

func (w *csvWriter) header() {
	if w.begun {
		return
	}
	w.begun = true
	for i, c := range w.columns {
		w.field(i, c)
	}
	w.out.WriteString("\n")
}

// field quotes as RFC 4180 has it, and where an empty text would read as NULL.
func (w *csvWriter) field(i int, s string) {
	if i > 0 {
		w.out.WriteByte(',')
	}
	if s != w.null && !strings.ContainsAny(s, ",\"\r\n") && s == strings.TrimSpace(s) {
		w.out.WriteString(s)
		return
	}
	w.out.WriteString(`"` + strings.ReplaceAll(s, `"`, `""`) + `"`)
}

func (w *csvWriter) row(values []any, types []string) error {
	w.header()
	for i, v := range values {
		if v != nil {
			w.field(i, text(v, types[i]))
			continue
		}
		if i > 0 {
			w.out.WriteByte(',')
		}
		w.out.WriteString(w.null)
	}
	_, err := w.out.WriteString("\n")
	return err
}

func (w *csvWriter) end(int64) error {
	w.header()
	return nil
}

type jsonWriter struct {
	out     *bufio.Writer
	columns []string
	buf     []byte
	begun   bool
}

func (w *jsonWriter) row(values []any, types []string) error {
	b := append(w.buf[:0], ",\n{"...)
	if !w.begun {
		b = append(w.buf[:0], "[\n{"...)
		w.begun = true
	}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, w.columns[i])
		b = append(b, ':')
		b = appendJSON(b, v, types[i])
	}
	w.buf = append(b, '}')
	_, err := w.out.Write(w.buf)
	return err
}

func (w *jsonWriter) end(rows int64) error {
	if rows == 0 {
		_, err := w.out.WriteString("[]\n")
		return err
	}
	_, err := w.out.WriteString("\n]\n")
	return err
}

type markdownWriter struct {
	out     *bufio.Writer
	null    string
	columns []string
	begun   bool
}

func (w *markdownWriter) header() {
	if w.begun {
		return
	}
	w.begun = true
	for _, c := range w.columns {
		w.out.WriteString("| " + markdown(c) + " ")
	}
	w.out.WriteString("|\n" + strings.Repeat("| --- ", len(w.columns)) + "|\n")
}

var markdownEscapes = strings.NewReplacer("|", `\|`, "\n", "<br>", "\r", "", "<", "&lt;")

func markdown(s string) string { return term.Clean(markdownEscapes.Replace(s)) }

func (w *markdownWriter) row(values []any, types []string) error {
	w.header()
	for i, v := range values {
		t := w.null
		if v != nil {
			t = markdown(text(v, types[i]))
		}
		w.out.WriteString("| " + t + " ")
	}
	_, err := w.out.WriteString("|\n")
	return err
}

func (w *markdownWriter) end(int64) error {
	w.header()
	return nil
}
