// Package api describes Kubernetes' API in the model of extract/api: the
// built-in groups, trimmed from the OpenAPI documents of a release and
// embedded, and, by Schemas, whatever else a cluster serves. A service is an
// API group; its operations are the lists of resources, by the name that is in
// the path: pods, horizontalpodautoscalers.
package api

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

//go:generate go run ./gen

//go:embed services.zip
var archive string

// Manifest says what the embedded descriptions are made from.
type Manifest struct {
	Source, Version      string
	Services, Operations int
}

var descriptions = sync.OnceValue(func() *api.Archive {
	a, err := api.OpenArchive(archive)
	if err != nil {
		panic("api: embedded: " + err.Error())
	}
	return a
})

// Source returns what the descriptions are made from.
func Source() (m Manifest) {
	if err := descriptions().Manifest(&m); err != nil {
		panic("api: embedded: " + err.Error())
	}
	return m
}

// Services returns the names of all embedded services, sorted.
func Services() []string { return descriptions().Services() }

// Lookup returns the embedded description of a service. It is decoded once and
// shared: it must not be changed. The error for an unknown name says which are
// near.
func Lookup(name string) (*api.Service, error) { return descriptions().Lookup(name) }

// Core is the name of the service whose group has none. Cluster is that of
// the one operation, clusters, that no server answers: it lists the cluster
// itself.
const (
	Core    = "core"
	Cluster = "cluster"
)

// ServiceName is the service of an API group.
func ServiceName(group string) string {
	if group == "" {
		return Core
	}
	return group
}

// Group is the API group of a service.
func Group(service string) string {
	if service == Core {
		return ""
	}
	return service
}

// Resource is a resource that a group serves in a version.
type Resource struct {
	Group, Version string
	Name           string // in the path: pods
	Kind           string // of an object: Pod
	ListKind       string // of a list; empty is the kind with List behind it
	Namespaced     bool
	// Verbs are what may be done with it, by spaces; empty if that is not known.
	Verbs string `json:",omitempty"`
	// Scales says that spec.replicas of an object is how many it runs.
	Scales bool `json:",omitempty"`
}

// Path is the path of the resource's list, in a namespace or in the whole
// cluster.
func (r Resource) Path(namespace string) string {
	var b strings.Builder
	if r.Group == "" {
		b.WriteString("/api/")
	} else {
		b.WriteString("/apis/")
		b.WriteString(r.Group)
		b.WriteByte('/')
	}
	b.WriteString(r.Version)
	if namespace != "" {
		b.WriteString("/namespaces/")
		b.WriteString(namespace)
	}
	b.WriteByte('/')
	b.WriteString(r.Name)
	return b.String()
}

// GroupVersion is how objects name the resource's group and version.
func (r Resource) GroupVersion() string {
	if r.Group == "" {
		return r.Version
	}
	return r.Group + "/" + r.Version
}

// Metadata is the Variant of operations that ask for the objects' metadata
// alone.
const Metadata = "metadata"

// secret says whether the objects of a resource are secrets. What lists them
// gives their data away, so that they are only asked for their metadata.
func (r Resource) secret() bool { return r.Group == "" && r.Name == "secrets" }

// Operation describes the list of a resource whose objects have the shape.
func Operation(r Resource, item *api.Shape) *api.Operation {
	text := &api.Shape{Type: "string"}
	o := &api.Operation{
		Name: r.Name, Method: "GET", URI: r.Path(""), Doc: item.Doc,
		Input: &api.Shape{Type: "structure", Members: []api.Member{
			{Name: "limit", Location: "querystring", Shape: &api.Shape{Type: "integer"}},
			{Name: "continue", Location: "querystring", Shape: text},
		}},
		Pager: &api.Pager{
			InputTokens: []string{"continue"}, OutputTokens: []string{"metadata.continue"}, Limit: "limit", Results: []string{"items"},
		},
	}
	if r.Namespaced {
		o.Input.Members = append(o.Input.Members, api.Member{Name: "namespace", Location: "uri", Shape: text})
	}
	if r.secret() {
		o.Variant = Metadata
		item = metadataOf(item)
	}
	o.Output = &api.Shape{Type: "structure", Members: []api.Member{
		{Name: "kind", Shape: text},
		{Name: "apiVersion", Shape: text},
		{Name: "metadata", Shape: listMeta()},
		{Name: "items", Shape: &api.Shape{Type: "list", Elem: item}},
	}}
	return o
}

func listMeta() *api.Shape {
	text := &api.Shape{Type: "string"}
	return &api.Shape{Name: "ListMeta", Type: "structure", Members: []api.Member{
		{Name: "continue", Shape: text},
		{Name: "resourceVersion", Shape: text},
		{Name: "selfLink", Shape: text},
		{Name: "remainingItemCount", Shape: &api.Shape{Type: "long"}},
	}}
}

// Namespaced says whether the objects that an operation lists are in
// namespaces.
func Namespaced(o *api.Operation) bool { return o.Input.Member("namespace") != nil }

// ClusterService describes what is known of a cluster itself.
func ClusterService() *api.Service {
	text := &api.Shape{Type: "string"}
	item := &api.Shape{Name: "Cluster", Type: "structure", Doc: "A Kubernetes cluster."}
	for _, m := range []struct{ name, doc string }{
		{"uid", "The uid of the namespace kube-system, or what the configuration says in its place."},
		{"uidFrom", "Where the uid is from: kube-system, cluster_id or last seen."},
		{"name", "The context by which the cluster was reached."},
		{"endpoint", "The address of the API."},
		{"version", "The version of the API server."},
		{"platform", "What the API server runs on."},
		{"provider", "Who runs the cluster, as far as can be told: eks, gke or aks."},
		{"eksCluster", "The ARN, or the name, of the cluster at EKS."},
		{"gkeCluster", "The full resource name of the cluster at Google."},
	} {
		item.Members = append(item.Members, api.Member{Name: m.name, Doc: m.doc, Shape: text})
	}
	item.Members = append(item.Members, api.Member{
		Name: "createdAt", Doc: "When the namespace kube-system was created.", Shape: &api.Shape{Type: "timestamp", TimestampFormat: "iso8601"},
	})
	served := &api.Shape{Name: "Served", Type: "structure"}
	for _, m := range []struct{ name, doc string }{
		{"table", "The table of its objects."},
		{"group", "Its API group."},
		{"version", "The version in which it is read."},
		{"resource", "Its name in paths."},
		{"verbs", "What may be done with it, by spaces."},
	} {
		served.Members = append(served.Members, api.Member{Name: m.name, Doc: m.doc, Shape: text})
	}
	for _, m := range []struct{ name, doc string }{
		{"namespaced", "Whether its objects are in namespaces."},
		{"scales", "Whether spec.replicas of an object is how many it runs."},
	} {
		served.Members = append(served.Members, api.Member{Name: m.name, Doc: m.doc, Shape: &api.Shape{Type: "boolean"}})
	}
	item.Members = append(item.Members, api.Member{
		Name: "resources", Doc: "What the cluster serves: table, group, version, resource, verbs, whether it is namespaced, and whether it has replicas.", Shape: &api.Shape{Type: "list", Elem: served},
	})
	return &api.Service{
		Name: Cluster, Title: "Kubernetes clusters", Protocol: "kubernetes",
		Operations: map[string]*api.Operation{"clusters": {
			Name: "clusters", Doc: item.Doc,
			Output: &api.Shape{Type: "structure", Members: []api.Member{{Name: "items", Shape: &api.Shape{Type: "list", Elem: item}}}},
		}},
	}
}

// metadataOf is an object of which only the metadata is asked for.
func metadataOf(s *api.Shape) *api.Shape {
	out := *s
	out.Members = nil
	for _, m := range s.Members {
		switch m.Name {
		case "kind", "apiVersion", "metadata":
			out.Members = append(out.Members, m)
		}
	}
	return &out
}
