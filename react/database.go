package react

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Dialect is the SQL that a database speaks.
type Dialect string

// The dialects. Parquet files are read by DuckDB.
const (
	DuckDB    Dialect = "duckdb"
	Postgres  Dialect = "postgres"
	Snowflake Dialect = "snowflake"
)

// Estate is a database that holds an estate, open for reading.
type Estate struct {
	DB      *sql.DB
	Dialect Dialect
	// Sync is the newest committed sync.
	Sync Sync

	tables map[string]bool
}

// Sync identifies a committed sync.
type Sync struct {
	ID         string
	StartedAt  time.Time
	FinishedAt time.Time
	Version    string
	State      string
}

// Open looks at a database: which tables and views it has and which sync is
// the newest. The caller keeps ownership of the database.
func Open(ctx context.Context, db *sql.DB, d Dialect) (*Estate, error) {
	e := &Estate{DB: db, Dialect: d, tables: map[string]bool{}}
	rows, err := db.QueryContext(ctx, "SELECT lower(table_name) FROM information_schema.tables WHERE table_schema = current_schema() AND table_catalog = current_database()")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		e.tables[name] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	q := "SELECT CAST(id AS VARCHAR), started_at, finished_at, coalesce(version, ''), state FROM syncs ORDER BY started_at DESC LIMIT 1"
	err = db.QueryRowContext(ctx, q).Scan(&e.Sync.ID, &e.Sync.StartedAt, &e.Sync.FinishedAt, &e.Sync.Version, &e.Sync.State)
	if err != nil {
		return nil, fmt.Errorf("read the newest sync: %w", err)
	}
	return e, nil
}

// Has says whether there is a table or view of that name.
func (e *Estate) Has(name string) bool { return e.tables[strings.ToLower(name)] }

// literal quotes a text.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// instant writes a time as a literal.
func (d Dialect) instant(t time.Time) string {
	text := t.UTC().Format("2006-01-02 15:04:05.000000+00:00")
	if d == Snowflake {
		return "CAST('" + text + "' AS TIMESTAMP_TZ)"
	}
	return "CAST('" + text + "' AS TIMESTAMP WITH TIME ZONE)"
}

// epoch is the seconds since 1970 of a time.
func (d Dialect) epoch(expr string) string {
	if d == Snowflake {
		return "(date_part(epoch_microsecond, " + expr + ") / 1000000.0)"
	}
	return "extract(epoch FROM " + expr + ")"
}

// tag is the value of a tag in a column of tags; NULL if there is none.
func (d Dialect) tag(column, key string) string {
	switch d {
	case Postgres:
		return "(" + column + " ->> " + literal(key) + ")"
	case Snowflake:
		return "(" + column + "[" + literal(key) + "]::VARCHAR)"
	}
	return column + "[" + literal(key) + "]"
}

// json is a member of a document, as text.
func (d Dialect) json(column, key string) string {
	if d == Snowflake {
		return "(" + column + "[" + literal(key) + "]::VARCHAR)"
	}
	return "(" + column + " ->> " + literal(key) + ")"
}

// uuid writes an _id as a literal.
func (d Dialect) uuid(id string) string {
	if d == Snowflake {
		return literal(id)
	}
	return "CAST(" + literal(id) + " AS UUID)"
}

// document is a map or a document as JSON text.
func (d Dialect) document(expr string) string {
	switch d {
	case Postgres:
		return "CAST(" + expr + " AS VARCHAR)"
	case Snowflake:
		return "TO_JSON(" + expr + ")"
	}
	return "CAST(to_json(" + expr + ") AS VARCHAR)"
}

// value is any column as JSON text.
func (d Dialect) value(column string) string {
	if d == Snowflake {
		return "TO_JSON(TO_VARIANT(" + column + "))"
	}
	return "CAST(to_json(" + column + ") AS VARCHAR)"
}

// Document is a column of a row that holds JSON.
type Document struct{ Account, Text string }

// Documents are those in a column of a kind's table, none where there is no
// such table or column.
func (e *Estate) Documents(ctx context.Context, kind, column string) ([]Document, error) {
	if !e.Has(kind) {
		return nil, nil
	}
	fail := func(err error) ([]Document, error) { return nil, fmt.Errorf("read %s of %s: %w", column, kind, err) }
	none, err := e.DB.QueryContext(ctx, "SELECT * FROM "+kind+" WHERE 1 = 0")
	if err != nil {
		return fail(err)
	}
	columns, err := none.Columns()
	if err = errors.Join(err, none.Close()); err != nil {
		return fail(err)
	}
	if !slices.ContainsFunc(columns, func(c string) bool { return strings.EqualFold(c, column) }) {
		return nil, nil
	}
	rows, err := e.DB.QueryContext(ctx, "SELECT account, "+e.Dialect.document(column)+" FROM "+kind+" WHERE "+column+" IS NOT NULL")
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	var out []Document
	for rows.Next() {
		var d Document
		if err := rows.Scan(&d.Account, &d.Text); err != nil {
			return fail(err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
