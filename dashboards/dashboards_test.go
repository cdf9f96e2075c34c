package dashboards_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/dewpoint-data/dewpoint/dashboards"
	"github.com/dewpoint-data/dewpoint/dashboards/grafana"
	"github.com/dewpoint-data/dewpoint/dashboards/superset"
)

// TestFilesAreGenerated holds that the files of the tools are what go generate
// writes.
func TestFilesAreGenerated(t *testing.T) {
	files, err := superset.Files(superset.Default)
	if err != nil {
		t.Fatal(err)
	}
	generated(t, "superset/assets", files)
	if files, err = grafana.Dashboards(grafana.Default); err != nil {
		t.Fatal(err)
	}
	generated(t, "grafana/dashboards", files)
}

func generated(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	n := 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		have, err := os.ReadFile(filepath.Join(dir, path))
		if err == nil && string(have) != string(files[path]) {
			t.Errorf("%s is not what go generate writes", filepath.Join(dir, path))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if n != len(files) {
		t.Errorf("%s has %d files, go generate writes %d", dir, n, len(files))
	}
}

// TestCostsTellWhatIsMissing holds that no cost is shown without the number of
// prices that are missing from it: in the same chart or, of numbers, beside it.
func TestCostsTellWhatIsMissing(t *testing.T) {
	boards, _, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	costs := 0
	for _, b := range boards {
		for _, r := range b.Rows {
			for i, c := range r.Charts {
				var usd, unpriced bool
				for _, m := range c.Show {
					usd = usd || m.Format == "usd"
					unpriced = unpriced || strings.Contains(m.SQL, "unpriced")
				}
				if !usd {
					continue
				}
				costs++
				if c.Is == "number" && i+1 < len(r.Charts) {
					unpriced = r.Charts[i+1].From == c.From && strings.Contains(r.Charts[i+1].Show[0].SQL, "unpriced")
				}
				if !unpriced {
					t.Errorf("%s of %s shows a cost without the number of prices that are missing", c.Title, b.Title)
				}
			}
		}
	}
	if costs == 0 {
		t.Error("no chart shows a cost")
	}
}

// TestExposuresNameTheModels holds that the dbt project knows each dashboard
// and the models that its queries read.
func TestExposuresNameTheModels(t *testing.T) {
	boards, queries, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../dbt/models/exposures.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Exposures []struct {
			Label     string
			DependsOn []string `yaml:"depends_on"`
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{}
	for _, e := range file.Exposures {
		named[e.Label] = e.DependsOn
	}
	for _, b := range boards {
		reads := map[string]bool{}
		for _, c := range b.Charts() {
			for _, m := range regexp.MustCompile(`\{models\}\.(\w+)`).FindAllStringSubmatch(queries[c.From].In("{models}"), -1) {
				reads["ref('"+m[1]+"')"] = true
			}
		}
		if want := slices.Sorted(maps.Keys(reads)); !slices.Equal(named[b.Title], want) {
			t.Errorf("%s depends on %q in dbt/models/exposures.yml, its queries read %q", b.Title, named[b.Title], want)
		}
	}
}

// TestPageInstallsWhatIsTested holds that the page tells to install the
// versions of Superset and of its libraries that make dashboards installs.
func TestPageInstallsWhatIsTested(t *testing.T) {
	page, err := os.ReadFile("../docs/dashboards.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../.ci/superset")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`pip install (.*)`).FindSubmatch(page)
	version := regexp.MustCompile(`superset=([0-9.]+)`).FindSubmatch(script)
	have := regexp.MustCompile(`pip" install -q (.*)`).FindSubmatch(script)
	if want == nil || version == nil || have == nil {
		t.Fatal("nothing is installed")
	}
	installed := strings.ReplaceAll(strings.ReplaceAll(string(have[1]), "$superset", string(version[1])), `"`, "")
	if installed != string(want[1]) {
		t.Errorf("the page installs\n%s\nmake dashboards installs\n%s", want[1], installed)
	}
}
