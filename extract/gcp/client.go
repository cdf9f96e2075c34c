// Package gcp reads Google Cloud. Client calls any operation of the services
// that package api describes: it makes the request of a description and a map
// of values, Google's library finds credentials, and the answer's body comes
// back as bytes. Source finds the projects, puts the catalogue's kinds into
// such calls and their answers into record batches.
package gcp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"cloud.google.com/go/auth"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Options set a client up. The zero value is a client with the application
// default credentials.
type Options struct {
	Credentials CredentialsConfig
	// Tokens, if not nil, are used in place of Credentials.
	Tokens *auth.Credentials
	// QuotaProject is the project whose quota calls are counted against and
	// whose enabled APIs they need, sent as x-goog-user-project; empty is
	// GOOGLE_CLOUD_QUOTA_PROJECT or the credentials' own. "{project}" is the
	// project that is read.
	QuotaProject string
	// Universe is the domain of the cloud; empty is the credentials' own, for
	// most googleapis.com.
	Universe string
	// Endpoints are URLs by the name of an API (compute), of a service
	// (compute.v1), or * for all the others, that stand in place of the
	// described ones. The service's path is added; {service} in one becomes
	// the service's name.
	Endpoints map[string]string
	// Certificate and CertificateKey are the files of a client certificate.
	// With one, calls go to the endpoints for mutual TLS.
	Certificate, CertificateKey string
	// Limiter is the only rate control; nil is none.
	Limiter extract.Pacer
	// Recorder is given every answer; nil records nothing.
	Recorder extract.Recorder
	// Player answers in the place of Google; with it neither credentials nor
	// a network are used.
	Player extract.Player
	// MaxAttempts is how often a request is sent at most; default 10.
	MaxAttempts int
	// MaxBackoff bounds the wait between attempts; default 30 s.
	MaxBackoff time.Duration
	// AttemptTimeout bounds one attempt, its body included; default 3 min.
	AttemptTimeout time.Duration
	// MaxResponseBytes bounds an answer's body; default 256 MiB.
	MaxResponseBytes int64
	// UserAgent is sent with every request; default dewpoint.
	UserAgent string
}

// Client calls any operation of any described Google service. It is safe for
// concurrent use.
type Client struct {
	opts   Options
	creds  *auth.Credentials // nil with a player
	quota  string
	domain string
	http   *http.Client
	bodies extract.Bodies

	operations sync.Map // *api.Operation -> *operation
	endpoints  sync.Map // *api.Service -> *endpoints
}

// Project is a project to read. Calls that find projects have none.
type Project struct {
	// ID is the project's id: my-project-123.
	ID string
	// Number is how many APIs name it; may be empty.
	Number string
	// Name is what people call it.
	Name string
	// Labels are the project's.
	Labels map[string]string
	// Parent is the folder or the organization that it is in, as
	// folders/123 or organizations/123; may be empty.
	Parent string
}

// Request is one call of an operation.
type Request struct {
	// Project is the one that is read, nil for none.
	Project *Project
	// Region is where; global if empty. It is for limits, tapes and errors:
	// what the call reads its input says.
	Region  string
	Service *api.Service
	Op      *api.Operation
	// Input holds members by the description's names. Numbers and booleans
	// may be text.
	Input map[string]any
	// Header is sent besides what the client sends.
	Header http.Header
	// Limit is what the limiter counts the call by; the zero value is the
	// project and service.
	Limit extract.LimitKey
	// Redact takes secrets out of a body before it is recorded; nil takes
	// nothing out.
	Redact func([]byte) []byte
	// Once says that the call changes something: it is sent again only where
	// it was refused unread.
	Once bool

	// unrecorded calls are no part of a recording: what is made of their
	// answers is.
	unrecorded bool
}

// Response is a successful answer.
type Response struct {
	// Body is the whole body, valid until Release.
	Body   []byte
	Header http.Header
	Status int
	// Attempts is the number of requests sent, 0 for a played answer.
	Attempts int

	body *extract.Body
}

// Release gives the body back. It may be called once.
func (r *Response) Release() {
	r.body.Release()
	r.body, r.Body = nil, nil
}

// globalRegion stands for the region of what has none.
const globalRegion = "global"

// Limits of the transport and of the phases of a request.
const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 90 * time.Second
	idleTimeout   = 90 * time.Second
	idlePerHost   = 64
)

// NewClient returns a client. It reads the credentials' file, but asks nobody
// for a token yet.
func NewClient(ctx context.Context, o Options) (*Client, error) {
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 10
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 30 * time.Second
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
	c := &Client{opts: o}
	if o.Player != nil {
		return c, nil
	}
	if err := checkEndpoints(o.Endpoints); err != nil {
		return nil, err
	}
	transport, err := newTransport(o)
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: transport,
		// A token is for one host. What a redirect says becomes an error.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := c.authenticate(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func newTransport(o Options) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = headerTimeout
	t.IdleConnTimeout = idleTimeout
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = idlePerHost
	if (o.Certificate == "") != (o.CertificateKey == "") {
		return nil, errors.New("gcp: a client certificate and its key are given together or not at all")
	}
	if o.Certificate != "" {
		cert, err := tls.LoadX509KeyPair(o.Certificate, o.CertificateKey)
		if err != nil {
			return nil, fmt.Errorf("gcp: client certificate: %w", err)
		}
		t.TLSClientConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return t, nil
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
	if r.Service == nil || r.Op == nil {
		return nil, errors.New("gcp: a request needs a service and an operation")
	}
	fail := func(err error) error {
		return fmt.Errorf("in %s/%s: %s %s: %w", r.account(), r.region(), r.Service.Name, r.Op.Name, err)
	}
	op, err := c.operation(r.Op)
	if err != nil {
		return nil, fail(err)
	}
	call, err := op.request(r.Input)
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
	resp, err := c.send(ctx, op, r, call)
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

func (c *Client) operation(op *api.Operation) (*operation, error) {
	if o, ok := c.operations.Load(op); ok {
		return o.(*operation), nil
	}
	o, err := compile(op)
	if err != nil {
		return nil, err
	}
	have, _ := c.operations.LoadOrStore(op, o)
	return have.(*operation), nil
}

// nobody stands for the project of calls that have none.
const nobody = "-"

// account is the project in errors, limits and on tapes.
func (r *Request) account() string {
	if r.Project == nil {
		return nobody
	}
	return r.Project.ID
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
	return extract.LimitKey{Cloud: "gcp", Account: r.account(), Service: r.Service.Name}
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
