package dbt_test

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
)

// TestEveryRelationHasAType holds that the relations that the catalogue
// declares are typed on purpose, not by default.
func TestEveryRelationHasAType(t *testing.T) {
	b, err := fs.ReadFile(dbt.Project(), "macros/relations.sql")
	if err != nil {
		t.Fatal(err)
	}
	typed := map[string]bool{}
	for _, m := range regexp.MustCompile(`'([a-z_]+)': '(?:contains|owns|attaches|routes|assumes|uses)'`).FindAllSubmatch(b, -1) {
		typed[string(m[1])] = true
	}
	cat, err := clouds.Load(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, k := range catalog.Kinds(cat.Entries()) {
		for _, e := range k.Edges {
			seen++
			if !typed[e.Relation] {
				t.Errorf("%s %s %s: the relation has no type in dbt/macros/relations.sql", k.Name, e.Relation, e.To)
			}
		}
	}
	if seen == 0 {
		t.Error("no edges")
	}
}

// TestCompiledModelsAreWhole holds that each dialect has the same models, each
// behind what it reads.
func TestCompiledModelsAreWhole(t *testing.T) {
	reads := regexp.MustCompile(`\{models\}\."?([a-z_0-9]+)"?`)
	var first []string
	for _, dialect := range []string{"duckdb", "postgres", "snowflake"} {
		models, analyses, err := dbt.Compiled(dialect)
		if err != nil {
			t.Fatal(err)
		}
		built := map[string]bool{}
		var names []string
		for _, m := range models {
			for _, r := range reads.FindAllStringSubmatch(m.SQL, -1) {
				if !built[r[1]] {
					t.Errorf("%s: %s reads %s, which is not built before it", dialect, m.Name, r[1])
				}
			}
			if m.SQL == "" && len(m.Rows) == 0 {
				t.Errorf("%s: %s is empty", dialect, m.Name)
			}
			built[m.Name] = true
			names = append(names, m.Name)
		}
		for _, a := range []string{"impact", "path"} {
			if analyses[a] == "" {
				t.Errorf("%s: the analysis %s is empty", dialect, a)
			}
		}
		if first == nil {
			first = names
		} else if len(first) != len(names) {
			t.Errorf("%s has %d models, duckdb has %d", dialect, len(names), len(first))
		}
	}
	if _, _, err := dbt.Compiled("nonsense"); err == nil {
		t.Error("an unknown dialect is no error")
	}
}
