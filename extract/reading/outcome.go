package reading

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// everywhere is the region of a scope that stands for all locations.
const everywhere = "*"

// locations are the outcomes of a located kind: one for each location that the
// answers or the place name. Where all of the list failed, that stands for all
// locations, too.
func (t *task) locations(ctx context.Context, l *catalog.ListCall, e *catalog.Entry, n *count, whole schema.ScopeResult) []schema.ScopeResult {
	names := map[string]bool{}
	var unknown error
	for location := range n.located[e] {
		names[location] = true
	}
	if whole.State == schema.Complete {
		for location := range n.lacks.seen {
			names[location] = true
		}
		for location := range n.lacks.missing {
			names[location] = true
		}
		if t.at.Locations != nil && !l.Parts {
			known, err := t.at.Locations(ctx, t.s.calls[callKey{l.Service, l.Op}].service)
			for _, location := range known {
				names[location] = true
			}
			unknown = err
		}
	}
	var out []schema.ScopeResult
	for _, location := range slices.Sorted(maps.Keys(names)) {
		r := whole
		if k, ok := n.lacks.of(location); ok && whole.State == schema.Complete {
			r = lacking(whole, k)
		}
		r.Scope = t.scope(e, "")
		r.Scope.Region, r.Rows = location, n.located[e][location]
		whole.Calls = 0 // counted once
		out = append(out, r)
	}
	if whole.State != schema.Complete || n.lacks.all != nil || unknown != nil || len(out) == 0 {
		r := whole
		switch {
		case whole.State != schema.Complete:
		case n.lacks.all != nil:
			r = lacking(whole, *n.lacks.all)
		case unknown != nil:
			calls := r.Calls
			r = t.outcome(ctx, l, fmt.Errorf("the locations of %s are not known: %w", l.Service, unknown))
			r.Calls, r.Duration = calls, whole.Duration
		}
		r.Scope = t.scope(e, "")
		r.Scope.Region = everywhere
		out = append(out, r)
	}
	return out
}

// lacking is the outcome of a scope of which the answers say that they are not
// whole.
func lacking(r schema.ScopeResult, k lack) schema.ScopeResult {
	r.State, r.Code, r.Error = schema.Unreachable, k.code, k.text
	return r
}

// Everything is the outcome of all scopes of an account that cannot be read.
func Everything(cloud, account string, err error) schema.ScopeResult {
	r := schema.ScopeResult{
		Scope: schema.Scope{Cloud: cloud, Account: account, Region: everywhere, Kind: "*"},
		State: schema.Failed, Error: err.Error(),
	}
	var e Failure
	if errors.As(err, &e) {
		r.Code, r.RequestID = e.Fault()
		if s := e.State(); s == schema.Denied || s == schema.Unreachable {
			r.State = s
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
