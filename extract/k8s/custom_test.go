package k8s_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/schema"
)

// definition is a custom resource definition.
func definition(group, kind, plural, versions, more string) string {
	return fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%s.%s"},
		"spec":{"group":%q,"scope":"Namespaced","names":{"plural":%q,"singular":%q,"kind":%q},"versions":%s%s}}`,
		plural, group, group, plural, strings.ToLower(kind), kind, versions, more)
}

func define(t *testing.T, group, kind, plural, versions string) {
	t.Helper()
	defineOn(t, server, definition(group, kind, plural, versions, ""))
}

func defineOn(t *testing.T, s *kubetest.Server, crd string) {
	t.Helper()
	if err := s.Define(t.Context(), crd); err != nil {
		t.Fatal(err)
	}
}

func version(name string, storage bool, properties string) string {
	return fmt.Sprintf(`{"name":%q,"served":true,"storage":%t,"schema":{"openAPIV3Schema":{"type":"object","properties":{%s}}}}`, name, storage, properties)
}

func openClusters(t *testing.T, o k8s.Options) (*k8s.Clusters, error) {
	t.Helper()
	cs, err := k8s.Open(t.Context(), o)
	if err == nil {
		t.Cleanup(cs.Close)
	}
	return cs, err
}

func recorder(t *testing.T) (*extract.DirRecorder, string) {
	t.Helper()
	dir := t.TempDir()
	rec, err := extract.OpenRecorder(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	return rec, dir
}

func grep(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		found = found || strings.Contains(string(b), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFieldsNamedLikeCommonColumns takes every name for a field, as the server
// does.
func TestFieldsNamedLikeCommonColumns(t *testing.T) {
	text := `{"type":"string"}`
	define(t, "names.example.com", "Name", "names", "["+version("v1", true, fmt.Sprintf(
		`"id":%[1]s,"tags":{"type":"array","items":%[1]s},"_id":%[1]s,"created_at":%[1]s,"camelCase":%[1]s,"camel_case":%[1]s,"item_id":%[1]s,"account":%[1]s,"annotations":%[1]s,"spec":{"type":"object","properties":{"annotations":%[1]s}}`, text))+"]")
	create(t, "/apis/names.example.com/v1/namespaces/default/names", `{"apiVersion":"names.example.com/v1","kind":"Name","metadata":{"name":"one"},
		"id":"i","tags":["t"],"_id":"u","created_at":"c","camelCase":"upper","camel_case":"lower","item_id":"ii","account":"a","annotations":"n"}`)
	s := open(t, options(t, "admin"), nil, "kubernetes_names_example_com_name")
	out := collect(t, s)
	r := out.row(t, "kubernetes_names_example_com_name", "one")
	values := map[string]int{}
	for _, v := range r {
		values[fmt.Sprint(v)]++
	}
	for _, v := range []string{"i", "[t]", "u", "c", "upper", "lower", "ii", "a", "n"} {
		if values[v] != 1 {
			t.Errorf("%q is in %d columns: %v", v, values[v], r)
		}
	}
	if r["id"] != r["urn"] || r["region"] != "default" {
		t.Errorf("the object's fields came into the common columns: %v", r)
	}
	again := open(t, options(t, "admin"), nil, "kubernetes_names_example_com_name")
	if fmt.Sprint(s.Kinds()[0].Columns) != fmt.Sprint(again.Kinds()[0].Columns) {
		t.Error("the columns have other names the next time")
	}
}

func TestResourceWithoutSchema(t *testing.T) {
	define(t, "loose.example.com", "Loose", "looses", `[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}]`)
	create(t, "/apis/loose.example.com/v1/namespaces/default/looses", `{"apiVersion":"loose.example.com/v1","kind":"Loose","metadata":{"name":"one","labels":{"a":"b"}},"spec":{"x":1}}`)
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_loose_example_com_loose"))
	r := out.row(t, "kubernetes_loose_example_com_loose", "one")
	if fmt.Sprint(r["tags"]) != "[map[key:a value:b]]" {
		t.Errorf("row: %v", r)
	}
}

// TestStoredVersionIsRead reads v1, which is stored, where the group prefers
// v2, which lacks fields of it; and a resource that the preferred version of
// its group does not have.
func TestStoredVersionIsRead(t *testing.T) {
	define(t, "ex.example.com", "Port", "ports", "["+
		version("v1", true, `"spec":{"type":"object","properties":{"port":{"type":"integer"},"extra":{"type":"string"}}}`)+","+
		version("v2", false, `"spec":{"type":"object","properties":{"port":{"type":"string"}}}`)+"]")
	define(t, "ex.example.com", "Blob", "blobs", "["+version("v1", true, `"spec":{"type":"object","properties":{"size":{"type":"integer"}}}`)+"]")
	create(t, "/apis/ex.example.com/v1/namespaces/default/ports", `{"apiVersion":"ex.example.com/v1","kind":"Port","metadata":{"name":"one"},"spec":{"port":80,"extra":"kept"}}`)
	create(t, "/apis/ex.example.com/v1/namespaces/default/blobs", `{"apiVersion":"ex.example.com/v1","kind":"Blob","metadata":{"name":"one"},"spec":{"size":5}}`)
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_ex_example_com_*"))
	if r := out.row(t, "kubernetes_ex_example_com_port", "one"); r["spec_port"] != 80.0 || r["spec_extra"] != "kept" {
		t.Errorf("row: %v", r)
	}
	if r := out.row(t, "kubernetes_ex_example_com_blob", "one"); r["spec_size"] != 5.0 {
		t.Errorf("row: %v", r)
	}
	// Whoever may not read the definitions reads the preferred version, and is
	// told so.
	if err := server.Grant(t.Context(), "nocrds", "", "ports.ex.example.com", "namespaces"); err != nil {
		t.Fatal(err)
	}
	out = collect(t, open(t, options(t, "nocrds"), nil, "kubernetes_ex_example_com_port"))
	if r := out.row(t, "kubernetes_ex_example_com_port", "one"); r["spec_extra"] != nil || out.state("kubernetes_ex_example_com_port", "global") != schema.Complete {
		t.Errorf("row: %v", r)
	}
	if !out.hasProblem("version", "the definitions of custom resources may not be listed") {
		t.Errorf("problems: %v", out.problems)
	}
}

// TestDeadConversionWebhook reads the stored version, which needs none.
func TestDeadConversionWebhook(t *testing.T) {
	spec := `"spec":{"type":"object","properties":{"a":{"type":"string"}}}`
	defineOn(t, server, definition("dead.example.com", "Hook", "hooks", "["+version("v1", true, spec)+","+version("v2", false, spec)+"]", ""))
	create(t, "/apis/dead.example.com/v1/namespaces/default/hooks", `{"apiVersion":"dead.example.com/v1","kind":"Hook","metadata":{"name":"one"},"spec":{"a":"b"}}`)
	if _, err := server.Do(t.Context(), "PATCH", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/hooks.dead.example.com", []byte(`{"spec":{"conversion":{"strategy":"Webhook",
		"webhook":{"conversionReviewVersions":["v1"],"clientConfig":{"url":"https://127.0.0.1:1/convert"}}}}}`)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		_, err := server.Do(t.Context(), "GET", "/apis/dead.example.com/v2/hooks", nil)
		return err != nil && strings.Contains(err.Error(), "500")
	})
	out := collect(t, open(t, options(t, "admin"), nil, "kubernetes_dead_example_com_hook"))
	if r := out.row(t, "kubernetes_dead_example_com_hook", "one"); r["spec_a"] != "b" {
		t.Errorf("row: %v", r)
	}
}

// TestKindsEndWithTheirDefinition deletes a definition: its kind's rows end,
// though no list says so.
func TestKindsEndWithTheirDefinition(t *testing.T) {
	define(t, "gone.example.com", "Gone", "gones", "["+version("v1", true, `"spec":{"type":"object"}`)+"]")
	before := open(t, options(t, "admin"), nil, "kubernetes_gone_example_com_gone")
	scope := collect(t, before).scopes["kubernetes_gone_example_com_gone in global"].Scope
	if scope.Kind == "" {
		t.Fatal("the kind is not read")
	}
	former := []k8s.FormerScope{{Scope: scope, Kind: before.Kinds()[0]}}
	keep := func(c *k8s.SourceConfig) { c.Former = former }
	// As long as it is served, a sync of other kinds ends nothing.
	if out := collect(t, open(t, options(t, "admin"), keep, "kubernetes_pod")); out.state("kubernetes_gone_example_com_gone", "global") != "" {
		t.Error("a kind that was not asked for ends")
	}
	if _, err := server.Do(t.Context(), "DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gones.gone.example.com", nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		b, err := server.Do(t.Context(), "GET", "/apis", nil)
		return err == nil && !strings.Contains(string(b), "gone.example.com")
	})
	s := open(t, options(t, "admin"), keep, "kubernetes_pod")
	out := collect(t, s)
	if r := out.scopes["kubernetes_gone_example_com_gone in global"]; r.State != schema.Complete || r.Rows != 0 {
		t.Errorf("the kind does not end: %+v", r)
	}
	if len(s.Kinds()) != 2 {
		t.Errorf("the source has %d kinds", len(s.Kinds()))
	}
	// In another cluster, and in one that cannot be asked, nothing is known.
	former[0].Scope.Account = "another"
	if out := collect(t, open(t, options(t, "admin"), keep, "kubernetes_pod")); out.state("kubernetes_gone_example_com_gone", "global") != "" {
		t.Error("a kind ends in a cluster that was not asked")
	}
}
