package api_test

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// things is a service with a shape of every type, one of them recursive.
func things() *api.Service {
	low, high := 1.5, 9e18
	str := &api.Shape{Name: "String", Type: "string", Pattern: "a+", Min: &low, Max: &high, Enum: []string{"a", "aa"}}
	thing := &api.Shape{Name: "Thing", Type: "structure", Doc: "A thing.", Required: []string{"id"}}
	list := &api.Shape{Name: "Things", Type: "list", Elem: thing}
	thing.Members = []api.Member{
		{Name: "id", Shape: str, Doc: "Its id.", Sensitive: true},
		{Name: "parts", Shape: list, LocationName: "Parts"},
		{Name: "labels", Shape: &api.Shape{Name: "Labels", Type: "map", Key: str, Value: str}},
		{Name: "madeAt", Shape: &api.Shape{Name: "Time", Type: "timestamp", TimestampFormat: "iso8601"}},
	}
	failure := api.Error{Code: "Busy", Retryable: true, Throttles: true}
	return &api.Service{
		Name: "things.v1", Title: "Things API", APIVersion: "v1", Protocol: "discovery",
		RootURL: "https://things.example.com/", ServicePath: "things/v1/", MTLSRootURL: "https://things.mtls.example.com/",
		Locations: map[string]string{"eu": "https://things.eu.example.com/", "us": "https://things.us.example.com/"},
		Operations: map[string]*api.Operation{
			"things.list": {
				Name: "things.list", Method: "GET", URI: "{+parent}/things",
				Input:  &api.Shape{Name: "list", Type: "structure", Members: []api.Member{{Name: "parent", Shape: str, Location: "uri"}}},
				Output: list, Pager: &api.Pager{InputTokens: []string{"pageToken"}, OutputTokens: []string{"nextPageToken"}},
				Errors: []api.Error{failure},
			},
			"things.patch": {Name: "things.patch", Method: "PATCH", Deprecated: true, Errors: []api.Error{{Code: "Odd"}, failure}},
		},
	}
}

func pack(t *testing.T, services ...*api.Service) string {
	t.Helper()
	var b bytes.Buffer
	if err := api.WriteArchive(&b, map[string]int{"services": len(services)}, services); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestArchiveReadsAsItWasWritten(t *testing.T) {
	plain := &api.Service{Name: "plain.v2", QueryCompatible: true, Operations: map[string]*api.Operation{}}
	data := pack(t, things(), plain)
	if again := pack(t, plain, things()); again != data {
		t.Error("the same services give other bytes")
	}
	a, err := api.OpenArchive(data)
	if err != nil {
		t.Fatal(err)
	}
	var man struct{ Services int }
	if err := a.Manifest(&man); err != nil || man.Services != 2 {
		t.Errorf("%+v, %v", man, err)
	}
	if got := a.Services(); !reflect.DeepEqual(got, []string{"plain.v2", "things.v1"}) {
		t.Error(got)
	}
	got, err := a.Lookup("things.v1")
	if err != nil {
		t.Fatal(err)
	}
	want := things()
	if got.RootURL != want.RootURL || got.ServicePath != want.ServicePath || got.MTLSRootURL != want.MTLSRootURL || !reflect.DeepEqual(got.Locations, want.Locations) {
		t.Errorf("%+v", got)
	}
	list, err := got.Operation("things.list")
	if err != nil {
		t.Fatal(err)
	}
	if list.Output.Elem.Member("parts").Shape != list.Output {
		t.Error("the recursive shape is not itself")
	}
	if again, _ := a.Lookup("things.v1"); again != got {
		t.Error("decoded twice")
	}
	if p, err := a.Lookup("plain.v2"); err != nil || !p.QueryCompatible || p.RootURL != "" || p.Locations != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestArchiveSaysWhatIsNear(t *testing.T) {
	a, err := api.OpenArchive(pack(t, things()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Lookup("thing.v1"); err == nil || err.Error() != `unknown service "thing.v1": did you mean things.v1?` {
		t.Error(err)
	}
	s, _ := a.Lookup("things.v1")
	if _, err := s.Operation("thing.list"); err == nil || !strings.Contains(err.Error(), "did you mean things.list?") {
		t.Error(err)
	}
}

func TestDamagedDescriptions(t *testing.T) {
	data := api.Encode(things())
	for n := range data {
		if _, err := api.Decode(data[:n]); err == nil {
			t.Fatalf("%d of %d bytes decode", n, len(data))
		}
	}
	if _, err := api.OpenArchive("no zip"); err == nil {
		t.Error("not an archive")
	}
}
