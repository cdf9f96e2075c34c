package objectstest

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
)

// Faults is a proxy before a server that breaks requests on purpose.
type Faults struct {
	Endpoint string
	// Requests counts those that came, Broken those that were broken.
	Requests, Broken atomic.Int64

	fault atomic.Pointer[func(n int64, r *http.Request) Fault]
}

// Fault is what happens to a request.
type Fault int

// The faults.
const (
	None     Fault = iota
	SlowDown       // 503 instead of an answer; the server does not see the request
	Reset          // the connection is reset; the server does not see the request
	Lost           // the server does what is asked, but its answer never comes
	Cut            // the answer ends in the middle
	Hang           // nothing comes until the client gives up
	Moved          // 301, as from a bucket in another region
	Corrupt        // the server gets a body with another byte in it
)

// StartFaults starts a proxy before the endpoint until the test ends.
func StartFaults(t testing.TB, endpoint string) *Faults {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	f := &Faults{}
	ended := make(chan struct{})
	f.Set(func(int64, *http.Request) Fault { return None })
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { reset(w) },
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := (*f.fault.Load())(f.Requests.Add(1), r)
		if fault != None {
			f.Broken.Add(1)
		}
		switch fault {
		case None:
			proxy.ServeHTTP(w, r)
		case SlowDown:
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>`)
		case Corrupt:
			body, err := io.ReadAll(r.Body)
			if err != nil {
				reset(w)
				return
			}
			if i := len(body) * 3 / 4; i < len(body) {
				body[i] ^= 0x20
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			proxy.ServeHTTP(w, r)
		case Reset:
			reset(w)
		case Lost:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			reset(w)
		case Cut:
			rec := httptest.NewRecorder()
			proxy.ServeHTTP(rec, r)
			body := rec.Body.Bytes()
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(rec.Code)
			if len(body) > 0 {
				_, _ = w.Write(body[:len(body)/2])
				_ = http.NewResponseController(w).Flush()
			}
			reset(w)
		case Hang:
			// The end of a connection is noticed behind the body only.
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-r.Context().Done():
			case <-ended:
			}
		case Moved:
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("X-Amz-Bucket-Region", "ap-south-2")
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusMovedPermanently)
			if r.Method != http.MethodHead {
				_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>PermanentRedirect</Code><Message>The bucket you are attempting to access must be addressed using the specified endpoint.</Message></Error>`)
			}
		}
	}))
	t.Cleanup(func() {
		close(ended)
		srv.Close()
	})
	f.Endpoint = srv.URL
	return f
}

// Set says which requests are broken from now on. n counts all requests from 1.
func (f *Faults) Set(fault func(n int64, r *http.Request) Fault) { f.fault.Store(&fault) }

// EveryThird breaks every third request in one way.
func EveryThird(fault Fault) func(int64, *http.Request) Fault {
	return func(n int64, _ *http.Request) Fault {
		if n%3 == 0 {
			return fault
		}
		return None
	}
}

// reset ends the connection of a request without an answer.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}
