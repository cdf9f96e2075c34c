package parquet

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"
)

// OpenReader opens the latest state for reading, as views of a DuckDB database
// in memory. The state stays the same until the database is closed. Files of a
// bucket are fetched, once, when a statement names their table; the parameter
// retention of the sink is how long that can be late. The caller closes the
// database, which removes what was fetched.
func OpenReader(ctx context.Context, rawURL string) (*sql.DB, error) {
	s, err := Open(ctx, rawURL, Options{})
	if err != nil {
		return nil, err
	}
	db, err := s.openReader(ctx)
	if err != nil {
		s.Close()
		return nil, err
	}
	return db, nil
}

func (s *Sink) openReader(ctx context.Context) (*sql.DB, error) {
	latest, err := loadLatest(ctx, s.store)
	if err != nil {
		return nil, err
	}
	if latest.Number == 0 {
		return nil, fmt.Errorf("open %s: there is no estate: run dewpoint sync first", s.URL())
	}
	e := &estate{sink: s, state: latest, here: map[string]bool{}}
	if s.local == "" {
		if e.cache, err = os.MkdirTemp("", "dewpoint-query-"); err != nil {
			return nil, fmt.Errorf("open %s: %w", s.URL(), err)
		}
	}
	if err := e.define(); err != nil {
		e.Close()
		return nil, err
	}
	inner, err := duckdb.NewConnector("", nil)
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("open %s: %w", s.URL(), err)
	}
	e.Connector = inner
	db := sql.OpenDB(e)
	if err := e.create(ctx, db); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", s.URL(), err)
	}
	return db, nil
}

// estate is a state that is being read: a connector whose connections look at
// each statement for the tables that it names.
type estate struct {
	*duckdb.Connector
	sink  *Sink
	state *state
	cache string
	defs  []viewDef
	index map[string]int // of defs, by name in lower case

	mu   sync.Mutex
	here map[string]bool // views that stand with their files
}

func (e *estate) define() error {
	var err error
	e.defs, err = e.state.duckdbViews(e.path)
	e.index = map[string]int{}
	for i, d := range e.defs {
		e.index[strings.ToLower(d.name)] = i
	}
	return err
}

// path is where DuckDB finds a file of the estate.
func (e *estate) path(key string) string {
	if e.sink.local != "" {
		return filepath.Join(e.sink.local, filepath.FromSlash(key))
	}
	return filepath.Join(e.cache, filepath.FromSlash(key))
}

// create makes all views, those of tables without their files.
func (e *estate) create(ctx context.Context, db *sql.DB) error {
	queries := []string{"SET TimeZone = 'UTC'", "SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false"}
	for _, d := range e.defs {
		q := d.sql
		if d.table != "" {
			q = d.empty
		}
		queries = append(queries, q)
	}
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Raw(func(dc any) error {
		for _, q := range queries {
			if err := execute(ctx, dc.(*readerConn).Conn, q); err != nil {
				return fmt.Errorf("%w\nin: %.200s", err, q)
			}
		}
		return nil
	})
}

func execute(ctx context.Context, c driver.Conn, q string) error {
	_, err := c.(driver.ExecerContext).ExecContext(ctx, q, nil)
	return err
}

var word = regexp.MustCompile(`"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*`)

// prepare fetches what a statement names and puts the views of its tables on
// the files.
func (e *estate) prepare(ctx context.Context, c driver.Conn, query string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.want(ctx, c, query)
}

func (e *estate) want(ctx context.Context, c driver.Conn, query string) error {
	for _, w := range word.FindAllString(query, -1) {
		if w[0] == '"' {
			w = strings.ReplaceAll(w[1:len(w)-1], `""`, `"`)
		}
		w = strings.ToLower(w)
		i, ok := e.index[w]
		if !ok || e.here[w] {
			continue
		}
		d := e.defs[i]
		e.here[w] = true
		if d.table == "" {
			if err := e.want(ctx, c, d.sql); err != nil {
				return err
			}
			continue
		}
		err := e.fetch(ctx, d.table)
		if err == nil {
			err = execute(ctx, c, d.sql)
		}
		if err != nil {
			e.here[w] = false
			return err
		}
	}
	return nil
}

// fetch copies the files of a table from a bucket.
func (e *estate) fetch(ctx context.Context, table string) error {
	if e.cache == "" {
		return nil
	}
	for _, f := range e.state.Files[table] {
		if err := e.fetchFile(ctx, f.Key); err != nil {
			return fmt.Errorf("fetch %s of %s: %w", f.Key, e.sink.URL(), err)
		}
	}
	return nil
}

func (e *estate) fetchFile(ctx context.Context, key string) error {
	path := e.path(key)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	r, err := e.sink.store.Open(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// Connect implements driver.Connector.
func (e *estate) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := e.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &readerConn{Conn: c, estate: e}, nil
}

// Close ends the database and removes what was fetched.
func (e *estate) Close() error {
	var err error
	if e.Connector != nil {
		err = e.Connector.Close()
	}
	if e.cache != "" {
		err = errors.Join(err, os.RemoveAll(e.cache))
	}
	return errors.Join(err, e.sink.Close())
}

// readerConn is a connection that fetches what its statements name.
type readerConn struct {
	driver.Conn
	estate *estate
}

func (c *readerConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.estate.prepare(ctx, c.Conn, q); err != nil {
		return nil, err
	}
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, q, args)
}

func (c *readerConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.estate.prepare(ctx, c.Conn, q); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, q, args)
}

func (c *readerConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	if err := c.estate.prepare(ctx, c.Conn, q); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, q)
}

func (c *readerConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, o)
}

func (c *readerConn) CheckNamedValue(v *driver.NamedValue) error {
	if n, ok := c.Conn.(driver.NamedValueChecker); ok {
		return n.CheckNamedValue(v)
	}
	return driver.ErrSkip
}
