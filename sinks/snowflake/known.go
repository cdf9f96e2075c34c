package snowflake

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// known is what the sync remembers of the database besides stage.Known.
type known struct {
	// ids are the _ids of the rows of the kinds that have a Known, 16 bytes each.
	ids map[int32][]byte
	// sightings are those of the table; nil where they are too many.
	sightings map[sighting]struct{}
}

type sighting struct {
	kind  int32
	id    [16]byte
	scope uint64
}

// The memory that a row takes besides its Known, and a sighting.
const (
	idBytes       = 16
	sightingBytes = 64
)

// loadKnown reads the hashes of all kinds whose rows fit the budget, in one
// statement, their volatile values in a second and the sightings in a third,
// where there are any.
func (t *tx) loadKnown(ctx context.Context) error {
	t.known.ids = map[int32][]byte{}
	budget := t.sink.opts.HashBudget
	var names []string
	for _, k := range t.Kinds() {
		k.Had = t.base.rows[k.Name]
		need := stage.KnownBytes(k.Had) + k.Had*idBytes
		if k.Had == 0 || need > budget {
			continue
		}
		budget -= need
		k.Known = stage.NewKnown(k.Had)
		names = append(names, k.Name)
	}
	if n := t.base.sightings; n*sightingBytes <= budget {
		t.known.sightings = make(map[sighting]struct{}, n)
	}
	if len(names) == 0 {
		return nil
	}
	volatile, err := t.loadVolatile(ctx)
	if err != nil {
		return fmt.Errorf("read the volatile values: %w", err)
	}
	if err := t.loadHashes(ctx, names, volatile); err != nil {
		return fmt.Errorf("read the hashes: %w", err)
	}
	if t.base.sightings == 0 || t.known.sightings == nil {
		return nil
	}
	return t.conn.each(ctx, "SELECT kind, _id, _scope FROM sightings", func(r []string) error {
		id, err := uuid.Parse(r[1])
		if k := t.ByName(r[0]); err == nil && k != nil {
			t.known.sightings[sighting{k.Index, id, t.ScopeHash(r[2])}] = struct{}{}
		}
		return nil
	})
}

func (t *tx) loadHashes(ctx context.Context, names []string, volatile map[[16]byte]uint64) error {
	query := `SELECT kind, _id, _hash, _scope, _unread IS NOT NULL OR _hash IS NULL FROM resources`
	if len(names) < len(t.base.rows) {
		query += " WHERE kind IN (" + literals(names) + ")"
	}
	return t.conn.batches(ctx, query, func(rec arrow.RecordBatch) error {
		kinds, ok1 := rec.Column(0).(*array.String)
		ids, ok2 := rec.Column(1).(*array.String)
		hashes, ok3 := rec.Column(2).(*array.String)
		scopes, ok4 := rec.Column(3).(*array.String)
		unread, ok5 := rec.Column(4).(*array.Boolean)
		if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 {
			return fmt.Errorf("the columns came from Snowflake as %s", rec.Schema())
		}
		for i := range int(rec.NumRows()) {
			k := t.ByName(kinds.Value(i))
			if k == nil || k.Known == nil {
				continue
			}
			id, err := uuid.Parse(ids.Value(i))
			if err != nil {
				return fmt.Errorf("_id %q of %s: %w", ids.Value(i), k.Name, err)
			}
			var hash uuid.UUID
			if !unread.Value(i) {
				if hash, err = uuid.Parse(hashes.Value(i)); err != nil {
					return fmt.Errorf("_hash %q of %s: %w", hashes.Value(i), k.Name, err)
				}
			}
			if !k.Known.Add(id[:], hash[:], volatile[id], t.Ordinal(scopes.Value(i)), unread.Value(i)) {
				k.Known = nil
				delete(t.known.ids, k.Index)
				continue
			}
			t.known.ids[k.Index] = append(t.known.ids[k.Index], id[:]...)
		}
		return nil
	})
}

// loadVolatile returns the sums of the volatile values of the known kinds'
// rows, NULL ones included. The kinds' columns share slots of a type.
func (t *tx) loadVolatile(ctx context.Context) (map[[16]byte]uint64, error) {
	floats, others := 0, 0
	var kinds []*stage.Kind
	for _, k := range t.Kinds() {
		if k.Known == nil || len(k.Volatile) == 0 {
			continue
		}
		kinds = append(kinds, k)
		f, o := 0, 0
		for _, c := range k.Volatile {
			if k.BatchColumns()[c].Type == schema.Float64 {
				f++
			} else {
				o++
			}
		}
		floats, others = max(floats, f), max(others, o)
	}
	if len(kinds) == 0 {
		return nil, nil
	}
	var parts []string
	for _, k := range kinds {
		slots := make([]string, floats+others)
		for i := range slots {
			slots[i] = fmt.Sprintf("NULL::VARCHAR AS S%d", i)
			if i < floats {
				slots[i] = fmt.Sprintf("NULL::FLOAT AS S%d", i)
			}
		}
		f, o := 0, floats
		for _, c := range k.Volatile {
			col, at := k.BatchColumns()[c], &o
			if col.Type == schema.Float64 {
				at = &f
			}
			slots[*at] = fmt.Sprintf("%s AS S%d", volatileText(col), *at)
			*at++
		}
		parts = append(parts, fmt.Sprintf("SELECT %s AS K, _ID, %s FROM %s", literal(k.Name), strings.Join(slots, ", "), ident(k.Name)))
	}
	sums := map[[16]byte]uint64{}
	err := t.conn.batches(ctx, strings.Join(parts, " UNION ALL "), func(rec arrow.RecordBatch) error {
		names, ok1 := rec.Column(0).(*array.String)
		ids, ok2 := rec.Column(1).(*array.String)
		if !ok1 || !ok2 {
			return fmt.Errorf("the columns came from Snowflake as %s", rec.Schema())
		}
		for i := range int(rec.NumRows()) {
			id, err := uuid.Parse(ids.Value(i))
			if err != nil {
				return err
			}
			sum, err := volatileSum(t.ByName(names.Value(i)), rec, i, floats)
			if err != nil {
				return err
			}
			sums[id] = sum
		}
		return nil
	})
	return sums, err
}

// volatileText is a column's value as FLOAT or as text that volatileSum reads.
func volatileText(c schema.Column) string {
	col := ident(c.Name)
	switch c.Type {
	case schema.Float64, schema.Text:
		return col
	case schema.Timestamp:
		return "DATE_PART(EPOCH_MICROSECOND, " + col + ")::VARCHAR"
	case schema.Bool, schema.Int64:
		return col + "::VARCHAR"
	}
	return "TO_JSON(" + col + ")"
}

// volatileSum computes the sum of a row's volatile values as a batch has them.
func volatileSum(k *stage.Kind, rec arrow.RecordBatch, row, floats int) (uint64, error) {
	var sums stage.VolatileSums
	defer func() {
		for _, c := range sums.Columns {
			c.Release()
		}
	}()
	f, o := 0, floats
	for _, c := range k.Volatile {
		col, at := k.BatchColumns()[c], &o
		if col.Type == schema.Float64 {
			at = &f
		}
		b := array.NewBuilder(memory.DefaultAllocator, col.Type.Arrow())
		err := appendText(b, col.Type, rec.Column(2+*at), row)
		if err == nil {
			sums.Columns = append(sums.Columns, b.NewArray())
		}
		b.Release()
		if err != nil {
			return 0, fmt.Errorf("column %s of %s: %w", col.Name, k.Name, err)
		}
		*at++
	}
	return sums.Sum(0), nil
}

func appendText(b array.Builder, t schema.Type, from arrow.Array, row int) error {
	if from.IsNull(row) {
		b.AppendNull()
		return nil
	}
	if f, ok := from.(*array.Float64); ok {
		b.(*array.Float64Builder).Append(f.Value(row))
		return nil
	}
	s, ok := from.(*array.String)
	if !ok {
		return fmt.Errorf("values came from Snowflake as %s", from.DataType())
	}
	text := s.Value(row)
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(text)
		return nil
	case *array.Int64Builder:
		n, err := strconv.ParseInt(text, 10, 64)
		b.Append(n)
		return err
	case *array.TimestampBuilder:
		n, err := strconv.ParseInt(text, 10, 64)
		b.Append(arrow.Timestamp(n))
		return err
	case *array.BooleanBuilder:
		b.Append(strings.EqualFold(text, "true"))
		return nil
	}
	// A list or a map, as JSON: what does not read back equal is compared in
	// the database.
	if !json.Valid([]byte(text)) {
		return fmt.Errorf("%q is no JSON", text)
	}
	if m, ok := b.(*array.MapBuilder); ok {
		return appendMap(m, text)
	}
	return b.UnmarshalJSON([]byte("[" + text + "]"))
}

func appendMap(m *array.MapBuilder, text string) error {
	var values map[string]string
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return err
	}
	m.Append(true)
	for _, k := range sortedKeys(values) {
		m.KeyBuilder().(*array.StringBuilder).Append(k)
		m.ItemBuilder().(*array.StringBuilder).Append(values[k])
	}
	return nil
}
