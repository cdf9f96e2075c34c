package parquet

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// reader reads one file of the estate.
type reader struct {
	key string
	src *objects.Reader
	pq  *file.Reader
	fr  *pqarrow.FileReader
	// first is the number of the row group's first row in the table.
	first []int64
	// leaves are the physical columns of each column.
	leaves map[string][]int
}

const readRows = 8192

// openFile opens a file whose first row has a number in its table.
func openFile(ctx context.Context, st objects.Store, key string, first int64) (*reader, error) {
	src, err := st.Open(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", key, err)
	}
	r := &reader{key: key, src: src, leaves: map[string][]int{}}
	if r.pq, err = file.NewParquetReader(src); err != nil {
		src.Close()
		return nil, fmt.Errorf("%s is damaged: %w", key, err)
	}
	r.fr, err = pqarrow.NewFileReader(r.pq, pqarrow.ArrowReadProperties{BatchSize: readRows}, memory.DefaultAllocator)
	if err != nil {
		src.Close()
		return nil, fmt.Errorf("%s is damaged: %w", key, err)
	}
	for i := range r.pq.NumRowGroups() {
		r.first = append(r.first, first)
		first += r.pq.MetaData().RowGroup(i).NumRows()
	}
	sc := r.pq.MetaData().Schema
	for i := range sc.NumColumns() {
		name := sc.Column(i).ColumnPath()[0]
		r.leaves[name] = append(r.leaves[name], i)
	}
	return r, nil
}

func (r *reader) close() { r.src.Close() }

// groupRows is the number of rows of a row group.
func (r *reader) groupRows(g int) int { return int(r.pq.MetaData().RowGroup(g).NumRows()) }

// batches reads columns of some row groups. f gets their arrays in the order
// of the columns, nil for one that the file does not have, and the number of
// the first row; the arrays are valid until it returns.
func (r *reader) batches(ctx context.Context, columns []string, groups []int, f func(cols []arrow.Array, first int64, n int) error) error {
	var leaves []int
	for _, c := range columns {
		leaves = append(leaves, r.leaves[c]...)
	}
	slices.Sort(leaves)
	for _, g := range groups {
		if len(leaves) == 0 {
			if err := f(make([]arrow.Array, len(columns)), r.first[g], r.groupRows(g)); err != nil {
				return err
			}
			continue
		}
		if err := r.group(ctx, columns, leaves, g, f); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) group(ctx context.Context, columns []string, leaves []int, g int, f func(cols []arrow.Array, first int64, n int) error) error {
	if r.groupRows(g) == 0 {
		return nil
	}
	rr, err := r.fr.GetRecordReader(ctx, leaves, []int{g})
	if err != nil {
		return fmt.Errorf("read %s: %w", r.key, err)
	}
	defer rr.Release()
	first := r.first[g]
	for rr.Next() {
		rec := rr.RecordBatch()
		cols := make([]arrow.Array, len(columns))
		for i, c := range columns {
			if at := rec.Schema().FieldIndices(c); len(at) > 0 {
				cols[i] = rec.Column(at[0])
			}
		}
		if err := f(cols, first, int(rec.NumRows())); err != nil {
			return err
		}
		first += rec.NumRows()
	}
	if err := rr.Err(); err != nil {
		return fmt.Errorf("read %s: %w", r.key, err)
	}
	if want := r.first[g] + int64(r.groupRows(g)); first != want {
		return fmt.Errorf("read %s: row group %d ends after %d of %d rows", r.key, g, first-r.first[g], r.groupRows(g))
	}
	return nil
}

// column reads one column of a row group, nil if the file does not have it.
func (r *reader) column(ctx context.Context, name string, g int) (*arrow.Chunked, error) {
	leaves := r.leaves[name]
	if leaves == nil {
		return nil, nil
	}
	t, err := r.fr.ReadRowGroups(ctx, leaves, []int{g})
	if err != nil {
		return nil, fmt.Errorf("read column %s of %s: %w", name, r.key, err)
	}
	defer t.Release()
	c := t.Column(0).Data()
	c.Retain()
	return c, nil
}

// readTable reads columns of a table's files, one after another.
func readTable(ctx context.Context, st objects.Store, files []fileEntry, columns []string, f func(cols []arrow.Array, first int64, n int) error) error {
	var first int64
	for _, e := range files {
		r, err := openFile(ctx, st, e.Key, first)
		if err != nil {
			return err
		}
		groups := make([]int, r.pq.NumRowGroups())
		for i := range groups {
			groups[i] = i
		}
		err = r.batches(ctx, columns, groups, f)
		r.close()
		if err != nil {
			return err
		}
		first += e.Rows
	}
	return nil
}
