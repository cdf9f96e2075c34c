package awsfake

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind uint8

// The faults.
const (
	// Slow answers after Delay; other faults may follow it.
	Slow FaultKind = iota + 1
	// Throttle is the service's own error for too many requests.
	Throttle
	// Deny is the service's own error for what is not permitted.
	Deny
	// Fail is the error Code with Status.
	Fail
	// Reset breaks the connection after After bytes of the answer's body.
	Reset
	// Timeout never answers.
	Timeout
	// HTML is a proxy's page with status 200, or Status.
	HTML
	// Truncate sends the first half of the body as if it were all of it.
	Truncate
	// Garbage sends the body with something behind it.
	Garbage
	// Error200 is an error element with status 200, as S3 may send it.
	Error200
	// EmptyBody sends no body with status 200, or Status.
	EmptyBody
	// RepeatToken gives the same page and the same token again and again.
	RepeatToken
	// MissingToken says that there is more but gives no token.
	MissingToken
)

// Fault goes wrong with some calls.
type Fault struct {
	Kind FaultKind
	// Op is the call it is laid over: ec2.DescribeInstances, "ec2." for all of
	// a service, empty for all.
	Op string
	// Account and Region limit it, Resource to calls whose input holds the text.
	Account, Region, Resource string
	// Every lets it happen at each nth of these calls only; Times so often at
	// most. 0 is always.
	Every, Times int

	Delay   time.Duration
	After   int
	Code    string
	Message string
	Status  int

	calls, done int
}

// Inject lays a fault over calls. The first of several that fit counts.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
}

// Heal takes all faults away.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

func (f *Fault) fits(r *Request) bool {
	if f.Op != "" && f.Op != r.Op() && !(strings.HasSuffix(f.Op, ".") && strings.HasPrefix(r.Op(), f.Op)) {
		return false
	}
	if f.Account != "" && f.Account != r.Account || f.Region != "" && f.Region != r.Region {
		return false
	}
	if f.Resource != "" {
		in, _ := json.Marshal(r.Input)
		if !strings.Contains(string(in), f.Resource) {
			return false
		}
	}
	return true
}

// fault returns the fault that a request meets, after delays.
func (s *Server) fault(r *Request) *Fault {
	var delay time.Duration
	found := func() *Fault {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, f := range s.faults {
			if !f.fits(r) {
				continue
			}
			f.calls++
			if f.Every > 0 && f.calls%f.Every != 0 || f.Times > 0 && f.done >= f.Times {
				continue
			}
			f.done++
			if f.Kind == Slow {
				delay += f.Delay
				continue
			}
			return f
		}
		return nil
	}()
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-r.cancelled:
		case <-s.closed:
		}
	}
	return found
}

// error is the error that the fault answers with, if it is one.
func (f *Fault) error(r *Request) error {
	e := &Error{Code: f.Code, Message: f.Message, Status: f.Status}
	def := func(code, message string, status int) {
		e.Code, e.Message = first(e.Code, code), first(e.Message, message)
		if e.Status == 0 {
			e.Status = status
		}
	}
	switch f.Kind {
	case Throttle:
		code, status := throttling(r)
		def(code, "Rate exceeded", status)
	case Deny:
		code, status := denial(r)
		action := r.svc.SigningName + ":" + r.Operation
		def(code, fmt.Sprintf("User: arn:%s:iam::%s:user/reader is not authorized to perform: %s", r.partition, r.Account, action), status)
	case Fail:
		def("InternalFailure", "it failed", 500)
	default:
		return nil
	}
	return e
}

func throttling(r *Request) (code string, status int) {
	switch r.svc.Protocol {
	case "ec2":
		return "RequestLimitExceeded", 503
	case "query":
		return "Throttling", 400
	case "rest-xml":
		if r.Service == "s3" {
			return "SlowDown", 503
		}
		return "Throttling", 400
	case "rest-json":
		return "TooManyRequestsException", 429
	}
	return "ThrottlingException", 400
}

func denial(r *Request) (code string, status int) {
	switch r.svc.Protocol {
	case "ec2":
		return "UnauthorizedOperation", 403
	case "query", "rest-xml":
		return "AccessDenied", 403
	case "rest-json":
		return "AccessDeniedException", 403
	}
	return "AccessDeniedException", 400
}

// spoil changes an answer that is ready to be sent.
func (f *Fault) spoil(res *response) {
	status := res.status
	if f.Status != 0 {
		status = f.Status
	}
	switch f.Kind {
	case Reset:
		res.cut = min(f.After, len(res.body)-1)
	case HTML:
		res.status, res.code = status, "html"
		res.header.Set("Content-Type", "text/html")
		res.body = []byte("<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body><p>Please sign in to the network.<br></body></html>\n")
	case Truncate:
		res.code = "truncated"
		res.body = res.body[:len(res.body)/2]
	case Garbage:
		res.code = "garbage"
		res.body = append(res.body, "<x>{"...)
	case Error200:
		res.status, res.code = 200, "error200"
		res.header.Set("Content-Type", "application/xml")
		res.body = fmt.Appendf(nil, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>We encountered an internal error. Please try again.</Message></Error>", first(f.Code, "InternalError"))
	case EmptyBody:
		res.status, res.code, res.body = status, "empty", nil
	}
}
