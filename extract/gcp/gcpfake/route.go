package gcpfake

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// route is the path of an operation as an expression.
type route struct {
	op       *api.Operation
	path     *regexp.Regexp // of the escaped path behind the service's
	labels   []string
	literals int
}

var label = regexp.MustCompile(`\{(\+?)([^}]+)\}`)

// newRoute compiles the path of an operation. Values of {+x} have the form
// that their pattern says.
func newRoute(op *api.Operation) route {
	r := route{op: op}
	var b strings.Builder
	b.WriteString("^")
	at := 0
	for _, m := range label.FindAllStringSubmatchIndex(op.URI, -1) {
		text := op.URI[at:m[0]]
		b.WriteString(regexp.QuoteMeta(text))
		r.literals += len(text)
		name := op.URI[m[4]:m[5]]
		pattern := "[^/]+"
		if m[2] != m[3] {
			pattern = ".+"
			if p := op.Input.Member(name).Shape.Pattern; p != "" {
				pattern = strings.NewReplacer("[^/]+", "[^/:]+", ".*", "[^:]+").Replace(strings.Trim(p, "^$"))
				r.literals += len(strings.ReplaceAll(pattern, "[^/:]+", ""))
			}
		} else if m[1] < len(op.URI) && op.URI[m[1]] == ':' {
			pattern = "[^/:]+"
		}
		fmt.Fprintf(&b, "(%s)", strings.ReplaceAll(pattern, "(", "(?:"))
		r.labels = append(r.labels, name)
		at = m[1]
	}
	b.WriteString(regexp.QuoteMeta(op.URI[at:]) + "$")
	r.literals += len(op.URI) - at
	r.path = regexp.MustCompile(strings.ReplaceAll(b.String(), "(?:?:", "(?:"))
	return r
}

// routesOf are a service's routes, those with the most literal text first.
func (s *Server) routesOf(svc *api.Service) []route {
	s.mu.Lock()
	defer s.mu.Unlock()
	rs, ok := s.routes[svc.Name]
	if !ok {
		for _, op := range svc.Operations {
			rs = append(rs, newRoute(op))
		}
		slices.SortFunc(rs, func(a, b route) int {
			return cmp.Or(cmp.Compare(b.literals, a.literals), cmp.Compare(a.op.Name, b.op.Name))
		})
		s.routes[svc.Name] = rs
	}
	return rs
}

// recognise finds the operation of a request.
func (s *Server) recognise(h *http.Request) (*Request, error) {
	name, path, _ := strings.Cut(strings.TrimPrefix(h.URL.EscapedPath(), "/"), "/")
	svc, err := gcpapi.Lookup(name)
	if err != nil {
		return nil, err
	}
	path, ok := strings.CutPrefix("/"+path, "/"+strings.Trim(svc.ServicePath, "/"))
	if !ok {
		return nil, fmt.Errorf("the path of %s is below %s", name, svc.ServicePath)
	}
	path = strings.Trim(path, "/")
	r := &Request{Service: name, svc: svc, Query: h.URL.Query(), Header: h.Header, path: path, Path: map[string]string{}, body: decodeBody(h)}
	for _, t := range s.routesOf(svc) {
		if t.op.Method != h.Method {
			continue
		}
		m := t.path.FindStringSubmatch(path)
		if m == nil {
			continue
		}
		r.op, r.Operation = t.op, t.op.Name
		for i, l := range t.labels {
			if r.Path[l], err = url.PathUnescape(m[i+1]); err != nil {
				return nil, err
			}
		}
		break
	}
	if r.op == nil {
		return nil, fmt.Errorf("%s has no such operation", name)
	}
	for k := range r.Query {
		if k != "prettyPrint" && k != "alt" && k != "fields" && !slices.ContainsFunc(r.op.Input.Members, func(m api.Member) bool {
			return m.Location == "querystring" && cmp.Or(m.LocationName, m.Name) == k
		}) {
			s.complain("%s: there is no parameter %s", r.Op(), k)
		}
	}
	r.Project = projectOf(r)
	return r, nil
}

// projectOf is the project that a request names.
func projectOf(r *Request) string {
	for _, k := range []string{"project", "projectId"} {
		if v := r.Path[k]; v != "" && !strings.Contains(v, "/") {
			return v
		}
	}
	for _, v := range r.Path {
		if rest, ok := strings.CutPrefix(v, "projects/"); ok {
			id, _, _ := strings.Cut(rest, "/")
			if id != "-" {
				return id
			}
		}
	}
	for _, k := range []string{"project", "projectId"} {
		if v := r.Query.Get(k); v != "" {
			return v
		}
	}
	return ""
}
