package parquet

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/dewpoint-data/dewpoint/schema"
)

// sources are where the rows of a kind lie: staged, in the old files, patched.
type sources struct {
	t        *tx
	was      *storedKind
	oldFiles []fileEntry
	segs     []segment
	patches  patches
}

// splitBytes is the size of a table, before encoding, from which it is written
// in parts at the same time.
const splitBytes = 3 * fileBytes

// rowBytes is about what a row takes before encoding.
func (s *sources) rowBytes(r ref) int {
	at := int64(r &^ refMask)
	switch r & refMask {
	case refStaged:
		seg := &s.segs[segmentOf(s.segs, at)]
		return int(seg.bytes)/seg.rows + 1
	case refPatch:
		seg := &s.patches.segs[segmentOf(s.patches.segs, at)]
		return int(seg.bytes)/seg.rows + 1
	}
	for _, f := range s.oldFiles {
		if at < f.Rows {
			return 3*int(f.Bytes/f.Rows) + 1
		}
		at -= f.Rows
	}
	return 1
}

// split divides a plan among so many writers, where it is large.
func (s *sources) split(p plan, parts int) []plan {
	var bytes int64
	for _, r := range p.runs {
		bytes += int64(s.rowBytes(r.ref)) * int64(r.n)
	}
	if bytes < splitBytes || parts < 2 {
		return []plan{p}
	}
	var all []plan
	for i := range parts {
		var head plan
		head, p = p.take(int(p.rows)/(parts-i), 0, nil)
		all = append(all, head)
	}
	return all
}

// cut takes a row group from the beginning of a plan.
func (s *sources) cut(p plan) (group, rest plan) { return p.take(groupRows, groupBytes, s.rowBytes) }

// take takes rows from the beginning: at most so many, and so many bytes.
func (p plan) take(rows, bytes int, size func(ref) int) (head, rest plan) {
	for i, r := range p.runs {
		n := min(rows, int(r.n))
		if size != nil {
			if each := size(r.ref); n*each > bytes {
				n = max(bytes/each, 0)
				if n == 0 && head.rows == 0 {
					n = 1
				}
			} else {
				bytes -= n * each
			}
		}
		if n > 0 {
			head.runs = append(head.runs, run{r.ref, uint32(n)})
			head.rows += int64(n)
			rows -= n
		}
		if n < int(r.n) {
			rest.runs = append([]run{{r.ref + ref(n), r.n - uint32(n)}}, p.runs[i+1:]...)
			break
		}
	}
	rest.rows = p.rows - head.rows
	return head, rest
}

// rowReader reads columns of rows for one writer.
type rowReader struct {
	*sources
	g      gatherer
	old    []*reader
	groups []segment  // the row groups of the old files
	at     [][2]int   // file and row group of each
	cache  [3]viewSet // views of the current column, by source
}

// viewSet holds the views of one column by segment.
type viewSet map[int][]piece

// piece is a part of a segment's column.
type piece struct {
	first int
	n     int
	v     view
}

func (s *sources) open(ctx context.Context) (*rowReader, error) {
	r := &rowReader{sources: s}
	var first int64
	for i, f := range s.oldFiles {
		o, err := openFile(ctx, s.t.sink.store, f.Key, first)
		if err != nil {
			r.close()
			return nil, err
		}
		r.old = append(r.old, o)
		for g := range o.first {
			r.groups = append(r.groups, segment{first: o.first[g], rows: o.groupRows(g)})
			r.at = append(r.at, [2]int{i, g})
		}
		first += f.Rows
	}
	return r, nil
}

func (r *rowReader) close() {
	for _, o := range r.old {
		o.close()
	}
}

// writeGroup writes the rows as one row group, column by column.
func (r *rowReader) writeGroup(ctx context.Context, f *outFile, cols []outColumn, p plan) error {
	if err := f.group(int(p.rows)); err != nil {
		return err
	}
	touched := 0
	for i := range cols {
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := r.gather(ctx, &cols[i], p)
		if err != nil {
			return err
		}
		err = f.column(a)
		a.Release()
		if err != nil {
			return err
		}
		if touched += r.g.size(); touched > forgetBytes || i == len(cols)-1 {
			touched = 0
			r.t.rows.forget()
			if r.patches.spool != nil {
				r.patches.spool.forget()
			}
		}
	}
	return nil
}

// forgetBytes is how much of the staged rows a writer keeps in memory.
const forgetBytes = 12 << 20

func (r *rowReader) gather(ctx context.Context, c *outColumn, p plan) (arrow.Array, error) {
	r.g.reset(arrowType(c.Type))
	for i := range r.cache {
		r.cache[i] = viewSet{}
	}
	for _, run := range p.runs {
		src, at, n := run.ref&refMask, int64(run.ref&^refMask), int(run.n)
		switch {
		case c.constant != "":
			r.g.appendRepeat(c.constant, n)
			continue
		case src == refStaged && c.fresh != "":
			r.g.appendRepeat(c.fresh, n)
			continue
		case src == refStaged && c.staged < 0, src != refStaged && c.table < 0:
			r.g.appendNulls(n)
			continue
		}
		for n > 0 {
			pc, offset, err := r.piece(ctx, c, src, at)
			if err != nil {
				return nil, err
			}
			k := min(n, pc.n-offset)
			if err := r.g.append(&pc.v, offset, k); err != nil {
				return nil, err
			}
			at += int64(k)
			n -= k
		}
	}
	return r.g.array(), nil
}

// piece finds a row's part of the column and its place there.
func (r *rowReader) piece(ctx context.Context, c *outColumn, src ref, at int64) (*piece, int, error) {
	segs := r.segs
	switch src {
	case refOld:
		segs = r.groups
	case refPatch:
		segs = r.patches.segs
	}
	s := segmentOf(segs, at)
	pieces, ok := r.cache[src>>30][s]
	if !ok {
		switch src {
		case refStaged:
			pieces = []piece{{n: segs[s].rows, v: newView(r.t.rows.data(&segs[s].cols[c.staged]))}}
		case refPatch:
			pieces = []piece{{n: segs[s].rows, v: newView(r.patches.spool.data(&segs[s].cols[c.table]))}}
		default:
			var err error
			if pieces, err = r.oldPieces(ctx, c, s); err != nil {
				return nil, 0, err
			}
		}
		r.cache[src>>30][s] = pieces
	}
	offset := int(at - segs[s].first)
	for i := range pieces {
		if p := &pieces[i]; offset < p.first+p.n {
			return p, offset - p.first, nil
		}
	}
	panic("parquet: a row lies outside its row group")
}

func (r *rowReader) oldPieces(ctx context.Context, c *outColumn, s int) ([]piece, error) {
	null := []piece{{n: r.groups[s].rows, v: view{typ: arrow.NULL}}}
	if c.table >= len(r.was.Columns) {
		return null, nil
	}
	at := r.at[s]
	chunked, err := r.old[at[0]].column(ctx, c.Name, at[1])
	if err != nil || chunked == nil {
		return null, err
	}
	var pieces []piece
	first := 0
	for _, a := range chunked.Chunks() {
		pieces = append(pieces, piece{first: first, n: a.Len(), v: newView(a.Data())})
		first += a.Len()
	}
	return pieces, nil
}

// historyColumns and the others below are the columns of dewpoint's own tables.
var (
	historyColumns = []schema.Column{
		{Name: "_id", Type: schema.UUID},
		{Name: "kind", Type: schema.Text},
		{Name: "change", Type: schema.Text},
		{Name: "changed_columns", Type: schema.TextList},
		{Name: "doc", Type: schema.JSON},
		{Name: "valid_from", Type: schema.Timestamp},
		{Name: "valid_to", Type: schema.Timestamp},
	}
	edgeColumns = []schema.Column{
		{Name: "from_id", Type: schema.UUID},
		{Name: "from_kind", Type: schema.Text},
		{Name: "relation", Type: schema.Text},
		{Name: "to_kind", Type: schema.Text},
		{Name: "to_ref", Type: schema.Text},
		{Name: "to_id", Type: schema.UUID},
		{Name: "resolution", Type: schema.Text},
		{Name: "on_delete", Type: schema.Text},
		{Name: "_scope", Type: schema.Text},
	}
	sightingColumns = []schema.Column{{Name: "_id", Type: schema.UUID}, {Name: "kind", Type: schema.Text}, {Name: "_scope", Type: schema.Text}}
	syncColumns     = []schema.Column{
		{Name: "id", Type: schema.UUID},
		{Name: "started_at", Type: schema.Timestamp},
		{Name: "finished_at", Type: schema.Timestamp},
		{Name: "version", Type: schema.Text},
		{Name: "state", Type: schema.Text},
		{Name: "kinds", Type: schema.Int64},
		{Name: "scopes", Type: schema.Int64},
		{Name: "incomplete", Type: schema.Int64},
		{Name: "rows", Type: schema.Int64},
		{Name: "new", Type: schema.Int64},
		{Name: "changed", Type: schema.Int64},
		{Name: "gone", Type: schema.Int64},
		{Name: "unchanged", Type: schema.Int64},
		{Name: "unread", Type: schema.Int64},
		{Name: "problems", Type: schema.Int64},
	}
	scopeColumns = []schema.Column{
		{Name: "sync_id", Type: schema.UUID},
		{Name: "cloud", Type: schema.Text},
		{Name: "account", Type: schema.Text},
		{Name: "region", Type: schema.Text},
		{Name: "kind", Type: schema.Text},
		{Name: "parent", Type: schema.Text},
		{Name: "state", Type: schema.Text},
		{Name: "kinds", Type: schema.TextList},
		{Name: "scopes", Type: schema.Int64},
		{Name: "rows", Type: schema.Int64},
		{Name: "calls", Type: schema.Int64},
		{Name: "error", Type: schema.Text},
		{Name: "code", Type: schema.Text},
		{Name: "request_id", Type: schema.Text},
		{Name: "duration_seconds", Type: schema.Float64},
		{Name: "definition_hash", Type: schema.Text},
		{Name: "last_complete", Type: schema.Timestamp},
	}
	problemColumns = []schema.Column{
		{Name: "sync_id", Type: schema.UUID},
		{Name: "kind", Type: schema.Text},
		{Name: "account", Type: schema.Text},
		{Name: "region", Type: schema.Text},
		{Name: "call", Type: schema.Text},
		{Name: "column", Type: schema.Text},
		{Name: "code", Type: schema.Text},
		{Name: "count", Type: schema.Int64},
		{Name: "sample", Type: schema.Text},
	}
	metricColumns = []schema.Column{
		{Name: "name", Type: schema.Text},
		{Name: "labels", Type: schema.TextMap},
		{Name: "value", Type: schema.Float64},
		{Name: "measured_at", Type: schema.Timestamp},
		{Name: "sync_id", Type: schema.UUID},
	}
	kindColumns = []schema.Column{
		{Name: "kind", Type: schema.Text},
		{Name: "key", Type: schema.Text},
		{Name: "definition", Type: schema.Text},
		{Name: "definition_since", Type: schema.Timestamp},
		{Name: "columns", Type: schema.TextMap},
		{Name: "layout", Type: schema.Text},
		{Name: "parent", Type: schema.Text},
		{Name: "base", Type: schema.JSON},
		{Name: "edges", Type: schema.JSON},
		{Name: "cloud", Type: schema.Text},
		{Name: "declared", Type: schema.JSON},
	}
)

// columnsOf are the columns of one of dewpoint's own tables.
func columnsOf(table string) []schema.Column {
	switch table {
	case "resources":
		return append(append([]schema.Column{}, schema.Unified...), baseColumn)
	case "edges":
		return edgeColumns
	case "resource_history":
		return historyColumns
	case "sightings":
		return sightingColumns
	case "syncs":
		return syncColumns
	case "scopes":
		return scopeColumns
	case "problems":
		return problemColumns
	case "metrics":
		return metricColumns
	case "kinds":
		return kindColumns
	}
	return nil
}
