package parquet

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
)

// The folders of what other engines read.
const (
	ddlFolder     = ownFolder + "ddl/"
	symlinkFolder = ownFolder + "symlinks/"
)

// writeDefinitions writes the views and tables of other engines over the
// latest state and over the retained ones.
func (m *commit) writeDefinitions(ctx context.Context) error {
	sink := m.t.sink
	views, err := m.next.viewsSQL(sink)
	if err != nil {
		return err
	}
	all, err := m.t.retained(ctx)
	if err != nil {
		return err
	}
	texts := map[string]string{
		"views.sql":                 views + m.next.allSyncsSQL(sink, all),
		ddlFolder + "athena.sql":    m.next.athenaSQL(sink),
		ddlFolder + "trino.sql":     m.next.trinoSQL(sink),
		ddlFolder + "spark.sql":     m.next.sparkSQL(sink),
		ddlFolder + "snowflake.sql": m.next.snowflakeSQL(sink),
	}
	for _, table := range m.next.tables() {
		files := m.next.Files[table]
		if m.t.base.Number > 0 && slices.EqualFunc(files, m.t.base.Files[table], func(a, b fileEntry) bool { return a.Key == b.Key }) {
			continue
		}
		var b strings.Builder
		for _, f := range files {
			b.WriteString(sink.address(f.Key) + "\n")
		}
		texts[symlinkFolder+table+"/files.txt"] = b.String()
	}
	var errs []error
	for key, text := range texts {
		errs = append(errs, putText(sink.store.Writer(ctx, key), text))
	}
	return errors.Join(errs...)
}

// address is where others find an object.
func (s *Sink) address(key string) string {
	if s.local != "" {
		return "file://" + s.local + "/" + key
	}
	return s.store.URL() + "/" + key
}

// file is where DuckDB finds an object.
func (s *Sink) file(key string) string {
	if s.local != "" {
		return s.local + "/" + key
	}
	return s.store.URL() + "/" + key
}

// viewsSQL are the views of DuckDB over the latest state.
func (s *state) viewsSQL(sink *Sink) (string, error) {
	defs, err := s.duckdbViews(sink.file)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- Views over the estate in %s as of sync %s.\n-- Written by dewpoint after every sync.\n", sink.URL(), s.Sync)
	for _, d := range defs {
		b.WriteString(d.sql + ";\n")
		if d.doc != "" {
			fmt.Fprintf(&b, "COMMENT ON VIEW %s IS %s;\n", duckdb.Ident(d.name), duckdb.Literal(d.doc))
		}
	}
	return b.String(), nil
}

// allSyncsSQL are views with the rows of every retained state: the columns
// in_sync and in_sync_at say of which.
func (s *state) allSyncsSQL(sink *Sink, all []*manifest) string {
	var b, syncs strings.Builder
	for i, m := range all {
		if i > 0 {
			syncs.WriteString(", ")
		}
		fmt.Fprintf(&syncs, "(%d, '%s'::UUID, TIMESTAMPTZ '%s')", m.Number, m.Sync, timestampText(m.CreatedAt.UnixMicro()))
	}
	for _, table := range s.tables() {
		if slices.Contains(ownTables, table) && table != "resources" && table != "edges" {
			continue
		}
		var files []fileEntry
		first, last := map[string]int64{}, map[string]int64{}
		for _, m := range all {
			for _, f := range m.Files[table] {
				if _, ok := first[f.Key]; !ok {
					first[f.Key] = m.Number
					files = append(files, f)
				}
				last[f.Key] = m.Number
			}
		}
		if len(files) == 0 {
			continue
		}
		var in []string
		for _, f := range files {
			in = append(in, fmt.Sprintf("(%s, %d, %d)", duckdb.Literal(sink.file(f.Key)), first[f.Key], last[f.Key]))
		}
		from := strings.ReplaceAll(s.selectFiles(table, files, sink.file, ", filename"), "hive_partitioning = false", "hive_partitioning = false, filename = true")
		fmt.Fprintf(&b, `CREATE OR REPLACE VIEW %s AS SELECT s.id AS in_sync, s.written AS in_sync_at, t.* EXCLUDE (filename)
FROM (%s) t JOIN (VALUES %s) f(name, first, last) ON f.name = t.filename
JOIN (VALUES %s) s(number, id, written) ON s.number BETWEEN f.first AND f.last;
`, duckdb.Ident(table+"_all_syncs"), from, strings.Join(in, ", "), syncs.String())
	}
	return b.String()
}

// hiveType is a column's type in the language of Hive, which Athena and Spark
// share.
func hiveType(t schema.Type) string {
	switch t {
	case schema.Bool:
		return "boolean"
	case schema.Int64:
		return "bigint"
	case schema.Float64:
		return "double"
	case schema.Timestamp:
		return "timestamp"
	case schema.TextMap:
		return "map<string,string>"
	}
	if e := t.Elem(); e != 0 {
		return "array<" + hiveType(e) + ">"
	}
	return "string"
}

func backtick(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func hiveText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", " ", ";", ",").Replace(s) + "'"
}

func hiveColumns(cols []schema.Column) string {
	var list []string
	for _, c := range cols {
		line := "  " + backtick(c.Name) + " " + hiveType(c.Type)
		if c.Doc != "" {
			line += " COMMENT " + hiveText(c.Doc)
		}
		list = append(list, line)
	}
	return strings.Join(list, ",\n")
}

// athenaSQL are tables over the latest state, by lists of files that follow
// it, and over the files of all syncs that changed a kind.
func (s *state) athenaSQL(sink *Sink) string {
	var b strings.Builder
	b.WriteString("-- Tables of Athena and of Hive's metastore. Those over the latest state follow it by themselves;\n-- run the file again where a kind or a column was added.\n")
	for _, table := range s.tables() {
		cols := hiveColumns(s.tableColumns(table))
		fmt.Fprintf(&b, `DROP TABLE IF EXISTS %s;
CREATE EXTERNAL TABLE %[1]s (
%s
)
ROW FORMAT SERDE 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe'
STORED AS INPUTFORMAT 'org.apache.hadoop.hive.ql.io.SymlinkTextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION %s;
`, backtick(table), cols, hiveText(sink.address(symlinkFolder+table+"/")))
		if slices.Contains(ownTables, table) {
			continue
		}
		fmt.Fprintf(&b, `DROP TABLE IF EXISTS %s;
CREATE EXTERNAL TABLE %[1]s (
%s
)
PARTITIONED BY (sync_date string, sync_id string)
STORED AS PARQUET
LOCATION %s;
MSCK REPAIR TABLE %[1]s;
`, backtick(table+"_all_syncs"), cols, hiveText(sink.address(table+"/")))
	}
	return b.String()
}

// trinoSQL are tables over the files of all syncs. Those over the latest state
// are the ones of Athena, in the same metastore.
func (s *state) trinoSQL(sink *Sink) string {
	var b strings.Builder
	b.WriteString("-- Tables of Trino's Hive connector over the files of all syncs that changed a kind. The tables over the\n-- latest state are those of athena.sql, in the same metastore: Trino reads lists of files, but does not make them.\n")
	for _, k := range s.cat.Kinds {
		var cols []string
		for _, c := range k.columns() {
			t := strings.NewReplacer("string", "varchar", "array<", "array(", "map<", "map(", ">", ")", "timestamp", "timestamp(6)").Replace(hiveType(c.Type))
			cols = append(cols, "  "+duckdb.Ident(c.Name)+" "+t)
		}
		fmt.Fprintf(&b, `DROP TABLE IF EXISTS %s;
CREATE TABLE %[1]s (
%s,
  sync_date varchar,
  sync_id varchar
)
WITH (format = 'PARQUET', external_location = %s, partitioned_by = ARRAY['sync_date', 'sync_id']);
CALL system.sync_partition_metadata(CURRENT_SCHEMA, %s, 'FULL');
`, duckdb.Ident(k.Name+"_all_syncs"), strings.Join(cols, ",\n"), duckdb.Literal(sink.address(k.Name+"/")), duckdb.Literal(k.Name+"_all_syncs"))
	}
	return b.String()
}

// sparkSQL are views over the files of the latest state.
func (s *state) sparkSQL(sink *Sink) string {
	var b strings.Builder
	b.WriteString("-- Views of Spark over the latest state; they name its files, so run the file anew for a newer one.\n")
	for _, table := range s.tables() {
		cols, files := s.tableColumns(table), s.Files[table]
		var parts []string
		for _, f := range files {
			have := f.Columns
			if have == 0 {
				have = len(cols)
			}
			address := strings.Replace(sink.address(f.Key), "s3://", "s3a://", 1)
			parts = append(parts, "SELECT "+sparkColumns(cols, have)+" FROM parquet."+backtick(address))
		}
		if parts == nil {
			parts = []string{"SELECT " + sparkColumns(cols, 0) + " WHERE false"}
		}
		fmt.Fprintf(&b, "CREATE OR REPLACE TEMPORARY VIEW %s AS %s;\n", backtick(table), strings.Join(parts, "\nUNION ALL "))
	}
	return b.String()
}

func sparkColumns(cols []schema.Column, have int) string {
	var list []string
	for i, c := range cols {
		if i < have {
			list = append(list, backtick(c.Name))
			continue
		}
		list = append(list, fmt.Sprintf("CAST(NULL AS %s) AS %s", hiveType(c.Type), backtick(c.Name)))
	}
	return strings.Join(list, ", ")
}

// snowflakeSQL are external tables over the files of the latest state.
func (s *state) snowflakeSQL(sink *Sink) string {
	var b strings.Builder
	fmt.Fprintf(&b, `-- External tables of Snowflake over the latest state; they name its files, so run the file anew for a newer one.
-- The stage is yours to make once:
--   CREATE STAGE dewpoint URL = '%s' STORAGE_INTEGRATION = your_integration;
`, sink.address(""))
	for _, table := range s.tables() {
		files := s.Files[table]
		if len(files) == 0 {
			continue
		}
		var cols, keys []string
		for _, c := range s.tableColumns(table) {
			value := "value:" + duckdb.Ident(c.Name)
			typ := "VARCHAR"
			switch c.Type {
			case schema.Bool:
				typ = "BOOLEAN"
			case schema.Int64:
				typ = "NUMBER(38, 0)"
			case schema.Float64:
				typ = "DOUBLE"
			case schema.Timestamp:
				typ = "TIMESTAMP_NTZ"
			case schema.JSON:
				typ, value = "VARIANT", "parse_json("+value+"::VARCHAR)"
			case schema.TextMap:
				typ = "VARIANT"
			default:
				if c.Type.Elem() != 0 {
					typ = "ARRAY"
				}
			}
			cols = append(cols, fmt.Sprintf("  %s %s AS (%s::%[2]s)", duckdb.Ident(c.Name), typ, value))
		}
		for _, f := range files {
			keys = append(keys, regexp.QuoteMeta(f.Key))
		}
		fmt.Fprintf(&b, `CREATE OR REPLACE EXTERNAL TABLE %s (
%s
)
LOCATION = @dewpoint/ PATTERN = %s FILE_FORMAT = (TYPE = PARQUET) AUTO_REFRESH = FALSE;
`, duckdb.Ident(table), strings.Join(cols, ",\n"), duckdb.Literal(strings.ReplaceAll(".*("+strings.Join(keys, "|")+")", `\`, `\\`)))
	}
	return b.String()
}
