package stage

import (
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
)

// narrow collects small records of one shape, in the order they come in.
type narrow[T any] struct {
	append func(*array.RecordBuilder, T)
	put    func(arrow.RecordBatch) error

	mu sync.Mutex
	b  *array.RecordBuilder
	n  int
}

const narrowRows = 16384

func newNarrow[T any](sc *arrow.Schema, f func(*array.RecordBuilder, T), put func(arrow.RecordBatch) error) *narrow[T] {
	return &narrow[T]{append: f, put: put, b: array.NewRecordBuilder(new(schema.Pool), sc)}
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
	w.n = 0
	return w.put(rec)
}

type reading struct {
	kind     int32
	pos      int64 // among the kind's staged rows, -1 if only the reading counts
	id, hash [16]byte
	scope    uint64
	owner    bool // the scope is the owner's
	unread   bool // columns of it are unread
}

// ReadingSchema has a record for each reading of a row that may change
// something: row_pos is the row's position among its kind's staged ones, or -1
// where only the reading counts, since the row is unchanged; scope is the
// ScopeHash of the scope that reported it, owner says that it is the account
// that the row belongs to. A _hash of zeros is that of the table's row, which a
// later reading of the same scope contradicts.
var ReadingSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
	{Name: "row_pos", Type: arrow.PrimitiveTypes.Int64},
	{Name: "_id", Type: schema.UUID.Arrow()},
	{Name: "_hash", Type: schema.UUID.Arrow()},
	{Name: "scope", Type: arrow.PrimitiveTypes.Uint64},
	{Name: "owner", Type: arrow.FixedWidthTypes.Boolean},
	{Name: "unread", Type: arrow.FixedWidthTypes.Boolean},
}, nil)

func appendReading(b *array.RecordBuilder, r reading) {
	b.Field(0).(*array.Int32Builder).Append(r.kind)
	b.Field(1).(*array.Int64Builder).Append(r.pos)
	b.Field(2).(*array.FixedSizeBinaryBuilder).Append(r.id[:])
	b.Field(3).(*array.FixedSizeBinaryBuilder).Append(r.hash[:])
	b.Field(4).(*array.Uint64Builder).Append(r.scope)
	b.Field(5).(*array.BooleanBuilder).Append(r.owner)
	b.Field(6).(*array.BooleanBuilder).Append(r.unread)
}

type edge struct {
	kind                   int32
	pos                    int64
	from                   [16]byte
	decl                   int32
	ref                    string
	account, region, scope string
}

// EdgeSchema has a record for each edge of a staged row, with what of the row
// resolves it.
var EdgeSchema = arrow.NewSchema([]arrow.Field{
	{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
	{Name: "row_pos", Type: arrow.PrimitiveTypes.Int64},
	{Name: "from_id", Type: schema.UUID.Arrow()},
	{Name: "decl", Type: arrow.PrimitiveTypes.Int32},
	{Name: "to_ref", Type: schema.Text.Arrow()},
	{Name: "account", Type: schema.Text.Arrow()},
	{Name: "region", Type: schema.Text.Arrow()},
	{Name: "_scope", Type: schema.Text.Arrow()},
}, nil)

func appendEdge(b *array.RecordBuilder, e edge) {
	b.Field(0).(*array.Int32Builder).Append(e.kind)
	b.Field(1).(*array.Int64Builder).Append(e.pos)
	b.Field(2).(*array.FixedSizeBinaryBuilder).Append(e.from[:])
	b.Field(3).(*array.Int32Builder).Append(e.decl)
	for i, v := range [...]string{e.ref, e.account, e.region, e.scope} {
		b.Field(4 + i).(*array.StringBuilder).Append(v)
	}
}

type scopeEnd struct {
	kind   int32
	hash   uint64
	result schema.ScopeResult
}

// ScopeSchema has a record for each scope that was reported.
var ScopeSchema = arrow.NewSchema([]arrow.Field{
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

func appendScope(b *array.RecordBuilder, s scopeEnd) {
	text := func(col int, v string, nullable bool) {
		sb := b.Field(col).(*array.StringBuilder)
		if nullable && v == "" {
			sb.AppendNull()
			return
		}
		sb.Append(CleanText(v))
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
