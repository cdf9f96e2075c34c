// Package stage holds what the sinks share before a commit. Of the batches of
// a sync it picks the rows that are new or may have changed, and hands them,
// with their edges and how each scope ended, to a store of the sink's choice.
package stage

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/util"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Store keeps staged record batches until the commit. Its methods are safe
// for concurrent use; a batch is the caller's again when they return.
type Store interface {
	// PutRows keeps rows of a kind, which have its BatchSchema. first is the
	// position of the first of them among the kind's staged rows.
	PutRows(k *Kind, rec arrow.RecordBatch, first int64) error
	// PutReadings keeps a batch of ReadingSchema, PutEdges one of EdgeSchema,
	// PutScopes one of ScopeSchema.
	PutReadings(rec arrow.RecordBatch) error
	PutEdges(rec arrow.RecordBatch) error
	PutScopes(rec arrow.RecordBatch) error
}

// Kind is what a sync staged of one kind. Index, Known and Had are set before
// the first Write; the others are settled when Flush has returned.
type Kind struct {
	*schema.Kind
	// Index is the position among the sync's kinds, by which staged records
	// name it.
	Index int32
	// Known are the rows that the table held before; nil where the table is
	// new or has too many.
	Known *Known
	// Had is the number of rows in the table before.
	Had int64
	// Volatile are the positions of the volatile columns in a batch.
	Volatile []int
	// Rows is the number of staged rows, Read that of rows written,
	// duplicates and unchanged ones included.
	Rows, Read int64
	// Unread says that a staged row has unread columns.
	Unread bool
	// Foreign is the number of readings by other scopes than the one that
	// Known names.
	Foreign int64

	// same are the positions of the first declaration of an edge that is
	// equal, by that of each; nil where none are.
	same []int32

	mu      sync.Mutex
	pend    []arrow.RecordBatch
	first   int64 // position of the first pending row
	bytes   int64
	flushes sync.WaitGroup
}

// What goes to the store at once. Batches smaller than that are joined.
const (
	segmentRows  = 8192
	segmentBytes = 4 << 20
	pendingBytes = 48 << 20
)

// Stage picks and collects what a sync has to store.
type Stage struct {
	store  Store
	kinds  []*Kind
	byName map[string]*Kind

	readings *narrow[reading]
	edges    *narrow[edge]
	scopes   *narrow[scopeEnd]
	seed     maphash.Seed

	mu       sync.Mutex
	ordinals map[uint64]uint32 // scope hash -> ordinal in Known
	problems Problems
	pending  int64 // bytes of batches not yet in the store
	err      error // the first error of a Write: Flush returns it
	done     bool
}

var errDone = errors.New("the sync has ended")

// New returns a stage for a sync of the kinds. Without a store it knows the
// kinds and takes no rows.
func New(kinds []*schema.Kind, store Store) (*Stage, error) {
	s := &Stage{
		store:    store,
		byName:   make(map[string]*Kind, len(kinds)),
		ordinals: make(map[uint64]uint32),
		problems: make(Problems),
		seed:     maphash.MakeSeed(),
	}
	if store != nil {
		s.readings = newNarrow(ReadingSchema, appendReading, store.PutReadings)
		s.edges = newNarrow(EdgeSchema, appendEdge, store.PutEdges)
		s.scopes = newNarrow(ScopeSchema, appendScope, store.PutScopes)
	}
	for i, k := range kinds {
		if s.byName[k.Name] != nil {
			return nil, fmt.Errorf("kind %s is given twice", k.Name)
		}
		sk := &Kind{Kind: k, Index: int32(i), same: equalDeclarations(k.Edges)}
		for j, c := range k.Columns {
			if c.Volatile {
				sk.Volatile = append(sk.Volatile, schema.NumBatchUnified+j)
			}
		}
		s.kinds = append(s.kinds, sk)
		s.byName[k.Name] = sk
	}
	return s, nil
}

// Kinds returns the sync's kinds in the order given to New.
func (s *Stage) Kinds() []*Kind { return s.kinds }

// ByName returns a kind of the sync, nil if it has none of that name.
func (s *Stage) ByName(name string) *Kind { return s.byName[name] }

// Problems returns a copy of the problems counted so far.
func (s *Stage) Problems() Problems {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problems.clone()
}

// Write stages what is new or changed in a batch and releases it.
func (s *Stage) Write(ctx context.Context, b *schema.Batch) error {
	defer b.Release()
	err := s.write(ctx, b)
	if err != nil {
		s.fail(err)
	}
	return err
}

func (s *Stage) write(ctx context.Context, b *schema.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.Problem(ctx, b.Problems...); err != nil {
		return err
	}
	if b.Rows == nil || b.Rows.NumRows() == 0 {
		return nil
	}
	k := s.byName[b.Kind.Name]
	if k == nil {
		return fmt.Errorf("write %s: the kind is not part of the sync", b.Kind.Name)
	}
	if want := schema.NumBatchUnified + len(k.Columns); int(b.Rows.NumCols()) != want {
		return fmt.Errorf("write %s: the batch has %d columns, the kind %d", b.Kind.Name, b.Rows.NumCols(), want)
	}
	k.mu.Lock()
	flush, err := s.stageRows(k, b)
	k.mu.Unlock()
	if err == nil && flush != nil {
		err = flush()
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", b.Kind.Name, err)
	}
	return s.relieve()
}

// stageRows selects the rows of a batch that have to be staged. It runs under
// the kind's lock and returns the flush that is due, if one is, to be run
// without it.
func (s *Stage) stageRows(k *Kind, b *schema.Batch) (func() error, error) {
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
	var vol VolatileSums
	for _, c := range k.Volatile {
		vol.Columns = append(vol.Columns, rows.Column(c))
	}
	k.Read += int64(n)

	var ranges [][2]int // of rows that are staged whole
	staged := make([]int64, n)
	first := k.Rows
	for i := range n {
		if id := scopes.Value(i); i == 0 || id != scopes.Value(i-1) {
			scope = s.ScopeHash(id)
			ordinal = s.ordinal(scope)
		}
		id, hash := ids.Value(i), hashes.Value(i)
		row := reading{
			kind: k.Index, scope: scope, id: [16]byte(id), hash: [16]byte(hash), pos: -1,
			owner: accounts.Value(i) == b.Scope.Account, unread: !unread.IsNull(i),
		}
		staged[i] = -1
		whole := true
		if k.Known != nil {
			if slot, ok := k.Known.find(idKey(id)); ok {
				var foreign, again bool
				whole, foreign, again = k.Known.compare(slot, hashKey(hash)^vol.Sum(i), ordinal, row.unread)
				if foreign {
					k.Foreign++
				} else if !whole {
					continue // unchanged
				}
				if again {
					before := row
					before.hash = [16]byte{}
					if err := s.readings.add(before); err != nil {
						return nil, err
					}
				}
			}
		}
		if whole {
			row.pos = k.Rows
			k.Rows++
			staged[i] = row.pos
			k.Unread = k.Unread || row.unread
			if len(ranges) > 0 && ranges[len(ranges)-1][1] == i {
				ranges[len(ranges)-1][1] = i + 1
			} else {
				ranges = append(ranges, [2]int{i, i + 1})
			}
		}
		if err := s.readings.add(row); err != nil {
			return nil, err
		}
	}
	if k.Rows > first {
		if err := s.stageEdges(k, b, ids, staged); err != nil {
			return nil, err
		}
	}
	return s.keep(k, rows, ranges, first)
}

// keep adds ranges of a batch's rows to the kind's pending ones.
func (s *Stage) keep(k *Kind, rows arrow.RecordBatch, ranges [][2]int, first int64) (func() error, error) {
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
			parts = append(parts, rows.NewSlice(0, 0)) // so that Join copies and the batch can go
			defer parts[1].Release()
		}
		var err error
		if rec, err = Join(parts); err != nil {
			return nil, err
		}
	}
	if len(k.pend) == 0 {
		k.first = first
	}
	size := util.TotalRecordSize(rec)
	k.pend = append(k.pend, rec)
	k.bytes += size
	s.mu.Lock()
	s.pending += size
	s.mu.Unlock()
	if k.Rows-k.first >= segmentRows || k.bytes >= segmentBytes {
		return s.take(k), nil
	}
	return nil, nil
}

// take empties a kind's pending rows, under its lock, and returns what hands
// them to the store.
func (s *Stage) take(k *Kind) func() error {
	pend, first, size := k.pend, k.first, k.bytes
	k.pend, k.bytes = nil, 0
	if len(pend) == 0 {
		return nil
	}
	k.flushes.Add(1)
	return func() error {
		defer k.flushes.Done()
		defer func() {
			for _, r := range pend {
				r.Release()
			}
			s.mu.Lock()
			s.pending -= size
			s.mu.Unlock()
		}()
		rec, err := Join(pend)
		if err != nil {
			return err
		}
		defer rec.Release()
		return s.store.PutRows(k, rec, first)
	}
}

// relieve hands the largest pending kinds over while too much is pending.
func (s *Stage) relieve() error {
	for {
		s.mu.Lock()
		full := s.pending > pendingBytes
		s.mu.Unlock()
		if !full {
			return nil
		}
		var largest *Kind
		var most int64
		for _, k := range s.kinds {
			k.mu.Lock()
			if k.bytes > most {
				largest, most = k, k.bytes
			}
			k.mu.Unlock()
		}
		if largest == nil {
			return nil // others are handing it over
		}
		if err := s.flushKind(largest); err != nil {
			return err
		}
	}
}

func (s *Stage) flushKind(k *Kind) error {
	k.mu.Lock()
	flush := s.take(k)
	k.mu.Unlock()
	if flush == nil {
		return nil
	}
	if err := flush(); err != nil {
		return fmt.Errorf("write %s: %w", k.Name, err)
	}
	return nil
}

// Scope stages how the reading of a scope ended.
func (s *Stage) Scope(ctx context.Context, r schema.ScopeResult) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k := s.byName[r.Scope.Kind]
	if k == nil {
		return fmt.Errorf("scope %s of %s: the kind is not part of the sync", r.Scope.ID(), r.Scope.Kind)
	}
	err := s.scopes.add(scopeEnd{kind: k.Index, hash: s.ScopeHash(r.Scope.ID()), result: r})
	if err != nil {
		s.fail(err)
	}
	return err
}

// Problem counts problems.
func (s *Stage) Problem(_ context.Context, p ...schema.Problem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return errDone
	}
	for _, p := range p {
		s.problems.Add(p)
	}
	return nil
}

// Flush hands all that is pending to the store. It fails where a Write or
// Scope before it failed, unless by the end of its context.
func (s *Stage) Flush() error {
	s.mu.Lock()
	done, err := s.done, s.err
	s.mu.Unlock()
	if done {
		return errDone
	}
	if err != nil {
		return fmt.Errorf("a write failed before: %w", err)
	}
	for _, k := range s.kinds {
		if err := s.flushKind(k); err != nil {
			return err
		}
		k.flushes.Wait()
	}
	return errors.Join(s.readings.flush(), s.edges.flush(), s.scopes.flush())
}

// Release ends the stage and drops what is pending and known. It may be
// called more than once.
func (s *Stage) Release() {
	s.mu.Lock()
	s.done = true
	s.mu.Unlock()
	for _, k := range s.kinds {
		k.mu.Lock()
		for _, r := range k.pend {
			r.Release()
		}
		k.pend, k.Known = nil, nil
		k.mu.Unlock()
	}
}

func (s *Stage) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil && !errors.Is(err, context.Canceled) {
		s.err = err
	}
}

// ScopeHash is 64 bits of a scope's id under the stage's own seed, as readings
// name it. A commit checks that no two of its scopes share them.
func (s *Stage) ScopeHash(id string) uint64 { return maphash.String(s.seed, id) }

// Ordinal numbers the scopes that the rows of Known name.
func (s *Stage) Ordinal(scopeID string) uint32 { return s.ordinal(s.ScopeHash(scopeID)) }

func (s *Stage) ordinal(scope uint64) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.ordinals[scope]
	if !ok {
		o = uint32(len(s.ordinals))
		s.ordinals[scope] = o
	}
	return o
}
