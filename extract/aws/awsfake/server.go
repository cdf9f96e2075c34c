// Package awsfake is an AWS on the loopback interface for tests and demos,
// made from the API descriptions: it recognises the service and operation of
// signed requests, pages lists as the service would, and answers in the
// service's protocol. What exists is said by the test, as values in the
// description's member names; faults can be laid over any call.
package awsfake

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Options configure a Server. The zero value is an AWS with one account.
type Options struct {
	// Accounts exist. The first is the management account of the organisation
	// and the one whose keys are unknown keys. Default is DefaultAccount.
	Accounts []Account
	// Regions exist in every account. Default are us-east-1 and eu-west-1.
	Regions []Region
	// PageSize limits pages to so many items; 0 is what the request says, or
	// all.
	PageSize int
	// Skew is how far the server's clock is ahead. Requests that are dated
	// more than five minutes off are refused.
	Skew time.Duration
	// Strict answers calls without data with an error, also lists.
	Strict bool
}

// DefaultAccount is the account of a server that is told none.
const DefaultAccount = "111122223333"

// Account is an account. An access key belongs to the account whose id it
// holds ("AKIA111122223333"), to that which lists it, or to the first.
type Account struct {
	ID, Name, Email string
	AccessKeys      []string
	// Status is ACTIVE unless it says SUSPENDED.
	Status string
	// Partition is aws unless it says another.
	Partition string
}

// Region is a region. Calls to one that is disabled are refused.
type Region struct {
	Name     string
	Disabled bool
}

// Server is a running fake. Its methods may be called at any time by any
// goroutine. The caller closes it.
type Server struct {
	// URL is that of all services.
	URL string

	opts   Options
	http   *httptest.Server
	closed chan struct{}

	mu       sync.Mutex
	answers  []answer
	faults   []*Fault
	log      []Request
	broken   []string
	sessions map[string]string // access key -> ARN of the role
	answered int
}

// New starts a server on the loopback interface.
func New(o Options) *Server {
	if len(o.Accounts) == 0 {
		o.Accounts = []Account{{ID: DefaultAccount, Name: "default"}}
	}
	if len(o.Regions) == 0 {
		o.Regions = []Region{{Name: "us-east-1"}, {Name: "eu-west-1"}}
	}
	s := &Server{opts: o, closed: make(chan struct{}), sessions: map[string]string{}}
	s.http = httptest.NewServer(s)
	s.URL = s.http.URL
	s.builtins()
	return s
}

// Close ends the server, also calls that a fault holds.
func (s *Server) Close() {
	close(s.closed)
	s.http.CloseClientConnections()
	s.http.Close()
}

// Request is a call that the server has recognised.
type Request struct {
	Time                      time.Time
	Account, Region           string
	AccessKey, Role           string // Role is the ARN that the keys come from, if any
	Service, Operation        string
	Input                     map[string]any // by member names
	Method, Host, Path, Query string
	Header                    http.Header
	// Status and Code are of the answer; Code is empty if it is no error.
	Status int
	Code   string

	svc       *api.Service
	op        *api.Operation
	partition string
	cancelled <-chan struct{}
}

// Op is the call's name as the methods of Server take it: ec2.DescribeInstances.
func (r *Request) Op() string { return r.Service + "." + r.Operation }

// Text returns a member of the input as text, empty if it was not sent.
func (r *Request) Text(member string) string {
	if v := r.Input[member]; v != nil {
		return fmt.Sprint(v)
	}
	return ""
}

// Texts returns a list of the input as texts.
func (r *Request) Texts(member string) []string {
	l, _ := r.Input[member].([]any)
	var out []string
	for _, v := range l {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// Requests returns all calls so far, in the order of their answers.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}

// Calls returns how often an operation was called: "ec2.DescribeInstances",
// or all of a service: "ec2.", or all.
func (s *Server) Calls(op string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Op() == op || op == "" || strings.HasSuffix(op, ".") && strings.HasPrefix(r.Op(), op) {
			n++
		}
	}
	return n
}

// Broken returns what was wrong with requests: no signature, an unfilled
// label, an unknown operation, input that does not fit, calls without data.
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
}

func (s *Server) complain(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, h *http.Request) {
	r, err := s.recognise(h)
	if r.op == nil {
		s.complain("%s %s: %v", h.Method, h.URL, err)
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	res := s.answer(r, err)
	if res == nil { // the connection is gone
		r.Code = "connection"
	} else {
		r.Status, r.Code = res.status, res.code
	}
	s.mu.Lock()
	s.log = append(s.log, *r)
	s.mu.Unlock()
	if res != nil {
		res.send(w)
		return
	}
	panic(http.ErrAbortHandler)
}

// response is an answer before it is sent.
type response struct {
	status int
	code   string
	header http.Header
	body   []byte
	// cut sends only so many bytes and breaks the connection; -1 sends all.
	cut int
}

func (r *response) send(w http.ResponseWriter) {
	for k, v := range r.header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(r.body)))
	w.WriteHeader(r.status)
	if r.cut < 0 || r.cut >= len(r.body) {
		_, _ = w.Write(r.body)
		return
	}
	_, _ = w.Write(r.body[:r.cut])
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	panic(http.ErrAbortHandler)
}

// answer makes the answer to a recognised request.
func (s *Server) answer(r *Request, err error) *response {
	fault := s.fault(r)
	switch {
	case fault == nil:
	case fault.Kind == Reset && fault.After <= 0:
		return nil
	case fault.Kind == Timeout:
		select {
		case <-r.cancelled:
		case <-s.closed:
		}
		return nil
	}
	if err == nil {
		err = s.admit(r)
	}
	var out map[string]any
	if err == nil && fault != nil {
		err = fault.error(r)
	}
	if err == nil {
		out, err = s.output(r, fault)
	}
	var res *response
	if err != nil {
		res = failure(r, err)
	} else if res, err = success(r, out); err != nil {
		s.complain("%s: answer: %v", r.Op(), err)
		res = failure(r, &Error{Code: "InternalFailure", Message: err.Error(), Status: 500})
	}
	res.cut = -1
	res.header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	s.mu.Lock()
	s.answered++
	id := fmt.Sprintf("00000000-0000-0000-0000-%012d", s.answered)
	s.mu.Unlock()
	if r.Service == "s3" {
		res.header.Set("x-amz-request-id", id)
	} else {
		res.header.Set("x-amzn-RequestId", id)
	}
	if fault != nil {
		fault.spoil(res)
	}
	return res
}

func (s *Server) now() time.Time { return time.Now().Add(s.opts.Skew) }
