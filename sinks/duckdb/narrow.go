package duckdb

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// narrow stages small records of one shape, in the order they come in.
type narrow[T any] struct {
	stage  *stage
	append func(*array.RecordBuilder, T)

	mu   sync.Mutex
	b    *array.RecordBuilder
	n    int
	rows int64
	segs []segment
}

const narrowRows = 16384

func newNarrow[T any](s *stage, sc *arrow.Schema, f func(*array.RecordBuilder, T)) *narrow[T] {
	return &narrow[T]{stage: s, append: f, b: array.NewRecordBuilder(memory.DefaultAllocator, sc)}
}

func (w *narrow[T]) add(v T) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.append(w.b, v)
	w.n++
	if w.n < narrowRows {
		return nil
	}
	return w.flushLocked()
}

func (w *narrow[T]) flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushLocked()
}

func (w *narrow[T]) flushLocked() error {
	if w.n == 0 {
		return nil
	}
	rec := w.b.NewRecordBatch()
	defer rec.Release()
	seg, err := w.stage.put(rec, w.rows)
	if err != nil {
		return err
	}
	w.segs = append(w.segs, seg)
	w.rows += int64(w.n)
	w.n = 0
	return nil
}

// stream yields what was staged.
func (w *narrow[T]) stream() *stream { return w.stage.batches(w.b.Schema(), w.segs) }

// stagedRow is one reading of a row that may change something.
type stagedRow struct {
	kind     int32
	pos      int64 // among the kind's staged rows, -1 if only the reading counts
	id, hash [16]byte
	scope    uint64
	owner    bool // the scope is the owner's
	unread   bool // columns of it are unread
	foreign  bool // the table's row is another scope's
}

var stagedRowSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
	{Name: "row_pos", Type: arrow.PrimitiveTypes.Int64},
	{Name: "_id", Type: schema.UUID.Arrow()},
	{Name: "_hash", Type: schema.UUID.Arrow()},
	{Name: "scope", Type: arrow.PrimitiveTypes.Uint64},
	{Name: "owner", Type: arrow.FixedWidthTypes.Boolean},
	{Name: "unread", Type: arrow.FixedWidthTypes.Boolean},
}, nil)

func appendStagedRow(b *array.RecordBuilder, r stagedRow) {
	b.Field(0).(*array.Int32Builder).Append(r.kind)
	b.Field(1).(*array.Int64Builder).Append(r.pos)
	b.Field(2).(*array.FixedSizeBinaryBuilder).Append(r.id[:])
	b.Field(3).(*array.FixedSizeBinaryBuilder).Append(r.hash[:])
	b.Field(4).(*array.Uint64Builder).Append(r.scope)
	b.Field(5).(*array.BooleanBuilder).Append(r.owner)
	b.Field(6).(*array.BooleanBuilder).Append(r.unread)
}

// stagedEdge is one edge of a staged row, with what of the row resolves it.
type stagedEdge struct {
	kind                   int32
	pos                    int64
	from                   [16]byte
	decl                   int32
	ref                    string
	account, region, scope string
}

var stagedEdgeSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
	{Name: "row_pos", Type: arrow.PrimitiveTypes.Int64},
	{Name: "from_id", Type: schema.UUID.Arrow()},
	{Name: "decl", Type: arrow.PrimitiveTypes.Int32},
	{Name: "to_ref", Type: schema.Text.Arrow()},
	{Name: "account", Type: schema.Text.Arrow()},
	{Name: "region", Type: schema.Text.Arrow()},
	{Name: "_scope", Type: schema.Text.Arrow()},
}, nil)

func appendStagedEdge(b *array.RecordBuilder, e stagedEdge) {
	b.Field(0).(*array.Int32Builder).Append(e.kind)
	b.Field(1).(*array.Int64Builder).Append(e.pos)
	b.Field(2).(*array.FixedSizeBinaryBuilder).Append(e.from[:])
	b.Field(3).(*array.Int32Builder).Append(e.decl)
	for i, v := range [...]string{e.ref, e.account, e.region, e.scope} {
		b.Field(4 + i).(*array.StringBuilder).Append(v)
	}
}

// scopeRow is how the reading of a scope ended.
type scopeRow struct {
	kind   int32
	hash   uint64
	result schema.ScopeResult
}

var scopeRowSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
	{Name: "hash", Type: arrow.PrimitiveTypes.Uint64},
	{Name: "scope", Type: schema.Text.Arrow()},
	{Name: "cloud", Type: schema.Text.Arrow()},
	{Name: "account", Type: schema.Text.Arrow()},
	{Name: "region", Type: schema.Text.Arrow()},
	{Name: "parent", Type: schema.Text.Arrow(), Nullable: true},
	{Name: "state", Type: schema.Text.Arrow()},
	{Name: "rows", Type: arrow.PrimitiveTypes.Int64},
	{Name: "calls", Type: arrow.PrimitiveTypes.Int64},
	{Name: "error", Type: schema.Text.Arrow(), Nullable: true},
	{Name: "code", Type: schema.Text.Arrow(), Nullable: true},
	{Name: "request_id", Type: schema.Text.Arrow(), Nullable: true},
	{Name: "duration_seconds", Type: arrow.PrimitiveTypes.Float64},
}, nil)

func appendScopeRow(b *array.RecordBuilder, s scopeRow) {
	text := func(col int, v string, nullable bool) {
		sb := b.Field(col).(*array.StringBuilder)
		if nullable && v == "" {
			sb.AppendNull()
			return
		}
		sb.Append(cleanText(v))
	}
	r := s.result
	b.Field(0).(*array.Int32Builder).Append(s.kind)
	b.Field(1).(*array.Uint64Builder).Append(s.hash)
	text(2, r.Scope.ID(), false)
	text(3, r.Scope.Cloud, false)
	text(4, r.Scope.Account, false)
	text(5, r.Scope.Region, false)
	text(6, r.Scope.Parent, true)
	text(7, string(r.State), false)
	b.Field(8).(*array.Int64Builder).Append(r.Rows)
	b.Field(9).(*array.Int64Builder).Append(r.Calls)
	text(10, r.Error, true)
	text(11, r.Code, true)
	text(12, r.RequestID, true)
	b.Field(13).(*array.Float64Builder).Append(r.Duration.Seconds())
}
