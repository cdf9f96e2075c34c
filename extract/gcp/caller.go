package gcp

import (
	"context"
	"errors"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// caller makes the calls of a project.
type caller struct {
	c      *Client
	p      *Project
	region string
	parts  *parts // of the project
	assets *inventory
}

// Do implements reading.Caller. An aggregated list that fails is made of those
// of its parts.
func (c *caller) Do(ctx context.Context, call reading.Call) (*reading.Answer, error) {
	if c.c.opts.Player == nil && c.assets.answers(call) {
		return c.assets.list(ctx, c, call)
	}
	token, _ := call.Input["pageToken"].(string)
	token, made := strings.CutPrefix(token, partToken)
	if made && c.c.opts.Player == nil {
		if a := aggregationOf(call.Service, call.Op); a != nil {
			return c.aggregate(ctx, a, call, token)
		}
	}
	resp, err := c.c.Do(ctx, Request{
		Project: c.p, Region: c.region, Service: call.Service, Op: call.Op, Input: call.Input, Header: call.Header,
		Limit: call.Limit, Redact: call.Redact,
	})
	var e *APIError
	if err != nil && ctx.Err() == nil && c.c.opts.Player == nil && errors.As(err, &e) && e.apart() {
		if a := aggregationOf(call.Service, call.Op); a != nil {
			if whole, aerr := c.aggregate(ctx, a, call, ""); aerr == nil {
				return whole, nil
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return &reading.Answer{Body: resp.Body, Header: resp.Header, Attempts: resp.Attempts, Free: resp.Release}, nil
}

var _ reading.Failure = (*APIError)(nil)

// Fault implements reading.Failure. Google's answers have no id of a request.
func (e *APIError) Fault() (code, requestID string) { return e.Code, "" }

// State implements reading.Failure. What is not found of a project that was
// listed is not empty: it cannot be reached.
func (e *APIError) State() schema.State {
	switch {
	case e.NotApplicable():
		return schema.NotApplicable
	case e.Throttled():
		return schema.Throttled
	case e.Denied():
		return schema.Denied
	case e.Timeout():
		return schema.TimedOut
	case e.Unreachable(), e.NotFound():
		return schema.Unreachable
	}
	return schema.Failed
}

// RefusesOne implements reading.Failure.
func (e *APIError) RefusesOne() bool {
	return e.HTTPStatus >= 400 && e.HTTPStatus < 500 && !e.Denied() && !e.Throttled() && !e.Credentials() && !e.ServiceDisabled()
}
