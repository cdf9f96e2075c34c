package gcp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/extract/reading"
)

// wholeList reads all pages of an aggregated list: how many items each scope
// has, and which scopes have a warning.
func wholeList(t *testing.T, c *Client, op, inner string) (items map[string]int, warned map[string]string, err error) {
	t.Helper()
	call := &caller{c: c, p: &Project{ID: gcpfake.DefaultProject.ID}, region: globalRegion, parts: &parts{}}
	svc, _ := gcpapi.Lookup("compute.v1")
	items, warned = map[string]int{}, map[string]string{}
	input := map[string]any{"project": gcpfake.DefaultProject.ID, "maxResults": int64(500)}
	for {
		a, err := call.Do(t.Context(), reading.Call{Service: svc, Op: svc.Operations[op], Input: input})
		if err != nil {
			return items, warned, err
		}
		var page struct {
			Items         map[string]map[string]json.RawMessage
			NextPageToken string
		}
		if err := json.Unmarshal(a.Body, &page); err != nil {
			t.Fatal(err)
		}
		a.Release()
		for scope, v := range page.Items {
			var l []json.RawMessage
			_ = json.Unmarshal(v[inner], &l)
			items[scope] += len(l)
			if items[scope] == 0 {
				delete(items, scope)
			}
			var w struct{ Code string }
			if _ = json.Unmarshal(v["warning"], &w); w.Code != "" && w.Code != "NO_RESULTS_ON_PAGE" {
				warned[scope] = w.Code
			}
		}
		if page.NextPageToken == "" {
			return items, warned, nil
		}
		input["pageToken"] = page.NextPageToken
	}
}

func TestFailedAggregatesAreMadeOfTheirParts(t *testing.T) {
	for _, tc := range []struct{ op, inner string }{
		{"instances.aggregatedList", "instances"},       // in zones
		{"addresses.aggregatedList", "addresses"},       // in regions and global
		{"healthChecks.aggregatedList", "healthChecks"}, // the same, in other words
		{"disks.aggregatedList", "disks"},
	} {
		s := fakeCloud(t, gcpfake.Options{Generate: 3, PageSize: 2})
		c := cloudClient(t, s, Options{MaxAttempts: 2})
		want, _, err := wholeList(t, c, tc.op, tc.inner)
		if err != nil || len(want) < 3 {
			t.Fatalf("%s: %v, %v", tc.op, want, err)
		}
		for name, f := range map[string]gcpfake.Fault{
			"from the first page": {Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 500, Reason: "backendError"}},
			"an HTML page":        {Kind: gcpfake.HTML},
			"a page cut off":      {Kind: gcpfake.Cut},
		} {
			s.Heal()
			f.Op = "compute.v1 " + tc.op
			s.Inject(f)
			got, warned, err := wholeList(t, c, tc.op, tc.inner)
			if err != nil || len(warned) > 0 || len(got) != len(want) {
				t.Errorf("%s, %s: %v, warned %v, %v; want %v", tc.op, name, got, warned, err, want)
			}
			for scope, n := range want {
				if got[scope] != n {
					t.Errorf("%s, %s: %d in %s, want %d", tc.op, name, got[scope], scope, n)
				}
			}
		}
		// A zone that fails, too, is one that the answer lacks.
		s.Inject(gcpfake.Fault{Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 500}, Op: "compute.v1 instances.list", Contains: "europe-west3-a"})
		if tc.op == "instances.aggregatedList" {
			got, warned, err := wholeList(t, c, tc.op, tc.inner)
			if err != nil || warned["zones/europe-west3-a"] != "UNREACHABLE" || len(warned) != 1 || len(got) != len(want)-1 {
				t.Errorf("%v, warned %v, %v", got, warned, err)
			}
		}
	}
}

func TestRefusedAggregatesStayRefused(t *testing.T) {
	s := fakeCloud(t, gcpfake.Options{Generate: 1})
	c := cloudClient(t, s, Options{MaxAttempts: 2})
	for _, kind := range []gcpfake.FaultKind{gcpfake.Deny, gcpfake.Disabled, gcpfake.Throttle} {
		s.Heal()
		s.Inject(gcpfake.Fault{Kind: kind, Op: "compute.v1 instances.aggregatedList"})
		if _, _, err := wholeList(t, c, "instances.aggregatedList", "instances"); err == nil {
			t.Errorf("fault %d: no error", kind)
		}
	}
	if n := s.Calls("compute.v1 zones.list"); n != 0 {
		t.Errorf("%d lists of zones", n)
	}
}

func TestAggregatesMadeOfPartsAreRecorded(t *testing.T) {
	s := fakeCloud(t, gcpfake.Options{Generate: 3, PageSize: 2})
	s.Inject(gcpfake.Fault{Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 500, Reason: "backendError"}, Op: "compute.v1 instances.aggregatedList"})
	dir := t.TempDir()
	rec, err := extract.OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := wholeList(t, cloudClient(t, s, Options{Recorder: rec, MaxAttempts: 1}), "instances.aggregatedList", "instances")
	if err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := extract.OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := wholeList(t, client(t, Options{Player: p}), "instances.aggregatedList", "instances")
	if err != nil || len(got) != len(want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestEveryAggregateOfComputeHasParts(t *testing.T) {
	svc, _ := gcpapi.Lookup("compute.v1")
	without := []string{}
	for _, op := range svc.Operations {
		if strings.HasSuffix(op.Name, ".aggregatedList") && aggregationOf(svc, op) == nil {
			without = append(without, op.Name)
		}
	}
	if len(without) > 3 {
		t.Error(without)
	}
	t.Log(without)
}
