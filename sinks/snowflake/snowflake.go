// Package snowflake is the sink that keeps an estate in a schema of Snowflake.
//
// A sync is staged in a local file. The commit uploads a narrow table of what
// was read, compares it with the table resources in one statement, uploads
// only the rows that are new or may have changed, and enters them by one MERGE
// for each kind, all in one transaction. Where nothing changed, a sync uploads
// nothing.
package snowflake

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	"github.com/snowflakedb/gosnowflake"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// Options tune a sink. The zero value is ready to use.
type Options struct {
	// LockTimeout is how long to wait for another sync; 10 seconds if zero,
	// not at all if negative.
	LockTimeout time.Duration
	// Lease is how long a sync that died without a trace keeps others out, 15
	// minutes if zero. A living one extends it each third of that time.
	Lease time.Duration
	// HashBudget bounds the memory in bytes for the hashes by which unchanged
	// rows are told before they are staged, 64 MB if zero. Kinds beyond it
	// are staged in full.
	HashBudget int64
	// TempDir is where a sync is staged, the system's if empty.
	TempDir string
}

// Sink is a schema of a Snowflake database.
type Sink struct {
	cfg  *config
	opts Options
	db   *sql.DB
	// at is called at every step of the protocol; tests kill the process there.
	at func(step string)
}

var _ sinks.Sink = (*Sink)(nil)

// Open reads the URL snowflake://USER@ACCOUNT/DATABASE/SCHEMA?parameters.
// It connects to nothing.
func Open(_ context.Context, rawURL string, o Options) (*Sink, error) {
	cfg, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return open(cfg, o), nil
}

func open(cfg *config, o Options) *Sink {
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	if o.Lease == 0 {
		o.Lease = 15 * time.Minute
	}
	if o.HashBudget == 0 {
		o.HashBudget = 64 << 20
	}
	return &Sink{cfg: cfg, opts: o, db: openDB(cfg), at: func(string) {}}
}

func openDB(cfg *config) *sql.DB {
	db := sql.OpenDB(gosnowflake.NewConnector(gosnowflake.SnowflakeDriver{}, cfg.driver))
	db.SetMaxIdleConns(0) // a session ends with its use
	return db
}

// URL returns the URL without password, token and parameters.
func (s *Sink) URL() string { return s.cfg.shown }

// Close closes the sessions that are left.
func (s *Sink) Close() error { return s.db.Close() }

// Begin takes the lease, brings the tables to what the kinds need and loads
// the hashes of the rows that are already there.
func (s *Sink) Begin(ctx context.Context, sync sinks.Sync) (sinks.Tx, error) {
	c, err := s.connect(ctx, "dewpoint sync "+sync.ID.String())
	if err != nil {
		return nil, err
	}
	t, err := s.begin(ctx, c, sync)
	if err != nil {
		c.close()
		return nil, err
	}
	return t, nil
}

func (s *Sink) begin(ctx context.Context, c *conn, sync sinks.Sync) (*tx, error) {
	l, err := s.lock(ctx, c, sync.ID.String())
	if err != nil {
		return nil, err
	}
	s.at("begin:leased")
	t, err := s.prepare(ctx, c, sync)
	if err != nil {
		l.release(ctx, c)
		return nil, err
	}
	t.lease = l
	l.keep(s, c.tag)
	s.at("begin:loaded")
	return t, nil
}

// prepare makes the sync's tables and stage.
func (s *Sink) prepare(ctx context.Context, c *conn, sync sinks.Sync) (*tx, error) {
	b, err := readBase(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", s.URL(), err)
	}
	if err := b.check(s.URL(), sync.Kinds); err != nil {
		return nil, err
	}
	if err := b.sweep(ctx, c); err != nil {
		return nil, err
	}
	if err := b.define(ctx, c, sync.Kinds, sync.StartedAt); err != nil {
		return nil, fmt.Errorf("define the tables of %s: %w", s.URL(), err)
	}
	s.at("begin:defined")
	dir, err := os.MkdirTemp(s.opts.TempDir, "dewpoint-snowflake-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to stage in: %w", err)
	}
	t := &tx{sink: s, conn: c, sync: sync, base: b, dir: dir}
	if err := t.open(ctx); err != nil {
		t.removeStage()
		return nil, err
	}
	return t, nil
}

// tx is a sync that is being staged.
type tx struct {
	*stage.Stage
	sink  *Sink
	conn  *conn
	sync  sinks.Sync
	base  *base
	lease *lease
	dir   string
	file  *stage.File
	known known
	ended bool
}

func (t *tx) open(ctx context.Context) error {
	var err error
	if t.file, err = stage.NewFile(t.dir); err != nil {
		return err
	}
	if t.Stage, err = stage.New(t.sync.Kinds, t.file); err != nil {
		return err
	}
	return t.loadKnown(ctx)
}

// Rollback gives up the lease and removes what was staged.
func (t *tx) Rollback(ctx context.Context) error {
	if t.ended {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	t.lease.release(ctx, t.conn)
	t.end()
	return nil
}

// end closes the session and removes what was staged locally.
func (t *tx) end() {
	t.ended = true
	t.lease.stop()
	t.Release()
	t.conn.close()
	t.removeStage()
}

func (t *tx) removeStage() {
	if t.file != nil {
		t.file.Close()
	}
	_ = os.RemoveAll(t.dir)
}

func (t *tx) now() time.Time { return t.sync.StartedAt.UTC().Truncate(time.Microsecond) }

// timeLiteral writes a time to the microsecond.
func timeLiteral(t time.Time) string {
	if t.IsZero() {
		return "NULL::TIMESTAMP_TZ"
	}
	return "'" + timeText(t) + "'::TIMESTAMP_TZ"
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }
