package normalize

import (
	"bytes"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// column collects the values of one column. A row is written in two steps:
// values are put while its document is walked, then the row is closed or
// dropped. A row that is not closed by the time of a later one is NULL. Values put twice replace each other
// in a scalar and add up in a list. The memory is the column's own, used again
// for every batch; arrow copies out of it.
type column struct {
	typ schema.Type
	// many says that a JSON column is an array of what is put, sorted if set.
	many, set bool
	rows      int  // closed; those behind them that were closed without a value are filled in later
	put       bool // the open row has a value
	index     int32
	open      *[]int32 // the columns that have one
	now       int64
	valid     []byte  // bitmap
	nums      []int64 // bool, int64, timestamp and the bits of float64
	text      []byte  // text, JSON, map keys
	ends      []int32 // of text, starting with 0
	vals      []byte  // map values
	valEnds   []int32
	lens      []int32 // ends of lists in elements, starting with 0
	elems     []int32 // starts of the open row's JSON array elements
}

func newColumn(t schema.Type) column {
	return column{typ: t, ends: []int32{0}, valEnds: []int32{0}, lens: []int32{0}}
}

// mark says that the open row has a value.
func (c *column) mark() {
	if !c.put {
		c.put = true
		*c.open = append(*c.open, c.index)
	}
}

func (c *column) putNum(v int64) {
	c.now = v
	c.mark()
}

func (c *column) putText(b []byte) {
	if c.put {
		c.text = c.text[:c.ends[len(c.ends)-1]]
	}
	c.text = append(roomFor(c.text, len(b)), b...)
	c.mark()
}

// touch makes a list present, if empty.
func (c *column) touch() {
	if c.many && !c.put {
		c.text = append(c.text, '[')
	}
	c.mark()
}

// putJSON puts a JSON value, or an element of it where the column is many.
func (c *column) putJSON(b []byte) {
	if !c.many {
		c.putText(b)
		return
	}
	c.touch()
	c.elems = append(c.elems, int32(len(c.text)))
	c.text = append(append(roomFor(c.text, len(b)+1), b...), ',')
}

// roomFor doubles what is full: append grows large slices by a quarter, and
// would copy a column five times on its way to a batch.
func roomFor(b []byte, n int) []byte {
	if cap(b)-len(b) < n {
		return slices.Grow(b, max(n, cap(b)))
	}
	return b
}

func (c *column) addNum(v int64) {
	c.nums = append(c.nums, v)
	c.mark()
}

func (c *column) addText(b []byte) {
	c.text = append(c.text, b...)
	c.ends = append(c.ends, int32(len(c.text)))
	c.mark()
}

func (c *column) addPair(key, value []byte) {
	c.addText(key)
	c.vals = append(c.vals, value...)
	c.valEnds = append(c.valEnds, int32(len(c.vals)))
}

// openText is what the open row has put in a text or JSON column.
func (c *column) openText() []byte { return c.text[c.ends[len(c.ends)-1]:] }

// finish brings the open row's value into its final form: arrays are closed,
// sets sorted.
func (c *column) finish(s *scratch) {
	switch {
	case c.many:
		start := int(c.ends[len(c.ends)-1])
		if c.set && len(c.elems) > 1 {
			c.sortElements(start, s)
		}
		if len(c.elems) > 0 {
			c.text[len(c.text)-1] = ']'
		} else {
			c.text = append(c.text, ']')
		}
		c.elems = c.elems[:0]
	case c.set && c.typ == schema.TextList:
		c.sortTexts(s)
	case c.set:
		open := c.nums[c.lens[len(c.lens)-1]:]
		if c.typ == schema.Float64List {
			slices.SortFunc(open, func(a, b int64) int {
				x, y := math.Float64frombits(uint64(a)), math.Float64frombits(uint64(b))
				if x < y {
					return -1
				}
				if x > y {
					return 1
				}
				return 0
			})
		} else {
			slices.Sort(open)
		}
	}
}

func (c *column) sortElements(start int, s *scratch) {
	s.spans = s.spans[:0]
	for i, from := range c.elems {
		to := int32(len(c.text))
		if i+1 < len(c.elems) {
			to = c.elems[i+1]
		}
		s.spans = append(s.spans, span{from, to})
	}
	sortSpans(s.spans, c.text)
	s.buf = append(s.buf[:0], '[')
	for _, e := range s.spans {
		s.buf = append(s.buf, c.text[e.from:e.to]...)
	}
	copy(c.text[start:], s.buf)
}

func (c *column) sortTexts(s *scratch) {
	first := int(c.lens[len(c.lens)-1])
	if len(c.ends)-1-first < 2 {
		return
	}
	s.spans = s.spans[:0]
	for i := first; i < len(c.ends)-1; i++ {
		s.spans = append(s.spans, span{c.ends[i], c.ends[i+1]})
	}
	sortSpans(s.spans, c.text)
	s.buf = s.buf[:0]
	at := c.ends[first]
	for i, e := range s.spans {
		s.buf = append(s.buf, c.text[e.from:e.to]...)
		c.ends[first+1+i] = at + int32(len(s.buf))
	}
	copy(c.text[at:], s.buf)
}

// sortPairs sorts the open row's map by key. Of several values of a key the
// first stays; it returns the keys that came again.
func (c *column) sortPairs(s *scratch) (again [][]byte) {
	first := int(c.lens[len(c.lens)-1])
	n := len(c.ends) - 1 - first
	sorted := true
	for i := first + 1; i < first+n && sorted; i++ {
		sorted = bytes.Compare(c.key(i-1), c.key(i)) < 0
	}
	if sorted {
		return nil
	}
	s.order = s.order[:0]
	for i := range n {
		s.order = append(s.order, int32(first+i))
	}
	slices.SortStableFunc(s.order, func(a, b int32) int { return bytes.Compare(c.key(int(a)), c.key(int(b))) })
	s.buf, s.vals, s.spans = s.buf[:0], s.vals[:0], s.spans[:0]
	for i, k := range s.order {
		key := c.key(int(k))
		if i > 0 && bytes.Equal(key, c.key(int(s.order[i-1]))) {
			again = append(again, bytes.Clone(key))
			continue
		}
		s.buf = append(s.buf, key...)
		s.vals = append(s.vals, c.vals[c.valEnds[k]:c.valEnds[k+1]]...)
		s.spans = append(s.spans, span{int32(len(s.buf)), int32(len(s.vals))})
	}
	text, vals := c.ends[first], c.valEnds[first]
	c.text = append(c.text[:text], s.buf...)
	c.vals = append(c.vals[:vals], s.vals...)
	c.ends, c.valEnds = c.ends[:first+1], c.valEnds[:first+1]
	for _, e := range s.spans {
		c.ends = append(c.ends, text+e.from)
		c.valEnds = append(c.valEnds, vals+e.to)
	}
	return again
}

func (c *column) key(i int) []byte { return c.text[c.ends[i]:c.ends[i+1]] }

// find returns the value of a key in the open row's map, sorted or not.
func (c *column) find(key string) ([]byte, bool) {
	for i := int(c.lens[len(c.lens)-1]); i < len(c.ends)-1; i++ {
		if string(c.key(i)) == key {
			return c.vals[c.valEnds[i]:c.valEnds[i+1]], true
		}
	}
	return nil, false
}

// span is a part of a buffer.
type span struct{ from, to int32 }

func sortSpans(spans []span, in []byte) {
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(in[a.from:a.to], in[b.from:b.to]) })
}

// scratch is memory that a function may use until it returns.
type scratch struct {
	buf   []byte
	vals  []byte
	spans []span
	order []int32
}

// close ends row n, for which something was put.
func (c *column) close(n int) {
	c.fill(n)
	if n&7 == 0 {
		c.valid = append(c.valid, 0)
	}
	c.valid[n>>3] |= 1 << (n & 7)
	switch c.typ {
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
		c.nums = append(c.nums, c.now)
		c.now = 0
	case schema.Text, schema.JSON:
		c.ends = append(c.ends, int32(len(c.text)))
	case schema.TextList, schema.TextMap:
		c.lens = append(c.lens, int32(len(c.ends)-1))
	default:
		c.lens = append(c.lens, int32(len(c.nums)))
	}
	c.put = false
	c.rows = n + 1
}

// fill makes the rows up to n NULL that were closed without a value.
func (c *column) fill(n int) {
	missing := n - c.rows
	if missing <= 0 {
		return
	}
	c.valid = extend(c.valid, (n+7)/8-len(c.valid), 0)
	switch c.typ {
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
		c.nums = extend(c.nums, missing, 0)
	case schema.Text, schema.JSON:
		c.ends = extend(c.ends, missing, c.ends[len(c.ends)-1])
	default:
		c.lens = extend(c.lens, missing, c.lens[len(c.lens)-1])
	}
	c.rows = n
}

// extend appends n times v.
func extend[T any](s []T, n int, v T) []T {
	for range n {
		s = append(s, v)
	}
	return s
}

// truncate drops the open row and all rows from n on.
func (c *column) truncate(n int) {
	c.put, c.now = false, 0
	c.elems = c.elems[:0]
	n = min(n, c.rows)
	c.rows = n
	c.valid = c.valid[:(n+7)/8]
	if n&7 != 0 {
		c.valid[n>>3] &= 1<<(n&7) - 1
	}
	switch c.typ {
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
		c.nums = c.nums[:n]
	case schema.Text, schema.JSON:
		c.ends = c.ends[:n+1]
		c.text = c.text[:c.ends[n]]
	case schema.TextList, schema.TextMap:
		c.lens = c.lens[:n+1]
		c.ends = c.ends[:c.lens[n]+1]
		c.text = c.text[:c.ends[len(c.ends)-1]]
		if c.typ == schema.TextMap {
			c.valEnds = c.valEnds[:c.lens[n]+1]
			c.vals = c.vals[:c.valEnds[len(c.valEnds)-1]]
		}
	default:
		c.lens = c.lens[:n+1]
		c.nums = c.nums[:c.lens[n]]
	}
}

// bytes is about how much memory the column takes with n rows.
func (c *column) bytes(n int) int {
	switch c.typ {
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
		return n/8 + 8*n
	case schema.Text, schema.JSON:
		return n/8 + 4*n + len(c.text)
	}
	return n/8 + 4*n + 8*len(c.nums) + len(c.text) + len(c.vals) + 4*(len(c.ends)+len(c.valEnds))
}

// array copies the n rows into an Arrow array. zeros are at least n 64-bit
// zeros, and one more, which columns without a value share.
func (c *column) array(mem memory.Allocator, n int, zeros *memory.Buffer) arrow.Array {
	if c.rows == 0 && len(c.text) == 0 && len(c.nums) == 0 {
		return c.nulls(mem, n, zeros)
	}
	c.fill(n)
	nulls := n - bitutil.CountSetBits(c.valid, 0, n)
	var valid *memory.Buffer
	if nulls > 0 {
		valid = buffer(mem, c.valid)
	}
	dt := c.typ.Arrow()
	switch c.typ {
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
		return makeArray(dt, n, nulls, []*memory.Buffer{valid, c.numbers(mem)}, nil)
	case schema.Text, schema.JSON:
		return makeArray(dt, n, nulls, []*memory.Buffer{valid, int32s(mem, c.ends), buffer(mem, c.text)}, nil)
	case schema.TextMap:
		entries := len(c.ends) - 1
		keys := textData(mem, c.ends, c.text)
		values := textData(mem, c.valEnds, c.vals)
		entry := array.NewData(dt.(*arrow.MapType).Elem(), entries, []*memory.Buffer{nil}, []arrow.ArrayData{keys, values}, 0, 0)
		keys.Release()
		values.Release()
		return makeArray(dt, n, nulls, []*memory.Buffer{valid, int32s(mem, c.lens)}, entry)
	case schema.TextList:
		return makeArray(dt, n, nulls, []*memory.Buffer{valid, int32s(mem, c.lens)}, textData(mem, c.ends, c.text))
	}
	elems := c.numbers(mem)
	child := array.NewData(c.typ.Elem().Arrow(), len(c.nums), []*memory.Buffer{nil, elems}, nil, 0, 0)
	elems.Release()
	return makeArray(dt, n, nulls, []*memory.Buffer{valid, int32s(mem, c.lens)}, child)
}

// nulls is an array of n NULLs.
func (c *column) nulls(mem memory.Allocator, n int, zeros *memory.Buffer) arrow.Array {
	dt := c.typ.Arrow()
	buffers := []*memory.Buffer{zeros, zeros}
	var child *array.Data
	switch c.typ {
	case schema.Text, schema.JSON:
		buffers = append(buffers, memory.NewBufferBytes(nil))
	case schema.Bool, schema.Int64, schema.Float64, schema.Timestamp:
	default:
		empty := array.MakeArrayOfNull(mem, dt.(arrow.ListLikeType).Elem(), 0)
		defer empty.Release()
		child = empty.Data().(*array.Data)
		child.Retain()
	}
	zeros.Retain()
	zeros.Retain()
	return makeArray(dt, n, n, buffers, child)
}

// numbers is the buffer of the column's numbers, a bitmap for booleans.
func (c *column) numbers(mem memory.Allocator) *memory.Buffer {
	if c.typ != schema.Bool && c.typ != schema.BoolList {
		return buffer(mem, arrow.Int64Traits.CastToBytes(c.nums))
	}
	b := memory.NewResizableBuffer(mem)
	b.Resize((len(c.nums) + 7) / 8)
	bits := b.Bytes()
	clear(bits)
	for i, v := range c.nums {
		bits[i>>3] |= byte(v) << (i & 7)
	}
	return b
}

func textData(mem memory.Allocator, ends []int32, text []byte) *array.Data {
	offsets, data := int32s(mem, ends), buffer(mem, text)
	d := array.NewData(arrow.BinaryTypes.String, len(ends)-1, []*memory.Buffer{nil, offsets, data}, nil, 0, 0)
	offsets.Release()
	data.Release()
	return d
}

// makeArray takes the references to the buffers and the child.
func makeArray(dt arrow.DataType, n, nulls int, buffers []*memory.Buffer, child *array.Data) arrow.Array {
	var children []arrow.ArrayData
	if child != nil {
		children = []arrow.ArrayData{child}
	}
	d := array.NewData(dt, n, buffers, children, nulls, 0)
	for _, b := range buffers {
		if b != nil {
			b.Release()
		}
	}
	if child != nil {
		child.Release()
	}
	a := array.MakeFromData(d)
	d.Release()
	return a
}

func int32s(mem memory.Allocator, v []int32) *memory.Buffer {
	return buffer(mem, arrow.Int32Traits.CastToBytes(v))
}

func buffer(mem memory.Allocator, src []byte) *memory.Buffer {
	b := memory.NewResizableBuffer(mem)
	b.Resize(len(src))
	copy(b.Bytes(), src)
	return b
}
