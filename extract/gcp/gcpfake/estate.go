package gcpfake

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Put says what is in a collection, by its path behind the service's:
// "projects/p/zones/z/instances", "v1/projects/p/locations/l/keyRings",
// "b?project=p". Documents are as Google sends them.
func (s *Server) Put(service, path string, documents ...map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collections[service+" "+path] = append(s.collections[service+" "+path], documents...)
}

// Documents are those in a collection, by its path as Put takes it.
func (s *Server) Documents(service, path string) []map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.collections[service+" "+path])
}

// collection is what is in a collection: what was put there, or made.
func (s *Server) collection(r *Request, l listing, path string) []map[string]any {
	key := r.Service + " " + path
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked[r.Op()] == nil {
		s.asked[r.Op()] = map[string]bool{}
	}
	s.asked[r.Op()][key] = true
	docs, ok := s.collections[key]
	if !ok {
		for i := range s.opts.Generate {
			docs = append(docs, s.make(r, l.elem, path, i))
		}
		s.collections[key] = docs
	}
	return slices.Clone(docs)
}

// Truth is how many documents there are in all the collections that the calls
// of an operation have asked for.
func (s *Server) Truth(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key := range s.asked[op] {
		n += len(s.collections[key])
	}
	return n
}

// get answers what is no list: a document of a collection, or one made for
// the path. What is not among the documents that were put there is not found.
func (s *Server) get(r *Request) (map[string]any, *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	parent := r.path
	if i := strings.LastIndexByte(parent, '/'); i >= 0 {
		parent = parent[:i]
	}
	if strings.HasSuffix(r.Operation, ".get") {
		if at, ok := s.locate(r.Service, r.path); ok {
			return s.collections[at.key][at.at], nil
		}
		if _, ok := s.collections[r.Service+" "+parent]; ok {
			return nil, &Refusal{Status: http.StatusNotFound, Reason: "notFound", Message: "The resource '" + r.path + "' was not found"}
		}
	}
	if r.op.Output == nil {
		return map[string]any{}, nil
	}
	return s.make(r, r.op.Output, parent, 0), nil
}

func named(d map[string]any, name string) bool {
	for _, k := range []string{"name", "id", "projectId", "email", "uniqueId"} {
		if v, ok := d[k]; ok && (fmt.Sprint(v) == name || strings.HasSuffix(fmt.Sprint(v), "/"+name)) {
			return true
		}
	}
	for _, k := range []string{"datasetReference", "tableReference"} {
		if ref, ok := d[k].(map[string]any); ok && (ref["datasetId"] == name && k == "datasetReference" || ref["tableId"] == name) {
			return true
		}
	}
	return false
}

// builtin answers the calls by which projects and places are found.
func (s *Server) builtin(r *Request, f *Fault) (map[string]any, *Refusal, bool) {
	paged := func(member string, docs []map[string]any) (map[string]any, *Refusal, bool) {
		l, _ := list(r.op)
		l.member = member
		all := make([]placed, len(docs))
		for i, d := range docs {
			all[i].item = d
		}
		out, refusal := s.answerPage(r, l, all, nil, f)
		return out, refusal, true
	}
	var docs []map[string]any
	switch r.Op() {
	case "cloudresourcemanager.v3 projects.list", "cloudresourcemanager.v3 projects.search":
		for _, p := range s.opts.Projects {
			deleted := p.State == "DELETE_REQUESTED"
			if (r.Operation == "projects.search" || p.Parent == r.Query.Get("parent")) && (!deleted || r.Query.Get("showDeleted") == "true") {
				docs = append(docs, p.document())
			}
		}
		return paged("projects", docs)
	case "cloudresourcemanager.v3 projects.get":
		p := s.project(strings.TrimPrefix(r.Path["name"], "projects/"))
		if p == nil {
			return nil, &Refusal{Status: http.StatusForbidden, Canonical: "PERMISSION_DENIED", Message: "The caller does not have permission"}, true
		}
		return p.document(), nil, true
	case "cloudasset.v1 assets.list":
		return paged("assets", s.assets(r))
	case "cloudresourcemanager.v1 projects.getAncestry":
		return map[string]any{"ancestor": s.ancestors(r.Project)}, nil, true
	case "cloudresourcemanager.v3 folders.list":
		for _, d := range s.opts.Folders {
			if d.Parent == r.Query.Get("parent") {
				docs = append(docs, map[string]any{
					"name": d.Name, "displayName": d.DisplayName, "parent": d.Parent, "state": cmp.Or(d.State, "ACTIVE"), "createTime": "2021-01-01T00:00:00Z",
				})
			}
		}
		return paged("folders", docs)
	case "compute.v1 zones.list":
		for _, z := range s.opts.Zones {
			docs = append(docs, s.place(r, "zones", z))
		}
		return paged("items", docs)
	case "compute.v1 regions.list":
		for _, z := range s.regions() {
			docs = append(docs, s.place(r, "regions", z))
		}
		return paged("items", docs)
	}
	if strings.HasSuffix(r.Operation, "projects.locations.list") {
		for _, z := range s.regions() {
			docs = append(docs, map[string]any{"name": "projects/" + r.Project + "/locations/" + z, "locationId": z})
		}
		return paged("locations", docs)
	}
	return nil, nil, false
}

// ancestors are a project and all that it is in.
func (s *Server) ancestors(project string) []any {
	id := func(kind, id string) any {
		return map[string]any{"resourceId": map[string]any{"type": kind, "id": id}}
	}
	out := []any{id("project", project)}
	at := s.project(project).Parent
	for at != "" {
		collection, number, _ := strings.Cut(at, "/")
		out = append(out, id(strings.TrimSuffix(collection, "s"), number))
		at = ""
		for _, f := range s.opts.Folders {
			if f.Name == collection+"/"+number {
				at = f.Parent
			}
		}
	}
	return out
}

func (p *Project) document() map[string]any {
	d := map[string]any{
		"name": "projects/" + p.Number, "projectId": p.ID, "displayName": p.Name, "parent": p.Parent,
		"state": cmp.Or(p.State, "ACTIVE"), "createTime": "2022-02-02T02:02:02.222Z", "etag": `W/"x"`,
	}
	if p.Labels != nil {
		d["labels"] = p.Labels
	}
	return d
}

// place is a zone or a region of compute.
func (s *Server) place(r *Request, collection, name string) map[string]any {
	base := "https://www.googleapis.com/compute/v1/projects/" + r.Project + "/"
	d := map[string]any{
		"kind": "compute#" + strings.TrimSuffix(collection, "s"), "id": fmt.Sprint(hash(name) >> 1), "name": name, "status": "UP",
		"creationTimestamp": "1969-12-31T16:00:00.000-08:00", "selfLink": base + collection + "/" + name,
	}
	switch collection {
	case "zones":
		d["region"] = base + "regions/" + name[:strings.LastIndexByte(name, '-')]
	case "regions":
		d["quotas"] = []any{map[string]any{"metric": "CPUS", "limit": 72, "usage": 8}}
	}
	return d
}
