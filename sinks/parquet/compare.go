package parquet

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
)

// patchRows is how many patched rows are put into the spool at once.
const patchRows = 4096

// comparison reads the old rows that may change, in their order, writes the
// history of those that do and makes the patched rows.
type comparison struct {
	*kindCommit
	cols   []schema.Column // of the table as it is to be
	old    []string        // columns of the table as it was
	oldAt  []int           // position of a table column among them, -1 for none
	batch  []int           // position of a table column in a batch, -1 for none
	recent map[string]time.Time
	gone   []int // positions of columns that left the definition, by name

	staged map[int]stagedViews // by segment
	views  []view              // of the old columns in the current batch
	out    []*gatherer
	n      int
	doc    document
}

// stagedViews are a segment's columns.
type stagedViews struct {
	arrays []arrow.Array
	views  []view
}

// compare settles every patch.
func (k *kindCommit) compare(ctx context.Context) error {
	if len(k.patched) == 0 {
		return nil
	}
	slices.SortFunc(k.patched, func(a, b patch) int { return cmp.Compare(a.old, b.old) })
	c := k.newComparison()
	at := 0
	var first int64
	for _, e := range k.t.base.Files[k.was.Name] {
		if at == len(k.patched) {
			break
		}
		if int64(k.patched[at].old) >= first+e.Rows {
			first += e.Rows
			continue
		}
		r, err := openFile(ctx, k.t.sink.store, e.Key, first)
		if err != nil {
			return err
		}
		at, err = c.file(ctx, r, at)
		r.close()
		if err != nil {
			return err
		}
		first += e.Rows
	}
	return c.flush()
}

func (k *kindCommit) newComparison() *comparison {
	c := &comparison{kindCommit: k, cols: k.def.columns(), recent: map[string]time.Time{}, staged: map[int]stagedViews{}}
	for _, col := range k.was.Columns {
		c.old = append(c.old, col.Name)
	}
	first := k.def.Columns[0].Since
	for _, col := range k.def.Columns {
		if col.Since.Before(first) {
			first = col.Since
		}
	}
	for _, col := range k.def.Columns {
		if col.Since.After(first) {
			c.recent[col.Name] = col.Since
		}
	}
	batch := k.ks.BatchColumns()
	for i, col := range c.cols {
		c.oldAt = append(c.oldAt, slices.Index(c.old, col.Name))
		c.batch = append(c.batch, slices.IndexFunc(batch, func(b schema.Column) bool { return b.Name == col.Name }))
		if k.def.Columns[i].Left {
			c.gone = append(c.gone, i)
		}
		g := &gatherer{}
		g.reset(arrowType(col.Type))
		c.out = append(c.out, g)
	}
	slices.SortFunc(c.gone, func(a, b int) int { return cmp.Compare(c.cols[a].Name, c.cols[b].Name) })
	c.doc = newDocument(k.was.columns())
	return c
}

// file settles the patches of the rows of a file and returns the next one.
func (c *comparison) file(ctx context.Context, r *reader, at int) (int, error) {
	for g := range r.first {
		end := r.first[g] + int64(r.groupRows(g))
		if at == len(c.patched) || int64(c.patched[at].old) >= end {
			continue
		}
		err := r.batches(ctx, c.old, []int{g}, func(cols []arrow.Array, first int64, n int) error {
			if at == len(c.patched) || int64(c.patched[at].old) >= first+int64(n) {
				return nil
			}
			c.views = c.views[:0]
			for _, a := range cols {
				if a == nil {
					c.views = append(c.views, view{typ: arrow.NULL})
					continue
				}
				c.views = append(c.views, newView(a.Data()))
			}
			for ; at < len(c.patched) && int64(c.patched[at].old) < first+int64(n); at++ {
				if err := c.settle(&c.patched[at], cols, int(int64(c.patched[at].old)-first)); err != nil {
					return err
				}
			}
			c.t.rows.forget()
			return nil
		})
		if err != nil {
			return at, err
		}
	}
	return at, nil
}

// settle finds the row that stands in place of an old one.
func (c *comparison) settle(p *patch, old []arrow.Array, row int) error {
	p.ref = noRef
	switch {
	case p.change != "":
		c.kindCommit.old.flags[p.old] |= oldEnded
		c.deep = true
		return c.remember(p, nil, p.change, old, row)
	case p.staged < 0:
		c.deep = true
		return c.patch(p, row, func(i int, name string) (from *view, at int, text string) {
			if name == "_scope" {
				return nil, 0, c.t.scopes.list[p.scope]
			}
			return c.oldView(i), row, ""
		})
	}
	return c.settleStaged(p, old, row)
}

func (c *comparison) oldView(i int) *view {
	if c.oldAt[i] < 0 {
		return nil
	}
	return &c.views[c.oldAt[i]]
}

// views of the segment that holds a staged row, and the row's place in it.
func (c *comparison) stagedRow(pos int32) (stagedViews, int) {
	segs := c.t.kinds[c.ks.Index].segs
	i := segmentOf(segs, int64(pos))
	v, ok := c.staged[i]
	if !ok {
		for j := range segs[i].cols {
			d := c.t.rows.data(&segs[i].cols[j])
			v.arrays = append(v.arrays, array.MakeFromData(d))
			v.views = append(v.views, newView(d))
		}
		c.staged[i] = v
	}
	return v, int(int64(pos) - segs[i].first)
}

func (c *comparison) settleStaged(p *patch, old []arrow.Array, row int) error {
	s, at := c.stagedRow(p.staged)
	unread := listValues(s.arrays[schema.ColUnread].(*array.List), at)
	if unread != nil {
		c.sum.Unread++
	}
	var changed []string
	volatile, deep := false, false
	for i, col := range c.cols {
		b := c.batch[i]
		if b < 0 {
			continue
		}
		var before arrow.Array
		if c.oldAt[i] >= 0 {
			before = old[c.oldAt[i]]
		}
		switch b {
		case schema.ColID:
			continue
		case schema.ColScope, schema.ColHash, schema.ColUnread:
			deep = deep || !sameValue(s.arrays[b], at, before, row)
			continue
		case schema.ColKind:
			if c.rename {
				continue
			}
		}
		if slices.Contains(unread, col.Name) || sameValue(s.arrays[b], at, before, row) {
			continue
		}
		if col, _ := c.ks.Column(col.Name); col.Volatile {
			volatile = true
			continue
		}
		changed = append(changed, col.Name)
	}
	c.sortChanged(changed)
	for _, i := range c.gone {
		if at := c.oldAt[i]; at >= 0 && old[at] != nil && !old[at].IsNull(row) {
			changed = append(changed, c.cols[i].Name)
		}
	}
	if len(changed) == 0 {
		return c.settleInPlace(p, row, s, at, volatile, deep)
	}
	c.sum.Changed++
	c.deep = true
	if err := c.remember(p, changed, c.changeOf(p, changed), old, row); err != nil {
		return err
	}
	c.kindCommit.old.flags[p.old] |= oldChanged
	if unread == nil {
		p.ref = refStaged | ref(p.staged)
		p.scope = c.t.kinds[c.ks.Index].scope[p.staged]
		return nil
	}
	p.scope = c.t.kinds[c.ks.Index].scope[p.staged]
	return c.patch(p, row, func(i int, name string) (*view, int, string) {
		switch {
		case name == schema.SyncIDColumn.Name:
			return nil, 0, c.t.sync.ID.String()
		case c.batch[i] < 0:
			return nil, 0, ""
		case c.batch[i] >= 0 && slices.Contains(unread, name) && c.batch[i] != schema.ColUnread:
			return c.oldView(i), row, ""
		}
		return &s.views[c.batch[i]], at, ""
	})
}

// sortChanged brings names into the order of a batch's columns.
func (c *comparison) sortChanged(changed []string) {
	if len(changed) < 2 {
		return
	}
	place := map[string]int{}
	for i, col := range c.cols {
		place[col.Name] = c.batch[i]
	}
	slices.SortFunc(changed, func(a, b string) int { return cmp.Compare(place[a], place[b]) })
}

// settleInPlace keeps the row, with the values of what changes by itself.
func (c *comparison) settleInPlace(p *patch, row int, s stagedViews, at int, volatile, deep bool) error {
	c.sum.Unchanged++
	if !volatile && !deep {
		return nil
	}
	c.deep = c.deep || deep
	p.scope = c.t.kinds[c.ks.Index].scope[p.staged]
	return c.patch(p, row, func(i int, name string) (*view, int, string) {
		b := c.batch[i]
		col, _ := c.ks.Column(name)
		if b == schema.ColScope || b == schema.ColHash || b == schema.ColUnread || b >= 0 && volatile && col.Volatile && !slices.Contains(listValues(s.arrays[schema.ColUnread].(*array.List), at), name) {
			return &s.views[b], at, ""
		}
		return c.oldView(i), row, ""
	})
}

// patch makes a row of values from elsewhere: from says where each column's
// comes from, nil and an empty text being NULL.
func (c *comparison) patch(p *patch, row int, from func(i int, name string) (v *view, at int, text string)) error {
	if p.scope == none {
		p.scope = c.kindCommit.old.scope[p.old]
	}
	c.kindCommit.old.flags[p.old] |= oldChanged
	p.ref = refPatch | ref(int(c.patches.rows)+c.n)
	for i, g := range c.out {
		v, at, text := from(i, c.cols[i].Name)
		switch {
		case v != nil:
			if err := g.append(v, at, 1); err != nil {
				return err
			}
		case text != "":
			g.appendRepeat(text, 1)
		default:
			g.appendNulls(1)
		}
	}
	c.n++
	if c.n == patchRows {
		return c.flush()
	}
	return nil
}

// flush puts the patched rows into the spool.
func (c *comparison) flush() error {
	if c.n == 0 {
		return nil
	}
	cols := make([]arrow.Array, len(c.out))
	for i, g := range c.out {
		cols[i] = g.array()
	}
	seg, err := c.patches.put(array.NewRecordBatch(ArrowSchema(c.cols), cols, int64(c.n)), c.t)
	if err != nil {
		return err
	}
	c.patches.segs = append(c.patches.segs, seg)
	c.patches.rows += int64(c.n)
	for i, g := range c.out {
		g.reset(arrowType(c.cols[i].Type))
	}
	c.n = 0
	return nil
}

// changeOf is the kind of change: schema where only columns changed that
// entered or left the definition since the row's scope was last complete.
func (c *comparison) changeOf(p *patch, changed []string) string {
	if len(c.recent) == 0 {
		return "changed"
	}
	o := c.kindCommit.old
	last := c.lastRead(o.scope[p.old], o.sync[p.old])
	for _, name := range changed {
		if since, ok := c.recent[name]; !ok || last.IsZero() || !since.After(last) {
			return "changed"
		}
	}
	return "schema"
}

// remember enters an old row into the history.
func (c *comparison) remember(p *patch, changed []string, change string, old []arrow.Array, row int) error {
	doc, err := c.doc.text(old, row)
	if err != nil {
		return err
	}
	o := c.kindCommit.old
	b := c.history.builder
	b.Field(0).(*array.StringBuilder).Append(textUUID(o.ids[p.old]))
	b.Field(1).(*array.StringBuilder).Append(c.ks.Name)
	b.Field(2).(*array.StringBuilder).Append(change)
	list := b.Field(3).(*array.ListBuilder)
	if changed == nil {
		list.AppendNull()
	} else {
		list.Append(true)
		for _, name := range changed {
			list.ValueBuilder().(*array.StringBuilder).Append(name)
		}
	}
	b.Field(4).(*array.StringBuilder).Append(doc)
	appendTime(b.Field(5), c.syncTime(o.sync[p.old]))
	appendTime(b.Field(6), c.now)
	return c.history.added(len(doc) + 200)
}

func appendTime(b array.Builder, t time.Time) {
	if t.IsZero() {
		b.AppendNull()
		return
	}
	b.(*array.TimestampBuilder).Append(arrow.Timestamp(t.UnixMicro()))
}

// listValues are the texts of a list, nil where it is NULL.
func listValues(l *array.List, i int) []string {
	if l == nil || l.IsNull(i) {
		return nil
	}
	from, to := l.ValueOffsets(i)
	values := make([]string, 0, to-from)
	texts := l.ListValues().(*array.String)
	for j := from; j < to; j++ {
		values = append(values, texts.Value(int(j)))
	}
	return values
}

// sameValue compares two values; no array is NULL throughout.
func sameValue(a arrow.Array, i int, b arrow.Array, j int) bool {
	an, bn := a == nil || a.IsNull(i), b == nil || b.IsNull(j)
	if an || bn {
		return an && bn
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i) == b.(*array.Boolean).Value(j)
	case *array.Int64:
		return a.Value(i) == b.(*array.Int64).Value(j)
	case *array.Float64:
		x, y := a.Value(i), b.(*array.Float64).Value(j)
		return x == y || math.IsNaN(x) && math.IsNaN(y)
	case *array.Timestamp:
		return a.Value(i) == b.(*array.Timestamp).Value(j)
	case *array.String:
		return a.Value(i) == b.(*array.String).Value(j)
	case *array.FixedSizeBinary:
		id, ok := parseUUID(b.(*array.String).Value(j))
		return ok && bytes.Equal(id[:], a.Value(i))
	case *array.Map:
		m := b.(*array.Map)
		return sameRange(a.List, i, m.List, j, [2]arrow.Array{a.Keys(), m.Keys()}, [2]arrow.Array{a.Items(), m.Items()})
	case *array.List:
		l := b.(*array.List)
		return sameRange(a, i, l, j, [2]arrow.Array{a.ListValues(), l.ListValues()})
	}
	panic(fmt.Sprintf("parquet: no column holds %T", a))
}

func sameRange(a *array.List, i int, b *array.List, j int, children ...[2]arrow.Array) bool {
	from, to := a.ValueOffsets(i)
	from2, to2 := b.ValueOffsets(j)
	if to-from != to2-from2 {
		return false
	}
	for n := range to - from {
		for _, c := range children {
			if !sameValue(c[0], int(from+n), c[1], int(from2+n)) {
				return false
			}
		}
	}
	return true
}
