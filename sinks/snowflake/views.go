package snowflake

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

// wantedViews returns the views' definitions and docs by name.
func (b *base) wantedViews(kinds []*schema.Kind) (want, docs map[string]string, err error) {
	want, docs = map[string]string{}, map[string]string{}
	byBase := map[string][]baseKind{}
	for _, key := range sortedKeys(b.byKey) {
		stored := b.byKey[key]
		if stored.base == "" || stored.base == "null" || b.columns(stored.name) == nil {
			continue
		}
		k := baseKind{kind: stored.name, columns: b.columns(stored.name)}
		if err := json.Unmarshal([]byte(stored.base), &k.base); err != nil {
			return nil, nil, fmt.Errorf("the base of %s: %w", stored.name, err)
		}
		byBase[k.base.Name] = append(byBase[k.base.Name], k)
	}
	for _, v := range schema.BaseViews {
		slices.SortFunc(byBase[v.Base], func(x, y baseKind) int { return strings.Compare(x.kind, y.kind) })
		want[v.View], docs[v.View] = baseView(v, byBase[v.Base]), v.Doc
	}
	for _, k := range kinds {
		for _, old := range k.Renamed {
			want[old] = formerName(k)
			docs[old] = "The former name of " + k.Name + "."
		}
	}
	return want, docs, nil
}

// formerName is the view that a kind's former name stays as.
func formerName(k *schema.Kind) string {
	return fmt.Sprintf("SELECT %s FROM %s", idents("", columnNames(k.TableColumns())), ident(k.Name))
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
		return b.String() + " FROM RESOURCES WHERE FALSE"
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
	have, ok := k.columns[fold(m.Column)]
	if !ok {
		return "NULL::" + want
	}
	col := ident(m.Column)
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
