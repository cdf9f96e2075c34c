package awsfake

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

// signing returns the services that sign for a name, first the one that has
// the name itself; all services if the name is empty.
func signing(name string) []*api.Service {
	if name == "s3express" {
		name = "s3"
	}
	names := awsapi.Source().Signing[name]
	if name == "" {
		names = awsapi.Services()
	}
	var found []*api.Service
	for _, n := range names {
		svc, err := awsapi.Lookup(n)
		if err != nil {
			panic("awsfake: " + err.Error())
		}
		if n == name {
			found = slices.Insert(found, 0, svc)
		} else {
			found = append(found, svc)
		}
	}
	return found
}

var (
	credential = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?SignedHeaders=[^,]+, ?Signature=[0-9a-f]{64}$`)
	accountID  = regexp.MustCompile(`\d{12}`)
)

// recognise finds out who asks what. The request's op is nil if that is
// not to be found; another error is to be answered in the protocol.
func (s *Server) recognise(h *http.Request) (*Request, error) {
	r := &Request{
		Time: time.Now(), Method: h.Method, Host: h.Host, Path: h.URL.EscapedPath(), Query: h.URL.RawQuery, Header: h.Header.Clone(),
		cancelled: h.Context().Done(),
	}
	body, err := io.ReadAll(h.Body)
	if err != nil {
		return r, err
	}
	var form url.Values
	if strings.HasPrefix(h.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		if form, err = url.ParseQuery(string(body)); err != nil {
			return r, err
		}
	}
	scope := ""
	if m := credential.FindStringSubmatch(h.Header.Get("Authorization")); m != nil {
		r.AccessKey, r.Region, scope = m[1], m[3], m[4]
	}
	// Only what takes no credentials may be unsigned; it is of any service.
	candidates := signing(scope)
	best := -1
	for _, svc := range candidates {
		op, score := match(svc, h, form, scope)
		if op == nil || score <= best || scope == "" && !op.Unsigned && score < exact {
			continue
		}
		if score == best && !s.knows(svc.Name+"."+op.Name) {
			continue
		}
		r.svc, r.op, best = svc, op, score
	}
	// Services with the same operations: the one that has data.
	if r.op != nil && !s.knows(r.svc.Name+"."+r.op.Name) {
		for _, svc := range candidates {
			if op, score := match(svc, h, form, scope); op != nil && score == best && s.knows(svc.Name+"."+op.Name) {
				r.svc, r.op = svc, op
			}
		}
	}
	if r.op == nil {
		return r, fmt.Errorf("unknown operation (signed for %q, target %q, action %q)", scope, h.Header.Get("X-Amz-Target"), form.Get("Action"))
	}
	r.Service, r.Operation = r.svc.Name, r.op.Name
	if strings.ContainsAny(r.Path, "{}") || strings.Contains(strings.ToUpper(r.Path), "%7B") {
		s.complain("%s: unfilled label in %s", r.Op(), r.Path)
		return r, &Error{Code: "ValidationException", Message: "unfilled label in " + r.Path, Status: 400}
	}
	r.Account, r.partition = s.owner(r.AccessKey)
	s.mu.Lock()
	r.Role = s.sessions[r.AccessKey]
	s.mu.Unlock()
	if r.AccessKey == "" && !r.op.Unsigned {
		s.complain("%s: not signed: Authorization %q", r.Op(), h.Header.Get("Authorization"))
		return r, &Error{Code: "MissingAuthenticationToken", Message: "the request is not signed", Status: 403}
	}
	if r.Input, err = input(r, h, form, body); err != nil {
		s.complain("%s: input: %v", r.Op(), err)
		return r, &Error{Code: "ValidationException", Message: err.Error(), Status: 400}
	}
	return r, nil
}

// owner returns the account of an access key, and its partition.
func (s *Server) owner(key string) (id, partition string) {
	first := s.opts.Accounts[0]
	found := first
	for _, a := range s.opts.Accounts {
		if slices.Contains(a.AccessKeys, key) || a.ID == accountID.FindString(key) {
			found = a
			break
		}
	}
	if found.Partition == "" {
		found.Partition = "aws"
	}
	return found.ID, found.Partition
}

// exact is the score of an operation that is named in the request.
const exact = 1 << 20

// match finds the operation of a service that a request is for, and how
// sure that is.
func match(svc *api.Service, h *http.Request, form url.Values, scope string) (*api.Operation, int) {
	switch svc.Protocol {
	case "json":
		target, name, ok := strings.Cut(h.Header.Get("X-Amz-Target"), ".")
		if i := strings.LastIndexByte(h.Header.Get("X-Amz-Target"), '.'); i >= 0 {
			target, name = h.Header.Get("X-Amz-Target")[:i], h.Header.Get("X-Amz-Target")[i+1:]
		}
		if !ok || target != svc.TargetPrefix {
			return nil, 0
		}
		return svc.Operations[name], exact
	case "query", "ec2":
		if form == nil || form.Get("Version") != svc.APIVersion {
			return nil, 0
		}
		return svc.Operations[form.Get("Action")], exact
	case "smithy-rpc-v2-cbor":
		parts := strings.Split(h.URL.Path, "/")
		if len(parts) != 5 || parts[1] != "service" || parts[3] != "operation" || svc.TargetPrefix != "" && parts[2] != svc.TargetPrefix {
			return nil, 0
		}
		return svc.Operations[parts[4]], exact
	}
	if form != nil || h.Header.Get("X-Amz-Target") != "" {
		return nil, 0
	}
	var found *api.Operation
	best := -1
	for _, name := range sorted(svc.Operations) {
		op := svc.Operations[name]
		if (op.Variant == "UseS3ExpressControlEndpoint=true") != (scope == "s3express") && svc.Name == "s3" {
			continue
		}
		if score := fits(op, h); score > best {
			found, best = op, score
		}
	}
	return found, best
}

// fits says how well a request fits the method and URI of an operation: the
// more of it is literal, the better; -1 if it does not.
func fits(op *api.Operation, h *http.Request) int {
	if op.Method != h.Method {
		return -1
	}
	path, query, _ := strings.Cut(op.URI, "?")
	score := 0
	if query != "" {
		asked := h.URL.Query()
		for _, p := range strings.Split(query, "&") {
			k, v, _ := strings.Cut(p, "=")
			if !asked.Has(k) || v != "" && asked.Get(k) != v {
				return -1
			}
			score += 100
		}
	}
	_, n, ok := labels(path, h.URL.EscapedPath())
	if !ok {
		return -1
	}
	if op.Input == nil {
		return score + n
	}
	for _, name := range op.Input.Required {
		switch m := op.Input.Member(name); m.Location {
		case "querystring":
			if m.Shape.Type != "list" && !h.URL.Query().Has(wire(m)) {
				return -1
			}
			score += 50
		case "header":
			if h.Header.Get(wire(m)) == "" {
				return -1
			}
			score += 50
		}
	}
	return score + n
}

// labels matches a path with a template and returns the labels' values, and
// how many segments are literal.
func labels(template, path string) (values map[string]string, literal int, ok bool) {
	t, p := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	values = map[string]string{}
	for i, seg := range t {
		open := strings.IndexByte(seg, '{')
		if open < 0 {
			if i >= len(p) || p[i] != seg {
				return nil, 0, false
			}
			if seg != "" {
				literal += 10
			}
			continue
		}
		end := strings.IndexByte(seg, '}')
		name := seg[open+1 : end]
		if greedy, more := strings.CutSuffix(name, "+"); more {
			rest := len(t) - i - 1
			if len(p)-rest <= i {
				return nil, 0, false
			}
			v, err := url.PathUnescape(strings.Join(p[i:len(p)-rest], "/"))
			if err != nil || v == "" {
				return nil, 0, false
			}
			values[greedy] = v
			p = append(slices.Clone(p[:i+1]), p[len(p)-rest:]...)
			continue
		}
		if i >= len(p) {
			return nil, 0, false
		}
		got, ok := strings.CutPrefix(p[i], seg[:open])
		if !ok {
			return nil, 0, false
		}
		if got, ok = strings.CutSuffix(got, seg[end+1:]); !ok || got == "" {
			return nil, 0, false
		}
		v, err := url.PathUnescape(got)
		if err != nil {
			return nil, 0, false
		}
		values[name] = v
		literal++
	}
	return values, literal, len(p) == len(t)
}
