package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// defineViews makes the views of the bases and of the kinds' former names.
// A view is recreated only when its definition changed, and then appends its
// columns at the end. What else bears the name of one is left alone.
func (m *commit) defineViews(ctx context.Context) error {
	stored, err := m.texts(ctx, "SELECT name, definition FROM dewpoint_views")
	if err != nil {
		return err
	}
	have := map[string]string{}
	for _, r := range stored {
		have[r[0]] = r[1]
	}
	want, docs, err := m.wantedViews(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		stands := m.base.views[strings.ToLower(name)]
		if have[name] == want[name] && stands {
			continue
		}
		if _, mine := have[name]; m.base.tables[name] != nil || stands && !mine {
			continue
		}
		for _, q := range []string{
			fmt.Sprintf("CREATE OR REPLACE VIEW %s AS %s", ident(name), want[name]),
			fmt.Sprintf("COMMENT ON VIEW %s IS %s", ident(name), literal(docs[name])),
			"DELETE FROM dewpoint_views WHERE name = " + literal(name),
			fmt.Sprintf("INSERT INTO dewpoint_views VALUES (%s, %s)", literal(name), literal(want[name])),
		} {
			if err := m.exec(ctx, q); err != nil {
				return fmt.Errorf("view %s: %w", name, err)
			}
		}
	}
	return nil
}

// wantedViews returns the views' definitions and docs by name.
func (m *commit) wantedViews(ctx context.Context) (want, docs map[string]string, err error) {
	want, docs = map[string]string{}, map[string]string{}
	kinds, err := m.texts(ctx, "SELECT kind, base::VARCHAR FROM kinds WHERE base IS NOT NULL ORDER BY kind")
	if err != nil {
		return nil, nil, err
	}
	byBase := map[string][]baseKind{}
	for _, r := range kinds {
		k := baseKind{kind: r[0], columns: m.base.tables[r[0]]}
		if err := json.Unmarshal([]byte(r[1]), &k.base); err != nil {
			return nil, nil, fmt.Errorf("the base of %s: %w", r[0], err)
		}
		if k.columns != nil {
			byBase[k.base.Name] = append(byBase[k.base.Name], k)
		}
	}
	for _, v := range schema.BaseViews {
		want[v.View], docs[v.View] = baseView(v, byBase[v.Base]), v.Doc
	}
	for _, ks := range m.t.Kinds() {
		var names []string
		for _, c := range ks.TableColumns() {
			names = append(names, c.Name)
		}
		for _, old := range ks.Renamed {
			want[old] = fmt.Sprintf("SELECT %s FROM %s", idents("", names), ident(ks.Name))
			docs[old] = "The former name of " + ks.Name + "."
		}
	}
	return want, docs, nil
}

// baseKind is a kind that is part of a base's view.
type baseKind struct {
	kind    string
	base    schema.Base
	columns map[string]string // the table's, with their types
}

func baseView(v schema.BaseView, kinds []baseKind) string {
	var unified []string
	for _, c := range schema.Unified {
		switch c.Name {
		case "_scope", "_hash", "_unread":
		default:
			unified = append(unified, c.Name)
		}
	}
	if len(kinds) == 0 {
		var b strings.Builder
		b.WriteString("SELECT " + idents("", unified))
		for _, c := range v.Columns {
			fmt.Fprintf(&b, ", NULL::%s AS %s", columnType(c.Type), ident(c.Name))
		}
		return b.String() + " FROM resources WHERE false"
	}
	var parts []string
	for _, k := range kinds {
		var b strings.Builder
		b.WriteString("SELECT " + idents("", unified))
		for _, c := range v.Columns {
			fmt.Fprintf(&b, ", %s AS %s", k.expression(c), ident(c.Name))
		}
		parts = append(parts, b.String()+" FROM "+ident(k.kind))
	}
	return strings.Join(parts, "\nUNION ALL\n")
}

// expression computes a base's column from the kind's table; NULL where the
// kind does not have it.
func (k *baseKind) expression(c schema.Column) string {
	want := columnType(c.Type)
	m, ok := k.base.Columns[c.Name]
	if !ok {
		return "NULL::" + want
	}
	if m.Const != "" {
		return fmt.Sprintf("%s::%s", literal(m.Const), want)
	}
	have, ok := k.columns[m.Column]
	if !ok {
		return "NULL::" + want
	}
	col := ident(m.Column)
	switch {
	case m.Present:
		switch {
		case strings.HasSuffix(have, "[]"):
			return fmt.Sprintf("coalesce(len(%s) > 0, false)", col)
		case strings.HasPrefix(have, "MAP"):
			return fmt.Sprintf("coalesce(cardinality(%s) > 0, false)", col)
		case have == "VARCHAR" || have == "JSON":
			return fmt.Sprintf("coalesce(%s::VARCHAR NOT IN ('', '[]', '{}', 'null'), false)", col)
		}
		return col + " IS NOT NULL"
	case len(m.Values) > 0:
		var b strings.Builder
		fmt.Fprintf(&b, "CASE WHEN %s IS NULL THEN NULL", col)
		for _, from := range slices.Sorted(maps.Keys(m.Values)) {
			fmt.Fprintf(&b, " WHEN %s::VARCHAR = %s THEN %s", col, literal(from), literal(m.Values[from]))
		}
		return fmt.Sprintf("try_cast(%s ELSE 'unknown' END AS %s)", b.String(), want)
	case m.Scale != 0 && m.Scale != 1:
		return fmt.Sprintf("try_cast(try_cast(%s AS DOUBLE) * %v AS %s)", col, m.Scale, want)
	case have == canonicalType(want):
		return col
	}
	return fmt.Sprintf("try_cast(%s AS %s)", col, want)
}
