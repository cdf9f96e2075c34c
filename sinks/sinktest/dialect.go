package sinktest

import (
	"regexp"
	"strings"
)

// Dialect is the SQL that a target speaks. The suite's own is what DuckDB and
// Postgres share: column->>'key' for a member of JSON as text, as_of(t) for a
// function that yields rows, TIMESTAMPTZ '...' for a time.
type Dialect string

// The dialects.
const (
	DuckDB    Dialect = "duckdb"
	Postgres  Dialect = "postgres"
	Snowflake Dialect = "snowflake"
)

var (
	quotedName = regexp.MustCompile(`"([^"]+)"`)
	jsonMember = regexp.MustCompile(`(\w+)->>'(\w+)'`)
	timeText   = regexp.MustCompile(`TIMESTAMPTZ ('[^']*')`)
	asOfCall   = regexp.MustCompile(`\bas_of\(([^()]*)\)`)
)

// sql translates a statement of the suite. Names in double quotes are asked of
// the target, where it has names of its own for them.
func (t *Target) sql(query string) string {
	if t.Dialect == Snowflake {
		query = jsonMember.ReplaceAllString(query, `$1:$2::VARCHAR`)
		query = timeText.ReplaceAllString(query, `$1::TIMESTAMP_TZ`)
		query = asOfCall.ReplaceAllString(query, `TABLE(as_of($1))`)
	}
	return quotedName.ReplaceAllStringFunc(query, func(name string) string { return t.ident(strings.Trim(name, `"`)) })
}

// ident is a name as a statement has it.
func (t *Target) ident(name string) string {
	if t.Ident != nil {
		return t.Ident(name)
	}
	return `"` + name + `"`
}
