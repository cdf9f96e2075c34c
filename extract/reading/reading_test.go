package reading_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// google is Google Cloud with the kinds of a file.
func google() catalog.Vendor {
	return catalog.Vendor{
		Cloud: "gcp", Name: regexp.MustCompile(`^gcp_`), Lookup: gcpapi.Lookup, Normalize: gcpapi.Normalize, Scopes: []string{"account"}, SayUnpaged: true, Locations: "projects.locations.list",
		Partiality: &catalog.Partiality{Members: regexp.MustCompile(`(?i)unreachable|^missing|^failed|warning`), Harmless: []string{"NO_RESULTS_ON_PAGE"}},
	}
}

// script answers calls by operation: with the bodies in their order, or as a
// function of the input.
type script struct {
	mu     sync.Mutex
	bodies map[string][]string
	answer func(op string, in map[string]any) (string, error)
	calls  []string
}

func (s *script) Do(_ context.Context, c reading.Call) (*reading.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	in, err := json.Marshal(c.Input)
	if err != nil {
		return nil, err
	}
	s.calls = append(s.calls, c.Op.Name+" "+string(in))
	if s.answer != nil {
		body, err := s.answer(c.Op.Name, c.Input)
		if err != nil {
			return nil, err
		}
		return &reading.Answer{Body: []byte(body), Attempts: 1}, nil
	}
	left := s.bodies[c.Op.Name]
	if len(left) == 0 {
		return nil, fmt.Errorf("%s is not expected", c.Op.Name)
	}
	s.bodies[c.Op.Name] = left[1:]
	return &reading.Answer{Body: []byte(left[0]), Attempts: 1}, nil
}

// refusal is a Failure with a code.
type refusal string

func (r refusal) Error() string                 { return "refused: " + string(r) }
func (r refusal) HasCode(codes ...string) bool  { return slices.Contains(codes, string(r)) }
func (r refusal) Fault() (code, request string) { return string(r), "" }
func (r refusal) State() schema.State           { return schema.Denied }
func (r refusal) RefusesOne() bool              { return false }

// sink collects what is read as text.
type sink struct {
	mu    sync.Mutex
	rows  []string
	ends  []string
	wrong []string
}

func (s *sink) Write(_ context.Context, b *schema.Batch) error {
	defer b.Release()
	s.mu.Lock()
	defer s.mu.Unlock()
	col := func(i, row int) string {
		if a := b.Rows.Column(i).(*array.String); a.IsValid(row) {
			return a.Value(row)
		}
		return "-"
	}
	for i := range int(b.Rows.NumRows()) {
		text := fmt.Sprintf("%s %s in %s", b.Kind.Name, col(schema.ColVendorID, i), col(schema.ColScope, i))
		if urn := col(schema.ColURN, i); urn != "-" {
			text += " = " + urn
		}
		if b.Rows.Column(schema.ColTags).IsNull(i) {
			text += " untaggable"
		}
		if t := b.Rows.Column(schema.ColCreatedAt).(*array.Timestamp); t.IsValid(i) {
			text += " of " + normalize.FormatTime(int64(t.Value(i)))
		}
		s.rows = append(s.rows, text)
	}
	for _, p := range b.Problems {
		s.wrong = append(s.wrong, p.Column+" "+p.Code+" "+p.Sample)
	}
	return nil
}

func (s *sink) Scope(_ context.Context, r schema.ScopeResult) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := fmt.Sprintf("%s %s %s %d", r.Scope.Kind, r.Scope.Region, r.State, r.Rows)
	if r.Scope.Parent != "" {
		text = fmt.Sprintf("%s of a parent %s %d", r.Scope.Kind, r.State, r.Rows)
	}
	if r.Code != "" {
		text += " " + r.Code
	}
	s.ends = append(s.ends, text)
	return nil
}

func (s *sink) Problem(_ context.Context, ps ...schema.Problem) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range ps {
		s.wrong = append(s.wrong, p.Column+" "+p.Code+" "+p.Sample)
	}
	return nil
}

// read reads the kinds of a catalogue file from a script.
func read(t *testing.T, file string, s *script, locations ...string) *sink {
	t.Helper()
	v := google()
	v.Files = fstest.MapFS{"g.yaml": {Data: []byte(file)}}
	c, err := catalog.Load([]catalog.Vendor{v}, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := reading.New(reading.Config{
		Catalogue: c, Entries: c.Entries(), Lookup: gcpapi.Lookup,
		Names: func(n string) (string, bool) { return "p", n == "123" },
	})
	if err != nil {
		t.Fatal(err)
	}
	at := reading.Place{Cloud: "gcp", Account: "p", Region: "global", Caller: s}
	if locations != nil {
		at.Locations = func(context.Context, *api.Service) ([]string, error) {
			if locations[0] == "" {
				return nil, refusal("hidden")
			}
			return locations, nil
		}
	}
	out := &sink{}
	for _, l := range r.Lists() {
		if err := r.Task(at, l).Run(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(out.rows)
	slices.Sort(out.ends)
	return out
}

func (s *sink) check(t *testing.T, name string, rows, ends []string) {
	t.Helper()
	if got, want := strings.Join(s.rows, "\n"), strings.Join(rows, "\n"); rows != nil && got != want {
		t.Errorf("%s: rows\n%s\nwant\n%s", name, got, want)
	}
	if got, want := strings.Join(s.ends, "\n"), strings.Join(ends, "\n"); got != want {
		t.Errorf("%s: scopes\n%s\nwant\n%s", name, got, want)
	}
	for _, w := range s.wrong {
		t.Errorf("%s: problem %s", name, w)
	}
}

const disks = `service: compute.v1
kinds:
  gcp_compute_disk:
    list: disks.aggregatedList
    input: {project: "{account}"}
    items: "items{}.disks[]"
    page: {size: 500}
    id: id
    urn: selfLink | full_name
    region: selfLink | location
    located: true
    created_at: creationTimestamp
    tags: labels
    redact: [diskEncryptionKey, sourceImageEncryptionKey, sourceSnapshotEncryptionKey]
`

// disk is a disk of a zone, as the list has it.
func disk(id, zone string) string {
	return fmt.Sprintf(`{"id":%q,"selfLink":"https://www.googleapis.com/compute/v1/projects/123/zones/%s/disks/d%s","creationTimestamp":"2024-05-06T07:08:09.123-07:00"}`, id, zone, id)
}

// part is the part of an aggregated list's answer for a zone.
func part(zone string, disks ...string) string {
	if len(disks) == 0 {
		return `"zones/` + zone + `":{"warning":{"code":"NO_RESULTS_ON_PAGE","message":"There are no results","data":[{"key":"scope","value":"zones/` + zone + `"}]}}`
	}
	return `"zones/` + zone + `":{"disks":[` + strings.Join(disks, ",") + `]}`
}

func TestAggregatedListsAreCompleteByLocation(t *testing.T) {
	const a, b, c = "us-east1-a", "us-east1-b", "europe-west4-c"
	row := func(id, zone string) string {
		return "gcp_compute_disk " + id + " in gcp/p/" + zone + " = //compute.googleapis.com/projects/p/zones/" + zone + "/disks/d" + id + " of 2024-05-06T14:08:09.123Z"
	}
	for name, x := range map[string]struct {
		pages      []string
		rows, ends []string
	}{
		"an empty location": {
			[]string{`{"items":{` + part(a, disk("1", a)) + `,` + part(b) + `},"nextPageToken":"t"}`, `{"items":{` + part(a) + `,` + part(b, disk("2", b)) + `,` + part(c) + `},"nextPageToken":""}`},
			[]string{row("1", a), row("2", b)},
			[]string{"gcp_compute_disk europe-west4-c complete 0", "gcp_compute_disk us-east1-a complete 1", "gcp_compute_disk us-east1-b complete 1"},
		},
		"a warning in a part": {
			[]string{`{"items":{` + part(a, disk("1", a)) + `,"zones/` + b + `":{"disks":[` + disk("2", b) + `],"warning":{"code":"UNREACHABLE","message":"zone is down"}}}}`},
			[]string{row("1", a), row("2", b)},
			[]string{"gcp_compute_disk us-east1-a complete 1", "gcp_compute_disk us-east1-b unreachable 1 UNREACHABLE"},
		},
		"unreachables on the last page": {
			[]string{`{"items":{` + part(a, disk("1", a)) + `},"nextPageToken":"t"}`, `{"items":{` + part(b) + `},"unreachables":["zones/` + c + `"]}`},
			nil,
			[]string{"gcp_compute_disk europe-west4-c unreachable 0 unreachables", "gcp_compute_disk us-east1-a complete 1", "gcp_compute_disk us-east1-b complete 0"},
		},
		"a region is its zones": {
			[]string{`{"items":{` + part(a, disk("1", a)) + `,` + part(c) + `},"unreachables":["projects/p/regions/us-east1"]}`},
			nil,
			[]string{"gcp_compute_disk europe-west4-c complete 0", "gcp_compute_disk us-east1 unreachable 0 unreachables", "gcp_compute_disk us-east1-a unreachable 1 unreachables"},
		},
		"a warning of nowhere": {
			[]string{`{"items":{` + part(a, disk("1", a)) + `},"warning":{"code":"LIST_OVERHEAD_QUOTA_EXCEED","message":"some are left out"}}`},
			nil,
			[]string{"gcp_compute_disk * unreachable 0 LIST_OVERHEAD_QUOTA_EXCEED", "gcp_compute_disk us-east1-a unreachable 1 LIST_OVERHEAD_QUOTA_EXCEED"},
		},
		"harmless at the top": {
			[]string{`{"items":{` + part(a) + `},"warning":{"code":"NO_RESULTS_ON_PAGE"}}`},
			nil,
			[]string{"gcp_compute_disk us-east1-a complete 0"},
		},
		"a page that fails": {
			[]string{`{"items":{` + part(a, disk("1", a)) + `,` + part(b) + `},"nextPageToken":"t"}`},
			nil,
			[]string{"gcp_compute_disk * failed 0", "gcp_compute_disk us-east1-a failed 1"},
		},
	} {
		read(t, disks, &script{bodies: map[string][]string{"disks.aggregatedList": x.pages}}).check(t, name, x.rows, x.ends)
	}
	denied := &script{answer: func(string, map[string]any) (string, error) { return "", refusal("forbidden") }}
	read(t, disks, denied, a).check(t, "denied", nil, []string{"gcp_compute_disk * denied 0 forbidden"})
}

const services = `service: redis.v1
kinds:
  gcp_redis_instance:
    list: projects.locations.instances.list
    input: {parent: "projects/{account}/locations/-"}
    items: instances[]
    page: {size: 100}
    id: name
    name: name | after_last(/)
    region: name | location
    located: true
    created_at: createTime
    tags: labels
`

func TestWildcardListsAreCompleteByLocation(t *testing.T) {
	one := `{"instances":[{"name":"projects/p/locations/us-east1/instances/s","createTime":""}]`
	known := []string{"us-east1", "europe-west4"}
	read(t, services, &script{bodies: map[string][]string{"projects.locations.instances.list": {one + `}`}}}, known...).check(t, "all",
		[]string{"gcp_redis_instance projects/p/locations/us-east1/instances/s in gcp/p/us-east1"},
		[]string{"gcp_redis_instance europe-west4 complete 0", "gcp_redis_instance us-east1 complete 1"})
	read(t, services, &script{bodies: map[string][]string{"projects.locations.instances.list": {one + `,"unreachable":["projects/p/locations/europe-west4"]}`}}}, known...).check(t, "one lacks", nil,
		[]string{"gcp_redis_instance europe-west4 unreachable 0 unreachable", "gcp_redis_instance us-east1 complete 1"})
	read(t, services, &script{bodies: map[string][]string{"projects.locations.instances.list": {one + `,"unreachable":["somewhere else"]}`}}}, known...).check(t, "who knows", nil,
		[]string{"gcp_redis_instance * unreachable 0 unreachable", "gcp_redis_instance europe-west4 unreachable 0 unreachable", "gcp_redis_instance us-east1 unreachable 1 unreachable"})
	read(t, services, &script{bodies: map[string][]string{"projects.locations.instances.list": {one + `}`}}}, "").check(t, "hidden", nil,
		[]string{"gcp_redis_instance * denied 0 hidden", "gcp_redis_instance us-east1 complete 1"})
	read(t, services, &script{bodies: map[string][]string{"projects.locations.instances.list": {`{}`}}}).check(t, "nothing is known", nil,
		[]string{"gcp_redis_instance * complete 0"})
}

func TestPartialListsOfOneScopeAreIncomplete(t *testing.T) {
	const file = `service: container.v1
kinds:
  gcp_container_cluster:
    list: projects.locations.clusters.list
    input: {parent: "projects/{account}/locations/-"}
    page: {none: the list takes no token}
    items: clusters[]
    id: id
    region: location
    redact: [masterAuth, nodeConfig, nodePools]
`
	for body, want := range map[string]string{
		`{"clusters":[{"id":"c","location":"us-east1"}]}`:                    "gcp_container_cluster global complete 1",
		`{"clusters":[{"id":"c"}],"missingZones":["us-east1-b"]}`:            "gcp_container_cluster global unreachable 1 missingZones",
		`{"clusters":[{"id":"c"}],"missingZones":[]}`:                        "gcp_container_cluster global complete 1",
		`{"clusters":[{"id":"c"}],"missingZones":null}`:                      "gcp_container_cluster global complete 1",
		`{"missingZones":["us-east1-b"],"clusters":[{"id":"c"},{"id":"d"}]}`: "gcp_container_cluster global unreachable 2 missingZones",
		`<html><body>Sign in</body></html>`:                                  "gcp_container_cluster global failed 0 UnrecognizedAnswer",
	} {
		s := read(t, file, &script{bodies: map[string][]string{"projects.locations.clusters.list": {body}}})
		s.check(t, body, nil, []string{want})
		for _, r := range s.rows {
			// Clusters have labels, of which the file says nothing.
			if !strings.HasSuffix(r, "untaggable") {
				t.Errorf("tags of a kind without them are not NULL: %s", r)
			}
		}
	}
}

func TestAnswersThatAreCutFail(t *testing.T) {
	const file = `service: sqladmin.v1
kinds:
  gcp_sqladmin_user:
    list: users.list
    input: {project: "{account}", instance: i}
    items: items[]
    id: name
    page: {none: the list takes no token}
    drop: [password]
`
	read(t, file, &script{bodies: map[string][]string{"users.list": {`{"items":[{"name":"u"}],"nextPageToken":"t"}`}}}).check(t, "cut", nil, []string{"gcp_sqladmin_user global failed 1"})
	read(t, file, &script{bodies: map[string][]string{"users.list": {`{"items":[{"name":"u"}],"nextPageToken":""}`}}}).check(t, "whole", nil, []string{"gcp_sqladmin_user global complete 1"})
}

func TestListsForEachLocation(t *testing.T) {
	const file = `service: cloudkms.v1
kinds:
  gcp_cloudkms_location: {list: projects.locations.list, input: {name: "projects/{account}"}, items: "locations[]", page: {size: 100}, id: locationId}
  gcp_cloudkms_key_ring:
    for_each: gcp_cloudkms_location
    list: projects.locations.keyRings.list
    input: {parent: "{parent.name}"}
    items: keyRings[]
    page: {size: 100}
    id: name
    region: name | location
  gcp_cloudkms_crypto_key:
    for_each: gcp_cloudkms_key_ring
    list: projects.locations.keyRings.cryptoKeys.list
    input: {parent: "{parent.name}"}
    items: cryptoKeys[]
    page: {size: 100}
    id: name
    region: name | location
    edges: [{to: gcp_cloudkms_key_ring, ref: "{parent.name}"}]
`
	s := &script{answer: func(op string, in map[string]any) (string, error) {
		parent, _ := in["parent"].(string)
		switch op {
		case "projects.locations.list":
			return `{"locations":[{"name":"projects/p/locations/us","locationId":"us"},{"name":"projects/p/locations/eu","locationId":"eu"}]}`, nil
		case "projects.locations.keyRings.list":
			if parent == "projects/p/locations/eu" {
				return "", refusal("denied")
			}
			return `{"keyRings":[{"name":"` + parent + `/keyRings/r"}]}`, nil
		}
		return `{"cryptoKeys":[{"name":"` + parent + `/cryptoKeys/k"}]}`, nil
	}}
	read(t, file, s).check(t, "keys", []string{
		"gcp_cloudkms_crypto_key projects/p/locations/us/keyRings/r/cryptoKeys/k in gcp/p/global/" + parentOf(t, "gcp_cloudkms_key_ring", "us", "projects/p/locations/us/keyRings/r") + " untaggable",
		"gcp_cloudkms_key_ring projects/p/locations/us/keyRings/r in gcp/p/global/" + parentOf(t, "gcp_cloudkms_location", "global", "us") + " untaggable",
		"gcp_cloudkms_location eu in gcp/p/global untaggable",
		"gcp_cloudkms_location us in gcp/p/global untaggable",
	}, []string{
		"gcp_cloudkms_crypto_key global denied 0 denied", // which rings there are is not known
		"gcp_cloudkms_crypto_key of a parent complete 1",
		"gcp_cloudkms_key_ring global complete 0",
		"gcp_cloudkms_key_ring of a parent complete 1",
		"gcp_cloudkms_key_ring of a parent denied 0 denied",
		"gcp_cloudkms_location global complete 2",
	})
}

func parentOf(t *testing.T, kind, region, id string) string {
	t.Helper()
	return uuid.UUID(normalize.RowID(&schema.Kind{Name: kind, Key: kind, Cloud: "gcp", KeyScope: schema.KeyAccount}, "p", region, id)).String()
}

func TestFoldersAreListedInFolders(t *testing.T) {
	const file = `service: cloudresourcemanager.v3
kinds:
  gcp_cloudresourcemanager_folder:
    list: folders.list
    input: {parent: "organizations/1"}
    recurse: {parent: name}
    items: folders[]
    page: {size: 300}
    id: name
    created_at: createTime
`
	tree := map[string]string{
		"organizations/1": `{"folders":[{"name":"folders/a"},{"name":"folders/b"}]}`,
		"folders/a":       `{"folders":[{"name":"folders/c"}],"nextPageToken":"t"}`,
		"folders/a t":     `{"folders":[{"name":"folders/d"}]}`,
		"folders/c":       `{"folders":[{"name":"folders/a"}]}`, // moved meanwhile
		"folders/b":       `{}`, "folders/d": `{}`,
	}
	s := &script{answer: func(_ string, in map[string]any) (string, error) {
		key := strings.TrimSpace(fmt.Sprint(in["parent"], " ", cmp.Or(in["pageToken"], any(""))))
		body, ok := tree[key]
		if !ok {
			return "", refusal("denied")
		}
		return body, nil
	}}
	out := read(t, file, s)
	out.check(t, "all", nil, []string{"gcp_cloudresourcemanager_folder global complete 5"})
	if len(s.calls) != 6 {
		t.Errorf("%d calls: %v", len(s.calls), s.calls)
	}
	delete(tree, "folders/d")
	read(t, file, s).check(t, "one is denied", nil, []string{"gcp_cloudresourcemanager_folder global denied 5 denied"})
}

func TestTimesAndNumbersInTexts(t *testing.T) {
	const file = `service: bigquery.v2
kinds:
  gcp_bigquery_table:
    list: tables.list
    input: {projectId: "{account}", datasetId: d}
    items: tables[]
    page: {size: 500}
    id: id
    created_at: creationTime
    times: {creationTime: epoch_millis, expirationTime: epoch_millis}
`
	s := read(t, file, &script{bodies: map[string][]string{"tables.list": {`{"tables":[{"id":"a","creationTime":"1714979289123"},{"id":"b","creationTime":"","expirationTime":""},{"id":"c"}],"totalItems":3}`}}})
	s.check(t, "tables", []string{
		"gcp_bigquery_table a in gcp/p/global untaggable of 2024-05-06T07:08:09.123Z",
		"gcp_bigquery_table b in gcp/p/global untaggable",
		"gcp_bigquery_table c in gcp/p/global untaggable",
	}, []string{"gcp_bigquery_table global complete 3"})
}
