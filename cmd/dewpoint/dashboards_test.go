package main

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/dewpoint-data/dewpoint/dashboards"
	"github.com/dewpoint-data/dewpoint/dashboards/metabase"
)

// answers runs a statement and returns its columns, their database types and
// how many rows there are.
func answers(t *testing.T, db *sql.DB, text string) (columns, types []string, n int) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Errorf("%v\n%s", err, text)
		return nil, nil, 0
	}
	defer rows.Close()
	of, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range of {
		columns, types = append(columns, c.Name()), append(types, strings.ToUpper(c.DatabaseTypeName()))
	}
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	return columns, types, n
}

// columnTypes are what the databases call the types of the queries' columns.
var columnTypes = map[string][]string{
	"text": {"VARCHAR", "TEXT"}, "date": {"DATE"}, "time": {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"},
	"number": {"INT4", "INT8", "NUMERIC", "FLOAT8", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "DECIMAL"},
}

var (
	optional = regexp.MustCompile(`\[\[.*?\]\]`)
	variable = regexp.MustCompile(`\{\{\w+\}\}`)
)

// askDashboards holds that the queries have the columns that they say, that
// each chart has rows, as one statement and as Superset asks it, and that its
// rows have the columns it names.
func askDashboards(t *testing.T, db *sql.DB) {
	boards, queries, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range queries {
		columns, types, n := answers(t, db, q.In("dewpoint_models"))
		if n == 0 {
			t.Errorf("query %s has no rows", name)
		}
		if len(columns) != len(q.Columns) {
			t.Errorf("query %s says that it has %d columns, it has %q", name, len(q.Columns), columns)
		}
		for i, c := range columns {
			known := columnTypes[q.Type(c)]
			if !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(types[i], k) }) {
				t.Errorf("query %s says that %s is of the type %q, it is %s", name, c, q.Type(c), types[i])
			}
		}
	}
	for _, b := range boards {
		for _, c := range b.Charts() {
			want := slices.Clone(c.By)
			for _, m := range c.Show {
				want = append(want, m.As)
			}
			columns, _, n := answers(t, db, c.SQL("dewpoint_models"))
			if n == 0 {
				t.Errorf("%s has no rows", c.Name())
			}
			if !slices.Equal(columns, want) {
				t.Errorf("%s has the columns %q, not %q", c.Name(), columns, want)
			}
			// Metabase leaves clauses out whose filter is not set.
			asked := metabase.SQL(c, "dewpoint_models")
			if _, _, n := answers(t, db, optional.ReplaceAllString(asked, "")); n == 0 {
				t.Errorf("%s has no rows in Metabase", c.Name())
			}
			answers(t, db, variable.ReplaceAllString(strings.NewReplacer("[[", "", "]]", "").Replace(asked), "'aws'"))
		}
	}
	askSuperset(t, db)
}

// askGrafana holds that each panel over Postgres has rows, of times, lines and
// values, and that the labels of each metric are those that the panels over
// Prometheus name.
func askGrafana(t *testing.T, db *sql.DB) {
	text, err := os.ReadFile("../../dashboards/grafana/dashboards/dewpoint.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ RawSQL string }
		}
		Templating struct {
			List []struct{ Name, Query string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	accounts := ""
	for _, v := range board.Templating.List {
		if v.Name == "account" {
			accounts = strings.ReplaceAll(v.Query, "ORDER BY 1", "")
			if _, _, n := answers(t, db, v.Query); n == 0 {
				t.Error("the variable account has no values")
			}
		}
	}
	filter := regexp.MustCompile(`\$__timeFilter\((\w+)\)`)
	// A first sync has no history, and nothing in the recording is of today.
	late := regexp.MustCompile("resource_history|churned_resources")
	for _, p := range board.Panels {
		q := filter.ReplaceAllString(p.Targets[0].RawSQL, "$1 BETWEEN '1970-01-01T00:00:00Z' AND '2100-01-01T00:00:00Z'")
		q = strings.ReplaceAll(q, "${account:sqlstring}", accounts)
		columns, types, n := answers(t, db, q)
		if n == 0 && !late.MatchString(q) {
			t.Errorf("the panel %q has no rows", p.Title)
		}
		if len(columns) < 2 || columns[0] != "time" || !strings.HasPrefix(types[0], "TIMESTAMP") {
			t.Errorf("the panel %q has the columns %q of %q", p.Title, columns, types)
		}
	}
	series, err := dashboards.LoadSeries()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range series {
		labels := slices.Concat(s.By, slices.Collect(maps.Keys(s.Where)))
		if !s.Global {
			labels = append(labels, "account")
		}
		for _, l := range labels {
			if _, _, n := answers(t, db, "SELECT 1 FROM metrics WHERE name = '"+s.Metric+"' AND labels ->> '"+l+"' IS NOT NULL"); n == 0 && s.Metric != "" && !late.MatchString(s.Metric) {
				t.Errorf("%s: the metric %s has no label %s", s.Title, s.Metric, l)
			}
		}
	}
}

// supersetFile reads a file of the bundle as it stands in the repository.
func supersetFile[T any](t *testing.T, path string) T {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return v
}

type supersetMetric struct {
	SQL   string `yaml:"sqlExpression"`
	Label string
}

// askSuperset asks the charts of the bundle as Superset does: over the
// dataset's SQL as a table.
func askSuperset(t *testing.T, db *sql.DB) {
	const dir = "../../dashboards/superset/assets/"
	type dataset struct {
		UUID, SQL string
		Columns   []struct {
			Name string `yaml:"column_name"`
		}
	}
	datasets := map[string]dataset{}
	paths, err := filepath.Glob(dir + "datasets/dewpoint/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		d := supersetFile[dataset](t, p)
		datasets[d.UUID] = d
	}
	if paths, err = filepath.Glob(dir + "charts/*.yaml"); err != nil || len(paths) == 0 {
		t.Fatalf("%d charts in %s: %v", len(paths), dir, err)
	}
	for _, p := range paths {
		c := supersetFile[struct {
			Dataset string `yaml:"dataset_uuid"`
			Params  struct {
				X       string `yaml:"x_axis"`
				GroupBy []string
				Metric  *supersetMetric
				Metrics []supersetMetric
				Order   *supersetMetric  `yaml:"timeseries_limit_metric"`
				Filters []supersetMetric `yaml:"adhoc_filters"`
				Limit   int              `yaml:"row_limit"`
			}
		}](t, p)
		d, ok := datasets[c.Dataset]
		if !ok {
			t.Errorf("%s names no dataset of the bundle", p)
			continue
		}
		by := c.Params.GroupBy
		if c.Params.X != "" {
			by = append([]string{c.Params.X}, by...)
		}
		for _, g := range by {
			if !slices.ContainsFunc(d.Columns, func(c struct {
				Name string `yaml:"column_name"`
			},
			) bool {
				return c.Name == g
			}) {
				t.Errorf("%s: its dataset has no column %s", p, g)
			}
		}
		text := statement(by, c.Params.Metric, c.Params.Metrics, d.SQL)
		for _, f := range c.Params.Filters {
			text += "\nWHERE (" + f.SQL + ")"
		}
		if len(by) > 0 {
			text += "\nGROUP BY " + strings.Join(by, ", ")
		}
		if o := c.Params.Order; o != nil {
			text += "\nORDER BY " + o.SQL
		}
		if _, _, n := answers(t, db, text+fmt.Sprintf("\nLIMIT %d", c.Params.Limit)); n == 0 {
			t.Errorf("%s has no rows", p)
		}
	}
}

func statement(by []string, one *supersetMetric, metrics []supersetMetric, from string) string {
	if one != nil {
		metrics = append(metrics, *one)
	}
	all := slices.Clone(by)
	for _, m := range metrics {
		all = append(all, m.SQL+` AS "`+m.Label+`"`)
	}
	return "SELECT " + strings.Join(all, ", ") + " FROM (" + from + ") AS virtual_table"
}
