package acting_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/extract/reading"
)

// google acts in a fake with the project one.
func google(t *testing.T, kinds ...string) (*acting.Cloud, *gcpfake.Server) {
	t.Helper()
	s := gcpfake.New(gcpfake.Options{Polls: 1, Projects: []gcpfake.Project{{ID: "one", Number: "111"}}})
	t.Cleanup(s.Close)
	cat, err := clouds.Load(catalog.Options{Only: kinds})
	if err != nil {
		t.Fatal(err)
	}
	client, err := gcp.NewClient(t.Context(), gcp.Options{
		Credentials: gcp.CredentialsConfig{Anonymous: true}, Endpoints: map[string]string{"*": s.URL}, MaxAttempts: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	a := gcp.NewActor(client)
	return &acting.Cloud{
		Declared: acting.Declared{Catalogue: cat, Vendors: clouds.Vendors()}, Names: a.Name,
		Place: func(ctx context.Context, _, account, _ string) (reading.Place, error) { return a.Place(ctx, account) },
	}, s
}

// do reads a resource and makes the calls of a verb for what was read.
func do(t *testing.T, c *acting.Cloud, v action.Verb, r action.Resource, a action.Args, between func()) error {
	t.Helper()
	cur, err := c.Read(t.Context(), r)
	if err != nil {
		return err
	}
	r = r.As(cur)
	if between != nil {
		between()
	}
	calls, err := c.Calls(v, r, a)
	if err != nil {
		t.Fatal(err)
	}
	for _, call := range calls {
		if call.Each != nil {
			if _, err := c.Sweep(t.Context(), r, call, func(int) error { return nil }); err != nil {
				return err
			}
			continue
		}
		id, err := c.Do(t.Context(), r, call)
		for done := false; err == nil && !done; {
			done, err = c.Ended(t.Context(), r, call, id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func text(t *testing.T, docs []map[string]any) string {
	t.Helper()
	b, err := json.Marshal(docs)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGoogleLabelsAreSetForTheStateThatWasRead(t *testing.T) {
	const service, path = "run.v2", "v2/projects/one/locations/europe-west3/services"
	c, s := google(t, "gcp_run_service")
	s.Put(service, path, map[string]any{
		"name": "projects/one/locations/europe-west3/services/web", "uid": "u1", "etag": "e1", "labels": map[string]any{"team": "x"}, "createTime": "2025-01-02T03:04:05Z",
	})
	r := action.Resource{
		Cloud: "gcp", Account: "one", Region: "europe-west3", Kind: "gcp_run_service", ID: "u1", Name: "web",
		Columns: map[string]string{"resource_name": "projects/one/locations/europe-west3/services/web"}, Tags: map[string]string{"stale": "y"},
	}
	if err := do(t, c, action.Tag, r, action.Args{Tags: map[string]string{"owner": "ann"}}, nil); err != nil {
		t.Fatal(err)
	}
	if got := text(t, s.Documents(service, path)); !strings.Contains(got, `"labels":{"owner":"ann","team":"x"}`) {
		t.Errorf("labels are %s", got)
	}

	// Somebody else changes it between the reading and the call.
	err := do(t, c, action.Untag, r, action.Args{Keys: []string{"team"}}, func() { s.Documents(service, path)[0]["etag"] = "e2" })
	var e *action.Error
	if !errors.As(err, &e) || e.Gone {
		t.Errorf("a call for another state: %v", err)
	}
	if got := text(t, s.Documents(service, path)); !strings.Contains(got, `"team":"x"`) {
		t.Errorf("labels are %s", got)
	}
}

func TestGoogleLabelsMergeWhereThePatchDoes(t *testing.T) {
	c, s := google(t, "gcp_storage_bucket")
	s.Put("storage.v1", "b?project=one", map[string]any{"id": "b", "name": "b", "timeCreated": "2025-01-02T03:04:05Z", "labels": map[string]any{"a": "1", "b": "2"}})
	r := action.Resource{Cloud: "gcp", Account: "one", Region: "eu", Kind: "gcp_storage_bucket", ID: "b", Name: "b"}
	for v, a := range map[action.Verb]action.Args{action.Tag: {Tags: map[string]string{"c": "3"}}, action.Untag: {Keys: []string{"a"}}} {
		if err := do(t, c, v, r, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := text(t, s.Documents("storage.v1", "b?project=one")); !strings.Contains(got, `"labels":{"b":"2","c":"3"}`) {
		t.Error(got)
	}
}

func TestGoogleErrorsSayWhatTheyMean(t *testing.T) {
	c, s := google(t, "gcp_compute_disk", "gcp_compute_instance")
	const zone = "projects/one/zones/us-central1-a/"
	s.Put("compute.v1", zone+"disks", map[string]any{"id": "1", "name": "d", "labelFingerprint": "x"})
	s.Put("compute.v1", zone+"instances", map[string]any{"id": "2", "name": "m", "status": "TERMINATED"})
	disk := action.Resource{Cloud: "gcp", Account: "one", Region: "us-central1-a", Kind: "gcp_compute_disk", ID: "1", Name: "d", Columns: map[string]string{"zone": "us-central1-a"}}
	for _, tc := range []struct {
		fault      gcpfake.Fault
		gone, busy bool
	}{
		{gcpfake.Fault{Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 404, Reason: "notFound", Message: "The resource 'projects/one/zones/us-central1-a/disks/d' was not found"}}, true, false},
		{gcpfake.Fault{Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 404, Reason: "notFound", Message: "The resource 'projects/one' was not found"}}, false, false},
		{gcpfake.Fault{Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 400, Reason: "resourceInUseByAnotherResource"}}, false, true},
		{gcpfake.Fault{Kind: gcpfake.FailLater, Refusal: gcpfake.Refusal{Status: 400, Reason: "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE"}}, false, true},
		{gcpfake.Fault{Kind: gcpfake.FailLater, Refusal: gcpfake.Refusal{Status: 403, Reason: "QUOTA_EXCEEDED"}}, false, false},
	} {
		tc.fault.Op = "compute.v1 disks.delete"
		s.Heal()
		s.Inject(tc.fault)
		err := do(t, c, action.Delete, disk, action.Args{}, nil)
		var e *action.Error
		if !errors.As(err, &e) || e.Gone != tc.gone || e.Busy != tc.busy {
			t.Errorf("%+v: %v", tc.fault.Refusal, err)
		}
	}
	s.Heal()
	if err := do(t, c, action.Delete, disk, action.Args{}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(t.Context(), disk); !errors.Is(err, action.ErrGone) {
		t.Errorf("a deleted disk: %v", err)
	}
	// A machine of Google that is TERMINATED is stopped, not gone.
	cur, err := c.Read(t.Context(), action.Resource{Cloud: "gcp", Account: "one", Region: "us-central1-a", Kind: "gcp_compute_instance", ID: "2", Name: "m"})
	if err != nil || cur.Status != "stopped" {
		t.Errorf("%v %v", cur, err)
	}
}

func TestGoogleBucketIsEmptied(t *testing.T) {
	c, s := google(t, "gcp_storage_bucket")
	s.Put("storage.v1", "b?project=one", map[string]any{"id": "full", "name": "full", "timeCreated": "2025-01-02T03:04:05Z"})
	for _, key := range []string{"a", "a", "b c+d", "e/f"} {
		s.Put("storage.v1", "b/full/o", map[string]any{"name": key, "bucket": "full", "generation": "17"})
	}
	r := action.Resource{Cloud: "gcp", Account: "one", Region: "eu", Kind: "gcp_storage_bucket", ID: "full", Name: "full"}
	if err := do(t, c, action.Delete, r, action.Args{Options: action.Options{Empty: true}}, nil); err != nil {
		t.Fatal(err)
	}
	if got := text(t, s.Documents("storage.v1", "b/full/o")) + text(t, s.Documents("storage.v1", "b?project=one")); strings.Contains(got, "name") {
		t.Error(got)
	}
}
