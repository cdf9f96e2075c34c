package k8s_test

import (
	"context"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/schema"
)

func TestEveryListableResourceIsRead(t *testing.T) {
	out := collect(t, open(t, options(t, "admin"), nil))
	for key, r := range out.scopes {
		if r.State != schema.Complete {
			t.Errorf("%s: %s: %s", key, r.State, r.Error)
		}
	}
	for _, kind := range []string{
		"kubernetes_pod", "kubernetes_service", "kubernetes_apiextensions_k8s_io_custom_resource_definition",
		"kubernetes_apiregistration_k8s_io_api_service", "kubernetes_cluster",
	} {
		if out.state(kind, "global") != schema.Complete {
			t.Errorf("%s is not read", kind)
		}
	}
	cluster := out.row(t, "kubernetes_cluster", "admin")
	if cluster["version"] != "v1.36.3" || cluster["endpoint"] != server.URL || cluster["uid_from"] != "kube-system" || cluster["id"] != cluster["account"] {
		t.Errorf("cluster: %v", cluster)
	}
	svc := out.row(t, "kubernetes_service", "kubernetes")
	if svc["region"] != "default" || svc["account"] != cluster["id"] || svc["id"] != svc["urn"] {
		t.Errorf("service: %v", svc)
	}
}

func TestCustomIDDisagrees(t *testing.T) {
	o := options(t, "admin")
	o.ClusterID = map[string]string{"adm*": "mine"}
	out := collect(t, open(t, o, nil, "kubernetes_cluster"))
	if out.row(t, "kubernetes_cluster", "admin")["id"] == "mine" || !out.hasProblem("cluster_id", "cluster_id says mine") {
		t.Errorf("the uid of kube-system gives way to cluster_id: %v", out.problems)
	}
}

// TestNothingIsLeft ends a sync in the middle of a list: no goroutine, no
// connection and no file stays.
func TestNothingIsLeft(t *testing.T) {
	o := options(t, "admin")
	o.PageItems = 1
	before := goleak.IgnoreCurrent()
	cs, err := k8s.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c, entries := entriesOf(t, cs)
	s, err := k8s.NewSource(k8s.SourceConfig{Clusters: cs, Catalogue: c, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := newTable()
	out.slow = cancel
	if err := extract.Schedule(ctx, []extract.Source{s}, out, 8); err == nil {
		t.Error("a sync that is interrupted ends well")
	}
	// A connection is idle only when the requests on it, which were interrupted,
	// have ended.
	eventually(t, func() bool {
		s.Close()
		return goleak.Find(before) == nil
	})
	if left, err := os.ReadDir(o.SpoolDir); err != nil || len(left) > 0 {
		t.Errorf("left in the spool: %v %v", left, err)
	}
}
