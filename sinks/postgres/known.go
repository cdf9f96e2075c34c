package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// loadKnown counts the rows of the kinds' tables and fills in the Known of
// those within the budget.
func (t *tx) loadKnown(ctx context.Context, c *conn) error {
	return c.transaction(ctx, func() error {
		counts, err := c.texts(ctx, "SELECT kind, count(*) FROM resources GROUP BY kind")
		if err != nil {
			return err
		}
		for _, r := range counts {
			if k := t.ByName(r[0]); k != nil {
				if _, err := fmt.Sscan(r[1], &k.Had); err != nil {
					return err
				}
			}
		}
		budget := t.sink.opts.HashBudget
		var plain []*stage.Kind
		for _, k := range t.Kinds() {
			if k.Had == 0 || stage.KnownBytes(k.Had) > budget || !comparable(k) {
				continue
			}
			budget -= stage.KnownBytes(k.Had)
			k.Known = stage.NewKnown(k.Had)
			if len(k.Volatile) == 0 {
				plain = append(plain, k)
				continue
			}
			if err := t.loadVolatile(ctx, c, k); err != nil {
				return fmt.Errorf("%s: %w", k.Name, err)
			}
		}
		return t.loadPlain(ctx, c, plain)
	})
}

// comparable says whether the volatile columns of a table's rows can be read
// as those of a batch are.
func comparable(k *stage.Kind) bool {
	columns := k.BatchColumns()
	return !slices.ContainsFunc(k.Volatile, func(i int) bool {
		t := columns[i].Type
		return t.Elem() != 0 || t == schema.TextMap || t == schema.UUID
	})
}

// loadPlain reads the kinds without volatile columns by one scan of resources.
func (t *tx) loadPlain(ctx context.Context, c *conn, kinds []*stage.Kind) error {
	if len(kinds) == 0 {
		return nil
	}
	var values []string
	for _, k := range kinds {
		values = append(values, fmt.Sprintf("(%s, %d)", literal(k.Name), k.Index))
	}
	ordinals := ordinals{tx: t}
	return c.copyOut(ctx, fmt.Sprintf(`SELECT k.i, r._id, r._hash, r._scope, r._unread IS NOT NULL OR r._hash IS NULL
		FROM resources r JOIN (VALUES %s) k(name, i) ON r.kind = k.name`, strings.Join(values, ", ")), 5, func(v [][]byte) error {
		k := t.Kinds()[binary.BigEndian.Uint32(v[0])]
		if k.Known != nil && !k.Known.Add(v[1], v[2], 0, ordinals.of(v[3]), v[4][0] != 0) {
			k.Known = nil
		}
		return nil
	})
}

// loadVolatile reads a kind with volatile columns from its table.
func (t *tx) loadVolatile(ctx context.Context, c *conn, k *stage.Kind) error {
	query := "SELECT _id, _hash, _scope, _unread IS NOT NULL OR _hash IS NULL"
	var fields []arrow.Field
	for _, i := range k.Volatile {
		col := k.BatchColumns()[i]
		query += ", " + ident(col.Name)
		fields = append(fields, arrow.Field{Name: col.Name, Type: col.Type.Arrow(), Nullable: true})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	ordinals := ordinals{tx: t}
	return c.copyOut(ctx, query+" FROM "+ident(k.Name), 4+len(fields), func(v [][]byte) error {
		if k.Known == nil {
			return nil
		}
		for i, value := range v[4:] {
			if err := appendBinary(b.Field(i), value, k.BatchColumns()[k.Volatile[i]].Type); err != nil {
				return err
			}
		}
		rec := b.NewRecordBatch()
		defer rec.Release()
		sums := stage.VolatileSums{Columns: rec.Columns()}
		if !k.Known.Add(v[0], v[1], sums.Sum(0), ordinals.of(v[2]), v[3][0] != 0) {
			k.Known = nil
		}
		return nil
	})
}

// ordinals gives scopes their numbers; rows of a scope mostly come together.
type ordinals struct {
	tx   *tx
	last []byte
	n    uint32
}

func (o *ordinals) of(scope []byte) uint32 {
	if o.last == nil || !bytes.Equal(o.last, scope) {
		o.last = append(o.last[:0], scope...)
		o.n = o.tx.Ordinal(string(scope))
	}
	return o.n
}

// appendBinary appends a value in Postgres' binary form.
func appendBinary(b array.Builder, v []byte, t schema.Type) error {
	if v == nil {
		b.AppendNull()
		return nil
	}
	word := func() uint64 { return binary.BigEndian.Uint64(v) }
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v[0] != 0)
	case *array.Int64Builder:
		b.Append(int64(word()))
	case *array.Float64Builder:
		b.Append(math.Float64frombits(word()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(int64(word()) + epoch))
	case *array.StringBuilder:
		if t != schema.JSON {
			b.Append(string(v))
			return nil
		}
		text, err := canonical(v[1:])
		if err != nil {
			return err
		}
		b.Append(text)
	default:
		return fmt.Errorf("no binary form of %s", t)
	}
	return nil
}

// canonical returns JSON with sorted keys and without spaces.
func canonical(v []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(v))
	d.UseNumber()
	var x any
	if err := d.Decode(&x); err != nil {
		return "", err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(x); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// copyOut runs a query and gives f the fields of each row in their binary
// form, nil where NULL, valid until f returns.
func (c *conn) copyOut(ctx context.Context, query string, fields int, f func([][]byte) error) error {
	d := &rowDecoder{row: f, fields: make([][]byte, fields)}
	copyTo := "COPY (" + query + ") TO STDOUT (FORMAT binary)"
	if _, err := c.pg.CopyTo(ctx, d, copyTo); err != nil {
		if d.err != nil {
			return d.err
		}
		return c.failed(err, copyTo)
	}
	if !d.ended {
		return fmt.Errorf("the answer to a COPY ends early\nin: %s", abbreviate(copyTo))
	}
	return nil
}

// rowDecoder takes the stream of a binary COPY in pieces of any size.
type rowDecoder struct {
	row    func([][]byte) error
	fields [][]byte
	rest   []byte
	begun  bool
	ended  bool
	err    error
}

func (d *rowDecoder) Write(p []byte) (int, error) {
	in := p
	if len(d.rest) > 0 {
		d.rest = append(d.rest, p...)
		in = d.rest
	}
	n, err := d.decode(in)
	if err != nil {
		d.err = err
		return 0, err
	}
	d.rest = append(d.rest[:0], in[n:]...)
	return len(p), nil
}

// decode takes whole rows and returns how many bytes they were.
func (d *rowDecoder) decode(in []byte) (int, error) {
	at := 0
	if !d.begun {
		if len(in) < len(copyHeader) {
			return 0, nil
		}
		if !bytes.Equal(in[:11], copyHeader[:11]) {
			return 0, errors.New("the server's answer is no binary COPY")
		}
		at = len(copyHeader) + int(binary.BigEndian.Uint32(in[15:]))
		if len(in) < at {
			return 0, nil
		}
		d.begun = true
	}
	for !d.ended && len(in) >= at+2 {
		n := binary.BigEndian.Uint16(in[at:])
		if n == 0xffff {
			d.ended = true
			return len(in), nil
		}
		if int(n) != len(d.fields) {
			return at, fmt.Errorf("a row of a COPY has %d fields, not %d", n, len(d.fields))
		}
		next, ok := d.fieldsOf(in, at+2)
		if !ok {
			break
		}
		if err := d.row(d.fields); err != nil {
			return at, err
		}
		at = next
	}
	return at, nil
}

// fieldsOf cuts a row into its fields; not ok where it is not all there.
func (d *rowDecoder) fieldsOf(in []byte, at int) (next int, ok bool) {
	for i := range d.fields {
		if len(in) < at+4 {
			return 0, false
		}
		n := int32(binary.BigEndian.Uint32(in[at:]))
		at += 4
		if n < 0 {
			d.fields[i] = nil
			continue
		}
		if len(in) < at+int(n) {
			return 0, false
		}
		d.fields[i] = in[at : at+int(n) : at+int(n)]
		at += int(n)
	}
	return at, true
}
