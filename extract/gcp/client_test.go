package gcp

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testToken = "ya29.token-token-token"

// static is a token that does not expire.
type static string

func (s static) Token(context.Context) (*auth.Token, error) {
	return &auth.Token{Value: string(s)}, nil
}

func tokens() *auth.Credentials {
	return auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: static(testToken)})
}

// fake answers on the loopback interface and keeps what it was asked.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	seen []*http.Request
	body []string
}

func serve(t *testing.T, h http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen = append(f.seen, r)
		f.body = append(f.body, string(body))
		f.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]*http.Request(nil), f.seen...)
}

func (f *fake) last(t *testing.T) *http.Request {
	t.Helper()
	all := f.requests()
	if len(all) == 0 {
		t.Fatal("no request was sent")
	}
	return all[len(all)-1]
}

func say(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=UTF-8")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// clean keeps the environment of whoever runs the tests out.
func clean(t *testing.T) {
	t.Helper()
	for _, k := range []string{
		quotaVariable, endpointVariable, endpointVariable + "_COMPUTE", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT",
		"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy",
	} {
		t.Setenv(k, "")
	}
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	clean(t)
	if o.Tokens == nil && o.Credentials.File == "" && !o.Credentials.Anonymous {
		o.Tokens = tokens()
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = time.Millisecond
	}
	c, err := NewClient(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func against(t *testing.T, f *fake) *Client {
	t.Helper()
	return client(t, Options{Endpoints: map[string]string{"*": f.URL + "/{service}"}})
}

var testProject = &Project{ID: "shop-prod", Number: "123456"}

func request(t *testing.T, service, op string, input map[string]any) Request {
	t.Helper()
	s, err := gcpapi.Lookup(service)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Operation(op)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Project: testProject, Service: s, Op: o, Input: input}
}

func instances(t *testing.T) Request {
	return request(t, "compute.v1", "instances.aggregatedList", map[string]any{"project": "shop-prod", "maxResults": int64(500)})
}

func TestRequestIsWhatTheDescriptionSays(t *testing.T) {
	f := serve(t, say(200, `{"items":{}}`))
	c := client(t, Options{Endpoints: map[string]string{"compute": f.URL}, QuotaProject: "billing", UserAgent: "dewpoint/v1"})
	resp, err := c.Do(t.Context(), instances(t))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Release()
	r := f.last(t)
	if r.Method != "GET" || r.URL.Path != "/compute/v1/projects/shop-prod/aggregated/instances" {
		t.Errorf("%s %s", r.Method, r.URL)
	}
	if q := r.URL.Query(); q.Get("prettyPrint") != "false" || q.Get("maxResults") != "500" {
		t.Error(r.URL.RawQuery)
	}
	for k, want := range map[string]string{
		"Authorization": "Bearer " + testToken, "X-Goog-User-Project": "billing", "Accept-Encoding": "gzip", "User-Agent": "dewpoint/v1 (gzip)",
	} {
		if got := r.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if string(resp.Body) != `{"items":{}}` || resp.Status != 200 || resp.Attempts != 1 {
		t.Errorf("%+v", resp)
	}
}

func TestCompressedAnswersAreRead(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		fmt.Fprint(z, `{"id":"1"}`)
		z.Close()
	})
	resp, err := against(t, f).Do(t.Context(), instances(t))
	if err != nil || string(resp.Body) != `{"id":"1"}` {
		t.Fatalf("%v, %v", resp, err)
	}
	resp.Release()
}

func TestPathsAreEscapedButForTheirSlashes(t *testing.T) {
	f := serve(t, say(200, `{}`))
	c := against(t, f)
	for _, tc := range []struct {
		service, op string
		in          map[string]any
		want, err   string
	}{
		{
			"cloudkms.v1", "projects.locations.keyRings.list",
			map[string]any{"parent": "projects/a b/locations/x?y#z%"},
			"/cloudkms.v1/v1/projects/a%20b/locations/x%3Fy%23z%25/keyRings", "",
		},
		{
			"storage.v1", "objects.get",
			map[string]any{"bucket": "b", "object": "dir/a+b {x}.txt"},
			"/storage.v1/storage/v1/b/b/o/dir%2Fa%2Bb%20%7Bx%7D.txt", "",
		},
		{
			"compute.v1", "zones.list",
			map[string]any{"project": "example.com:old"},
			"/compute.v1/compute/v1/projects/example.com%3Aold/zones", "",
		},
		{"compute.v1", "zones.list", nil, "", "missing member project, which stands in the path"},
		{"compute.v1", "zones.list", map[string]any{"project": "a", "pages": 1}, "", "the operation takes no pages"},
		{"compute.v1", "zones.list", map[string]any{"project": ".."}, "", "is no part of a path"},
		{"cloudkms.v1", "projects.locations.keyRings.list", map[string]any{"parent": "projects/../x"}, "", "is no path"},
		{"cloudkms.v1", "projects.locations.keyRings.list", map[string]any{"parent": "projects//x"}, "", "is no path"},
		{"compute.v1", "zones.list", map[string]any{"project": []string{"a"}}, "", "cannot stand in a URL"},
	} {
		n := len(f.requests())
		resp, err := c.Do(t.Context(), request(t, tc.service, tc.op, tc.in))
		if tc.err != "" {
			if err == nil || !strings.Contains(err.Error(), tc.err) || len(f.requests()) != n {
				t.Errorf("%v: %v, want %q", tc.in, err, tc.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", tc.in, err)
			continue
		}
		resp.Release()
		if got := f.last(t).URL.EscapedPath(); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}

// A label that no member fills would be sent as it is.
func TestEveryPathCanBeFilled(t *testing.T) {
	for _, name := range gcpapi.Services() {
		s, err := gcpapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range s.Operations {
			o, err := compile(op)
			if err != nil {
				t.Errorf("%s.%s: %v", name, op.Name, err)
				continue
			}
			in := map[string]any{}
			for _, g := range o.path {
				if g.member != "" {
					in[g.member] = "x"
				}
			}
			k, err := o.request(in)
			if err != nil || strings.ContainsAny(k.path, "{}") {
				t.Errorf("%s.%s: %v, %v", name, op.Name, k, err)
			}
		}
	}
	broken := &api.Operation{Name: "x", URI: "v1/{+other}/x", Input: &api.Shape{Type: "structure"}}
	if _, err := compile(broken); err == nil {
		t.Error("a label without a member compiles")
	}
}

func TestBodiesHoldWhatIsNoParameter(t *testing.T) {
	f := serve(t, say(200, `{}`))
	c := against(t, f)
	r := request(t, "compute.v1", "instances.setLabels", map[string]any{
		"project": "p", "zone": "z", "instance": "i", "labels": map[string]any{"a": "b<"}, "labelFingerprint": "f",
	})
	r.Once = true
	resp, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	if got := f.body[0]; got != `{"labelFingerprint":"f","labels":{"a":"b<"}}` || f.last(t).Header.Get("Content-Type") != "application/json" {
		t.Error(got)
	}
	// A POST that lists has a body, empty or not.
	resp, err = c.Do(t.Context(), request(t, "compute.v1", "instanceGroups.listInstances", map[string]any{"project": "p", "zone": "z", "instanceGroup": "g", "maxResults": 1}))
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	if f.body[1] != `{}` || f.last(t).Method != "POST" || f.last(t).URL.Query().Get("maxResults") != "1" {
		t.Errorf("%s %s %s", f.last(t).Method, f.last(t).URL, f.body[1])
	}
	// Repeated parameters, and one with a dot in its name.
	resp, err = c.Do(t.Context(), request(t, "cloudasset.v1", "assets.list", map[string]any{
		"parent": "projects/p", "assetTypes": []any{"a", "b"}, "contentType": "RESOURCE",
	}))
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	if got := f.last(t).URL.Query()["assetTypes"]; len(got) != 2 || got[1] != "b" {
		t.Error(got)
	}
}

func TestUnrecognisedSuccessIsAFailure(t *testing.T) {
	for name, body := range map[string]string{
		"html":       "<html><body>Sign in to the hotel's network</body></html>",
		"empty":      "",
		"list":       `[{"id":1}]`,
		"text":       "OK",
		"number":     "1",
		"error":      `{"error":{"code":500,"message":"backend","errors":[{"reason":"backendError"}]}}`,
		"list error": `[{"error":{"code":503,"status":"UNAVAILABLE"}}]`,
		"odd error":  `{ "error" : [] }`,
	} {
		f := serve(t, say(200, body))
		c := client(t, Options{Endpoints: map[string]string{"*": f.URL}, MaxAttempts: 3})
		_, err := c.Do(t.Context(), instances(t))
		var e *APIError
		if !errors.As(err, &e) || e.Denied() || e.NotApplicable() {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(f.requests()); name == "html" && n != fewAttempts {
			t.Errorf("%s: %d attempts", name, n)
		}
		if name == "html" && !strings.Contains(err.Error(), "hotel") {
			t.Error(err)
		}
	}
	// A long-running operation has an error of its own.
	f := serve(t, say(200, `{"error":{"code":5},"name":"operations/1","done":true}`))
	resp, err := against(t, f).Do(t.Context(), request(t, "cloudfunctions.v2", "projects.locations.operations.get", map[string]any{"name": "projects/p/locations/l/operations/o"}))
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	// What a deletion answers may be nothing.
	f = serve(t, say(204, ""))
	resp, err = against(t, f).Do(t.Context(), request(t, "storage.v1", "buckets.delete", map[string]any{"bucket": "b"}))
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
}

// flaky answers a few times before it succeeds.
func flaky(times int, first http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		times--
		bad := times >= 0
		mu.Unlock()
		if bad {
			first(w, r)
			return
		}
		say(200, `{"items":{}}`)(w, r)
	}
}

func TestWhatIsTriedAgain(t *testing.T) {
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"items":`)
	}
	for _, tc := range []struct {
		name     string
		handler  http.HandlerFunc
		once     bool
		attempts int
		ok       bool
	}{
		{"429", flaky(4, say(429, `{"error":{"code":429}}`)), false, 5, true},
		{"403 that throttles", flaky(4, say(403, `{"error":{"code":403,"errors":[{"reason":"rateLimitExceeded"}]}}`)), false, 5, true},
		{"500", flaky(2, say(500, ``)), false, 3, true},
		{"a page cut off", flaky(2, cut), false, 3, true},
		{"HTML", flaky(2, say(200, `<html>`)), false, 3, true},
		{"never", say(503, ``), false, 10, false},
		{"403", say(403, `{"error":{"code":403,"status":"PERMISSION_DENIED"}}`), false, 1, false},
		{"404", say(404, ``), false, 1, false},
		{"daily quota", say(403, `{"error":{"errors":[{"reason":"dailyLimitExceeded"}]}}`), false, 1, false},
		{"a change, 500", say(500, ``), true, 1, false},
		{"a change, cut", cut, true, 1, false},
		{"a change, 429", flaky(1, say(429, ``)), true, 2, true},
		{"a change, 503", flaky(1, say(503, ``)), true, 2, true},
	} {
		f := serve(t, tc.handler)
		r := instances(t)
		r.Once = tc.once
		resp, err := against(t, f).Do(t.Context(), r)
		if (err == nil) != tc.ok || len(f.requests()) != tc.attempts {
			t.Errorf("%s: %d attempts, %v", tc.name, len(f.requests()), err)
		}
		if err == nil {
			if resp.Attempts != tc.attempts {
				t.Errorf("%s: %d attempts said", tc.name, resp.Attempts)
			}
			resp.Release()
		}
	}
}

// limits notes what the limiter is told.
type limits struct {
	mu        sync.Mutex
	throttled []bool
	held      []time.Duration
	keys      map[extract.LimitKey]bool
}

func (l *limits) Acquire(_ context.Context, k extract.LimitKey) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keys[k] = true
	return nil
}

func (l *limits) Release(_ extract.LimitKey, throttled bool) {
	l.throttled = append(l.throttled, throttled)
}

func (l *limits) Hold(_ extract.LimitKey, d time.Duration) { l.held = append(l.held, d) }

func TestThrottlesFeedTheLimiter(t *testing.T) {
	for name, first := range map[string]http.HandlerFunc{
		"Retry-After": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			say(429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}`)(w, r)
		},
		"RetryInfo": say(403, `{"error":{"code":403,"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1s"},
			{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED"}]}}`),
	} {
		l := &limits{keys: map[extract.LimitKey]bool{}}
		f := serve(t, flaky(1, first))
		c := client(t, Options{Endpoints: map[string]string{"*": f.URL}, Limiter: l})
		begun := time.Now()
		resp, err := c.Do(t.Context(), instances(t))
		if err != nil {
			t.Fatal(err)
		}
		resp.Release()
		if len(l.throttled) != 2 || !l.throttled[0] || l.throttled[1] || len(l.held) != 1 || l.held[0] != time.Second {
			t.Errorf("%s: throttled %v, held %v", name, l.throttled, l.held)
		}
		if d := time.Since(begun); d < time.Second {
			t.Errorf("%s: waited %s", name, d)
		}
		if !l.keys[extract.LimitKey{Cloud: "gcp", Account: "shop-prod", Service: "compute.v1"}] || len(l.keys) != 1 {
			t.Error(l.keys)
		}
	}
}

func TestAnswersAreCappedAndTimed(t *testing.T) {
	f := serve(t, say(200, `{"items":{}}`+strings.Repeat(" ", 100)))
	c := client(t, Options{Endpoints: map[string]string{"*": f.URL}, MaxResponseBytes: 50})
	if _, err := c.Do(t.Context(), instances(t)); err == nil || !strings.Contains(err.Error(), "larger than 50 bytes") || len(f.requests()) != 1 {
		t.Error(err)
	}
	f = serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c = client(t, Options{Endpoints: map[string]string{"*": f.URL}, AttemptTimeout: 20 * time.Millisecond, MaxAttempts: 2})
	_, err := c.Do(t.Context(), instances(t))
	var e *APIError
	if !errors.As(err, &e) || !e.Timeout() || e.Attempts != 2 {
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	c = client(t, Options{Endpoints: map[string]string{"*": f.URL}})
	if _, err := c.Do(ctx, instances(t)); !errors.Is(err, cause) {
		t.Error(err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	other := serve(t, say(200, `{"items":{}}`))
	f := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) })
	if _, err := against(t, f).Do(t.Context(), instances(t)); err == nil {
		t.Error("a redirect was followed")
	}
	if len(other.requests()) != 0 {
		t.Error("the token went to another host")
	}
}

func TestUnreachableHosts(t *testing.T) {
	f := serve(t, say(200, ``))
	u := f.URL
	f.Close()
	_, err := client(t, Options{Endpoints: map[string]string{"*": u}}).Do(t.Context(), instances(t))
	var e *APIError
	if !errors.As(err, &e) || !e.Unreachable() || e.Attempts != fewAttempts {
		t.Error(err)
	}
	host, _ := url.Parse(u)
	if !strings.Contains(err.Error(), "no answer from "+host.Host) || strings.Contains(err.Error(), "maxResults") {
		t.Error(err)
	}
}
