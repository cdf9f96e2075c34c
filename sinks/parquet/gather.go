package parquet

import (
	"encoding/hex"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// view reads ranges of an array's values without a call per value.
type view struct {
	typ      arrow.Type
	base     int    // offset of value 0
	valid    []byte // nil: no value is NULL
	fixed    []byte
	offs     []int32
	bytes    []byte
	children []view
}

func newView(d arrow.ArrayData) view {
	v := view{typ: d.DataType().ID(), base: d.Offset()}
	b := d.Buffers()
	if len(b) > 0 && b[0] != nil && b[0].Len() > 0 && d.NullN() != 0 {
		v.valid = b[0].Bytes()
	}
	raw := func(i int) []byte {
		if i >= len(b) || b[i] == nil {
			return nil
		}
		return b[i].Bytes()
	}
	switch v.typ {
	case arrow.STRING, arrow.BINARY:
		v.offs, v.bytes = arrow.Int32Traits.CastFromBytes(raw(1)), raw(2)
	case arrow.LIST, arrow.MAP:
		v.offs = arrow.Int32Traits.CastFromBytes(raw(1))
	case arrow.NULL:
	default:
		v.fixed = raw(1)
	}
	for _, c := range d.Children() {
		v.children = append(v.children, newView(c))
	}
	return v
}

// gatherer builds a column of values from many places. Its memory is used
// again by the next column.
type gatherer struct {
	typ      arrow.DataType
	n, nulls int
	valid    []byte
	fixed    []byte
	width    int // bytes of a fixed value, 0 for bits
	offs     []int32
	bytes    []byte
	children []*gatherer
}

// reset makes the gatherer one of an Arrow type.
func (g *gatherer) reset(t arrow.DataType) {
	g.typ, g.n, g.nulls = t, 0, 0
	g.valid, g.fixed, g.bytes = g.valid[:0], g.fixed[:0], g.bytes[:0]
	g.width = 0
	var children []arrow.DataType
	switch t := t.(type) {
	case *arrow.StringType:
		g.offs = append(g.offs[:0], 0)
	case *arrow.MapType:
		g.offs = append(g.offs[:0], 0)
		children = []arrow.DataType{t.Elem()}
	case *arrow.ListType:
		g.offs = append(g.offs[:0], 0)
		children = []arrow.DataType{t.Elem()}
	case *arrow.StructType:
		for _, f := range t.Fields() {
			children = append(children, f.Type)
		}
	case *arrow.BooleanType:
	case arrow.FixedWidthDataType:
		g.width = t.BitWidth() / 8
	default:
		panic("parquet: no column holds " + t.String())
	}
	for len(g.children) < len(children) {
		g.children = append(g.children, &gatherer{})
	}
	for i, c := range children {
		g.children[i].reset(c)
	}
}

func (g *gatherer) setValid(from, n int, v *view, at int) {
	for need := int(bitutil.BytesForBits(int64(from + n))); len(g.valid) < need; {
		g.valid = append(g.valid, 0)
	}
	if v == nil || v.valid == nil {
		bitutil.SetBitsTo(g.valid, int64(from), int64(n), v != nil)
		if v == nil {
			g.nulls += n
		}
		return
	}
	for i := range n {
		if bitutil.BitIsSet(v.valid, v.base+at+i) {
			bitutil.SetBit(g.valid, from+i)
		} else {
			bitutil.ClearBit(g.valid, from+i)
			g.nulls++
		}
	}
}

// appendNulls appends n NULLs.
func (g *gatherer) appendNulls(n int) {
	if n == 0 {
		return
	}
	g.setValid(g.n, n, nil, 0)
	g.n += n
	switch g.typ.ID() {
	case arrow.STRING, arrow.LIST, arrow.MAP:
		end := g.offs[len(g.offs)-1]
		for range n {
			g.offs = append(g.offs, end)
		}
	case arrow.STRUCT:
		for i := range g.typ.(*arrow.StructType).NumFields() {
			g.children[i].appendNulls(n)
		}
	case arrow.BOOL:
		g.growBits(g.n)
	default:
		g.fixed = append(g.fixed, make([]byte, n*g.width)...)
	}
}

func (g *gatherer) growBits(n int) {
	for need := int(bitutil.BytesForBits(int64(n))); len(g.fixed) < need; {
		g.fixed = append(g.fixed, 0)
	}
}

// append appends n values of a view from one on. A UUID of 16 bytes becomes
// text where the column is of text.
func (g *gatherer) append(v *view, from, n int) error {
	if n == 0 {
		return nil
	}
	if v.typ == arrow.NULL {
		g.appendNulls(n)
		return nil
	}
	at := g.n
	g.setValid(at, n, v, from)
	g.n += n
	from += v.base
	switch id := g.typ.ID(); id {
	case arrow.STRING:
		if v.typ == arrow.FIXED_SIZE_BINARY {
			g.appendUUIDs(v, from, n)
			return nil
		}
		return g.appendText(v, from, n)
	case arrow.LIST, arrow.MAP:
		first, last := v.offs[from], v.offs[from+n]
		shift := g.offs[len(g.offs)-1] - first
		for _, o := range v.offs[from+1 : from+n+1] {
			g.offs = append(g.offs, o+shift)
		}
		return g.children[0].append(&v.children[0], int(first), int(last-first))
	case arrow.STRUCT:
		for i := range v.children {
			if err := g.children[i].append(&v.children[i], from, n); err != nil {
				return err
			}
		}
	case arrow.BOOL:
		g.growBits(g.n)
		for i := range n {
			bitutil.SetBitTo(g.fixed, at+i, bitutil.BitIsSet(v.fixed, from+i))
		}
	default:
		g.fixed = append(g.fixed, v.fixed[from*g.width:(from+n)*g.width]...)
	}
	return nil
}

func (g *gatherer) appendText(v *view, from, n int) error {
	first, last := v.offs[from], v.offs[from+n]
	if len(g.bytes)+int(last-first) > math.MaxInt32 {
		return fmt.Errorf("more than 2 GB of text in %d values of a column", g.n)
	}
	shift := int32(len(g.bytes)) - first
	for _, o := range v.offs[from+1 : from+n+1] {
		g.offs = append(g.offs, o+shift)
	}
	g.bytes = append(g.bytes, v.bytes[first:last]...)
	return nil
}

func (g *gatherer) appendUUIDs(v *view, from, n int) {
	for i := from; i < from+n; i++ {
		if v.valid == nil || bitutil.BitIsSet(v.valid, i) {
			g.bytes = appendUUID(g.bytes, v.fixed[16*i:16*i+16])
		}
		g.offs = append(g.offs, int32(len(g.bytes)))
	}
}

// appendRepeat appends the same text n times.
func (g *gatherer) appendRepeat(s string, n int) {
	v := view{typ: arrow.STRING, bytes: []byte(s)}
	g.setValid(g.n, n, &v, 0)
	g.n += n
	for range n {
		g.bytes = append(g.bytes, s...)
		g.offs = append(g.offs, int32(len(g.bytes)))
	}
}

// size is about the bytes that were gathered.
func (g *gatherer) size() int {
	n := len(g.fixed) + len(g.bytes) + 4*len(g.offs)
	for _, c := range g.children {
		n += c.size()
	}
	return n
}

// array is what was gathered. It is valid until the next reset.
func (g *gatherer) array() arrow.Array {
	return array.MakeFromData(g.data())
}

func (g *gatherer) data() arrow.ArrayData {
	var valid *memory.Buffer
	if g.nulls > 0 {
		valid = memory.NewBufferBytes(g.valid)
	}
	switch g.typ.ID() {
	case arrow.STRING:
		return array.NewData(g.typ, g.n, []*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(g.offs)), memory.NewBufferBytes(g.bytes)}, nil, g.nulls, 0)
	case arrow.LIST, arrow.MAP:
		return array.NewData(g.typ, g.n, []*memory.Buffer{valid, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(g.offs))}, []arrow.ArrayData{g.children[0].data()}, g.nulls, 0)
	case arrow.STRUCT:
		children := make([]arrow.ArrayData, g.typ.(*arrow.StructType).NumFields())
		for i := range children {
			children[i] = g.children[i].data()
		}
		return array.NewData(g.typ, g.n, []*memory.Buffer{valid}, children, g.nulls, 0)
	}
	return array.NewData(g.typ, g.n, []*memory.Buffer{valid, memory.NewBufferBytes(g.fixed)}, nil, g.nulls, 0)
}

// appendUUID appends the text form of a UUID of 16 bytes.
func appendUUID(b, id []byte) []byte {
	var t [36]byte
	hex.Encode(t[0:8], id[0:4])
	t[8] = '-'
	hex.Encode(t[9:13], id[4:6])
	t[13] = '-'
	hex.Encode(t[14:18], id[6:8])
	t[18] = '-'
	hex.Encode(t[19:23], id[8:10])
	t[23] = '-'
	hex.Encode(t[24:36], id[10:16])
	return append(b, t[:]...)
}
