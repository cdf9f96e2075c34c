package snowflake

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
func (b *base) defineViews(ctx context.Context, c *conn, kinds []*schema.Kind) error {
	want, docs, err := b.wantedViews(kinds)
	if err != nil {
		return err
	}
	var made, names []string
	for _, name := range sortedKeys(want) {
		stands, mine := b.views[fold(name)], b.made[name].digest != ""
		if stands && b.made[name].digest == digest(want[name]) || b.columns(name) != nil || stands && !mine {
			continue
		}
		q := fmt.Sprintf("CREATE OR REPLACE VIEW %s COPY GRANTS COMMENT = %s AS %s", ident(name), literal(docs[name]), want[name])
		if _, err := c.exec(ctx, q); err != nil {
			return fmt.Errorf("view %s: %w", name, err)
		}
		names = append(names, name)
		made = append(made, mustJSON(map[string]string{"name": name, "definition": want[name]}))
		b.views[fold(name)], b.made[name] = true, madeView{digest: digest(want[name])}
	}
	if len(made) == 0 {
		return nil
	}
	queries := []string{"BEGIN", "DELETE FROM dewpoint_views WHERE name IN (" + literals(names) + ")"}
	for part := range chunks(made) {
		queries = append(queries, "INSERT INTO dewpoint_views (name, definition) SELECT r.value:name::VARCHAR, r.value:definition::VARCHAR FROM TABLE(FLATTEN(INPUT => PARSE_JSON("+literal(part)+"))) r")
	}
	if err := c.transaction(ctx, append(queries, "COMMIT")); err != nil {
		return fmt.Errorf("record the views: %w", err)
	}
	return nil
}

// dialect is how the unified views are said here.
var dialect = tables.Dialect{Ident: ident, Literal: literal, Type: columnType, Stored: fold, Convert: convert}

// wantedViews returns the views' definitions and docs by name.
func (b *base) wantedViews(sync []*schema.Kind) (want, docs map[string]string, err error) {
	var kinds []tables.BaseKind
	for _, stored := range b.byKey {
		if stored.base == "" || stored.base == "null" || b.columns(stored.name) == nil {
			continue
		}
		k := tables.BaseKind{Kind: stored.name, Columns: b.columns(stored.name)}
		if err := json.Unmarshal([]byte(stored.base), &k.Base); err != nil {
			return nil, nil, fmt.Errorf("the base of %s: %w", stored.name, err)
		}
		kinds = append(kinds, k)
	}
	want, docs = dialect.Views(kinds, sync)
	return want, docs, nil
}

// convert computes a base's column from a column of a kind's table.
func convert(c schema.Column, m schema.BaseColumn, have string) string {
	want, col := columnType(c.Type), ident(m.Column)
	// TRY_CAST takes text only.
	text := col + "::VARCHAR"
	if have == "VARIANT" || have == "OBJECT" || have == "ARRAY" {
		text = "TO_JSON(" + col + ")"
	}
	switch {
	case m.Present:
		if have == "TEXT" || have == "VARIANT" || have == "OBJECT" || have == "ARRAY" {
			return fmt.Sprintf("COALESCE(%s NOT IN ('', '[]', '{}', 'null'), FALSE)", text)
		}
		return col + " IS NOT NULL"
	case len(m.Values) > 0:
		var b strings.Builder
		fmt.Fprintf(&b, "CASE WHEN %s IS NULL THEN NULL", col)
		for _, from := range slices.Sorted(maps.Keys(m.Values)) {
			fmt.Fprintf(&b, " WHEN %s = %s THEN %s", text, literal(from), literal(m.Values[from]))
		}
		b.WriteString(" ELSE 'unknown' END")
		if c.Type == schema.Text {
			return b.String()
		}
		return fmt.Sprintf("TRY_CAST(%s AS %s)", b.String(), want)
	case m.Scale != 0 && m.Scale != 1:
		if have == "NUMBER" || have == "FLOAT" {
			return fmt.Sprintf("(%s * %v)::%s", col, m.Scale, want)
		}
		return fmt.Sprintf("(TRY_CAST(%s AS FLOAT) * %v)::%s", text, m.Scale, want)
	case have == storedType(c.Type):
		return col
	case have == "NUMBER" && c.Type == schema.Float64, c.Type == schema.Text:
		return col + "::" + want
	}
	return fmt.Sprintf("TRY_CAST(%s AS %s)", text, want)
}
