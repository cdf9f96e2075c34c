package k8s

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/k8s/api"
)

// Find is the cluster with the id, for which the Clusters were opened: one
// that could not be entered is its error.
func (cs *Clusters) Find(id string) (*Cluster, error) {
	var failed error
	for _, c := range cs.list {
		switch {
		case c.err != nil:
			failed = c.err
		case c.ID == id:
			return c, nil
		}
	}
	if failed != nil {
		return nil, fmt.Errorf("no context leads to the cluster %s: %w", id, failed)
	}
	return nil, fmt.Errorf("no context leads to the cluster %s", id)
}

// Served is a resource that a cluster serves.
type Served struct {
	// Table is where its objects are.
	Table      string `json:"table"`
	Group      string `json:"group"`
	Version    string `json:"version"`
	Resource   string `json:"resource"` // in paths
	Namespaced bool   `json:"namespaced"`
	Verbs      string `json:"verbs"` // by spaces
	// Scales says that spec.replicas of an object is how many it runs.
	Scales bool `json:"scales,omitempty"`
}

// Serving are the resources that the cluster serves, as far as the catalogue,
// with the cluster's Additions, has tables for them.
func (c *Cluster) Serving(cat *catalog.Catalogue) []Served {
	tables := map[[2]string]string{}
	for _, e := range cat.Entries() {
		if e.Kind.Cloud == Cloud && e.List != nil {
			tables[[2]string{e.List.Service, e.List.Op}] = e.Kind.Name
		}
	}
	var out []Served
	for _, r := range c.Resources {
		if table := tables[[2]string{api.ServiceName(r.Group), r.Name}]; table != "" {
			out = append(out, Served{Table: table, Group: r.Group, Version: r.Version, Resource: r.Name, Namespaced: r.Namespaced, Verbs: r.Verbs, Scales: r.Scales})
		}
	}
	return out
}

// Serves says whether the cluster serves a resource in a version with a verb.
func (c *Cluster) Serves(group, version, resource, verb string) bool {
	r, ok := c.resource(group, resource)
	return ok && r.Version == version && slices.Contains(strings.Fields(r.Verbs), verb)
}

// Metadata reads the metadata of an object, as JSON. Its errors are *APIError,
// or the context's cause.
func (c *Cluster) Metadata(ctx context.Context, r api.Resource, namespace, name string) ([]byte, error) {
	b, _, err := c.client.get(ctx, request{path: r.Path(namespace) + "/" + name, accept: acceptPartial})
	if err != nil {
		return nil, err
	}
	defer b.release()
	return slices.Clone(b.Bytes()), nil
}

// Object reads an object, as JSON, with errors as Metadata has them.
func (c *Cluster) Object(ctx context.Context, r api.Resource, namespace, name string) ([]byte, error) {
	b, _, err := c.client.get(ctx, request{path: r.Path(namespace) + "/" + name, accept: "application/json"})
	if err != nil {
		return nil, err
	}
	defer b.release()
	return slices.Clone(b.Bytes()), nil
}

// Delete deletes an object, with the options of
// https://kubernetes.io/docs/reference/generated/kubernetes-api/v1.36/#deleteoptions-v1-meta
// as JSON, and Patch merges into one (RFC 7386). They return the id by which
// the server's audit log knows the request, and are made once.
func (c *Cluster) Delete(ctx context.Context, r api.Resource, namespace, name string, options []byte) (audit string, err error) {
	return c.change(ctx, request{path: r.Path(namespace) + "/" + name, method: http.MethodDelete, contentType: "application/json", body: options})
}

// Patch is described with Delete.
func (c *Cluster) Patch(ctx context.Context, r api.Resource, namespace, name string, patch []byte) (audit string, err error) {
	return c.change(ctx, request{path: r.Path(namespace) + "/" + name, method: http.MethodPatch, contentType: "application/merge-patch+json", body: patch})
}

func (c *Cluster) change(ctx context.Context, r request) (string, error) {
	r.accept = acceptPartial + ",application/json"
	b, h, err := c.client.attempt(ctx, r)
	if err != nil {
		return "", err
	}
	b.release()
	return h.Get("Audit-Id"), nil
}
