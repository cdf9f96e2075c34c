package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/duckdb/duckdb-go/v2"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
)

// conn is the one connection to an open file.
type conn struct {
	db *sql.DB
	c  *sql.Conn
}

// connect opens the file, waiting for other processes as the options say.
func (s *Sink) connect(ctx context.Context, readOnly bool) (*conn, error) {
	var c *conn
	err := s.retry(ctx, func() error {
		var err error
		c, err = s.tryConnect(ctx, readOnly)
		return err
	})
	return c, err
}

func (s *Sink) tryConnect(ctx context.Context, readOnly bool) (*conn, error) {
	path := "" // in memory: the file is attached
	if readOnly {
		path = s.path + "?access_mode=read_only"
	}
	var first func(driver.ExecerContext) error
	if readOnly {
		first = findModels
	}
	connector, err := duckdb.NewConnector(path, first)
	if err != nil {
		return nil, openError(s.URL(), err)
	}
	db := sql.OpenDB(connector)
	c, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, openError(s.URL(), err)
	}
	n := &conn{db: db, c: c}
	settings := []string{
		fmt.Sprintf("SET memory_limit = '%dB'", s.opts.MemoryLimit),
		fmt.Sprintf("SET threads = %d", s.opts.Threads),
		"SET temp_directory = " + literal(filepath.Join(s.staging, "spill")),
		"SET preserve_insertion_order = false",
		// What a query has freed goes back to the system, not on top of what the
		// next one takes.
		"SET allocator_flush_threshold = '16MB'",
		"SET TimeZone = 'UTC'",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
	}
	for _, q := range settings {
		if err := n.exec(ctx, q); err != nil {
			n.close()
			return nil, err
		}
	}
	if readOnly {
		return n, nil
	}
	for _, q := range []string{
		fmt.Sprintf("ATTACH %s AS estate (ROW_GROUP_SIZE %d, STORAGE_VERSION '%s')", literal(s.path), rowGroupRows, storageVersion),
		"USE estate",
	} {
		if _, err := n.c.ExecContext(ctx, q); err != nil {
			n.close()
			return nil, openError(s.URL(), err)
		}
	}
	return n, nil
}

// findModels lets a connection that reads find the models by their plain
// names, behind dewpoint's own tables.
func findModels(c driver.ExecerContext) error {
	// Where there are no models yet, this fails and nothing is to be found.
	_, _ = c.ExecContext(context.Background(), "SET search_path = 'main,"+modelSchema+"'", nil)
	return nil
}

// rowGroupRows is how many rows DuckDB gathers before it compresses and writes
// them. A thread holds that many in memory, which for wide rows is most of
// what a commit takes.
const rowGroupRows = 15 * 2048

// storageVersion is the oldest DuckDB that can open the file. Its texts are
// compressed by one method that takes the place of several which the older
// formats try one after the other.
const storageVersion = "v1.5.0"

var lockHolder = regexp.MustCompile(`(?:held in (\S+) )?\(PID (\d+)\)`)

// openError turns DuckDB's refusal to open a file into a sentence.
func openError(url string, err error) error {
	text := err.Error()
	if strings.Contains(text, "Could not set lock") {
		holder := ""
		if m := lockHolder.FindStringSubmatch(text); m != nil {
			holder = "process " + m[2]
			if m[1] != "" {
				holder += " (" + filepath.Base(m[1]) + ")"
			}
		}
		return &sinks.LockedError{URL: url, Holder: holder, Err: err}
	}
	if strings.Contains(text, "not a valid DuckDB database file") {
		return fmt.Errorf("open %s: the file is no DuckDB database: name another one", url)
	}
	return fmt.Errorf("open %s: %w", url, err)
}

func (c *conn) close() error {
	return errors.Join(c.c.Close(), c.db.Close())
}

func (c *conn) exec(ctx context.Context, query string, args ...any) error {
	_, err := c.c.ExecContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%w\nin: %s", err, abbreviate(query))
	}
	return nil
}

// count runs a query of one number.
func (c *conn) count(ctx context.Context, query string, args ...any) (int64, error) {
	var n sql.NullInt64
	if err := c.c.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("%w\nin: %s", err, abbreviate(query))
	}
	return n.Int64, nil
}

// texts runs a query of text columns; NULL reads as empty.
func (c *conn) texts(ctx context.Context, query string, args ...any) ([][]string, error) {
	rows, err := c.c.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("%w\nin: %s", err, abbreviate(query))
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		vals, ptrs := make([]sql.NullString, len(cols)), make([]any, len(cols))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		row := make([]string, len(cols))
		for i, v := range vals {
			row[i] = v.String
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// withView runs f while the reader's batches are the view of that name. The
// view can be scanned once.
func (c *conn) withView(r *stage.Stream, name string, f func() error) error {
	var release func()
	err := c.c.Raw(func(dc any) error {
		a, err := duckdb.NewArrowFromConn(dc.(*duckdb.Conn))
		if err != nil {
			return err
		}
		release, err = a.RegisterView(r, name)
		return err
	})
	if err != nil {
		return err
	}
	defer release()
	if err := f(); err != nil {
		return errors.Join(r.Err(), err)
	}
	if err := r.Err(); err != nil {
		return err
	}
	// It would stay in the file, as a view of nothing.
	return c.exec(context.Background(), "DROP VIEW IF EXISTS "+ident(name))
}

// arrow runs a query and gives its batches to f. The reader is valid until f
// returns.
func (c *conn) arrow(ctx context.Context, query string, f func(array.RecordReader) error) error {
	return c.c.Raw(func(dc any) error {
		a, err := duckdb.NewArrowFromConn(dc.(*duckdb.Conn))
		if err != nil {
			return err
		}
		r, err := a.QueryContext(ctx, query)
		if err != nil {
			return fmt.Errorf("%w\nin: %s", err, abbreviate(query))
		}
		defer r.Release()
		if err := f(r); err != nil {
			return err
		}
		return r.Err()
	})
}

// abbreviate keeps an error readable: wide tables make long statements.
func abbreviate(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	if len(query) > 400 {
		return query[:300] + " ... " + query[len(query)-80:]
	}
	return query
}

// ident quotes an identifier.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a text.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// literals quotes texts and joins them by commas.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return strings.Join(quoted, ", ")
}

// idents quotes identifiers, each behind a prefix, and joins them by commas.
func idents(prefix string, names []string) string {
	var b strings.Builder
	for i, n := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(prefix)
		b.WriteString(ident(n))
	}
	return b.String()
}

// fileSize returns a file's size, 0 if it is not there.
func fileSize(path string) int64 {
	fi, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return fi.Size()
}
