package sinks

import (
	"context"
	"strings"
	"time"
)

// Modeller is a sink in which models can be built: tables and views of a
// schema of their own, beside dewpoint's.
type Modeller interface {
	Sink
	// Dialect is the name of the SQL that the sink takes: duckdb, postgres or
	// snowflake.
	Dialect() string
	// ModelSchemas are the names of dewpoint's schema and that of the models,
	// as SQL has them.
	ModelSchemas() (dewpoint, models string)
	// Environment are the variables by which the profile of the dbt project
	// finds the database, as NAME=value. There are secrets in them.
	Environment() []string
	// Build makes the models in the order given, replacing those that are
	// there, and calls built after each. Where the database allows it, all
	// become visible at once or none. It fails with a *LockedError while a
	// sync commits.
	Build(ctx context.Context, models []Model, built func(m Model, took time.Duration)) error
}

// Model is a table or a view that is made by a SELECT, or a table that is
// made of given rows.
type Model struct {
	Name string
	// SQL is one SELECT; {dewpoint} and {models} stand for the schemas. It is
	// empty where Rows are given.
	SQL string
	// Table says that the rows are stored.
	Table bool
	// Indexes are the columns of the table's indexes, where a sink has them.
	Indexes [][]string
	// Columns are name and SQL type of the columns of Rows.
	Columns [][2]string
	// Rows are values as text; an empty one is NULL.
	Rows [][]string
}

// In puts the names of the schemas into SQL of a model.
func In(m Modeller, sql string) string {
	dewpoint, models := m.ModelSchemas()
	return strings.NewReplacer("{dewpoint}", dewpoint, "{models}", models).Replace(sql)
}

// InsertRows are the statements that fill a table with the rows of a model.
func InsertRows(table string, m Model, literal func(string) string) []string {
	const batch = 500
	var all []string
	for at := 0; at < len(m.Rows); at += batch {
		var b strings.Builder
		b.WriteString("INSERT INTO " + table + " VALUES ")
		for i, row := range m.Rows[at:min(at+batch, len(m.Rows))] {
			if i > 0 {
				b.WriteString(", ")
			}
			for j, v := range row {
				b.WriteString([]string{"(", ", "}[min(j, 1)])
				if v == "" {
					b.WriteString("NULL")
				} else {
					b.WriteString("CAST(" + literal(v) + " AS " + m.Columns[j][1] + ")")
				}
			}
			b.WriteString(")")
		}
		all = append(all, b.String())
	}
	return all
}
