// Package catalog holds the catalogue of Kubernetes' kinds, one YAML file an
// API group, and what the catalogue's compiler has to know of Kubernetes.
// Kinds that no file names are made of what a cluster serves.
package catalog

import (
	"embed"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	k8sapi "github.com/dewpoint-data/dewpoint/extract/k8s/api"
)

//go:embed *.yaml
var files embed.FS

// Vendor is Kubernetes.
func Vendor() catalog.Vendor {
	return catalog.Vendor{
		Cloud: "kubernetes", Title: "Kubernetes",
		Name: regexp.MustCompile(`^kubernetes(_[a-z0-9]+)+$`), NameForm: "kubernetes_<noun>, or kubernetes_<group>_<noun>",
		Words:       words,
		ServiceForm: "the API group, core for the one without a name",
		Files:       files,
		Lookup:      lookup,
		Normalize:   k8sapi.Normalize,
		Scopes:      []string{"account"},
		Permissions: permissions,
		Defaults:    Defaults,
	}
}

// lookup finds the embedded services. A group that is not among them is a
// cluster's own.
func lookup(service string) (*api.Service, error) {
	if !slices.Contains(k8sapi.Services(), service) {
		return nil, catalog.ErrLater
	}
	return k8sapi.Lookup(service)
}

// words are the service, which kinds of the built-in groups do not name, and
// the noun.
func words(kind string) (service, noun string) { return "", strings.TrimPrefix(kind, "kubernetes_") }

// permissions are the verbs and resources of RBAC that a list needs.
func permissions(svc *api.Service, op *api.Operation, _ string, said []string) ([]string, error) {
	switch {
	case said != nil:
		return said, nil
	case svc.Name == k8sapi.Cluster:
		return nil, nil
	}
	name := op.Name
	if g := k8sapi.Group(svc.Name); g != "" {
		name += "." + g
	}
	return []string{"list " + name}, nil
}

// Defaults says of a kind what is the same for all objects: the uid is the id
// and the urn, the namespace the region, the labels the tags.
func Defaults(service, _ string, k *catalog.Kind) {
	if service == k8sapi.Cluster {
		return
	}
	for _, f := range []struct {
		field *string
		value string
	}{
		{&k.Items, "items[]"},
		{&k.URN, "metadata.uid"},
		{&k.Name, "metadata.name"},
		{&k.CreatedAt, "metadata.creationTimestamp"},
		{&k.Region, "metadata.namespace"},
		{&k.Tags, "metadata.labels"},
	} {
		if *f.field == "" {
			*f.field = f.value
		}
	}
	if len(k.ID) == 0 {
		k.ID = catalog.Strings{"metadata.uid"}
	}
	k.Drop = append(slices.Clone(k.Drop), "apiVersion", "kind", "metadata.managedFields", "metadata.selfLink",
		"metadata.uid", "metadata.name", "metadata.creationTimestamp")
	k.Volatile = append(slices.Clone(k.Volatile), "metadata.resourceVersion")
	rename := map[string]string{
		"metadata.annotations": "annotations", "metadata.namespace": "namespace", "metadata.ownerReferences": "owner_references", "metadata.finalizers": "finalizers",
		"metadata.resourceVersion": "resource_version", "metadata.generation": "generation", "metadata.generateName": "generate_name",
		"metadata.deletionTimestamp": "deletion_timestamp", "metadata.deletionGracePeriodSeconds": "deletion_grace_period_seconds",
	}
	maps.Copy(rename, k.Rename)
	k.Rename = rename
	svc, err := k8sapi.Lookup(service)
	if err != nil || svc.Operations[k.List] == nil {
		return
	}
	op := svc.Operations[k.List]
	if !slices.ContainsFunc(k.Edges, func(e catalog.Edge) bool { return e.Relation == ownedBy }) {
		k.Edges = append(slices.Clone(k.Edges), Edges(k8sapi.Namespaced(op))...)
	}
	for _, p := range k8sapi.Sensitive(op) {
		if _, kept := k.Keep[p]; !kept {
			k.Redact = append(slices.Clone(k.Redact), p)
		}
	}
}

const ownedBy = "owned_by"

// Edges are the references that all objects have: to their owners, and to the
// namespace or the cluster that they are in.
func Edges(namespaced bool) []catalog.Edge {
	in := catalog.Edge{To: "kubernetes_cluster", Ref: "{account}", Relation: "in", OnDelete: "none"}
	if namespaced {
		in = catalog.Edge{To: "kubernetes_namespace", Ref: "global/{item.metadata.namespace}", Match: "region_name", Relation: "in", OnDelete: "cascade"}
	}
	return []catalog.Edge{{To: "*", Ref: "metadata.ownerReferences[].uid", Relation: ownedBy, OnDelete: "cascade"}, in}
}
