package catalog

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/dewpoint-data/dewpoint/extract/api"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// cluster is a cloud whose services are described at run time, but for core.
func cluster(t *testing.T) []Vendor {
	t.Helper()
	return append(aws(), Vendor{
		Cloud: "kubernetes", Title: "Kubernetes",
		Name: regexp.MustCompile(`^kubernetes_[a-z0-9]+(_[a-z0-9]+)*$`), NameForm: "kubernetes_<noun>",
		Words:       func(kind string) (string, string) { return "", strings.TrimPrefix(kind, "kubernetes_") },
		ServiceForm: "the API group",
		Files:       fstest.MapFS{"core.yaml": {Data: []byte("service: core\nkinds:\n  kubernetes_pod:\n    edges: [{to: aws_ec2_volume, ref: spec.node}]\n")}},
		Lookup: func(name string) (*api.Service, error) {
			if name == "core" {
				return group("core", "pods", nil), nil
			}
			return nil, fmt.Errorf("%s: %w", name, ErrLater)
		},
		Normalize: gcpapi.Normalize,
		Scopes:    []string{"account", "region"},
		Permissions: func(svc *api.Service, op *api.Operation, _ string, _ []string) ([]string, error) {
			plural, verb, _ := strings.Cut(op.Name, ".")
			return []string{verb + " " + plural + "." + svc.Name}, nil
		},
		Defaults: func(_, name string, k *Kind) {
			if k.List == "" {
				k.List = strings.TrimPrefix(name, "kubernetes_") + "s.list"
			}
			k.Items, k.ID = "items[]", Strings{"metadata.uid"}
			k.Name, k.Region, k.CreatedAt, k.Tags = "metadata.name", "metadata.namespace", "metadata.creationTimestamp", "metadata.labels"
			k.Drop = append(k.Drop, "metadata")
		},
	})
}

// group describes a list of objects with a spec.
func group(name, plural string, spec []api.Member) *api.Service {
	str := &api.Shape{Name: "string", Type: "string"}
	meta := &api.Shape{Name: "ObjectMeta", Type: "structure", Members: []api.Member{
		{Name: "uid", Shape: str},
		{Name: "name", Shape: str},
		{Name: "namespace", Shape: str},
		{Name: "creationTimestamp", Shape: &api.Shape{Name: "Time", Type: "timestamp", TimestampFormat: "iso8601"}},
		{Name: "labels", Shape: &api.Shape{Name: "Labels", Type: "map", Key: str, Value: str}},
	}}
	spec = append(spec, api.Member{Name: "node", Shape: str})
	item := &api.Shape{Name: plural, Type: "structure", Doc: "An object.", Members: []api.Member{
		{Name: "metadata", Shape: meta}, {Name: "spec", Shape: &api.Shape{Name: "Spec", Type: "structure", Members: spec}},
	}}
	list := &api.Shape{Name: "List", Type: "structure", Members: []api.Member{{Name: "items", Shape: &api.Shape{Name: "Items", Type: "list", Elem: item}}}}
	return &api.Service{Name: name, Title: name, Operations: map[string]*api.Operation{plural + ".list": {Name: plural + ".list", Output: list}}}
}

func TestKindsOfRunTime(t *testing.T) {
	dir := t.TempDir()
	mine := write(t, dir, "mine.yaml", "cloud: kubernetes\nservice: ex.io\nkinds:\n  kubernetes_ex_io_widget:\n    volatile: [spec.node]\n    edges: [{to: kubernetes_pod, ref: spec.node}]\n")
	base, err := Load(cluster(t), Options{Files: []string{mine}, Only: []string{"kubernetes"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := base.Entry("kubernetes_ex_io_widget"); ok {
		t.Error("a kind that is not described yet is there")
	}
	if !base.knows("kubernetes_ex_io_widget") {
		t.Error("a kind that is not described yet cannot be skipped")
	}
	pod, ok := base.Entry("kubernetes_pod")
	if !ok || pod.Spec.CreatedAt == nil || pod.Kind.Edges[0].To != "aws_ec2_volume" || pod.List.Actions[0] != "list pods.core" {
		t.Fatalf("%+v", pod)
	}
	str := &api.Shape{Name: "string", Type: "string"}
	widgets := group("ex.io", "widgets", []api.Member{
		// All of these may stand beside each other in a custom resource.
		{Name: "camelCase", Shape: str},
		{Name: "camel_case", Shape: str},
		{Name: "port", Shape: &api.Shape{Name: "IntOrString", Type: "structure", Document: true}},
		{Name: "a.b/c", Shape: str},
	})
	c, err := base.With(
		Addition{"kubernetes", widgets, map[string]Kind{"kubernetes_ex_io_widget": {List: "widgets.list"}}},
		Addition{"kubernetes", group("core", "pods", nil), map[string]Kind{"kubernetes_pod": {List: "pods.list"}}},
		Addition{"kubernetes", group("bad.io", "things", nil), map[string]Kind{"kubernetes_bad_io_thing": {List: "nothings.list"}}},
	)
	var p Problems
	if !errors.As(err, &p) || len(p) != 1 || err.Error() != `bad.io: kubernetes_bad_io_thing: bad.io has no operation "nothings.list"; did you mean "things.list"?` {
		t.Errorf("%v", err)
	}
	w, ok := c.Entry("kubernetes_ex_io_widget")
	if !ok {
		t.Fatal("the kind is not there")
	}
	const want = `kubernetes_ex_io_widget
  spec_camel_case                          text         spec.camelCase
  spec_camel_case_fb94793f                 text         spec.camel_case
  spec_port                                json         spec.port
  spec_a_b_c                               text         spec."a.b/c"
  spec_node                                text         spec.node (volatile)
`
	if got := w.Columns(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if len(w.Kind.Edges) != 1 || w.Spec.Tags == nil || w.File != mine {
		t.Errorf("%+v", w)
	}
	if _, err := normalize.Compile(w.Spec); err != nil {
		t.Error(err)
	}
	if again, _ := c.Entry("kubernetes_pod"); again != pod {
		t.Error("a kind that is there is compiled again")
	}
	if len(c.Entries()) != len(base.Entries())+1 || len(c.Lists(c.Entries())) != len(base.Lists(base.Entries()))+1 {
		t.Error("the catalogue has not one more kind")
	}
	if es, err := c.Select([]string{"ex_io_widget"}, nil); err != nil || len(es) != 1 {
		t.Error(es, err)
	}
}

func TestPathsQuoteOddNames(t *testing.T) {
	for text, want := range map[string]string{
		`metadata.labels."a.b/c"`: `metadata.labels."a.b/c"`,
		`x."[]"[].y`:              `x."[]"[].y`,
		`"a"`:                     `a`,
	} {
		p, err := parsePath(text)
		if err != nil || pathText(p) != want {
			t.Errorf("%s: %s, %v", text, pathText(p), err)
		}
	}
	for _, bad := range []string{`"a`, `""`, `a."b"c`} {
		if _, err := parsePath(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
