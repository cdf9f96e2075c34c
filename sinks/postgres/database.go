package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// OpenReader opens a database for reading: every statement runs in a
// transaction of its own that is read only and finds dewpoint's tables by
// their plain names. The caller closes it.
func OpenReader(ctx context.Context, url string) (*sql.DB, error) {
	s, err := Open(ctx, url, Options{})
	if err != nil {
		return nil, err
	}
	db, err := s.database(true)
	if err != nil {
		return nil, err
	}
	var found bool
	err = db.QueryRowContext(ctx, "SELECT to_regclass("+literal(ident(s.cfg.schema)+".syncs")+") IS NOT NULL").Scan(&found)
	switch {
	case err != nil:
		err = fmt.Errorf("connect to %s: %w", s.URL(), s.explain(err))
	case !found:
		err = fmt.Errorf("%s holds no estate: run dewpoint sync first, or name another schema by schema=", s.URL())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// database opens the sink by database/sql.
func (s *Sink) database(readOnly bool) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig("")
	if err != nil {
		return nil, err
	}
	cfg.Config = *s.cfg.pg.Copy()
	cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
	cfg.StatementCacheCapacity, cfg.DescriptionCacheCapacity = 0, 0
	begin := "BEGIN; "
	if readOnly {
		begin = "BEGIN READ ONLY; "
	}
	begin += s.cfg.preamble()
	begin += fmt.Sprintf("; SET LOCAL dewpoint.staging = %s; SET LOCAL dewpoint.path = %s", literal(ident(s.cfg.staging)), literal(ident(s.cfg.schema)+", "+ident(s.cfg.staging)))
	if readOnly {
		begin += "; SELECT" // from now on the mode cannot be changed
	}
	return sql.OpenDB(connector{stdlib.GetConnector(*cfg), begin, readOnly}), nil
}

// connector opens connections whose every transaction begins with the given
// statements, also that of a single statement.
type connector struct {
	driver.Connector
	begin string
	// single refuses several statements at once.
	single bool
}

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	dc, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &session{Conn: dc.(*stdlib.Conn), begin: c.begin, single: c.single}, nil
}

type session struct {
	*stdlib.Conn
	begin  string
	single bool
	inTx   bool
}

func (s *session) start(ctx context.Context) error {
	_, err := s.Conn.Conn().PgConn().Exec(ctx, s.begin).ReadAll()
	return err
}

func (s *session) end(how string) error {
	_, err := s.Conn.Conn().PgConn().Exec(context.Background(), how).ReadAll()
	return err
}

// BeginTx starts a transaction; its options are the connector's.
func (s *session) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	s.inTx = true
	return s, nil
}

func (s *session) Commit() error {
	s.inTx = false
	return s.end("COMMIT")
}

func (s *session) Rollback() error {
	s.inTx = false
	return s.end("ROLLBACK")
}

// ExecContext runs a statement in a transaction of its own.
func (s *session) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if s.inTx && !s.single {
		return s.Conn.ExecContext(ctx, query, args)
	}
	if s.single {
		r, err := s.QueryContext(ctx, query, args)
		if err != nil {
			return nil, err
		}
		return driver.ResultNoRows, r.Close()
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	r, err := s.Conn.ExecContext(ctx, query, args)
	if err != nil {
		return nil, errors.Join(err, s.end("ROLLBACK"))
	}
	return r, s.end("COMMIT")
}

// QueryContext runs a query in a transaction that ends with its rows.
func (s *session) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if s.inTx {
		return s.Conn.QueryContext(ctx, query, args)
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	r, err := s.Conn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, errors.Join(err, s.end("ROLLBACK"))
	}
	return &rows{Rows: r.(*stdlib.Rows), session: s}, nil
}

// PrepareContext is not used: named statements do not outlive a transaction
// behind a pooler.
func (s *session) PrepareContext(context.Context, string) (driver.Stmt, error) {
	return nil, errors.New("postgres: statements cannot be prepared here: run them directly")
}

type rows struct {
	*stdlib.Rows
	session *session
	ended   bool
}

// Next ends the transaction with the last row, so that an error of the end
// is one of the query.
func (r *rows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if errors.Is(err, io.EOF) {
		if err := r.Close(); err != nil {
			return err
		}
	}
	return err
}

func (r *rows) Close() error {
	if r.ended {
		return nil
	}
	r.ended = true
	if err := r.Rows.Close(); err != nil {
		return errors.Join(err, r.session.end("ROLLBACK"))
	}
	return r.session.end("COMMIT")
}
