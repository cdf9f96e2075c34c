// Package gcpfake is a Google Cloud on the loopback interface for tests and
// demos, made from the API descriptions: it recognises the operation of a
// request, pages lists as the service would, aggregates those of zones and
// regions, and answers in Google's JSON. What exists is said by the test, as
// documents, or made from the descriptions' shapes; faults can be laid over
// any call.
package gcpfake

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Options configure a Server. The zero value is a cloud with one project and
// nothing in it.
type Options struct {
	// Projects and Folders exist. Default is one project, DefaultProject.
	Projects []Project
	Folders  []Folder
	// Zones are those of compute; the regions are theirs. Default are two in
	// each of us-central1 and europe-west3.
	Zones []string
	// Generate is how many documents a collection has that nothing was put
	// into. They are made from the description.
	Generate int
	// PageSize limits pages to so many items; 0 is what the request says, or
	// all.
	PageSize int
	// Polls is how often an operation is asked for before it has ended. What it
	// does it does then.
	Polls int
	// Token, if not empty, is the only one that calls may have.
	Token string
}

// DefaultProject is the project of a server that is told none.
var DefaultProject = Project{ID: "project-one", Number: "100000000001", Name: "Project One"}

// Project is a project.
type Project struct {
	ID, Number, Name string
	// Parent is folders/1 or organizations/1.
	Parent string
	// State is ACTIVE unless it says another.
	State  string
	Labels map[string]string
}

// Folder is a folder.
type Folder struct {
	// Name is folders/1, Parent that of what it is in.
	Name, DisplayName, Parent string
	// State is ACTIVE unless it says another.
	State string
}

// Server is a running fake. Its methods may be called at any time by any
// goroutine. The caller closes it.
type Server struct {
	// URL is the endpoint of a service where {service} stands: the value for
	// "*" among a client's endpoints.
	URL string

	opts Options
	http *httptest.Server

	mu          sync.Mutex
	collections map[string][]map[string]any // by service and path
	asked       map[string]map[string]bool  // operation -> collections
	operations  map[string]*underway        // by the last part of their names
	faults      []*Fault
	log         []Request
	broken      []string
	routes      map[string][]route // by service
}

// New starts a server on the loopback interface.
func New(o Options) *Server {
	if len(o.Projects) == 0 {
		o.Projects = []Project{DefaultProject}
	}
	if len(o.Zones) == 0 {
		o.Zones = []string{"us-central1-a", "us-central1-b", "europe-west3-a", "europe-west3-b"}
	}
	s := &Server{
		opts: o, collections: map[string][]map[string]any{}, asked: map[string]map[string]bool{}, routes: map[string][]route{},
		operations: map[string]*underway{},
	}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL + "/{service}"
	return s
}

// Close ends the server.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// Endpoint is where a service is, for a client that wants its path in it.
func (s *Server) Endpoint(service string) string { return s.http.URL + "/" + service + "/" }

// Request is a call that the server has recognised.
type Request struct {
	Service, Operation string
	// Project is the one in the path or the query, empty for none.
	Project string
	// Path are the values of the path's labels, Query the parameters.
	Path   map[string]string
	Query  url.Values
	Header http.Header
	// Status and Reason are of the answer; Reason is empty if it is no error.
	Status int
	Reason string

	svc  *api.Service
	op   *api.Operation
	path string // of the collection or the resource
	body map[string]any
}

// Op is the call's name as the faults take it: "compute.v1 instances.list".
func (r *Request) Op() string { return r.Service + " " + r.Operation }

// parameter is a value of the query, or else of the body.
func (r *Request) parameter(name string) string {
	if v := r.Query.Get(name); v != "" {
		return v
	}
	if v, ok := r.body[name]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// Requests returns all calls so far, in the order of their answers.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Calls returns how often an operation was called: "compute.v1
// instances.list", all of a service with a space behind it, or all.
func (s *Server) Calls(op string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Op() == op || op == "" || strings.HasSuffix(op, " ") && strings.HasPrefix(r.Op(), op) {
			n++
		}
	}
	return n
}

// Broken returns what was wrong with requests: an unknown path, a page token
// that was never given, no prettyPrint=false.
func (s *Server) Broken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.broken)
}

// Reset forgets requests and what was wrong with them.
func (s *Server) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log, s.broken = nil, nil
	s.asked = map[string]map[string]bool{}
}

func (s *Server) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, h *http.Request) {
	r, err := s.recognise(h)
	if err != nil {
		s.complain("%s %s: %v", h.Method, h.URL, err)
		http.Error(w, "<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>", http.StatusNotFound)
		return
	}
	fault := s.fault(r)
	var out map[string]any
	refusal := s.admit(r)
	if refusal == nil && fault != nil {
		refusal = fault.refusal(r)
	}
	if refusal == nil {
		out, refusal = s.output(r, fault)
	}
	var body []byte
	status := http.StatusOK
	if refusal != nil {
		status, body = refusal.Status, refusal.body()
	} else if out == nil && r.op != nil && r.op.Output == nil {
		status = http.StatusNoContent
	} else if body, err = json.Marshal(out); err != nil {
		s.complain("%s: answer: %v", r.Op(), err)
	}
	r.Status = status
	if refusal != nil {
		r.Reason = refusal.Reason
	}
	s.mu.Lock()
	s.log = append(s.log, *r)
	s.mu.Unlock()
	if refusal != nil && refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(refusal.RetryAfter))
	}
	if fault != nil {
		body = fault.spoil(w, body)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	}
	if fault != nil && fault.Kind == Cut {
		w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		w.WriteHeader(status)
		_, _ = w.Write(body[:len(body)/2])
		panic(http.ErrAbortHandler)
	}
	if strings.Contains(h.Header.Get("Accept-Encoding"), "gzip") && len(body) > 1024 {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body)
		z.Close()
		body = b.Bytes()
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// admit refuses what Google refuses before it looks at the operation.
func (s *Server) admit(r *Request) *Refusal {
	if s.opts.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.opts.Token {
		return &Refusal{Status: http.StatusUnauthorized, Canonical: "UNAUTHENTICATED", Message: "Request had invalid authentication credentials."}
	}
	if r.Project != "" && s.project(r.Project) == nil {
		return &Refusal{Status: http.StatusNotFound, Reason: "notFound", Message: "The resource 'projects/" + r.Project + "' was not found"}
	}
	return nil
}

// project finds a project by id or number.
func (s *Server) project(name string) *Project {
	for i := range s.opts.Projects {
		if p := &s.opts.Projects[i]; p.ID == name || p.Number == name {
			return p
		}
	}
	return nil
}

func decodeBody(h *http.Request) map[string]any {
	data, _ := io.ReadAll(h.Body)
	var out map[string]any
	_ = json.Unmarshal(data, &out)
	return out
}
