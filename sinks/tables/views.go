package tables

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Dialect is the SQL of a database.
type Dialect struct {
	// Ident quotes a name, Literal a text.
	Ident, Literal func(string) string
	// Type is the SQL type of a column.
	Type func(schema.Type) string
	// Stored is the name by which a BaseKind has a column of a definition;
	// nil where that is its own.
	Stored func(column string) string
	// Convert computes a base's column from a column of a kind's table that
	// has the type have, as m says: whether it is Present, by its Values or
	// Scale, or as it is.
	Convert func(c schema.Column, m schema.BaseColumn, have string) string
	// Column is put around the expression of each column of a base; nil for
	// nothing.
	Column func(t schema.Type, expr string) string
}

// BaseKind is a kind that is part of a base's view, with the columns of its
// table and their types, as the database names both.
type BaseKind struct {
	Kind    string
	Base    schema.Base
	Columns map[string]string
}

// Views returns the definitions and docs, by name, of the unified views over
// the kinds and of the views that former names of the sync's kinds stay as.
func (d *Dialect) Views(kinds []BaseKind, sync []*schema.Kind) (want, docs map[string]string) {
	want, docs = map[string]string{}, map[string]string{}
	byBase := map[string][]BaseKind{}
	for _, k := range kinds {
		byBase[k.Base.Name] = append(byBase[k.Base.Name], k)
	}
	for _, v := range schema.BaseViews {
		slices.SortFunc(byBase[v.Base], func(a, b BaseKind) int { return strings.Compare(a.Kind, b.Kind) })
		want[v.View], docs[v.View] = d.BaseView(v, byBase[v.Base]), v.Doc
	}
	for _, k := range sync {
		for _, old := range k.Renamed {
			want[old] = fmt.Sprintf("SELECT %s FROM %s", d.idents(ColumnNames(k.TableColumns())), d.Ident(k.Name))
			docs[old] = "The former name of " + k.Name + "."
		}
	}
	return want, docs
}

// IsBaseView says whether the name is one of a unified view.
func IsBaseView(name string) bool {
	return slices.ContainsFunc(schema.BaseViews, func(v schema.BaseView) bool { return v.View == name })
}

// BaseView is the definition of a unified view over the kinds, which may be
// none.
func (d *Dialect) BaseView(v schema.BaseView, kinds []BaseKind) string {
	var unified []string
	for _, c := range schema.Unified {
		switch c.Name {
		case "_scope", "_hash", "_unread":
		default:
			unified = append(unified, c.Name)
		}
	}
	part := func(k *BaseKind) string {
		var b strings.Builder
		b.WriteString("SELECT " + d.idents(unified))
		for _, c := range v.Columns {
			expr := d.expression(k, c)
			if d.Column != nil {
				expr = d.Column(c.Type, expr)
			}
			fmt.Fprintf(&b, ", %s AS %s", expr, d.Ident(c.Name))
		}
		return b.String()
	}
	if len(kinds) == 0 {
		return part(&BaseKind{}) + " FROM resources WHERE false"
	}
	var parts []string
	for i := range kinds {
		parts = append(parts, part(&kinds[i])+" FROM "+d.Ident(kinds[i].Kind))
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

// expression computes a base's column from the kind's table; NULL where the
// kind does not have it.
func (d *Dialect) expression(k *BaseKind, c schema.Column) string {
	null := "NULL::" + d.Type(c.Type)
	m, ok := k.Base.Columns[c.Name]
	if !ok {
		return null
	}
	if m.Const != "" {
		return d.Literal(m.Const) + "::" + d.Type(c.Type)
	}
	stored := m.Column
	if d.Stored != nil {
		stored = d.Stored(stored)
	}
	have, ok := k.Columns[stored]
	if !ok {
		return null
	}
	if m.Present && len(m.Values) > 0 {
		is := m
		is.Values = nil
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", d.Convert(c, is, have), d.Literal(m.Values["true"]), d.Literal(m.Values["false"]))
	}
	return d.Convert(c, m, have)
}

func (d *Dialect) idents(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = d.Ident(n)
	}
	return strings.Join(quoted, ", ")
}
