package sinktest

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Synthetic makes rows of one wide kind, the same ones for the same numbers.
// It is the load of the benchmarks and of the tests with many rows.
type Synthetic struct {
	Kind *schema.Kind
	// Version is mixed into every value of two columns and into the hash:
	// another version is an estate in which every row changed.
	Version int
	// Count is mixed into the values of the first of them, but not into the
	// hash: it is for a kind whose first own column is volatile.
	Count int
	// Edges is the number of references of each row.
	Edges int
}

// NewSynthetic returns a generator of rows with the given number of table
// columns, unified ones included.
func NewSynthetic(name string, columns, edges int) *Synthetic {
	k := &schema.Kind{
		Name: name, Key: name, Cloud: "aws", Service: "synthetic", KeyScope: schema.KeyRegion,
		Doc: "Synthetic rows.", Definition: "1",
	}
	cycle := []schema.Type{
		schema.Text, schema.Text, schema.Int64, schema.Bool, schema.Text, schema.Timestamp,
		schema.Text, schema.JSON, schema.Float64, schema.TextList,
	}
	for i := 0; len(schema.Unified)+i < columns; i++ {
		t := cycle[i%len(cycle)]
		k.Columns = append(k.Columns, schema.Column{Name: fmt.Sprintf("c%02d_%s", i, t.String()[:3]), Type: t, Doc: "Column."})
	}
	if edges > 0 {
		k.Edges = []schema.Edge{{To: name, Ref: "PeerId", Relation: "peers", Match: schema.MatchID, OnDelete: schema.None}}
	}
	return &Synthetic{Kind: k, Edges: edges}
}

// Batch returns the rows from to to-1 as one batch of a scope.
func (g *Synthetic) Batch(scope schema.Scope, from, to int) *schema.Batch {
	return &schema.Batch{Kind: g.Kind, Scope: scope, Rows: g.rows(scope, from, to), Edges: g.edges(from, to)}
}

func (g *Synthetic) rows(scope schema.Scope, from, to int) arrow.RecordBatch {
	mem := memory.DefaultAllocator
	b := array.NewRecordBuilder(mem, g.Kind.BatchSchema())
	defer b.Release()
	b.Reserve(to - from)
	scopeID := scope.ID()
	var buf []byte
	text := func(prefix string, n uint64) string {
		buf = append(buf[:0], prefix...)
		buf = strconv.AppendUint(buf, n, 16)
		return string(buf)
	}
	tags := b.Field(schema.ColTags).(*array.MapBuilder)
	tagKeys, tagItems := tags.KeyBuilder().(*array.StringBuilder), tags.ItemBuilder().(*array.StringBuilder)
	str := func(col int, s string) { b.Field(col).(*array.StringBuilder).Append(s) }
	for n := from; n < to; n++ {
		r := mix(uint64(n))
		id := text("i-", r)
		rowID, hash := g.id(n), g.hash(n)
		b.Field(schema.ColID).(*array.FixedSizeBinaryBuilder).Append(rowID[:])
		b.Field(schema.ColHash).(*array.FixedSizeBinaryBuilder).Append(hash[:])
		str(schema.ColVendorID, id)
		str(schema.ColName, text("host-", r%100000))
		str(schema.ColKind, g.Kind.Name)
		tags.Append(true)
		tagKeys.Append("owner")
		tagItems.Append(text("team-", r%40))
		tagKeys.Append("stage")
		tagItems.Append([]string{"dev", "test", "prod"}[r%3])
		b.Field(schema.ColCreatedAt).(*array.TimestampBuilder).Append(arrow.Timestamp(1700000000000000 + int64(r%1e15)))
		b.Field(schema.ColUpdatedAt).AppendNull()
		str(schema.ColCloud, scope.Cloud)
		str(schema.ColAccount, scope.Account)
		str(schema.ColRegion, scope.Region)
		str(schema.ColURN, "arn:aws:ec2:"+scope.Region+":"+scope.Account+":instance/"+id)
		str(schema.ColScope, scopeID)
		b.Field(schema.ColUnread).AppendNull()
		for i, c := range g.Kind.Columns {
			g.value(b.Field(schema.NumBatchUnified+i), c.Type, i, r, text)
		}
	}
	return b.NewRecordBatch()
}

// value appends the value of the kind's i-th own column; every seventh is NULL.
func (g *Synthetic) value(b array.Builder, t schema.Type, i int, r uint64, text func(string, uint64) string) {
	v := mix(r + uint64(i))
	switch {
	case i == 0:
		v += uint64(g.Version + g.Count)
	case i == 1:
		v += uint64(g.Version)
	case v%7 == 0:
		b.AppendNull()
		return
	}
	switch t {
	case schema.Text:
		if i%3 == 0 {
			b.(*array.StringBuilder).Append(text("vpc-", v%1000))
			return
		}
		b.(*array.StringBuilder).Append(text("eni-", v))
	case schema.Int64:
		b.(*array.Int64Builder).Append(int64(v % 1e9))
	case schema.Float64:
		b.(*array.Float64Builder).Append(float64(v%1e6) / 8)
	case schema.Bool:
		b.(*array.BooleanBuilder).Append(v&1 == 0)
	case schema.Timestamp:
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(1700000000000000 + int64(v%1e15)))
	case schema.JSON:
		b.(*array.StringBuilder).Append(`{"Encrypted":true,"VolumeId":"` + text("vol-", v) + `"}`)
	case schema.TextList:
		l := b.(*array.ListBuilder)
		l.Append(true)
		l.ValueBuilder().(*array.StringBuilder).Append(text("sg-", v%5000))
	default:
		panic("sinktest: no synthetic value of type " + t.String())
	}
}

func (g *Synthetic) edges(from, to int) arrow.RecordBatch {
	if g.Edges == 0 {
		return nil
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema.EdgeSchema)
	defer b.Release()
	for n := from; n < to; n++ {
		id := g.id(n)
		for e := range g.Edges {
			b.Field(schema.EdgeFromID).(*array.FixedSizeBinaryBuilder).Append(id[:])
			b.Field(schema.EdgeDecl).(*array.Int32Builder).Append(0)
			peer := n ^ (1 << e)
			b.Field(schema.EdgeToRef).(*array.StringBuilder).Append("i-" + strconv.FormatUint(mix(uint64(peer)), 16))
		}
	}
	return b.NewRecordBatch()
}

func (g *Synthetic) id(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[:8], mix(uint64(n)))
	binary.BigEndian.PutUint64(id[8:], mix(^uint64(n)))
	id[6] = id[6]&0x0f | 0x50
	id[8] = id[8]&0x3f | 0x80
	return id
}

func (g *Synthetic) hash(n int) (h [16]byte) {
	binary.BigEndian.PutUint64(h[:8], mix(uint64(n)+1e12+uint64(g.Version)<<40))
	binary.BigEndian.PutUint64(h[8:], mix(uint64(n)+2e12+uint64(g.Version)<<40))
	return h
}

// mix is the finaliser of splitmix64: a bijection that spreads small numbers.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
