// Package postgres is the sink that keeps an estate in a schema of a Postgres
// database, version 15 or later.
//
// A sync is staged by binary COPY into unlogged tables of a second schema and
// becomes visible by one transaction. Everything but that transaction is
// short, and nothing outlives a transaction in a connection, so that a pooler
// may stand in between.
package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// Options tune a sink. The zero value is ready to use.
type Options struct {
	// LockTimeout is how long to wait for another sync and for the lock of a
	// table whose definition changes; 10 seconds if zero, not at all if
	// negative.
	LockTimeout time.Duration
	// HashBudget bounds the memory in bytes for the hashes by which unchanged
	// rows are told before they are staged, 64 MB if zero. Kinds beyond it
	// are staged in full.
	HashBudget int64
	// Trace is called at every step of the protocol, in order; nil for none.
	Trace func(step string)
}

// Sink is a schema of a Postgres database.
type Sink struct {
	cfg  *config
	opts Options
	at   func(step string)
	// settle is how long a commit whose answer was lost asks for it.
	settle time.Duration
}

var (
	_ sinks.Sink    = (*Sink)(nil)
	_ sinks.Checker = (*Sink)(nil)
)

// Open reads a URL as libpq does, without connecting:
// postgres://USER:PASSWORD@HOST:PORT/DATABASE?schema=dewpoint. Beside libpq's
// parameters there are schema, statement_timeout (a duration) and connections,
// by which rows are staged. Passwords may come from PGPASSWORD or .pgpass.
// It fails with a *sinks.URLError.
func Open(_ context.Context, url string, o Options) (*Sink, error) {
	cfg, err := parse(url)
	if err != nil {
		return nil, err
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 10 * time.Second
	}
	if o.HashBudget == 0 {
		o.HashBudget = 64 << 20
	}
	if o.Trace == nil {
		o.Trace = func(string) {}
	}
	return &Sink{cfg: cfg, opts: o, at: o.Trace, settle: 30 * time.Second}, nil
}

// URL returns the database's URL without secrets.
func (s *Sink) URL() string { return s.cfg.url }

// Close does nothing: connections are open only while a sync runs.
func (s *Sink) Close() error { return nil }

// Begin takes the lease, brings the tables to what the kinds need, empties the
// staging and loads the hashes of the rows that are already there.
func (s *Sink) Begin(ctx context.Context, sync sinks.Sync) (sinks.Tx, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.checkServer(ctx, c); err != nil {
		return nil, err
	}
	if err := s.checkFirst(ctx, c, sync.Kinds); err != nil {
		return nil, err
	}
	if err := s.bootstrap(ctx, c); err != nil {
		return nil, fmt.Errorf("prepare %s: %w", s.URL(), err)
	}
	l, err := s.acquire(ctx, c)
	if err != nil {
		return nil, err
	}
	// What stays is swept the next time.
	_ = s.sweepOverlays(ctx, c)
	s.at("begin:leased")
	t, err := s.begin(ctx, c, sync, l)
	if err != nil {
		l.release(ctx)
		return nil, err
	}
	return t, nil
}

// begin runs with the lease.
func (s *Sink) begin(ctx context.Context, c *conn, sync sinks.Sync, l *lease) (*tx, error) {
	d := &definer{conn: c, kinds: sync.Kinds}
	if err := d.define(ctx); err != nil {
		return nil, fmt.Errorf("define the tables of %s: %w", s.URL(), err)
	}
	s.at("begin:defined")
	if err := c.sweep(ctx); err != nil {
		return nil, fmt.Errorf("sweep the staging of %s: %w", s.URL(), err)
	}
	s.at("begin:swept")
	t, err := newTx(ctx, s, sync, l, d.base)
	if err != nil {
		return nil, err
	}
	if err := t.loadKnown(ctx, c); err != nil {
		t.close()
		return nil, fmt.Errorf("read the hashes of %s: %w", s.URL(), err)
	}
	s.at("begin:loaded")
	return t, nil
}

// newTx makes what a sync is staged with.
func newTx(ctx context.Context, s *Sink, sync sinks.Sync, l *lease, b base) (*tx, error) {
	copier := newCopier(context.WithoutCancel(ctx), s)
	store := s.newStore(copier, sync.Kinds)
	st, err := stage.New(sync.Kinds, store)
	if err != nil {
		copier.close()
		return nil, err
	}
	return &tx{Stage: st, sink: s, sync: sync, lease: l, store: store, base: b}, nil
}

// checkServer refuses servers that the sink cannot use.
func (s *Sink) checkServer(ctx context.Context, c *conn) error {
	r, err := c.texts(ctx, "SELECT current_setting('server_version_num'), current_setting('server_version'), current_setting('server_encoding'), current_database()")
	if err != nil {
		return fmt.Errorf("connect to %s: %w", s.URL(), err)
	}
	if v := r[0][0]; len(v) < 6 || v < "150000" {
		return fmt.Errorf("%s is PostgreSQL %s: dewpoint needs 15 or later", s.URL(), r[0][1])
	}
	if r[0][2] != "UTF8" {
		return fmt.Errorf("the database %s has the encoding %s: create one with UTF8", r[0][3], r[0][2])
	}
	return nil
}

// checkFirst refuses what cannot be had before anything is changed.
func (s *Sink) checkFirst(ctx context.Context, c *conn, kinds []*schema.Kind) error {
	var b base
	err := c.transaction(ctx, func() (err error) {
		b, err = readBase(ctx, c)
		return err
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", s.URL(), err)
	}
	return b.check(s.URL(), kinds)
}

// bootstrap makes the schemas and the lease where they are not there yet.
func (s *Sink) bootstrap(ctx context.Context, c *conn) error {
	for try := 0; ; try++ {
		err := s.tryBootstrap(ctx, c)
		switch code(err) {
		case "23505", "42P06", "42P07": // another sync did it at the same time
			if try < 5 {
				continue
			}
		}
		return err
	}
}

func (s *Sink) tryBootstrap(ctx context.Context, c *conn) error {
	for _, name := range []string{s.cfg.schema, s.cfg.staging} {
		n, err := c.count(ctx, "SELECT count(*) FROM pg_namespace WHERE nspname = "+literal(name))
		if err != nil {
			return err
		}
		if n == 0 {
			if err := c.exec(ctx, "CREATE SCHEMA "+ident(name)); err != nil {
				if code(err) == "42501" {
					return fmt.Errorf("the role may not create the schema %s: CREATE SCHEMA %s AUTHORIZATION CURRENT_USER as one who may, for both %s and %s: %w",
						name, name, s.cfg.schema, s.cfg.staging, err)
				}
				return err
			}
		}
	}
	return c.ensureLease(ctx, leaseTable, "Who is syncing, and until when that is believed.")
}

// ensureLease makes the table of a lease, if it is not there.
func (c *conn) ensureLease(ctx context.Context, table, comment string) error {
	n, err := c.count(ctx, fmt.Sprintf("SELECT count(*) FROM pg_tables WHERE schemaname = %s AND tablename = %s", literal(c.sink.cfg.schema), literal(table)))
	if err != nil || n > 0 {
		return err
	}
	return c.transaction(ctx, func() error { return c.exec(ctx, createLease(table, comment)) })
}

// sweep empties the staging tables that hold anything.
func (c *conn) sweep(ctx context.Context) error {
	return c.transaction(ctx, func() error {
		full, err := c.texts(ctx, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = `+literal(c.sink.cfg.staging)+` AND c.relkind = 'r' AND (pg_relation_size(c.oid) > 0 OR pg_relation_size(c.reltoastrelid) > 0)`)
		if err != nil || len(full) == 0 {
			return err
		}
		var names []string
		for _, r := range full {
			names = append(names, r[0])
		}
		// Who still writes there is a sync that lost its lease: this one has it.
		return c.exec(ctx, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname = `+literal(c.sink.cfg.staging)+` AND l.mode = 'RowExclusiveLock' AND l.pid <> pg_backend_pid()
				AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())`, fmt.Sprintf("SET LOCAL lock_timeout = %d", max(c.sink.opts.LockTimeout, time.Second).Milliseconds()),
			"TRUNCATE "+idents(ident(c.sink.cfg.staging)+".", names))
	})
}
