// Package aws reads AWS accounts. Client calls any operation of the services
// that package api describes: smithy-go's protocols make the request of a
// description and a map of values, the SDK finds credentials, signs and says
// what to retry, and the answer's body comes back as bytes. Source puts the
// catalogue's kinds into such calls and their answers into record batches.
package aws

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Options set a client up. The zero value is a client with the SDK's default
// credential chain.
type Options struct {
	// Profile is the shared config profile of the base credentials; empty is
	// AWS_PROFILE or default.
	Profile string
	// Region is used where neither the environment nor the profile names one.
	Region string
	// Limiter is the only rate control; nil is none.
	Limiter extract.Pacer
	// Recorder is given every answer; nil records nothing.
	Recorder extract.Recorder
	// Player answers in the place of AWS; with it neither credentials nor a
	// network are used.
	Player extract.Player
	// MaxAttempts is how often a request is sent at most; default 10.
	MaxAttempts int
	// MaxBackoff bounds the wait between attempts; default 20 s.
	MaxBackoff time.Duration
	// AttemptTimeout bounds one attempt, its body included; default 3 min.
	AttemptTimeout time.Duration
	// MaxResponseBytes bounds an answer's body; default 256 MiB.
	MaxResponseBytes int64
	// UserAgent is sent with every request; default dewpoint.
	UserAgent string
}

// Client calls any operation of any described AWS service. It is safe for
// concurrent use.
type Client struct {
	opts   Options
	base   sdk.Config
	build  *awshttp.BuildableClient
	http   *http.Client
	signer *v4.Signer
	bodies extract.Bodies

	sts, iam, ec2 *api.Service // to find accounts and regions with

	operations sync.Map // *api.Operation -> *operation
	targets    sync.Map // targetKey -> *target
}

// targetKey is what shares a retry quota, a clock and an endpoint.
type targetKey struct {
	account *Account
	region  string
	service *api.Service
	variant string // of the service's endpoint
}

type target struct {
	attempts *retry.Attempt
	skew     *atomic.Int64 // between the service's clock and ours
	endpoint func() (endpoint, error)
}

// Request is one call of an operation.
type Request struct {
	Account *Account
	// Region is where the call is made; global, or empty, is the region where
	// the partition's global services are.
	Region  string
	Service *api.Service
	Op      *api.Operation
	// Input holds members by the description's names. Numbers and booleans
	// may be text.
	Input map[string]any
	// Header is sent besides what the operation says.
	Header http.Header
	// Limit is what the limiter counts the call by; the zero value is the
	// account, region and service.
	Limit extract.LimitKey
	// Redact takes secrets out of a body before it is recorded; nil takes
	// nothing out.
	Redact func([]byte) []byte
}

// Response is a successful answer.
type Response struct {
	// Body is the whole body, valid until Release.
	Body      []byte
	Header    http.Header
	Status    int
	RequestID string
	// Attempts is the number of requests sent, 0 for a played answer.
	Attempts int

	body *extract.Body // whose Body it is, nil for none
}

// Release gives the body back. It may be called once.
func (r *Response) Release() {
	r.body.Release()
	r.body, r.Body = nil, nil
}

// NewClient returns a client. It reads the SDK's environment variables and
// config files, but asks nobody for credentials yet.
func NewClient(ctx context.Context, o Options) (*Client, error) {
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 10
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = 3 * time.Minute
	}
	if o.MaxResponseBytes == 0 {
		o.MaxResponseBytes = 256 << 20
	}
	if o.UserAgent == "" {
		o.UserAgent = "dewpoint"
	}
	c := &Client{opts: o, signer: v4.NewSigner(), sts: stsService(), iam: iamService(), ec2: ec2Service()}
	if o.Player != nil {
		return c, nil
	}
	c.build = newTransport()
	cfg, err := c.loadConfig(ctx, o.Profile)
	if err != nil {
		return nil, err
	}
	c.base = cfg
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		c.build = b // with the CA bundle of the configuration
	}
	c.http = &http.Client{
		Transport: c.build.GetTransport(),
		// A signature is for one host. What a redirect says becomes an error.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close closes idle connections. Calls under way are not affected.
func (c *Client) Close() {
	if c.http != nil {
		c.http.CloseIdleConnections()
	}
}

// Do makes a call. Its errors are *APIError for whatever the service or the
// network did, the context's cause if the caller gave up, and others for what
// could not be sent at all. The caller releases the response.
func (c *Client) Do(ctx context.Context, r Request) (*Response, error) {
	if r.Account == nil || r.Service == nil || r.Op == nil {
		return nil, errors.New("aws: a request needs an account, a service and an operation")
	}
	fail := func(err error) error {
		return fmt.Errorf("in %s/%s: %s %s: %w", r.Account.ID, r.region(), r.Service.Name, r.Op.Name, err)
	}
	op, err := c.operation(r.Service, r.Op)
	if err != nil {
		return nil, err
	}
	req, err := op.request(ctx, r)
	if err != nil {
		return nil, fail(err)
	}
	if c.opts.Player != nil {
		resp, err := c.play(op, r)
		var e *APIError
		if err != nil && !errors.As(err, &e) {
			err = fail(err)
		}
		return resp, err
	}
	resp, err := c.send(ctx, op, r, req)
	if err != nil && ctx.Err() != nil {
		return nil, fail(context.Cause(ctx))
	}
	if rerr := c.record(op, r, resp, err); rerr != nil {
		if resp != nil {
			resp.Release()
		}
		return nil, fail(rerr)
	}
	return resp, err
}

func (c *Client) operation(svc *api.Service, op *api.Operation) (*operation, error) {
	if o, ok := c.operations.Load(op); ok {
		return o.(*operation), nil
	}
	o, err := compile(svc, op)
	if err != nil {
		return nil, err
	}
	have, _ := c.operations.LoadOrStore(op, o)
	return have.(*operation), nil
}

// target returns what the calls to one service in one region share.
func (c *Client) target(a *Account, region string, svc *api.Service, op *api.Operation) *target {
	k := targetKey{account: a, region: region, service: svc, variant: op.Variant}
	if t, ok := c.targets.Load(k); ok {
		return t.(*target)
	}
	skew := new(atomic.Int64)
	t := &target{skew: skew}
	t.attempts = retry.NewAttemptMiddleware(newRetryer(c.opts.MaxAttempts, c.opts.MaxBackoff), smithyhttp.RequestCloner, func(m *retry.Attempt) {
		m.ClientSkew = skew
		m.DisableClockSkewCorrection = c.base.DisableClockSkewCorrection
	})
	t.endpoint = sync.OnceValues(func() (endpoint, error) { return c.endpointOf(a, region, svc, op) })
	have, _ := c.targets.LoadOrStore(k, t)
	return have.(*target)
}

// region is the request's region in errors and on tapes.
func (r *Request) region() string {
	if r.Region == "" {
		return globalRegion
	}
	return r.Region
}

func (r *Request) limit() extract.LimitKey {
	if r.Limit != (extract.LimitKey{}) {
		return r.Limit
	}
	return extract.LimitKey{Cloud: "aws", Account: r.Account.ID, Region: r.region(), Service: r.Service.Name}
}

// canonicalInput is the input as JSON with sorted keys.
func canonicalInput(in map[string]any) (string, error) {
	if len(in) == 0 {
		return "{}", nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(in); err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}
