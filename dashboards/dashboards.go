// Package dashboards holds the questions that the bundled dashboards answer,
// once for all BI tools: queries over the models of the dbt project, and boards
// of charts over the queries. Its subpackages make of them what a tool takes:
// files for Superset and Grafana, calls for Metabase.
package dashboards

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:generate go run ./gen

//go:embed boards/*.yaml queries/*.sql
var files embed.FS

// Board is a dashboard: rows of charts from top to bottom.
type Board struct {
	Name  string // of lower case letters: part of addresses and file names
	Title string
	Help  string
	Rows  []Row
}

// Row is a row of charts of one height: small for numbers, medium, large.
type Row struct {
	Height string
	Charts []*Chart
}

// Chart is one question: an aggregation of a query.
type Chart struct {
	Title string
	Help  string
	// Is is number, bars (lying, one per first column of By), columns
	// (standing), area (over time), share or table.
	Is string
	// Width is in twelfths; 0 shares the row evenly.
	Width int
	// From names the query.
	From string
	// By are the columns of the query to group by. Of bars, columns and areas
	// the first is the axis and the second, if any, makes a series of each value.
	By []string
	// Show are what is computed per group.
	Show []Measure
	// Where filters the query's rows.
	Where string
	// Order is a column of By, with the smallest first or, after a minus, the
	// largest, or the As of a measure, with the largest first; the first
	// measure where it is empty.
	Order string
	// Limit is how many rows there are at most; 0 is 1,000.
	Limit int

	Query *Query `yaml:"-"`
	Board *Board `yaml:"-"`
}

// Measure is an aggregate over the rows of a group.
type Measure struct {
	As  string // the column's name
	SQL string
	// Format is count (the default), usd, ratio, or decimal for one digit.
	Format string
}

var (
	charts  = []string{"number", "bars", "columns", "area", "share", "table"}
	formats = []string{"count", "usd", "ratio", "decimal"}
	heights = []string{"small", "medium", "large"}
	slug    = regexp.MustCompile(`[^a-z0-9]+`)
)

// Load returns the boards in their order and the queries by name.
func Load() ([]*Board, map[string]*Query, error) {
	queries, err := loadQueries(files)
	if err != nil {
		return nil, nil, err
	}
	names, err := fs.Glob(files, "boards/*.yaml")
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(names)
	var boards []*Board
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, nil, err
		}
		b := &Board{}
		if err := yaml.UnmarshalWithOptions(text, b, yaml.Strict()); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := b.complete(queries); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		boards = append(boards, b)
	}
	return boards, queries, nil
}

// Charts are the charts of a board, row by row.
func (b *Board) Charts() []*Chart {
	var all []*Chart
	for _, r := range b.Rows {
		all = append(all, r.Charts...)
	}
	return all
}

// complete checks a board and fills in what it leaves out.
func (b *Board) complete(queries map[string]*Query) error {
	seen := map[string]bool{}
	for _, r := range b.Rows {
		if !slices.Contains(heights, r.Height) {
			return fmt.Errorf("height %q: take %s", r.Height, strings.Join(heights, ", "))
		}
		width := 0
		for _, c := range r.Charts {
			if c.Width == 0 {
				c.Width = 12 / len(r.Charts)
			}
			width += c.Width
			c.Board, c.Query = b, queries[c.From]
			if err := c.check(); err != nil {
				return fmt.Errorf("chart %q: %w", c.Title, err)
			}
			if seen[c.Name()] {
				return fmt.Errorf("chart %q: there are two of this name", c.Title)
			}
			seen[c.Name()] = true
		}
		if width > 12 {
			return fmt.Errorf("the row of %q is %d twelfths wide", r.Charts[0].Title, width)
		}
	}
	return nil
}

func (c *Chart) check() error {
	switch {
	case !slices.Contains(charts, c.Is):
		return fmt.Errorf("is %q: take %s", c.Is, strings.Join(charts, ", "))
	case c.Query == nil:
		return fmt.Errorf("there is no query %s", c.From)
	case len(c.Show) == 0:
		return fmt.Errorf("it shows nothing")
	case c.Is == "number" && (len(c.By) > 0 || len(c.Show) > 1):
		return fmt.Errorf("a number has one measure and no groups")
	}
	for _, column := range c.By {
		if c.Query.Type(column) == "" {
			return fmt.Errorf("query %s has no column %s", c.From, column)
		}
	}
	known := append(slices.Clone(c.By), "")
	for i := range c.Show {
		if c.Show[i].Format == "" {
			c.Show[i].Format = "count"
		}
		if !slices.Contains(formats, c.Show[i].Format) {
			return fmt.Errorf("format %q: take %s", c.Show[i].Format, strings.Join(formats, ", "))
		}
		known = append(known, c.Show[i].As)
	}
	if !slices.Contains(known, strings.TrimPrefix(c.Order, "-")) {
		return fmt.Errorf("order %q is none of its columns", c.Order)
	}
	if c.Limit == 0 {
		c.Limit = 1000
	}
	return nil
}

// Name is the chart's title as a part of file names: lower case, with
// underscores.
func (c *Chart) Name() string {
	return c.Board.Name + "_" + strings.Trim(slug.ReplaceAllString(strings.ToLower(c.Title), "_"), "_")
}

// OrderBy is the column that a chart is ordered by and whether the largest
// comes first.
func (c *Chart) OrderBy() (column string, descending bool) {
	if c.Order == "" {
		if c.Is == "area" {
			return c.By[0], false
		}
		return c.Show[0].As, true
	}
	column, minus := strings.CutPrefix(c.Order, "-")
	return column, minus || !slices.Contains(c.By, column)
}

// Filter is a column by which whole boards are narrowed: charts over a query
// that has it.
type Filter struct{ Column, Title string }

// Filters are those of all boards.
var Filters = []Filter{{"cloud", "Cloud"}, {"account", "Account"}, {"region", "Region"}, {"team", "Team"}}

// Filters are those of the chart.
func (c *Chart) Filters() []Filter {
	var all []Filter
	for _, f := range Filters {
		if c.Query.Type(f.Column) != "" {
			all = append(all, f)
		}
	}
	return all
}

// SQL is the chart's question as one statement over the models in a schema.
// Conditions go to the end of its WHERE as they stand, "AND ...".
func (c *Chart) SQL(models string, conditions ...string) string {
	var b strings.Builder
	b.WriteString("SELECT ")
	for _, column := range c.By {
		b.WriteString(column + ", ")
	}
	for i, m := range c.Show {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(m.SQL + ` AS "` + m.As + `"`)
	}
	b.WriteString("\nFROM (\n" + c.Query.In(models) + "\n) q")
	if c.Where != "" || len(conditions) > 0 {
		b.WriteString("\nWHERE " + cmp.Or(c.Where, "1 = 1"))
	}
	for _, condition := range conditions {
		b.WriteString("\n    " + condition)
	}
	if len(c.By) > 0 {
		column, descending := c.OrderBy()
		order := ` "` + column + `"`
		if descending {
			order += " DESC NULLS LAST"
		}
		by := strings.Join(c.By, ", ")
		fmt.Fprintf(&b, "\nGROUP BY %s\nORDER BY%s, %s\nLIMIT %d", by, order, by, c.Limit)
	}
	return b.String()
}

// Query is a SELECT over the models: one row for each thing that is counted.
type Query struct {
	Name    string
	Help    string
	Columns []Column
	sql     string // {models} stands for the schema
}

// Column is a column of a query.
type Column struct {
	Name string
	Type string // text, number, time or date
}

// In is the query over the models in a schema.
func (q *Query) In(models string) string {
	return strings.ReplaceAll(q.sql, "{models}", models)
}

// Type is that of a column, or empty if there is none.
func (q *Query) Type(column string) string {
	for _, c := range q.Columns {
		if c.Name == column {
			return c.Type
		}
	}
	return ""
}

// loadQueries reads the queries. Comments at the top say what a query is and
// the types of its columns.
func loadQueries(fsys fs.FS) (map[string]*Query, error) {
	names, err := fs.Glob(fsys, "queries/*.sql")
	if err != nil {
		return nil, err
	}
	all := map[string]*Query{}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, err
		}
		q := &Query{Name: strings.TrimSuffix(path.Base(name), ".sql")}
		rest := string(text)
		for strings.HasPrefix(rest, "-- ") {
			var line string
			line, rest, _ = strings.Cut(rest, "\n")
			key, value, _ := strings.Cut(strings.TrimPrefix(line, "-- "), ": ")
			switch key {
			case "help":
				q.Help = value
			case "text", "number", "time", "date":
				for column := range strings.SplitSeq(value, ", ") {
					q.Columns = append(q.Columns, Column{Name: column, Type: key})
				}
			default:
				return nil, fmt.Errorf("%s: %q: begin the comments with help, text, number, time or date", name, key)
			}
		}
		q.sql = strings.TrimSpace(rest)
		all[q.Name] = q
	}
	return all, nil
}
