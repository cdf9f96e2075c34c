package snowflake

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// fileBytes is about the size at which a Parquet file is ended. Snowflake
// loads files of 100 to 250 MB best.
// See https://docs.snowflake.com/en/user-guide/data-load-considerations-prepare
const fileBytes = 128 << 20

// parquetFiles writes record batches of one schema to files in a folder.
type parquetFiles struct {
	dir, name string
	schema    *arrow.Schema
	file      *os.File
	w         *pqarrow.FileWriter
	paths     []string
	rows      int64
}

func (p *parquetFiles) write(rec arrow.RecordBatch) error {
	if rec.NumRows() == 0 {
		return nil
	}
	if p.w == nil {
		path := filepath.Join(p.dir, fmt.Sprintf("%s_%d.parquet", p.name, len(p.paths)))
		f, err := os.Create(path)
		if err != nil {
			return fmt.Errorf("write Parquet: %w", err)
		}
		props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(1<<16))
		if p.w, err = pqarrow.NewFileWriter(p.schema, f, props, pqarrow.NewArrowWriterProperties()); err != nil {
			f.Close()
			return fmt.Errorf("write Parquet: %w", err)
		}
		p.file = f
		p.paths = append(p.paths, path)
	}
	if err := p.w.WriteBuffered(rec); err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	p.rows += rec.NumRows()
	if size, err := p.file.Seek(0, 1); err == nil && size > fileBytes {
		return p.close()
	}
	return nil
}

// close ends the file that is being written.
func (p *parquetFiles) close() error {
	if p.w == nil {
		return nil
	}
	err := p.w.Close() // closes the file
	p.w = nil
	if err != nil {
		return fmt.Errorf("write Parquet: %w", err)
	}
	return nil
}

// stagedType is how a column's values travel: as numbers, booleans or text.
// MERGE makes the table's types of them.
func stagedType(t schema.Type) (arrow.DataType, string) {
	switch t {
	case schema.Bool:
		return arrow.FixedWidthTypes.Boolean, "BOOLEAN"
	case schema.Int64:
		return arrow.PrimitiveTypes.Int64, "NUMBER(38,0)"
	case schema.Float64:
		return arrow.PrimitiveTypes.Float64, "FLOAT"
	}
	return arrow.BinaryTypes.String, "VARCHAR"
}

// unstaged is the expression that makes a table's value of a staged one.
func unstaged(t schema.Type, column string) string {
	switch columnType(t) {
	case "TIMESTAMP_TZ(6)":
		return column + "::TIMESTAMP_TZ"
	case "VARIANT":
		return "PARSE_JSON(" + column + ")"
	case "OBJECT", "ARRAY":
		return "PARSE_JSON(" + column + ")::" + columnType(t)
	}
	return column
}

// stagedSchema is the Parquet schema of a kind's rows: POS and its columns.
func stagedSchema(k *schema.Kind) *arrow.Schema {
	fields := []arrow.Field{{Name: "POS", Type: arrow.PrimitiveTypes.Int64}}
	for _, c := range k.BatchColumns() {
		t, _ := stagedType(c.Type)
		fields = append(fields, arrow.Field{Name: strings.ToUpper(c.Name), Type: t, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// stagedBatch converts a batch with its rows' positions.
func stagedBatch(k *schema.Kind, sc *arrow.Schema, rec arrow.RecordBatch, pos arrow.Array) (arrow.RecordBatch, error) {
	cols := []arrow.Array{pos}
	defer func() {
		for _, c := range cols[1:] {
			c.Release()
		}
	}()
	for i, c := range k.BatchColumns() {
		col := rec.Column(i)
		if t, _ := stagedType(c.Type); arrow.TypeEqual(t, col.DataType()) {
			col.Retain()
			cols = append(cols, col)
			continue
		}
		b := array.NewStringBuilder(memory.DefaultAllocator)
		b.Reserve(col.Len())
		for j := range col.Len() {
			if col.IsNull(j) {
				b.AppendNull()
				continue
			}
			b.Append(valueText(col, j))
		}
		cols = append(cols, b.NewArray())
		b.Release()
	}
	return array.NewRecordBatch(sc, cols, rec.NumRows()), nil
}

// valueText writes a value that travels as text.
func valueText(a arrow.Array, i int) string {
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		return uuid.UUID(a.Value(i)).String()
	case *array.Timestamp:
		return timeText(time.UnixMicro(int64(a.Value(i))))
	case *array.Map:
		start, end := a.ValueOffsets(i)
		keys, items := a.Keys().(*array.String), a.Items().(*array.String)
		b := []byte{'{'}
		for j := int(start); j < int(end); j++ {
			if j > int(start) {
				b = append(b, ',')
			}
			b = appendJSON(b, keys.Value(j))
			b = append(b, ':')
			b = appendJSON(b, items.Value(j))
		}
		return string(append(b, '}'))
	case *array.List:
		start, end := a.ValueOffsets(i)
		b := []byte{'['}
		for j := int(start); j < int(end); j++ {
			if j > int(start) {
				b = append(b, ',')
			}
			b = appendElement(b, a.ListValues(), j)
		}
		return string(append(b, ']'))
	}
	return a.ValueStr(i)
}

func appendElement(b []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(b, "null"...)
	}
	switch a := a.(type) {
	case *array.String:
		return appendJSON(b, a.Value(i))
	case *array.Int64:
		return strconv.AppendInt(b, a.Value(i), 10)
	case *array.Boolean:
		return strconv.AppendBool(b, a.Value(i))
	case *array.Float64:
		if v := a.Value(i); math.IsNaN(v) || math.IsInf(v, 0) {
			return appendJSON(b, strconv.FormatFloat(v, 'g', -1, 64))
		}
		return strconv.AppendFloat(b, a.Value(i), 'g', -1, 64)
	case *array.Timestamp:
		return appendJSON(b, time.UnixMicro(int64(a.Value(i))).UTC().Format(time.RFC3339Nano))
	}
	return appendJSON(b, a.ValueStr(i))
}

func appendJSON(b []byte, s string) []byte {
	q, err := json.Marshal(s)
	if err != nil {
		panic("snowflake: " + err.Error())
	}
	return append(b, q...)
}
