package postgres

import (
	"context"
	"sync"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// tx is a sync that is being staged.
type tx struct {
	*stage.Stage
	sink  *Sink
	sync  sinks.Sync
	lease *lease
	store *store
	// base is what the schema held when the sync began, with the kinds'
	// tables made.
	base base

	once sync.Once
}

// Rollback gives the sync up. What was staged is swept by the next one, or now
// if the database is reached.
func (t *tx) Rollback(ctx context.Context) error {
	t.end(ctx)
	return nil
}

// end stops the staging, empties it and gives the lease up.
func (t *tx) end(ctx context.Context) {
	t.once.Do(func() {
		t.close()
		ctx := context.WithoutCancel(ctx)
		if c, err := t.sink.connect(ctx); err == nil {
			// What is not swept now is by the next sync. The lease is still
			// this one's, or another's who has swept before.
			if c.owns(ctx, t.lease) {
				_ = c.sweep(ctx)
			}
			c.close()
		}
		t.lease.release(ctx)
	})
}

// close ends the connections and drops what is pending.
func (t *tx) close() {
	t.store.close()
	t.Release()
}

// owns says whether a lease still stands.
func (c *conn) owns(ctx context.Context, l *lease) bool {
	var token int64
	err := c.transaction(ctx, func() (err error) {
		token, err = c.count(ctx, "SELECT token FROM dewpoint_lease WHERE id = 1")
		return err
	})
	return err == nil && token == l.token
}
