package parquet

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// tx is a sync that is being staged. It is the store of its stage: rows go to
// a spool, where the commit reads them column by column, the rest to a file.
type tx struct {
	*stage.Stage
	*stage.File
	sink  *Sink
	sync  sinks.Sync
	lease *lease
	dir   string
	lock  *os.File
	rows  *spool
	// base is the state that the sync began with.
	base *state

	mu     sync.Mutex
	kinds  map[int32]*stagedKind
	scopes names
	edges  map[int32][]segment
	// patchFiles is the number of spools of patched rows.
	patchFiles int
	done       bool
	// unpublished is why the Iceberg catalog does not have the commit.
	unpublished error
}

var errDone = errors.New("the sync has ended")

// stagedKind is where a kind's staged rows lie.
type stagedKind struct {
	segs []segment
	// scope is each row's, as a number of tx.scopes.
	scope []uint32
}

// names numbers texts.
type names struct {
	list  []string
	index map[string]uint32
}

// none is the number of no name.
const none = math.MaxUint32

func (n *names) number(s string) uint32 {
	if i, ok := n.index[s]; ok {
		return i
	}
	if n.index == nil {
		n.index = map[string]uint32{}
	}
	s = strings.Clone(s)
	i := uint32(len(n.list))
	n.list = append(n.list, s)
	n.index[s] = i
	return i
}

func newTx(s *Sink, sync sinks.Sync, l *lease) (*tx, error) {
	dir, lock, err := newStagingDir(s.staging, sync.ID.String())
	if err != nil {
		return nil, err
	}
	t := &tx{sink: s, sync: sync, lease: l, dir: dir, lock: lock, kinds: map[int32]*stagedKind{}, edges: map[int32][]segment{}}
	fail := func(err error) (*tx, error) {
		if t.File != nil {
			t.File.Close()
		}
		_ = os.RemoveAll(dir)
		lock.Close()
		return nil, err
	}
	if t.File, err = stage.NewFile(dir); err != nil {
		return fail(err)
	}
	if t.rows, err = newSpool(filepath.Join(dir, "columns")); err != nil {
		return fail(err)
	}
	if t.Stage, err = stage.New(sync.Kinds, t); err != nil {
		t.rows.close()
		return fail(err)
	}
	return t, nil
}

// newStagingDir makes a folder that no other process has, and removes those
// whose processes ended.
func newStagingDir(parent, name string) (string, *os.File, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", nil, fmt.Errorf("create the staging folder: %w", err)
	}
	sweepStaging(parent)
	dir, err := os.MkdirTemp(parent, name+"-")
	if err != nil {
		return "", nil, fmt.Errorf("create the staging folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return "", nil, fmt.Errorf("lock the staging folder: %w", err)
	}
	return dir, f, nil
}

// sweepStaging removes the folders that nobody has locked. One that is
// being made just now is young.
func sweepStaging(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(parent, e.Name())
		f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR, 0)
		if err != nil {
			if fi, err := e.Info(); err == nil && e.IsDir() && time.Since(fi.ModTime()) > time.Hour {
				_ = os.RemoveAll(dir)
			}
			continue
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(dir)
		}
		f.Close()
	}
}

// PutRows implements stage.Store.
func (t *tx) PutRows(k *stage.Kind, rec arrow.RecordBatch, first int64) error {
	seg, err := t.rows.put(rec, first)
	if err != nil {
		return err
	}
	scopes := rec.Column(schema.ColScope).(*array.String)
	t.mu.Lock()
	defer t.mu.Unlock()
	sk := t.kinds[k.Index]
	if sk == nil {
		sk = &stagedKind{}
		t.kinds[k.Index] = sk
	}
	sk.segs = append(sk.segs, seg)
	end := int(first) + seg.rows
	for len(sk.scope) < end {
		sk.scope = append(sk.scope, none)
	}
	last := none
	for i := range seg.rows {
		if i == 0 || scopes.Value(i) != scopes.Value(i-1) {
			last = int(t.scopes.number(scopes.Value(i)))
		}
		sk.scope[int(first)+i] = uint32(last)
	}
	return nil
}

// PutEdges implements stage.Store: the edges of each kind go together.
func (t *tx) PutEdges(rec arrow.RecordBatch) error {
	kinds := rec.Column(0).(*array.Int32)
	byKind := map[int32][]int32{}
	for i := range kinds.Len() {
		byKind[kinds.Value(i)] = append(byKind[kinds.Value(i)], int32(i))
	}
	for kind, rows := range byKind {
		part := rec
		if len(rows) < kinds.Len() {
			part = take(rec, rows)
		}
		seg, err := t.rows.put(part, 0)
		if err != nil {
			return err
		}
		t.mu.Lock()
		t.edges[kind] = append(t.edges[kind], seg)
		t.mu.Unlock()
	}
	return nil
}

// take copies rows of a batch.
func take(rec arrow.RecordBatch, rows []int32) arrow.RecordBatch {
	cols := make([]arrow.Array, rec.NumCols())
	for c := range cols {
		g := &gatherer{}
		g.reset(rec.Column(c).DataType())
		v := newView(rec.Column(c).Data())
		for i := 0; i < len(rows); {
			from := i
			for i++; i < len(rows) && rows[i] == rows[i-1]+1; i++ {
			}
			if err := g.append(&v, int(rows[from]), i-from); err != nil {
				panic("parquet: " + err.Error())
			}
		}
		cols[c] = g.array()
	}
	return array.NewRecordBatch(rec.Schema(), cols, int64(len(rows)))
}

// Rollback removes what was staged.
func (t *tx) Rollback(context.Context) error {
	t.end()
	return nil
}

// end removes the staging and releases the lease.
func (t *tx) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done {
		return
	}
	t.done = true
	t.Stage.Release()
	t.File.Close()
	t.rows.close()
	_ = os.RemoveAll(t.dir)
	t.lock.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	t.lease.release(ctx)
}

// Commit writes the files of what changed and then the manifest.
func (t *tx) Commit(ctx context.Context, end sinks.Outcome) (sinks.Summary, error) {
	t.mu.Lock()
	done := t.done
	t.mu.Unlock()
	if done {
		return sinks.Summary{}, errDone
	}
	if err := t.Stage.Flush(); err != nil {
		return sinks.Summary{}, fmt.Errorf("commit: %w", err)
	}
	t.sink.at("commit:staged")
	sum, err := t.commit(ctx, end)
	if err != nil {
		return sinks.Summary{}, t.commitError(err)
	}
	t.sink.at("commit:committed")
	if t.unpublished == nil {
		t.sweep(context.WithoutCancel(ctx))
	} else {
		// The catalog's snapshots may name files that the manifests no longer do.
		sum.Notices = append(sum.Notices, "the sync is committed, its Iceberg tables are as they were; the next sync brings them up to date: "+t.unpublished.Error())
	}
	t.sink.at("commit:swept")
	t.end()
	return sum, nil
}

func (t *tx) commitError(err error) error {
	var locked *sinks.LockedError
	var unknown *sinks.CommitUnknownError
	switch {
	case errors.As(err, &locked):
		return t.sink.named(err)
	case errors.As(err, &unknown):
		return err
	case errors.Is(err, syscall.ENOSPC):
		return fmt.Errorf("commit to %s: the disk is full, nothing was changed: make room for it and for %s: %w", t.sink.URL(), t.sink.staging, err)
	}
	return fmt.Errorf("commit to %s: %w", t.sink.URL(), err)
}
