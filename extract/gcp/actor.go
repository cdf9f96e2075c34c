package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
)

// Actor makes calls that change projects. It is safe for concurrent use.
type Actor struct {
	c *Client

	mu       sync.Mutex
	projects map[string]*Project
}

// NewActor acts with a client, whose credentials may write.
func NewActor(c *Client) *Actor { return &Actor{c: c, projects: map[string]*Project{}} }

// Place is where calls on a project are made. Its Caller sends a call that
// changes something again only where it was refused unread, and implements
// acting.Operator.
func (a *Actor) Place(ctx context.Context, project string) (reading.Place, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := a.projects[project]
	if p == nil {
		var err error
		if p, _, err = a.c.project(ctx, project); err != nil {
			return reading.Place{}, err
		}
		a.projects[project] = p
	}
	return reading.Place{Cloud: "gcp", Account: p.ID, Region: globalRegion, Caller: &writer{c: a.c, p: p}}, nil
}

// Name is the id of the project with the number, if it was entered.
func (a *Actor) Name(number string) (id string, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.projects {
		if p.Number == number {
			return p.ID, true
		}
	}
	return "", false
}

// writer makes the calls of a project that change it, and those that read one
// resource of it.
type writer struct {
	c *Client
	p *Project
}

// Do implements reading.Caller.
func (w *writer) Do(ctx context.Context, call reading.Call) (*reading.Answer, error) {
	resp, err := w.c.Do(ctx, Request{
		Project: w.p, Service: call.Service, Op: call.Op, Input: call.Input, Header: call.Header, Limit: call.Limit,
		Redact: call.Redact, Once: call.Op.Method != http.MethodGet,
	})
	if err != nil {
		return nil, err
	}
	return &reading.Answer{Body: resp.Body, Header: resp.Header, Attempts: resp.Attempts, Free: resp.Release}, nil
}

// progress is an operation that goes on after the answer, as the older APIs and
// google.longrunning write it:
// https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations,
// https://cloud.google.com/apis/design/design_patterns#long_running_operations.
type progress struct {
	Name                string
	SelfLink            string
	Status              string
	Done                bool
	HTTPErrorStatusCode int
	Error               *struct {
		Code    int
		Message string
		Errors  []struct{ Code, Message string }
	}
}

// Operation implements acting.Operator.
func (w *writer) Operation(call reading.Call, body []byte) string {
	if out := call.Op.Output; out == nil || !strings.HasSuffix(out.Name, "Operation") {
		return ""
	}
	var p progress
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	name := p.Name
	if u, err := url.Parse(p.SelfLink); err == nil && p.SelfLink != "" {
		name = strings.TrimPrefix(u.Path, "/")
	}
	if op, _ := operationCall(call.Service, name); op == nil {
		return ""
	}
	return name
}

// operationCall is the call that asks for an operation by its name, or by the
// path of its link.
func operationCall(svc *api.Service, name string) (*api.Operation, map[string]any) {
	var names []string
	for n := range svc.Operations {
		if strings.HasSuffix(strings.ToLower(n), "operations.get") {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	name = strings.TrimPrefix(strings.TrimPrefix(name, strings.Trim(svc.ServicePath, "/")), "/")
	for _, n := range names {
		op := svc.Operations[n]
		if in := fill(op, name); in != nil {
			return op, in
		}
	}
	return nil, nil
}

var label = regexp.MustCompile(`\{(\+?)([^}]+)\}`)

// fill are the values of an operation's labels that make its path of a name;
// nil if it has another form.
func fill(op *api.Operation, name string) map[string]any {
	if before, rest, ok := strings.Cut(op.URI, "{+name}"); ok && rest == "" {
		name = strings.TrimPrefix(name, before)
		m := op.Input.Member("name")
		if m == nil || m.Shape.Pattern == "" {
			return nil
		}
		if ok, err := regexp.MatchString(m.Shape.Pattern, name); err != nil || !ok {
			return nil
		}
		return map[string]any{"name": name}
	}
	if strings.Contains(op.URI, "{+") {
		return nil
	}
	pattern := "^"
	at := 0
	marks := label.FindAllStringSubmatchIndex(op.URI, -1)
	for _, m := range marks {
		pattern += regexp.QuoteMeta(op.URI[at:m[0]]) + "([^/]+)"
		at = m[1]
	}
	found := regexp.MustCompile(pattern + regexp.QuoteMeta(op.URI[at:]) + "$").FindStringSubmatch(name)
	if found == nil {
		return nil
	}
	in := map[string]any{}
	for i, m := range marks {
		in[op.URI[m[4]:m[5]]] = found[i+1]
	}
	return in
}

// Ended implements acting.Operator. An operation that may not be asked for, or
// is forgotten, counts as ended: the resource itself shows what became of it.
func (w *writer) Ended(ctx context.Context, svc *api.Service, name string) (bool, error) {
	op, in := operationCall(svc, name)
	if op == nil {
		return true, nil
	}
	resp, err := w.c.Do(ctx, Request{Project: w.p, Service: svc, Op: op, Input: in})
	if err != nil {
		var e *APIError
		if errors.As(err, &e) && (e.Denied() || e.NotFound()) {
			return true, nil
		}
		return false, err
	}
	defer resp.Release()
	var p progress
	if err := json.Unmarshal(resp.Body, &p); err != nil {
		return false, err
	}
	if !p.Done && !strings.EqualFold(p.Status, "DONE") {
		return false, nil
	}
	if p.Error == nil {
		return true, nil
	}
	e := &APIError{Service: svc.Name, Operation: op.Name, Account: w.p.ID, Region: globalRegion, Message: p.Error.Message, HTTPStatus: p.HTTPErrorStatusCode, number: w.p.Number}
	for _, x := range p.Error.Errors {
		e.reasons = append(e.reasons, x.Code)
		if e.Message == "" {
			e.Message = x.Message
		}
	}
	if status, ok := canonical[p.Error.Code]; ok {
		e.Status, e.HTTPStatus = status.name, status.http
	}
	if e.HTTPStatus == 0 {
		e.HTTPStatus = http.StatusBadRequest
	}
	if e.Code = e.Status; len(e.reasons) > 0 {
		e.Code = e.reasons[0]
	}
	return true, e
}

// canonical are the codes of google.rpc.Code with the HTTP status of each.
var canonical = map[int]struct {
	name string
	http int
}{
	1: {"CANCELLED", 499}, 2: {"UNKNOWN", 500}, 3: {"INVALID_ARGUMENT", 400}, 4: {"DEADLINE_EXCEEDED", 504}, 5: {"NOT_FOUND", 404},
	6: {"ALREADY_EXISTS", 409}, 7: {"PERMISSION_DENIED", 403}, 8: {"RESOURCE_EXHAUSTED", 429}, 9: {"FAILED_PRECONDITION", 400},
	10: {"ABORTED", 409}, 11: {"OUT_OF_RANGE", 400}, 12: {"UNIMPLEMENTED", 501}, 13: {"INTERNAL", 500}, 14: {"UNAVAILABLE", 503},
	16: {"UNAUTHENTICATED", 401},
}
