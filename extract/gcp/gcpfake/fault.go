package gcpfake

import (
	"encoding/json"
	"net/http"
	"strings"
)

// FaultKind is what goes wrong.
type FaultKind uint8

// The faults.
const (
	// Refuse answers with Refusal.
	Refuse FaultKind = iota + 1
	// Throttle is 429 with Retry-After, ThrottleForbidden the older 403.
	Throttle
	ThrottleForbidden
	// Deny is what the caller may not do.
	Deny
	// Disabled is an API that is not enabled in Consumer; default is the
	// project that is read, by its number. DisabledOld is the older shape.
	Disabled
	DisabledOld
	// Partial leaves Location out of a list and says so in the output's
	// Member, or in that of the location's scope in an aggregated list.
	Partial
	// HTML is a proxy's page with status 200.
	HTML
	// Error200 is an error with status 200.
	Error200
	// Cut breaks the connection in the middle of the body.
	Cut
	// RepeatToken gives the same page and token again and again.
	RepeatToken
	// FailLater lets an operation that a call began end with Refusal, and
	// without effect.
	FailLater
	// ExtraToken gives a token on the last page, which none may take.
	ExtraToken
)

// Fault goes wrong with some calls.
type Fault struct {
	Kind FaultKind
	// Op is the call it is laid over: "compute.v1 instances.list", a service
	// with a space behind it, empty for all.
	Op string
	// Project limits it to calls of a project, Contains to those whose path
	// and query hold the text.
	Project, Contains string
	// Every lets it happen at each nth of these calls only, Times so often at
	// most, Page at the page of that number (from 1) only. 0 is always.
	Every, Times, Page int

	Refusal  Refusal
	Consumer string
	// Location and Member are Partial's: us-central1-a, unreachables. Code is
	// that of a warning, UNREACHABLE by default.
	Location, Member, Code string
	// RetryAfter is Throttle's, in seconds.
	RetryAfter int

	calls, done int
}

// Refusal is an error answer.
type Refusal struct {
	Status int
	// Reason, Message and Consumer as Google has them. Canonical is the
	// status' name; without one the answer has the older shape.
	Reason, Canonical, Message, Consumer string
	RetryAfter                           int
}

func (r *Refusal) body() []byte {
	e := map[string]any{"code": r.Status, "message": r.Message}
	if r.Canonical == "" {
		e["errors"] = []any{map[string]any{"message": r.Message, "domain": "global", "reason": r.Reason}}
	} else {
		e["status"] = r.Canonical
		if r.Reason != "" {
			info := map[string]any{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": r.Reason, "domain": "googleapis.com"}
			if r.Consumer != "" {
				info["metadata"] = map[string]any{"consumer": r.Consumer}
			}
			e["details"] = []any{info}
		}
	}
	b, _ := json.Marshal(map[string]any{"error": e})
	return b
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

// fault returns the fault that a request meets.
func (s *Server) fault(r *Request) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.Op != "" && f.Op != r.Op() && !(strings.HasSuffix(f.Op, " ") && strings.HasPrefix(r.Op(), f.Op)) ||
			f.Project != "" && f.Project != r.Project ||
			f.Contains != "" && !strings.Contains(r.path+"?"+r.Query.Encode(), f.Contains) ||
			f.Page > 0 && r.page() != f.Page {
			continue
		}
		f.calls++
		if f.Every > 0 && f.calls%f.Every != 0 || f.Times > 0 && f.done >= f.Times {
			continue
		}
		f.done++
		if f.Kind == Disabled && f.Consumer == "" || f.Kind == DisabledOld && f.Consumer == "" {
			own := *f
			own.Consumer = r.Project
			for _, p := range s.opts.Projects {
				if p.ID == r.Project {
					own.Consumer = p.Number
				}
			}
			return &own
		}
		return f
	}
	return nil
}

// refusal is the error that the fault answers with, nil if it is none.
func (f *Fault) refusal(r *Request) *Refusal {
	api, _, _ := strings.Cut(r.Service, ".")
	switch f.Kind {
	case Refuse:
		return &f.Refusal
	case Throttle:
		return &Refusal{Status: http.StatusTooManyRequests, Canonical: "RESOURCE_EXHAUSTED", Reason: "RATE_LIMIT_EXCEEDED", Message: "Quota exceeded for quota metric 'Queries'", RetryAfter: f.RetryAfter}
	case ThrottleForbidden:
		return &Refusal{Status: http.StatusForbidden, Reason: "rateLimitExceeded", Message: "Rate Limit Exceeded", RetryAfter: f.RetryAfter}
	case Deny:
		return &Refusal{Status: http.StatusForbidden, Canonical: "PERMISSION_DENIED", Reason: "IAM_PERMISSION_DENIED", Message: "Permission denied on resource project " + r.Project + "."}
	case Disabled:
		return &Refusal{Status: http.StatusForbidden, Canonical: "PERMISSION_DENIED", Reason: "SERVICE_DISABLED", Consumer: "projects/" + f.Consumer, Message: api + " API is not enabled"}
	case DisabledOld:
		return &Refusal{Status: http.StatusForbidden, Reason: "accessNotConfigured", Message: api + " API has not been used in project " + f.Consumer + " before or it is disabled. Enable it by visiting https://console.developers.google.com then retry."}
	}
	return nil
}

// spoil changes an answer's body.
func (f *Fault) spoil(w http.ResponseWriter, body []byte) []byte {
	switch f.Kind {
	case HTML:
		w.Header().Set("Content-Type", "text/html")
		return []byte("<!DOCTYPE html><html><body>Please sign in to the network</body></html>")
	case Error200:
		return (&Refusal{Status: http.StatusInternalServerError, Canonical: "INTERNAL", Message: "Internal error"}).body()
	}
	return body
}
