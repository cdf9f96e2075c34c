package parquet

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	xreader "github.com/xitongsys/parquet-go/reader"
	"github.com/xitongsys/parquet-go/source"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// zoo is a kind with a column of each type, and rows at their limits.
func zoo() (*schema.Kind, []sinktest.Row) {
	k := &schema.Kind{Name: "aws_test_zoo", Key: "aws_test_zoo", Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion, Doc: "All types.", Definition: "1"}
	for name, t := range map[string]schema.Type{
		"a_bool": schema.Bool, "an_int": schema.Int64, "a_float": schema.Float64, "a_text": schema.Text, "a_time": schema.Timestamp, "a_json": schema.JSON,
		"a_map": schema.TextMap, "some_bools": schema.BoolList, "some_ints": schema.Int64List, "some_floats": schema.Float64List,
		"some_texts": schema.TextList, "some_times": schema.TimestampList,
	} {
		k.Columns = append(k.Columns, schema.Column{Name: name, Type: t})
	}
	slices.SortFunc(k.Columns, func(a, b schema.Column) int { return strings.Compare(a.Name, b.Name) })
	first, last := time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC)
	odd := "snow ☃ 🜁 ' \" \\ \t\n"
	return k, []sinktest.Row{
		{ID: "full", Tags: map[string]string{"k": odd}, Values: map[string]any{
			"a_bool": true, "an_int": int64(math.MinInt64), "a_float": math.MaxFloat64, "a_text": odd, "a_time": first, "a_json": `{"z":9007199254740993}`,
			"a_map": map[string]string{"": "e", "k": "v"}, "some_bools": []bool{true, false}, "some_ints": []int64{math.MaxInt64, 3e9},
			"some_floats": []float64{0.1}, "some_texts": []string{"", odd}, "some_times": []time.Time{first, last},
		}},
		{ID: "empty", Tags: map[string]string{}, Values: map[string]any{"a_text": "", "a_map": map[string]string{}, "some_texts": []string{}, "a_time": last}},
		{ID: "null"},
	}
}

// value is the common form of what the readers give.
func value(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999")
	case json.Number:
		return v.String()
	case int64, float64:
		b, _ := json.Marshal(v)
		return string(b)
	case []byte:
		return string(v)
	}
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Pointer:
		if r.IsNil() {
			return nil
		}
		return value(r.Elem().Interface())
	case reflect.Slice:
		list := make([]any, r.Len())
		for i := range list {
			list[i] = value(r.Index(i).Interface())
		}
		return list
	case reflect.Map:
		m := map[string]any{}
		for it := r.MapRange(); it.Next(); {
			m[it.Key().String()] = value(it.Value().Interface())
		}
		return m
	}
	return v
}

// TestFilesByThreeReaders reads the file of a kind by DuckDB, by PyArrow and
// by another library of Go, and compares every value with what was written.
func TestFilesByThreeReaders(t *testing.T) {
	dir := t.TempDir()
	k, rows := zoo()
	s := open(t, "parquet:"+dir)
	tx, err := s.Begin(t.Context(), sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: noon, Version: "1", Kinds: []*schema.Kind{k}})
	if err != nil {
		t.Fatal(err)
	}
	scope := schema.Scope{Cloud: "aws", Account: "111111111111", Region: "eu-west-1", Kind: k.Name}
	if err := tx.Write(t.Context(), sinktest.Batch(k, scope, rows...)); err != nil {
		t.Fatal(err)
	}
	if err := tx.Scope(t.Context(), schema.ScopeResult{Scope: scope, State: schema.Complete}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context(), sinks.Outcome{}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, k.Name, "*", "*", "*.parquet"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v: want one file", files, err)
	}
	want := map[string]map[string]any{}
	for _, r := range rows {
		row := map[string]any{
			"id": r.ID, "_id": sinktest.ID(k, "111111111111", "eu-west-1", r.ID).String(), "_scope": scope.ID(), "kind": k.Name, "created_at": nil,
			"tags": value(map[string]string(r.Tags)),
		}
		if r.Tags == nil {
			row["tags"] = nil
		}
		for _, c := range k.Columns {
			row[c.Name] = value(r.Values[c.Name])
		}
		want[r.ID] = row
	}
	compare := func(name string, got map[string]map[string]any) {
		t.Helper()
		for id, row := range got {
			for c := range row {
				if _, ok := want[id][c]; !ok {
					delete(row, c)
				}
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-written +read):\n%s", name, d)
		}
	}
	compare("DuckDB", byDuckDB(t, files[0], k))
	compare("PyArrow", byPyArrow(t, files[0]))
	// parquet-go does not tell a list or map that is NULL from an empty one.
	for _, r := range want {
		for _, c := range k.TableColumns() {
			if have, ok := r[c.Name]; ok && have == nil && c.Type.Elem() != 0 {
				r[c.Name] = []any{}
			} else if ok && have == nil && c.Type == schema.TextMap {
				r[c.Name] = map[string]any{}
			}
		}
	}
	compare("parquet-go", byParquetGo(t, files[0], k))
}

// byDuckDB reads the file by itself, without the views.
func byDuckDB(t *testing.T, path string, k *schema.Kind) map[string]map[string]any {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var cols []string
	for _, c := range k.TableColumns() {
		col := fmt.Sprintf("%q", c.Name)
		switch {
		case c.Type == schema.Timestamp:
			col = fmt.Sprintf("strftime(%s AT TIME ZONE 'UTC', '%%Y-%%m-%%dT%%H:%%M:%%S.%%f') AS %[1]s", col)
		case c.Type == schema.TimestampList:
			col = fmt.Sprintf("list_transform(%s, lambda x: strftime(x AT TIME ZONE 'UTC', '%%Y-%%m-%%dT%%H:%%M:%%S.%%f')) AS %[1]s", col)
		}
		cols = append(cols, col)
	}
	rows, err := db.Query("SELECT to_json(r)::VARCHAR FROM (SELECT " + strings.Join(cols, ", ") + " FROM read_parquet('" + path + "')) r")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]map[string]any{}
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		addRow(t, all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// addRow adds a row given as JSON. Times lose the zeros at their end.
func addRow(t *testing.T, all map[string]map[string]any, text string) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var row map[string]any
	if err := d.Decode(&row); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	trim := func(v any) any {
		if s, ok := v.(string); ok && strings.Contains(s, ".") {
			return strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return v
	}
	number := func(v any) any {
		if n, ok := v.(json.Number); ok {
			if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), ".e") {
				return value(f)
			}
		}
		return value(v)
	}
	for c, v := range row {
		list, isList := v.([]any)
		switch {
		case c == "some_times" && isList:
			for i := range list {
				list[i] = trim(list[i])
			}
			row[c] = list
		case c == "a_time":
			row[c] = trim(v)
		case isList:
			for i := range list {
				list[i] = number(list[i])
			}
			row[c] = list
		default:
			row[c] = number(v)
		}
	}
	all[row["id"].(string)] = row
}

const pyArrow = `
import sys, json, datetime, pyarrow.parquet
def plain(v):
    if isinstance(v, datetime.datetime):
        return v.replace(tzinfo=None).isoformat(timespec="microseconds")
    if isinstance(v, list):
        return dict(v) if v and isinstance(v[0], tuple) else [plain(x) for x in v]
    return v
f = pyarrow.parquet.ParquetFile(sys.argv[1])
maps = {x.name for x in f.schema_arrow if str(x.type).startswith("map")}
for row in f.read().to_pylist():
    print(json.dumps({k: {} if v == [] and k in maps else plain(v) for k, v in row.items()}))
`

func byPyArrow(t *testing.T, path string) map[string]map[string]any {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	python, err := filepath.Glob(filepath.Join("..", "..", ".cache", "pyiceberg-*", "bin", "python"))
	if err != nil || len(python) == 0 {
		t.Fatal("there is no Python with PyArrow under .cache: run make servers")
	}
	cmd := exec.CommandContext(context.Background(), python[0], "-c", pyArrow, path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]map[string]any{}
	for line := range strings.Lines(string(out)) {
		addRow(t, all, line)
	}
	return all
}

// localFile is a file as parquet-go wants it.
type localFile struct{ *os.File }

func (f localFile) Open(string) (source.ParquetFile, error) {
	o, err := os.Open(f.Name())
	return localFile{o}, err
}

func (f localFile) Create(string) (source.ParquetFile, error) { return nil, os.ErrPermission }

func byParquetGo(t *testing.T, path string, k *schema.Kind) map[string]map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := xreader.NewParquetReader(localFile{f}, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.ReadStop()
	rows, err := r.ReadByNumber(int(r.GetNumRows()))
	if err != nil {
		t.Fatal(err)
	}
	cols := k.TableColumns()
	all := map[string]map[string]any{}
	for _, v := range rows {
		s := reflect.ValueOf(v)
		row := map[string]any{}
		for i, c := range cols {
			row[c.Name] = parquetGoValue(s.Field(i), c.Type)
		}
		all[row["id"].(string)] = row
	}
	return all
}

func parquetGoValue(v reflect.Value, typ schema.Type) any {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	at := func(us int64) any { return value(time.UnixMicro(us)) }
	switch {
	case typ == schema.Timestamp:
		return at(v.Int())
	case typ.Elem() != 0:
		// A list is a structure of a repeated structure.
		for v.Kind() == reflect.Struct {
			v = v.Field(0)
		}
		list := []any{}
		for i := range v.Len() {
			e := v.Index(i)
			for e.Kind() == reflect.Pointer || e.Kind() == reflect.Struct {
				if e.Kind() == reflect.Struct {
					e = e.Field(0)
				} else {
					e = e.Elem()
				}
			}
			list = append(list, parquetGoValue(e, typ.Elem()))
		}
		return list
	case typ == schema.TextMap:
		for v.Kind() == reflect.Struct {
			v = v.Field(0)
		}
		m := map[string]any{}
		if v.Kind() == reflect.Map {
			for it := v.MapRange(); it.Next(); {
				m[it.Key().String()] = parquetGoValue(it.Value(), schema.Text)
			}
			return m
		}
		for i := range v.Len() {
			e := v.Index(i)
			m[parquetGoValue(e.Field(0), schema.Text).(string)] = parquetGoValue(e.Field(1), schema.Text)
		}
		return m
	}
	return value(v.Interface())
}

// TestViewsForOthers runs views.sql in a DuckDB of a user.
func TestViewsForOthers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, "parquet:"+dir)
	for i, rows := range [][]sinktest.Row{lit("a", "b"), lit("a", "b"), lit("a", "c")} {
		e := estateSync{at: noon.Add(time.Duration(i) * time.Hour), lamps: rows, shelfs: []sinktest.Row{{ID: "s"}}}
		if _, err := e.run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	views, err := os.ReadFile(filepath.Join(dir, "views.sql"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(string(views)); err != nil {
		t.Fatal(err)
	}
	for q, want := range map[string]string{
		"SELECT string_agg(id, ',' ORDER BY id) FROM aws_test_lamp":                                                                                  "a,c",
		"SELECT string_agg(n, ',') FROM (SELECT string_agg(id, '' ORDER BY id) AS n FROM aws_test_lamp_all_syncs GROUP BY in_sync ORDER BY in_sync)": "ab,ab,ac",
		"SELECT count(*)::VARCHAR FROM edges WHERE to_id IS NOT NULL":                                                                                "2",
		"SELECT string_agg(id, ',' ORDER BY id) FROM as_of(TIMESTAMPTZ '2026-03-01 12:30:00Z') WHERE kind = 'aws_test_lamp'":                         "a,b",
	} {
		var got string
		if err := db.QueryRow(q).Scan(&got); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", q, got, err, want)
		}
	}
	for _, name := range []string{"athena", "trino", "spark", "snowflake"} {
		text, err := os.ReadFile(filepath.Join(dir, ownFolder, "ddl", name+".sql"))
		if err != nil || !strings.Contains(string(text), "aws_test_lamp") || !strings.Contains(string(text), "watts") {
			t.Errorf("%s.sql does not have the kind: %v\n%.300s", name, err, text)
		}
	}
	links, err := os.ReadFile(filepath.Join(dir, symlinkFolder, "aws_test_lamp", "files.txt"))
	if err != nil || strings.Count(string(links), "\n") != 1 || !strings.HasPrefix(string(links), "file://"+dir+"/aws_test_lamp/sync_date=2026-03-01/") {
		t.Errorf("the list of files is %q, %v", links, err)
	}
}
