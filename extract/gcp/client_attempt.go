package gcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
)

const (
	// fewAttempts is enough for failures that seldom pass by themselves: hosts
	// that take no connection, proxies that answer in the service's place.
	fewAttempts = 3
	// firstBackoff is the wait that the first retry is drawn from.
	firstBackoff = 500 * time.Millisecond
)

// send makes the request, again where that helps, until it has a whole
// answer.
func (c *Client) send(ctx context.Context, op *operation, r Request, k *call) (*Response, error) {
	ep, err := c.endpoint(r.Service, k.location)
	if err != nil {
		return nil, c.errorFor(r, ep).wrap(classTransport, err)
	}
	for n := 1; ; n++ {
		resp, err := c.attempt(ctx, op, r, k, ep)
		if err == nil {
			resp.Attempts = n
			return resp, nil
		}
		err.Attempts = n
		if ctx.Err() != nil || n >= c.opts.MaxAttempts || !err.again(n, r.Once) {
			return nil, err
		}
		wait := min(firstBackoff<<min(n-1, 10), c.opts.MaxBackoff)
		wait = max(rand.N(wait), err.after)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func (c *Client) errorFor(r Request, ep endpoint) *APIError {
	e := &APIError{Service: r.Service.Name, Operation: r.Op.Name, Account: r.account(), Region: r.region(), Host: ep.host}
	if r.Project != nil {
		e.number = r.Project.Number
	}
	return e
}

// wrap makes an error of a failure without an answer.
func (e *APIError) wrap(class errorClass, err error) *APIError {
	// A url.Error repeats method and URL, which may hold values of the input.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	e.class, e.Err, e.Message = class, err, err.Error()
	return e
}

// attempt sends the request once and reads the whole answer.
func (c *Client) attempt(ctx context.Context, op *operation, r Request, k *call, ep endpoint) (resp *Response, failure *APIError) {
	fail := func(class errorClass, err error) *APIError { return c.errorFor(r, ep).wrap(class, err) }
	actx, cancel := context.WithTimeout(ctx, c.opts.AttemptTimeout)
	defer cancel()
	req, err := c.build(actx, r, k, ep)
	if err != nil {
		return nil, fail(classTransport, err)
	}
	token := ""
	if ep.trusted {
		if token, err = c.authorize(ctx, req); err != nil {
			return nil, fail(classCredentials, err)
		}
	}
	if l := c.opts.Limiter; l != nil {
		if err := l.Acquire(ctx, r.limit()); err != nil {
			return nil, fail(classTransport, err)
		}
		defer func() {
			if failure != nil && failure.after > 0 {
				l.Hold(r.limit(), failure.after)
			}
			l.Release(r.limit(), failure != nil && failure.Throttled())
		}()
	}

	late := func(err error) *APIError {
		if actx.Err() != nil && ctx.Err() == nil {
			return fail(classTimeout, fmt.Errorf("not within %s", c.opts.AttemptTimeout))
		}
		return fail(classTransport, err)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, late(err)
	}
	defer answer.Body.Close()
	body, err := c.bodies.Read(answer.Body, c.opts.MaxResponseBytes)
	var large *extract.TooLargeError
	switch {
	case errors.As(err, &large):
		return nil, fail(classTooLarge, err)
	case err != nil:
		return nil, late(fmt.Errorf("read the answer: %w", err))
	}
	if e := op.judge(c.errorFor(r, ep), answer.StatusCode, answer.Header, body.Bytes()); e != nil {
		e.after = max(e.after, extract.RetryAfter(answer.Header, time.Now()))
		e.conceal(token)
		body.Release()
		return nil, e
	}
	return &Response{Body: body.Bytes(), Header: answer.Header, Status: answer.StatusCode, body: body}, nil
}

// build makes the request, all but its token.
func (c *Client) build(ctx context.Context, r Request, k *call, ep endpoint) (*http.Request, error) {
	var body io.Reader
	if k.body != nil {
		body = bytes.NewReader(k.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.Op.Method, ep.base+k.path+"?"+k.query, body)
	if err != nil {
		return nil, err
	}
	// Google compresses for agents that say so twice: the transport sends
	// Accept-Encoding, https://cloud.google.com/compute/docs/api/how-tos/performance.
	req.Header.Set("User-Agent", c.opts.UserAgent+" (gzip)")
	req.Header.Set("Accept", "application/json")
	if k.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if q := c.quotaProject(r.Project); q != "" {
		req.Header.Set("X-Goog-User-Project", q)
	}
	for name, vs := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = vs
	}
	return req, nil
}

// quotaProject is the project whose quota a call is counted against, empty if
// none is known.
func (c *Client) quotaProject(p *Project) string {
	if c.quota != "{project}" {
		return c.quota
	}
	if p == nil {
		return ""
	}
	return p.ID
}
