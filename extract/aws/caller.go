package aws

import (
	"context"
	"errors"
	"net"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// caller makes the calls of an account in a region.
type caller struct {
	c      *Client
	a      *Account
	region string
}

// Do implements reading.Caller.
func (c caller) Do(ctx context.Context, call reading.Call) (*reading.Answer, error) {
	resp, err := c.c.Do(ctx, Request{
		Account: c.a, Region: c.region, Service: call.Service, Op: call.Op, Input: call.Input, Header: call.Header,
		Limit: call.Limit, Redact: call.Redact,
	})
	if err != nil {
		return nil, err
	}
	return &reading.Answer{Body: resp.Body, Header: resp.Header, Attempts: resp.Attempts, Free: resp.Release}, nil
}

// absent says whether a service whose name does not resolve is not in the
// region: the vendor does not list it there, and other names do resolve.
func absent(region string) func(context.Context, *api.Service, error) bool {
	return func(ctx context.Context, svc *api.Service, err error) bool {
		var e *APIError
		if !errors.As(err, &e) || !e.NoSuchHost() || awsapi.PresenceOf(svc, region) != awsapi.Absent {
			return false
		}
		p := awsapi.PartitionOf(region)
		if p == nil {
			return false
		}
		addrs, err := net.DefaultResolver.LookupHost(ctx, "ec2."+region+"."+p.Suffix)
		return err == nil && len(addrs) > 0
	}
}

var _ reading.Failure = (*APIError)(nil)

// Fault implements reading.Failure.
func (e *APIError) Fault() (code, requestID string) { return e.Code, e.RequestID }

// State implements reading.Failure.
func (e *APIError) State() schema.State {
	switch {
	case e.RegionDisabled():
		return schema.NotApplicable
	case e.Throttled():
		return schema.Throttled
	case e.Denied():
		return schema.Denied
	case e.NoSuchHost():
		return schema.Unreachable
	case e.Timeout():
		return schema.TimedOut
	case e.Unreachable():
		return schema.Unreachable
	}
	return schema.Failed
}

// RefusesOne implements reading.Failure.
func (e *APIError) RefusesOne() bool {
	return e.Status >= 400 && e.Status < 500 && !e.Denied() && !e.Throttled() && !e.Credentials()
}
