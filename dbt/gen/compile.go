package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dialects are the targets of profiles.yml.
var dialects = []string{"duckdb", "postgres", "snowflake"}

// compile writes the models as dbt compiles them for each dialect, in the
// order in which they are built.
func compile(python, dir string) error {
	work, err := os.MkdirTemp("", "dewpoint-dbt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, d := range dialects {
		text, err := compileDialect(python, d, filepath.Join(work, d))
		if err != nil {
			return fmt.Errorf("compile for %s: %w", d, err)
		}
		if err := os.WriteFile(filepath.Join(dir, d+".sql"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// node is what is of interest of a node of dbt's manifest.
type node struct {
	Name     string   `json:"name"`
	Type     string   `json:"resource_type"`
	FQN      []string `json:"fqn"`
	Compiled string   `json:"compiled_code"`
	Config   struct {
		Materialized string            `json:"materialized"`
		ColumnTypes  map[string]string `json:"column_types"`
		Indexes      []struct {
			Columns []string `json:"columns"`
		} `json:"indexes"`
	} `json:"config"`
	DependsOn struct {
		Nodes []string `json:"nodes"`
	} `json:"depends_on"`
}

func compileDialect(python, dialect, work string) (string, error) {
	if err := os.MkdirAll(work, 0o755); err != nil {
		return "", err
	}
	cmd := exec.Command(python, "-W", "ignore", "-m", "dbt.cli.main", "--quiet", "--no-use-colors", "compile", "--target", dialect, "--profiles-dir", ".",
		"--target-path", work, "--log-path", work, "--no-populate-cache", "--no-introspect",
		"--vars", `{resource: "{resource}", from: "{from}", to: "{to}", limit: "{limit}"}`)
	// No database is asked: the names stand for those of a sink.
	cmd.Env = append(os.Environ(), "DEWPOINT_DUCKDB="+filepath.Join(work, "__db__.duckdb"), "PGDATABASE=__db__", "PGPORT=1",
		"SNOWFLAKE_DATABASE=__db__", "DEWPOINT_SCHEMA=__dewpoint__", "DEWPOINT_MODELS=__models__")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(work, "manifest.json"))
	if err != nil {
		return "", err
	}
	var manifest struct {
		Nodes map[string]node `json:"nodes"`
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		return "", err
	}
	return write(manifest.Nodes), nil
}

// write lists the seeds, the models in the order in which they are built and
// the analyses.
func write(nodes map[string]node) string {
	var b strings.Builder
	b.WriteString("--- Written by go generate with dbt: do not edit.\n")
	done := map[string]bool{}
	var visit func(id string)
	visit = func(id string) {
		n, ok := nodes[id]
		if !ok || done[id] {
			return
		}
		done[id] = true
		for _, d := range slices.Sorted(slices.Values(n.DependsOn.Nodes)) {
			visit(d)
		}
		switch n.Type {
		case "seed":
			fmt.Fprintf(&b, "--- seed %s\n", n.Name)
			for _, c := range slices.Sorted(maps.Keys(n.Config.ColumnTypes)) {
				fmt.Fprintf(&b, "--- column %s %s\n", c, n.Config.ColumnTypes[c])
			}
			return
		case "model":
			fmt.Fprintf(&b, "--- %s %s\n", n.Config.Materialized, n.Name)
		default:
			fmt.Fprintf(&b, "--- analysis %s\n", n.Name)
		}
		for _, i := range n.Config.Indexes {
			fmt.Fprintf(&b, "--- index %s\n", strings.Join(i.Columns, ", "))
		}
		b.WriteString(tidy(n.Compiled))
	}
	for _, what := range []string{"seed", "model", "analysis"} {
		for _, id := range slices.Sorted(maps.Keys(nodes)) {
			if nodes[id].Type == what {
				visit(id)
			}
		}
	}
	return b.String()
}

// tidy puts the names of the schemas in braces and removes what the templates
// leave of blank.
func tidy(sql string) string {
	sql = strings.NewReplacer(
		`"__db__"."__models__".`, "{models}.", `"__db__"."__dewpoint__".`, "{dewpoint}.",
		`__db__.__models__.`, "{models}.", `__db__.__dewpoint__.`, "{dewpoint}.").Replace(sql)
	var b strings.Builder
	for line := range strings.Lines(sql) {
		if line = strings.TrimRight(line, " \t\n"); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
