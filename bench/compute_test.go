package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	compute "google.golang.org/api/compute/v1"
	"google.golang.org/api/option"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/schema"
)

// table collects the rows of kinds by their self link's name, as text.
type table struct {
	mu   sync.Mutex
	rows map[string]map[string]string // kind and urn -> column -> value
}

func (c *table) Write(_ context.Context, b *schema.Batch) error {
	defer b.Release()
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range int(b.Rows.NumRows()) {
		row := map[string]string{}
		for j, f := range b.Rows.Schema().Fields() {
			if col := b.Rows.Column(j); col.IsValid(i) {
				row[f.Name] = col.ValueStr(i)
			}
		}
		c.rows[b.Kind.Name+" "+row["urn"]] = row
	}
	return nil
}

func (c *table) Scope(_ context.Context, r schema.ScopeResult) error {
	if r.State != schema.Complete {
		return fmt.Errorf("%+v", r)
	}
	return nil
}

func (c *table) Problem(context.Context, ...schema.Problem) error { return nil }

type still struct{}

func (still) Token(context.Context) (*auth.Token, error) { return &auth.Token{Value: "t"}, nil }

// Google's own client, asked for the same on the same server, decodes the same
// resources with the same values.
func TestGooglesClientReadsTheSame(t *testing.T) {
	for _, k := range []string{"GOOGLE_CLOUD_QUOTA_PROJECT", "DEWPOINT_GCP_ENDPOINT"} {
		t.Setenv(k, "")
	}
	s := gcpfake.New(gcpfake.Options{Generate: 3, PageSize: 1})
	defer s.Close()
	project := gcpfake.DefaultProject.ID
	ctx := t.Context()
	typed, err := compute.NewService(ctx, option.WithEndpoint(s.Endpoint("compute.v1")+"compute/v1/"), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}

	// What the client has: documents by kind and full name.
	want := map[string]map[string]any{}
	put := func(kind, link string, v any) {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(b, &doc); err != nil {
			t.Fatal(err)
		}
		want[kind+" //compute.googleapis.com/"+link[strings.Index(link, "projects/"):]] = doc
	}
	for _, err := range []error{
		typed.Instances.AggregatedList(project).Pages(ctx, func(l *compute.InstanceAggregatedList) error {
			for _, z := range l.Items {
				for _, it := range z.Instances {
					put("gcp_compute_instance", it.SelfLink, it)
				}
			}
			return nil
		}),
		typed.Disks.AggregatedList(project).Pages(ctx, func(l *compute.DiskAggregatedList) error {
			for _, z := range l.Items {
				for _, it := range z.Disks {
					put("gcp_compute_disk", it.SelfLink, it)
				}
			}
			return nil
		}),
		typed.Addresses.AggregatedList(project).Pages(ctx, func(l *compute.AddressAggregatedList) error {
			for _, z := range l.Items {
				for _, it := range z.Addresses {
					put("gcp_compute_address", it.SelfLink, it)
				}
			}
			return nil
		}),
		typed.Networks.List(project).Pages(ctx, func(l *compute.NetworkList) error {
			for _, it := range l.Items {
				put("gcp_compute_network", it.SelfLink, it)
			}
			return nil
		}),
		typed.Firewalls.List(project).Pages(ctx, func(l *compute.FirewallList) error {
			for _, it := range l.Items {
				put("gcp_compute_firewall", it.SelfLink, it)
			}
			return nil
		}),
		typed.Routes.List(project).Pages(ctx, func(l *compute.RouteList) error {
			for _, it := range l.Items {
				put("gcp_compute_route", it.SelfLink, it)
			}
			return nil
		}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}

	cat, err := clouds.Load(catalog.Options{Only: []string{"gcp_compute_*"}})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]*catalog.Entry{}
	var entries []*catalog.Entry
	for _, name := range []string{"gcp_compute_instance", "gcp_compute_disk", "gcp_compute_address", "gcp_compute_network", "gcp_compute_firewall", "gcp_compute_route"} {
		e, ok := cat.Entry(name)
		if !ok {
			t.Fatalf("no kind %s", name)
		}
		kinds[name], entries = e, append(entries, e)
	}
	s.Inject(gcpfake.Fault{Kind: gcpfake.Throttle, Every: 7})
	c, err := gcp.NewClient(ctx, gcp.Options{
		Tokens: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: still{}}), Endpoints: map[string]string{"*": s.URL}, MaxBackoff: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	src, err := gcp.NewSource(gcp.SourceConfig{Client: c, Projects: gcp.ProjectsConfig{Projects: []string{project}}, Catalogue: cat, Entries: entries})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	got := &table{rows: map[string]map[string]string{}}
	if err := extract.Schedule(ctx, []extract.Source{src}, got, 4); err != nil {
		t.Fatal(err)
	}

	if len(got.rows) != len(want) || len(want) < 3*(4+4+3+1+1+1) {
		t.Errorf("%d rows, the client has %d resources", len(got.rows), len(want))
	}
	compared := 0
	for name, doc := range want {
		row, ok := got.rows[name]
		if !ok {
			t.Errorf("%s is not read", name)
			continue
		}
		kind, _, _ := strings.Cut(name, " ")
		made, _ := doc["creationTimestamp"].(string)
		at, err := time.Parse(time.RFC3339, made)
		if err != nil {
			t.Fatal(err)
		}
		if read, err := time.Parse(time.RFC3339Nano, row["created_at"]); err != nil || !read.Equal(at.Truncate(time.Microsecond)) {
			t.Errorf("%s: created at %s, not %s (%v)", name, row["created_at"], at, err)
		}
		if labels, _ := doc["labels"].(map[string]any); len(labels) > 0 && !reflect.DeepEqual(tags(t, row["tags"]), labels) {
			t.Errorf("%s: tags %s, not %v", name, row["tags"], labels)
		}
		for _, col := range kinds[kind].Kind.Columns {
			if strings.ContainsAny(col.Path, ".[]{}|^") || col.Type == schema.Timestamp || col.Type == schema.JSON {
				continue
			}
			v, ok := doc[col.Path]
			if !ok || col.Path == "machineType" || col.Path == "zone" || col.Path == "region" {
				continue // the client leaves zero values out; the catalogue shortens links
			}
			switch v.(type) {
			case string, bool, float64:
				compared++
				if text := fmt.Sprint(v); row[col.Name] != text && !strings.HasSuffix(text, "/"+row[col.Name]) {
					t.Errorf("%s: %s is %q, not %q", name, col.Name, row[col.Name], text)
				}
			}
		}
	}
	if compared < 500 {
		t.Errorf("%d values compared", compared)
	}
	t.Logf("%d resources, %d values", len(want), compared)
}

// tags reads a map column's text: [{"key":"a","value":"b"}].
func tags(t *testing.T, text string) map[string]any {
	t.Helper()
	var list []struct{ Key, Value string }
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out := map[string]any{}
	for _, e := range list {
		out[e.Key] = e.Value
	}
	return out
}
