package parquet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// patches are the rows that a comparison made.
type patches struct {
	spool *spool
	segs  []segment
	rows  int64
}

func (p *patches) put(rec arrow.RecordBatch, t *tx) (segment, error) {
	if p.spool == nil {
		var err error
		if p.spool, err = newSpool(filepath.Join(t.dir, "patches-"+textUUID(t.sync.ID)+fmt.Sprintf("-%d", t.spools()))); err != nil {
			return segment{}, err
		}
	}
	return p.spool.put(rec, p.rows)
}

// spools numbers the files of patches.
func (t *tx) spools() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.patchFiles++
	return t.patchFiles
}

// run is a range of rows that lie one after another.
type run struct {
	ref ref
	n   uint32
}

// plan is the order of a table's rows.
type plan struct {
	runs []run
	rows int64
}

func (p *plan) add(r ref, n int) {
	p.rows += int64(n)
	if last := len(p.runs) - 1; last >= 0 {
		if l := &p.runs[last]; l.ref&refMask == r&refMask && l.ref+ref(l.n) == r {
			l.n += uint32(n)
			return
		}
	}
	p.runs = append(p.runs, run{r, uint32(n)})
}

// order brings the rows that stand and those that came into the order of
// their scopes.
func (k *kindCommit) order(fresh []uint32) plan {
	type placed struct {
		rank uint32
		ref  ref
	}
	rank := k.scopeRanks()
	var came []placed
	if len(fresh) > 0 || len(k.patched) > 0 {
		came = make([]placed, 0, len(fresh)+len(k.patched))
	}
	if sk := k.t.kinds[k.ks.Index]; sk != nil {
		for _, pos := range fresh {
			came = append(came, placed{rank[sk.scope[pos]], refStaged | ref(pos)})
		}
	}
	for _, p := range k.patched {
		if p.ref != noRef {
			came = append(came, placed{rank[p.scope], p.ref})
		}
	}
	slices.SortFunc(came, func(a, b placed) int {
		if a.rank != b.rank {
			return cmp.Compare(a.rank, b.rank)
		}
		return cmp.Compare(a.ref, b.ref)
	})
	var pl plan
	at := 0
	if k.old != nil {
		for i := range k.old.n {
			if k.old.flags[i]&(oldEnded|oldChanged) != 0 {
				continue
			}
			for r := rank[k.old.scope[i]]; at < len(came) && came[at].rank <= r; at++ {
				pl.add(came[at].ref, 1)
			}
			pl.add(refOld|ref(i), 1)
		}
	}
	for ; at < len(came); at++ {
		pl.add(came[at].ref, 1)
	}
	return pl
}

// scopeRanks are the places of the scopes in the order of their texts.
func (k *kindCommit) scopeRanks() []uint32 {
	list := k.t.scopes.list
	if len(k.ranks) == len(list) {
		return k.ranks
	}
	sorted := make([]uint32, len(list))
	for i := range sorted {
		sorted[i] = uint32(i)
	}
	slices.SortFunc(sorted, func(a, b uint32) int { return strings.Compare(list[a], list[b]) })
	k.ranks = make([]uint32, len(list))
	for i, s := range sorted {
		k.ranks[s] = uint32(i)
	}
	return k.ranks
}

// write has the kind's files written, if a row of it changed.
func (k *kindCommit) write(ctx, wctx context.Context, fresh []uint32) error {
	changed := len(fresh) > 0 || k.rename || k.rewrite
	for _, p := range k.patched {
		changed = changed || p.ref != noRef || p.change != ""
	}
	if !changed {
		k.sum.Rows = k.ks.Had
		return nil
	}
	pl := k.order(fresh)
	k.sum.Rows = pl.rows
	src := &sources{t: k.t, was: k.was, patches: k.patches}
	if k.was != nil {
		src.oldFiles = k.t.base.Files[k.was.Name]
	}
	if sk := k.t.kinds[k.ks.Index]; sk != nil {
		src.segs = sk.segs
	}
	if k.patches.spool != nil {
		if err := k.patches.spool.open(); err != nil {
			return err
		}
	}
	k.patched = nil
	tables := []*target{k.table(src)}
	if k.deep || len(fresh) > 0 || k.rename {
		tables = append(tables, k.resources(src))
	}
	left := 0
	for i := range tables {
		tables[i].parts = src.split(pl, k.t.sink.opts.Threads)
		tables[i].done = make([][]fileEntry, len(tables[i].parts))
		left += len(tables[i].parts)
	}
	finish := func() {
		if left--; left == 0 && k.patches.spool != nil {
			k.patches.spool.close()
		}
	}
	k.written = append(k.written, tables...)
	for i := range tables {
		tb := tables[i]
		for n, p := range tb.parts {
			k.work.Go(func() error {
				tb.begin()
				files, err := tb.write(wctx, p, n)
				k.t.mu.Lock()
				defer k.t.mu.Unlock()
				finish()
				if err != nil {
					return fmt.Errorf("write %s: %w", tb.name, err)
				}
				tb.done[n] = files
				tb.finished()
				return nil
			})
		}
	}
	return ctx.Err()
}

// target is a table that rows are written to.
type target struct {
	commit     *commit
	name, kind string // kind is empty for a table of one kind
	cols       []outColumn
	src        *sources
	parts      []plan
	done       [][]fileEntry
	begun      bool
}

func (t *target) begin() {
	t.commit.t.mu.Lock()
	defer t.commit.t.mu.Unlock()
	if !t.begun {
		t.begun = true
		t.tell(false)
	}
}

// finished tells who wants to know that all parts are written, under the lock.
func (t *target) finished() {
	for _, files := range t.done {
		if files == nil {
			return
		}
	}
	t.tell(true)
}

func (t *target) tell(done bool) {
	kind := t.kind
	if kind == "" {
		kind = t.name
	}
	if writing := t.commit.t.sink.opts.Writing; writing != nil {
		writing(t.name, kind, done)
	}
}

// outColumn says where the values of a column come from.
type outColumn struct {
	schema.Column
	constant string // of every row, if not empty
	fresh    string // of staged rows, if not empty
	staged   int    // position in a batch, -1 for none
	table    int    // position in the kind's table, -1 for none
}

func (k *kindCommit) outColumn(c schema.Column) outColumn {
	o := outColumn{Column: c, table: -1}
	for i, d := range k.def.Columns {
		if d.Name == c.Name {
			o.table = i
		}
	}
	o.staged = slices.IndexFunc(k.ks.BatchColumns(), func(b schema.Column) bool { return b.Name == c.Name })
	switch c.Name {
	case "kind":
		o.constant = k.ks.Name
	case schema.SyncIDColumn.Name:
		o.fresh = k.t.sync.ID.String()
	}
	return o
}

func (k *kindCommit) table(src *sources) *target {
	t := &target{commit: k.commit, name: k.ks.Name, src: src}
	for _, c := range k.def.columns() {
		t.cols = append(t.cols, k.outColumn(c))
	}
	return t
}

// baseColumn is the column that resources has beside the unified ones.
var baseColumn = schema.Column{Name: "base", Type: schema.Text}

func (k *kindCommit) resources(src *sources) *target {
	t := &target{commit: k.commit, name: "resources", kind: k.ks.Name, src: src}
	for _, c := range schema.Unified {
		t.cols = append(t.cols, k.outColumn(c))
	}
	b := outColumn{Column: baseColumn, staged: -1, table: -1}
	if k.ks.Base != nil {
		b.constant = k.ks.Base.Name
	}
	t.cols = append(t.cols, b)
	return t
}

// fileKey is where a sync writes a file of a table.
func (m *commit) fileKey(table, kind string, part int) string {
	name := fmt.Sprintf("part-%d.parquet", part)
	if kind != "" {
		name = kind + "-" + name
	}
	return fmt.Sprintf("%s/sync_date=%s/sync_id=%s/%s", table, m.now.Format("2006-01-02"), m.t.sync.ID, name)
}

// write writes a part of a table into as many files as it takes.
func (t *target) write(ctx context.Context, p plan, part int) (files []fileEntry, err error) {
	files = []fileEntry{}
	var cols []schema.Column
	for _, c := range t.cols {
		cols = append(cols, c.Column)
	}
	r, err := t.src.open(ctx)
	if err != nil {
		return nil, err
	}
	defer r.close()
	var out *output
	defer func() {
		if out != nil {
			out.w.Abort()
		}
	}()
	for n := 0; len(p.runs) > 0; {
		if out == nil {
			key := t.commit.fileKey(t.name, t.kind, part*1000+n)
			n++
			if out, err = newOutput(ctx, t.commit.t.sink.store, key, cols); err != nil {
				return nil, err
			}
		}
		var group plan
		group, p = t.src.cut(p)
		if err := r.writeGroup(ctx, out.f, t.cols, group); err != nil {
			return nil, diskFull(err)
		}
		if out.f.out.n >= fileBytes || len(p.runs) == 0 {
			e, err := out.close()
			if err != nil {
				return nil, diskFull(err)
			}
			e.Kind, e.Columns = t.kind, len(cols)
			files, out = append(files, e), nil
		}
	}
	return files, nil
}

// diskFull names what to do about a full disk.
func diskFull(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk is full: %w", err)
	}
	return err
}

// output is a file of the estate that is being written.
type output struct {
	key string
	w   objects.Writer
	f   *outFile
}

func newOutput(ctx context.Context, st objects.Store, key string, cols []schema.Column) (*output, error) {
	o := &output{key: key, w: st.Writer(ctx, key)}
	var err error
	if o.f, err = newFile(o.w, cols); err != nil {
		o.w.Abort()
		return nil, err
	}
	return o, nil
}

func (o *output) close() (fileEntry, error) {
	rows := o.f.rows
	size, err := o.f.close()
	if err != nil {
		o.w.Abort()
		return fileEntry{}, err
	}
	if _, err := o.w.Commit(); err != nil {
		return fileEntry{}, fmt.Errorf("write %s: %w", o.key, err)
	}
	return fileEntry{Key: o.key, Rows: rows, Bytes: size}, nil
}

// rowWriter writes a table from rows that are made one by one.
type rowWriter struct {
	m       *commit
	cols    []schema.Column
	table   string
	kind    string
	builder *array.RecordBuilder
	n       int
	bytes   int
	out     *output
	files   []fileEntry
}

func (m *commit) newRowWriter(cols []schema.Column, table, kind string) (*rowWriter, error) {
	return &rowWriter{m: m, cols: cols, table: table, kind: kind, builder: array.NewRecordBuilder(memory.DefaultAllocator, ArrowSchema(cols))}, nil
}

// added counts a row that was appended to the builder, with its size.
func (w *rowWriter) added(bytes int) error {
	w.n++
	w.bytes += bytes
	if w.n >= groupRows || w.bytes >= groupBytes/2 {
		return w.flush()
	}
	return nil
}

func (w *rowWriter) flush() error {
	if w.n == 0 {
		return nil
	}
	if w.out == nil {
		var err error
		key := w.m.fileKey(w.table, w.kind, len(w.files))
		if w.out, err = newOutput(context.Background(), w.m.t.sink.store, key, w.cols); err != nil {
			return err
		}
	}
	rec := w.builder.NewRecordBatch()
	defer rec.Release()
	if err := w.out.f.group(w.n); err != nil {
		return err
	}
	for _, c := range rec.Columns() {
		if err := w.out.f.column(c); err != nil {
			return diskFull(err)
		}
	}
	w.n, w.bytes = 0, 0
	if w.out.f.out.n >= fileBytes {
		return w.end()
	}
	return nil
}

func (w *rowWriter) end() error {
	if w.out == nil {
		return nil
	}
	e, err := w.out.close()
	w.out = nil
	if err != nil {
		return diskFull(err)
	}
	e.Kind, e.Columns = w.kind, len(w.cols)
	w.files = append(w.files, e)
	return nil
}

// close ends the table and returns its files.
func (w *rowWriter) close() ([]fileEntry, error) {
	if err := w.flush(); err != nil {
		w.abort()
		return nil, err
	}
	if err := w.end(); err != nil {
		return nil, err
	}
	w.builder.Release()
	return w.files, nil
}

func (w *rowWriter) abort() {
	if w != nil && w.out != nil {
		w.out.w.Abort()
		w.out = nil
	}
}
