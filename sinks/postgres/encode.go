package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// The frame of a binary COPY:
// https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.4
var (
	copyHeader  = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	copyTrailer = []byte{0xff, 0xff}
)

// form is how a column's values are sent.
type form uint8

const (
	formText form = iota + 1
	formJSONB
	formBool
	formInt4
	formInt8
	formFloat8
	formTime
	formUUID
	formMap   // jsonb of a map
	formArray // an array of elem
)

// The oids of the elements of arrays.
const (
	oidBool        = 16
	oidInt8        = 20
	oidText        = 25
	oidFloat8      = 701
	oidTimestamptz = 1184
)

// epoch is 2000-01-01 in microseconds, where Postgres begins to count.
const epoch = 946684800000000

// encoder writes the rows of record batches of one schema as a binary COPY.
// It is planned once; only the arrays change from batch to batch.
type encoder struct {
	forms []form
	elems []form
	cols  []column
	// positioned puts the rows' positions in front of the columns.
	positioned bool
}

// column is one array, laid open.
type column struct {
	nulls   []byte // nil where no value is NULL
	off     int    // of the first value in nulls, bits and fixed
	offsets []int32
	bytes   []byte
	words   []uint64 // int64, float64 and timestamps
	ints    []int32
	bits    []byte
	keys    *column
	items   *column
}

// newEncoder plans the encoding of a schema. jsonb names the columns of text
// that hold JSON.
func newEncoder(sc *arrow.Schema, positioned bool, jsonb func(i int) bool) (*encoder, error) {
	e := &encoder{positioned: positioned}
	for i, f := range sc.Fields() {
		fo, elem, err := formOf(f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
		if fo == formText && jsonb(i) {
			fo = formJSONB
		}
		e.forms, e.elems = append(e.forms, fo), append(e.elems, elem)
	}
	e.cols = make([]column, len(e.forms))
	return e, nil
}

func formOf(t arrow.DataType) (fo, elem form, err error) {
	switch t.ID() {
	case arrow.STRING:
		return formText, 0, nil
	case arrow.BOOL:
		return formBool, 0, nil
	case arrow.INT32:
		return formInt4, 0, nil
	case arrow.INT64, arrow.UINT64:
		return formInt8, 0, nil
	case arrow.FLOAT64:
		return formFloat8, 0, nil
	case arrow.TIMESTAMP:
		return formTime, 0, nil
	case arrow.FIXED_SIZE_BINARY:
		if t.(*arrow.FixedSizeBinaryType).ByteWidth == 16 {
			return formUUID, 0, nil
		}
	case arrow.MAP:
		return formMap, 0, nil
	case arrow.LIST:
		elem, _, err = formOf(t.(*arrow.ListType).Elem())
		if _, ok := elementOIDs[elem]; err == nil && ok {
			return formArray, elem, nil
		}
	}
	return 0, 0, fmt.Errorf("no Postgres form of %s", t)
}

var elementOIDs = map[form]uint32{
	formBool: oidBool, formInt8: oidInt8, formText: oidText, formFloat8: oidFloat8, formTime: oidTimestamptz,
}

// open lays a batch's arrays open.
func (e *encoder) open(rec arrow.RecordBatch) {
	for i := range e.cols {
		e.cols[i] = openArray(rec.Column(i), e.forms[i], e.elems[i])
	}
}

func openArray(a arrow.Array, fo, elem form) column {
	d := a.Data()
	c := column{off: d.Offset()}
	if a.NullN() > 0 {
		c.nulls = a.NullBitmapBytes()
	}
	buffer := func(i int) []byte {
		if b := d.Buffers()[i]; b != nil {
			return b.Bytes()
		}
		return nil
	}
	switch fo {
	case formText, formJSONB:
		s := a.(*array.String)
		c.offsets = s.ValueOffsets()
		c.bytes = buffer(2)
		if len(c.offsets) > 1 {
			from, to := c.offsets[0], c.offsets[len(c.offsets)-1]
			c.clean(c.bytes[from:to], s, fo)
		}
	case formBool:
		c.bits = buffer(1)
	case formInt4:
		c.ints = a.(*array.Int32).Int32Values()
	case formInt8, formFloat8, formTime:
		c.words = arrow.Uint64Traits.CastFromBytes(buffer(1))
		if len(c.words) >= c.off {
			c.words = c.words[c.off:]
		}
	case formUUID:
		c.bytes = buffer(1)
		if len(c.bytes) >= c.off*16 {
			c.bytes = c.bytes[c.off*16:]
		}
	case formMap:
		m := a.(*array.Map)
		keys, items := openArray(m.Keys(), formText, 0), openArray(m.Items(), formText, 0)
		c.keys, c.items = &keys, &items
		c.offsets = listOffsets(m.List, buffer(1))
	case formArray:
		l := a.(*array.List)
		items := openArray(l.ListValues(), elem, 0)
		c.items = &items
		c.offsets = listOffsets(l, buffer(1))
	}
	return c
}

// listOffsets returns the offsets of the values of a list, len+1 of them.
func listOffsets(l *array.List, raw []byte) []int32 {
	if l.Len() == 0 {
		return nil
	}
	off := l.Data().Offset()
	return arrow.Int32Traits.CastFromBytes(raw)[off : off+l.Len()+1]
}

// clean replaces the values where a text holds what Postgres refuses: NUL,
// bytes that are no UTF-8 and, in JSON, escapes of NUL and of halves of pairs.
func (c *column) clean(all []byte, s *array.String, fo form) {
	escapes := fo == formJSONB && bytes.Contains(all, []byte(`\u`))
	if !escapes && utf8.Valid(all) && bytes.IndexByte(all, 0) < 0 {
		return
	}
	offsets := make([]int32, len(c.offsets))
	var text []byte
	for i := range s.Len() {
		offsets[i] = int32(len(text))
		v := stage.CleanText(s.Value(i))
		if escapes {
			v = cleanEscapes(v)
		}
		text = append(text, v...)
	}
	offsets[s.Len()] = int32(len(text))
	c.offsets, c.bytes = offsets, text
}

// cleanEscapes replaces the escapes in JSON that jsonb refuses by that of
// U+FFFD.
func cleanEscapes(v string) string {
	if !strings.Contains(v, `\u0000`) && !strings.Contains(v, `\ud`) && !strings.Contains(v, `\uD`) {
		return v
	}
	b := []byte(v)
	unit := func(i int) (uint16, bool) {
		if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(b[i+2:i+6]), 16, 16)
		return uint16(n), err == nil
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		u, ok := unit(i)
		if !ok {
			i++ // an escape of one character, which may be a backslash
			continue
		}
		low, paired := unit(i + 6)
		switch {
		case u >= 0xd800 && u < 0xdc00 && paired && low >= 0xdc00 && low < 0xe000:
			i += 11
			continue
		case u == 0 || u >= 0xd800 && u < 0xe000:
			copy(b[i+2:], "fffd")
		}
		i += 5
	}
	return string(b)
}

func (c *column) null(i int) bool {
	if c.nulls == nil {
		return false
	}
	i += c.off
	return c.nulls[i>>3]&(1<<(i&7)) == 0
}

func (c *column) bit(i int) byte {
	i += c.off
	return c.bits[i>>3] >> (i & 7) & 1
}

// row appends the i-th row of the batch; pos is its position.
func (e *encoder) row(dst []byte, i int, pos int64) []byte {
	n := len(e.cols)
	if e.positioned {
		n++
	}
	dst = append(dst, byte(n>>8), byte(n))
	if e.positioned {
		dst = append(dst, 0, 0, 0, 8)
		dst = binary.BigEndian.AppendUint64(dst, uint64(pos))
	}
	for j := range e.cols {
		c := &e.cols[j]
		if c.null(i) {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		switch e.forms[j] {
		case formMap:
			dst = c.appendMap(dst, i)
		case formArray:
			dst = c.appendArray(dst, i, e.elems[j])
		case formJSONB:
			v := c.bytes[c.offsets[i]:c.offsets[i+1]]
			dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)+1))
			dst = append(dst, 1)
			dst = append(dst, v...)
		default:
			dst = c.appendValue(dst, i, e.forms[j])
		}
	}
	return dst
}

// appendValue appends a value of fixed form with its length.
func (c *column) appendValue(dst []byte, i int, fo form) []byte {
	switch fo {
	case formText:
		v := c.bytes[c.offsets[i]:c.offsets[i+1]]
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(v)))
		return append(dst, v...)
	case formUUID:
		dst = append(dst, 0, 0, 0, 16)
		return append(dst, c.bytes[i*16:i*16+16]...)
	case formBool:
		return append(dst, 0, 0, 0, 1, c.bit(i))
	case formInt4:
		dst = append(dst, 0, 0, 0, 4)
		return binary.BigEndian.AppendUint32(dst, uint32(c.ints[i]))
	case formTime:
		dst = append(dst, 0, 0, 0, 8)
		return binary.BigEndian.AppendUint64(dst, c.words[i]-epoch)
	default: // formInt8, formFloat8
		dst = append(dst, 0, 0, 0, 8)
		return binary.BigEndian.AppendUint64(dst, c.words[i])
	}
}

// appendArray appends a one-dimensional array.
func (c *column) appendArray(dst []byte, i int, elem form) []byte {
	from, to := int(c.offsets[i]), int(c.offsets[i+1])
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	if from == to {
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0)
		dst = binary.BigEndian.AppendUint32(dst, elementOIDs[elem])
	} else {
		dst = append(dst, 0, 0, 0, 1, 0, 0, 0, 0)
		dst = binary.BigEndian.AppendUint32(dst, elementOIDs[elem])
		dst = binary.BigEndian.AppendUint32(dst, uint32(to-from))
		dst = append(dst, 0, 0, 0, 1)
		for j := from; j < to; j++ {
			if c.items.null(j) {
				dst[start+11] = 1
				dst = append(dst, 0xff, 0xff, 0xff, 0xff)
				continue
			}
			dst = c.items.appendValue(dst, j, elem)
		}
	}
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// appendMap appends a map as jsonb.
func (c *column) appendMap(dst []byte, i int) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, 1, '{')
	for j := int(c.offsets[i]); j < int(c.offsets[i+1]); j++ {
		if j > int(c.offsets[i]) {
			dst = append(dst, ',')
		}
		dst = appendString(dst, c.keys.bytes[c.keys.offsets[j]:c.keys.offsets[j+1]])
		dst = append(dst, ':')
		if c.items.null(j) {
			dst = append(dst, "null"...)
			continue
		}
		dst = appendString(dst, c.items.bytes[c.items.offsets[j]:c.items.offsets[j+1]])
	}
	dst = append(dst, '}')
	binary.BigEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// appendString appends a JSON string.
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, b := range s {
		if b < 0x20 || b == '"' || b == '\\' {
			return appendEscaped(dst, s)
		}
	}
	dst = append(dst, s...)
	return append(dst, '"')
}

// appendEscaped appends the rest of a JSON string that has to be escaped.
func appendEscaped(dst, s []byte) []byte {
	const hex = "0123456789abcdef"
	for _, b := range s {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[b>>4], hex[b&15])
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
