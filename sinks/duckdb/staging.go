package duckdb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// stage is the file that a sync is written to before it is committed: a
// sequence of segments, each an Arrow IPC stream of one record batch.
type stage struct {
	file *os.File
	mu   sync.Mutex
	end  int64
}

// segment is where a record batch lies in the stage.
type segment struct {
	offset, size int64
	// first is the position of its first row among its table's staged rows.
	first int64
	rows  int64
}

func newStage(dir string) (*stage, error) {
	f, err := os.OpenFile(filepath.Join(dir, "rows"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the staging file: %w", err)
	}
	return &stage{file: f}, nil
}

func (s *stage) close() { s.file.Close() }

// put writes a record batch. It is safe for concurrent use.
func (s *stage) put(rec arrow.RecordBatch, first int64) (segment, error) {
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(rec.Schema()))
	if err := w.Write(rec); err != nil {
		return segment{}, fmt.Errorf("encode a staged batch: %w", err)
	}
	if err := w.Close(); err != nil {
		return segment{}, fmt.Errorf("encode a staged batch: %w", err)
	}
	s.mu.Lock()
	seg := segment{offset: s.end, size: int64(buf.Len()), first: first, rows: rec.NumRows()}
	s.end += seg.size
	s.mu.Unlock()
	if _, err := s.file.WriteAt(buf.Bytes(), seg.offset); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return segment{}, fmt.Errorf("the disk is full: make room beside %s: %w", filepath.Dir(s.file.Name()), err)
		}
		return segment{}, fmt.Errorf("write the staging file: %w", err)
	}
	return seg, nil
}

// get reads a segment back. The caller releases the batch.
func (s *stage) get(seg segment) (arrow.RecordBatch, error) {
	buf := make([]byte, seg.size)
	if _, err := s.file.ReadAt(buf, seg.offset); err != nil {
		return nil, fmt.Errorf("read the staging file: %w", err)
	}
	r, err := ipc.NewReader(bytes.NewReader(buf))
	if err != nil {
		return nil, fmt.Errorf("decode a staged batch: %w", err)
	}
	defer r.Release()
	rec, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("decode a staged batch: %w", err)
	}
	rec.Retain()
	return rec, nil
}

// stream is an array.RecordReader over a function that yields batches until
// it returns nil. Each batch is released when the next one is asked for.
type stream struct {
	schema *arrow.Schema
	next   func() (arrow.RecordBatch, error)
	cur    arrow.RecordBatch
	err    error
}

var _ array.RecordReader = (*stream)(nil)

func (r *stream) Retain()                        {}
func (r *stream) Release()                       {}
func (r *stream) Schema() *arrow.Schema          { return r.schema }
func (r *stream) Record() arrow.RecordBatch      { return r.cur }
func (r *stream) RecordBatch() arrow.RecordBatch { return r.cur }
func (r *stream) Err() error                     { return r.err }

func (r *stream) Next() bool {
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

// batches streams batches of the stage.
func (s *stage) batches(schema *arrow.Schema, segs []segment) *stream {
	i := 0
	return &stream{schema: schema, next: func() (arrow.RecordBatch, error) {
		if i == len(segs) {
			return nil, nil
		}
		i++
		return s.get(segs[i-1])
	}}
}

// positioned streams batches of the stage with one more column at the end:
// pos, the position of each row among the staged rows of its table.
//
// It is the last column because a query on an Arrow view must take the
// columns without a gap: DuckDB reads the ones after a gap from the buffers of
// those before them.
func (s *stage) positioned(schema *arrow.Schema, segs []segment) *stream {
	fields := append(append([]arrow.Field{}, schema.Fields()...), arrow.Field{Name: "pos", Type: arrow.PrimitiveTypes.Int64})
	withPos := arrow.NewSchema(fields, nil)
	i := 0
	return &stream{schema: withPos, next: func() (arrow.RecordBatch, error) {
		if i == len(segs) {
			return nil, nil
		}
		i++
		rec, err := s.get(segs[i-1])
		if err != nil {
			return nil, err
		}
		defer rec.Release()
		pos := positions(segs[i-1])
		defer pos.Release()
		return array.NewRecordBatch(withPos, append(append([]arrow.Array{}, rec.Columns()...), pos), rec.NumRows()), nil
	}}
}

func positions(seg segment) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(int(seg.rows))
	for i := range seg.rows {
		b.UnsafeAppend(seg.first + i)
	}
	return b.NewArray()
}

// appendRanges appends the parts of a batch that hold the wanted rows.
func appendRanges(to []arrow.RecordBatch, rec arrow.RecordBatch, want func(i int) bool) []arrow.RecordBatch {
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

// join makes one record batch of several with the same schema. The result is
// a copy if there is more than one.
func join(recs []arrow.RecordBatch) (arrow.RecordBatch, error) {
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
