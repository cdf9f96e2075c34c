package parquet

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// spool keeps record batches in a local file as their bare buffers, so that
// any of their columns can be read in place through a mapping of the file.
type spool struct {
	file *os.File

	mu     sync.Mutex
	end    int64
	mapped []byte
}

// segment is a record batch in a spool.
type segment struct {
	first int64 // position of its first row in its table
	rows  int
	bytes int64
	cols  []column
}

// column says where the buffers of a column lie.
type column struct {
	typ      arrow.DataType
	n, nulls int
	buffers  []span
	children []column
}

type span struct{ offset, size int64 }

func newSpool(name string) (*spool, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create the staging file: %w", err)
	}
	return &spool{file: f}, nil
}

// put appends a record batch. It is safe for concurrent use.
func (s *spool) put(rec arrow.RecordBatch, first int64) (segment, error) {
	seg := segment{first: first, rows: int(rec.NumRows()), cols: make([]column, rec.NumCols())}
	var parts [][]byte
	for i, a := range rec.Columns() {
		if a.Data().Offset() != 0 {
			whole, err := array.Concatenate([]arrow.Array{a, array.MakeArrayOfNull(memory.DefaultAllocator, a.DataType(), 0)}, memory.DefaultAllocator)
			if err != nil {
				return segment{}, fmt.Errorf("stage a batch: %w", err)
			}
			defer whole.Release()
			a = whole
		}
		seg.cols[i] = layout(a.Data(), &parts, &seg.bytes)
	}
	buf := make([]byte, seg.bytes)
	at := int64(0)
	for _, p := range parts {
		copy(buf[at:], p)
		at += align(len(p))
	}
	s.mu.Lock()
	base := s.end
	s.end += seg.bytes
	s.mu.Unlock()
	for i := range seg.cols {
		seg.cols[i].move(base)
	}
	if _, err := s.file.WriteAt(buf, base); err != nil {
		if errors.Is(err, syscall.ENOSPC) {
			return segment{}, fmt.Errorf("the disk is full: make room at %s: %w", filepath.Dir(s.file.Name()), err)
		}
		return segment{}, fmt.Errorf("write the staging file: %w", err)
	}
	return seg, nil
}

func align(n int) int64 { return (int64(n) + 63) &^ 63 }

func layout(d arrow.ArrayData, parts *[][]byte, end *int64) column {
	c := column{typ: d.DataType(), n: d.Len(), nulls: d.NullN()}
	for _, b := range d.Buffers() {
		if b == nil || b.Len() == 0 {
			c.buffers = append(c.buffers, span{})
			continue
		}
		c.buffers = append(c.buffers, span{*end, int64(b.Len())})
		*parts = append(*parts, b.Bytes())
		*end += align(b.Len())
	}
	for _, child := range d.Children() {
		c.children = append(c.children, layout(child, parts, end))
	}
	return c
}

func (c *column) move(by int64) {
	for i := range c.buffers {
		if c.buffers[i].size > 0 {
			c.buffers[i].offset += by
		}
	}
	for i := range c.children {
		c.children[i].move(by)
	}
}

// open maps what was put so far.
func (s *spool) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(len(s.mapped)) == s.end || s.end == 0 {
		return nil
	}
	if err := s.unmap(); err != nil {
		return err
	}
	m, err := syscall.Mmap(int(s.file.Fd()), 0, int(s.end), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map the staging file: %w", err)
	}
	s.mapped = m
	return nil
}

func (s *spool) unmap() error {
	if s.mapped == nil {
		return nil
	}
	err := syscall.Munmap(s.mapped)
	s.mapped = nil
	return err
}

// forget gives the memory of pages that were read back to the system; they
// are read again where they are wanted again.
func (s *spool) forget() {
	if s.mapped != nil {
		_ = syscall.Madvise(s.mapped, syscall.MADV_DONTNEED)
	}
}

func (s *spool) close() {
	_ = s.unmap()
	s.file.Close()
}

// data is a column in the mapping; it is valid until the spool is closed or
// opened again.
func (s *spool) data(c *column) arrow.ArrayData {
	bufs := make([]*memory.Buffer, len(c.buffers))
	for i, b := range c.buffers {
		if b.size > 0 {
			bufs[i] = memory.NewBufferBytes(s.mapped[b.offset : b.offset+b.size : b.offset+b.size])
		}
	}
	children := make([]arrow.ArrayData, len(c.children))
	for i := range c.children {
		children[i] = s.data(&c.children[i])
	}
	return array.NewData(c.typ, c.n, bufs, children, c.nulls, 0)
}

// record is a segment in the mapping.
func (s *spool) record(seg *segment, sc *arrow.Schema) arrow.RecordBatch {
	cols := make([]arrow.Array, len(seg.cols))
	for i := range cols {
		cols[i] = array.MakeFromData(s.data(&seg.cols[i]))
	}
	return array.NewRecordBatch(sc, cols, int64(seg.rows))
}

// sortSegments brings a table's segments into the order of their rows.
func sortSegments(segs []segment) {
	slices.SortFunc(segs, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
}

// segmentOf returns the index of the segment that holds a position.
func segmentOf(segs []segment, pos int64) int {
	return sort.Search(len(segs), func(i int) bool { return segs[i].first > pos }) - 1
}
