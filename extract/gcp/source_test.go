package gcp_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/schema"
)

var load = sync.OnceValues(func() (*catalog.Catalogue, error) { return clouds.Load(catalog.Options{}) })

func catalogue(t *testing.T) *catalog.Catalogue {
	t.Helper()
	cat, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// google are the kinds with the names, or all of Google's.
func google(t *testing.T, names ...string) []*catalog.Entry {
	t.Helper()
	cat := catalogue(t)
	var out []*catalog.Entry
	if len(names) == 0 {
		for _, e := range cat.Entries() {
			if e.Kind.Cloud == "gcp" {
				out = append(out, e)
			}
		}
		return out
	}
	for _, n := range names {
		e, ok := cat.Entry(n)
		if !ok {
			t.Fatalf("no kind %s", n)
		}
		out = append(out, e)
	}
	return out
}

// collected is what a source reads.
type collected struct {
	mu       sync.Mutex
	rows     map[string]map[string]string // kind -> _id -> digest of the row's values
	values   map[string]map[string]map[string]string
	edges    map[string][]string // kind -> "from-id decl ref"
	scopes   []schema.ScopeResult
	problems []schema.Problem
	keep     bool // the values, too
}

func (c *collected) Write(_ context.Context, b *schema.Batch) error {
	defer b.Release()
	c.mu.Lock()
	defer c.mu.Unlock()
	kind := b.Kind.Name
	if c.rows[kind] == nil {
		c.rows[kind] = map[string]string{}
	}
	ids := b.Rows.Column(schema.ColID).(*array.FixedSizeBinary)
	for i := range int(b.Rows.NumRows()) {
		id := uuid.UUID(ids.Value(i)).String()
		h := sha256.New()
		values := map[string]string{}
		for j, f := range b.Rows.Schema().Fields() {
			v := b.Rows.Column(j).ValueStr(i)
			if strings.Contains(v, gcpfake.Secret) {
				return fmt.Errorf("%s.%s holds a secret: %s", kind, f.Name, v)
			}
			if f.Name != "_scope" || b.Kind.KeyScope != schema.KeyGlobal { // else any reader's
				fmt.Fprintf(h, "%s=%s\n", f.Name, v)
			}
			values[f.Name] = strings.Clone(v) // the batch goes back
		}
		c.rows[kind][id] = fmt.Sprintf("%x", h.Sum(nil)[:8])
		if c.keep {
			if c.values[kind] == nil {
				c.values[kind] = map[string]map[string]string{}
			}
			c.values[kind][id] = values
		}
	}
	if b.Edges != nil {
		from := b.Edges.Column(schema.EdgeFromID).(*array.FixedSizeBinary)
		for i := range int(b.Edges.NumRows()) {
			e := b.Kind.Edges[b.Edges.Column(schema.EdgeDecl).(*array.Int32).Value(i)]
			c.edges[kind] = append(c.edges[kind], fmt.Sprintf("%s -> %s %s", uuid.UUID(from.Value(i)), e.To, b.Edges.Column(schema.EdgeToRef).ValueStr(i)))
		}
	}
	c.problems = append(c.problems, b.Problems...)
	return nil
}

func (c *collected) Scope(_ context.Context, r schema.ScopeResult) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.scopes = append(c.scopes, r)
	return nil
}

func (c *collected) Problem(_ context.Context, ps ...schema.Problem) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.problems = append(c.problems, ps...)
	return nil
}

// states are the scopes that are not complete: "kind account/region: state code".
func (c *collected) states() []string {
	var out []string
	for _, r := range c.scopes {
		if r.State != schema.Complete {
			out = append(out, fmt.Sprintf("%s %s/%s: %s %s", r.Scope.Kind, r.Scope.Account, r.Scope.Region, r.State, r.Code))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func cloud(t *testing.T, o gcpfake.Options) *gcpfake.Server {
	t.Helper()
	s := gcpfake.New(o)
	t.Cleanup(s.Close)
	return s
}

type token struct{}

func (token) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: "test-token"}, nil
}

func options(s *gcpfake.Server) gcp.Options {
	return gcp.Options{
		Tokens: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: token{}}), Endpoints: map[string]string{"*": s.URL},
		MaxBackoff: time.Millisecond, MaxAttempts: 10,
	}
}

func source(t *testing.T, o gcp.Options, p gcp.ProjectsConfig, entries []*catalog.Entry) *gcp.Source {
	t.Helper()
	for _, k := range []string{"GOOGLE_CLOUD_QUOTA_PROJECT", "DEWPOINT_GCP_ENDPOINT"} {
		t.Setenv(k, "")
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", gcpfake.DefaultProject.ID)
	c, err := gcp.NewClient(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	src, err := gcp.NewSource(gcp.SourceConfig{Client: c, Projects: p, Catalogue: catalogue(t), Entries: entries, ScopeTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(src.Close)
	return src
}

// read reads all that a source has.
func read(t *testing.T, src *gcp.Source) *collected {
	t.Helper()
	c := newCollected()
	if err := extract.Schedule(t.Context(), []extract.Source{src}, c, 8); err != nil {
		t.Fatal(err)
	}
	return c
}

func newCollected() *collected {
	return &collected{rows: map[string]map[string]string{}, values: map[string]map[string]map[string]string{}, edges: map[string][]string{}}
}

// Every kind of the catalogue is read whole one item a page, under throttles
// and cut pages, as it is read without any of them; and that is all
// there is.
func TestAllKindsAreReadWholeUnderFaults(t *testing.T) {
	entries := google(t)
	if len(entries) < 105 {
		t.Fatalf("%d kinds", len(entries))
	}
	one := gcpfake.DefaultProject
	one.Parent = "folders/5"
	estate := gcpfake.Options{Generate: 3, Projects: []gcpfake.Project{one}, Folders: []gcpfake.Folder{{Name: "folders/5", Parent: "organizations/9"}}}
	calm := cloud(t, estate)
	want := read(t, source(t, options(calm), gcp.ProjectsConfig{}, entries))
	for _, s := range want.states() {
		t.Errorf("not complete: %s", s)
	}
	for _, b := range calm.Broken() {
		t.Errorf("broken request: %s", b)
	}
	// What there is, for kinds that are all that a call lists.
	lists := map[string][]*catalog.Entry{}
	for _, e := range entries {
		lists[e.List.Service+" "+e.List.Op] = append(lists[e.List.Service+" "+e.List.Op], e)
	}
	checked := 0
	for op, es := range lists {
		if truth := calm.Truth(op); len(es) == 1 && len(es[0].Only) == 0 && truth > 0 {
			checked++
			if got := len(want.rows[es[0].Kind.Name]); got != truth {
				t.Errorf("%s: %d rows of %d documents of %s", es[0].Kind.Name, got, truth, op)
			}
		}
	}
	for _, e := range entries {
		if len(want.rows[e.Kind.Name]) == 0 {
			t.Errorf("%s has no row", e.Kind.Name)
		}
	}
	t.Logf("%d kinds, the truth of %d lists", len(entries), checked)

	estate.PageSize = 1
	rough := cloud(t, estate)
	rough.Inject(gcpfake.Fault{Kind: gcpfake.Throttle, Every: 11})
	rough.Inject(gcpfake.Fault{Kind: gcpfake.ThrottleForbidden, Every: 13})
	rough.Inject(gcpfake.Fault{Kind: gcpfake.Cut, Every: 17})
	got := read(t, source(t, options(rough), gcp.ProjectsConfig{}, entries))
	for _, s := range got.states() {
		t.Errorf("under faults: not complete: %s", s)
	}
	for _, e := range entries {
		k := e.Kind.Name
		if !maps.Equal(got.rows[k], want.rows[k]) {
			t.Errorf("%s: %d rows under faults, %d without, or others", k, len(got.rows[k]), len(want.rows[k]))
		}
		slices.Sort(got.edges[k])
		slices.Sort(want.edges[k])
		if !slices.Equal(slices.Compact(got.edges[k]), slices.Compact(want.edges[k])) {
			t.Errorf("%s: other edges under faults", k)
		}
	}
}

// What is made again under its name keeps its self link: it is another row all
// the same, by its number.
func TestWhatIsMadeAgainIsAnotherRow(t *testing.T) {
	s := cloud(t, gcpfake.Options{Projects: []gcpfake.Project{gcpfake.DefaultProject}})
	path := "projects/" + gcpfake.DefaultProject.ID + "/global/networks"
	ids, urns := map[string]bool{}, map[string]bool{}
	read := func() {
		c := newCollected()
		c.keep = true
		if err := extract.Schedule(t.Context(), []extract.Source{source(t, options(s), gcp.ProjectsConfig{}, google(t, "gcp_compute_network"))}, c, 2); err != nil {
			t.Fatal(err)
		}
		for id, row := range c.values["gcp_compute_network"] {
			ids[id+" "+row["id"]], urns[row["urn"]] = true, true
		}
	}
	for _, id := range []string{"7001", "7002"} {
		s.Put("compute.v1", path, map[string]any{"id": id, "name": "web", "selfLink": "https://www.googleapis.com/compute/v1/" + path + "/web"})
		read()
	}
	if len(ids) != 2 || len(urns) != 1 {
		t.Errorf("rows %v, urns %v", ids, urns)
	}
}

// grep finds texts in the files of a folder.
func grep(t *testing.T, dir string, texts ...string) (hits []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			for _, text := range texts {
				if i := strings.Index(line, text); i >= 0 {
					hits = append(hits, fmt.Sprintf("%s: %.120s ... %s", path[len(dir):], line, line[max(0, i-80):min(len(line), i+40)]))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// Links say the project by id or number, under two hosts and in several
// versions; what they lead to in another project has one name.
func TestReferencesAcrossProjectsMeet(t *testing.T) {
	s := cloud(t, gcpfake.Options{Projects: []gcpfake.Project{{ID: "host", Number: "111"}, {ID: "guest", Number: "222"}}})
	s.Put("compute.v1", "projects/host/global/networks", map[string]any{
		"id": "1", "name": "shared", "selfLink": "https://www.googleapis.com/compute/v1/projects/host/global/networks/shared",
		"creationTimestamp": "2024-01-02T03:04:05.678-08:00",
	})
	s.Put("compute.v1", "projects/host/regions/europe-west3/subnetworks", map[string]any{
		"id": "2", "name": "sub", "selfLink": "https://www.googleapis.com/compute/v1/projects/host/regions/europe-west3/subnetworks/sub",
		"region":            "https://www.googleapis.com/compute/v1/projects/host/regions/europe-west3",
		"creationTimestamp": "2024-01-02T03:04:05.678-08:00",
	})
	s.Put("compute.v1", "projects/guest/zones/europe-west3-a/instances", map[string]any{
		"id": "18446744073709551615", "name": "vm", "selfLink": "https://compute.googleapis.com/compute/v1/projects/guest/zones/europe-west3-a/instances/vm",
		"zone":              "https://compute.googleapis.com/compute/v1/projects/guest/zones/europe-west3-a",
		"creationTimestamp": "2024-01-02T03:04:05.678-08:00", "lastStopTimestamp": "",
		"networkInterfaces": []any{map[string]any{
			"network":    "https://compute.googleapis.com/compute/v1/projects/111/global/networks/shared",
			"subnetwork": "https://www.googleapis.com/compute/beta/projects/host/regions/europe-west3/subnetworks/sub",
		}},
		"metadata": map[string]any{"items": []any{map[string]any{"key": "startup-script", "value": gcpfake.Secret}}},
	})
	c := newCollected()
	c.keep = true
	src := source(t, options(s), gcp.ProjectsConfig{Projects: []string{"guest", "host"}}, google(t, "gcp_compute_instance", "gcp_compute_network", "gcp_compute_subnetwork"))
	if err := extract.Schedule(t.Context(), []extract.Source{src}, c, 4); err != nil {
		t.Fatal(err)
	}
	urns := map[string]bool{}
	for _, kind := range []string{"gcp_compute_network", "gcp_compute_subnetwork"} {
		for _, row := range c.values[kind] {
			urns[kind+" "+row["urn"]] = true
		}
	}
	for _, want := range []string{
		"gcp_compute_network //compute.googleapis.com/projects/host/global/networks/shared",
		"gcp_compute_subnetwork //compute.googleapis.com/projects/host/regions/europe-west3/subnetworks/sub",
	} {
		if !urns[want] {
			t.Errorf("no %s in %v", want, urns)
		}
		if !slices.ContainsFunc(c.edges["gcp_compute_instance"], func(e string) bool { return strings.HasSuffix(e, "-> "+want) }) {
			t.Errorf("no edge to %s in %v", want, c.edges["gcp_compute_instance"])
		}
	}
	for _, row := range c.values["gcp_compute_instance"] {
		for column, want := range map[string]string{
			"id": "18446744073709551615", "account": "guest", "region": "europe-west3-a", "created_at": "2024-01-02T11:04:05.678Z", "last_stop_timestamp": "(null)",
			"urn": "//compute.googleapis.com/projects/guest/zones/europe-west3-a/instances/vm", "_scope": "gcp/guest/europe-west3-a",
		} {
			if row[column] != want {
				t.Errorf("%s is %s, want %s", column, row[column], want)
			}
		}
	}
	if len(c.problems) > 0 {
		t.Errorf("%+v", c.problems)
	}
}
