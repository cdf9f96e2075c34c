// Package superset makes of the dashboards what Apache Superset imports: a
// bundle of assets in the format of its export, with a database, datasets,
// charts and dashboards. Names decide the identity of each, so that a bundle
// imported again replaces what it made.
package superset

import (
	"archive/zip"
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// Options are what differs between installations.
type Options struct {
	// URI is the database as SQLAlchemy names it.
	URI string
	// Models is the schema of the models.
	Models string
	// ReadOnly opens a file of DuckDB for reading, so that it is not locked.
	ReadOnly bool
}

// Default are the options of the files in this repository.
var Default = Options{URI: "postgresql+psycopg2://dewpoint@localhost:5432/estate", Models: "dewpoint_models"}

// Over are the options for a database.
func Over(c dashboards.Connection) Options {
	return Options{URI: c.SQLAlchemy(), Models: c.Models, ReadOnly: c.Dialect == "duckdb"}
}

// DatabaseFile is the file of the bundle that names the database.
const DatabaseFile = "databases/dewpoint.yaml"

// id is the identity of an asset.
func id(kind, name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/dewpoint-data/dewpoint/dashboards/"+kind+"/"+name)).String()
}

type (
	object = map[string]any
	list   = []any
)

// Files are the files of the bundle by path.
func Files(o Options) (map[string][]byte, error) {
	boards, queries, err := dashboards.Load()
	if err != nil {
		return nil, err
	}
	all := map[string]any{
		"metadata.yaml": object{"version": "1.0.0", "type": "assets", "timestamp": "2026-01-01T00:00:00+00:00"},
		DatabaseFile:    database(o),
	}
	for name, q := range queries {
		all["datasets/dewpoint/"+name+".yaml"] = dataset(q, o)
	}
	for _, b := range boards {
		for _, c := range b.Charts() {
			all["charts/"+c.Name()+".yaml"] = chart(c)
		}
		all["dashboards/"+b.Name+".yaml"] = dashboard(b)
	}
	files := map[string][]byte{}
	for path, value := range all {
		text, err := yaml.MarshalWithOptions(value, yaml.UseLiteralStyleIfMultiline(true), yaml.IndentSequence(true))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		files[path] = text
	}
	return files, nil
}

// Bundle is the zip file that Superset's import takes.
func Bundle(o Options) ([]byte, error) {
	files, err := Files(o)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		w, err := z.Create("dewpoint/" + path)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(files[path]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func database(o Options) object {
	uri, _ := maskPassword(o.URI)
	extra := object{"allows_virtual_table_explore": true}
	if o.ReadOnly {
		extra["engine_params"] = object{"connect_args": object{"read_only": true}}
	}
	return object{
		"database_name": "dewpoint", "uuid": id("database", "dewpoint"), "version": "1.0.0", "sqlalchemy_uri": uri,
		"expose_in_sqllab": true, "allow_run_async": false, "allow_ctas": false, "allow_cvas": false, "allow_dml": false,
		"allow_csv_upload": false, "extra": extra,
	}
}

// sqlTypes are the types that Superset shows for those of a query.
var sqlTypes = map[string]string{"text": "VARCHAR", "number": "DOUBLE PRECISION", "time": "TIMESTAMP", "date": "DATE"}

func dataset(q *dashboards.Query, o Options) object {
	var columns list
	var time any
	for _, c := range q.Columns {
		moment := c.Type == "time" || c.Type == "date"
		if moment && time == nil {
			time = c.Name
		}
		columns = append(columns, object{
			"column_name": c.Name, "verbose_name": strings.ReplaceAll(c.Name, "_", " "), "type": sqlTypes[c.Type], "is_dttm": moment, "is_active": true,
			"groupby": c.Type != "number", "filterable": true,
		})
	}
	return object{
		"table_name": "dewpoint " + q.Name, "description": q.Help, "uuid": id("dataset", q.Name), "version": "1.0.0",
		"database_uuid": id("database", "dewpoint"), "schema": o.Models, "sql": q.In(o.Models), "main_dttm_col": time,
		"filter_select_enabled": true, "normalize_columns": true, "columns": columns,
		"metrics": list{object{"metric_name": "count", "expression": "COUNT(*)", "verbose_name": "rows"}},
	}
}

// formats are those of measures as D3 writes them.
var formats = map[string]string{"count": ",.0f", "usd": "$,.2f", "ratio": ".1%", "decimal": ",.1f"}

func metric(m dashboards.Measure) object {
	return object{
		"expressionType": "SQL", "sqlExpression": m.SQL, "label": m.As, "hasCustomLabel": true,
		"optionName": "metric_" + strings.ReplaceAll(m.As, " ", "_"),
	}
}

func chart(c *dashboards.Chart) object {
	first := metric(c.Show[0])
	format := formats[c.Show[0].Format]
	var metrics, groups list
	for _, m := range c.Show {
		metrics = append(metrics, metric(m))
	}
	for _, column := range c.By {
		groups = append(groups, column)
	}
	params := object{"adhoc_filters": list{}, "row_limit": c.Limit, "color_scheme": "supersetColors", "extra_form_data": object{}}
	if c.Where != "" {
		params["adhoc_filters"] = list{object{
			"expressionType": "SQL", "clause": "WHERE", "sqlExpression": c.Where, "filterOptionName": "filter_" + c.Name(),
		}}
	}
	kind := ""
	switch c.Is {
	case "number":
		kind = "big_number_total"
		add(params, object{"metric": first, "y_axis_format": format, "header_font_size": 0.6})
	case "share":
		kind = "pie"
		add(params, object{
			"groupby": groups, "metric": first, "sort_by_metric": true, "donut": true, "innerRadius": 45, "outerRadius": 75,
			"show_labels": true, "labels_outside": true, "label_line": true, "label_type": "key_value", "show_labels_threshold": 2,
			"number_format": format, "show_legend": false, "show_total": true,
		})
	case "table":
		kind = "table"
		add(params, tableParams(c, groups, metrics))
	default:
		kind = map[string]string{"area": "echarts_area", "bars": "echarts_timeseries_bar", "columns": "echarts_timeseries_bar"}[c.Is]
		add(params, axisParams(c, groups, metrics, format))
	}
	params["viz_type"] = kind
	return object{
		"slice_name": c.Title, "description": c.Help, "viz_type": kind, "params": params, "uuid": id("chart", c.Name()), "version": "1.0.0",
		"dataset_uuid": id("dataset", c.From),
	}
}

func add(to, from object) { maps.Copy(to, from) }

func tableParams(c *dashboards.Chart, groups, metrics list) object {
	config := object{}
	for i, m := range c.Show {
		config[m.As] = object{"d3NumberFormat": formats[m.Format], "d3SmallNumberFormat": formats[m.Format], "showCellBars": i == 0}
	}
	timeFormat := "%Y-%m-%d"
	for _, column := range c.By {
		if c.Query.Type(column) == "time" {
			timeFormat = "%Y-%m-%d %H:%M"
		}
	}
	column, descending := c.OrderBy()
	order := object{"expressionType": "SQL", "sqlExpression": "min(" + column + ")", "label": "order", "hasCustomLabel": true}
	for _, m := range c.Show {
		if m.As == column { // Postgres has NULL as the largest.
			order["sqlExpression"] = "coalesce(" + m.SQL + ", 0)"
		}
	}
	return object{
		"query_mode": "aggregate", "groupby": groups, "metrics": metrics, "all_columns": list{}, "percent_metrics": list{},
		"timeseries_limit_metric": order, "order_desc": descending, "server_pagination": false, "page_length": 0,
		"show_cell_bars": true, "color_pn": false, "table_timestamp_format": timeFormat, "column_config": config,
	}
}

func axisParams(c *dashboards.Chart, groups, metrics list, format string) object {
	p := object{
		"x_axis": c.By[0], "groupby": groups[1:], "metrics": metrics, "order_desc": true, "y_axis_format": format,
		"show_legend": len(groups)+len(metrics) > 2, "legendType": "scroll", "legendOrientation": "top", "rich_tooltip": true, "truncate_metric": true,
		"sort_series_type": "sum", "sort_series_ascending": false,
	}
	if len(groups) > 1 || c.Is == "area" {
		p["stack"] = "Stack"
	}
	column, descending := c.OrderBy()
	switch {
	case c.Query.Type(c.By[0]) == "date":
		add(p, object{"time_grain_sqla": "P1M", "x_axis_time_format": "%Y-%m"})
	case len(groups) > 1:
		add(p, object{"x_axis_sort_series": "name", "x_axis_sort_series_ascending": true})
	default: // Bars are drawn from below.
		add(p, object{"x_axis_sort": column, "x_axis_sort_asc": descending == (c.Is == "bars")})
	}
	switch c.Is {
	case "bars":
		p["orientation"] = "horizontal"
	case "columns":
		p["orientation"] = "vertical"
	case "area":
		add(p, object{"opacity": 0.5, "seriesType": "step"})
	}
	return p
}
