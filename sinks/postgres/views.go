package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// defineViews makes the views of the bases and of the kinds' former names.
// A view is recreated only when its definition changed, and then appends its
// columns at the end. What else bears the name of one is left alone.
func (d *definer) defineViews(ctx context.Context) error {
	want, docs, err := d.wantedViews()
	if err != nil {
		return err
	}
	var due []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		have, mine := d.base.made[name]
		stands := d.base.views[shorten(name)]
		if mine && have == want[name] && stands || d.base.tables[shorten(name)] != nil || d.base.indexes[shorten(name)] || stands && !mine {
			continue
		}
		due = append(due, fmt.Sprintf(`CREATE OR REPLACE VIEW %[1]s AS %[2]s;
			COMMENT ON VIEW %[1]s IS %[3]s;
			INSERT INTO dewpoint_views VALUES (%[4]s, %[5]s) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition`,
			ident(name), want[name], literal(docs[name]), literal(name), literal(want[name])))
	}
	for part := range slices.Chunk(due, kindsAtOnce) {
		if err := d.short(ctx, strings.Join(part, ";\n")); err != nil {
			return fmt.Errorf("views: %w", err)
		}
	}
	return nil
}

// dialect is how the unified views are said here.
var dialect = tables.Dialect{Ident: ident, Literal: literal, Type: columnType, Stored: shorten, Convert: expression, Column: collatedAs}

// wantedViews returns the views' definitions and docs by name.
func (d *definer) wantedViews() (want, docs map[string]string, err error) {
	bases := map[string]string{}
	for _, k := range d.base.byKey {
		bases[k.name] = k.base
	}
	for _, k := range d.kinds {
		bases[k.Name] = ""
		if k.Base != nil {
			bases[k.Name] = mustJSON(k.Base)
		}
	}
	var kinds []tables.BaseKind
	for name, base := range bases {
		if base == "" || base == "null" {
			continue
		}
		k := tables.BaseKind{Kind: name, Columns: d.base.tables[shorten(name)]}
		if err := json.Unmarshal([]byte(base), &k.Base); err != nil {
			return nil, nil, fmt.Errorf("the base of %s: %w", name, err)
		}
		if k.Columns != nil {
			kinds = append(kinds, k)
		}
	}
	want, docs = dialect.Views(kinds, d.kinds)
	for _, k := range d.kinds {
		for _, old := range k.Renamed {
			want[old] = d.formerView(old, k)
		}
	}
	return want, docs, nil
}

// formerView is the definition of the view of a kind's former name. Columns
// that it has stay where they are, those that left the definition too.
func (d *definer) formerView(name string, k *schema.Kind) string {
	list, _, _ := strings.Cut(strings.TrimPrefix(d.base.made[name], "SELECT "), " FROM ")
	var cols []string
	for _, c := range strings.Split(list, ", ") {
		if _, ok := d.base.tables[shorten(k.Name)][strings.Trim(c, `"`)]; ok {
			cols = append(cols, c)
		}
	}
	for _, c := range k.TableColumns() {
		if q := ident(c.Name); !slices.Contains(cols, q) {
			cols = append(cols, q)
		}
	}
	return fmt.Sprintf("SELECT %s FROM %s", strings.Join(cols, ", "), ident(k.Name))
}

// collatedAs gives an expression of text the same collation in all parts of a
// view: one that changed could not be replaced.
func collatedAs(t schema.Type, expr string) string {
	if t == schema.Text || t == schema.TextList {
		return "(" + expr + `) COLLATE "default"`
	}
	return expr
}

// expression computes a base's column from a column of a kind's table.
func expression(c schema.Column, m schema.BaseColumn, have string) string {
	want, col := columnType(c.Type), ident(m.Column)
	switch {
	case m.Present:
		switch {
		case strings.HasSuffix(have, "[]"):
			return fmt.Sprintf("coalesce(cardinality(%s) > 0, false)", col)
		case have == "text" || have == "jsonb":
			return fmt.Sprintf("coalesce(%s::text NOT IN ('', '[]', '{}', 'null'), false)", col)
		}
		return col + " IS NOT NULL"
	case len(m.Values) > 0:
		var b strings.Builder
		fmt.Fprintf(&b, "CASE WHEN %s IS NULL THEN NULL", col)
		for _, from := range slices.Sorted(maps.Keys(m.Values)) {
			fmt.Fprintf(&b, " WHEN %s = %s THEN %s", asText(col, have), literal(from), literal(m.Values[from]))
		}
		return convert("("+b.String()+" ELSE 'unknown' END)", "text", want)
	case m.Scale != 0 && m.Scale != 1:
		number := convert(col, have, "double precision")
		return convert(fmt.Sprintf("(%s * %s)", number, strconv.FormatFloat(m.Scale, 'g', -1, 64)), "double precision", want)
	}
	return convert(col, have, want)
}

// asText returns a column as text; of JSON that holds one, the string.
func asText(col, have string) string {
	if have == "jsonb" {
		return fmt.Sprintf("(%s #>> '{}')", col)
	}
	return col + "::text"
}

// convert casts between types; what a value cannot be reads as NULL.
func convert(expr, have, want string) string {
	if have == want {
		return expr
	}
	text := asText(expr, have)
	number := func() string {
		if have == "text" || have == "jsonb" {
			return fmt.Sprintf(`CASE WHEN %s ~ '^[-+]?[0-9]{1,15}(\.[0-9]{1,15})?$' THEN %[1]s::double precision END`, text)
		}
		if have == "bigint" || have == "double precision" {
			return expr + "::double precision"
		}
		return "NULL::double precision"
	}
	switch want {
	case "text":
		return text
	case "double precision":
		return number()
	case "bigint":
		return "(" + number() + ")::bigint"
	case "boolean":
		if have == "text" || have == "jsonb" {
			return fmt.Sprintf("CASE lower(%s) WHEN 'true' THEN true WHEN 'false' THEN false END", text)
		}
		if have == "bigint" {
			return expr + " <> 0"
		}
	case "timestamp with time zone":
		if have == "text" || have == "jsonb" {
			return fmt.Sprintf(`CASE WHEN %s ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$' THEN %[1]s::timestamptz END`, text)
		}
	case "text[]":
		if have == "jsonb" {
			return fmt.Sprintf("CASE jsonb_typeof(%s) WHEN 'array' THEN ARRAY(SELECT jsonb_array_elements_text(%[1]s)) END", expr)
		}
	case "jsonb":
		return fmt.Sprintf("to_jsonb(%s)", expr)
	}
	return "NULL::" + want
}
