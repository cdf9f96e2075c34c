package catalog_test

import (
	"encoding/csv"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	k8scatalog "github.com/dewpoint-data/dewpoint/extract/k8s/catalog"
	"github.com/dewpoint-data/dewpoint/schema"
)

func load(t *testing.T) *catalog.Catalogue {
	t.Helper()
	c, err := clouds.Load(catalog.Options{Only: []string{"kubernetes"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// curated are the kinds that have been collected by others under these names,
// with the unified view that they are in.
const curated = `kubernetes_cluster,account
kubernetes_cluster_role,
kubernetes_cluster_role_binding,
kubernetes_config_map,
kubernetes_controller_revision,
kubernetes_cron_job,
kubernetes_csi_driver,
kubernetes_csi_node,
kubernetes_csi_storage_capacity,
kubernetes_daemon_set,
kubernetes_deployment,
kubernetes_endpoint,
kubernetes_endpoint_slice,
kubernetes_flow_schema,
kubernetes_horizontal_pod_autoscaler,
kubernetes_ingress,load_balancer
kubernetes_ingress_class,
kubernetes_job,
kubernetes_limit_range,
kubernetes_mutating_webhook_configuration,
kubernetes_namespace,region
kubernetes_network_policy,
kubernetes_node,instance
kubernetes_persistent_volume,volume
kubernetes_persistent_volume_claim,
kubernetes_pod,
kubernetes_pod_disruption_budget,
kubernetes_pod_template,
kubernetes_priority_class,
kubernetes_priority_level_configuration,
kubernetes_replica_set,
kubernetes_replication_controller,
kubernetes_resource_quota,quota
kubernetes_role,
kubernetes_role_binding,
kubernetes_runtime_class,
kubernetes_secret,
kubernetes_service,load_balancer
kubernetes_service_account,
kubernetes_stateful_set,
kubernetes_storage_class,
kubernetes_validating_webhook_configuration,
kubernetes_volume_attachment,
`

func TestCuratedKinds(t *testing.T) {
	c := load(t)
	rows, err := csv.NewReader(strings.NewReader(curated)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		e, ok := c.Entry(r[0])
		if !ok {
			t.Errorf("no kind %s", r[0])
			continue
		}
		base := ""
		if e.Kind.Base != nil {
			base = e.Kind.Base.Name
		}
		if base != r[1] {
			t.Errorf("%s is in the view of %q, not %q", r[0], base, r[1])
		}
	}
	if e, _ := c.Entry("kubernetes_secret"); !e.Optional {
		t.Error("secrets are read without being asked for")
	}
}

// TestObjectsAreAlike checks what all kinds of objects have in common.
func TestObjectsAreAlike(t *testing.T) {
	for _, e := range load(t).Entries() {
		k := e.Kind
		if k.Cloud != "kubernetes" || k.Name == "kubernetes_cluster" {
			continue
		}
		for _, name := range []string{"annotations", "owner_references", "generation", "resource_version"} {
			if _, ok := k.Column(name); !ok {
				t.Errorf("%s has no column %s", k.Name, name)
			}
		}
		if v, _ := k.Column("resource_version"); !v.Volatile {
			t.Errorf("%s: resource_version is not volatile", k.Name)
		}
		for _, c := range k.Columns {
			if strings.Contains(c.Path, "managedFields") || c.Path == "apiVersion" || c.Path == "kind" {
				t.Errorf("%s has a column of %s", k.Name, c.Path)
			}
		}
		if !slices.ContainsFunc(k.Edges, func(e schema.Edge) bool { return e.To == "" && e.Relation == "owned_by" }) {
			t.Errorf("%s has no edges to owners", k.Name)
		}
		if !slices.ContainsFunc(k.Edges, func(e schema.Edge) bool {
			return e.Relation == "in" && (e.To == "kubernetes_namespace" || e.To == "kubernetes_cluster")
		}) {
			t.Errorf("%s is in nothing", k.Name)
		}
	}
}

func TestQuantitiesAreNumbers(t *testing.T) {
	c := load(t)
	for kind, columns := range map[string][]string{
		"kubernetes_node":                    {"capacity_cpu", "capacity_memory_bytes", "allocatable_pods", "capacity_storage_bytes"},
		"kubernetes_persistent_volume":       {"capacity_bytes"},
		"kubernetes_persistent_volume_claim": {"capacity_bytes"},
	} {
		e, _ := c.Entry(kind)
		for _, name := range columns {
			if col, ok := e.Kind.Column(name); !ok || col.Type != schema.Float64 {
				t.Errorf("%s.%s: %v", kind, name, col.Type)
			}
		}
	}
}

func TestClusterRole(t *testing.T) {
	c := load(t)
	entries, err := c.Select([]string{"kubernetes"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	role, err := k8scatalog.ClusterRole("dewpoint", entries)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(role), "secrets") {
		t.Errorf("the role may list secrets without being asked to:\n%s", role)
	}
	for _, want := range []string{"kind: ClusterRole", "name: dewpoint", "- pods\n", "resourceNames: [kube-system]", "apiGroups: [rbac.authorization.k8s.io]"} {
		if !strings.Contains(string(role), want) {
			t.Errorf("no %q in\n%s", want, role)
		}
	}
	if entries, err = c.Select([]string{"kubernetes_secret"}, nil); err != nil {
		t.Fatal(err)
	}
	if role, err = k8scatalog.ClusterRole("dewpoint", entries); err != nil || !strings.Contains(string(role), "- secrets\n") {
		t.Errorf("%v: no secrets in\n%s", err, role)
	}
}
