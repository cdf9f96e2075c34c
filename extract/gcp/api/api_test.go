package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

func lookup(t *testing.T, service, operation string) (*api.Service, *api.Operation) {
	t.Helper()
	s, err := gcpapi.Lookup(service)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Operation(operation)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

var label = regexp.MustCompile(`\{\+?([^}]+)\}`)

func TestEveryServiceDecodes(t *testing.T) {
	names := gcpapi.Services()
	if !slices.IsSorted(names) || len(names) != gcpapi.Source().Services || len(names) < 200 {
		t.Fatalf("%d services, %d in the manifest", len(names), gcpapi.Source().Services)
	}
	ops := 0
	for _, n := range names {
		s, err := gcpapi.Lookup(n)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != n || s.Protocol != "discovery" || !strings.HasPrefix(s.RootURL, "https://") || !strings.HasSuffix(s.RootURL, "/") {
			t.Errorf("%s: %q at %q", n, s.Name, s.RootURL)
		}
		ops += len(s.Operations)
		for _, o := range s.Operations {
			if out := gcpapi.Normalize(s, o); (out == nil) != (o.Output == nil) {
				t.Errorf("%s.%s: output %v, normalized %v", n, o.Name, o.Output, out)
			}
			for _, m := range label.FindAllStringSubmatch(o.URI, -1) {
				if p := o.Input.Member(m[1]); p == nil || p.Location != "uri" || p.LocationName != "" || !slices.Contains(o.Input.Required, m[1]) {
					t.Errorf("%s.%s: %s of %s is no required member of the path", n, o.Name, m[1], o.URI)
				}
			}
			seen := map[string]bool{}
			if o.Input != nil {
				for _, m := range o.Input.Members {
					if seen[m.Name] || strings.ContainsAny(m.Name, ".$") {
						t.Errorf("%s.%s: member %q", n, o.Name, m.Name)
					}
					seen[m.Name] = true
				}
			}
		}
	}
	if ops != gcpapi.Source().Operations {
		t.Errorf("%d operations, the manifest says %d", ops, gcpapi.Source().Operations)
	}
}

func TestDescriptionsAreOfGoogleCloudAndStable(t *testing.T) {
	for _, n := range []string{
		"compute.v1", "storage.v1", "iam.v1", "container.v1", "sqladmin.v1", "bigquery.v2", "run.v2", "dns.v1", "cloudkms.v1", "secretmanager.v1",
		"cloudresourcemanager.v3", "cloudasset.v1", "serviceusage.v1", "dataflow.v1b3", "clouderrorreporting.v1beta1",
	} {
		if _, err := gcpapi.Lookup(n); err != nil {
			t.Error(err)
		}
	}
	for _, n := range []string{"compute.beta", "compute.alpha", "container.v1beta1", "youtube.v3", "gmail.v1"} {
		if _, err := gcpapi.Lookup(n); err == nil {
			t.Errorf("%s is described", n)
		}
	}
	// The module's tests have a document of 2016 without it.
	_, list := lookup(t, "storage.v1", "buckets.list")
	if list.Input.Member("returnPartialSuccess") == nil || list.Output.Member("unreachable") == nil {
		t.Error("storage.v1 is an old document")
	}
}

func TestUnknownNamesAreNotGuessed(t *testing.T) {
	if _, err := gcpapi.Lookup("compute"); err == nil || !strings.HasPrefix(err.Error(), `unknown service "compute"`) {
		t.Error(err)
	}
	s, _ := lookup(t, "compute.v1", "instances.list")
	if _, err := s.Operation("instance.list"); err == nil || !strings.Contains(err.Error(), "instances.list") {
		t.Error(err)
	}
}

func TestOperationsAreNamedWithoutTheAPI(t *testing.T) {
	_, o := lookup(t, "sqladmin.v1", "instances.list") // whose id is sql.instances.list
	if o.Method != "GET" || o.URI != "v1/projects/{project}/instances" {
		t.Errorf("%s %s", o.Method, o.URI)
	}
	_, o = lookup(t, "cloudkms.v1", "projects.locations.keyRings.list")
	if o.URI != "v1/{+parent}/keyRings" || o.Input.Member("parent").Shape.Pattern != "^projects/[^/]+/locations/[^/]+$" {
		t.Errorf("%s %+v", o.URI, o.Input.Member("parent").Shape)
	}
	_, o = lookup(t, "iam.v1", "projects.serviceAccounts.getIamPolicy")
	if m := o.Input.Member("optionsRequestedPolicyVersion"); m == nil || m.LocationName != "options.requestedPolicyVersion" {
		t.Errorf("%+v", m)
	}
}

func TestPagers(t *testing.T) {
	for name, want := range map[string]string{
		"compute.v1 instances.aggregatedList":                      "maxResults",
		"cloudkms.v1 projects.locations.keyRings.list":             "pageSize",
		"compute.v1 instanceGroups.listInstances":                  "maxResults", // POST
		"container.v1 projects.locations.clusters.list":            "none",
		"sqladmin.v1 users.list":                                   "none", // returns a token that it does not take
		"iam.v1 projects.serviceAccounts.keys.list":                "none",
		"cloudasset.v1 assets.list":                                "pageSize",
		"logging.v2 entries.list":                                  "pageSize", // in the body
		"cloudresourcemanager.v3 projects.list":                    "pageSize",
		"firestore.v1 projects.databases.list":                     "none",
		"serviceusage.v1 services.list":                            "pageSize",
		"cloudresourcemanager.v1 projects.getIamPolicy":            "none",
		"bigquery.v2 tables.list":                                  "maxResults",
		"artifactregistry.v1 projects.locations.repositories.list": "pageSize",
	} {
		service, op, _ := strings.Cut(name, " ")
		_, o := lookup(t, service, op)
		got := "none"
		if o.Pager != nil {
			got = o.Pager.Limit
		}
		if got != want {
			t.Errorf("%s pages by %s, not %s", name, got, want)
		}
	}
}

// at follows members, through lists and maps.
func at(t *testing.T, s *api.Shape, path ...string) *api.Member {
	t.Helper()
	var m *api.Member
	for _, p := range path {
		for s.Type == "list" || s.Type == "map" {
			if s.Type == "list" {
				s = s.Elem
			} else {
				s = s.Value
			}
		}
		if m = s.Member(p); m == nil {
			t.Fatalf("%s has no %s", s.Name, p)
		}
		s = m.Shape
	}
	return m
}

func TestTypes(t *testing.T) {
	for name, want := range map[string]string{
		"compute.v1 disks.get sizeGb":                                                "long",       // int64 in a string
		"compute.v1 disks.get id":                                                    "biginteger", // uint64 in a string
		"compute.v1 disks.get creationTimestamp":                                     "timestamp",  // without a format
		"compute.v1 instances.get lastStartTimestamp":                                "timestamp",  // its text names RFC3339
		"container.v1 projects.locations.clusters.get createTime":                    "timestamp",
		"dns.v1 managedZones.get creationTime":                                       "timestamp",
		"storage.v1 buckets.get timeCreated":                                         "timestamp", // date-time
		"pubsub.v1 projects.subscriptions.get ackDeadlineSeconds":                    "integer",
		"bigquery.v2 tables.get creationTime":                                        "long", // milliseconds: the catalogue says so
		"compute.v1 disks.get labels":                                                "map",
		"compute.v1 disks.get labelFingerprint":                                      "blob",
		"pubsub.v1 projects.topics.get messageRetentionDuration":                     "string",
		"bigquery.v2 tables.get schema fields fields name":                           "string", // recursive
		"compute.v1 instances.get scheduling provisioningModel":                      "string",
		"cloudasset.v1 assets.list assets resource data":                             "map",
		"monitoring.v3 projects.timeSeries.list timeSeries points value doubleValue": "double",
	} {
		parts := strings.Fields(name)
		_, o := lookup(t, parts[0], parts[1])
		if m := at(t, o.Output, parts[2:]...); m.Shape.Type != want {
			t.Errorf("%s is a %s, not a %s", name, m.Shape.Type, want)
		}
	}
}

func TestNormalizeKeepsWhatTheWireSays(t *testing.T) {
	s, o := lookup(t, "compute.v1", "instances.get")
	n := gcpapi.Normalize(s, o)
	if m := n.Member("creationTimestamp"); m.Shape.Type != normalize.Time || m.Shape.Time != normalize.TimeISO {
		t.Errorf("%+v", m.Shape)
	}
	if m := n.Member("id"); m.Shape.Type != normalize.BigInteger || m.Wire != "id" {
		t.Errorf("%+v", m)
	}
	if m := n.Member("metadata").Shape.Member("items").Shape.Elem.Member("value"); !m.Sensitive || m.Drop {
		t.Errorf("%+v", m)
	}
}
