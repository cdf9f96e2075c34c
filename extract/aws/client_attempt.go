package aws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	sdkmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract"
)

// call is a request on its way through its attempts.
type call struct {
	c        *Client
	op       *operation
	r        Request
	target   *target
	endpoint endpoint
	skew     time.Duration // to sign the next attempt with
	body     []byte        // of the request
	hash     string        // of that
	attempts int
	response *Response
	// credentials are the last attempt's, to be masked in what it brought.
	credentials sdk.Credentials
}

// skewTolerance is what a clock may be off before that explains a refusal.
const skewTolerance = 4 * time.Minute

var errDiscovery = errors.New("the service wants its endpoint to be asked for first, which dewpoint does not do")

// send makes the request, again where that helps, until it has a whole
// answer.
func (c *Client) send(ctx context.Context, op *operation, r Request, req *smithyhttp.Request) (*Response, error) {
	t := c.target(r.Account, r.region(), r.Service, r.Op)
	ep, err := t.endpoint()
	if err != nil {
		return nil, c.errorFor(op, r, endpoint{}).wrap(classTransport, err)
	}
	if r.Op.Discovery && !ep.configured {
		return nil, c.errorFor(op, r, ep).wrap(classTransport, errDiscovery)
	}
	if err := ep.apply(op, r.Input, req); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.opts.UserAgent)
	req.Header.Set("Amz-Sdk-Invocation-Id", uuid.NewString())
	k := &call{c: c, op: op, r: r, target: t, endpoint: ep, skew: time.Duration(t.skew.Load())}
	if req, err = k.detach(req); err != nil {
		return nil, err
	}
	_, _, err = t.attempts.HandleFinalize(ctx, middleware.FinalizeInput{Request: req}, middleware.FinalizeHandlerFunc(k.attempt))
	if err == nil {
		k.response.Attempts = k.attempts
		return k.response, nil
	}
	var e *APIError
	if errors.As(err, &e) {
		e.Attempts = k.attempts
		return nil, e
	}
	return nil, c.errorFor(op, r, ep).wrap(classTransport, err)
}

func (c *Client) errorFor(op *operation, r Request, ep endpoint) *APIError {
	e := &APIError{Service: op.svc.Name, Operation: op.op.Name, Account: r.Account.ID, Region: r.region()}
	if ep.url != nil {
		e.Host = ep.url.Host
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
func (k *call) attempt(ctx context.Context, in middleware.FinalizeInput) (out middleware.FinalizeOutput, md middleware.Metadata, err error) {
	fail := func(class errorClass, err error) error {
		if ctx.Err() != nil {
			return &sdk.RequestCanceledError{Err: ctx.Err()}
		}
		e := k.c.errorFor(k.op, k.r, k.endpoint).wrap(class, err)
		e.Attempts = k.attempts
		return e
	}
	if k.op.signed() {
		if k.credentials, err = k.r.Account.credentials(ctx); err != nil {
			return out, md, credentialsError(k.c.errorFor(k.op, k.r, k.endpoint), ctx, err)
		}
	}

	if l := k.c.opts.Limiter; l != nil {
		if err := l.Acquire(ctx, k.r.limit()); err != nil {
			return out, md, fail(classTransport, err)
		}
		defer func() {
			var e *APIError
			refused := errors.As(err, &e)
			if refused && e.after > 0 {
				l.Hold(k.r.limit(), e.after)
			}
			l.Release(k.r.limit(), refused && e.Throttled())
		}()
	}
	k.attempts++
	actx, cancel := context.WithTimeout(ctx, k.c.opts.AttemptTimeout)
	defer cancel()
	req := in.Request.(*smithyhttp.Request)
	hreq := k.build(actx, req)
	if k.op.signed() {
		if err := k.sign(actx, hreq, time.Now().Add(k.skew)); err != nil {
			return out, md, fail(classCredentials, err)
		}
	}

	signed := k.skew
	resp, md, err := k.roundTrip(actx, hreq)
	k.skew, _ = sdkmiddleware.GetAttemptSkew(md)
	if k.c.base.DisableClockSkewCorrection {
		k.skew = 0
	}
	if err != nil {
		return out, md, fail(timeoutClass(actx, ctx), k.deadline(actx, ctx, err))
	}
	defer resp.Body.Close()
	read, err := k.c.bodies.Read(resp.Body, k.c.opts.MaxResponseBytes)
	var large *extract.TooLargeError
	switch {
	case errors.As(err, &large):
		return out, md, fail(classTooLarge, err)
	case err != nil:
		return out, md, fail(timeoutClass(actx, ctx), k.deadline(actx, ctx, fmt.Errorf("read the answer: %w", err)))
	}
	defer func() {
		if k.response == nil || k.response.body != read {
			read.Release()
		}
	}()
	body := read.Bytes()
	if err := k.op.judge(k.c.errorFor(k.op, k.r, k.endpoint), resp.StatusCode, resp.Header, body); err != nil {
		err.Message = conceal(err.Message, k.credentials)
		if err.Body != "" {
			err.Body = extract.Excerpt([]byte(conceal(string(body[:min(len(body), 1<<16)]), k.credentials)))
		}
		err.Attempts = k.attempts
		err.after = retryAfter(resp.Header, time.Now())
		// EC2's word for a wrong date, which the SDK takes for old credentials.
		err.retryable = err.retryable || err.Code == "RequestExpired" && (k.skew-signed).Abs() > skewTolerance
		return out, md, err
	}
	if k.op.svc.Protocol == "smithy-rpc-v2-cbor" {
		if body, err = cborToJSON(body); err != nil {
			e := k.c.errorFor(k.op, k.r, k.endpoint)
			e.class, e.Status, e.Message, e.Attempts = classUnusable, resp.StatusCode, "the answer is not CBOR: "+err.Error(), k.attempts
			return out, md, e
		}
		k.response = &Response{Body: body, Header: resp.Header, Status: resp.StatusCode, RequestID: requestID(resp.Header, nil)}
		return out, md, nil
	}
	k.response = &Response{Body: body, Header: resp.Header, Status: resp.StatusCode, RequestID: requestID(resp.Header, nil), body: read}
	return out, md, nil
}

// detach takes the body out of the request, so that every attempt reads its
// own: the transport may still be reading one that has failed.
func (k *call) detach(req *smithyhttp.Request) (*smithyhttp.Request, error) {
	if s := req.GetStream(); s != nil {
		var err error
		if k.body, err = io.ReadAll(s); err != nil {
			return nil, err
		}
	}
	sum := sha256.Sum256(k.body)
	k.hash = hex.EncodeToString(sum[:])
	return req.SetStream(http.NoBody)
}

func (k *call) build(ctx context.Context, req *smithyhttp.Request) *http.Request {
	hreq := req.Build(ctx)
	hreq.ContentLength = int64(len(k.body))
	if len(k.body) > 0 {
		hreq.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(k.body)), nil }
		hreq.Body, _ = hreq.GetBody()
	}
	return hreq
}

// judge returns the error that an answer is, or nil.
func (o *operation) judge(e *APIError, status int, h http.Header, body []byte) *APIError {
	if status < 200 || status > 299 {
		o.refusal(e, status, h, body)
		return e
	}
	fault := o.unusable(h, body)
	if fault == "" {
		return nil
	}
	if code, message := o.errorCode(status, h, body); code != "" {
		o.refusal(e, status, h, body)
		e.Code, e.Message = code, message
		e.retryable = e.retryable || code == "InternalError" || code == "ServiceUnavailable"
		return e
	}
	e.class, e.Status, e.Message, e.Body = classUnusable, status, fault, extract.Excerpt(body)
	e.RequestID = requestID(h, nil)
	return e
}

// roundTrip sends the request and measures the service's clock.
func (k *call) roundTrip(ctx context.Context, hreq *http.Request) (*http.Response, middleware.Metadata, error) {
	timing := sdkmiddleware.RecordResponseTiming{DisableClockSkewCorrection: k.c.base.DisableClockSkewCorrection}
	var resp *http.Response
	_, md, err := timing.HandleDeserialize(ctx, middleware.DeserializeInput{}, middleware.DeserializeHandlerFunc(
		func(context.Context, middleware.DeserializeInput) (out middleware.DeserializeOutput, md middleware.Metadata, err error) {
			if resp, err = k.c.http.Do(hreq); err == nil {
				out.RawResponse = &smithyhttp.Response{Response: resp}
			}
			return out, md, err
		}))
	return resp, md, err
}

// timeoutClass tells the attempt's own deadline from other failures.
func timeoutClass(attempt, caller context.Context) errorClass {
	if attempt.Err() != nil && caller.Err() == nil {
		return classTimeout
	}
	return classTransport
}

func (k *call) deadline(attempt, caller context.Context, err error) error {
	if timeoutClass(attempt, caller) == classTimeout {
		return fmt.Errorf("not within %s", k.c.opts.AttemptTimeout)
	}
	return err
}

// credentialsError says that there is nobody to make the call as.
func credentialsError(e *APIError, ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return &sdk.RequestCanceledError{Err: ctx.Err()}
	}
	e.wrap(classCredentials, err)
	e.Code, e.Message = credentialsFailure(err)
	return e
}
