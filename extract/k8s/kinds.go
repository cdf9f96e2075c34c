package k8s

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	k8sapi "github.com/dewpoint-data/dewpoint/extract/k8s/api"
	k8scatalog "github.com/dewpoint-data/dewpoint/extract/k8s/catalog"
)

// lateKind is a resource that no catalogue file need name.
type lateKind struct {
	service, op string
	resource    k8sapi.Resource // of the first cluster that serves it
}

// described says whether package api describes a resource.
func described(r k8sapi.Resource) bool {
	svc, err := k8sapi.Lookup(k8sapi.ServiceName(r.Group))
	return err == nil && svc.Operations[r.Name] != nil
}

// maxLateName is how long a kind's name may be.
const maxLateName = 63

// describe makes descriptions of what the clusters serve and package api does
// not know. Where several serve a resource, perhaps in several versions, its
// objects have the members of all.
func (cs *Clusters) describe(ctx context.Context) error {
	cs.services = map[string]*api.Service{}
	items := map[[2]string]*api.Shape{} // by service and operation
	for _, c := range cs.sorted() {
		if c.err != nil {
			continue
		}
		schemas, err := c.schemas(ctx)
		if err != nil {
			return err
		}
		for _, r := range c.Resources {
			key := [2]string{k8sapi.ServiceName(r.Group), r.Name}
			known := described(r)
			if _, have := items[key]; !have {
				cs.kinds = append(cs.kinds, lateKind{key[0], key[1], r})
				items[key] = nil
			}
			if known {
				continue
			}
			s := schemas[r.GroupVersion()]
			if s == nil {
				s = noSchemas
			}
			item := s.Object(r.Group, r.Version, r.Kind)
			merged, conflicts := union(items[key], item)
			items[key] = merged
			for _, path := range conflicts {
				c.note("", "type", "%s.%s: %s has another type here than in the clusters before; its values are problems where they do not fit", r.Name, r.Group, path)
			}
		}
	}
	for _, k := range cs.kinds {
		item := items[[2]string{k.service, k.op}]
		if item == nil {
			continue
		}
		svc := cs.services[k.service]
		if svc == nil {
			svc = &api.Service{Name: k.service, Title: "Kubernetes " + k.service, APIVersion: k.resource.Version, Protocol: "kubernetes", Operations: map[string]*api.Operation{}}
			if embedded, err := k8sapi.Lookup(k.service); err == nil {
				own := *embedded
				own.Operations = maps.Clone(embedded.Operations)
				svc = &own
			}
			cs.services[k.service] = svc
		}
		svc.Operations[k.op] = k8sapi.Operation(k.resource, item)
	}
	return nil
}

var noSchemas = &k8sapi.Schemas{}

// sorted are the clusters in an order that does not depend on which answered
// first: by their ids, as the same types must win in every sync.
func (cs *Clusters) sorted() []*Cluster {
	return slices.SortedFunc(slices.Values(cs.list), func(a, b *Cluster) int { return strings.Compare(a.ID, b.ID) })
}

// Lookup returns the description of a service: the embedded one, with what
// the clusters serve besides.
func (cs *Clusters) Lookup(service string) (*api.Service, error) {
	if svc := cs.services[service]; svc != nil {
		return svc, nil
	}
	return k8sapi.Lookup(service)
}

// Additions are the kinds that the clusters serve and the catalogue does not
// have, for its method With.
func (cs *Clusters) Additions(have *catalog.Catalogue) ([]catalog.Addition, error) {
	listed := map[[2]string]bool{}
	names := map[string]bool{}
	for _, e := range have.Entries() {
		if e.Kind.Cloud == Cloud && e.List != nil {
			listed[[2]string{e.List.Service, e.List.Op}] = true
			names[e.Kind.Name] = true
		}
	}
	byService := map[string]*catalog.Addition{}
	for _, k := range cs.kinds {
		if listed[[2]string{k.service, k.op}] {
			continue
		}
		svc, err := cs.Lookup(k.service)
		if err != nil {
			return nil, err
		}
		a := byService[k.service]
		if a == nil {
			a = &catalog.Addition{Cloud: Cloud, Service: svc, Kinds: map[string]catalog.Kind{}}
			byService[k.service] = a
		}
		name := lateName(k.resource)
		if names[name] {
			name = hashed(name, k.resource.Name+"."+k.resource.Group)
		}
		names[name] = true
		op := svc.Operations[k.op]
		a.Kinds[name] = catalog.Kind{
			List: k.op, Doc: op.Doc, Optional: noisy(k.resource), Edges: k8scatalog.Edges(k.resource.Namespaced),
			Redact: k8sapi.Sensitive(op), Volatile: volatile(k.resource),
		}
	}
	var out []catalog.Addition
	for _, name := range slices.Sorted(maps.Keys(byService)) {
		out = append(out, *byService[name])
	}
	return out, nil
}

// lateName is the name of a kind that no catalogue file names: it has the
// group in it, or installing a definition would rename tables.
func lateName(r k8sapi.Resource) string {
	group := strings.Map(func(c rune) rune {
		if c == '.' || c == '-' {
			return '_'
		}
		return c
	}, r.Group)
	name := strings.Join(slices.DeleteFunc([]string{"kubernetes", group, catalog.ColumnName(r.Kind)}, func(s string) bool { return s == "" }), "_")
	if len(name) > maxLateName {
		return hashed(name, name)
	}
	return name
}

// hashed ends a name by a hash, within the length that names may have.
func hashed(name, of string) string {
	sum := sha256.Sum256([]byte(of))
	h := hex.EncodeToString(sum[:4])
	return strings.TrimRight(name[:min(len(name), maxLateName-len(h)-1)], "_") + "_" + h
}

// noisy says that a resource's objects come and go all the time, or are
// written every few seconds: they are read only when they are asked for.
func noisy(r k8sapi.Resource) bool {
	switch r.Name + "." + r.Group {
	case "events.", "events.events.k8s.io", "leases.coordination.k8s.io":
		return true
	}
	return false
}

func volatile(r k8sapi.Resource) []string {
	if r.Name == "leases" && r.Group == "coordination.k8s.io" {
		return []string{"spec.renewTime"}
	}
	return nil
}

// schemas reads the OpenAPI of the versions of groups that have resources
// which package api does not describe.
func (c *Cluster) schemas(ctx context.Context) (map[string]*k8sapi.Schemas, error) {
	need := map[string]string{} // group and version -> path in the index
	for _, r := range c.Resources {
		if !described(r) {
			need[r.GroupVersion()] = strings.TrimPrefix(strings.TrimSuffix(k8sapi.Resource{Group: r.Group, Version: r.Version}.Path(""), "/"), "/")
		}
	}
	if len(need) == 0 {
		return nil, nil
	}
	docs := make(map[string][]byte, len(need))
	if c.o.Player != nil {
		for gv := range need {
			x, err := c.o.Player.Play(c.tapeKey("openapi " + gv))
			var missing *extract.MissingError
			if errors.As(err, &missing) {
				continue
			}
			if err != nil {
				return nil, err
			}
			docs[gv] = x.Body
		}
	} else if err := c.documents(ctx, need, docs); err != nil {
		return nil, err
	}
	out := make(map[string]*k8sapi.Schemas, len(docs))
	meta := k8sapi.Meta()
	for gv, doc := range docs {
		s, err := k8sapi.ParseOpenAPI(doc, meta)
		if err != nil {
			c.note("", "openapi", "%s: %s; its objects are read without their types", gv, err)
			continue
		}
		out[gv] = s
	}
	return out, nil
}

// documents fetches OpenAPI documents, those that were kept by their hash
// excepted. A group without one is read without types, and that is said.
func (c *Cluster) documents(ctx context.Context, need map[string]string, docs map[string][]byte) error {
	index, err := c.index(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c.note("", "openapi", "%s; custom resources are read without their types", err)
		return nil
	}
	found := make([][]byte, len(need))
	order := slices.Sorted(maps.Keys(need))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, gv := range order {
		u := index[need[gv]]
		if u == nil {
			c.note("", "openapi", "%s has no OpenAPI document; its objects are read without their types", gv)
			continue
		}
		hash := u.Query().Get("hash")
		if found[i] = recallDocument(c.o.StateDir, hash); found[i] != nil {
			continue
		}
		g.Go(func() error {
			// A hash that has become old meanwhile is answered by a redirect to
			// the document that there is.
			b, _, err := c.client.get(gctx, request{path: u.Path, query: u.Query(), accept: "application/json"})
			if err != nil {
				found[i] = nil
				return nil
			}
			defer b.release()
			found[i] = slices.Clone(b.Bytes())
			if b.url == nil || b.url.Query().Get("hash") != hash {
				return nil
			}
			return keepDocument(c.o.StateDir, hash, found[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, gv := range order {
		if found[i] == nil {
			if index[need[gv]] != nil {
				c.note("", "openapi", "the OpenAPI document of %s could not be read; its objects are read without their types", gv)
			}
			continue
		}
		docs[gv] = found[i]
		if c.o.Recorder != nil {
			err := c.o.Recorder.Record(c.tapeKey("openapi "+gv), extract.Exchange{Status: http.StatusOK, Body: found[i]})
			if err != nil {
				return fmt.Errorf("record: %w", err)
			}
		}
	}
	return nil
}
