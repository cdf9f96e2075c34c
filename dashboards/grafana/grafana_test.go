package grafana_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"github.com/dewpoint-data/dewpoint/dashboards/grafana"
	"github.com/dewpoint-data/dewpoint/react"
)

// TestDashboardsAreOfTheSchema holds the dashboards against the schema that
// Grafana generates its own types from: nothing that it does not know, nothing
// missing.
func TestDashboardsAreOfTheSchema(t *testing.T) {
	files, err := grafana.Dashboards(grafana.Default)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("there are %d dashboards", len(files))
	}
	for name, text := range files {
		if err := strict(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for from, to := range map[string]string{`"gridPos"`: `"gridpos"`, `"schemaVersion": 39`: `"schemaVersion": "39"`, `"drawStyle"`: `"style"`} {
		if err := strict([]byte(strings.Replace(string(files["dewpoint.json"]), from, to, 1))); err == nil {
			t.Errorf("a dashboard with %s is of the schema", to)
		}
	}
}

// strict decodes a dashboard and the options of its panels.
func strict(text []byte) error {
	//lint:ignore SA1019 the schema that files have in all versions of Grafana
	var d dashboard.Dashboard
	if err := errors.Join(some(d.UnmarshalJSONStrict(text)), d.Validate()); err != nil {
		return err
	}
	var raw struct {
		Panels []struct {
			Options     json.RawMessage
			Targets     []json.RawMessage
			FieldConfig struct {
				Defaults struct{ Custom json.RawMessage }
			}
		}
	}
	if err := json.Unmarshal(text, &raw); err != nil {
		return err
	}
	for _, p := range raw.Panels {
		var o timeseries.Options
		var f timeseries.FieldConfig
		err := errors.Join(some(o.UnmarshalJSONStrict(p.Options)), some(f.UnmarshalJSONStrict(p.FieldConfig.Defaults.Custom)))
		if strings.Contains(string(p.Targets[0]), `"expr"`) {
			var q prometheus.Dataquery
			err = errors.Join(err, some(q.UnmarshalJSONStrict(p.Targets[0])))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// some is an error of the SDK, which also returns lists of none.
func some(err error) error {
	if all, ok := err.(cog.BuildErrors); ok && len(all) == 0 {
		return nil
	}
	return err
}

// TestProvisioning holds the files that provision the dashboards against what
// Grafana documents, and that the dashboards find their data sources.
func TestProvisioning(t *testing.T) {
	files, err := grafana.Files(grafana.Default)
	if err != nil {
		t.Fatal(err)
	}
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL, User string
			SecureJSONData                     struct{ Password string } `yaml:"secureJsonData"`
			JSONData                           map[string]any            `yaml:"jsonData"`
		}
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			DisableDeletion    bool `yaml:"disableDeletion"`
			UpdateInterval     int  `yaml:"updateIntervalSeconds"`
			AllowUIUpdates     bool `yaml:"allowUiUpdates"`
			Options            struct {
				Path  string
				Files bool `yaml:"foldersFromFilesStructure"`
			}
		}
	}
	for path, v := range map[string]any{"provisioning/datasources/dewpoint.yaml": &sources, "provisioning/dashboards/dewpoint.yaml": &providers} {
		if err := yaml.UnmarshalWithOptions(files[path], v, yaml.Strict()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if sources.APIVersion != 1 || providers.APIVersion != 1 || len(providers.Providers) != 1 {
		t.Errorf("the files are of the versions %d and %d", sources.APIVersion, providers.APIVersion)
	}
	for _, s := range sources.Datasources {
		name := map[string]string{"dewpoint": "dewpoint.json", "dewpoint-prometheus": "dewpoint-prometheus.json"}[s.UID]
		var board struct {
			Templating struct {
				List []struct {
					Name    string
					Query   any
					Current struct{ Value any }
				}
			}
		}
		if err := json.Unmarshal(files["dashboards/"+name], &board); err != nil {
			t.Fatal(err)
		}
		if v := board.Templating.List[0]; v.Name != "datasource" || v.Query != s.Type || v.Current.Value != s.UID {
			t.Errorf("%s asks %v of the type %v, not %s of the type %s", name, v.Current.Value, v.Query, s.UID, s.Type)
		}
	}
}

// TestQueriesOfPrometheus has promtool read the queries, and holds that the
// metrics are among the bundled ones.
func TestQueriesOfPrometheus(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Fatalf("%v: run make servers", err)
	}
	files, err := grafana.Dashboards(grafana.Default)
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(files["dewpoint-prometheus.json"], &board); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, m := range react.BundledMetrics() {
		known[react.MetricPrefix+m.Name] = true
	}
	rules := "groups:\n  - name: panels\n    rules:\n"
	for i, p := range board.Panels {
		expr := p.Targets[0].Expr
		at := strings.Index(expr, react.MetricPrefix)
		if name := expr[at : at+strings.IndexAny(expr[at:], "{) ")]; !known[name] {
			t.Errorf("there is no metric %s", name)
		}
		rules += fmt.Sprintf("      - record: panel%d\n        expr: %q\n", i, expr)
	}
	path := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(path, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(promtool, "check", "rules", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
