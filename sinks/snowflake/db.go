package snowflake

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/snowflakedb/gosnowflake"
)

// Snowflake's error numbers.
const (
	errNoColumn    = 904  // invalid identifier
	errNoObject    = 2003 // the object does not exist or is not authorised
	errNoWarehouse = 606  // none selected, or suspended without auto-resume
	errPrivileges  = 3001
)

// conn is one session.
type conn struct {
	c *sql.Conn
	// tag is the query tag of its statements.
	tag string
	url string
	// warehouse is the one that the URL names.
	warehouse string
}

func (s *Sink) connect(ctx context.Context, tag string) (*conn, error) {
	c, err := s.db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.cfg.shown, s.clean(err))
	}
	return &conn{c: c, tag: tag, url: s.cfg.shown, warehouse: s.cfg.driver.Warehouse}, nil
}

// clean keeps secrets out of an error of the driver's.
func (s *Sink) clean(err error) error {
	d := s.cfg.driver
	if clean := redact(err.Error(), d.Password, d.Token, d.Passcode); clean != err.Error() {
		return errors.New(clean)
	}
	return err
}

// close ends the session; its temporary tables go with it.
func (c *conn) close() { _ = c.c.Close() }

func (c *conn) context(ctx context.Context) context.Context {
	return gosnowflake.WithQueryTag(ctx, c.tag)
}

// exec runs a statement and returns how many rows it changed.
func (c *conn) exec(ctx context.Context, query string) (int64, error) {
	r, err := c.c.ExecContext(c.context(ctx), query)
	if err != nil {
		return 0, c.explain(err, query)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, nil // DDL
	}
	return n, nil
}

// execAll runs statements one after the other.
func (c *conn) execAll(ctx context.Context, queries ...string) error {
	for _, q := range queries {
		if _, err := c.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// texts runs a query of text columns; NULL reads as empty.
func (c *conn) texts(ctx context.Context, query string) ([][]string, error) {
	var all [][]string
	err := c.each(ctx, query, func(row []string) error {
		all = append(all, row)
		return nil
	})
	return all, err
}

func (c *conn) each(ctx context.Context, query string, f func([]string) error) error {
	rows, err := c.c.QueryContext(c.context(ctx), query)
	if err != nil {
		return c.explain(err, query)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	vals, ptrs := make([]sql.NullString, len(cols)), make([]any, len(cols))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return err
		}
		row := make([]string, len(cols))
		for i, v := range vals {
			row[i] = v.String
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// batches runs a query and gives its result to f as record batches, which f
// does not keep.
func (c *conn) batches(ctx context.Context, query string, f func(arrow.RecordBatch) error) error {
	ctx = gosnowflake.WithArrowBatches(c.context(ctx))
	return c.c.Raw(func(dc any) error {
		rows, err := dc.(driver.QueryerContext).QueryContext(ctx, query, nil)
		if err != nil {
			return c.explain(err, query)
		}
		defer rows.Close()
		parts, err := rows.(gosnowflake.SnowflakeRows).GetArrowBatches()
		if err != nil {
			return c.explain(err, query)
		}
		for i, p := range parts {
			parts[i] = nil // what was read can go
			recs, err := p.WithContext(ctx).Fetch()
			if err != nil {
				return c.explain(err, query)
			}
			for _, r := range *recs {
				if err := f(r); err != nil {
					return err
				}
				r.Release()
			}
		}
		return nil
	})
}

// explain says what to do about an error of Snowflake's.
func (c *conn) explain(err error, query string) error {
	var sf *gosnowflake.SnowflakeError
	if !errors.As(err, &sf) {
		return fmt.Errorf("%w\nin: %s", err, abbreviate(query))
	}
	switch sf.Number {
	case errNoWarehouse:
		if c.warehouse == "" {
			return fmt.Errorf("no warehouse is selected: name one by warehouse= in the URL, or give the user a default one: %w", err)
		}
		return fmt.Errorf("warehouse %s does not run: resume it (ALTER WAREHOUSE %[1]s RESUME) or set its AUTO_RESUME, and grant USAGE on it to the role: %w", c.warehouse, err)
	case errPrivileges:
		return fmt.Errorf("the role lacks a privilege (docs/sinks/snowflake.md lists them): %w\nin: %s", err, abbreviate(query))
	}
	return fmt.Errorf("%w\nin: %s", err, abbreviate(query))
}

// missing says whether an error is that a table is not there.
func missing(err error) bool {
	var sf *gosnowflake.SnowflakeError
	return errors.As(err, &sf) && sf.Number == errNoObject
}

// noColumn says whether an error is that a column is not there.
func noColumn(err error) bool {
	var sf *gosnowflake.SnowflakeError
	return errors.As(err, &sf) && sf.Number == errNoColumn
}

// abbreviate keeps an error readable: wide tables make long statements.
func abbreviate(query string) string {
	query = strings.Join(strings.Fields(query), " ")
	if len(query) > 400 {
		return query[:300] + " ... " + query[len(query)-80:]
	}
	return query
}

// ident quotes a name as it is stored: unquoted names fold to upper case, so
// that users need quotes for reserved words alone.
func ident(name string) string {
	return `"` + strings.ReplaceAll(strings.ToUpper(name), `"`, `""`) + `"`
}

// literal quotes a text. A backslash escapes in Snowflake's literals.
func literal(s string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
}

func nullLiteral(s string) string {
	if s == "" {
		return "NULL"
	}
	return literal(s)
}

// idents quotes names, each behind a prefix, and joins them by commas.
func idents(prefix string, names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = prefix + ident(n)
	}
	return strings.Join(quoted, ", ")
}

// literals quotes texts and joins them by commas.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return strings.Join(quoted, ", ")
}
