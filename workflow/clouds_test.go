package workflow_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/workflow"
)

const widgets = `{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.example.org"},
"spec": {"group": "example.org", "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"}, "versions": [{
"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object",
"properties": {"size": {"type": "integer", "format": "int64"}}}}}}}]}}`

// mixed is a Google Cloud with two projects and a cluster, read into a file.
type mixed struct {
	t       *testing.T
	google  *gcpfake.Server
	cluster *kubetest.Server
	dir     string
}

func newMixed(t *testing.T) *mixed {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	m := &mixed{t: t, dir: t.TempDir(), google: gcpfake.New(gcpfake.Options{
		Projects: []gcpfake.Project{{ID: "shop", Number: "1000000001"}, {ID: "search", Number: "1000000002"}},
		Zones:    []string{"europe-west1-b"},
	})}
	t.Cleanup(m.google.Close)
	for _, p := range []string{"shop", "search"} {
		base := "https://www.googleapis.com/compute/v1/projects/" + p
		zone := base + "/zones/europe-west1-b"
		for i := range 3 {
			name := fmt.Sprintf("%s-%d", p, i)
			m.google.Put("compute.v1", "projects/"+p+"/zones/europe-west1-b/instances", map[string]any{
				"id": fmt.Sprintf("%d%d", len(p), 100+i), "name": name, "zone": zone, "selfLink": zone + "/instances/" + name, "status": "RUNNING",
			})
		}
		m.google.Put("compute.v1", "projects/"+p+"/global/networks", map[string]any{
			"id": fmt.Sprintf("%d999", len(p)), "name": "main", "selfLink": base + "/global/networks/main",
		})
	}
	var err error
	if m.cluster, err = kubetest.Start(kubetest.Options{Users: []string{"reader"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.cluster.Stop)
	ctx := t.Context()
	for path, object := range map[string]string{
		"/api/v1/nodes":                         `{"metadata": {"name": "shop-0"}, "spec": {"providerID": "gce://shop/europe-west1-b/shop-0"}}`,
		"/api/v1/namespaces/default/configmaps": `{"metadata": {"name": "settings"}}`,
		"/api/v1/namespaces/default/pods":       `{"metadata": {"name": "web"}, "spec": {"nodeName": "shop-0", "containers": [{"name": "web", "image": "web"}]}}`,
	} {
		if err := m.cluster.Create(ctx, path, object); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.cluster.Define(ctx, widgets); err != nil {
		t.Fatal(err)
	}
	if err := m.cluster.Create(ctx, "/apis/example.org/v1/namespaces/default/widgets", `{"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 7}}`); err != nil {
		t.Fatal(err)
	}
	if err := m.cluster.Kubeconfig(filepath.Join(m.dir, "kubeconfig"), kubetest.Admin, "reader"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", m.dir)
	return m
}

// sync reads both clouds as a user of the cluster.
func (m *mixed) sync(user string) *workflow.Report {
	m.t.Helper()
	path := filepath.Join(m.dir, "dewpoint.yaml")
	text := fmt.Sprintf(`sinks: ["duckdb:%s"]
gcp:
  projects: [shop, search]
  anonymous: true
  endpoints: {"*": "%s"}
kubernetes:
  kubeconfig: %s
  contexts: [%s]
  cluster_id: {reader: %s}
`, m.file(), m.google.URL, filepath.Join(m.dir, "kubeconfig"), user, m.account())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	c, err := workflow.LoadConfig(path)
	if err != nil {
		m.t.Fatal(err)
	}
	c.LockTimeout = 0
	cat, err := workflow.LoadCatalogue(c)
	if err != nil {
		m.t.Fatal(err)
	}
	ctx := context.WithoutCancel(m.t.Context())
	open, _, err := workflow.OpenSinks(ctx, c)
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() {
		if err := workflow.CloseSinks(open); err != nil {
			m.t.Error(err)
		}
	}()
	src, err := workflow.OpenSources(ctx, c, cat, workflow.SourceOptions{Sinks: open, Version: "test"})
	if err != nil {
		m.t.Fatal(err)
	}
	defer func() {
		if err := src.Close(); err != nil {
			m.t.Error(err)
		}
	}()
	r, err := workflow.Sync(ctx, ctx, workflow.Options{Sources: src.Sources, Sinks: open, Version: "test", Workers: 8})
	if err != nil {
		m.t.Fatal(err)
	}
	return r
}

func (m *mixed) file() string { return filepath.Join(m.dir, "estate.duckdb") }

// account is the cluster's: the uid of kube-system, once it is known.
func (m *mixed) account() string {
	if _, err := os.Stat(m.file()); err != nil {
		return "unknown"
	}
	return m.text("SELECT coalesce(max(account), 'unknown') FROM kubernetes_cluster")
}

func (m *mixed) query(q string, to any) {
	m.t.Helper()
	db, err := duckdb.OpenReader(m.t.Context(), m.file())
	if err != nil {
		m.t.Fatal(err)
	}
	defer func(db *sql.DB) { _ = db.Close() }(db)
	if err := db.QueryRowContext(m.t.Context(), q).Scan(to); err != nil {
		m.t.Fatalf("%s: %v", q, err)
	}
}

func (m *mixed) text(q string) (s string) { m.query(q, &s); return s }

// want compares how many rows queries count.
func (m *mixed) want(counts map[string]int) {
	m.t.Helper()
	for q, want := range counts {
		var n int
		if m.query("SELECT count(*) FROM "+q, &n); n != want {
			m.t.Errorf("%d rows in %s, want %d", n, q, want)
		}
	}
}

// TestOneCloudsFailureStaysItsOwn denies a kind, a project and a cluster, one
// after the other: their rows stay, all others follow the clouds.
func TestOneCloudsFailureStaysItsOwn(t *testing.T) {
	m := newMixed(t)
	if r := m.sync(kubetest.Admin); !r.Complete() {
		t.Fatal("the first sync is not complete")
	}
	m.want(map[string]int{
		"gcp_compute_instance": 6, "gcp_compute_network": 2, "kubernetes_pod": 1, "kubernetes_config_map WHERE name = 'settings'": 1,
		"kubernetes_example_org_widget WHERE spec_size = 7":                                            1,
		"edges e JOIN gcp_compute_instance i ON i._id = e.to_id WHERE e.from_kind = 'kubernetes_node'": 1,
		"edges e JOIN kubernetes_node n ON n._id = e.to_id WHERE e.from_kind = 'kubernetes_pod'":       1,
		"resource_history": 0,
	})

	// A project and a kind of the other are denied, a list of the cluster too.
	m.google.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Project: "search"})
	m.google.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Project: "shop", Op: "compute.v1 networks.list"})
	if err := m.cluster.Grant(t.Context(), "reader", "", "nodes", "configmaps", "namespaces", "widgets.example.org", "customresourcedefinitions.apiextensions.k8s.io"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/api/v1/namespaces/default/configmaps/settings", "/api/v1/namespaces/default/pods/web?gracePeriodSeconds=0"} {
		if _, err := m.cluster.Do(t.Context(), http.MethodDelete, path, nil); err != nil {
			t.Fatal(err)
		}
	}
	if r := m.sync("reader"); r.Complete() {
		t.Error("a sync with denied lists is complete")
	}
	m.want(map[string]int{
		"gcp_compute_instance": 6, "gcp_compute_network": 2, "kubernetes_pod": 1, "kubernetes_config_map WHERE name = 'settings'": 0,
		"kubernetes_example_org_widget":                                                                   1,
		"scope_freshness WHERE kind = 'kubernetes_pod' AND state = 'denied'":                              1,
		"scope_freshness WHERE kind = 'gcp_compute_network' AND state = 'denied' AND account = 'shop'":    1,
		"scope_freshness WHERE kind = 'gcp_compute_instance' AND state = 'denied' AND account = 'search'": 1,
	})

	// The definition of a kind is gone: its rows end, by the discovery alone.
	m.google.Heal()
	if _, err := m.cluster.Do(t.Context(), http.MethodDelete, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.org", nil); err != nil {
		t.Fatal(err)
	}
	m.sync(kubetest.Admin)
	m.want(map[string]int{
		"kubernetes_example_org_widget": 0, "kubernetes_pod": 0,
		"resource_history WHERE kind = 'kubernetes_example_org_widget' AND change = 'deleted'": 1,
	})

	// The cluster is gone altogether: that ends nothing.
	m.cluster.Stop()
	if r := m.sync(kubetest.Admin); r.Complete() {
		t.Error("a sync without the cluster is complete")
	}
	m.want(map[string]int{"kubernetes_node": 1, "gcp_compute_instance": 6, "kubernetes_cluster": 1})
}
