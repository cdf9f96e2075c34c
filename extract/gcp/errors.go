package gcp

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// APIError is a call that failed: Google refused it, or no usable answer
// came. It holds no credentials, nor parts of any.
type APIError struct {
	Service, Operation string
	// Account is the project that was read, "-" for none.
	Account, Region string
	// Code is the reason that the service gives (SERVICE_DISABLED,
	// rateLimitExceeded); its status (PERMISSION_DENIED) where it gives none;
	// the HTTP status as text where the answer has neither; empty where there
	// is no answer.
	Code string
	// Status is the canonical status: PERMISSION_DENIED. Empty from the older
	// services.
	Status  string
	Message string
	// HTTPStatus is the status of the answer, 0 if there is none.
	HTTPStatus int
	// Consumer is the project that the service took for the caller's:
	// projects/123.
	Consumer string
	Host     string
	// Attempts is the number of requests sent.
	Attempts int
	// Body is the beginning of an answer that could not be understood.
	Body string
	// Err is what failed where there is no answer.
	Err error

	class   errorClass
	number  string // of the project that was read
	reasons []string
	after   time.Duration // how long the answer asks to wait
}

// errorClass says what kind of failure there is beside the service's own.
type errorClass uint8

const (
	classAnswer      errorClass = iota // the service refused
	classTransport                     // no answer
	classTimeout                       // no answer in time
	classUnusable                      // an answer, but not the service's
	classTooLarge                      // an answer over the size cap
	classCredentials                   // no credentials to ask with
)

func (e *APIError) Error() string {
	var b strings.Builder
	if e.Account != "" && e.Account != nobody {
		fmt.Fprintf(&b, "in %s/%s: ", e.Account, e.Region)
	}
	fmt.Fprintf(&b, "%s %s: ", e.Service, e.Operation)
	switch {
	case e.class == classCredentials:
		b.WriteString("no credentials: " + e.Message)
	case e.HTTPStatus == 0:
		b.WriteString("no answer")
		if e.Host != "" {
			b.WriteString(" from " + e.Host)
		}
		if e.Message != "" {
			b.WriteString(": " + e.Message)
		}
	default:
		said := []string{e.Code, e.Message}
		if e.Status == "" && len(e.reasons) == 0 && e.class == classAnswer {
			said[0] += " " + http.StatusText(e.HTTPStatus)
		}
		said = slices.DeleteFunc(said, func(s string) bool { return s == "" })
		b.WriteString(strings.Join(said, ": "))
		if e.Body != "" {
			fmt.Fprintf(&b, ": %q", e.Body)
		}
	}
	if hint := e.hint(); hint != "" {
		b.WriteString("; " + hint)
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", e.Attempts)
	}
	return b.String()
}

// Unwrap returns what failed where there is no answer.
func (e *APIError) Unwrap() error { return e.Err }

// HasCode reports that the service answered with one of the codes: a reason
// of either shape, a canonical status, or an HTTP status.
func (e *APIError) HasCode(codes ...string) bool {
	return slices.ContainsFunc(codes, func(c string) bool {
		return c != "" && (c == e.Code || c == e.Status || slices.Contains(e.reasons, c) || e.HTTPStatus != 0 && c == fmt.Sprint(e.HTTPStatus))
	})
}

// Throttled reports that the call was refused because there were too many,
// under 429 or under 403.
func (e *APIError) Throttled() bool {
	return e.HTTPStatus == http.StatusTooManyRequests ||
		e.HasCode("rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "concurrentLimitExceeded") || e.exhausted()
}

// exhausted reports a quota that no wait within a sync fills again.
func (e *APIError) exhausted() bool { return e.HasCode("quotaExceeded", "dailyLimitExceeded") }

// ServiceDisabled reports that the service's API is not enabled, in the
// project that was read or in the one whose quota is used.
func (e *APIError) ServiceDisabled() bool {
	return e.HTTPStatus == http.StatusForbidden && e.HasCode("SERVICE_DISABLED", "accessNotConfigured", "SERVICE_NOT_ACTIVATED")
}

// NotApplicable reports that the service is not enabled in the project that
// was read: there is nothing of it. A service that is not enabled in the
// project whose quota is used says nothing of the one that was read.
func (e *APIError) NotApplicable() bool {
	consumer := strings.TrimPrefix(e.Consumer, "projects/")
	return e.ServiceDisabled() && consumer != "" && (consumer == e.Account || consumer == e.number)
}

// Denied reports that the caller may not make the call.
func (e *APIError) Denied() bool {
	if e.Throttled() || e.ServiceDisabled() || e.consumer() {
		return false
	}
	return e.HTTPStatus == http.StatusForbidden
}

// consumer reports that the caller's project, not the caller, is refused.
func (e *APIError) consumer() bool {
	return e.HasCode("BILLING_DISABLED", "CONSUMER_INVALID", "CONSUMER_SUSPENDED", "USER_PROJECT_DENIED", "PROJECT_INVALID", "API_KEY_INVALID", "billingNotEnabled")
}

// NotFound reports that what was asked for does not exist.
func (e *APIError) NotFound() bool { return e.HTTPStatus == http.StatusNotFound }

// Credentials reports that the call failed for want of valid credentials,
// which no other call will have either.
func (e *APIError) Credentials() bool {
	return e.class == classCredentials || e.HTTPStatus == http.StatusUnauthorized
}

// Timeout reports that no whole answer came in time.
func (e *APIError) Timeout() bool {
	if e.class == classTimeout {
		return true
	}
	var n net.Error
	return e.class == classTransport && errors.As(e.Err, &n) && n.Timeout() || e.HTTPStatus == http.StatusGatewayTimeout
}

// Unreachable reports that the service cannot be asked: its host has no
// address or takes no connection.
func (e *APIError) Unreachable() bool {
	var op *net.OpError
	var dns *net.DNSError
	return e.HTTPStatus == 0 && (errors.As(e.Err, &dns) || errors.As(e.Err, &op) && op.Op == "dial")
}

// again says whether one more attempt may help after n. once is for calls
// that change something: those may have done so though no answer came.
func (e *APIError) again(n int, once bool) bool {
	var op *net.OpError
	dial := errors.As(e.Err, &op) && op.Op == "dial"
	switch e.class {
	case classTooLarge, classCredentials:
		return false
	case classUnusable:
		return n < fewAttempts && !once
	case classTimeout:
		return !once
	case classTransport:
		var v *tls.CertificateVerificationError
		if errors.As(e.Err, &v) {
			return false
		}
		if dial {
			return n < fewAttempts
		}
		return !once
	}
	switch {
	case e.exhausted():
		return false
	case e.Throttled(), e.HTTPStatus == http.StatusServiceUnavailable:
		return true
	case once:
		return false
	}
	switch e.HTTPStatus {
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return e.HasCode("backendError", "internalError")
}

// hint says what to do, where that is known.
func (e *APIError) hint() string {
	consumer := strings.TrimPrefix(e.Consumer, "projects/")
	switch {
	case e.Credentials():
		return "run `gcloud auth application-default login`, or check GOOGLE_APPLICATION_CREDENTIALS"
	case e.NotApplicable():
		return ""
	case e.ServiceDisabled() && consumer != "":
		return fmt.Sprintf("the API is not enabled in %s, the project whose quota is used: enable it there, or set quota_project to another", consumer)
	case e.ServiceDisabled():
		return "the answer does not say which project lacks the API: enable it in the project whose quota is used, or set quota_project to another"
	case e.HasCode("USER_PROJECT_DENIED"):
		return "grant roles/serviceusage.serviceUsageConsumer on the quota project, or set quota_project to another"
	case e.HasCode("BILLING_DISABLED", "billingNotEnabled"):
		return "the project has no billing account"
	case e.perimeter():
		return "a VPC Service Controls perimeter keeps the caller out"
	case e.HasCode("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions") && strings.Contains(e.Message, "scope"):
		return "the credentials lack the scope https://www.googleapis.com/auth/cloud-platform"
	}
	return ""
}

// perimeter reports a refusal by VPC Service Controls.
func (e *APIError) perimeter() bool {
	return e.HasCode("SECURITY_POLICY_VIOLATED", "vpcServiceControls", "VPC_SERVICE_CONTROLS")
}
