package gcp

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
)

func TestRecordedCallsArePlayed(t *testing.T) {
	answers := map[string]string{
		"/compute.v1/compute/v1/projects/shop-prod/aggregated/instances": `{"items":{"zones/a":{}},"secret":"hidden"}`,
		"/compute.v1/compute/v1/projects/example.com:old/zones":          `{"items":[]}`,
	}
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if body, ok := answers[r.URL.Path]; ok {
			say(200, body)(w, r)
			return
		}
		say(403, info(403, "PERMISSION_DENIED", "SERVICE_DISABLED", "projects/123456"))(w, r)
	})
	dir := filepath.Join(t.TempDir(), "tape")
	rec, err := extract.OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, Options{Endpoints: map[string]string{"*": f.URL + "/{service}"}, Recorder: rec, QuotaProject: "billing"})
	list := instances(t)
	list.Redact = func(b []byte) []byte { return []byte(strings.ReplaceAll(string(b), "hidden", "")) }
	old := request(t, "compute.v1", "zones.list", map[string]any{"project": "example.com:old"})
	old.Project = &Project{ID: "example.com:old"}
	off := request(t, "dns.v1", "managedZones.list", map[string]any{"project": "shop-prod"})
	access := request(t, "secretmanager.v1", "projects.secrets.versions.access", map[string]any{"name": "projects/p/secrets/s/versions/1"})
	for _, r := range []Request{list, old, off, access} {
		if resp, err := c.Do(t.Context(), r); err == nil {
			resp.Release()
		}
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			b, _ := os.ReadFile(path)
			all.Write(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{testToken, "hidden", "billing", "versions.access"} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("the recording holds %s", secret)
		}
	}

	p, err := extract.OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	player := client(t, Options{Player: p})
	n := len(f.requests())
	resp, err := player.Do(t.Context(), list)
	if err != nil || string(resp.Body) != `{"items":{"zones/a":{}},"secret":""}` || resp.Attempts != 0 {
		t.Fatalf("%+v, %v", resp, err)
	}
	resp.Release()
	if resp, err = player.Do(t.Context(), old); err != nil || string(resp.Body) != `{"items":[]}` {
		t.Fatalf("%+v, %v", resp, err)
	}
	_, err = player.Do(t.Context(), off)
	var e *APIError
	if !errors.As(err, &e) || !e.NotApplicable() || e.Message != "said" {
		t.Error(err)
	}
	_, err = player.Do(t.Context(), request(t, "dns.v1", "managedZones.list", map[string]any{"project": "other"}))
	var missing *extract.MissingError
	if !errors.As(err, &missing) {
		t.Error(err)
	}
	if len(f.requests()) != n {
		t.Error("a replay went to the network")
	}
}
