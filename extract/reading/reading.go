// Package reading reads a cloud by its catalogue: the pages of list calls,
// the details of their items, the lists made for each of them, and what came
// of it, scope by scope. It makes no call itself: a Caller of the cloud does.
package reading

import (
	"context"
	"net/http"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Caller makes calls in one place. It is safe for concurrent use.
type Caller interface {
	// Do makes a call, with all retries. An error that is the cloud's, or the
	// network's, is a Failure, or wraps one. The caller of Do releases the
	// answer.
	Do(ctx context.Context, c Call) (*Answer, error)
}

// Call is one call of an operation.
type Call struct {
	Service *api.Service
	Op      *api.Operation
	// Input holds members by the description's names. It may be kept until Do
	// returns, and must not be changed.
	Input map[string]any
	// Header is sent besides what the operation says.
	Header http.Header
	// Limit is what the call is counted by where it is not the zero value.
	Limit extract.LimitKey
	// Redact takes secrets out of a body before it is recorded.
	Redact func([]byte) []byte
}

// Answer is a successful answer.
type Answer struct {
	// Body is the whole body, valid until Release.
	Body   []byte
	Header http.Header
	// Attempts is the number of requests sent, 0 for a played answer.
	Attempts int
	// Free, if any, gives the body back.
	Free func()
}

// Release gives the body back. It may be called once.
func (a *Answer) Release() {
	if a.Free != nil {
		a.Free()
	}
	a.Body = nil
}

// Failure is an error of a call.
type Failure interface {
	error
	// HasCode reports that the cloud refused with one of the codes.
	HasCode(codes ...string) bool
	// Fault is the cloud's own code, empty where there is no answer, and the
	// id by which its support finds the request.
	Fault() (code, requestID string)
	// State is what the failure means for the scope that was read. Complete
	// is none.
	State() schema.State
	// RefusesOne says that a call for many may have been refused for one of
	// them: asked for fewer it may succeed.
	RefusesOne() bool
}

// Place is where calls are made: an account, in one of its regions or in all
// of them.
type Place struct {
	Cloud, Account string
	// Region is that of the scopes; global for calls that are no region's.
	Region string
	// Partition is the value of {partition}; CallRegion that of {region},
	// where it is not Region.
	Partition, CallRegion string
	Caller                Caller
	// Locations are those that a service is in, for calls that answer for many
	// without naming each: a location of which an answer says nothing is
	// complete with it, and without rows. It may be nil where there are none.
	Locations func(ctx context.Context, svc *api.Service) ([]string, error)
	// Absent, if any, says whether a service that is Unreachable by err is
	// known not to be in the place.
	Absent func(ctx context.Context, svc *api.Service, err error) bool
}
