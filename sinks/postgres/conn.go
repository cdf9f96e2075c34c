package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// conn is one connection. It speaks the simple protocol and sets nothing for
// longer than a transaction, so that a pooler may stand in between.
type conn struct {
	pg   *pgconn.PgConn
	sink *Sink
}

// connect opens a connection.
func (s *Sink) connect(ctx context.Context) (*conn, error) {
	pg, err := pgconn.ConnectConfig(ctx, s.cfg.pg.Copy())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.URL(), s.explain(err))
	}
	return &conn{pg: pg, sink: s}, nil
}

// close ends the connection, and with it a transaction that is still open.
func (c *conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.pg.Close(ctx)
}

// exec runs statements one after the other.
func (c *conn) exec(ctx context.Context, queries ...string) error {
	for _, q := range queries {
		if _, err := c.affected(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// affected runs one statement and returns how many rows it wrote.
func (c *conn) affected(ctx context.Context, query string) (int64, error) {
	results, err := c.pg.Exec(ctx, query).ReadAll()
	if err != nil {
		return 0, c.failed(err, query)
	}
	if len(results) == 0 {
		return 0, nil
	}
	return results[len(results)-1].CommandTag.RowsAffected(), nil
}

// texts runs a query; NULL reads as empty.
func (c *conn) texts(ctx context.Context, query string) ([][]string, error) {
	results, err := c.pg.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, c.failed(err, query)
	}
	var all [][]string
	for _, r := range results {
		for _, values := range r.Rows {
			row := make([]string, len(values))
			for i, v := range values {
				row[i] = string(v)
			}
			all = append(all, row)
		}
	}
	return all, nil
}

// count runs a query of one number; NULL and no row read as 0.
func (c *conn) count(ctx context.Context, query string) (int64, error) {
	rows, err := c.texts(ctx, query)
	if err != nil || len(rows) == 0 || rows[0][0] == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(rows[0][0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w\nin: %s", err, abbreviate(query))
	}
	return n, nil
}

// begin starts a transaction with the settings that all have.
func (c *conn) begin(ctx context.Context) error {
	return c.exec(ctx, "BEGIN; "+c.sink.cfg.preamble())
}

// transaction runs f in one. An error of f or of the commit ends it.
func (c *conn) transaction(ctx context.Context, f func() error) error {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := f(); err != nil {
		c.rollback(ctx)
		return err
	}
	return c.exec(ctx, "COMMIT")
}

func (c *conn) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	// A connection that cannot roll back is broken, which ends its
	// transaction as well.
	_ = c.exec(ctx, "ROLLBACK")
}

func (c *conn) failed(err error, query string) error {
	return fmt.Errorf("%w\nin: %s", c.sink.explain(err), abbreviate(query))
}

// explain adds to an error of Postgres what to do about it.
func (s *Sink) explain(err error) error {
	advice := map[string]string{
		"3D000": "create the database, or name another one",
		"53100": "the disk of the server is full, nothing was changed: make room",
		"53200": "the server is out of memory: lower its work_mem or give it more",
		"53300": "the server has no connection left: raise max_connections or lower connections= in the URL",
		"57014": "a statement was cancelled: raise the statement_timeout of the role, or set statement_timeout= in the URL",
		"42501": "the role lacks a privilege: it has to own the schemas " + s.cfg.schema + " and " + s.cfg.staging,
		"25006": "the server is read only: name its primary",
		"55P03": "a table is locked by another session for longer than lock_timeout: end it, or raise --lock-timeout",
	}
	var pg *pgconn.PgError
	known := errors.As(err, &pg) && advice[pg.Code] != ""
	var refused *pgconn.ConnectError
	if errors.As(err, &refused) {
		err = connectError{refused}
	}
	if known {
		return fmt.Errorf("%s: %w", advice[pg.Code], err)
	}
	return err
}

// connectError is why no address of a server could be connected to, each reason
// once and all in one line.
type connectError struct{ *pgconn.ConnectError }

func (e connectError) Error() string {
	var reasons []string
	for line := range strings.Lines(e.ConnectError.Error()) {
		line = strings.TrimSpace(line)
		if !slices.Contains(reasons, line) && !strings.HasPrefix(line, "failed to connect to") {
			reasons = append(reasons, line)
		}
	}
	if reasons == nil {
		return e.ConnectError.Error()
	}
	return strings.Join(reasons, "; ")
}

// Unwrap is what pgx says.
func (e connectError) Unwrap() error { return e.ConnectError }

// code returns the SQLSTATE of an error, empty if it is none of Postgres.
func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// lost says that an error is of the connection and not an answer.
func lost(err error) bool {
	switch c := code(err); {
	case c == "":
		return true
	default: // the server goes down, or ended the connection
		return c == "57P01" || c == "57P02" || c == "57P03" || strings.HasPrefix(c, "08")
	}
}

// abbreviate keeps an error readable: wide tables make long statements.
func abbreviate(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	if len(query) > 400 {
		return query[:300] + " ... " + query[len(query)-80:]
	}
	return query
}
