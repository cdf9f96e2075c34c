package gcp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
)

// ownKinds are kinds of APIs that the catalogue has none of: a list at one
// place, and one for each of it in the API's own notation.
const ownKinds = `cloud: gcp
service: apigateway.v1
kinds:
  gcp_apigateway_api:
    list: projects.locations.apis.list
    input: {parent: "projects/{account}/locations/global"}
    items: apis[]
    id: name
    urn: name | full_name(apigateway.googleapis.com)
    name: displayName
    created_at: createTime
    tags: labels
    edges:
      - {to: gcp_cloudresourcemanager_project, ref: "//cloudresourcemanager.googleapis.com/projects/{account}", relation: in, on_delete: cascade}
  gcp_apigateway_config:
    for_each: gcp_apigateway_api
    list: projects.locations.apis.configs.list
    input: {parent: "{parent.name}"}
    items: apiConfigs[]
    gone_on: ["404"]
    id: name
    name: name | after_last(/)
    created_at: createTime
    region: name | location
    tags: labels
    edges:
      - {to: gcp_apigateway_api, ref: "{parent.name}", relation: in, on_delete: cascade}
`

// A user's kinds need a file and nothing else.
func TestKindsOfOnesOwnAreReadByTheirFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "apigateway.yaml")
	if err := os.WriteFile(path, []byte(ownKinds), 0o644); err != nil {
		t.Fatal(err)
	}
	cat, err := clouds.Load(catalog.Options{Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := cat.Select([]string{"gcp_apigateway_*"}, nil)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	if got := strings.Join(entries[1].Reads(), " "); got != "apigateway.apis.list apigateway.configs.list" {
		t.Errorf("permissions: %s", got)
	}
	s := cloud(t, gcpfake.Options{Projects: []gcpfake.Project{{ID: "shop", Number: "111"}}, PageSize: 1})
	const apis = "v1/projects/shop/locations/global/apis"
	s.Put("apigateway.v1", apis,
		map[string]any{"name": "projects/111/locations/global/apis/orders", "displayName": "Orders", "createTime": "2024-01-02T03:04:05.6Z", "labels": map[string]any{"team": "shop"}},
		map[string]any{"name": "projects/111/locations/global/apis/users", "displayName": "Users", "createTime": "2024-01-02T03:04:05Z"})
	s.Put("apigateway.v1", "v1/projects/111/locations/global/apis/orders/configs", map[string]any{"name": "projects/111/locations/global/apis/orders/configs/v1", "createTime": "2024-02-02T03:04:05Z"})
	t.Setenv("GOOGLE_CLOUD_QUOTA_PROJECT", "")
	client, err := gcp.NewClient(t.Context(), options(s))
	if err != nil {
		t.Fatal(err)
	}
	src, err := gcp.NewSource(gcp.SourceConfig{Client: client, Projects: gcp.ProjectsConfig{Projects: []string{"shop"}}, Catalogue: cat, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	c := newCollected()
	c.keep = true
	if err := extract.Schedule(t.Context(), []extract.Source{src}, c, 2); err != nil {
		t.Fatal(err)
	}
	c.want(t, "own kinds")
	for kind, n := range map[string]int{"gcp_apigateway_api": 2, "gcp_apigateway_config": 1} {
		if len(c.values[kind]) != n {
			t.Errorf("%d rows of %s, want %d", len(c.values[kind]), kind, n)
		}
	}
	for _, row := range c.values["gcp_apigateway_api"] {
		if row["name"] != "Orders" {
			continue
		}
		for column, want := range map[string]string{
			"id": "projects/111/locations/global/apis/orders", "account": "shop", "region": "global", "created_at": "2024-01-02T03:04:05.6Z",
			"urn": "//apigateway.googleapis.com/projects/shop/locations/global/apis/orders",
		} {
			if row[column] != want {
				t.Errorf("%s: %q, want %q", column, row[column], want)
			}
		}
	}
	if e := c.edges["gcp_apigateway_config"]; len(e) != 1 || !strings.HasSuffix(e[0], "-> gcp_apigateway_api projects/111/locations/global/apis/orders") {
		t.Errorf("edges: %v", e)
	}
}
