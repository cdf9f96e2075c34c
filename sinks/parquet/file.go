package parquet

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/dewpoint-data/dewpoint/schema"
)

// The size of what is written: row groups that a reader can hold per thread,
// files that one request after another reads well.
const (
	groupRows  = 122_880
	groupBytes = 40 << 20 // before encoding
	fileBytes  = 128 << 20
)

// arrowType is the Arrow type of a column in a file: that of a batch, with
// UUIDs as text, since most readers have no type for them.
func arrowType(t schema.Type) arrow.DataType {
	if t == schema.UUID {
		return arrow.BinaryTypes.String
	}
	return t.Arrow()
}

// ArrowSchema is the schema of a file with the columns.
func ArrowSchema(cols []schema.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Type: arrowType(c.Type), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// WriterProperties are those of every file. Columns whose values are all
// different have no dictionary: building one costs more than it saves.
func WriterProperties(cols []schema.Column) *parquet.WriterProperties {
	opts := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy("dewpoint"),
		parquet.WithMaxStatsSize(256),
	}
	for _, c := range cols {
		if plain(c.Name) {
			opts = append(opts, parquet.WithDictionaryFor(c.Name, false))
		}
	}
	return parquet.NewWriterProperties(opts...)
}

func plain(name string) bool {
	switch name {
	case "_id", "_hash", "id", "urn", "from_id", "doc":
		return true
	}
	return false
}

// outFile writes one Parquet file, a column of a row group at a time.
type outFile struct {
	out  *counter
	w    *pqarrow.FileWriter
	rows int64
}

type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

func newFile(w io.Writer, cols []schema.Column) (*outFile, error) {
	f := &outFile{out: &counter{Writer: w}}
	var err error
	f.w, err = pqarrow.NewFileWriter(ArrowSchema(cols), f.out, WriterProperties(cols), pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("begin a file: %w", err)
	}
	return f, nil
}

// group begins a row group of n rows.
func (f *outFile) group(n int) error {
	f.rows += int64(n)
	return f.w.NewRowGroupChecked()
}

// column writes the next column of the row group.
func (f *outFile) column(a arrow.Array) error { return f.w.WriteColumnData(a) }

// close ends the file and returns its size.
func (f *outFile) close() (int64, error) {
	if err := f.w.Close(); err != nil {
		return 0, fmt.Errorf("end a file: %w", err)
	}
	return f.out.n, nil
}
