package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
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

// dialect is how the unified views are said here.
var dialect = tables.Dialect{Ident: ident, Literal: literal, Type: columnType, Convert: convert}

// wantedViews returns the views' definitions and docs by name.
func (m *commit) wantedViews(ctx context.Context) (want, docs map[string]string, err error) {
	stored, err := m.texts(ctx, "SELECT kind, base::VARCHAR FROM kinds WHERE base IS NOT NULL")
	if err != nil {
		return nil, nil, err
	}
	var kinds []tables.BaseKind
	for _, r := range stored {
		k := tables.BaseKind{Kind: r[0], Columns: m.base.tables[r[0]]}
		if err := json.Unmarshal([]byte(r[1]), &k.Base); err != nil {
			return nil, nil, fmt.Errorf("the base of %s: %w", r[0], err)
		}
		if k.Columns != nil {
			kinds = append(kinds, k)
		}
	}
	want, docs = dialect.Views(kinds, m.t.sync.Kinds)
	return want, docs, nil
}

// convert computes a base's column from a column of a kind's table.
func convert(c schema.Column, m schema.BaseColumn, have string) string {
	want, col := columnType(c.Type), ident(m.Column)
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
