package gcp

import (
	"slices"
	"testing"

	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
)

func TestLocationsOfServices(t *testing.T) {
	s := fakeCloud(t, gcpfake.Options{Generate: 3, PageSize: 2})
	l := &locations{c: cloudClient(t, s, Options{MaxAttempts: 2}), p: &Project{ID: gcpfake.DefaultProject.ID}}
	redis, err := gcpapi.Lookup("redis.v1")
	if err != nil {
		t.Fatal(err)
	}
	names, err := l.of(t.Context(), redis)
	if err != nil || len(names) < 2 {
		t.Fatalf("%v, %v", names, err)
	}
	s.Inject(gcpfake.Fault{Op: "redis.v1 projects.locations.list", Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 500, Reason: "backendError"}})
	if again, err := l.of(t.Context(), redis); err != nil || !slices.Equal(again, names) {
		t.Errorf("they are listed again: %v, %v", again, err)
	}
	l = &locations{c: l.c, p: l.p}
	if names, err := l.of(t.Context(), redis); err == nil {
		t.Errorf("a list that fails is %v", names)
	}
	container, _ := gcpapi.Lookup("container.v1")
	if names, err := l.of(t.Context(), container); err == nil {
		t.Errorf("a service without locations is in %v", names)
	}
}
