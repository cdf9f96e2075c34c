package duckdb

import (
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// staging is the store of a sync: a file, in which what edges refer to stands
// once for many. Machines share their network, their image and their account:
// what they refer to is looked up once, and edges are numbers until they are
// entered.
type staging struct {
	*stage.File
	// first is, by kind index, the number of the kind's first declaration.
	first []int32

	mu          sync.Mutex
	places      map[place]int32
	edges, refs []stage.Segment
	// edgeCount and refCount are how many were staged.
	edgeCount, refCount int64
}

// place is where edges leave: what of their row resolves and owns them.
type place struct{ account, region, scope string }

// reference is what an edge refers to by a declaration, seen from a place.
type reference struct {
	decl, place int32
	ref         string
}

var (
	stagedEdges = arrow.NewSchema([]arrow.Field{
		{Name: "from_id", Type: schema.UUID.Arrow()},
		{Name: "ref", Type: arrow.PrimitiveTypes.Int64},
		// Not read where all rows are new.
		{Name: "kind", Type: arrow.PrimitiveTypes.Int32},
		{Name: "row_pos", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	stagedRefs = arrow.NewSchema([]arrow.Field{
		{Name: "ref", Type: arrow.PrimitiveTypes.Int64},
		{Name: "declared", Type: arrow.PrimitiveTypes.Int32},
		{Name: "place", Type: arrow.PrimitiveTypes.Int32},
		{Name: "to_ref", Type: schema.Text.Arrow()},
	}, nil)
	stagedPlaces = arrow.NewSchema([]arrow.Field{
		{Name: "place", Type: arrow.PrimitiveTypes.Int32},
		{Name: "account", Type: schema.Text.Arrow()},
		{Name: "region", Type: schema.Text.Arrow()},
		{Name: "_scope", Type: schema.Text.Arrow()},
	}, nil)
)

func newStaging(dir string, kinds []*schema.Kind) (*staging, error) {
	f, err := stage.NewFile(dir)
	if err != nil {
		return nil, err
	}
	s := &staging{File: f, places: map[place]int32{}}
	n := int32(0)
	for _, k := range kinds {
		s.first = append(s.first, n)
		n += int32(len(k.Edges))
	}
	return s, nil
}

// PutEdges implements stage.Store.
func (s *staging) PutEdges(rec arrow.RecordBatch) error {
	kinds, pos := rec.Column(0).(*array.Int32), rec.Column(1).(*array.Int64)
	from, decls := rec.Column(2).(*array.FixedSizeBinary), rec.Column(3).(*array.Int32)
	var texts [4]*array.String // to_ref, account, region, _scope
	for i := range texts {
		texts[i] = rec.Column(4 + i).(*array.String)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	numbers := array.NewInt64Builder(memory.DefaultAllocator)
	defer numbers.Release()
	numbers.Reserve(kinds.Len())
	refs := array.NewRecordBuilder(memory.DefaultAllocator, stagedRefs)
	defer refs.Release()
	seen := make(map[reference]int64)
	var at place
	in := int32(-1)
	for i := range kinds.Len() {
		if p := (place{texts[1].Value(i), texts[2].Value(i), texts[3].Value(i)}); in < 0 || p != at {
			at, in = p, s.place(p)
		}
		r := reference{s.first[kinds.Value(i)] + decls.Value(i), in, texts[0].Value(i)}
		n, ok := seen[r]
		if !ok {
			n = s.refCount
			s.refCount++
			seen[r] = n
			refs.Field(0).(*array.Int64Builder).Append(n)
			refs.Field(1).(*array.Int32Builder).Append(r.decl)
			refs.Field(2).(*array.Int32Builder).Append(r.place)
			refs.Field(3).(*array.StringBuilder).Append(r.ref)
		}
		numbers.UnsafeAppend(n)
	}
	s.edgeCount += rec.NumRows()
	column := numbers.NewArray()
	defer column.Release()
	edges := array.NewRecordBatch(stagedEdges, []arrow.Array{from, column, kinds, pos}, rec.NumRows())
	defer edges.Release()
	if err := s.put(&s.edges, edges); err != nil {
		return err
	}
	batch := refs.NewRecordBatch()
	defer batch.Release()
	return s.put(&s.refs, batch)
}

// place numbers a place.
func (s *staging) place(p place) int32 {
	n, ok := s.places[p]
	if !ok {
		n = int32(len(s.places))
		s.places[place{strings.Clone(p.account), strings.Clone(p.region), strings.Clone(p.scope)}] = n
	}
	return n
}

func (s *staging) put(to *[]stage.Segment, rec arrow.RecordBatch) error {
	if rec.NumRows() == 0 {
		return nil
	}
	seg, err := s.Put(rec, 0)
	*to = append(*to, seg)
	return err
}

// edgeViews are what was staged of edges, each to be read once.
func (s *staging) edgeViews() (places, refs, edges *stage.Stream) {
	b := array.NewRecordBuilder(memory.DefaultAllocator, stagedPlaces)
	defer b.Release()
	for p, n := range s.places {
		b.Field(0).(*array.Int32Builder).Append(n)
		for i, v := range [...]string{p.account, p.region, p.scope} {
			b.Field(1 + i).(*array.StringBuilder).Append(v)
		}
	}
	return stage.One(b.NewRecordBatch()), s.Batches(stagedRefs, s.refs), s.Batches(stagedEdges, s.edges)
}
