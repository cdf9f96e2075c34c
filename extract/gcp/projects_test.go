package gcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
)

// company is an organization of two folders, one in the other.
func company() gcpfake.Options {
	return gcpfake.Options{
		Projects: []gcpfake.Project{
			{ID: "root", Number: "1", Name: "Root", Parent: "organizations/9"},
			{ID: "shop-prod", Number: "2", Name: "Shop", Parent: "folders/10", Labels: map[string]string{"env": "prod"}},
			{ID: "shop-test", Number: "3", Name: "Shop test", Parent: "folders/11", Labels: map[string]string{"env": "test"}},
			{ID: "old", Number: "4", Name: "Old", Parent: "folders/11", State: "DELETE_REQUESTED"},
			{ID: "elsewhere", Number: "5", Name: "Elsewhere", Parent: "organizations/8"},
		},
		Folders: []gcpfake.Folder{
			{Name: "folders/10", Parent: "organizations/9"}, {Name: "folders/11", Parent: "folders/10"}, {Name: "folders/12", Parent: "folders/11"},
		},
		PageSize: 1,
	}
}

func fakeCloud(t *testing.T, o gcpfake.Options) *gcpfake.Server {
	t.Helper()
	s := gcpfake.New(o)
	t.Cleanup(s.Close)
	return s
}

func cloudClient(t *testing.T, s *gcpfake.Server, o Options) *Client {
	t.Helper()
	o.Endpoints = map[string]string{"*": s.URL}
	return client(t, o)
}

func ids(ps []*Project) string {
	var out []string
	for _, p := range ps {
		out = append(out, p.ID)
	}
	return strings.Join(out, " ")
}

func TestProjectsAreFound(t *testing.T) {
	s := fakeCloud(t, company())
	c := cloudClient(t, s, Options{})
	for name, tc := range map[string]struct {
		c           ProjectsConfig
		want, ended string
	}{
		"organization":  {ProjectsConfig{Organization: "9"}, "root shop-prod shop-test", "old"},
		"folder":        {ProjectsConfig{Folders: []string{"folders/11"}}, "shop-test", "old"},
		"twice":         {ProjectsConfig{Organization: "organizations/9", Folders: []string{"10", "11"}, Projects: []string{"root"}}, "root shop-prod shop-test", "old"},
		"list":          {ProjectsConfig{Projects: []string{"elsewhere", "2", "old"}}, "elsewhere shop-prod", "old"},
		"by id":         {ProjectsConfig{Organization: "9", Include: []string{"shop-*"}}, "shop-prod shop-test", ""},
		"by number":     {ProjectsConfig{Organization: "9", Include: []string{"3"}}, "shop-test", ""},
		"by name":       {ProjectsConfig{Organization: "9", Include: []string{"name:Shop *"}}, "shop-test", ""},
		"by label":      {ProjectsConfig{Organization: "9", Include: []string{"label:env=prod", "root"}}, "root shop-prod", ""},
		"with a label":  {ProjectsConfig{Organization: "9", Include: []string{"label:env"}, Exclude: []string{"*-prod"}}, "shop-test", ""},
		"all but":       {ProjectsConfig{Organization: "9", Exclude: []string{"label:env=t*", "old"}}, "root shop-prod", ""},
		"by its number": {ProjectsConfig{Projects: []string{"1"}}, "root", ""},
	} {
		d, err := c.discover(t.Context(), tc.c)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if ids(d.projects) != tc.want || ids(d.ended) != tc.ended || len(d.failed) != 0 {
			t.Errorf("%s: %s; ended %s; failed %v", name, ids(d.projects), ids(d.ended), d.failed)
		}
	}
	for _, p := range s.Requests() {
		if strings.Contains(p.Operation, "search") {
			t.Errorf("%s: what a search finds is what the caller may see", p.Op())
		}
	}
	if b := s.Broken(); len(b) > 0 {
		t.Error(b)
	}
}

func TestTheCredentialsOwnProject(t *testing.T) {
	s := fakeCloud(t, company())
	c := cloudClient(t, s, Options{})
	if _, err := c.discover(t.Context(), ProjectsConfig{}); err == nil || !strings.Contains(err.Error(), "name projects, an organization or folders") {
		t.Error(err)
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", "shop-prod")
	d, err := c.discover(t.Context(), ProjectsConfig{})
	if err != nil || ids(d.projects) != "shop-prod" || d.projects[0].Number != "2" || d.projects[0].Labels["env"] != "prod" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestProjectConfigsThatAreWrong(t *testing.T) {
	for want, c := range map[string]ProjectsConfig{
		"is no organization":          {Organization: "example.com"},
		"is no folder":                {Folders: []string{"folders/"}},
		"is no pattern":               {Organization: "9", Include: []string{"a["}},
		"names no label":              {Organization: "9", Exclude: []string{"label:=x"}},
		"choose among the projects":   {Projects: []string{"a"}, Exclude: []string{"b"}},
		`exclude: "name:" is no patt`: {Organization: "9", Exclude: []string{"name:"}},
	} {
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestParentsThatCannotBeListedAreTold(t *testing.T) {
	s := fakeCloud(t, company())
	c := cloudClient(t, s, Options{})
	s.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "cloudresourcemanager.v3 folders.list", Contains: "folders%2F10"})
	d, err := c.discover(t.Context(), ProjectsConfig{Organization: "9"})
	if err != nil || ids(d.projects) != "root shop-prod" {
		t.Fatalf("%+v, %v", d, err)
	}
	if got := slices.Sorted(maps.Keys(d.failed)); fmt.Sprint(got) != "[folders/10]" {
		t.Error(got)
	}
	// In the middle of its pages, too: what was found counts.
	s.Heal()
	s.Inject(gcpfake.Fault{Kind: gcpfake.Refuse, Op: "cloudresourcemanager.v3 projects.list", Contains: "folders%2F11", Page: 2, Refusal: gcpfake.Refusal{Status: 400, Reason: "invalid"}})
	d, err = c.discover(t.Context(), ProjectsConfig{Organization: "9"})
	if err != nil || ids(d.projects) != "root shop-prod shop-test" || d.failed["folders/11"] == nil {
		t.Errorf("%+v, %v", d, err)
	}
	// The whole organization: nothing to read.
	s.Heal()
	s.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "cloudresourcemanager.v3 projects.list"})
	if _, err = c.discover(t.Context(), ProjectsConfig{Organization: "9"}); err == nil || !strings.Contains(err.Error(), "organizations/9") {
		t.Error(err)
	}
	// Tokens that repeat, and an answer that is none.
	s.Heal()
	s.Inject(gcpfake.Fault{Kind: gcpfake.RepeatToken, Op: "cloudresourcemanager.v3 projects.list", Contains: "folders%2F10"})
	if d, err = c.discover(t.Context(), ProjectsConfig{Organization: "9"}); err != nil || d.failed["folders/10"] == nil {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestProjectsThatMayNotBeDescribedAreRead(t *testing.T) {
	s := fakeCloud(t, company())
	c := cloudClient(t, s, Options{})
	s.Inject(gcpfake.Fault{Kind: gcpfake.Deny, Op: "cloudresourcemanager.v3 projects.get"})
	d, err := c.discover(t.Context(), ProjectsConfig{Projects: []string{"shop-prod"}})
	if err != nil || ids(d.projects) != "shop-prod" || d.projects[0].Number != "" {
		t.Fatalf("%+v, %v", d, err)
	}
	if _, err = c.discover(t.Context(), ProjectsConfig{Projects: []string{"2"}}); err == nil {
		t.Error("a project is read by a number without an id")
	}
	s.Heal()
	s.Inject(gcpfake.Fault{Kind: gcpfake.Refuse, Refusal: gcpfake.Refusal{Status: 401, Canonical: "UNAUTHENTICATED"}})
	var e *APIError
	if _, err = c.discover(t.Context(), ProjectsConfig{Projects: []string{"shop-prod"}}); !errors.As(err, &e) || !e.Credentials() {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = c.discover(ctx, ProjectsConfig{Organization: "9"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRecordingsKnowTheirProjects(t *testing.T) {
	s := fakeCloud(t, company())
	dir := t.TempDir()
	rec, err := extract.OpenRecorder(dir, "v1")
	if err != nil {
		t.Fatal(err)
	}
	c := cloudClient(t, s, Options{Recorder: rec})
	if _, err := c.discover(t.Context(), ProjectsConfig{Organization: "9", Include: []string{"shop-*"}}); err != nil {
		t.Fatal(err)
	}
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	p, err := extract.OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	d, err := client(t, Options{Player: p}).discover(t.Context(), ProjectsConfig{Organization: "9"})
	if err != nil || ids(d.projects) != "shop-prod shop-test" || d.projects[0].Number != "2" || d.projects[0].Name != "Shop" {
		t.Errorf("%+v, %v", d, err)
	}
}
