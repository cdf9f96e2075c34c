package awsfake

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"path"
)

// Transport sends requests to the real hosts to the server instead, so that
// hosts can be tested: Request.Host keeps them. Hosts that match one of the
// globs do not exist, as far as DNS knows.
func (s *Server) Transport(missing ...string) http.RoundTripper {
	target, err := url.Parse(s.URL)
	if err != nil {
		panic("awsfake: " + err.Error())
	}
	return &transport{target, missing, s.http.Client().Transport}
}

type transport struct {
	target  *url.URL
	missing []string
	base    http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, glob := range t.missing {
		if ok, _ := path.Match(glob, r.URL.Hostname()); ok {
			err := &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}
			return nil, fmt.Errorf("dial tcp: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err})
		}
	}
	c := r.Clone(r.Context())
	if c.Host == "" {
		c.Host = r.URL.Host
	}
	c.URL.Scheme, c.URL.Host = t.target.Scheme, t.target.Host
	return t.base.RoundTrip(c)
}
