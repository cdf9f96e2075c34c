package workflow_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/workflow"
)

type bearer struct{}

func (bearer) Token(context.Context) (*auth.Token, error) { return &auth.Token{Value: "token"}, nil }

// googleEstate is a Google Cloud and the file that it is synced to.
type googleEstate struct {
	*gcpfake.Server
	t      *testing.T
	path   string
	assets []string
}

var googleKinds = []string{"gcp_compute_instance", "gcp_compute_network", "gcp_storage_bucket"}

func newGoogleEstate(t *testing.T, o gcpfake.Options) *googleEstate {
	t.Helper()
	for _, k := range []string{"GOOGLE_CLOUD_QUOTA_PROJECT", "DEWPOINT_GCP_ENDPOINT"} {
		t.Setenv(k, "")
	}
	s := gcpfake.New(o)
	t.Cleanup(s.Close)
	return &googleEstate{Server: s, t: t, path: filepath.Join(t.TempDir(), "estate.duckdb")}
}

// sync reads the organization 9.
func (e *googleEstate) sync() *workflow.Report {
	e.t.Helper()
	cat, err := clouds.Load(catalog.Options{Only: googleKinds})
	if err != nil {
		e.t.Fatal(err)
	}
	entries, err := cat.Select(googleKinds, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	client, err := gcp.NewClient(e.t.Context(), gcp.Options{
		Tokens: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: bearer{}}), Endpoints: map[string]string{"*": e.URL},
		MaxAttempts: 2, MaxBackoff: time.Millisecond,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	src, err := gcp.NewSource(gcp.SourceConfig{
		Client: client, Projects: gcp.ProjectsConfig{Organization: "9"}, Catalogue: cat, Entries: entries, Assets: e.assets,
	})
	if err != nil {
		e.t.Fatal(err)
	}
	defer src.Close()
	sink, err := duckdb.Open(e.path, duckdb.Options{})
	if err != nil {
		e.t.Fatal(err)
	}
	defer sink.Close()
	r, err := workflow.Sync(e.t.Context(), context.Background(), workflow.Options{
		Sources: []extract.Source{src}, Sinks: []sinks.Sink{sink}, Workers: 4, Version: "test",
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return r
}

// want compares what a query answers, a line a row.
func (e *googleEstate) want(query string, want ...string) {
	e.t.Helper()
	db, err := duckdb.OpenReader(e.t.Context(), e.path)
	if err != nil {
		e.t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(query)
	if err != nil {
		e.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var s sql.NullString
		if err := rows.Scan(&s); err != nil {
			e.t.Fatal(err)
		}
		got = append(got, s.String)
	}
	if err := rows.Err(); err != nil {
		e.t.Fatal(err)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		e.t.Errorf("%s:\n  %s\nwant\n  %s", query, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const (
	instancesByProject = "SELECT account || ' ' || count(*) FROM gcp_compute_instance GROUP BY account ORDER BY account"
	bucketsByProject   = "SELECT account || ' ' || count(*) FROM gcp_storage_bucket GROUP BY account ORDER BY account"
	history            = "SELECT change || ' ' || kind || ' ' || count(*) FROM resource_history GROUP BY change, kind ORDER BY 1"
)

func company() gcpfake.Options {
	return gcpfake.Options{
		Projects: []gcpfake.Project{{ID: "one", Number: "111", Parent: "organizations/9"}, {ID: "two", Number: "222", Parent: "folders/5"}},
		Folders:  []gcpfake.Folder{{Name: "folders/5", Parent: "organizations/9"}},
		Zones:    []string{"us-central1-a", "europe-west3-a"}, Generate: 2, PageSize: 1,
	}
}

func TestDeniedKindsAndProjectsOfGoogleKeepTheirRows(t *testing.T) {
	e := newGoogleEstate(t, company())
	if r := e.sync(); !r.Complete() {
		t.Fatalf("%+v", r.Incomplete)
	}
	e.want(instancesByProject, "one 4", "two 4")
	e.want(bucketsByProject, "one 2", "two 2")

	// One project is denied whole, one kind of the other; a zone of that other
	// is not reachable in the middle of paging. What is left is updated.
	e.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "compute.v1 ", Project: "two"})
	e.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "storage.v1 ", Project: "two"})
	e.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "storage.v1 buckets.list", Project: "one"})
	e.Inject(gcpfake.Fault{Kind: gcpfake.Partial, Op: "compute.v1 instances.aggregatedList", Project: "one", Location: "europe-west3-a", Member: "warning"})
	e.Put("compute.v1", "projects/one/global/networks", map[string]any{
		"id": "7", "name": "new", "selfLink": "https://www.googleapis.com/compute/v1/projects/one/global/networks/new", "creationTimestamp": "2026-01-02T03:04:05.678-08:00",
	})
	if r := e.sync(); r.Complete() {
		t.Error("a sync in which much is denied is complete")
	}
	e.want(instancesByProject, "one 4", "two 4")
	e.want(bucketsByProject, "one 2", "two 2")
	e.want("SELECT count(*) FROM gcp_compute_network WHERE account = 'one' AND name = 'new'", "1")
	e.want(history)

	// Folders that cannot be listed end nothing either.
	e.Heal()
	e.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "cloudresourcemanager.v3 folders.list"})
	if r := e.sync(); r.Complete() {
		t.Error("a sync without the folders is complete")
	}
	e.want(instancesByProject, "one 4", "two 4")
	e.want(history)
}

func TestGoogleProjectsThatAreBeingDeletedEnd(t *testing.T) {
	o := company()
	e := newGoogleEstate(t, o)
	e.sync()
	o.Projects[1].State = "DELETE_REQUESTED"
	if r := e.sync(); !r.Complete() {
		t.Fatalf("%+v", r.Incomplete)
	}
	e.want(instancesByProject, "one 4")
	e.want(history, "account_closed gcp_compute_instance 4", "account_closed gcp_compute_network 2", "account_closed gcp_storage_bucket 2")
}

func TestSwitchToTheAssetInventoryDeletesNothing(t *testing.T) {
	e := newGoogleEstate(t, company())
	e.sync()
	e.assets = []string{"gcp_compute_instance", "gcp_compute_network"}
	for range 2 {
		if r := e.sync(); !r.Complete() {
			t.Fatalf("%+v", r.Incomplete)
		}
	}
	e.assets = nil
	e.sync()
	e.want(instancesByProject, "one 4", "two 4")
	e.want(history)
}
