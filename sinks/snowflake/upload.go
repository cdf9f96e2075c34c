package snowflake

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// staging names a table that the sync uploads to.
func (t *tx) staging(suffix string) string {
	id := strings.ReplaceAll(t.sync.ID.String(), "-", "")
	return stagingPrefix + id[:12] + id[20:] + "_" + suffix
}

// drop removes what was uploaded. What it cannot, the next Begin sweeps.
func (m *commit) drop(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	tables := []string{m.narrow}
	for _, k := range m.kinds {
		tables = append(tables, k.staged)
	}
	for _, name := range tables {
		if name != "" {
			_, _ = m.exec(ctx, "DROP TABLE IF EXISTS "+ident(name))
		}
	}
}

// upload brings the narrow table to Snowflake.
func (m *commit) upload(ctx context.Context) error {
	if m.narrow == "" {
		return nil
	}
	var cols []string
	for _, f := range narrowSchema.Fields() {
		cols = append(cols, ident(f.Name)+" "+sqlType(f.Type))
	}
	return m.load(ctx, m.narrow, cols, m.uploads)
}

func sqlType(t arrow.DataType) string {
	switch t.ID() {
	case arrow.INT64:
		return "NUMBER(38,0)"
	case arrow.BOOL:
		return "BOOLEAN"
	case arrow.FLOAT64:
		return "FLOAT"
	}
	return "VARCHAR"
}

// load creates a transient table, uploads Parquet files and copies them into
// it by the names of the columns. The files lie in the table's own stage, which
// goes with it, or in a folder of the user's.
//
// See https://docs.snowflake.com/en/sql-reference/sql/copy-into-table for
// MATCH_BY_COLUMN_NAME and https://docs.snowflake.com/en/user-guide/data-load-local-file-system-create-stage
// for table stages.
func (m *commit) load(ctx context.Context, table string, columns, paths []string) error {
	_, err := m.exec(ctx, fmt.Sprintf("CREATE OR REPLACE TRANSIENT TABLE %s (%s) DATA_RETENTION_TIME_IN_DAYS = 0", ident(table), strings.Join(columns, ", ")))
	if err != nil {
		return err
	}
	at := "@%" + strings.ToUpper(table)
	if m.t.sink.cfg.stage != "" {
		at = "@" + m.t.sink.cfg.stage + "/dewpoint/" + table
	}
	for _, p := range paths {
		if err := m.put(ctx, p, at); err != nil {
			return fmt.Errorf("upload to %s: %w", at, err)
		}
		_ = os.Remove(p)
	}
	_, err = m.exec(ctx, fmt.Sprintf("COPY INTO %s FROM %s FILE_FORMAT = (TYPE = PARQUET) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE PURGE = TRUE", ident(table), at))
	return err
}

// put uploads a file. An external stage takes no PUT: the file goes to the
// bucket by the user's own credentials.
func (m *commit) put(ctx context.Context, path, at string) error {
	if m.t.sink.cfg.stage != "" {
		store, err := m.external(ctx)
		if err != nil {
			return err
		}
		if store != nil {
			return m.copyTo(ctx, path, strings.TrimPrefix(at, "@"+m.t.sink.cfg.stage+"/"))
		}
	}
	_, err := m.exec(ctx, fmt.Sprintf("PUT 'file://%s' %s AUTO_COMPRESS = FALSE OVERWRITE = TRUE", strings.ReplaceAll(path, "'", `\'`), at))
	return err
}

// kindCommit is what a commit does to one kind.
type kindCommit struct {
	*stage.Kind
	// What becomes of its rows, as the narrow comparison says.
	fresh, candidates, same, keep int64
	// notSeen are those of same and keep that their own scope did not report.
	notSeen int64
	unread  int64 // of fresh and candidates
	// staged is the table of its rows, empty where none were needed.
	staged string
	// What the comparison column by column and the scopes say.
	changed, gone, written int64
}

// uploadRows brings the rows that are new or may have changed to Snowflake.
func (m *commit) uploadRows(ctx context.Context) error {
	if !m.rows {
		return nil
	}
	wanted, err := m.positions(ctx)
	if err != nil {
		return err
	}
	for _, sk := range m.t.Kinds() {
		k := m.kinds[sk.Name]
		if k == nil || k.fresh+k.candidates == 0 {
			continue
		}
		if err := m.uploadKind(ctx, k, wanted[sk.Name]); err != nil {
			return fmt.Errorf("rows of %s: %w", sk.Name, err)
		}
	}
	return m.prepare(ctx)
}

// positions returns which staged rows of a kind are wanted. A kind that is not
// in it needs all: those of known rows were picked before they were staged.
func (m *commit) positions(ctx context.Context) (map[string]map[int64]bool, error) {
	wanted := map[string]map[int64]bool{}
	var names []string
	for _, k := range m.t.Kinds() {
		if k.Known == nil && k.Had > 0 && k.Rows > 0 {
			names = append(names, k.Name)
			wanted[k.Name] = map[int64]bool{}
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	query := "SELECT KIND, POS FROM DEWPOINT_READ WHERE RN = 1 AND ACTION IN ('new', 'cand') AND POS >= 0 AND KIND IN (" + literals(names) + ")"
	err := m.each(ctx, query, func(r []string) error {
		var pos int64
		_, err := fmt.Sscan(r[1], &pos)
		wanted[r[0]][pos] = true
		return err
	})
	return wanted, err
}

func (m *commit) uploadKind(ctx context.Context, k *kindCommit, wanted map[int64]bool) error {
	table := m.t.staging(fmt.Sprint(k.Index))
	sc := stagedSchema(k.Kind.Kind)
	files := parquetFiles{dir: m.t.dir, name: table, schema: sc}
	for _, seg := range m.t.file.Segments(k.Kind) {
		if err := m.writeSegment(&files, k, sc, seg, wanted); err != nil {
			return err
		}
	}
	if err := files.close(); err != nil {
		return err
	}
	k.staged = table
	var cols []string
	for _, f := range sc.Fields() {
		cols = append(cols, ident(f.Name)+" "+sqlType(f.Type))
	}
	return m.load(ctx, table, cols, files.paths)
}

func (m *commit) writeSegment(files *parquetFiles, k *kindCommit, sc *arrow.Schema, seg stage.Segment, wanted map[int64]bool) error {
	rec, err := m.t.file.Get(seg)
	if err != nil {
		return err
	}
	defer rec.Release()
	parts := []arrow.RecordBatch{rec}
	if wanted != nil {
		parts = stage.AppendRanges(nil, rec, func(i int) bool { return wanted[seg.First+int64(i)] })
	} else {
		rec.Retain()
	}
	next := seg.First
	for _, part := range parts {
		if wanted != nil {
			for !wanted[next] {
				next++
			}
		}
		pos := positions(next, part.NumRows())
		out, err := stagedBatch(k.Kind.Kind, sc, part, pos)
		next += part.NumRows()
		pos.Release()
		part.Release()
		if err != nil {
			return err
		}
		err = files.write(out)
		out.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func positions(first, n int64) arrow.Array {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	defer b.Release()
	for i := range n {
		b.Append(first + i)
	}
	return b.NewArray()
}
