package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/workflow"
)

const docs = "../../docs"

// page compares a page with what it must be; -update rewrites it.
func page(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: go test -tags duckdb_arrow ./cmd/dewpoint -update", path)
	}
}

func TestCommandsPage(t *testing.T) {
	page(t, filepath.Join(docs, "commands.md"), commandsPage((&app{}).root()))
}

// TestConfigurationPage holds the page against the fields of Config.
func TestConfigurationPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "configuration.md"))
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\|").FindAllSubmatch(text, -1) {
		documented = append(documented, string(m[1]))
	}
	keys := configKeys(reflect.TypeFor[workflow.Config](), "")
	slices.Sort(keys)
	slices.Sort(documented)
	if !slices.Equal(keys, documented) {
		t.Errorf("docs/configuration.md documents\n%v\nthe configuration has\n%v", documented, keys)
	}
	for block := range blocks(string(text), "yaml") {
		t.Setenv("EXTERNAL_ID", "x")
		path := filepath.Join(t.TempDir(), "dewpoint.yaml")
		if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := workflow.LoadConfig(path); err != nil {
			t.Error(err)
		}
	}
}

func configKeys(typ reflect.Type, prefix string) []string {
	var keys []string
	for f := range typ.Fields() {
		name := f.Tag.Get("yaml")
		if name == "" {
			continue
		}
		switch {
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, configKeys(f.Type, prefix+name+".")...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			keys = append(keys, prefix+name)
			keys = append(keys, configKeys(f.Type.Elem(), prefix+name+"[].")...)
		default:
			keys = append(keys, prefix+name)
		}
	}
	return keys
}

// blocks are the fenced blocks of a language in a page.
func blocks(text, language string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for {
			_, rest, ok := strings.Cut(text, "\n```"+language+"\n")
			if !ok {
				return
			}
			block, after, _ := strings.Cut(rest, "\n```")
			if !yield(block + "\n") {
				return
			}
			text = after
		}
	}
}

// TestMetricsPage writes the list of metrics, with the introduction it has.
func TestMetricsPage(t *testing.T) {
	path := filepath.Join(docs, "metrics.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- Below: go test -tags duckdb_arrow ./cmd/dewpoint -update -->\n"
	intro, _, ok := strings.Cut(string(have), mark)
	if !ok {
		t.Fatalf("%s lacks the mark %q", path, mark)
	}
	var b bytes.Buffer
	b.WriteString(intro + mark + "\n| metric | |\n| --- | --- |\n")
	for _, m := range react.BundledMetrics() {
		needs := ""
		if len(m.Needs) > 0 {
			needs = " Needs `" + strings.Join(m.Needs, "`, `") + "`."
		}
		fmt.Fprintf(&b, "| `%s` | %s%s |\n", m.Name, m.Help, needs)
	}
	page(t, path, b.Bytes())
}

// TestTablesPage writes the page of all tables from the schema and the
// migrations, with the introduction it has.
func TestTablesPage(t *testing.T) {
	path := filepath.Join(docs, "tables.md")
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const mark = "<!-- Below: go test -tags duckdb_arrow ./cmd/dewpoint -update -->\n"
	intro, _, ok := strings.Cut(string(have), mark)
	if !ok {
		t.Fatalf("%s lacks the mark %q", path, mark)
	}
	var b bytes.Buffer
	b.WriteString(intro + mark)
	b.WriteString("\n## Columns of every kind\n\n| column | type | |\n| --- | --- | --- |\n")
	for _, c := range schema.Unified {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.Type, c.Doc)
	}
	ownTables(t, &b)
	b.WriteString("\n## Unified views\n\nEach has the unified columns above, without `_scope`, `_hash` and `_unread`, and these:\n\n| view | rows | further columns |\n| --- | --- | --- |\n")
	for _, v := range schema.BaseViews {
		var cols []string
		for _, c := range v.Columns {
			cols = append(cols, "`"+c.Name+"`")
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.View, v.Doc, strings.Join(cols, ", "))
	}
	page(t, path, b.Bytes())
}

var (
	addColumn     = regexp.MustCompile(`ALTER TABLE (\w+) ADD COLUMN ([^;]*);`)
	createTable   = regexp.MustCompile(`(?s)CREATE TABLE (\w+) \((.*?)\);`)
	commentTable  = regexp.MustCompile(`COMMENT ON (?:TABLE|VIEW) (\w+) IS '((?:[^']|'')*)'`)
	commentColumn = regexp.MustCompile(`COMMENT ON COLUMN (\w+)\.(\w+) IS '((?:[^']|'')*)'`)
	createView    = regexp.MustCompile(`CREATE VIEW (\w+) AS`)
)

// ownTables describes the tables of the migrations by their comments.
func ownTables(t *testing.T, b *bytes.Buffer) {
	all, err := migrations.Load("duckdb")
	if err != nil {
		t.Fatal(err)
	}
	var sql strings.Builder
	for _, m := range all {
		sql.WriteString(m.SQL)
	}
	docs, columns := map[string]string{}, map[string]string{}
	for _, m := range commentTable.FindAllStringSubmatch(sql.String(), -1) {
		docs[m[1]] = strings.ReplaceAll(m[2], "''", "'")
	}
	for _, m := range commentColumn.FindAllStringSubmatch(sql.String(), -1) {
		columns[m[1]+"."+m[2]] = strings.ReplaceAll(m[3], "''", "'")
	}
	added := map[string]string{}
	for _, m := range addColumn.FindAllStringSubmatch(sql.String(), -1) {
		added[m[1]] += ", " + m[2]
	}
	b.WriteString("\n## Dewpoint's own tables\n")
	for _, m := range createTable.FindAllStringSubmatch(sql.String(), -1) {
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n| column | type | |\n| --- | --- | --- |\n", m[1], docs[m[1]])
		for _, c := range splitColumns(m[2] + added[m[1]]) {
			name, typ, _ := strings.Cut(strings.TrimSpace(c), " ")
			name = strings.Trim(name, `"`)
			fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, typ, columns[m[1]+"."+name])
		}
	}
	b.WriteString("\n### Views over them\n\n| view | |\n| --- | --- |\n")
	for _, m := range createView.FindAllStringSubmatch(sql.String(), -1) {
		fmt.Fprintf(b, "| `%s` | %s |\n", m[1], docs[m[1]])
	}
}

// splitColumns splits the columns of a table at commas outside parentheses.
func splitColumns(s string) []string {
	var out []string
	depth, start := 0, 0
	for i, r := range s {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, s[start:i])
				start = i + 1
			}
		}
	}
	return append(out, s[start:])
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinks follows the links between pages.
func TestLinks(t *testing.T) {
	for _, path := range pages(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", path, m[1])
			}
		}
	}
}

// pages are the hand-written pages.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md"}
	for _, pattern := range []string{"*.md", "sinks/*.md"} {
		found, err := filepath.Glob(filepath.Join(docs, pattern))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	return list
}

// TestRulesPage loads the configuration and the rules of the page.
func TestRulesPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "react.md"))
	if err != nil {
		t.Fatal(err)
	}
	for block := range blocks(string(text), "yaml") {
		dir := t.TempDir()
		path := filepath.Join(dir, "page.yaml")
		if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
			t.Fatal(err)
		}
		c := workflow.DefaultConfig()
		if strings.HasPrefix(block, "react:") {
			c, err = workflow.LoadConfig(path)
		} else {
			c.React.RuleFolders = []string{dir}
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := workflow.LoadRules(c); err != nil {
			t.Error(err)
		}
	}
}

// TestExamplesOfConfiguration loads those of the pages about the workflow.
func TestExamplesOfConfiguration(t *testing.T) {
	for _, k := range []string{"TEAMS_URL", "PAGERDUTY_KEY", "ESTATE_PASSWORD"} {
		t.Setenv(k, "x")
	}
	for _, name := range []string{"workflow.md", "notifications.md", "serve.md"} {
		text, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		for block := range blocks(string(text), "yaml") {
			path := filepath.Join(t.TempDir(), "dewpoint.yaml")
			if err := os.WriteFile(path, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := workflow.LoadConfig(path)
			if err == nil {
				_, _, err = workflow.LoadRules(c)
			}
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, block)
			}
		}
	}
}
