package parquet

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// edgeKind is what a commit does to the edges that leave the rows of a kind.
type edgeKind struct {
	*commit
	name string
	// k is the kind in this sync, nil if it is not part of it.
	k     *kindCommit
	files []fileEntry // before
	// decls are the declarations of the kind.
	decls []schema.Edge
	// standing are the edges of changed rows that stand already.
	standing map[edgeKey]bool
	// refs are the references to resolve: of the open old edges in their
	// order, then of the new ones in theirs.
	refs []reference
	open int
	// dirty says that an old edge changes or goes.
	dirty bool
	// fresh is the number of staged edges; where they are many, their
	// references are resolved while they are written.
	fresh int
	large bool
}

type edgeKey struct{ hi, lo uint64 }

func keyOfEdge(from []byte, relation, kind, ref string) edgeKey {
	var buf [512]byte
	b := append(buf[:0], from...)
	for _, s := range [...]string{relation, kind, ref} {
		b = append(b, byte(len(s)), byte(len(s)>>8))
		b = append(b, s...)
	}
	h := xxh3.Hash128(b)
	return edgeKey{h.Hi, h.Lo}
}

// applyEdges replaces the edges of changed rows, removes those of rows that
// are gone and resolves: the new ones, and the old ones that what is new or
// gone may decide otherwise.
func (m *commit) applyEdges(ctx context.Context) error {
	touched := map[string]bool{}
	for _, k := range m.kinds {
		if k.sum.New+k.sum.Changed+k.sum.Gone > 0 {
			touched[k.ks.Name] = true
		}
	}
	byName := map[string]*kindCommit{}
	kinds := map[string]bool{}
	for _, k := range m.kinds {
		byName[k.ks.Name] = k
		if len(m.t.edges[k.ks.Index]) > 0 {
			kinds[k.ks.Name] = true
		}
	}
	for _, f := range m.next.Files["edges"] {
		kinds[f.Kind] = true
	}
	r := m.newResolver()
	var group []*edgeKind
	pending := 0
	end := func() error {
		err := m.finishEdges(ctx, r, group)
		group, pending = nil, 0
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		e := &edgeKind{commit: m, name: name, k: byName[name], files: m.next.of("edges", name)}
		if def := m.next.cat.byName(name); e.k != nil {
			e.decls = e.k.ks.Edges
		} else if def != nil {
			e.decls = def.Edges
		}
		if err := e.collect(ctx, r, touched); err != nil {
			return fmt.Errorf("edges of %s: %w", name, err)
		}
		group = append(group, e)
		if pending += len(e.refs); pending >= resolveAtOnce {
			if err := end(); err != nil {
				return err
			}
		}
	}
	return end()
}

func (m *commit) finishEdges(ctx context.Context, r *resolver, group []*edgeKind) error {
	var all []reference
	if len(group) == 1 {
		all = group[0].refs
	} else {
		for _, e := range group {
			all = append(all, e.refs...)
		}
	}
	if err := r.resolve(ctx, all); err != nil {
		return err
	}
	at := 0
	for _, e := range group {
		n := len(e.refs)
		e.refs = all[at : at+n]
		at += n
		if err := e.write(ctx, r); err != nil {
			return fmt.Errorf("edges of %s: %w", e.name, err)
		}
	}
	return nil
}

// affected says whether the sync may change an old edge of the kind.
func (e *edgeKind) affected(touched map[string]bool) bool {
	if len(e.files) == 0 {
		return false
	}
	if len(e.renamed) > 0 || e.dropped {
		return true
	}
	if e.k != nil && (len(e.k.moved) > 0 || len(e.gone[e.name]) > 0 || slices.ContainsFunc(e.k.applied, func(a uint8) bool { return a&appliedChanged != 0 })) {
		return true
	}
	if len(touched) == 0 {
		return false
	}
	for _, f := range e.files {
		for _, to := range f.Refers {
			if to == "" || touched[to] {
				return true
			}
		}
	}
	return false
}

// collect gathers the references that have to be resolved.
func (e *edgeKind) collect(ctx context.Context, r *resolver, touched map[string]bool) error {
	affected := e.affected(touched)
	if affected {
		if err := e.collectStanding(); err != nil {
			return err
		}
		if err := e.collectOpen(ctx, r, touched); err != nil {
			return err
		}
	}
	e.open = len(e.refs)
	if e.k == nil || e.k.applied == nil {
		return nil
	}
	segs := e.t.edges[e.k.ks.Index]
	for i := range segs {
		e.fresh += segs[i].rows
	}
	if e.large = e.fresh > resolveAtOnce/2; e.large {
		return nil
	}
	e.refs = slices.Grow(e.refs, e.fresh)
	err := e.staged(segs, func(s *stagedEdge) error {
		e.refs = append(e.refs, e.referenceOf(r, s))
		return nil
	})
	e.fresh = len(e.refs) - e.open
	return err
}

func (e *edgeKind) referenceOf(r *resolver, s *stagedEdge) reference {
	return r.reference(s.decl.To, s.ref, s.account, s.region, s.decl.Match)
}

// stagedEdge is an edge of a row that was entered.
type stagedEdge struct {
	from                        []byte
	decl                        *schema.Edge
	ref, account, region, scope string
}

// all yields every edge of the segments whose row was entered.
func (e *edgeKind) all(segs []segment, f func(s *stagedEdge, applied uint8) error) error {
	for i := range segs {
		rec := e.t.rows.record(&segs[i], stage.EdgeSchema)
		pos, from, decl := rec.Column(1).(*array.Int64), rec.Column(2).(*array.FixedSizeBinary), rec.Column(3).(*array.Int32)
		str := func(c, i int) string { return rec.Column(c).(*array.String).Value(i) }
		for j := range int(rec.NumRows()) {
			applied := e.k.applied[pos.Value(j)]
			if applied == 0 {
				continue
			}
			s := stagedEdge{from: from.Value(j), decl: &e.decls[decl.Value(j)], ref: str(4, j), account: str(5, j), region: str(6, j), scope: str(7, j)}
			if err := f(&s, applied); err != nil {
				return err
			}
		}
		if i%16 == 15 {
			e.t.rows.forget()
		}
	}
	e.t.rows.forget()
	return nil
}

// collectStanding enters the staged edges of changed rows, so that those that
// stand already are told.
func (e *edgeKind) collectStanding() error {
	e.standing = map[edgeKey]bool{}
	if e.k == nil || e.k.applied == nil {
		return nil
	}
	return e.all(e.t.edges[e.k.ks.Index], func(s *stagedEdge, applied uint8) error {
		if applied&appliedChanged != 0 {
			e.standing[keyOfEdge(s.from, s.decl.Relation, s.decl.To, s.ref)] = false
		}
		return nil
	})
}

// staged yields the edges of segments that are to be entered. Each segment is
// read twice, for its references and for itself; the second time the same
// edges count as met before.
func (e *edgeKind) staged(segs []segment, f func(s *stagedEdge) error) error {
	return e.all(segs, func(s *stagedEdge, applied uint8) error {
		if applied&appliedChanged != 0 && e.standing[keyOfEdge(s.from, s.decl.Relation, s.decl.To, s.ref)] {
			return nil
		}
		return f(s)
	})
}

// oldEdge is an edge that stood before the sync.
type oldEdge struct {
	from                                   [16]byte
	relation, toKind, ref, onDelete, scope string
	to                                     [16]byte
	hasTo                                  bool
	resolution                             uint8
}

// each yields the old edges that stay, after what ended was taken off.
func (e *edgeKind) each(ctx context.Context, f func(o *oldEdge) error) error {
	dropped := map[[16]byte]uint8{} // changed rows, by what is applied to them
	if e.k != nil {
		dropped = e.changedRows()
	}
	return readTable(ctx, e.t.sink.store, e.files, tables.ColumnNames(edgeColumns), func(cols []arrow.Array, _ int64, n int) error {
		str := func(c, i int) string { return cols[c].(*array.String).Value(i) }
		for i := range n {
			o := oldEdge{relation: str(2, i), toKind: e.nameOf(str(3, i)), ref: str(4, i), resolution: resolutionNamed(str(6, i)), onDelete: str(7, i), scope: str(8, i)}
			o.from, _ = parseUUID(str(0, i))
			if !cols[5].IsNull(i) {
				o.to, o.hasTo = parseUUID(str(5, i))
			}
			if _, ended := e.gone[e.name][o.from]; ended {
				e.dirty = true
				continue
			}
			if applied, ok := dropped[o.from]; ok {
				stands := false
				for _, kind := range [...]string{o.toKind, ""} {
					key := keyOfEdge(o.from[:], o.relation, kind, o.ref)
					if _, ok := e.standing[key]; ok {
						e.standing[key], stands = true, true
					}
				}
				// A row with unread columns keeps its old edges: they may come from those.
				if !stands && applied&appliedUnread == 0 {
					e.dirty = true
					continue
				}
			}
			if o.hasTo && e.isGone(o.to) {
				e.dirty = true
				o.hasTo, o.resolution = false, gone
				if e.dropped {
					o.resolution = notCollected
				}
			}
			if e.k != nil {
				if to, ok := e.k.moved[o.from]; ok && e.t.scopes.list[to] != o.scope {
					e.dirty = true
					o.scope = e.t.scopes.list[to]
				}
			}
			if err := f(&o); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *edgeKind) isGone(id [16]byte) bool {
	for _, ids := range e.gone {
		if _, ok := ids[id]; ok {
			return true
		}
	}
	return false
}

// changedRows are the rows that staged ones took the place of.
func (e *edgeKind) changedRows() map[[16]byte]uint8 {
	rows := map[[16]byte]uint8{}
	segs := e.t.kinds[e.k.ks.Index]
	if segs == nil || e.k.applied == nil {
		return rows
	}
	for i := range segs.segs {
		s := &segs.segs[i]
		var ids *array.FixedSizeBinary
		for j := range s.rows {
			if a := e.k.applied[int(s.first)+j]; a&appliedChanged != 0 {
				if ids == nil {
					ids = array.MakeFromData(e.t.rows.data(&s.cols[schema.ColID])).(*array.FixedSizeBinary)
				}
				rows[[16]byte(ids.Value(j))] = a
			}
		}
	}
	return rows
}

// collectOpen gathers the references of old edges that have no referent and
// may find one now.
func (e *edgeKind) collectOpen(ctx context.Context, r *resolver, touched map[string]bool) error {
	var opens [][16]byte // their rows
	from := map[[16]byte][2]uint32{}
	err := e.each(ctx, func(o *oldEdge) error {
		if !e.retried(o, touched) {
			return nil
		}
		e.refs = append(e.refs, r.reference(o.toKind, o.ref, "", "", e.matchOf(o)))
		opens = append(opens, o.from)
		from[o.from] = [2]uint32{}
		return nil
	})
	if err != nil || len(opens) == 0 {
		return err
	}
	err = r.rows(ctx, map[uint32]bool{r.kinds.number(e.name): true}, false, false, func(row *resourceRow) {
		if _, ok := from[row.uuid]; ok {
			from[row.uuid] = [2]uint32{row.account, row.region}
		}
	})
	if err != nil {
		return err
	}
	for i, id := range opens {
		q := &e.refs[i]
		q.account = from[id][0]
		if !q.regionName {
			q.region = from[id][1]
		}
	}
	return nil
}

// matchOf is how an old edge was declared to match. Where declarations differ
// in that alone, the one that is not by id counts.
func (e *edgeKind) matchOf(o *oldEdge) schema.Match {
	match := schema.MatchID
	for _, d := range e.decls {
		if d.Relation != o.relation || d.To != o.toKind {
			continue
		}
		switch d.Match {
		case schema.MatchRegionName:
			return d.Match
		case schema.MatchName:
			match = d.Match
		}
	}
	return match
}

// retried says whether an old edge is resolved anew: it has no referent and
// rows came, changed or went that it may name.
func (e *edgeKind) retried(o *oldEdge, touched map[string]bool) bool {
	return !o.hasTo && len(touched) > 0 && (o.toKind == "" || touched[o.toKind])
}

// write writes the kind's edges where they changed.
func (e *edgeKind) write(ctx context.Context, r *resolver) error {
	rename := e.k != nil && e.k.rename
	for _, f := range e.files {
		for _, to := range f.Refers {
			rename = rename || e.renamed[to] != ""
		}
	}
	if e.fresh == 0 && !e.dirty && !rename && !e.better() {
		return nil
	}
	touched := map[string]bool{}
	for _, k := range e.kinds {
		if k.sum.New+k.sum.Changed+k.sum.Gone > 0 {
			touched[k.ks.Name] = true
		}
	}
	w, err := e.newRowWriter(edgeColumns, "edges", e.name)
	if err != nil {
		return err
	}
	defer w.abort()
	refers, open := map[string]bool{}, int64(0)
	put := func(o *oldEdge) error {
		refers[o.toKind] = true
		b := rowBuilder{w.builder, 0}
		b.uuid(&o.from)
		b.text(e.name)
		b.text(o.relation)
		b.text(o.toKind)
		b.text(o.ref)
		if o.hasTo {
			b.uuid(&o.to)
		} else {
			open++
			b.field().AppendNull()
		}
		b.text(resolutionNames[o.resolution])
		b.text(o.onDelete)
		b.text(o.scope)
		return w.added(150 + len(o.ref))
	}
	at := 0
	settle := func(o *oldEdge, q *reference) {
		o.resolution = q.resolution
		if q.resolution == byURN || q.resolution == byID || q.resolution == byName {
			o.to, o.hasTo = q.to, true
		}
		if q.resolution == byURN {
			o.toKind = r.kinds.list[q.found]
		}
	}
	if len(e.files) > 0 {
		err = e.each(ctx, func(o *oldEdge) error {
			if at < e.open && e.retried(o, touched) {
				// What is gone stays gone until something stands in its place.
				if q := &e.refs[at]; !(o.resolution == gone && q.resolution == notCollected) {
					settle(o, q)
				}
				at++
			}
			return put(o)
		})
		if err != nil {
			return err
		}
	}
	refs := e.refs[e.open:]
	at = 0
	putStaged := func(s *stagedEdge) error {
		o := oldEdge{from: [16]byte(s.from), relation: s.decl.Relation, toKind: s.decl.To, ref: s.ref, onDelete: string(stage.Declaration(*s.decl).OnDelete), scope: s.scope}
		settle(&o, &refs[at])
		at++
		return put(&o)
	}
	if err := e.eachPart(ctx, r, func(segs []segment, part []reference) error {
		if part != nil {
			refs, at = part, 0
		}
		return e.staged(segs, putStaged)
	}); err != nil {
		return err
	}
	files, err := w.close()
	if err != nil {
		return err
	}
	for i := range files {
		files[i].Refers, files[i].Open = slices.Sorted(maps.Keys(refers)), open
	}
	e.next.set("edges", e.name, files)
	return nil
}

// eachPart yields the staged edges in parts: all at once with the references
// that are resolved already, or many with those of each part.
func (e *edgeKind) eachPart(ctx context.Context, r *resolver, f func(segs []segment, refs []reference) error) error {
	if e.k == nil || e.k.applied == nil {
		return nil
	}
	segs := e.t.edges[e.k.ks.Index]
	if !e.large {
		return f(segs, nil)
	}
	refs := make([]reference, 0, resolveAtOnce)
	for len(segs) > 0 {
		n, rows := 0, 0
		for n < len(segs) && (n == 0 || rows+segs[n].rows <= resolveAtOnce) {
			rows += segs[n].rows
			n++
		}
		refs = refs[:0]
		err := e.staged(segs[:n], func(s *stagedEdge) error {
			refs = append(refs, e.referenceOf(r, s))
			return nil
		})
		if err == nil {
			err = r.resolve(ctx, refs)
		}
		if err == nil {
			err = f(segs[:n], refs)
		}
		if err != nil {
			return err
		}
		segs = segs[n:]
	}
	return nil
}

// better says whether an old edge is resolved otherwise than before. Those
// that found nothing before and now are as they were.
func (e *edgeKind) better() bool {
	for i := range e.refs[:e.open] {
		if e.refs[i].resolution != notCollected {
			return true
		}
	}
	return false
}

func (r *rowBuilder) uuid(id *[16]byte) {
	var b [36]byte
	r.field().(*array.StringBuilder).BinaryBuilder.Append(appendUUID(b[:0], id[:]))
}

// endHistory writes the history of the sync, joins files where they are many
// and ends what is older than the retention.
func (m *commit) endHistory(ctx context.Context) error {
	defer m.history.abort()
	if len(m.renamed) > 0 {
		if err := m.renameHistory(ctx); err != nil {
			return err
		}
	}
	if keep := m.t.sync.HistoryRetention; keep > 0 {
		until := m.now.Add(-keep)
		if err := m.expireHistory(ctx, until); err != nil {
			return err
		}
	}
	files, err := m.history.close()
	if err != nil {
		return fmt.Errorf("write the history: %w", err)
	}
	for i := range files {
		now := m.now
		files[i].Until, files[i].Since = &now, &now
	}
	m.next.Files["resource_history"] = append(slices.Clone(m.next.Files["resource_history"]), files...)
	return m.joinHistory(ctx)
}

// historyFiles is the number of small files of history from which they are
// joined, smallHistory what is small.
const (
	historyFiles = 32
	smallHistory = 32 << 20
)

// joinHistory makes one file of the small ones where there are many.
func (m *commit) joinHistory(ctx context.Context) error {
	all := m.next.Files["resource_history"]
	var small, rest []fileEntry
	for _, f := range all {
		if f.Bytes < smallHistory {
			small = append(small, f)
		} else {
			rest = append(rest, f)
		}
	}
	if len(small) < historyFiles {
		return nil
	}
	files, err := m.copyHistory(ctx, small, nil)
	if err != nil {
		return err
	}
	m.next.Files["resource_history"] = append(rest, files...)
	return nil
}

// copyHistory writes rows of history files anew. keep says which.
func (m *commit) copyHistory(ctx context.Context, from []fileEntry, keep func(until int64) bool) ([]fileEntry, error) {
	m.copies++
	w, err := m.newRowWriter(historyColumns, "resource_history", fmt.Sprintf("copy-%d", m.copies))
	if err != nil {
		return nil, err
	}
	defer w.abort()
	since, until := from[0].Since, from[0].Until
	for _, f := range from {
		if f.Since != nil && f.Since.Before(*since) {
			since = f.Since
		}
		if f.Until != nil && f.Until.After(*until) {
			until = f.Until
		}
	}
	err = readTable(ctx, m.t.sink.store, from, tables.ColumnNames(historyColumns), func(cols []arrow.Array, _ int64, n int) error {
		for i := range n {
			end := timeAt(cols[6], i)
			if keep != nil && !keep(end) {
				continue
			}
			b := rowBuilder{w.builder, 0}
			b.text(textAt(cols[0], i))
			b.text(m.nameOf(textAt(cols[1], i)))
			b.text(textAt(cols[2], i))
			b.texts(listValues(cols[3].(*array.List), i))
			doc := strings.Clone(cols[4].(*array.String).Value(i))
			b.text(doc)
			b.time(timeAt(cols[5], i))
			b.time(end)
			if err := w.added(len(doc) + 200); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	files, err := w.close()
	for i := range files {
		files[i].Kind = ""
		files[i].Since, files[i].Until = since, until
	}
	return files, err
}

// renameHistory gives the history of renamed kinds their new names.
func (m *commit) renameHistory(ctx context.Context) error {
	old := m.next.Files["resource_history"]
	if len(old) == 0 {
		return nil
	}
	files, err := m.copyHistory(ctx, old, nil)
	m.next.Files["resource_history"] = files
	return err
}
