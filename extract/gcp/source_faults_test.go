package gcp_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/schema"
)

// two are two projects, read from a list.
func two() gcpfake.Options {
	return gcpfake.Options{
		Projects: []gcpfake.Project{{ID: "one", Number: "111"}, {ID: "two", Number: "222"}}, Generate: 2, PageSize: 2,
	}
}

var both = gcp.ProjectsConfig{Projects: []string{"one", "two"}}

// few are kinds of several services and shapes of lists.
func few(t *testing.T) []*catalog.Entry {
	return google(t, "gcp_compute_instance", "gcp_compute_network", "gcp_storage_bucket", "gcp_cloudkms_key_ring", "gcp_cloudkms_crypto_key", "gcp_container_cluster")
}

// want compares what is not complete.
func (c *collected) want(t *testing.T, name string, want ...string) {
	t.Helper()
	got := c.states()
	if !slices.Equal(got, want) {
		t.Errorf("%s: not complete:\n  %s\nwant\n  %s", name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestOneProjectsFailureStaysItsOwn(t *testing.T) {
	for name, tc := range map[string]struct {
		fault gcpfake.Fault
		want  []string
	}{
		"a kind is denied": {
			gcpfake.Fault{Kind: gcpfake.Deny, Op: "storage.v1 buckets.list", Project: "two"},
			[]string{"gcp_storage_bucket two/global: denied IAM_PERMISSION_DENIED"},
		},
		"a service is not enabled": {
			gcpfake.Fault{Kind: gcpfake.Disabled, Op: "cloudkms.v1 ", Project: "two"},
			[]string{"gcp_cloudkms_crypto_key two/global: not_applicable SERVICE_DISABLED", "gcp_cloudkms_key_ring two/global: not_applicable SERVICE_DISABLED"},
		},
		"a service is not enabled, as older ones say it": {
			gcpfake.Fault{Kind: gcpfake.DisabledOld, Op: "storage.v1 ", Project: "two"},
			[]string{"gcp_storage_bucket two/global: not_applicable accessNotConfigured"},
		},
		"the quota project lacks the API": {
			gcpfake.Fault{Kind: gcpfake.Disabled, Op: "storage.v1 ", Project: "two", Consumer: "999"},
			[]string{"gcp_storage_bucket two/global: failed SERVICE_DISABLED"},
		},
		"no billing": {
			gcpfake.Fault{Kind: gcpfake.Refuse, Op: "storage.v1 ", Project: "two", Refusal: gcpfake.Refusal{Status: 403, Canonical: "PERMISSION_DENIED", Reason: "BILLING_DISABLED", Consumer: "projects/222"}},
			[]string{"gcp_storage_bucket two/global: failed BILLING_DISABLED"},
		},
		"a perimeter": {
			gcpfake.Fault{Kind: gcpfake.Refuse, Op: "storage.v1 ", Project: "two", Refusal: gcpfake.Refusal{Status: 403, Canonical: "PERMISSION_DENIED", Reason: "SECURITY_POLICY_VIOLATED"}},
			[]string{"gcp_storage_bucket two/global: denied SECURITY_POLICY_VIOLATED"},
		},
		"throttled for good": {
			gcpfake.Fault{Kind: gcpfake.ThrottleForbidden, Op: "compute.v1 networks.list", Project: "one"},
			[]string{"gcp_compute_network one/global: throttled rateLimitExceeded"},
		},
		"not found though it was listed": {
			gcpfake.Fault{Kind: gcpfake.Refuse, Op: "compute.v1 networks.list", Project: "one", Refusal: gcpfake.Refusal{Status: 404, Reason: "notFound"}},
			[]string{"gcp_compute_network one/global: unreachable notFound"},
		},
		"a proxy's page": {
			gcpfake.Fault{Kind: gcpfake.HTML, Op: "compute.v1 networks.list", Project: "one"},
			[]string{"gcp_compute_network one/global: failed "},
		},
		"an error with 200": {
			gcpfake.Fault{Kind: gcpfake.Error200, Op: "compute.v1 networks.list", Project: "one"},
			[]string{"gcp_compute_network one/global: failed INTERNAL"},
		},
		"a token that repeats": {
			gcpfake.Fault{Kind: gcpfake.RepeatToken, Op: "compute.v1 networks.list", Project: "one"},
			[]string{"gcp_compute_network one/global: failed "},
		},
		"a token that the list does not take": {
			gcpfake.Fault{Kind: gcpfake.ExtraToken, Op: "sqladmin.v1 users.list"},
			nil, // read below
		},
	} {
		s := cloud(t, two())
		s.Inject(tc.fault)
		o := options(s)
		o.MaxAttempts = 3
		got := read(t, source(t, o, both, few(t)))
		got.want(t, name, tc.want...)
		if len(got.rows["gcp_compute_instance"]) != 2*2*4 {
			t.Errorf("%s: %d instances", name, len(got.rows["gcp_compute_instance"]))
		}
	}
}

func TestTokensThatCannotBeTakenAreFailures(t *testing.T) {
	o := two()
	s := cloud(t, o)
	s.Inject(gcpfake.Fault{Kind: gcpfake.ExtraToken, Op: "sqladmin.v1 users.list"})
	got := read(t, source(t, options(s), both, google(t, "gcp_sqladmin_user")))
	if len(got.states()) == 0 {
		t.Error("a list with a token that it does not take is complete")
	}
}

// A zone that is not reachable in the middle of paging ends the completeness of
// that zone only.
func TestUnreachableZoneInTheMiddleOfPaging(t *testing.T) {
	s := cloud(t, two())
	s.Inject(gcpfake.Fault{Kind: gcpfake.Partial, Op: "compute.v1 instances.aggregatedList", Project: "one", Location: "us-central1-a", Member: "warning", Page: 2})
	got := read(t, source(t, options(s), both, google(t, "gcp_compute_instance")))
	got.want(t, "warning", "gcp_compute_instance one/us-central1-a: unreachable UNREACHABLE")
	complete := map[string]bool{}
	for _, r := range got.scopes {
		if r.State == schema.Complete {
			complete[r.Scope.Account+"/"+r.Scope.Region] = true
		}
	}
	for _, scope := range []string{"one/us-central1-b", "one/europe-west3-a", "two/us-central1-a"} {
		if !complete[scope] {
			t.Errorf("%s is not complete: %v", scope, slices.Sorted(maps.Keys(complete)))
		}
	}
}

// The nine spellings of an answer that lacks something.
func TestPartialAnswersAreNotComplete(t *testing.T) {
	for _, tc := range []struct {
		kind, op, member, location, code string
		want                             string // the region, global for all
	}{
		{"gcp_compute_instance", "compute.v1 instances.aggregatedList", "unreachables", "us-central1-a", "", "us-central1-a"},
		{"gcp_compute_instance", "compute.v1 instances.aggregatedList", "warning", "us-central1-b", "", "us-central1-b"},
		{"gcp_compute_instance", "compute.v1 instances.aggregatedList", "warning", "us-central1-b", "PARTIAL_SUCCESS", "us-central1-b"},
		{"gcp_compute_instance", "compute.v1 instances.aggregatedList", "warning", "us-central1-b", "NOT_CRITICAL_ERROR", "us-central1-b"},
		{"gcp_compute_instance", "compute.v1 instances.aggregatedList", "warning", "us-central1-b", "LIST_OVERHEAD_QUOTA_EXCEED", "us-central1-b"},
		{"gcp_compute_instance", "compute.v1 instances.aggregatedList", "warning", "us-central1-b", "A_CODE_OF_TOMORROW", "us-central1-b"},
		{"gcp_compute_network", "compute.v1 networks.list", "warning", "", "", "global"},
		{"gcp_run_service", "run.v2 projects.locations.services.list", "unreachable", "us-central1", "", ""},
		{"gcp_container_cluster", "container.v1 projects.locations.clusters.list", "missingZones", "us-central1-a", "", ""},
		{"gcp_bigtableadmin_instance", "bigtableadmin.v2 projects.instances.list", "failedLocations", "us-central1", "", ""},
		{"gcp_sqladmin_instance", "sqladmin.v1 instances.list", "warnings", "us-central1", "", ""},
		{"gcp_sqladmin_instance", "sqladmin.v1 instances.list", "warnings", "", "MAX_RESULTS_EXCEEDS_LIMIT", ""},
		{"gcp_storage_bucket", "storage.v1 buckets.list", "unreachable", "projects/_/buckets/lost", "", ""},
	} {
		s := cloud(t, two())
		s.Inject(gcpfake.Fault{Kind: gcpfake.Partial, Op: tc.op, Project: "one", Location: tc.location, Member: tc.member, Code: tc.code})
		got := read(t, source(t, options(s), both, google(t, tc.kind)))
		name := fmt.Sprintf("%s %s %s %s", tc.kind, tc.member, tc.location, tc.code)
		states := slices.DeleteFunc(got.states(), func(s string) bool { return !strings.HasPrefix(s, tc.kind+" one/") })
		if len(states) == 0 {
			t.Errorf("%s: complete", name)
		}
		if tc.want != "" && (len(states) != 1 || !strings.HasPrefix(states[0], tc.kind+" one/"+tc.want+": ")) {
			t.Errorf("%s: %v", name, states)
		}
		for _, s := range got.states() {
			if strings.Contains(s, " two/") {
				t.Errorf("%s: %s", name, s)
			}
		}
	}
}

func TestHarmlessWarningsEndNothing(t *testing.T) {
	s := cloud(t, two()) // whose empty zones all have NO_RESULTS_ON_PAGE
	read(t, source(t, options(s), both, google(t, "gcp_compute_instance", "gcp_compute_disk", "gcp_compute_address"))).want(t, "harmless")
}

// An aggregated list that fails is read zone by zone.
func TestFailedAggregatesAreReadByTheirParts(t *testing.T) {
	s := cloud(t, two())
	want := read(t, source(t, options(s), both, google(t, "gcp_compute_instance")))
	s.Inject(gcpfake.Fault{Kind: gcpfake.Refuse, Op: "compute.v1 instances.aggregatedList", Project: "one", Page: 2, Refusal: gcpfake.Refusal{Status: 500, Reason: "backendError"}})
	o := options(s)
	o.MaxAttempts = 2
	got := read(t, source(t, o, both, google(t, "gcp_compute_instance")))
	got.want(t, "by parts")
	if !maps.Equal(got.rows["gcp_compute_instance"], want.rows["gcp_compute_instance"]) {
		t.Errorf("%d rows, want %d, or others", len(got.rows["gcp_compute_instance"]), len(want.rows["gcp_compute_instance"]))
	}
	if s.Calls("compute.v1 instances.list") == 0 {
		t.Error("no zone was listed")
	}
	s.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "compute.v1 instances.list", Contains: "zones/europe-west3-b"})
	read(t, source(t, o, both, google(t, "gcp_compute_instance"))).want(t, "a zone fails, too", "gcp_compute_instance one/europe-west3-b: unreachable UNREACHABLE")
}

func TestFoldersThatCannotBeListedLeaveThingsIncomplete(t *testing.T) {
	o := two()
	o.Projects[0].Parent, o.Projects[1].Parent = "organizations/9", "folders/5"
	o.Folders = []gcpfake.Folder{{Name: "folders/5", Parent: "organizations/9"}}
	s := cloud(t, o)
	s.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "cloudresourcemanager.v3 projects.list", Contains: "folders%2F5"})
	got := read(t, source(t, options(s), gcp.ProjectsConfig{Organization: "9"}, google(t, "gcp_compute_network")))
	got.want(t, "folder", "* folders/5/*: denied IAM_PERMISSION_DENIED")
	if len(got.rows["gcp_compute_network"]) != 2 {
		t.Errorf("%d networks", len(got.rows["gcp_compute_network"]))
	}
}

func TestProjectsBeingDeletedEnd(t *testing.T) {
	o := two()
	o.Projects[0].Parent, o.Projects[1].Parent = "organizations/9", "organizations/9"
	o.Projects[1].State = "DELETE_REQUESTED"
	s := cloud(t, o)
	src := source(t, options(s), gcp.ProjectsConfig{Organization: "9"}, google(t, "gcp_compute_network"))
	got := read(t, src)
	got.want(t, "deleted")
	if e := src.Ended(); !slices.Equal(e, []string{"two"}) {
		t.Error(e)
	}
	for _, r := range s.Requests() {
		if r.Project == "two" {
			t.Errorf("%s was asked of a project that is being deleted", r.Op())
		}
	}
}

func TestRecordedEstatesAreReadAgain(t *testing.T) {
	s := cloud(t, two())
	s.Inject(gcpfake.Fault{Kind: gcpfake.Disabled, Op: "storage.v1 ", Project: "two"})
	dir := t.TempDir()
	rec, err := extract.OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	entries := google(t)
	o := options(s)
	o.Recorder = rec
	want := read(t, source(t, o, both, entries))
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	if hits := grep(t, dir, gcpfake.Secret, "test-token"); len(hits) > 0 {
		t.Errorf("the recording holds secrets: %s", strings.Join(hits[:min(len(hits), 20)], "\n"))
	}
	p, err := extract.OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := len(s.Requests())
	got := read(t, source(t, gcp.Options{Player: p}, gcp.ProjectsConfig{}, entries))
	if len(s.Requests()) != n {
		t.Error("a replay went to the network")
	}
	if a, b := got.states(), want.states(); !slices.Equal(a, b) {
		t.Errorf("not complete:\n  %s\nwant\n  %s", strings.Join(a, "\n  "), strings.Join(b, "\n  "))
	}
	for _, e := range entries {
		if k := e.Kind.Name; !maps.Equal(got.rows[k], want.rows[k]) {
			t.Errorf("%s: %d rows, want %d, or others", k, len(got.rows[k]), len(want.rows[k]))
		}
	}
}
