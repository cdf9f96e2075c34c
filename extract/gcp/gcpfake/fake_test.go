package gcpfake

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// get asks the server and decodes the answer.
func get(t *testing.T, s *Server, service, path string) (int, map[string]any) {
	t.Helper()
	resp, err := http.Get(strings.ReplaceAll(s.URL, "{service}", service) + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s: %v: %s", path, err, b)
	}
	return resp.StatusCode, out
}

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s := New(o)
	t.Cleanup(s.Close)
	return s
}

// example fills a path the way its patterns say.
func example(pattern string) string {
	p := strings.NewReplacer("^", "", "$", "", "[^/]+", "x", ".*", "x", ".+", "x").Replace(pattern)
	if strings.ContainsAny(p, `\(|[`) || p == "" {
		return ""
	}
	return p
}

// Paths of the described operations lead back to them, but for those that two
// have in common.
func TestRoutesLeadToTheirOperations(t *testing.T) {
	s := New(Options{})
	defer s.Close()
	wrong, all := 0, 0
	for _, name := range []string{"compute.v1", "storage.v1", "cloudkms.v1", "iam.v1", "run.v2", "container.v1", "sqladmin.v1", "bigquery.v2", "dns.v1", "pubsub.v1", "aiplatform.v1"} {
		svc, err := gcpapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range svc.Operations {
			path := op.URI
			for _, m := range label.FindAllStringSubmatch(op.URI, -1) {
				v := "x"
				if m[1] == "+" {
					if v = example(op.Input.Member(m[2]).Shape.Pattern); v == "" {
						v = "projects/x"
					}
				}
				path = strings.ReplaceAll(path, m[0], v)
			}
			u, _ := url.Parse(strings.ReplaceAll(s.URL, "{service}", name) + "/" + svc.ServicePath + path)
			r, err := s.recognise(&http.Request{Method: op.Method, URL: u, Body: http.NoBody})
			all++
			if err != nil || r.Operation != op.Name && r.op.URI != op.URI {
				wrong++
				if wrong < 10 {
					t.Logf("%s %s: %v, not %s", op.Method, path, r, op.Name)
				}
			}
		}
	}
	if wrong*50 > all {
		t.Errorf("%d of %d", wrong, all)
	}
}

func TestAggregatedListsHoldWhatTheirZonesDo(t *testing.T) {
	s := start(t, Options{Generate: 2, PageSize: 3})
	seen := map[string]int{}
	token, pages := "", 0
	for {
		status, out := get(t, s, "compute.v1", "compute/v1/projects/project-one/aggregated/instances?prettyPrint=false&pageToken="+token)
		if status != 200 {
			t.Fatal(out)
		}
		pages++
		for scope, v := range out["items"].(map[string]any) {
			m := v.(map[string]any)
			if l, ok := m["instances"].([]any); ok {
				for _, it := range l {
					if !strings.HasSuffix(it.(map[string]any)["zone"].(string), "/"+scope) {
						t.Errorf("%s: %v", scope, it.(map[string]any)["zone"])
					}
				}
				seen[scope] += len(l)
			} else if m["warning"].(map[string]any)["code"] != "NO_RESULTS_ON_PAGE" {
				t.Errorf("%s: %v", scope, m)
			}
		}
		if token, _ = out["nextPageToken"].(string); token == "" {
			break
		}
	}
	if pages != 3 || len(seen) != 4 || seen["zones/us-central1-a"] != 2 {
		t.Errorf("%d pages, %v", pages, seen)
	}
	_, out := get(t, s, "compute.v1", "compute/v1/projects/project-one/zones/us-central1-a/instances")
	if n := len(out["items"].([]any)); n != 2 {
		t.Errorf("%d in the zone", n)
	}
	if n := s.Truth("compute.v1 instances.aggregatedList"); n != 8 {
		t.Errorf("the truth is %d", n)
	}
}

func TestDocumentsArePutAndFound(t *testing.T) {
	s := start(t, Options{})
	s.Put("storage.v1", "b?project=project-one", map[string]any{"name": "pictures", "id": "pictures"})
	_, out := get(t, s, "storage.v1", "storage/v1/b?project=project-one")
	if len(out["items"].([]any)) != 1 {
		t.Error(out)
	}
	if _, out = get(t, s, "storage.v1", "storage/v1/b/pictures"); out["name"] != "pictures" {
		t.Error(out)
	}
	if status, out := get(t, s, "storage.v1", "storage/v1/b?project=other"); status != 404 {
		t.Error(out)
	}
	if _, out = get(t, s, "cloudkms.v1", "v1/projects/project-one/locations/europe-west3/keyRings"); out["keyRings"] != nil {
		t.Error(out)
	}
}

func TestPartialAnswersAreSpelledInNineWays(t *testing.T) {
	s := start(t, Options{Generate: 1})
	for _, tc := range []struct{ service, op, member, path string }{
		{"compute.v1", "instances.aggregatedList", "unreachables", "compute/v1/projects/project-one/aggregated/instances"},
		{"compute.v1", "instances.aggregatedList", "warning", "compute/v1/projects/project-one/aggregated/instances"},
		{"run.v2", "projects.locations.services.list", "unreachable", "v2/projects/project-one/locations/-/services"},
		{"container.v1", "projects.locations.clusters.list", "missingZones", "v1/projects/project-one/locations/-/clusters"},
		{"bigtableadmin.v2", "projects.instances.list", "failedLocations", "v2/projects/project-one/instances"},
		{"dataflow.v1b3", "projects.jobs.list", "failedLocation", "v1b3/projects/project-one/jobs"},
		{"sqladmin.v1", "instances.list", "warnings", "v1/projects/project-one/instances"},
	} {
		s.Heal()
		s.Inject(Fault{Kind: Partial, Op: tc.service + " " + tc.op, Member: tc.member, Location: "us-central1-a"})
		_, out := get(t, s, tc.service, tc.path)
		if tc.member == "warning" {
			out, _ = out["items"].(map[string]any)["zones/us-central1-a"].(map[string]any)
		}
		if out[tc.member] == nil {
			t.Errorf("%s: %v", tc.op, out)
		}
	}
}

func TestProjectsAreListedBelowTheirParents(t *testing.T) {
	s := start(t, Options{
		Projects: []Project{{ID: "a", Number: "1", Parent: "organizations/9"}, {ID: "b", Number: "2", Parent: "folders/5"}, {ID: "c", Number: "3", Parent: "folders/5", State: "DELETE_REQUESTED"}},
		Folders:  []Folder{{Name: "folders/5", DisplayName: "team", Parent: "organizations/9"}},
	})
	for path, want := range map[string]int{
		"v3/projects?parent=organizations/9": 1, "v3/projects?parent=folders/5": 1, "v3/projects?parent=folders/5&showDeleted=true": 2,
		"v3/folders?parent=organizations/9": 1, "v3/folders?parent=folders/5": 0, "v3/projects:search": 2,
	} {
		_, out := get(t, s, "cloudresourcemanager.v3", path)
		n := 0
		for _, k := range []string{"projects", "folders"} {
			l, _ := out[k].([]any)
			n += len(l)
		}
		if n != want {
			t.Errorf("%s: %d, want %d", path, n, want)
		}
	}
}
