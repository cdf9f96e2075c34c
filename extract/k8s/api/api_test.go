package api_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	arrow "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/extract/api"
	k8s "github.com/dewpoint-data/dewpoint/extract/k8s/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

func TestEmbeddedDescriptions(t *testing.T) {
	if s := k8s.Source(); s.Source != "k8s.io/kubernetes" || s.Operations < 50 || s.Services != len(k8s.Services()) {
		t.Errorf("the descriptions are made from %+v", s)
	}
	core, err := k8s.Lookup(k8s.Core)
	if err != nil {
		t.Fatal(err)
	}
	if core.Operations["componentstatuses"] != nil {
		t.Error("componentstatuses, which have no uid, are described")
	}
	hpa, err := k8s.Lookup("autoscaling")
	if err != nil || hpa.APIVersion != "v2" {
		t.Errorf("autoscaling is described as %s, %v, not as v2", hpa.APIVersion, err)
	}
	if o := core.Operations["pods"]; o.URI != "/api/v1/pods" || !k8s.Namespaced(o) || k8s.Namespaced(core.Operations["nodes"]) {
		t.Errorf("pods are %s, namespaced %t", o.URI, k8s.Namespaced(o))
	}
	item := func(op string) *api.Shape { return core.Operations[op].Output.Member("items").Shape.Elem }
	for _, c := range []struct {
		shape *api.Shape
		want  string
	}{
		{item("pods").Member("spec").Shape.Member("nodeName").Shape, "string"},
		{item("pods").Member("status").Shape.Member("startTime").Shape, "timestamp"},
		{item("nodes").Member("status").Shape.Member("capacity").Shape.Value, "string"},
		{item("pods").Member("spec").Shape.Member("priority").Shape, "long"},
		{item("services").Member("spec").Shape.Member("ports").Shape.Elem.Member("targetPort").Shape, "document"},
		{item("configmaps").Member("binaryData").Shape.Value, "blob"},
	} {
		got := c.shape.Type
		if c.shape.Document {
			got = "document"
		}
		if got != c.want {
			t.Errorf("%s is a %s, not a %s", c.shape.Name, got, c.want)
		}
	}
	secrets := core.Operations["secrets"]
	if secrets.Variant != k8s.Metadata || item("secrets").Member("data") != nil {
		t.Error("the data of secrets is asked for")
	}
	if got := strings.Join(k8s.Sensitive(core.Operations["pods"]), " "); got != "spec.containers[].env[].value spec.ephemeralContainers[].env[].value spec.initContainers[].env[].value" {
		t.Errorf("sensitive in pods: %s", got)
	}
}

// TestGenerateLeavesNoDifference writes the archive anew, from the module in
// the module cache.
func TestGenerateLeavesNoDifference(t *testing.T) {
	out := filepath.Join(t.TempDir(), "services.zip")
	if b, err := exec.CommandContext(t.Context(), "go", "run", "./gen", "-out", out).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("services.zip")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("services.zip is not what go generate writes")
	}
}

func TestTypesOfCustomResources(t *testing.T) {
	const doc = `{"openapi":"3.0.0","components":{"schemas":{"io.ex.v1.Thing":{
		"type":"object","x-kubernetes-group-version-kind":[{"group":"ex.io","kind":"Thing","version":"v1"}],
		"properties":{
			"apiVersion":{"type":"string"},"kind":{"type":"string"},"metadata":{"type":"object"},
			"spec":{"type":"object","properties":{
				"text":{"type":"string"},"when":{"type":"string","format":"date-time"},"day":{"type":"string","format":"date"},"whole":{"type":"integer","format":"int32"},
				"real":{"type":"number"},"flag":{"type":"boolean"},"port":{"x-kubernetes-int-or-string":true},"either":{"oneOf":[{"type":"string"},{"type":"integer"}]},
				"any":{},"open":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"known":{"type":"string"}}},
				"labels":{"type":"object","additionalProperties":{"type":"string"}},"free":{"type":"object"},
				"list":{"type":"array","items":{"type":"integer"}},
				"env":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},"value":{"type":"string"}}}}}}}}}}}`
	s, err := k8s.ParseOpenAPI([]byte(doc), k8s.Meta())
	if err != nil {
		t.Fatal(err)
	}
	o := s.Object("ex.io", "v1", "Thing")
	if o.Member("metadata").Shape.Member("ownerReferences") == nil {
		t.Error("the metadata is not that of all objects")
	}
	spec := o.Member("spec").Shape
	for name, want := range map[string]string{
		"text": "string", "when": "timestamp", "day": "string", "whole": "long", "real": "double", "flag": "boolean", "port": "document",
		"either": "document", "any": "document", "open": "document", "labels": "map", "free": "document", "list": "list",
	} {
		got := spec.Member(name).Shape.Type
		if spec.Member(name).Shape.Document {
			got = "document"
		}
		if got != want {
			t.Errorf("%s is a %s, not a %s", name, got, want)
		}
	}
	if !spec.Member("env").Shape.Elem.Member("value").Sensitive {
		t.Error("the values of environment variables are not sensitive")
	}
	if o := s.Object("ex.io", "v1", "Other"); len(o.Members) != 3 {
		t.Errorf("an object without a schema has %d members", len(o.Members))
	}
	for _, doc := range []string{`{"swagger":"2.0"}`, `<html>`, ``} {
		if _, err := k8s.ParseOpenAPI([]byte(doc), nil); err == nil {
			t.Errorf("%q passes for OpenAPI", doc)
		}
	}
}

// quantities reads texts by the transform that the catalogue calls quantity.
func quantities(t *testing.T, texts []string) []string {
	t.Helper()
	text := &normalize.Shape{Type: normalize.String}
	item := &normalize.Shape{Type: normalize.Structure, Members: []normalize.Member{{Name: "id", Wire: "id", Shape: text}, {Name: "q", Wire: "q", Shape: text}}}
	at := func(name string) normalize.Expr {
		return normalize.Expr{Path: normalize.Path{{Member: name}}}
	}
	q := at("q")
	q.Transforms = []normalize.Transform{{Op: normalize.Quantity}}
	plan, err := normalize.Compile(normalize.Spec{
		Kind: &schema.Kind{Name: "k", Key: "k", Columns: []schema.Column{{Name: "q", Type: schema.Text}}},
		Sources: []normalize.Source{{
			Call: "list", Format: normalize.JSON, Items: normalize.Path{{Member: "items", Each: true}},
			Shape: &normalize.Shape{Type: normalize.Structure, Members: []normalize.Member{{Name: "items", Wire: "items", Shape: &normalize.Shape{Type: normalize.List, Elem: item}}}},
		}},
		ID: []normalize.Expr{at("id")}, Fields: []normalize.Field{{Column: 0, Expr: q}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Items []map[string]string `json:"items"`
	}
	for i, s := range texts {
		doc.Items = append(doc.Items, map[string]string{"id": fmt.Sprint(i), "q": s})
	}
	body, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	b := plan.NewBuilder(arrow.DefaultAllocator)
	b.Begin(normalize.Origin{})
	if _, _, err := b.Page(body, nil); err != nil {
		t.Fatal(err)
	}
	batch := b.Flush()
	defer batch.Release()
	var out []string
	for i := range len(texts) {
		out = append(out, batch.Rows.Column(schema.NumBatchUnified).ValueStr(i))
	}
	return out
}

// TestQuantitiesAreThoseOfKubernetes compares with the API server's own code.
func TestQuantitiesAreThoseOfKubernetes(t *testing.T) {
	texts := []string{
		"0", "1", "100m", "1Gi", "1.5Gi", "1e3", "1E3", "1E", "-1", "+5", ".5", "5.", "0.1", "1n", "1500u", "0.0000000001", "-0.0000000001", "9Ei", "8Ei",
		"9223372036854775807", "9223372036854775808", "1e19", "100e-2", "1e-9", "1e-12", "007", "1.23456789012345", "12345678901234567890Ki", "2.5M", "0Ki", "-0",
		"1.5m", "1e+3", "1e-3", "0.5Ki", "1000000000000000000000", "999999999999999999n", "Gi", "+", ".",
	}
	bad := []string{"", "x", "1x", "1KI", "1 Gi", "--1", "1.2.3", "1e", "1K", "1e3Gi"}
	r := rand.New(rand.NewPCG(1, 2))
	suffixes := []string{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e0", "e3", "E-4"}
	for range 2000 {
		s := fmt.Sprint(r.Int64N(1 << uint(r.IntN(50)+1)))
		if r.IntN(2) == 0 {
			s += fmt.Sprintf(".%d", r.Int64N(1_000_000))
		}
		if r.IntN(4) == 0 {
			s = "-" + s
		}
		texts = append(texts, s+suffixes[r.IntN(len(suffixes))])
	}
	for i, got := range quantities(t, append(texts, bad...)) {
		if i >= len(texts) {
			s := bad[i-len(texts)]
			if _, err := resource.ParseQuantity(s); err == nil {
				t.Errorf("%q is a quantity after all", s)
			}
			if got != s && got != "(null)" {
				t.Errorf("%q, which is no quantity, becomes %s", s, got)
			}
			continue
		}
		q, err := resource.ParseQuantity(texts[i])
		if err != nil {
			t.Fatalf("%s: %v", texts[i], err)
		}
		d := q.AsDec().String()
		if strings.Contains(d, ".") {
			d = strings.TrimRight(strings.TrimRight(d, "0"), ".")
		}
		if d == "-0" {
			d = "0"
		}
		if got != d {
			t.Errorf("%s: got %s, want %s", texts[i], got, d)
		}
	}
}
