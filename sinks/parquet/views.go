package parquet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
)

// viewDef is a view or macro of DuckDB over the estate.
type viewDef struct {
	name string
	sql  string // creates or replaces it
	// table is the table whose files it reads, empty for a view over others.
	table string
	// empty creates it without its files.
	empty string
	doc   string
}

// tableColumns are the columns of a table.
func (s *state) tableColumns(table string) []schema.Column {
	if cols := columnsOf(table); cols != nil {
		return cols
	}
	if k := s.cat.byName(table); k != nil {
		return k.columns()
	}
	return nil
}

// tables are the names of all tables: dewpoint's own, then the kinds.
func (s *state) tables() []string {
	all := slices.Clone(ownTables)
	for _, k := range s.cat.Kinds {
		all = append(all, k.Name)
	}
	return all
}

// selectFiles is a query of all columns of a table from files that it has.
// path says where DuckDB finds a file.
func (s *state) selectFiles(table string, files []fileEntry, path func(key string) string, more string) string {
	cols := s.tableColumns(table)
	var parts []string
	// Files of one width are read together.
	for len(files) > 0 {
		n := 1
		for n < len(files) && files[n].Columns == files[0].Columns {
			n++
		}
		var keys []string
		for _, f := range files[:n] {
			keys = append(keys, duckdb.Literal(path(f.Key)))
		}
		have := files[0].Columns
		if have == 0 {
			have = len(cols)
		}
		parts = append(parts, fmt.Sprintf("SELECT %s%s FROM read_parquet([%s], hive_partitioning = false)", selectColumns(cols, have), more, strings.Join(keys, ", ")))
		files = files[n:]
	}
	if parts == nil {
		return emptyTable(cols, more)
	}
	return strings.Join(parts, "\nUNION ALL BY NAME\n")
}

// selectColumns lists the columns in DuckDB's types; those from have on are
// not in the files.
func selectColumns(cols []schema.Column, have int) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteString(", ")
		}
		name, typ := duckdb.Ident(c.Name), duckdb.ColumnType(c.Type)
		switch {
		case i >= have:
			fmt.Fprintf(&b, "NULL::%s AS %s", typ, name)
		case c.Type == schema.UUID || c.Type == schema.JSON:
			fmt.Fprintf(&b, "%s::%s AS %[1]s", name, typ)
		case c.Name == "columns" && c.Type == schema.TextMap:
			fmt.Fprintf(&b, "%s::MAP(VARCHAR, TIMESTAMPTZ) AS %[1]s", name)
		default:
			b.WriteString(name)
		}
	}
	return b.String()
}

func emptyTable(cols []schema.Column, more string) string {
	return "SELECT " + selectColumns(cols, 0) + more + " WHERE false"
}

// duckdbViews are the views over the latest state, each after those it reads.
func (s *state) duckdbViews(path func(key string) string) ([]viewDef, error) {
	var defs []viewDef
	for _, table := range s.tables() {
		create := "CREATE OR REPLACE VIEW " + duckdb.Ident(table) + " AS "
		defs = append(defs, viewDef{
			name: table, table: table, sql: create + s.selectFiles(table, s.Files[table], path, ""),
			empty: create + emptyTable(s.tableColumns(table), ""), doc: s.docOf(table),
		})
	}
	common, err := commonViews()
	if err != nil {
		return nil, err
	}
	defs = append(defs, common...)
	byBase := map[string][]duckdb.ViewKind{}
	for _, k := range s.cat.Kinds {
		if k.Base != nil {
			byBase[k.Base.Name] = append(byBase[k.Base.Name], duckdb.ViewKind{Kind: k.Name, Base: *k.Base, Columns: k.columns()})
		}
	}
	for _, v := range schema.BaseViews {
		if s.cat.byName(v.View) != nil {
			continue
		}
		defs = append(defs, viewDef{name: v.View, sql: "CREATE OR REPLACE VIEW " + duckdb.Ident(v.View) + " AS " + duckdb.BaseViewSQL(v, byBase[v.Base]), doc: v.Doc})
	}
	for _, old := range slices.Sorted(maps.Keys(s.cat.Views)) {
		name := s.cat.Views[old]
		defs = append(defs, viewDef{
			name: old, sql: "CREATE OR REPLACE VIEW " + duckdb.Ident(old) + " AS SELECT * FROM " + duckdb.Ident(name),
			doc: "The former name of " + name + ".",
		})
	}
	return defs, nil
}

func (s *state) docOf(table string) string {
	if k := s.cat.byName(table); k != nil {
		return k.Doc
	}
	return ""
}

// commonViews are the views and macros that every DuckDB file has.
func commonViews() ([]viewDef, error) {
	all, err := migrations.Load("duckdb")
	if err != nil {
		return nil, err
	}
	var defs []viewDef
	for _, m := range all {
		for _, q := range strings.Split(m.SQL, ";\n") {
			for strings.HasPrefix(q, "--") || strings.HasPrefix(q, "\n") {
				_, q, _ = strings.Cut(q, "\n")
			}
			q = strings.TrimSuffix(strings.TrimSpace(q), ";")
			for _, what := range [...]string{"VIEW", "MACRO"} {
				rest, ok := strings.CutPrefix(q, "CREATE "+what+" ")
				if !ok {
					if rest, ok = strings.CutPrefix(q, "CREATE OR REPLACE "+what+" "); !ok {
						continue
					}
				}
				name := rest[:strings.IndexAny(rest, " (\n")]
				defs = append(defs, viewDef{name: name, sql: "CREATE OR REPLACE " + what + " " + rest})
			}
		}
	}
	return defs, nil
}
