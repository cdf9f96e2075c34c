package schema

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Batch is a set of rows of one kind with their edges, read by one account in
// one region. The receiver of a Batch owns one reference: it calls Release.
type Batch struct {
	Kind *Kind
	// Scope is that of the rows. Where a kind is listed for each of many
	// parents, rows of several parents share a batch: the column _scope is
	// what counts, Scope.Parent that of the last row.
	Scope Scope
	// Rows has the kind's BatchSchema.
	Rows arrow.RecordBatch
	// Edges has EdgeSchema, nil where the rows have none.
	Edges arrow.RecordBatch
	// Problems found while the rows were built.
	Problems []Problem
}

// Retain adds a reference, to be dropped by Release.
func (b *Batch) Retain() {
	if b.Rows != nil {
		b.Rows.Retain()
	}
	if b.Edges != nil {
		b.Edges.Retain()
	}
}

// Release drops the batch's reference to its records.
func (b *Batch) Release() {
	if b.Rows != nil {
		b.Rows.Release()
	}
	if b.Edges != nil {
		b.Edges.Release()
	}
}

// EdgeSchema is the Arrow schema of a batch's edges: one row for each
// reference that a row holds, duplicates removed.
var EdgeSchema = arrow.NewSchema([]arrow.Field{
	{Name: "from_id", Type: UUID.Arrow()},
	// decl is the index into Kind.Edges, which says kind, relation, match and on_delete.
	{Name: "decl", Type: arrow.PrimitiveTypes.Int32},
	{Name: "to_ref", Type: Text.Arrow()},
}, nil)

// Positions in EdgeSchema.
const (
	EdgeFromID = iota
	EdgeDecl
	EdgeToRef
)
