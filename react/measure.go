package react

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Sample is a value with its labels. A label without a value is not there.
type Sample struct {
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`
}

// Measurement is what came of a metric.
type Measurement struct {
	Metric  *Metric
	Samples []Sample
	// Lacks is what the metric needs and the estate or the configuration does
	// not have: there are no samples then, and no error.
	Lacks    string
	Err      error
	Duration time.Duration
}

// Measure computes metrics on the estate. One that fails leaves the others
// alone; the error is that of the context.
func (e *Estate) Measure(ctx context.Context, metrics []*Metric, now time.Time, s Settings) ([]Measurement, error) {
	out := make([]Measurement, 0, len(metrics))
	for _, m := range metrics {
		start := time.Now()
		r := Measurement{Metric: m, Lacks: e.lacks(m)}
		if r.Lacks == "" {
			r.Samples, r.Err = e.measure(ctx, m, now, s)
			if r.Err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				r.Err = fmt.Errorf("%s: %w", m.File, r.Err)
			}
		}
		r.Duration = time.Since(start)
		out = append(out, r)
	}
	return out, nil
}

// lacks names the first thing that the metric needs and that is not there.
func (e *Estate) lacks(m *Metric) string {
	for _, n := range m.Needs {
		if !e.Has(n) {
			return n
		}
	}
	return ""
}

func (e *Estate) measure(ctx context.Context, m *Metric, now time.Time, s Settings) ([]Sample, error) {
	q, err := e.render(m.Name, m.sql(e.Dialect), now, s, &Rule{})
	if err != nil {
		return nil, err
	}
	rows, err := e.DB.QueryContext(ctx, q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return readSamples(rows)
}

var labelName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func readSamples(rows *sql.Rows) ([]Sample, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	at := -1
	for i, c := range columns {
		columns[i] = strings.ToLower(c)
		switch {
		case columns[i] == "value":
			at = i
		case !labelName.MatchString(columns[i]):
			return nil, fmt.Errorf("the column %q is no name of a label: give it one by AS", c)
		}
	}
	if at < 0 {
		return nil, errors.New("there is no column value")
	}
	values, ptrs := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		ptrs[i] = &values[i]
	}
	var out []Sample
	seen := map[string]bool{}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		if values[at] == nil {
			continue // nothing is known
		}
		s := Sample{Labels: map[string]string{}}
		if s.Value, err = number(values[at]); err != nil {
			return nil, err
		}
		for i, v := range values {
			if text := display(v); i != at && text != "" {
				s.Labels[columns[i]] = text
			}
		}
		key := labelKey(s.Labels)
		if seen[key] {
			return nil, fmt.Errorf("two rows have the labels {%s}: GROUP BY them", key)
		}
		seen[key] = true
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return labelKey(out[i].Labels) < labelKey(out[j].Labels) })
	return out, rows.Err()
}

// labelKey writes labels in a stable form.
func labelKey(labels map[string]string) string {
	keys := make([]string, 0, len(labels))
	for k := range labels {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(k + "=" + strconv.Quote(labels[k]))
	}
	return b.String()
}

// number reads what a driver returns for a number; decimals and wide integers
// come in types of its own, which print as numbers.
func number(v any) (float64, error) {
	switch x := v.(type) {
	case float64:
		return x, nil
	case int64:
		return float64(x), nil
	case []byte:
		v = string(x)
	case interface{ Float64() float64 }:
		return x.Float64(), nil
	}
	f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
	if err != nil || math.IsNaN(f) {
		return 0, fmt.Errorf("value is %v, no number", v)
	}
	return f, nil
}

// display writes a value as text; NULL is empty.
func display(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case []byte:
		return string(x)
	case time.Time:
		return x.UTC().Format(time.RFC3339)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
