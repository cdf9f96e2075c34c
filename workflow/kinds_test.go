package workflow_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/workflow"
)

// A kind that only a cluster knows may stand in the configuration: no command
// that asks no cluster takes it for a mistake, or the lack of it for all kinds.
func TestKindsThatOnlyAClusterKnowsMayBeNamed(t *testing.T) {
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, []byte(`{apiVersion: v1, kind: Config, current-context: away, users: [{name: u, user: {token: t}}],
clusters: [{name: away, cluster: {server: "http://127.0.0.1:1"}}], contexts: [{name: away, context: {cluster: away, user: u}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ kinds, aws, sources string }{
		{"{only: [sqs, kubernetes_example_org_widget], skip: [kubernetes_example_org_gadget, example.org]}", "aws_sqs_queue", "aws kubernetes"},
		{"{only: [kubernetes_example_org_widget]}", "", "kubernetes"},
		{"{only: [sqs], skip: [kubernetes_example_org_gadget]}", "aws_sqs_queue", "aws"},
		{"{only: [aws_sqs_quue]}", "error", "error"},
		{"{only: [sqs], skip: [aws_sqs_quue]}", "error", "error"},
	} {
		path := filepath.Join(dir, "dewpoint.yaml")
		if err := os.WriteFile(path, []byte("aws: {}\nkubernetes: {kubeconfig: "+kubeconfig+"}\nkinds: "+c.kinds+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := workflow.LoadConfig(path)
		if err != nil {
			t.Fatal(err)
		}
		cat, err := workflow.LoadSelected(cfg, workflow.SourceOptions{})
		if err == nil {
			var names []string
			selected, serr := workflow.SelectKinds(cfg, cat)
			of, cerr := workflow.CloudKinds(cfg, cat, "aws", nil, nil)
			for _, e := range of {
				names = append(names, e.Kind.Name)
			}
			if got := strings.Join(names, " "); (serr != nil || cerr != nil) != (c.aws == "error") || serr == nil && (got != c.aws || len(of) != len(selected)) {
				t.Errorf("%s: %d kinds, %s of AWS, %v, %v", c.kinds, len(selected), got, serr, cerr)
			}
		}
		if err == nil {
			var open *workflow.Reading
			if open, err = workflow.OpenSources(t.Context(), cfg, cat, workflow.SourceOptions{}); err == nil {
				var clouds []string
				for _, s := range open.Sources {
					clouds = append(clouds, s.Cloud())
				}
				slices.Sort(clouds)
				if got := strings.Join(clouds, " "); got != c.sources {
					t.Errorf("%s reads %s, want %s", c.kinds, got, c.sources)
				}
				if err := open.Close(); err != nil {
					t.Error(err)
				}
			}
		}
		if (err != nil) != (c.sources == "error") {
			t.Errorf("%s: %v", c.kinds, err)
		}
	}
}
