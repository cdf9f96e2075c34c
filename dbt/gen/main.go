// Command gen writes what the dbt project takes from the catalogue: the
// sources with their documentation and the staging models over the unified
// views. With -compile PYTHON, a Python that has dbt, it also writes the models
// as dbt compiles them for each dialect.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/schema"
)

const header = "# Written by go generate from the catalogue: do not edit.\n"

func main() {
	log.SetFlags(0)
	python := flag.String("compile", "", "compile the models with this Python's dbt")
	flag.Parse()
	err := run()
	if err == nil && *python != "" {
		err = compile(*python, "compiled")
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run() error {
	cat, err := clouds.Load(catalog.Options{})
	if err != nil {
		return err
	}
	kinds := map[string]*schema.Kind{}
	for _, k := range catalog.Kinds(cat.Entries()) {
		kinds[k.Name] = k
	}
	if err := staging("models/staging"); err != nil {
		return err
	}
	return sources("models/sources.yml", kinds)
}

// unified are the columns that the unified views begin with, as the staging
// models have them.
var unified = []string{"_id", "id", "name", "kind", "tags", "created_at", "updated_at", "cloud", "account", "region", "urn"}

// same are the bases of which one thing can be seen twice: macros and models
// that count use their canonical_id.
var same = []string{"instance", "volume", "database"}

// values are what the catalogue maps the vendors' values to.
var values = map[string][]string{
	"instance_status": {"running", "stopped", "terminated", "busy", "unknown"},
	"volume_status":   {"available", "busy", "error", "deleted", "unknown"},
	"db_status":       {"available", "busy", "error", "stopped", "unknown"},
	"lb_type":         {"classic", "application", "network", "gateway", "unknown"},
}

// lowered are columns with the vendor's words: the vendors agree but for case.
var lowered = []string{"snapshot_status", "network_interface_status", "access_key_status", "key_status", "stack_status"}

func staging(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "stg_*.sql"))
	if err != nil {
		return err
	}
	for _, p := range old {
		if err := os.Remove(p); err != nil {
			return err
		}
	}
	var doc strings.Builder
	doc.WriteString(header + "version: 2\nmodels:\n")
	for _, v := range schema.BaseViews {
		var b strings.Builder
		b.WriteString("-- Written by go generate: do not edit.\n-- " + v.Doc + "\nselect ")
		for i, c := range unified {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString("v." + c)
		}
		for _, c := range v.Columns {
			expr := "v." + c.Name
			if c.Name == "instance_status" {
				// The catalogue cannot say it: the condition of a node is an item of a list.
				expr = "coalesce(v.instance_status, n.instance_status) as instance_status"
			}
			if slices.Contains(lowered, c.Name) {
				expr = "lower(v." + c.Name + ") as " + c.Name
			}
			b.WriteString(",\n    " + expr)
		}
		if slices.Contains(same, v.Base) {
			b.WriteString(",\n    coalesce(s.canonical_id, v._id) as canonical_id,\n    s.canonical_id is null as counted")
		}
		fmt.Fprintf(&b, "\nfrom {{ source('dewpoint', '%s') }} v\n", v.View)
		if slices.Contains(same, v.Base) {
			b.WriteString("left join {{ ref('same_things') }} s on s._id = v._id\n")
		}
		if v.Base == "instance" {
			b.WriteString("left join {{ ref('node_status') }} n on n._id = v._id\n")
		}
		if err := os.WriteFile(filepath.Join(dir, "stg_"+v.View+".sql"), []byte(b.String()), 0o644); err != nil {
			return err
		}
		stagingDoc(&doc, v)
	}
	return os.WriteFile(filepath.Join(dir, "staging.yml"), []byte(doc.String()), 0o644)
}

func stagingDoc(b *strings.Builder, v schema.BaseView) {
	fmt.Fprintf(b, "  - name: stg_%s\n    description: %s\n    columns:\n", v.View, text(v.Doc))
	b.WriteString("      - name: _id\n        description: Stable identity.\n        data_tests: [unique, not_null]\n")
	for _, c := range v.Columns {
		fmt.Fprintf(b, "      - name: %s\n        description: %s\n", c.Name, text(c.Doc))
		if vs := values[c.Name]; vs != nil {
			fmt.Fprintf(b, "        data_tests:\n          - accepted_values: {arguments: {values: [%s]}}\n", strings.Join(vs, ", "))
		}
	}
	if slices.Contains(same, v.Base) {
		b.WriteString("      - name: canonical_id\n        description: The row that is counted for this one, itself or another kind's of the same thing.\n        data_tests: [not_null]\n")
		b.WriteString("      - name: counted\n        description: Whether this row is the one that is counted.\n        data_tests: [not_null]\n")
	}
}

func sources(path string, kinds map[string]*schema.Kind) error {
	names, err := dbt.SourcesOf(os.DirFS("."))
	if err != nil {
		return err
	}
	own, err := ownTables()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(header + `version: 2
sources:
  - name: dewpoint
    description: What dewpoint sync writes.
    database: "{{ var('dewpoint_database', target.database) }}"
    schema: "{{ var('dewpoint_schema', env_var('DEWPOINT_SCHEMA', 'main' if target.type == 'duckdb' else 'dewpoint')) }}"
    tables:
`)
	for _, name := range names {
		k := kinds[name]
		view := slices.IndexFunc(schema.BaseViews, func(v schema.BaseView) bool { return v.View == name })
		switch t, ok := own[name]; {
		case ok:
			table(&b, name, t.doc)
			ownColumns(&b, name, t)
		case view >= 0:
			v := schema.BaseViews[view]
			table(&b, name, "The unified view. "+v.Doc)
			columns(&b, v.Columns)
		case k != nil:
			table(&b, name, k.Doc)
			columns(&b, k.TableColumns())
		default:
			return fmt.Errorf("a model reads %s, which is no table of dewpoint, no unified view and no kind of the catalogue", name)
		}
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

func table(b *strings.Builder, name, doc string) {
	fmt.Fprintf(b, "      - name: %s\n", name)
	if doc != "" {
		fmt.Fprintf(b, "        description: %s\n", text(doc))
	}
}

func columns(b *strings.Builder, cols []schema.Column) {
	if len(cols) > 0 {
		b.WriteString("        columns:\n")
	}
	for _, c := range cols {
		fmt.Fprintf(b, "          - name: %s\n", c.Name)
		if c.Doc != "" {
			fmt.Fprintf(b, "            description: %s\n", text(c.Doc))
		}
	}
}

// checks are the tests and the freshness of dewpoint's own tables.
var checks = map[string]map[string]string{
	"resources": {"_id": "[unique, not_null]", "kind": "[not_null]", "cloud": "[not_null]"},
	"edges": {
		"from_id": "[not_null, {relationships: {arguments: {to: \"source('dewpoint', 'resources')\", field: _id}}}]",
		"to_id":   "[{relationships: {arguments: {to: \"source('dewpoint', 'resources')\", field: _id}}}]",
	},
}

func ownColumns(b *strings.Builder, name string, t ownTable) {
	if name == "scopes" {
		b.WriteString("        loaded_at_field: last_complete\n        config:\n          freshness:\n            warn_after: {count: 24, period: hour}\n            error_after: {count: 7, period: day}\n")
	}
	var names []string
	for c := range t.columns {
		names = append(names, c)
	}
	for c := range checks[name] {
		if t.columns[c] == "" {
			names = append(names, c)
		}
	}
	slices.Sort(names)
	if len(names) > 0 {
		b.WriteString("        columns:\n")
	}
	for _, c := range names {
		fmt.Fprintf(b, "          - name: %s\n", c)
		if d := t.columns[c]; d != "" {
			fmt.Fprintf(b, "            description: %s\n", text(d))
		}
		if d := checks[name][c]; d != "" {
			fmt.Fprintf(b, "            data_tests: %s\n", d)
		}
	}
}

type ownTable struct {
	doc     string
	columns map[string]string
}

var comment = regexp.MustCompile(`COMMENT ON (TABLE|VIEW|COLUMN) ([a-z_]+)(?:\.("?[a-z_]+"?))? IS '((?:[^']|'')*)'`)

// ownTables reads the documentation of dewpoint's own tables where they are
// made.
func ownTables() (map[string]ownTable, error) {
	all, err := migrations.Load("duckdb")
	if err != nil {
		return nil, err
	}
	own := map[string]ownTable{}
	for _, m := range all {
		for _, c := range comment.FindAllStringSubmatch(m.SQL, -1) {
			t := own[c[2]]
			if t.columns == nil {
				t.columns = map[string]string{}
			}
			if doc := strings.ReplaceAll(c[4], "''", "'"); c[1] == "COLUMN" {
				t.columns[strings.Trim(c[3], `"`)] = doc
			} else {
				t.doc = doc
			}
			own[c[2]] = t
		}
	}
	return own, nil
}

// text quotes a text for YAML and for the templates in it.
func text(s string) string {
	s = strings.NewReplacer("{{", "{ {", "}}", "} }", "{%", "{ %", "%}", "% }", "{#", "{ #").Replace(s)
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
