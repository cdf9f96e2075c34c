package k8s

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"k8s.io/client-go/rest"

	"github.com/dewpoint-data/dewpoint/extract"
)

// Limiter paces requests. *extract.Limiter is one.
type Limiter interface {
	Acquire(context.Context, extract.LimitKey) error
	Release(k extract.LimitKey, throttled bool)
}

// How answers are asked for.
const (
	acceptJSON     = "application/json"
	acceptMetadata = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
)

// client makes requests to one cluster. It is safe for concurrent use.
type client struct {
	name    string // of the cluster, for people
	base    *url.URL
	http    *http.Client
	limiter Limiter
	key     extract.LimitKey
	agent   string
	timeout time.Duration // of one attempt, its body included
	contact time.Duration // of the first
	most    int64         // bytes of an answer
	// guarded requests are waited for no longer than their context lives: a
	// program that gives credentials is run inside of them, without one.
	guarded bool
}

// newClient makes a client of a configuration, whose own limits it lifts: the
// limiter is the only one.
func newClient(name string, cfg *rest.Config, o *Options) (*client, error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("context %s: %w", name, err)
	}
	c, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("context %s: %w", name, err)
	}
	return &client{
		name: name, base: base, http: c, limiter: o.Limiter, key: extract.LimitKey{Cloud: Cloud, Account: name},
		agent: o.UserAgent, timeout: o.AttemptTimeout, contact: o.ConnectTimeout, most: o.MaxResponseBytes,
	}, nil
}

// body is the body of an answer in memory that is used again after release.
type body struct {
	bytes.Buffer
	url *url.URL // that answered, behind redirects
}

// maxPooledBytes is the largest buffer that is kept for another answer.
const maxPooledBytes = 16 << 20

var (
	bodies   = sync.Pool{New: func() any { return new(body) }}
	inflates = sync.Pool{New: func() any { return new(gzip.Reader) }}
)

func newBody() *body { return bodies.Get().(*body) }

func (b *body) release() {
	if b == nil {
		return
	}
	b.url = nil
	if b.Cap() <= maxPooledBytes {
		b.Reset()
		bodies.Put(b)
	}
}

// request is one request: a GET, unless it says another method.
type request struct {
	path   string
	query  url.Values
	accept string
	// method, and a body with its type, of what changes something.
	method, contentType string
	body                []byte
	// once makes no further attempt.
	once bool
	// first is the first request to a server, of which it is not known whether
	// it is there: no answer within the time for connections is no answer.
	first bool
}

// get makes a request, again where that helps. Its errors are *APIError, or
// the context's cause.
func (c *client) get(ctx context.Context, r request) (*body, int, error) {
	for attempt := 1; ; attempt++ {
		b, _, err := c.attempt(ctx, r)
		if err == nil {
			return b, attempt, nil
		}
		var e *APIError
		if ctx.Err() != nil || !errors.As(err, &e) {
			return nil, attempt, err
		}
		if r.once || r.first && e.silent() || attempt > e.retries() {
			return nil, attempt, e
		}
		if err := wait(ctx, max(e.after, backoff(attempt))); err != nil {
			return nil, attempt, err
		}
	}
}

// backoff is how long to wait before the attempt after this one.
func backoff(attempt int) time.Duration {
	d := 200 * time.Millisecond << min(attempt-1, 6)
	return d/2 + rand.N(d/2)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// maxRetryAfter bounds how long a server can make the client wait.
const maxRetryAfter = time.Minute

func retryAfter(h http.Header) time.Duration {
	s, err := strconv.ParseInt(h.Get("Retry-After"), 10, 64)
	if err != nil || s <= 0 {
		return 0
	}
	return min(time.Duration(s)*time.Second, maxRetryAfter)
}

// attempt makes a request once and reads the whole answer.
func (c *client) attempt(ctx context.Context, r request) (_ *body, h http.Header, err error) {
	if c.limiter != nil {
		if err := c.limiter.Acquire(ctx, c.key); err != nil {
			return nil, nil, err
		}
		defer func() {
			var e *APIError
			c.limiter.Release(c.key, errors.As(err, &e) && e.Throttled())
		}()
	}
	timeout := c.timeout
	if r.first {
		timeout = min(c.contact, c.timeout)
	}
	actx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	u := *c.base
	u.Path = strings.TrimSuffix(u.Path, "/") + r.path
	u.RawQuery = r.query.Encode()
	req, err := http.NewRequestWithContext(actx, cmp.Or(r.method, http.MethodGet), u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, nil, err
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	req.Header.Set("Accept", r.accept)
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("User-Agent", c.agent)
	failure := &APIError{Cluster: c.name, Method: req.Method, Path: r.path}
	fail := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return failure.transport(err, actx.Err() != nil, r.first)
	}
	resp, err := c.do(req)
	if err != nil {
		return nil, nil, fail(err)
	}
	defer resp.Body.Close()
	b := newBody()
	if err := b.read(resp, c.most); err != nil {
		b.release()
		if errors.Is(err, errTooLarge) {
			failure.class, failure.Status, failure.Message = classTooLarge, resp.StatusCode, fmt.Sprintf("the answer is larger than %d bytes", c.most)
			return nil, nil, failure
		}
		return nil, nil, fail(fmt.Errorf("read the answer: %w", err))
	}
	if resp.StatusCode != http.StatusOK && (r.method == "" || resp.StatusCode/100 != 2) {
		defer b.release()
		return nil, nil, failure.refusal(resp.StatusCode, resp.Header, b.Bytes())
	}
	b.url = resp.Request.URL
	return b, resp.Header, nil
}

func (c *client) do(req *http.Request) (*http.Response, error) {
	if !c.guarded {
		return c.http.Do(req)
	}
	type answer struct {
		resp *http.Response
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		resp, err := c.http.Do(req)
		done <- answer{resp, err}
	}()
	select {
	case a := <-done:
		return a.resp, a.err
	case <-req.Context().Done():
		go func() {
			if a := <-done; a.resp != nil {
				_ = a.resp.Body.Close()
			}
		}()
		return nil, req.Context().Err()
	}
}

var errTooLarge = errors.New("too large")

// read reads an answer whole.
func (b *body) read(resp *http.Response, most int64) error {
	if resp.Header.Get("Content-Encoding") != "gzip" {
		return b.fill(resp.Body, most)
	}
	z := inflates.Get().(*gzip.Reader)
	defer inflates.Put(z)
	if err := z.Reset(resp.Body); err != nil {
		return err
	}
	return b.fill(z, most)
}

func (b *body) fill(in io.Reader, most int64) error {
	n, err := b.ReadFrom(io.LimitReader(in, most+1))
	if err == nil && n > most {
		err = errTooLarge
	}
	return err
}
