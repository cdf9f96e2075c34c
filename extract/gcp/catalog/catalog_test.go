package catalog

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

func TestEveryKindCompilesToAProjection(t *testing.T) {
	c := load(t)
	if len(c.Entries()) < 150 {
		t.Errorf("%d kinds", len(c.Entries()))
	}
	for _, e := range c.Entries() {
		if _, err := normalize.Compile(e.Spec); err != nil {
			t.Errorf("%s:%d: %v", e.File, e.Line, err)
		}
		name, _, _ := strings.Cut(e.Kind.Service, ".")
		if !strings.HasPrefix(e.Kind.Name, "gcp_"+name+"_") {
			t.Errorf("%s is of %s", e.Kind.Name, e.Kind.Service)
		}
	}
}

func TestFilesNameTheirSchema(t *testing.T) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		text, err := fs.ReadFile(files, n)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), "# yaml-language-server: $schema=schema.json\n") {
			t.Errorf("%s does not begin with # yaml-language-server: $schema=schema.json", n)
		}
	}
}

// item is what a kind's rows are of.
func item(t *testing.T, e *catalog.Entry) *api.Shape {
	t.Helper()
	svc, err := gcpapi.Lookup(e.List.Service)
	if err != nil {
		t.Fatal(err)
	}
	s := svc.Operations[e.List.Op].Output
	for _, p := range e.Spec.Sources[0].Items {
		switch {
		case p.Member == "":
		case s.Type == "map":
			s = s.Value
		default:
			s = s.Member(p.Member).Shape
		}
		if p.Each {
			s = s.Elem
		} else if p.Values {
			s = s.Value
		}
	}
	return s
}

// A kind whose resources have labels has tags; where there are none, tags are
// NULL, for a rule on what is untagged must not take them.
func TestTagsAreLabels(t *testing.T) {
	elsewhere := map[string]bool{ // labels by another name
		"gcp_compute_instance_template": true, "gcp_container_cluster": true, "gcp_container_node_pool": true, "gcp_sqladmin_instance": true,
		"gcp_monitoring_alert_policy": true, "gcp_monitoring_uptime_check_config": true,
	}
	for _, e := range load(t).Entries() {
		m := item(t, e).Member("labels")
		has := m != nil && m.Shape.Type == "map" && m.Shape.Value.Type == "string"
		if got := e.Spec.Tags != nil; got != (has || elsewhere[e.Kind.Name]) {
			t.Errorf("%s: labels %t, tags %t", e.Kind.Name, has, got)
		}
	}
}

// A time of creation that the list tells of is created_at.
func TestTimesOfCreation(t *testing.T) {
	for _, e := range load(t).Entries() {
		for _, n := range []string{"creationTimestamp", "createTime", "creationTime", "timeCreated"} {
			if m := item(t, e).Member(n); m != nil && e.Spec.CreatedAt == nil {
				t.Errorf("%s has no created_at, but %s", e.Kind.Name, n)
			}
		}
	}
}

func TestListsLeaveNothingOut(t *testing.T) {
	c := load(t)
	for kind, want := range map[string]string{
		"gcp_bigquery_dataset":       `"all":true`,
		"gcp_storage_bucket":         `"projection":"full"`,
		"gcp_iam_role":               `"view":"FULL"`,
		"gcp_compute_instance":       `"maxResults":500`,
		"gcp_iam_service_account":    `"pageSize":100`,
		"gcp_serviceusage_service":   `"pageSize":200`,
		"gcp_container_cluster":      `"parent":"projects/{account}/locations/-"`,
		"gcp_cloudkms_key_ring":      `"parent":"projects/{account}/locations/{parent.locationId}"`,
		"gcp_run_revision":           `"parent":"projects/{account}/locations/{parent.locationId}/services/-"`,
		"gcp_dataproc_cluster":       `"region":"{parent.name}"`,
		"gcp_securitycenter_finding": `"parent":"projects/{account}/sources/-"`,
	} {
		e, ok := c.Entry(kind)
		if !ok {
			t.Errorf("no kind %s", kind)
			continue
		}
		if got := fmt.Sprint(e.List.Inputs[0]); !strings.Contains(got, want) {
			t.Errorf("%s is asked for %s, want %s", kind, got, want)
		}
	}
	clusters, _ := c.Entry("gcp_container_cluster")
	pools, _ := c.Entry("gcp_container_node_pool")
	if clusters.List != pools.List {
		t.Error("clusters and their node pools are two calls")
	}
}

// One aggregated list has zonal, regional and global resources: the call by
// name is that of where they are.
func TestCallsAreThoseOfThePlace(t *testing.T) {
	c := load(t)
	const fingerprint = "label_fingerprint"
	for _, x := range []struct {
		kind, call string
		columns    map[string]string
		want       string
	}{
		{"gcp_compute_disk", "delete", map[string]string{"zone": "z-b"}, `disks.delete {"disk":"n","project":"p","zone":"z-b"}`},
		{"gcp_compute_disk", "delete", map[string]string{"item_region": "z"}, `regionDisks.delete {"disk":"n","project":"p","region":"z"}`},
		{"gcp_compute_address", "get", map[string]string{"item_region": "z"}, `addresses.get {"address":"n","project":"p","region":"z"}`},
		{"gcp_compute_address", "get", nil, `globalAddresses.get {"address":"n","project":"p"}`},
		{"gcp_compute_network_endpoint_group", "delete", nil, `globalNetworkEndpointGroups.delete {"networkEndpointGroup":"n","project":"p"}`},
		{"gcp_compute_forwarding_rule", "untag", map[string]string{fingerprint: "f="}, `globalForwardingRules.setLabels {"labelFingerprint":"f=","labels":{"team":"shop"},"project":"p","resource":"n"}`},
		{"gcp_compute_instance", "tag", map[string]string{fingerprint: "f=", "zone": "z-b"}, `instances.setLabels {"instance":"n","labelFingerprint":"f=","labels":{"team":"shop"},"project":"p","zone":"r"}`},
		{"gcp_pubsub_topic", "tag", nil, `projects.topics.patch {"name":"projects/p/topics/n","topic":{"labels":{"team":"shop"}},"updateMask":"labels"}`},
		{"gcp_container_cluster", "delete", nil, `projects.locations.clusters.delete {"name":"projects/p/locations/r/clusters/n"}`},
		{"gcp_cloudkms_crypto_key_version", "delete", nil, `projects.locations.keyRings.cryptoKeys.cryptoKeyVersions.destroy {"name":"projects/p/topics/n"}`},
		{"gcp_run_service", "get", map[string]string{"resource_name": "projects/p/locations/r/services/n"}, `projects.locations.services.get {"name":"projects/p/locations/r/services/n"}`},
	} {
		e, ok := c.Entry(x.kind)
		if !ok {
			t.Errorf("no kind %s", x.kind)
			continue
		}
		a := map[string]*catalog.Action{"get": e.Get, "delete": e.Delete, "tag": e.Tag, "untag": e.Untag}[x.call]
		if a == nil {
			t.Errorf("%s has no %s", x.kind, x.call)
			continue
		}
		a, in, err := a.Resolve(catalog.Vars{Account: "p", Region: "r", Name: "n", ID: "projects/p/topics/n", Columns: x.columns, AllTags: map[string]string{"team": "shop"}})
		if err != nil {
			t.Errorf("%s %s: %v", x.call, x.kind, err)
			continue
		}
		if b, _ := json.Marshal(in); a.Op+" "+string(b) != x.want {
			t.Errorf("%s %s: %s %s, want %s", x.call, x.kind, a.Op, b, x.want)
		}
	}
}

func TestPermissions(t *testing.T) {
	c := load(t)
	for kind, want := range map[string]string{
		"gcp_compute_instance":                 "compute.instances.list",
		"gcp_compute_commitment":               "compute.commitments.list",
		"gcp_compute_network_firewall_policy":  "compute.firewallPolicies.list",
		"gcp_compute_instance_group":           "compute.instanceGroups.get compute.instanceGroups.list",
		"gcp_storage_bucket":                   "storage.buckets.getIamPolicy storage.buckets.list",
		"gcp_sqladmin_database":                "cloudsql.databases.list cloudsql.instances.list",
		"gcp_iam_service_account_key":          "iam.serviceAccountKeys.list iam.serviceAccounts.list",
		"gcp_iam_workload_identity_pool":       "iam.googleapis.com/workloadIdentityPools.list",
		"gcp_cloudresourcemanager_iam_binding": "resourcemanager.projects.getIamPolicy",
		"gcp_cloudresourcemanager_folder":      "resourcemanager.folders.get resourcemanager.projects.get",
		"gcp_dataproc_cluster":                 "compute.regions.list dataproc.clusters.list",
		"gcp_cloudbilling_sku":                 "",
		"gcp_file_instance":                    "file.instances.list file.locations.list",
	} {
		e, ok := c.Entry(kind)
		if !ok {
			t.Errorf("no kind %s", kind)
			continue
		}
		if got := strings.Join(e.Reads(), " "); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
	disk, _ := c.Entry("gcp_compute_disk")
	want := []string{
		"compute.disks.createSnapshot", "compute.disks.delete", "compute.disks.get", "compute.disks.setLabels", "compute.regionOperations.get",
		"compute.snapshots.create", "compute.snapshots.get", "compute.zoneOperations.get",
	}
	if got := disk.Writes(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if _, err := permissions(&api.Service{Name: "x.v1"}, &api.Operation{Name: "a.list"}, "", []string{"x:ListA"}); err == nil {
		t.Error("an action of AWS passes for a permission")
	}
}
