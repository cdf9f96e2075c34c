package gcp_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/schema"
)

// inventory reads kinds of two projects, those with the names from the Cloud
// Asset Inventory.
func inventory(t *testing.T, o gcp.Options, kinds []string, assets ...string) (*gcp.Source, *collected) {
	t.Helper()
	c, err := gcp.NewClient(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := gcp.NewSource(gcp.SourceConfig{Client: c, Projects: both, Catalogue: catalogue(t), Entries: google(t, kinds...), Assets: assets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	return src, read(t, src)
}

var inventoried = []string{"gcp_compute_instance", "gcp_compute_network", "gcp_storage_bucket", "gcp_compute_disk"}

func TestKindsAreReadFromTheAssetInventory(t *testing.T) {
	s := cloud(t, two())
	src, want := inventory(t, options(s), inventoried)
	s.Reset()
	dir := t.TempDir()
	rec, err := extract.OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	o := options(s)
	o.Recorder = rec
	with, got := inventory(t, o, inventoried, "gcp_compute_instance", "gcp_compute_network", "gcp_storage_bucket")
	got.want(t, "inventory")
	for _, k := range inventoried {
		if !maps.Equal(got.rows[k], want.rows[k]) {
			t.Errorf("%s: %d rows, the API has %d, or others", k, len(got.rows[k]), len(want.rows[k]))
		}
	}
	for op, asked := range map[string]bool{
		"cloudasset.v1 assets.list": true, "compute.v1 disks.aggregatedList": true,
		"compute.v1 instances.aggregatedList": false, "compute.v1 networks.list": false, "storage.v1 buckets.list": false,
	} {
		if n := s.Calls(op); (n > 0) != asked {
			t.Errorf("%s was called %d times", op, n)
		}
	}
	// Every location is complete, also one that has nothing.
	complete := map[string]bool{}
	for _, r := range got.scopes {
		if r.State == schema.Complete && r.Scope.Kind == "gcp_compute_instance" {
			complete[r.Scope.Account+"/"+r.Scope.Region] = true
		}
	}
	for _, r := range want.scopes {
		if r.Scope.Kind == "gcp_compute_instance" && !complete[r.Scope.Account+"/"+r.Scope.Region] {
			t.Errorf("%s/%s is not complete", r.Scope.Account, r.Scope.Region)
		}
	}
	// The definition is another: a switch deletes nothing.
	before := map[string]string{}
	for _, k := range src.Kinds() {
		before[k.Name] = k.Definition
	}
	for _, k := range with.Kinds() {
		if same := before[k.Name] == k.Definition; same != (k.Name == "gcp_compute_disk") {
			t.Errorf("%s: the same definition: %v", k.Name, same)
		}
	}
	// And it is recorded as the lists' own answers.
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	if hits := grep(t, dir, gcpfake.Secret); len(hits) > 0 {
		t.Errorf("the recording holds secrets: %s", hits[0])
	}
	p, err := extract.OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, again := inventory(t, gcp.Options{Player: p}, inventoried, "gcp_compute_instance")
	for _, k := range inventoried {
		if !maps.Equal(again.rows[k], want.rows[k]) {
			t.Errorf("replayed %s: %d rows, the API has %d, or others", k, len(again.rows[k]), len(want.rows[k]))
		}
	}
}

func TestInventoryFailuresStayTheirOwn(t *testing.T) {
	s := cloud(t, two())
	s.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "cloudasset.v1 assets.list", Project: "two"})
	_, got := inventory(t, options(s), inventoried, "gcp_compute_network")
	got.want(t, "denied", "gcp_compute_network two/global: denied IAM_PERMISSION_DENIED")
}

func TestInventoryConfigsThatAreWrong(t *testing.T) {
	s := cloud(t, two())
	c, err := gcp.NewClient(t.Context(), options(s))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, want := range map[string]string{
		"gcp_compute_nothing":     "there is no kind",
		"aws_ec2_instance":        "there is no kind",
		"gcp_cloudkms_crypto_key": "is listed for each",
		"gcp_container_cluster":   "are read from one list",
	} {
		_, err := gcp.NewSource(gcp.SourceConfig{
			Client: c, Projects: both, Catalogue: catalogue(t), Assets: []string{name},
			Entries: google(t, "gcp_cloudkms_crypto_key", "gcp_container_cluster", "gcp_container_node_pool"),
		})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}
