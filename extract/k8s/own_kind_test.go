package k8s_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
)

// A custom resource is a kind without a file; a user's file says what its
// schema does not.
func TestKindsOfOnesOwnAreReadByTheirFileAlone(t *testing.T) {
	const group, kind = "own.example.com", "kubernetes_own_example_com_backup"
	define(t, group, "Backup", "backups", "["+version("v1", true, `"spec":{"type":"object","properties":{"claim":{"type":"string"},"size":{"type":"string"}}}`)+"]")
	create(t, "/apis/"+group+"/v1/namespaces/default/backups", `{"apiVersion":"own.example.com/v1","kind":"Backup","metadata":{"name":"nightly"},"spec":{"claim":"orders","size":"10Gi"}}`)
	path := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(path, []byte(`cloud: kubernetes
service: own.example.com
kinds:
  kubernetes_own_example_com_backup:
    convert: {spec.size: quantity}
    rename: {spec.size: size_bytes}
    edges:
      - {to: kubernetes_persistent_volume_claim, ref: "{item.metadata.namespace}/{item.spec.claim}", match: region_name, relation: backup_of}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	cs, err := openClusters(t, options(t, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	base, err := clouds.Load(catalog.Options{Files: []string{path}, Only: []string{"kubernetes"}})
	if err != nil {
		t.Fatal(err)
	}
	additions, err := cs.Additions(base)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := base.With(additions...)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := cat.Select([]string{kind}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k8s.NewSource(k8s.SourceConfig{Clusters: cs, Catalogue: cat, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	out := collect(t, s)
	if r := out.row(t, kind, "nightly"); r["size_bytes"] != float64(10<<30) || r["spec_claim"] != "orders" {
		t.Errorf("%v", r)
	}
	if !out.hasEdge(kind, "backup_of kubernetes_persistent_volume_claim default/orders") {
		t.Errorf("%v", out.edges)
	}
}
