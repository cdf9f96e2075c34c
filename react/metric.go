package react

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

//go:embed metrics/*.sql
var bundledMetrics embed.FS

// Metric is a SELECT whose column value is the value and whose other columns
// are labels.
type Metric struct {
	// Name is the file's, without what comes after the first dot.
	Name string
	Help string
	// Unit is bytes, seconds, ratio or empty; a name ends in its unit.
	Unit string
	// Needs are tables without which the metric has no samples.
	Needs []string
	// File is where the metric is from.
	File string

	text     string
	variants map[Dialect]string
}

var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// BundledMetrics are the metrics that dewpoint ships, by name.
func BundledMetrics() []*Metric {
	all, err := readMetrics(bundledMetrics, "metrics", "bundled")
	if err != nil {
		panic("react: " + err.Error())
	}
	return all
}

// LoadMetrics reads the metrics of a folder. One that bears a bundled one's
// name replaces it. Files are NAME.sql, or NAME.DIALECT.sql for a variant.
func LoadMetrics(dir string) ([]*Metric, error) {
	return readMetrics(os.DirFS(dir), ".", dir)
}

func readMetrics(fsys fs.FS, dir, shown string) ([]*Metric, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	byName := map[string]*Metric{}
	variants := map[string]map[Dialect]string{}
	for _, entry := range entries {
		base, ok := strings.CutSuffix(entry.Name(), ".sql")
		if !ok || entry.IsDir() {
			continue
		}
		text, err := fs.ReadFile(fsys, path.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("read the metrics: %w", err)
		}
		name, dialect, variant := strings.Cut(base, ".")
		if !metricName.MatchString(name) {
			return nil, fmt.Errorf("%s/%s: a metric's name has lower case letters, digits and _", shown, entry.Name())
		}
		if variant {
			if d := Dialect(dialect); !slices.Contains([]Dialect{DuckDB, Postgres, Snowflake}, d) {
				return nil, fmt.Errorf("%s/%s: %q is no dialect: take duckdb, postgres or snowflake", shown, entry.Name(), dialect)
			}
			if variants[name] == nil {
				variants[name] = map[Dialect]string{}
			}
			variants[name][Dialect(dialect)] = string(text)
			continue
		}
		m := &Metric{Name: name, File: shown + "/" + entry.Name(), text: string(text)}
		if err := m.header(); err != nil {
			return nil, fmt.Errorf("%s: %w", m.File, err)
		}
		byName[name] = m
	}
	var out []*Metric
	for name, v := range variants {
		if byName[name] == nil {
			return nil, fmt.Errorf("%s/%s has variants only: write %s.sql with help and type", shown, name, name)
		}
		byName[name].variants = v
	}
	for _, m := range byName {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Metric) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// header reads the comment lines at the top: "-- help: ...".
func (m *Metric) header() error {
	kind := ""
	for line := range strings.Lines(m.text) {
		line, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		if !ok {
			break
		}
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok {
			continue
		}
		switch strings.TrimSpace(key) {
		case "help":
			m.Help = value
		case "type":
			kind = value
		case "unit":
			m.Unit = value
		case "needs":
			for n := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ' ' }) {
				m.Needs = append(m.Needs, n)
			}
		}
	}
	switch {
	case m.Help == "":
		return errors.New("the header lacks a line -- help: what the value is")
	case kind != "gauge":
		return fmt.Errorf("type is %q: write -- type: gauge; what SQL counts can fall", kind)
	case m.Unit != "" && m.Unit != "ratio" && m.Unit != "bytes" && m.Unit != "seconds":
		return fmt.Errorf("unit is %q: take bytes, seconds or ratio", m.Unit)
	case m.Unit != "" && !strings.HasSuffix(m.Name, m.Unit):
		return fmt.Errorf("the name does not end in _%s, its unit", m.Unit)
	}
	return nil
}

// sql is the text for a dialect.
func (m *Metric) sql(d Dialect) string {
	if v, ok := m.variants[d]; ok {
		return v
	}
	return m.text
}

// Merge puts own metrics over others of the same name.
func Merge(bundled, own []*Metric) []*Metric {
	out := slices.Clone(bundled)
	for _, m := range own {
		if i := slices.IndexFunc(out, func(b *Metric) bool { return b.Name == m.Name }); i >= 0 {
			out[i] = m
		} else {
			out = append(out, m)
		}
	}
	slices.SortFunc(out, func(a, b *Metric) int { return strings.Compare(a.Name, b.Name) })
	return out
}
