package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// cloudGate stands between dewpoint and an emulator of EC2: it sees every
// call, and decides what becomes of it.
type cloudGate struct {
	*httptest.Server

	mu sync.Mutex
	// decide is asked about each call, by its operation and the first resource
	// that it names.
	decide func(op, id string) fate
	// written are the calls that change something and came through, reached is
	// called once one met its fate.
	written []string
	reached func()
}

// fate is what becomes of a call: it is passed on, unless it is held until the
// caller is gone, before or after it was carried out, or answered by an error.
type fate struct {
	held, heldAfter bool
	code            string
	status          int
	// last says that the test waits for this call.
	last bool
}

func newCloudGate(t *testing.T, upstream string) *cloudGate {
	t.Helper()
	target, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	g := &cloudGate{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		form, _ := url.ParseQuery(string(body))
		op, id := form.Get("Action"), ""
		for _, name := range []string{"VolumeId", "VolumeId.1", "ResourceId.1"} {
			if id == "" {
				id = form.Get(name)
			}
		}
		g.mu.Lock()
		f := fate{}
		if g.decide != nil {
			f = g.decide(op, id)
		}
		done := func() {}
		if f.last {
			done = g.reached
		}
		reads := op == "" || slices.ContainsFunc([]string{"Describe", "Get", "List"}, func(p string) bool { return strings.HasPrefix(op, p) })
		if !f.held && f.code == "" && !reads {
			g.written = append(g.written, op+" "+id)
		}
		g.mu.Unlock()
		switch {
		case f.code != "":
			w.WriteHeader(f.status)
			fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>no</Message></Error></Errors><RequestID>r-1</RequestID></Response>", f.code)
			return
		case f.heldAfter:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		case !f.held:
			proxy.ServeHTTP(w, r)
			return
		}
		done()
		<-r.Context().Done()
	}))
	t.Cleanup(g.Server.Close)
	return g
}

// through sets what becomes of calls and returns what is closed when the one
// that the test waits for met its fate.
func (g *cloudGate) through(decide func(op, id string) fate) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	reached := make(chan struct{})
	g.decide, g.reached = decide, sync.OnceFunc(func() { close(reached) })
	return reached
}

// writes are the calls that changed something, sorted.
func (g *cloudGate) writes() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := slices.Clone(g.written)
	slices.Sort(out)
	return out
}

// ec2 makes a call of its own on the emulator and returns the answer.
func ec2(t *testing.T, upstream, op string, params ...string) string {
	t.Helper()
	form := url.Values{"Action": {op}, "Version": {"2016-11-15"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, upstream, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=key/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=0")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", op, res.Status, err, body)
	}
	return string(body)
}
