package sinktest

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sort"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Row is a hand-made row of a kind.
type Row struct {
	ID   string
	Name string // the ID if empty
	// Account and Region are the owner's; the scope's if empty.
	Account, Region string
	// Parent is the _id of the row's parent; the scope's if empty.
	Parent string
	// URN is made of the others if empty.
	URN string
	// Tags are NULL if nil, Created if zero.
	Tags    map[string]string
	Created time.Time
	// Values are the kind's own columns by name: bool, int64, float64,
	// string, time.Time, and slices of them. What is missing is NULL.
	Values map[string]any
	// Unread are the columns that could not be read.
	Unread []string
	Refs   []Ref
}

// Ref is a reference of a row by a declaration of its kind's edges.
type Ref struct {
	Decl int
	To   string
}

// With returns the row with a value of its own columns.
func (r Row) With(column string, v any) Row {
	values := maps.Clone(r.Values)
	if values == nil {
		values = map[string]any{}
	}
	values[column] = v
	r.Values = values
	return r
}

// complete fills in what a row of the scope takes from it.
func (r Row) complete(k *schema.Kind, s schema.Scope) Row {
	if r.Account == "" {
		r.Account = s.Account
	}
	if r.Region == "" {
		r.Region = s.Region
	}
	if r.Parent == "" {
		r.Parent = s.Parent
	}
	if r.Name == "" {
		r.Name = r.ID
	}
	if r.URN == "" {
		r.URN = fmt.Sprintf("arn:aws:%s:%s:%s:%s", k.Service, r.Region, r.Account, r.ID)
	}
	return r
}

var namespace = uuid.MustParse("5f2c0b8e-4c0e-4b8a-9d52-6a1a3ad6a9b1")

// ID returns the _id of a row with an id that belongs to an account and region.
func ID(k *schema.Kind, account, region, id string) uuid.UUID {
	switch k.KeyScope {
	case schema.KeyGlobal:
		account, region = "", ""
	case schema.KeyAccount:
		region = ""
	}
	b, _ := json.Marshal([]string{k.Cloud, account, region, k.Key, id})
	return uuid.NewSHA1(namespace, b)
}

// Batch makes a batch of hand-made rows.
func Batch(k *schema.Kind, s schema.Scope, rows ...Row) *schema.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, k.BatchSchema())
	defer b.Release()
	e := array.NewRecordBuilder(memory.DefaultAllocator, schema.EdgeSchema)
	defer e.Release()
	edges := 0
	for _, r := range rows {
		r = r.complete(k, s)
		own := s
		own.Parent = r.Parent
		id := ID(k, r.Account, r.Region, r.ID)
		unified := []any{
			schema.ColID: id, schema.ColVendorID: r.ID, schema.ColName: r.Name, schema.ColKind: k.Name, schema.ColTags: r.Tags,
			schema.ColCreatedAt: timeOrNull(r.Created), schema.ColUpdatedAt: nil, schema.ColCloud: k.Cloud, schema.ColAccount: r.Account,
			schema.ColRegion: r.Region, schema.ColURN: r.URN, schema.ColScope: own.ID(), schema.ColHash: hashOf(k, r), schema.ColUnread: r.Unread,
		}
		for i, v := range unified {
			appendValue(b.Field(i), v)
		}
		for i, c := range k.Columns {
			appendValue(b.Field(schema.NumBatchUnified+i), r.Values[c.Name])
		}
		for _, ref := range r.Refs {
			e.Field(schema.EdgeFromID).(*array.FixedSizeBinaryBuilder).Append(id[:])
			e.Field(schema.EdgeDecl).(*array.Int32Builder).Append(int32(ref.Decl))
			e.Field(schema.EdgeToRef).(*array.StringBuilder).Append(ref.To)
			edges++
		}
	}
	batch := &schema.Batch{Kind: k, Scope: s, Rows: b.NewRecordBatch()}
	if edges > 0 {
		batch.Edges = e.NewRecordBatch()
	}
	return batch
}

// hashOf is 128 bits over what is neither NULL nor volatile.
func hashOf(k *schema.Kind, r Row) uuid.UUID {
	values := map[string]any{}
	for _, c := range k.Columns {
		if v := r.Values[c.Name]; v != nil && !c.Volatile {
			values[c.Name] = fmt.Sprintf("%T %v", v, v)
		}
	}
	b, err := json.Marshal([]any{r.Name, r.Tags, r.Created.UnixMicro(), r.Account, r.Region, r.URN, values, r.Refs})
	if err != nil {
		panic("sinktest: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return uuid.UUID(sum[:16])
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func appendValue(b array.Builder, v any) {
	if l, ok := b.(*array.ListBuilder); ok {
		appendList(l, v)
		return
	}
	switch v := v.(type) {
	case nil:
		b.AppendNull()
	case bool:
		b.(*array.BooleanBuilder).Append(v)
	case int64:
		b.(*array.Int64Builder).Append(v)
	case float64:
		b.(*array.Float64Builder).Append(v)
	case string:
		b.(*array.StringBuilder).Append(v)
	case time.Time:
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.UnixMicro()))
	case uuid.UUID:
		b.(*array.FixedSizeBinaryBuilder).Append(v[:])
	case map[string]string:
		m := b.(*array.MapBuilder)
		if v == nil {
			m.AppendNull()
			return
		}
		m.Append(true)
		keys := slices.Collect(maps.Keys(v))
		sort.Strings(keys)
		for _, k := range keys {
			m.KeyBuilder().(*array.StringBuilder).Append(k)
			m.ItemBuilder().(*array.StringBuilder).Append(v[k])
		}
	default:
		panic(fmt.Sprintf("sinktest: no column holds %T", v))
	}
}

func appendList(l *array.ListBuilder, v any) {
	each := func(n int, at func(i int) any) {
		l.Append(true)
		for i := range n {
			appendValue(l.ValueBuilder(), at(i))
		}
	}
	switch v := v.(type) {
	case nil:
		l.AppendNull()
	case []string:
		if v == nil {
			l.AppendNull()
			return
		}
		each(len(v), func(i int) any { return v[i] })
	case []int64:
		each(len(v), func(i int) any { return v[i] })
	case []float64:
		each(len(v), func(i int) any { return v[i] })
	case []bool:
		each(len(v), func(i int) any { return v[i] })
	case []time.Time:
		each(len(v), func(i int) any { return v[i] })
	default:
		panic(fmt.Sprintf("sinktest: no list column holds %T", v))
	}
}
