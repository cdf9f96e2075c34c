package duckdb

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/util"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// tx is a sync that is being staged.
type tx struct {
	sink  *Sink
	sync  sinks.Sync
	lock  *stagingLock
	stage *stage

	kinds  []*kindStage
	byName map[string]*kindStage
	// base is what the file held when the sync began.
	base base

	rows   *narrow[stagedRow]
	edges  *narrow[stagedEdge]
	scopes *narrow[scopeRow]

	mu       sync.Mutex
	ordinals map[uint64]uint32 // scope hash -> ordinal in known
	problems problemSet
	pending  int64 // bytes of batches not yet in the stage
	err      error // the first error of a Write: the commit refuses
	done     bool
	seed     maphash.Seed
}

// kindStage is what a sync staged of one kind.
type kindStage struct {
	kind    *schema.Kind
	index   int32
	mu      sync.Mutex
	known   *known // nil where the table is new or beyond the budget
	had     int64  // rows in the table before
	vol     []int  // volatile columns' positions in a batch
	next    int64  // position of the next staged row
	segs    []segment
	pend    []arrow.RecordBatch
	first   int64 // position of the first pending row
	bytes   int64
	read    int64 // rows written, duplicates included
	unread  bool  // a staged row has unread columns
	flushes sync.WaitGroup
}

// What is staged at once. Batches smaller than that are joined.
const (
	segmentRows  = 8192
	segmentBytes = 4 << 20
	pendingBytes = 48 << 20
)

var errDone = errors.New("the sync has ended")

func newTx(s *Sink, sync sinks.Sync, lock *stagingLock) (*tx, error) {
	st, err := newStage(s.staging)
	if err != nil {
		return nil, err
	}
	t := &tx{
		sink: s, sync: sync, lock: lock, stage: st,
		byName:   make(map[string]*kindStage, len(sync.Kinds)),
		ordinals: make(map[uint64]uint32),
		problems: make(problemSet),
		seed:     maphash.MakeSeed(),
	}
	t.rows, t.edges, t.scopes = newNarrow(st, stagedRowSchema, appendStagedRow), newNarrow(st, stagedEdgeSchema, appendStagedEdge), newNarrow(st, scopeRowSchema, appendScopeRow)
	for i, k := range sync.Kinds {
		if t.byName[k.Name] != nil {
			st.close()
			return nil, fmt.Errorf("kind %s is given twice", k.Name)
		}
		ks := &kindStage{kind: k, index: int32(i)}
		for j, c := range k.Columns {
			if c.Volatile {
				ks.vol = append(ks.vol, schema.NumBatchUnified+j)
			}
		}
		t.kinds = append(t.kinds, ks)
		t.byName[k.Name] = ks
	}
	return t, nil
}

// Write stages what is new or changed in a batch.
func (t *tx) Write(ctx context.Context, b *schema.Batch) error {
	defer b.Release()
	err := t.write(ctx, b)
	if err != nil {
		t.fail(err)
	}
	return err
}

func (t *tx) write(ctx context.Context, b *schema.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := t.Problem(ctx, b.Problems...); err != nil {
		return err
	}
	if b.Rows == nil || b.Rows.NumRows() == 0 {
		return nil
	}
	ks := t.byName[b.Kind.Name]
	if ks == nil {
		return fmt.Errorf("write %s: the kind is not part of the sync", b.Kind.Name)
	}
	if want := schema.NumBatchUnified + len(ks.kind.Columns); int(b.Rows.NumCols()) != want {
		return fmt.Errorf("write %s: the batch has %d columns, the kind %d", b.Kind.Name, b.Rows.NumCols(), want)
	}
	ks.mu.Lock()
	flush, err := t.stageRows(ks, b)
	ks.mu.Unlock()
	if err != nil {
		return fmt.Errorf("write %s: %w", b.Kind.Name, err)
	}
	if flush != nil {
		if err := flush(); err != nil {
			return fmt.Errorf("write %s: %w", b.Kind.Name, err)
		}
	}
	return t.relieve()
}

// stageRows selects the rows of a batch that have to be staged. It runs under
// the kind's lock and returns the flush that is due, if one is, to be run
// without it.
func (t *tx) stageRows(ks *kindStage, b *schema.Batch) (func() error, error) {
	rows := b.Rows
	n := int(rows.NumRows())
	ids, ok1 := rows.Column(schema.ColID).(*array.FixedSizeBinary)
	hashes, ok2 := rows.Column(schema.ColHash).(*array.FixedSizeBinary)
	accounts, ok3 := rows.Column(schema.ColAccount).(*array.String)
	scopes, ok4 := rows.Column(schema.ColScope).(*array.String)
	unread := rows.Column(schema.ColUnread)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return nil, errors.New("the batch does not have the kind's schema")
	}
	var scope uint64
	var ordinal uint32
	var vol volatileSums
	for _, c := range ks.vol {
		vol.cols = append(vol.cols, rows.Column(c))
	}
	ks.read += int64(n)

	var ranges [][2]int // of rows that are staged whole
	staged := make([]int64, n)
	first := ks.next
	for i := range n {
		if s := scopes.Value(i); i == 0 || s != scopes.Value(i-1) {
			scope = t.scopeHash(s)
			ordinal = t.ordinal(scope)
		}
		id, hash := ids.Value(i), hashes.Value(i)
		owner := accounts.Value(i) == b.Scope.Account
		isUnread := !unread.IsNull(i)
		row := stagedRow{kind: ks.index, scope: scope, id: [16]byte(id), hash: [16]byte(hash), owner: owner, unread: isUnread, pos: -1}
		staged[i] = -1
		whole := true
		if ks.known != nil {
			if slot, ok := ks.known.find(idKey(id)); ok {
				whole = t.compare(ks, slot, hashKey(hash)^vol.sum(i), ordinal, &row)
				if !whole && !row.foreign {
					continue // unchanged
				}
			}
		}
		if whole {
			row.pos = ks.next
			ks.next++
			staged[i] = row.pos
			ks.unread = ks.unread || isUnread
			if len(ranges) > 0 && ranges[len(ranges)-1][1] == i {
				ranges[len(ranges)-1][1] = i + 1
			} else {
				ranges = append(ranges, [2]int{i, i + 1})
			}
		}
		if err := t.rows.add(row); err != nil {
			return nil, err
		}
	}
	if ks.next > first {
		if err := t.stageEdges(ks, b, ids, staged); err != nil {
			return nil, err
		}
	}
	return t.keep(ks, rows, ranges, first)
}

// compare says whether a row that the table already has must be staged whole.
// It sets foreign where another scope than the row's own reports it.
func (t *tx) compare(ks *kindStage, slot int, sum uint64, ordinal uint32, row *stagedRow) bool {
	k := ks.known
	flags := k.flags[slot]
	same := k.sums[slot] == sum && flags&flagPoison == 0 && !row.unread
	row.foreign = k.scopes[slot] != ordinal
	if row.foreign {
		return !same
	}
	if same && flags&flagStaged == 0 {
		k.mark(slot)
		return false
	}
	if flags&flagSeen != 0 {
		t.mu.Lock()
		t.problems.duplicate(ks.kind, row.id)
		t.mu.Unlock()
	}
	k.flags[slot] |= flagStaged
	return true
}

// keep adds ranges of a batch's rows to the kind's pending ones.
func (t *tx) keep(ks *kindStage, rows arrow.RecordBatch, ranges [][2]int, first int64) (func() error, error) {
	if len(ranges) == 0 {
		return nil, nil
	}
	var rec arrow.RecordBatch
	if len(ranges) == 1 && ranges[0][1]-ranges[0][0] == int(rows.NumRows()) {
		rows.Retain()
		rec = rows
	} else {
		parts := make([]arrow.RecordBatch, len(ranges))
		for i, r := range ranges {
			parts[i] = rows.NewSlice(int64(r[0]), int64(r[1]))
			defer parts[i].Release()
		}
		if len(parts) == 1 {
			parts = append(parts, rows.NewSlice(0, 0)) // so that join copies and the batch can go
			defer parts[1].Release()
		}
		var err error
		if rec, err = join(parts); err != nil {
			return nil, err
		}
	}
	if len(ks.pend) == 0 {
		ks.first = first
	}
	size := util.TotalRecordSize(rec)
	ks.pend = append(ks.pend, rec)
	ks.bytes += size
	t.mu.Lock()
	t.pending += size
	t.mu.Unlock()
	if ks.next-ks.first >= segmentRows || ks.bytes >= segmentBytes {
		return t.take(ks), nil
	}
	return nil, nil
}

// take empties a kind's pending rows, under its lock, and returns what writes
// them.
func (t *tx) take(ks *kindStage) func() error {
	pend, first, size := ks.pend, ks.first, ks.bytes
	ks.pend, ks.bytes = nil, 0
	if len(pend) == 0 {
		return nil
	}
	ks.flushes.Add(1)
	return func() error {
		defer ks.flushes.Done()
		defer func() {
			for _, r := range pend {
				r.Release()
			}
			t.mu.Lock()
			t.pending -= size
			t.mu.Unlock()
		}()
		rec, err := join(pend)
		if err != nil {
			return err
		}
		defer rec.Release()
		seg, err := t.stage.put(rec, first)
		if err != nil {
			return err
		}
		ks.mu.Lock()
		ks.segs = append(ks.segs, seg)
		ks.mu.Unlock()
		return nil
	}
}

// relieve writes the largest pending kinds while too much is pending.
func (t *tx) relieve() error {
	for {
		t.mu.Lock()
		full := t.pending > pendingBytes
		t.mu.Unlock()
		if !full {
			return nil
		}
		var largest *kindStage
		var most int64
		for _, ks := range t.kinds {
			ks.mu.Lock()
			if ks.bytes > most {
				largest, most = ks, ks.bytes
			}
			ks.mu.Unlock()
		}
		if largest == nil {
			return nil // others are writing it
		}
		if err := t.flushKind(largest); err != nil {
			return err
		}
	}
}

func (t *tx) flushKind(ks *kindStage) error {
	ks.mu.Lock()
	flush := t.take(ks)
	ks.mu.Unlock()
	if flush == nil {
		return nil
	}
	if err := flush(); err != nil {
		return fmt.Errorf("write %s: %w", ks.kind.Name, err)
	}
	return nil
}

// stageEdges stages the edges of the rows that are.
func (t *tx) stageEdges(ks *kindStage, b *schema.Batch, ids *array.FixedSizeBinary, staged []int64) error {
	if b.Edges == nil || b.Edges.NumRows() == 0 {
		return nil
	}
	from, ok1 := b.Edges.Column(schema.EdgeFromID).(*array.FixedSizeBinary)
	decl, ok2 := b.Edges.Column(schema.EdgeDecl).(*array.Int32)
	ref, ok3 := b.Edges.Column(schema.EdgeToRef).(*array.String)
	if !ok1 || !ok2 || !ok3 {
		return errors.New("the edges do not have schema.EdgeSchema")
	}
	accounts, ok1 := b.Rows.Column(schema.ColAccount).(*array.String)
	regions, ok2 := b.Rows.Column(schema.ColRegion).(*array.String)
	scopes, ok3 := b.Rows.Column(schema.ColScope).(*array.String)
	if !ok1 || !ok2 || !ok3 {
		return errors.New("the batch does not have the kind's schema")
	}
	var byID map[[16]byte]int
	row := 0
	for i := range from.Len() {
		id := [16]byte(from.Value(i))
		// Edges usually stand in the order of their rows.
		for j := row; byID == nil && j < ids.Len(); j++ {
			if [16]byte(ids.Value(j)) == id {
				row = j
				break
			}
			if j == ids.Len()-1 {
				byID = make(map[[16]byte]int, ids.Len())
				for k := range ids.Len() {
					byID[[16]byte(ids.Value(k))] = k
				}
			}
		}
		if byID != nil {
			var ok bool
			if row, ok = byID[id]; !ok {
				return fmt.Errorf("an edge leaves %s, which is not in the batch", uuid.UUID(id))
			}
		}
		pos := staged[row]
		if pos < 0 {
			continue
		}
		if d := decl.Value(i); d < 0 || int(d) >= len(ks.kind.Edges) {
			return fmt.Errorf("an edge of %s names declaration %d of %d", uuid.UUID(id), d, len(ks.kind.Edges))
		}
		e := stagedEdge{
			kind: ks.index, pos: pos, from: id, decl: decl.Value(i), ref: ref.Value(i),
			account: accounts.Value(row), region: regions.Value(row), scope: scopes.Value(row),
		}
		if err := t.edges.add(e); err != nil {
			return err
		}
	}
	return nil
}

// Scope stages how the reading of a scope ended.
func (t *tx) Scope(ctx context.Context, r schema.ScopeResult) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ks := t.byName[r.Scope.Kind]
	if ks == nil {
		return fmt.Errorf("scope %s of %s: the kind is not part of the sync", r.Scope.ID(), r.Scope.Kind)
	}
	err := t.scopes.add(scopeRow{kind: ks.index, hash: t.scopeHash(r.Scope.ID()), result: r})
	if err != nil {
		t.fail(err)
	}
	return err
}

// Problem counts problems.
func (t *tx) Problem(_ context.Context, p ...schema.Problem) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return errDone
	}
	for _, p := range p {
		t.problems.add(p)
	}
	return nil
}

// Rollback removes what was staged.
func (t *tx) Rollback(context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end()
	return nil
}

// end closes and removes the staging, under the lock.
func (t *tx) end() {
	if t.done {
		return
	}
	t.done = true
	for _, ks := range t.kinds {
		ks.mu.Lock()
		for _, r := range ks.pend {
			r.Release()
		}
		ks.pend, ks.known = nil, nil
		ks.mu.Unlock()
	}
	t.stage.close()
	t.lock.release()
}

func (t *tx) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil && !errors.Is(err, context.Canceled) {
		t.err = err
	}
}

// scopeHash is 64 bits of a scope's id under the sync's own seed. That no two
// scopes share them is checked when the sync commits.
func (t *tx) scopeHash(id string) uint64 { return maphash.String(t.seed, id) }

func (t *tx) ordinal(scope uint64) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	o, ok := t.ordinals[scope]
	if !ok {
		o = uint32(len(t.ordinals))
		t.ordinals[scope] = o
	}
	return o
}
