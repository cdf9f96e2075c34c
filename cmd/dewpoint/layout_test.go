package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImportsPointOneWay holds the order of the packages: schema, normalize,
// extract, its clouds and the sinks, workflow, the command. Clouds' libraries
// stay under extract, databases' under sinks.
func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-tags", "duckdb_arrow", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "../../...").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/dewpoint-data/dewpoint/"
	rules := []struct {
		pkg    string
		not    []string
		except []string
	}{
		{"schema", []string{module}, nil},
		{"normalize", []string{module}, []string{module + "schema"}},
		{"react", []string{module}, []string{module + "schema", module + "extract/action"}},
		{"sinks", []string{module + "extract", module + "normalize", module + "workflow"}, nil},
		{"extract", []string{module + "sinks", module + "workflow"}, nil},
		{"workflow", []string{module + "cmd"}, nil},
	}
	drivers := map[string][]string{
		"github.com/aws/": {"extract/aws", "sinks/parquet"}, "cloud.google.com/": {"extract/gcp", "sinks/parquet"}, "github.com/duckdb/": {"sinks/"},
		"github.com/jackc/": {"sinks/postgres"}, "github.com/snowflakedb/": {"sinks/snowflake"},
	}
	seen := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		imports := strings.Fields(line)
		pkg := strings.TrimPrefix(imports[0], module)
		for _, imp := range imports[1:] {
			for _, r := range rules {
				if pkg != r.pkg && !strings.HasPrefix(pkg, r.pkg+"/") {
					continue
				}
				seen[r.pkg] = true
				for _, n := range r.not {
					own := strings.HasPrefix(imp, module+r.pkg)
					if strings.HasPrefix(imp, n) && !slices.Contains(r.except, imp) && !own {
						t.Errorf("%s imports %s", pkg, imp)
					}
				}
			}
			for driver, homes := range drivers {
				home := slices.ContainsFunc(homes, func(h string) bool { return strings.HasPrefix(pkg, h) })
				if strings.HasPrefix(imp, driver) && !home {
					t.Errorf("%s imports %s, which belongs under %s", pkg, imp, strings.Join(homes, " or "))
				}
			}
		}
	}
	if len(seen) != len(rules) {
		t.Errorf("only %d of %d rules met a package: was one renamed?", len(seen), len(rules))
	}
}
