package aws

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// APIError is a call that failed: AWS refused it, or no usable answer came.
// It holds no credentials, nor parts of any.
type APIError struct {
	Service, Operation string
	Account, Region    string
	// Code is the service's error code; the HTTP status as text where the
	// answer has none; empty where there is no answer.
	Code string
	// OldCode is the code of the query protocol that the service spoke
	// before: AWS.SimpleQueueService.NonExistentQueue.
	OldCode string
	Message string
	// Status is the HTTP status, 0 where there is no answer.
	Status    int
	RequestID string
	Host      string
	// Attempts is the number of requests sent.
	Attempts int
	// Body is the beginning of an answer that could not be understood.
	Body string
	// Err is what failed where there is no answer.
	Err error

	class     errorClass
	retryable bool // by the description's word, or the client's
	throttles bool
	after     time.Duration // how long the answer asks to wait
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
	switch {
	case e.Account != "":
		fmt.Fprintf(&b, "in %s/%s: ", e.Account, e.Region)
	case e.Region != "":
		fmt.Fprintf(&b, "in %s: ", e.Region)
	}
	fmt.Fprintf(&b, "%s %s: ", e.Service, e.Operation)
	switch {
	case e.class == classCredentials:
		b.WriteString(e.Message)
	case e.Status == 0:
		b.WriteString("no answer")
		if e.Host != "" {
			b.WriteString(" from " + e.Host)
		}
		if e.Message != "" {
			b.WriteString(": " + e.Message)
		}
	default:
		said := []string{e.Code, e.Message}
		if _, err := strconv.Atoi(e.Code); err == nil {
			said[0] += " " + http.StatusText(e.Status)
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
	var details []string
	if e.RequestID != "" {
		details = append(details, "request id "+e.RequestID)
	}
	if e.Attempts > 1 {
		details = append(details, strconv.Itoa(e.Attempts)+" attempts")
	}
	if details != nil {
		b.WriteString(" (" + strings.Join(details, ", ") + ")")
	}
	return b.String()
}

// Unwrap returns what failed where there is no answer.
func (e *APIError) Unwrap() error { return e.Err }

// ErrorCode, HTTPStatusCode and ConnectionError answer the SDK's retryer.
func (e *APIError) ErrorCode() string { return e.Code }

// HTTPStatusCode is the status of the answer, 0 if there is none.
func (e *APIError) HTTPStatusCode() int { return e.Status }

// ConnectionError reports that no whole answer came.
func (e *APIError) ConnectionError() bool {
	return e.class == classTransport || e.class == classTimeout
}

// HasCode reports that the service answered with one of the codes, old or new.
func (e *APIError) HasCode(codes ...string) bool {
	return e.Code != "" && slices.Contains(codes, e.Code) || e.OldCode != "" && slices.Contains(codes, e.OldCode)
}

// Denied reports that the caller may not make the call.
func (e *APIError) Denied() bool {
	switch e.Code {
	case "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError",
		"AuthorizationErrorException", "NotAuthorized", "NotAuthorizedException", "UnauthorizedException",
		"Client.UnauthorizedOperation", "AllAccessDisabled", "InsufficientPrivilegesException", "ForbiddenException",
		"401", "403":
		return true
	}
	// A code that no list knows, under a status that can mean nothing else.
	return e.Status == http.StatusForbidden && strings.Contains(e.Message, "is not authorized to perform") && !e.Expired()
}

// Throttled reports that the call was refused because there were too many.
func (e *APIError) Throttled() bool {
	if e.throttles || e.Status == http.StatusTooManyRequests {
		return true
	}
	if _, ok := retry.DefaultThrottleErrorCodes[e.Code]; ok {
		return true
	}
	return strings.HasPrefix(e.Code, "Throttling") || e.Code == "TooManyRequests" || e.Code == "Client.RequestLimitExceeded"
}

// NotFound reports that what was asked for does not exist. codes add to the
// ones that always say so.
func (e *APIError) NotFound(codes ...string) bool {
	if e.HasCode(codes...) {
		return true
	}
	switch e.Code {
	case "ResourceNotFoundException", "ResourceNotFound", "NotFoundException", "NotFound", "NoSuchEntity", "404":
		return true
	}
	return e.Status == http.StatusNotFound
}

// Timeout reports that no whole answer came in time.
func (e *APIError) Timeout() bool {
	if e.class == classTimeout {
		return true
	}
	var n net.Error
	return e.class == classTransport && errors.As(e.Err, &n) && n.Timeout()
}

// Unreachable reports that the service cannot be asked in that region: its
// host has no address or takes no connection, or the region is not enabled
// for the account.
func (e *APIError) Unreachable() bool {
	switch e.class {
	case classTransport, classTimeout:
		var op *net.OpError
		var dns *net.DNSError
		return errors.As(e.Err, &dns) || errors.As(e.Err, &op) && op.Op == "dial"
	case classAnswer:
		return e.RegionDisabled() || e.Code == "AccountSuspended" || e.Code == "PendingVerification"
	}
	return false
}

// NoSuchHost reports that the endpoint's name does not exist: no such service
// in the region, or no working name resolution.
func (e *APIError) NoSuchHost() bool {
	var dns *net.DNSError
	return errors.As(e.Err, &dns) && dns.IsNotFound
}

// RegionDisabled reports that the account has not enabled the region. A
// region that must be opted into knows no credentials of accounts that have
// not.
func (e *APIError) RegionDisabled() bool {
	switch e.Code {
	case "OptInRequired", "RegionDisabledException", "InvalidRegionException":
		return true
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException",
		"InvalidToken", "IllegalLocationConstraintException":
		return optIn(e.Region)
	}
	return false
}

// Credentials reports that the call failed for want of valid credentials,
// which no other call of the account will have either.
func (e *APIError) Credentials() bool {
	if e.class == classCredentials || e.Expired() {
		return true
	}
	switch e.Code {
	case "UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId", "SignatureDoesNotMatch",
		"InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"AuthFailure", "InvalidToken", "RequestTimeTooSkewed":
		return !e.RegionDisabled()
	}
	return false
}

// Expired reports that the credentials are no longer valid.
func (e *APIError) Expired() bool {
	switch e.Code {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired":
		return true
	}
	return false
}

// hint says what to do, where that is known.
func (e *APIError) hint() string {
	switch {
	case e.Code == "RequestExpired":
		return "the credentials have expired, or this machine's clock is wrong: run `aws sso login` or get new ones"
	case e.Expired():
		return "the credentials have expired: run `aws sso login` or get new ones"
	case e.Code == "RequestTimeTooSkewed":
		return "set this machine's clock"
	case e.RegionDisabled():
		return "the region is not enabled for the account"
	}
	return ""
}

// tlsFailure reports a certificate that no further attempt will make valid.
func tlsFailure(err error) bool {
	var v *tls.CertificateVerificationError
	return errors.As(err, &v)
}
