package parquet

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
)

// document writes rows as JSON with their columns in the order of their names,
// in the text that DuckDB's to_json gives.
type document struct {
	cols  []schema.Column
	order []int
	buf   []byte
}

func newDocument(cols []schema.Column) document {
	d := document{cols: cols, order: make([]int, len(cols))}
	for i := range d.order {
		d.order[i] = i
	}
	slices.SortFunc(d.order, func(a, b int) int { return cmp.Compare(cols[a].Name, cols[b].Name) })
	return d
}

// text is a row of arrays that stand in the order of the columns.
func (d *document) text(cols []arrow.Array, row int) (string, error) {
	b := append(d.buf[:0], '{')
	var err error
	for i, at := range d.order {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, d.cols[at].Name)
		b = append(b, ':')
		if b, err = appendJSON(b, cols[at], row, d.cols[at].Type); err != nil {
			return "", err
		}
	}
	d.buf = append(b, '}')
	return string(d.buf), nil
}

func appendJSON(b []byte, a arrow.Array, i int, t schema.Type) ([]byte, error) {
	if a == nil || a.IsNull(i) {
		return append(b, "null"...), nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return strconv.AppendBool(b, a.Value(i)), nil
	case *array.Int64:
		return strconv.AppendInt(b, a.Value(i), 10), nil
	case *array.Float64:
		return appendFloat(b, a.Value(i)), nil
	case *array.Timestamp:
		return appendText(b, timestampText(int64(a.Value(i)))), nil
	case *array.String:
		if t == schema.JSON {
			return append(b, a.Value(i)...), nil
		}
		return appendText(b, a.Value(i)), nil
	case *array.Map:
		from, to := a.ValueOffsets(i)
		keys, items := a.Keys().(*array.String), a.Items()
		b = append(b, '{')
		for j := from; j < to; j++ {
			if j > from {
				b = append(b, ',')
			}
			b = append(appendText(b, keys.Value(int(j))), ':')
			b, _ = appendJSON(b, items, int(j), schema.Text)
		}
		return append(b, '}'), nil
	case *array.List:
		from, to := a.ValueOffsets(i)
		b = append(b, '[')
		var err error
		for j := from; j < to; j++ {
			if j > from {
				b = append(b, ',')
			}
			if b, err = appendJSON(b, a.ListValues(), int(j), t.Elem()); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	}
	return nil, fmt.Errorf("no JSON for a %T", a)
}

// appendText appends a JSON string, escaping no more than JSON asks for.
func appendText(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf || c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = fmt.Appendf(b, `\u%04X`, c)
		}
	}
	b = append(b, s[from:]...)
	return append(b, '"')
}

// appendFloat writes the shortest text that reads back as the number, with a
// fraction or an exponent.
func appendFloat(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	s := strconv.FormatFloat(v, format, -1, 64)
	if format == 'e' {
		mantissa, exp, _ := strings.Cut(s, "e")
		sign := ""
		if exp[0] == '-' {
			sign = "-"
		}
		return append(b, mantissa+"e"+sign+strings.TrimLeft(exp[1:], "0")...)
	}
	b = append(b, s...)
	if !strings.Contains(s, ".") {
		b = append(b, ".0"...)
	}
	return b
}

// timestampText is a time as DuckDB writes it in UTC.
func timestampText(us int64) string {
	t := time.UnixMicro(us).UTC()
	s := t.Format("2006-01-02 15:04:05")
	if f := t.Nanosecond() / 1000; f != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%06d", f), "0")
	}
	return s + "+00"
}
