package stage

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"
)

// VolatileSums gives 64 bits over the values of some columns per row. The same
// values give the same sum whether the columns come from a batch or a table.
type VolatileSums struct {
	Columns []arrow.Array
	buf     []byte
}

// Sum returns the sum of a row's values, 0 without columns.
func (v *VolatileSums) Sum(row int) uint64 {
	if len(v.Columns) == 0 {
		return 0
	}
	v.buf = v.buf[:0]
	for i, c := range v.Columns {
		v.buf = append(v.buf, byte(i))
		v.buf = appendValue(v.buf, c, row)
	}
	return xxh3.Hash(v.buf)
}

// appendValue appends an unambiguous form of one value.
func appendValue(buf []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(buf, 0)
	}
	buf = append(buf, 1)
	switch a := a.(type) {
	case *array.Boolean:
		if a.Value(i) {
			return append(buf, 1)
		}
		return append(buf, 0)
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(buf, uint64(a.Value(i)))
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(buf, uint64(a.Value(i)))
	case *array.Float64:
		return binary.LittleEndian.AppendUint64(buf, math.Float64bits(a.Value(i)))
	case *array.String:
		return appendBytes(buf, a.Value(i))
	case *array.Map:
		return appendRange(buf, a.List, i, a.Keys(), a.Items())
	case *array.List:
		return appendRange(buf, a, i, a.ListValues())
	default: // a type that batches do not have: equal text is equal
		return appendBytes(buf, a.ValueStr(i))
	}
}

func appendRange(buf []byte, l *array.List, i int, children ...arrow.Array) []byte {
	start, end := l.ValueOffsets(i)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(end-start))
	for j := start; j < end; j++ {
		for _, c := range children {
			buf = appendValue(buf, c, int(j))
		}
	}
	return buf
}

func appendBytes(buf []byte, s string) []byte {
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(s)))
	return append(buf, s...)
}
