package k8s

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// class is what kind of failure an error is.
type class uint8

const (
	classAnswer    class = iota + 1 // the server said so
	classTransport                  // no answer
	classTimeout                    // none in time
	classTooLarge                   // an answer larger than may be
	classUnusable                   // an answer that is not what was asked for
)

// APIError is a failed call: a server's refusal, or no answer at all.
type APIError struct {
	Cluster string // the context
	Method  string // GET if empty
	Path    string
	// Status is that of HTTP, 0 without an answer. Reason is the server's
	// word: Forbidden, Expired, NotFound.
	Status  int
	Reason  string
	Message string
	// Audit is the id by which the server's audit log knows the request.
	Audit string
	// Err is the cause where there is no answer.
	Err error

	class class
	after time.Duration // that the server asks to wait
	next  string        // the token in an answer that says that one has expired
}

func (e *APIError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cluster %s: %s %s: ", e.Cluster, cmp.Or(e.Method, http.MethodGet), e.Path)
	if e.Reason != "" {
		b.WriteString(e.Reason + ": ")
	} else if e.Status != 0 {
		fmt.Fprintf(&b, "HTTP %d: ", e.Status)
	}
	b.WriteString(e.Message)
	return b.String()
}

func (e *APIError) Unwrap() error { return e.Err }

var _ reading.Failure = (*APIError)(nil)

// HasCode implements reading.Failure.
func (e *APIError) HasCode(codes ...string) bool {
	return e.Reason != "" && slices.Contains(codes, e.Reason)
}

// Fault implements reading.Failure.
func (e *APIError) Fault() (code, requestID string) { return e.Reason, e.Audit }

// RefusesOne implements reading.Failure.
func (e *APIError) RefusesOne() bool { return false }

// State implements reading.Failure.
func (e *APIError) State() schema.State {
	switch {
	case e.class == classTimeout, e.Status == http.StatusGatewayTimeout:
		return schema.TimedOut
	case e.class == classTransport, e.Status == http.StatusServiceUnavailable, e.Status == http.StatusBadGateway:
		return schema.Unreachable
	case e.Denied():
		return schema.Denied
	case e.Throttled():
		return schema.Throttled
	}
	return schema.Failed
}

// Denied says that the server knows the caller and refuses, or does not know
// the caller.
func (e *APIError) Denied() bool {
	return e.Status == http.StatusForbidden || e.Status == http.StatusUnauthorized
}

// Throttled says that the server asks to be asked less.
func (e *APIError) Throttled() bool { return e.Status == http.StatusTooManyRequests }

// NotFound says that there is no such object, or resource.
func (e *APIError) NotFound() bool { return e.Status == http.StatusNotFound }

// Conflict says that the object is in another state than the request was for.
func (e *APIError) Conflict() bool { return e.Status == http.StatusConflict }

// expired says that a continue token is too old.
func (e *APIError) expired() bool { return e.Status == http.StatusGone }

// retries says how often a call that failed so is made again.
func (e *APIError) retries() int {
	switch {
	case e.Throttled():
		return 8
	case e.class == classTransport && tlsFailure(e.Err):
		return 0
	case e.class == classTransport, e.class == classTimeout, e.class == classUnusable && e.Status != http.StatusOK:
		return 2
	case e.Status == http.StatusServiceUnavailable, e.Status == http.StatusBadGateway, e.Status == http.StatusGatewayTimeout:
		return 2
	case e.Status == http.StatusInternalServerError:
		return 1 // a leader change passes, a dead webhook does not
	case e.Status == http.StatusUnauthorized:
		return 1 // a token that has expired meanwhile is read anew
	}
	return 0
}

func tlsFailure(err error) bool {
	return err != nil && strings.Contains(err.Error(), "x509:")
}

// refusal fills the error in from an answer that is no success.
func (e *APIError) refusal(status int, h http.Header, body []byte) *APIError {
	e.class, e.Status, e.Audit = classAnswer, status, h.Get("Audit-Id")
	e.after = retryAfter(h)
	var s struct {
		Kind, Reason, Message string
		Metadata              struct{ Continue string }
	}
	if json.Unmarshal(body, &s) == nil && s.Kind == "Status" {
		e.Reason, e.Message, e.next = s.Reason, s.Message, s.Metadata.Continue
	} else {
		e.Message = extract.Excerpt(body)
	}
	if e.Message == "" {
		e.Message = http.StatusText(status)
	}
	return e
}

// unusable fills the error in from an answer that is not what was asked for.
func (e *APIError) unusable(status int, format string, args ...any) *APIError {
	e.class, e.Status, e.Reason, e.Message = classUnusable, status, "UnrecognizedAnswer", fmt.Sprintf(format, args...)
	return e
}

// silent says that nothing came back, not even a refusal.
func (e *APIError) silent() bool {
	var n net.Error
	return e.class == classTimeout || e.class == classTransport && errors.As(e.Err, &n) && n.Timeout()
}

// transport fills the error in from a failure without an answer. One of the
// first request, or of connecting, says that the server cannot be reached.
func (e *APIError) transport(err error, timedOut, first bool) *APIError {
	var u *url.Error // repeats the URL
	if errors.As(err, &u) {
		err = u.Err
	}
	var n net.Error
	e.class, e.Err, e.Message = classTransport, err, err.Error()
	timedOut = timedOut || errors.As(err, &n) && n.Timeout()
	var op *net.OpError
	switch {
	case first && timedOut:
		e.Message = "nothing answers: is this the server's address, and is the network open to it? " + e.Message
	case timedOut && !(errors.As(err, &op) && op.Op == "dial"):
		e.class = classTimeout
	}
	return e
}
