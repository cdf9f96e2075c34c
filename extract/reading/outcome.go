package reading

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// outcome says how the reading of a list ended.
func (t *task) outcome(ctx context.Context, l *catalog.ListCall, err error) schema.ScopeResult {
	r := schema.ScopeResult{State: schema.Complete}
	var e Failure
	var missing *extract.MissingError
	var page *normalize.PageError
	switch {
	case err == nil:
		return r
	case errors.Is(context.Cause(ctx), errScopeTimeout):
		r.State = schema.TimedOut
		err = errScopeTimeout
	case ctx.Err() != nil:
		r.State = schema.Skipped
		err = fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case errors.As(err, &missing):
		r.State, r.Code = schema.Skipped, "NotRecorded"
	case errors.As(err, &page):
		r.State, r.Code = schema.Failed, "UnrecognizedAnswer"
	case errors.As(err, &e):
		r.Code, r.RequestID = e.Fault()
		r.State = t.state(ctx, l, e)
		if r.State == schema.Complete {
			return r
		}
	default:
		r.State = schema.Failed
	}
	r.Error = err.Error()
	return r
}

// state is what a failure means for the scopes of a list call.
func (t *task) state(ctx context.Context, l *catalog.ListCall, e Failure) schema.State {
	switch {
	case e.HasCode(l.AbsentOn...), e.HasCode(l.GoneOn...):
		return schema.Complete
	case e.HasCode(l.NotApplicable...):
		return schema.NotApplicable
	}
	s := e.State()
	switch {
	case s == schema.Complete || s == "":
		return schema.Failed
	case s == schema.Unreachable && t.at.Absent != nil && t.at.Absent(ctx, t.s.calls[callKey{l.Service, l.Op}].service, e):
		return schema.NotApplicable
	}
	return s
}

// Everything is the outcome of all scopes of an account that cannot be read.
func Everything(cloud, account string, err error) schema.ScopeResult {
	r := schema.ScopeResult{
		Scope: schema.Scope{Cloud: cloud, Account: account, Region: "*", Kind: "*"},
		State: schema.Failed, Error: err.Error(),
	}
	var e Failure
	if errors.As(err, &e) {
		r.Code, r.RequestID = e.Fault()
		if e.State() == schema.Denied {
			r.State = schema.Denied
		}
	}
	return r
}

// partFailure is the failure of one item inside an answer for many.
type partFailure struct{ call, code, key string }

func (e *partFailure) Error() string { return e.call + ": " + e.code + ": " + e.key }

// HasCode implements Failure.
func (e *partFailure) HasCode(codes ...string) bool {
	return e.code != "" && slices.Contains(codes, e.code)
}

// Fault implements Failure.
func (e *partFailure) Fault() (code, requestID string) { return e.code, "" }

// State implements Failure.
func (e *partFailure) State() schema.State { return schema.Failed }

// RefusesOne implements Failure.
func (e *partFailure) RefusesOne() bool { return false }
