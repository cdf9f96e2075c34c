package stage

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/s2"

	"github.com/dewpoint-data/dewpoint/schema"
)

// File is a Store in one local file: a sequence of segments, each an Arrow IPC
// stream of one record batch, compressed: what is staged is written once and
// read once, and much of it is the same from row to row.
type File struct {
	file *os.File
	// buffers are those that batches are encoded in, blocks those that they are
	// compressed in.
	buffers, blocks sync.Pool
	mem             schema.Pool // of the batches that are read

	mu                      sync.Mutex
	end                     int64
	rows                    map[int32][]Segment
	readings, edges, scopes []Segment
}

var _ Store = (*File)(nil)

// Segment is where a record batch lies in a File.
type Segment struct {
	offset, size int64
	// First is the position of its first row among its table's staged rows.
	First int64
	Rows  int64
}

// NewFile creates the file rows in a folder that is the sync's own.
func NewFile(dir string) (*File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "rows"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the staging file: %w", err)
	}
	return &File{
		file: f, rows: map[int32][]Segment{},
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
		blocks:  sync.Pool{New: func() any { return new([]byte) }},
	}, nil
}

// Close closes the file and leaves it where it is.
func (f *File) Close() { f.file.Close() }

// PutRows implements Store.
func (f *File) PutRows(k *Kind, rec arrow.RecordBatch, first int64) error {
	seg, err := f.Put(rec, first)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.rows[k.Index] = append(f.rows[k.Index], seg)
	f.mu.Unlock()
	return nil
}

// PutReadings implements Store.
func (f *File) PutReadings(rec arrow.RecordBatch) error { return f.append(&f.readings, rec) }

// PutEdges implements Store.
func (f *File) PutEdges(rec arrow.RecordBatch) error { return f.append(&f.edges, rec) }

// PutScopes implements Store.
func (f *File) PutScopes(rec arrow.RecordBatch) error { return f.append(&f.scopes, rec) }

func (f *File) append(to *[]Segment, rec arrow.RecordBatch) error {
	seg, err := f.Put(rec, 0)
	if err != nil {
		return err
	}
	f.mu.Lock()
	*to = append(*to, seg)
	f.mu.Unlock()
	return nil
}

// Segments returns a kind's staged rows in the order of their positions.
func (f *File) Segments(k *Kind) []Segment {
	f.mu.Lock()
	defer f.mu.Unlock()
	segs := f.rows[k.Index]
	slices.SortFunc(segs, func(a, b Segment) int { return cmp.Compare(a.First, b.First) })
	return segs
}

// Readings streams the staged readings.
func (f *File) Readings() *Stream { return f.Batches(ReadingSchema, f.readings) }

// Edges streams the staged edges.
func (f *File) Edges() *Stream { return f.Batches(EdgeSchema, f.edges) }

// StagedEdges is how many edges were staged.
func (f *File) StagedEdges() (n int64) {
	for _, s := range f.edges {
		n += s.Rows
	}
	return n
}

// Scopes streams how the scopes ended.
func (f *File) Scopes() *Stream { return f.Batches(ScopeSchema, f.scopes) }

// Put writes a record batch whose first row has a position. It is safe for concurrent use.
func (f *File) Put(rec arrow.RecordBatch, first int64) (Segment, error) {
	buf := f.buffers.Get().(*bytes.Buffer)
	defer f.buffers.Put(buf)
	buf.Reset()
	w := ipc.NewWriter(buf, ipc.WithSchema(rec.Schema()))
	if err := w.Write(rec); err != nil {
		return Segment{}, fmt.Errorf("encode a staged batch: %w", err)
	}
	if err := w.Close(); err != nil {
		return Segment{}, fmt.Errorf("encode a staged batch: %w", err)
	}
	block := f.blocks.Get().(*[]byte)
	defer f.blocks.Put(block)
	*block = s2.Encode((*block)[:cap(*block)], buf.Bytes())
	f.mu.Lock()
	seg := Segment{offset: f.end, size: int64(len(*block)), First: first, Rows: rec.NumRows()}
	f.end += seg.size
	f.mu.Unlock()
	if _, err := f.file.WriteAt(*block, seg.offset); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return Segment{}, fmt.Errorf("the disk is full: make room beside %s: %w", filepath.Dir(f.file.Name()), err)
		}
		return Segment{}, fmt.Errorf("write the staging file: %w", err)
	}
	return seg, nil
}

// Get reads a segment back. The caller releases the batch.
func (f *File) Get(seg Segment) (arrow.RecordBatch, error) {
	rec, err := f.get(seg)
	if err != nil {
		return nil, fmt.Errorf("read a batch from the staging file: %w", err)
	}
	return rec, nil
}

func (f *File) get(seg Segment) (arrow.RecordBatch, error) {
	block := f.blocks.Get().(*[]byte)
	defer f.blocks.Put(block)
	*block = slices.Grow((*block)[:0], int(seg.size))[:seg.size]
	if _, err := f.file.ReadAt(*block, seg.offset); err != nil {
		return nil, err
	}
	stream := f.blocks.Get().(*[]byte)
	defer f.blocks.Put(stream)
	var err error
	if *stream, err = s2.Decode((*stream)[:cap(*stream)], *block); err != nil {
		return nil, err
	}
	r, err := ipc.NewReader(bytes.NewReader(*stream), ipc.WithAllocator(&f.mem))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	rec, err := r.Read()
	if err != nil {
		return nil, err
	}
	rec.Retain()
	return rec, nil
}

// Stream is an array.RecordReader over a function that yields batches until
// it returns nil. Each batch is released when the next one is asked for.
type Stream struct {
	schema *arrow.Schema
	next   func() (arrow.RecordBatch, error)
	cur    arrow.RecordBatch
	err    error
}

var _ array.RecordReader = (*Stream)(nil)

// NewStream returns a reader of what next yields.
func NewStream(sc *arrow.Schema, next func() (arrow.RecordBatch, error)) *Stream {
	return &Stream{schema: sc, next: next}
}

// One streams a single batch, which it releases.
func One(rec arrow.RecordBatch) *Stream {
	next := rec
	return NewStream(rec.Schema(), func() (arrow.RecordBatch, error) {
		r := next
		next = nil
		if r == nil {
			return nil, nil
		}
		return r, nil
	})
}

func (r *Stream) Retain()                        {}
func (r *Stream) Release()                       {}
func (r *Stream) Schema() *arrow.Schema          { return r.schema }
func (r *Stream) Record() arrow.RecordBatch      { return r.cur }
func (r *Stream) RecordBatch() arrow.RecordBatch { return r.cur }
func (r *Stream) Err() error                     { return r.err }

func (r *Stream) Next() bool {
	if r.cur != nil {
		r.cur.Release()
		r.cur = nil
	}
	if r.err != nil {
		return false
	}
	r.cur, r.err = r.next()
	return r.err == nil && r.cur != nil
}

// Batches streams segments of the file.
func (f *File) Batches(schema *arrow.Schema, segs []Segment) *Stream {
	i := 0
	return &Stream{schema: schema, next: func() (arrow.RecordBatch, error) {
		if i == len(segs) {
			return nil, nil
		}
		i++
		return f.Get(segs[i-1])
	}}
}

// Positioned streams segments of the file with one more column at the end:
// pos, the position of each row among the staged rows of its table.
//
// It is the last column because a query on an Arrow view must take the
// columns without a gap: DuckDB reads the ones after a gap from the buffers of
// those before them.
func (f *File) Positioned(schema *arrow.Schema, segs []Segment) *Stream {
	fields := append(append([]arrow.Field{}, schema.Fields()...), arrow.Field{Name: "pos", Type: arrow.PrimitiveTypes.Int64})
	withPos := arrow.NewSchema(fields, nil)
	i := 0
	return &Stream{schema: withPos, next: func() (arrow.RecordBatch, error) {
		if i == len(segs) {
			return nil, nil
		}
		i++
		rec, err := f.Get(segs[i-1])
		if err != nil {
			return nil, err
		}
		defer rec.Release()
		pos := positions(segs[i-1])
		defer pos.Release()
		return array.NewRecordBatch(withPos, append(append([]arrow.Array{}, rec.Columns()...), pos), rec.NumRows()), nil
	}}
}

func positions(seg Segment) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(seg.Rows))
	for i := range seg.Rows {
		b.UnsafeAppend(seg.First + i)
	}
	return b.NewArray()
}

// AppendRanges appends the parts of a batch that hold the wanted rows.
func AppendRanges(to []arrow.RecordBatch, rec arrow.RecordBatch, want func(i int) bool) []arrow.RecordBatch {
	n := int(rec.NumRows())
	for i := 0; i < n; i++ {
		if !want(i) {
			continue
		}
		from := i
		for i++; i < n && want(i); i++ {
		}
		to = append(to, rec.NewSlice(int64(from), int64(i)))
	}
	return to
}

// Join makes one record batch of several with the same schema. The result is
// a copy if there is more than one.
func Join(recs []arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(recs) == 1 {
		recs[0].Retain()
		return recs[0], nil
	}
	cols := make([]arrow.Array, recs[0].NumCols())
	defer func() {
		for _, c := range cols {
			if c != nil {
				c.Release()
			}
		}
	}()
	parts := make([]arrow.Array, len(recs))
	var n int64
	for _, r := range recs {
		n += r.NumRows()
	}
	for i := range cols {
		for j, r := range recs {
			parts[j] = r.Column(i)
		}
		var err error
		if cols[i], err = array.Concatenate(parts, memory.DefaultAllocator); err != nil {
			return nil, fmt.Errorf("join batches: %w", err)
		}
	}
	return array.NewRecordBatch(recs[0].Schema(), cols, n), nil
}
