package duckdb

import "github.com/dewpoint-data/dewpoint/schema"

// ViewKind is a kind with its table's columns, as a part of a base's view.
type ViewKind struct {
	Kind    string
	Base    schema.Base
	Columns []schema.Column
}

// BaseViewSQL is the query of the unified view of a base over the tables of
// the kinds, which may be none.
func BaseViewSQL(v schema.BaseView, kinds []ViewKind) string {
	var all []baseKind
	for _, k := range kinds {
		b := baseKind{kind: k.Kind, base: k.Base, columns: map[string]string{}}
		for _, c := range k.Columns {
			b.columns[c.Name] = canonicalType(columnType(c.Type))
		}
		all = append(all, b)
	}
	return baseView(v, all)
}

// ColumnType is the SQL type of a column.
func ColumnType(t schema.Type) string { return columnType(t) }

// Ident quotes a name.
func Ident(name string) string { return ident(name) }

// Literal quotes a text.
func Literal(text string) string { return literal(text) }
