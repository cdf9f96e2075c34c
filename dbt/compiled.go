package dbt

import (
	"embed"
	"encoding/csv"
	"fmt"
	"path"
	"strings"

	"github.com/dewpoint-data/dewpoint/sinks"
)

//go:embed compiled/*.sql
var compiled embed.FS

// Compiled returns the seeds and models of a dialect (duckdb, postgres,
// snowflake) in the order in which they are built, and the analyses by name.
// The parameters of an analysis stand in braces.
func Compiled(dialect string) ([]sinks.Model, map[string]string, error) {
	b, err := compiled.ReadFile("compiled/" + dialect + ".sql")
	if err != nil {
		return nil, nil, fmt.Errorf("the models are not compiled for %s", dialect)
	}
	var models []sinks.Model
	analyses := map[string]string{}
	var add func(line string) // takes the SQL's lines
	for line := range strings.Lines(string(b)) {
		head, ok := strings.CutPrefix(line, "--- ")
		if !ok {
			if add == nil {
				return nil, nil, fmt.Errorf("compiled/%s.sql: SQL before the first model", dialect)
			}
			add(line)
			continue
		}
		what, name, _ := strings.Cut(strings.TrimSpace(head), " ")
		switch what {
		case "seed":
			rows, err := seed(name)
			if err != nil {
				return nil, nil, err
			}
			models = append(models, sinks.Model{Name: name, Table: true, Rows: rows[1:]})
			m := &models[len(models)-1]
			for _, c := range rows[0] {
				m.Columns = append(m.Columns, [2]string{c, "varchar"})
			}
			add = nil
		case "column":
			column, sqlType, _ := strings.Cut(name, " ")
			for i, c := range models[len(models)-1].Columns {
				if c[0] == column {
					models[len(models)-1].Columns[i][1] = sqlType
				}
			}
		case "table", "view":
			models = append(models, sinks.Model{Name: name, Table: what == "table"})
			at := len(models) - 1
			add = func(line string) { models[at].SQL += line }
		case "index":
			m := &models[len(models)-1]
			m.Indexes = append(m.Indexes, strings.Split(name, ", "))
		case "analysis":
			add = func(line string) { analyses[name] += line }
		}
	}
	return models, analyses, nil
}

// seed reads the CSV file of a seed.
func seed(name string) ([][]string, error) {
	f, err := project.Open(path.Join("seeds", name+".csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return csv.NewReader(f).ReadAll()
}
