package duckdb

import (
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// ViewKind is a kind with its table's columns, as a part of a base's view.
type ViewKind struct {
	Kind    string
	Base    schema.Base
	Columns []schema.Column
}

// BaseViewSQL is the query of the unified view of a base over the tables of
// the kinds, which may be none.
func BaseViewSQL(v schema.BaseView, kinds []ViewKind) string {
	var all []tables.BaseKind
	for _, k := range kinds {
		b := tables.BaseKind{Kind: k.Kind, Base: k.Base, Columns: map[string]string{}}
		for _, c := range k.Columns {
			b.Columns[c.Name] = canonicalType(columnType(c.Type))
		}
		all = append(all, b)
	}
	return dialect.BaseView(v, all)
}

// ColumnType is the SQL type of a column.
func ColumnType(t schema.Type) string { return columnType(t) }

// Ident quotes a name.
func Ident(name string) string { return ident(name) }

// Literal quotes a text.
func Literal(text string) string { return literal(text) }
