package duckdb

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/stage"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

// columnType returns the SQL type of a column.
func columnType(t schema.Type) string {
	switch t {
	case schema.Bool:
		return "BOOLEAN"
	case schema.Int64:
		return "BIGINT"
	case schema.Float64:
		return "DOUBLE"
	case schema.Text:
		return "VARCHAR"
	case schema.Timestamp:
		return "TIMESTAMPTZ"
	case schema.JSON:
		return "JSON"
	case schema.TextMap:
		return "MAP(VARCHAR, VARCHAR)"
	case schema.UUID:
		return "UUID"
	}
	if e := t.Elem(); e != 0 {
		return columnType(e) + "[]"
	}
	panic("duckdb: no SQL type for " + t.String())
}

// canonicalType returns a type as duckdb_columns() spells it.
func canonicalType(t string) string {
	return strings.Replace(t, "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", 1)
}

// migrate brings dewpoint's own tables to the newest version.
func (m *commit) migrate(ctx context.Context) error {
	all, err := migrations.Load("duckdb")
	if err != nil {
		return err
	}
	if m.base.version == 0 {
		if err := m.exec(ctx, "CREATE TABLE IF NOT EXISTS dewpoint_migrations (version INTEGER, name VARCHAR, applied_at TIMESTAMPTZ)"); err != nil {
			return err
		}
	}
	for _, g := range all {
		if g.Version <= m.base.version {
			continue
		}
		if err := m.exec(ctx, g.SQL); err != nil {
			return fmt.Errorf("migration %d (%s): %w", g.Version, g.Name, err)
		}
		if err := m.exec(ctx, "INSERT INTO dewpoint_migrations VALUES (?, ?, ?)", g.Version, g.Name, m.now); err != nil {
			return err
		}
	}
	return nil
}

// defineKind makes or extends a kind's table and records the definition.
func (m *commit) defineKind(ctx context.Context, ks *stage.Kind) error {
	k := ks.Kind
	old, known := m.base.byKey[k.Key]
	table := m.base.table(k)
	now := tables.Layout(k)
	former := ""
	if table != "" && table != k.Name {
		former = table
		if err := m.exec(ctx, renameTable(table, k.Name)); err != nil {
			return fmt.Errorf("rename %s to %s: %w", table, k.Name, err)
		}
		m.base.tables[k.Name], m.base.docs[k.Name] = m.base.tables[table], m.base.docs[table]
		delete(m.base.tables, table)
		table = k.Name
	}
	if table == "" || old.layout != now {
		if err := m.defineTable(ctx, k, table); err != nil {
			return fmt.Errorf("define %s: %w", k.Name, err)
		}
	}
	written := m.base.docs[k.Name] != nil
	if ks.Had+ks.Rows > 0 && !written || written && old.layout != now {
		if err := m.document(ctx, k); err != nil {
			return fmt.Errorf("document %s: %w", k.Name, err)
		}
	}
	if former != "" {
		if err := m.renameKind(ctx, former, k.Name); err != nil {
			return fmt.Errorf("rename %s to %s: %w", former, k.Name, err)
		}
	}
	next := storedKind{name: k.Name, key: k.Key, definition: k.Definition, layout: now, parent: k.Parent, declared: tables.DeclarationSum(k)}
	if k.Base != nil {
		next.base = mustJSON(k.Base)
	}
	next.edges = mustJSON(k.Edges)
	columns, changed := tables.MergeColumns(old.columns, k)
	if known && !changed && old.name == next.name && old.definition == next.definition && old.layout == next.layout && old.declared == next.declared &&
		old.parent == next.parent && sameJSON(old.base, next.base) && sameJSON(old.edges, next.edges) {
		return nil
	}
	since := "$now"
	if known && old.definition == next.definition {
		since = "(SELECT max(definition_since) FROM kinds WHERE key = $key)"
	}
	var m2 strings.Builder
	for i, c := range columns {
		if i > 0 {
			m2.WriteString(", ")
		}
		if !known {
			fmt.Fprintf(&m2, "%s: %s", literal(c), m.nowLiteral())
			continue
		}
		fmt.Fprintf(&m2, "%s: coalesce((SELECT max(columns[%[1]s]) FROM kinds WHERE key = %[2]s), %[3]s)", literal(c), literal(k.Key), m.nowLiteral())
	}
	insert := fmt.Sprintf("CREATE OR REPLACE TEMP TABLE next_kind AS SELECT %s AS kind, %s AS key, %s AS definition, %s AS since, MAP {%s} AS columns, %s AS layout, %s AS parent, %s AS base, %s AS edges, %s AS cloud, %s AS declared",
		literal(next.name), literal(next.key), literal(next.definition),
		strings.NewReplacer("$now", m.nowLiteral(), "$key", literal(k.Key)).Replace(since), m2.String(),
		literal(next.layout), literal(next.parent), nullLiteral(next.base), literal(next.edges),
		literal(k.Cloud), literal(tables.Declaration(k)))
	for _, q := range []string{insert, "DELETE FROM kinds WHERE key = " + literal(k.Key), "INSERT INTO kinds SELECT * FROM next_kind"} {
		if err := m.exec(ctx, q); err != nil {
			return fmt.Errorf("record %s: %w", k.Name, err)
		}
	}
	return nil
}

// defineTable creates a kind's table, or adds what it lacks.
func (m *commit) defineTable(ctx context.Context, k *schema.Kind, table string) error {
	var b strings.Builder
	if table == "" {
		b.WriteString(createTable(k) + ";\n")
	}
	for _, c := range k.TableColumns() {
		if _, ok := m.base.tables[table][c.Name]; table != "" && !ok {
			b.WriteString(addColumn(k.Name, c) + ";\n")
		}
	}
	fmt.Fprintf(&b, "COMMENT ON TABLE %s IS %s;\n", ident(k.Name), literal(k.Doc))
	return m.exec(ctx, b.String())
}

// document writes what the columns of a table are as comments, those that are
// not there yet. DuckDB copies the whole entry of a table for each, which takes
// longer than all else of a first sync of many kinds: a table without rows has
// none before its first.
func (m *commit) document(ctx context.Context, k *schema.Kind) error {
	var b strings.Builder
	for _, c := range k.TableColumns() {
		if c.Doc != "" && m.base.docs[k.Name][c.Name] != c.Doc {
			fmt.Fprintf(&b, "COMMENT ON COLUMN %s.%s IS %s;\n", ident(k.Name), ident(c.Name), literal(c.Doc))
		}
	}
	if b.Len() == 0 {
		return nil
	}
	return m.exec(ctx, b.String())
}

// renameKind gives the rows of a kind whose table was renamed, and all that
// names them, the new name. DuckDB does not commit rows of a table that is
// altered after them: it comes after all that alters the table.
func (m *commit) renameKind(ctx context.Context, from, to string) error {
	f, t := literal(from), literal(to)
	for _, q := range []string{
		fmt.Sprintf("UPDATE %s SET kind = %s", ident(to), t),
		fmt.Sprintf("UPDATE resources SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE edges SET from_kind = %s WHERE from_kind = %s", t, f),
		fmt.Sprintf("UPDATE edges SET to_kind = %s WHERE to_kind = %s", t, f),
		fmt.Sprintf("UPDATE sightings SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE resource_history SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE scopes SET kind = %s WHERE kind = %s", t, f),
		fmt.Sprintf("UPDATE scopes SET kinds = list_sort(list_transform(kinds, lambda k: CASE WHEN k = %s THEN %s ELSE k END)) WHERE list_contains(kinds, %[1]s)", f, t),
	} {
		if err := m.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("duckdb: " + err.Error())
	}
	return string(b)
}

func sameJSON(a, b string) bool {
	return a == b || (a == "null" && b == "") || (a == "" && b == "null")
}

func nullLiteral(s string) string {
	if s == "" {
		return "NULL"
	}
	return literal(s)
}
