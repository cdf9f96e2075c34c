package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apischema "k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/dewpoint-data/dewpoint/extract/k8s/api"
)

// twice are resources that serve the same objects as others: those are read
// where they are served.
var twice = map[string]apischema.GroupResource{
	"events":                         {Group: "events.k8s.io", Resource: "events"},
	"daemonsets.extensions":          {Group: "apps", Resource: "daemonsets"},
	"deployments.extensions":         {Group: "apps", Resource: "deployments"},
	"replicasets.extensions":         {Group: "apps", Resource: "replicasets"},
	"ingresses.extensions":           {Group: "networking.k8s.io", Resource: "ingresses"},
	"networkpolicies.extensions":     {Group: "networking.k8s.io", Resource: "networkpolicies"},
	"podsecuritypolicies.extensions": {Group: "policy", Resource: "podsecuritypolicies"},
}

// builtin says that the group is described by package api.
func builtin(group string) bool { return slices.Contains(api.Services(), api.ServiceName(group)) }

// discover finds out what the cluster serves. A group that is served by a
// server that is down is stale, and no failure.
func (c *Cluster) discover(ctx context.Context, t target) error {
	d, err := discovery.NewDiscoveryClientForConfigAndClient(t.cfg, c.client.http)
	if err != nil {
		return fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	dctx, cancel := context.WithTimeout(ctx, c.client.timeout)
	defer cancel()
	groups, lists, err := d.ServerGroupsAndResourcesWithContext(dctx)
	var failed *discovery.ErrGroupDiscoveryFailed
	if err != nil && !errors.As(err, &failed) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("cluster %s: discovery: %w", c.Name, err)
	}
	if len(groups) == 0 || len(lists) == 0 {
		return fmt.Errorf("cluster %s: discovery: the server names no groups", c.Name)
	}
	c.Served = map[string][]string{}
	for _, g := range groups {
		c.Groups = append(c.Groups, g.Name)
		c.Served[g.Name] = versions(g)
	}
	if failed != nil {
		for _, gv := range slices.SortedFunc(maps.Keys(failed.Groups), func(a, b apischema.GroupVersion) int { return strings.Compare(a.String(), b.String()) }) {
			if !c.stale(gv.Group) {
				c.Stale = append(c.Stale, gv.Group)
			}
			c.note("", "discovery", "what %s serves is not known: %s", gv, failed.Groups[gv])
		}
	}
	slices.Sort(c.Groups)
	definitions, err := c.definitions(ctx, lists)
	if err != nil {
		return err
	}
	c.choose(groups, lists, definitions)
	return nil
}

// versions are the versions of a group, the preferred one first.
func versions(g *metav1.APIGroup) []string {
	out := []string{g.PreferredVersion.Version}
	for _, v := range g.Versions {
		if v.Version != out[0] {
			out = append(out, v.Version)
		}
	}
	return slices.DeleteFunc(out, func(v string) bool { return v == "" })
}

// choose takes each resource in one version: custom ones in which they are
// stored, as any other loses fields and needs the conversion; built-in ones in
// the version that package api describes; all others in the first of the
// group's order that has them, for the preferred version of a group need not
// have them all.
func (c *Cluster) choose(groups []*metav1.APIGroup, lists []*metav1.APIResourceList, definitions map[string]definition) {
	byVersion := map[string]*metav1.APIResourceList{}
	for _, l := range lists {
		byVersion[l.GroupVersion] = l
	}
	for _, g := range groups {
		found := map[string]api.Resource{}
		order := versions(g)
		if svc, err := api.Lookup(api.ServiceName(g.Name)); err == nil && slices.Contains(order, svc.APIVersion) {
			order = append([]string{svc.APIVersion}, order...)
		}
		for _, v := range order {
			l := byVersion[apischema.GroupVersion{Group: g.Name, Version: v}.String()]
			if l == nil {
				continue
			}
			for _, r := range l.APIResources {
				if !listable(&r) {
					continue
				}
				d := definitions[r.Name+"."+g.Name]
				_, have := found[r.Name]
				if have && v != d.stored {
					continue
				}
				found[r.Name] = api.Resource{Group: g.Name, Version: v, Name: r.Name, Kind: r.Kind, ListKind: d.listKind, Namespaced: r.Namespaced, Verbs: strings.Join(r.Verbs, " "), Scales: scales(g.Name, l, r.Name)}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(found)) {
			r := found[name]
			if d, ok := definitions[name+"."+g.Name]; ok {
				c.Custom = append(c.Custom, name+"."+g.Name)
				if r.Version != d.stored {
					c.note("", "version", "%s.%s is stored as %s, which is not served: it is read as %s", name, g.Name, d.stored, r.Version)
				}
			}
			c.Resources = append(c.Resources, r)
		}
	}
	c.Resources = slices.DeleteFunc(c.Resources, func(r api.Resource) bool {
		other, ok := twice[strings.TrimSuffix(r.Name+"."+r.Group, ".")]
		if !ok {
			return false
		}
		return slices.ContainsFunc(c.Resources, func(o api.Resource) bool { return o.Group == other.Group && o.Name == other.Resource })
	})
}

// scales says whether a list has the subresource scale of one of the groups
// whose replicas are in spec.replicas; custom resources say elsewhere where.
func scales(group string, l *metav1.APIResourceList, resource string) bool {
	return (group == "" || group == "apps") && slices.ContainsFunc(l.APIResources, func(r metav1.APIResource) bool { return r.Name == resource+"/scale" })
}

// listable says whether a resource is one whose objects exist: what can be
// listed but not watched is made when it is asked for, and has no uid.
func listable(r *metav1.APIResource) bool {
	return !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch")
}

// definition is what a custom resource's definition says besides discovery.
type definition struct{ stored, listKind string }

// definitions reads the definitions of the cluster's custom resources. Where
// they may not be read, the versions of discovery must do.
func (c *Cluster) definitions(ctx context.Context, lists []*metav1.APIResourceList) (map[string]definition, error) {
	const group, resource = "apiextensions.k8s.io", "customresourcedefinitions"
	served := slices.ContainsFunc(lists, func(l *metav1.APIResourceList) bool { return l.GroupVersion == group+"/v1" })
	if !served {
		c.CustomKnown = !slices.Contains(c.Groups, group)
		return nil, nil
	}
	l := c.lister(api.Resource{Group: group, Version: "v1", Name: resource, Kind: "CustomResourceDefinition"}, "", false)
	out := map[string]definition{}
	for token := ""; ; {
		b, _, err := l.get(ctx, token)
		var e *APIError
		if errors.As(err, &e) && e.Denied() {
			c.note("", "version", "the definitions of custom resources may not be listed: each is read in the version that its group prefers, which may lack fields of the stored one")
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		env, err := l.check(b.Bytes())
		if err == nil {
			err = readDefinitions(b.Bytes(), out)
		}
		b.release()
		if err != nil {
			return nil, err
		}
		if token = env.next; token == "" {
			c.CustomKnown = true
			return out, nil
		}
	}
}

func readDefinitions(b []byte, out map[string]definition) error {
	var list struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct {
				Names    struct{ ListKind string }
				Versions []struct {
					Name    string
					Storage bool
				}
			}
		}
	}
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("custom resource definitions: %w", err)
	}
	for _, i := range list.Items {
		d := definition{listKind: i.Spec.Names.ListKind}
		for _, v := range i.Spec.Versions {
			if v.Storage {
				d.stored = v.Name
			}
		}
		out[i.Metadata.Name] = d
	}
	return nil
}

// index are the addresses of the cluster's OpenAPI documents, by the path of
// the group's version.
func (c *Cluster) index(ctx context.Context) (map[string]*url.URL, error) {
	b, _, err := c.client.get(ctx, request{path: "/openapi/v3", accept: acceptJSON})
	if err != nil {
		return nil, err
	}
	defer b.release()
	var d struct {
		Paths map[string]struct{ ServerRelativeURL string }
	}
	if err := json.Unmarshal(b.Bytes(), &d); err != nil {
		return nil, fmt.Errorf("cluster %s: OpenAPI index: %w", c.Name, err)
	}
	out := map[string]*url.URL{}
	for path, p := range d.Paths {
		u, err := url.Parse(p.ServerRelativeURL)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: OpenAPI index: %w", c.Name, err)
		}
		out[path] = u
	}
	return out, nil
}
