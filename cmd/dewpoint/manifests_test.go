package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/dewpoint-data/dewpoint/workflow"
)

// TestManifests holds the manifests of examples/kubernetes against the types of
// Kubernetes, the configurations in them against dewpoint's, and the commands
// against the command line.
func TestManifests(t *testing.T) {
	t.Setenv("ESTATE_PASSWORD", "x")
	for _, name := range []string{"deployment.yaml", "cronjob.yaml"} {
		text, err := os.ReadFile(filepath.Join("../../examples/kubernetes", name))
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			var kind struct{ Kind string }
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatal(err)
			}
			strict := func(to any) {
				t.Helper()
				if err := yaml.UnmarshalStrict([]byte(doc), to); err != nil {
					t.Errorf("%s: %s: %v", name, kind.Kind, err)
				}
			}
			pod := func(p corev1.PodSpec) {
				t.Helper()
				args := p.Containers[0].Args
				if _, _, err := (&app{}).root().Find(args[:1]); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			switch kind.Kind {
			case "ServiceAccount":
				strict(&corev1.ServiceAccount{})
			case "ConfigMap":
				var m corev1.ConfigMap
				strict(&m)
				path := filepath.Join(t.TempDir(), "dewpoint.yaml")
				write(t, path, m.Data["dewpoint.yaml"])
				if _, err := workflow.LoadConfig(path); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			case "Deployment":
				var d appsv1.Deployment
				strict(&d)
				pod(d.Spec.Template.Spec)
			case "CronJob":
				var j batchv1.CronJob
				strict(&j)
				pod(j.Spec.JobTemplate.Spec.Template.Spec)
			default:
				t.Errorf("%s: a document of kind %q", name, kind.Kind)
			}
		}
	}
}
