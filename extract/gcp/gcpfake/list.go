package gcpfake

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// listing says where the items of an operation's output are.
type listing struct {
	member string
	elem   *api.Shape
	// inner is the list in each scope of an aggregated list, else empty.
	inner string
}

// list finds the items of an operation's output; ok is false for one that is
// no list.
func list(op *api.Operation) (l listing, ok bool) {
	verb := op.Name[strings.LastIndexByte(op.Name, '.')+1:]
	if op.Output == nil || !strings.HasPrefix(verb, "list") && !strings.HasPrefix(verb, "aggregatedList") && !strings.HasPrefix(verb, "search") {
		return l, false
	}
	for i := range op.Output.Members {
		m := &op.Output.Members[i]
		switch {
		case m.Shape.Type == "map" && verb == "aggregatedList":
			for j := range m.Shape.Value.Members {
				if in := &m.Shape.Value.Members[j]; in.Shape.Type == "list" {
					return listing{m.Name, in.Shape.Elem, in.Name}, true
				}
			}
		case m.Shape.Type == "list" && m.Shape.Elem.Type == "structure" && m.Name != "warnings":
			return listing{member: m.Name, elem: m.Shape.Elem}, true
		}
	}
	return l, false
}

// page is the number of the page that a request asks for, from 1.
func (r *Request) page() int {
	b, _ := base64.RawURLEncoding.DecodeString(r.parameter("pageToken"))
	_, n, _ := strings.Cut(string(b), "#")
	i, _ := strconv.Atoi(n)
	return i + 1
}

// token is that of the page after number, which begins at an item.
func token(from, number int) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d#%d", from, number))
}

// placed is an item with the scope of an aggregated list that it is in.
type placed struct {
	scope string
	item  map[string]any
}

// output makes the output of a call.
func (s *Server) output(r *Request, f *Fault) (map[string]any, *Refusal) {
	if out, refusal, ok := s.builtin(r, f); ok {
		return out, refusal
	}
	l, ok := list(r.op)
	if !ok {
		if out, refusal, ok := s.write(r, f); ok {
			return out, refusal
		}
		return s.get(r)
	}
	var all []placed
	var scopes []string
	if l.inner != "" {
		scopes = s.scopes(r.svc, r.path)
		for _, sc := range scopes {
			for _, it := range s.collection(r, l, strings.Replace(r.path, "aggregated", sc, 1)) {
				all = append(all, placed{sc, it})
			}
		}
	} else {
		key := r.path
		if !strings.Contains(r.op.URI, "{") { // the project is in the query
			key += "?project=" + r.Project
		}
		for _, k := range []string{"instance", "parent"} {
			if v := r.Query.Get(k); v != "" {
				key += "?" + k + "=" + v
			}
		}
		for _, it := range s.collection(r, l, key) {
			all = append(all, placed{"", it})
		}
	}
	return s.answerPage(r, l, all, scopes, f)
}

// answerPage makes a page of a list.
func (s *Server) answerPage(r *Request, l listing, all []placed, scopes []string, f *Fault) (map[string]any, *Refusal) {
	partial := f != nil && f.Kind == Partial
	if partial {
		all = slices.DeleteFunc(all, func(p placed) bool { return p.in(f.Location) })
	}
	size := len(all)
	if s.opts.PageSize > 0 && r.op.Pager != nil {
		size = s.opts.PageSize
	}
	for _, k := range []string{"maxResults", "pageSize"} {
		if n, err := strconv.Atoi(r.parameter(k)); err == nil && n > 0 {
			size = min(size, n)
		}
	}
	if r.op.Pager == nil {
		size = len(all)
	}
	from := 0
	if t := r.parameter("pageToken"); t != "" {
		b, _ := base64.RawURLEncoding.DecodeString(t)
		text, _, ok := strings.Cut(string(b), "#")
		var err error
		if from, err = strconv.Atoi(text); err != nil || !ok {
			s.complain("%s: unknown page token %q", r.Op(), t)
			return nil, &Refusal{Status: http.StatusBadRequest, Reason: "invalid", Message: "Invalid value for field 'pageToken'"}
		}
	}
	to := min(from+max(size, 1), len(all))
	page := all[min(from, len(all)):to]
	out := map[string]any{}
	if m := r.op.Output.Member("kind"); m != nil {
		out["kind"] = strings.TrimSuffix(r.Service, "."+r.svc.APIVersion) + "#list"
	}
	if l.inner != "" {
		agg := map[string]any{}
		for _, sc := range scopes {
			agg[sc] = map[string]any{"warning": warning("NO_RESULTS_ON_PAGE", sc)}
		}
		for _, p := range page {
			sc, _ := agg[p.scope].(map[string]any)
			delete(sc, "warning")
			items, _ := sc[l.inner].([]any)
			sc[l.inner] = append(items, p.item)
		}
		out[l.member] = agg
	} else if len(page) > 0 { // empty lists are left out
		items := make([]any, len(page))
		for i, p := range page {
			items[i] = p.item
		}
		out[l.member] = items
	}
	switch {
	case f != nil && f.Kind == RepeatToken:
		out["nextPageToken"] = token(from, r.page())
		if r.parameter("pageToken") != "" {
			out["nextPageToken"] = r.parameter("pageToken")
		}
	case to < len(all):
		out["nextPageToken"] = token(to, r.page())
	case f != nil && f.Kind == ExtraToken:
		out["nextPageToken"] = "more"
	}
	if partial {
		f.sayPartial(out, l)
	}
	return out, nil
}

// in says whether an item is in a location.
func (p placed) in(location string) bool {
	if p.scope != "" {
		return strings.HasSuffix(p.scope, "/"+location)
	}
	for _, k := range []string{"location", "zone", "region", "gceZone"} {
		if v, ok := p.item[k].(string); ok && (v == location || strings.HasSuffix(v, "/"+location)) {
			return true
		}
	}
	name, _ := p.item["name"].(string)
	return strings.Contains(name+"/", "/locations/"+location+"/")
}

func warning(code, scope string) map[string]any {
	w := map[string]any{"code": code, "message": code + " for scope '" + scope + "'."}
	if scope != "" {
		w["data"] = []any{map[string]any{"key": "scope", "value": scope}}
	}
	return w
}

// sayPartial writes that a location is missing, in the spelling of Member.
func (f *Fault) sayPartial(out map[string]any, l listing) {
	code := f.Code
	if code == "" {
		code = "UNREACHABLE"
	}
	scope := ""
	if f.Location != "" {
		scope = "zones/" + f.Location
		if strings.Count(f.Location, "-") == 1 {
			scope = "regions/" + f.Location
		}
	}
	if l.inner != "" && f.Member == "warning" && scope != "" {
		agg, _ := out[l.member].(map[string]any)
		agg[scope] = map[string]any{"warning": warning(code, scope)}
		return
	}
	switch f.Member {
	case "warning":
		out["warning"] = warning(code, scope)
	case "warnings": // Cloud SQL
		w := map[string]any{"code": "REGION_UNREACHABLE", "message": "a region is not reachable"}
		if f.Code != "" {
			w["code"] = f.Code
		}
		if f.Location != "" {
			w["region"] = f.Location
		}
		out["warnings"] = []any{w}
	case "scopedWarnings":
		out["scopedWarnings"] = []any{map[string]any{"scope": scope, "warning": warning(code, scope)}}
	case "failedLocation": // Dataflow
		out["failedLocation"] = []any{map[string]any{"name": f.Location}}
	default:
		where := f.Location
		if l.inner != "" {
			where = "projects/p/" + scope
		}
		out[f.Member] = []any{where}
	}
}

// scopes are those of an aggregated list: the zones, regions and the global
// one that the service has lists of such resources for.
func (s *Server) scopes(svc *api.Service, path string) []string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	var out []string
	for _, op := range svc.Operations {
		switch op.URI {
		case "projects/{project}/zones/{zone}/" + name:
			if op.Method == "GET" {
				for _, z := range s.opts.Zones {
					out = append(out, "zones/"+z)
				}
			}
		case "projects/{project}/regions/{region}/" + name:
			if op.Method == "GET" {
				for _, r := range s.regions() {
					out = append(out, "regions/"+r)
				}
			}
		case "projects/{project}/global/" + name:
			if op.Method == "GET" {
				out = append(out, "global")
			}
		}
	}
	if len(out) == 0 {
		for _, r := range s.regions() {
			out = append(out, "regions/"+r)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// regions are those of the zones.
func (s *Server) regions() []string {
	seen := map[string]bool{}
	for _, z := range s.opts.Zones {
		seen[z[:strings.LastIndexByte(z, '-')]] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
