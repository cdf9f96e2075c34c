package duckdb

import (
	"context"
	"errors"
	"sync"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// tx is a sync that is being staged.
type tx struct {
	*stage.Stage
	sink *Sink
	sync sinks.Sync
	lock *stagingLock
	file *staging
	// base is what the database held when the sync began.
	base base

	mu   sync.Mutex
	done bool
}

var _ sinks.Tx = (*tx)(nil)

var errDone = errors.New("the sync has ended")

func newTx(s *Sink, sync sinks.Sync, lock *stagingLock) (*tx, error) {
	file, err := newStaging(s.staging, sync.Kinds)
	if err != nil {
		return nil, err
	}
	st, err := stage.New(sync.Kinds, file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &tx{Stage: st, sink: s, sync: sync, lock: lock, file: file}, nil
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
	t.Release()
	t.file.Close()
	t.lock.release()
}
