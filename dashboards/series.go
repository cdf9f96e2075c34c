package dashboards

import (
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed series.yaml
var seriesFile []byte

// Series is a question about what changes with time, over a metric or, where
// SQL is given, over other tables.
type Series struct {
	Title, Help string
	Metric      string
	// Aggregate is sum (the default), avg, min or max.
	Aggregate string
	// By are the labels of which each value makes a line.
	By    []string
	Where map[string]string // labels that have to have a value
	// Since says that the value is an instant, in seconds since 1970, and what
	// is shown the seconds since then. An instant of 0 is none.
	Since bool
	// Global says that the metric has no label account.
	Global bool
	Unit   string // bytes, seconds, ratio or empty
	Stack  bool
	SQL    string // with the macros of Grafana; {dewpoint} and {models} are the schemas
}

// LoadSeries returns the series in their order.
func LoadSeries() ([]*Series, error) {
	var all []*Series
	if err := yaml.UnmarshalWithOptions(seriesFile, &all, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("series.yaml: %w", err)
	}
	for _, s := range all {
		if s.Aggregate == "" {
			s.Aggregate = "sum"
		}
		if (s.Metric == "") == (s.SQL == "") || !slices.Contains([]string{"sum", "avg", "min", "max"}, s.Aggregate) ||
			!slices.Contains([]string{"", "bytes", "seconds", "ratio"}, s.Unit) {
			return nil, fmt.Errorf("series.yaml: %q: it has a metric or sql, an aggregate and a unit that are known", s.Title)
		}
	}
	return all, nil
}

// Postgres is the series as a query of Grafana's Postgres data source: columns
// time, metric where there are lines, and value. $account is the variable of
// the accounts that are shown.
func (s *Series) Postgres(dewpoint, models string) string {
	if s.SQL != "" {
		return strings.NewReplacer("{dewpoint}", dewpoint, "{models}", models).Replace(s.SQL)
	}
	label := func(name string) string { return "labels ->> '" + name + "'" }
	value := s.Aggregate + "(value)"
	if s.Since {
		value = "extract(epoch FROM measured_at) - " + value
	}
	var b strings.Builder
	b.WriteString(`SELECT measured_at AS "time", `)
	group := "1"
	if len(s.By) > 0 {
		group = "1, 2"
		var lines []string
		for _, l := range s.By {
			lines = append(lines, "coalesce("+label(l)+", 'none')")
		}
		b.WriteString(strings.Join(lines, " || ' ' || ") + " AS metric, ")
	}
	fmt.Fprintf(&b, "%s AS value\nFROM %s.metrics\nWHERE name = '%s' AND $__timeFilter(measured_at)", value, dewpoint, s.Metric)
	if !s.Global {
		b.WriteString("\n    AND " + label("account") + " IN (${account:sqlstring})")
	}
	for _, l := range slices.Sorted(maps.Keys(s.Where)) {
		b.WriteString("\n    AND " + label(l) + " = '" + s.Where[l] + "'")
	}
	if s.Since {
		b.WriteString("\n    AND value > 0")
	}
	b.WriteString("\nGROUP BY " + group)
	if s.Since {
		b.WriteString(", measured_at")
	}
	b.WriteString("\nORDER BY 1")
	return b.String()
}

// Prometheus is the series as a query of Prometheus, empty where it is over
// no metric.
func (s *Series) Prometheus() string {
	if s.Metric == "" {
		return ""
	}
	var labels []string
	if !s.Global {
		labels = append(labels, `account=~"$account"`)
	}
	for _, l := range slices.Sorted(maps.Keys(s.Where)) {
		labels = append(labels, l+`="`+s.Where[l]+`"`)
	}
	q := "dewpoint_" + s.Metric
	if len(labels) > 0 {
		q += "{" + strings.Join(labels, ", ") + "}"
	}
	if s.Since {
		q += " > 0"
	}
	q = "(" + q + ")"
	if len(s.By) > 0 {
		q = " by (" + strings.Join(s.By, ", ") + ") " + q
	}
	q = s.Aggregate + q
	if s.Since {
		q = "time() - " + q
	}
	return q
}
