package gcp

import (
	"strings"
	"testing"

	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

func endpointOf(t *testing.T, c *Client, service, location string) endpoint {
	t.Helper()
	s, err := gcpapi.Lookup(service)
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.endpoint(s, location)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEndpoints(t *testing.T) {
	for name, tc := range map[string]struct {
		o                 Options
		service, location string
		want              string
		trusted           bool
	}{
		"described":             {Options{}, "compute.v1", "", "https://compute.googleapis.com/compute/v1/", true},
		"without a path":        {Options{}, "cloudkms.v1", "europe-west3", "https://cloudkms.googleapis.com/", true},
		"universe":              {Options{Universe: "example.goog"}, "compute.v1", "", "https://compute.example.goog/compute/v1/", true},
		"regional":              {Options{}, "aiplatform.v1", "europe-west3", "https://europe-west3-aiplatform.googleapis.com/", true},
		"regional secrets":      {Options{}, "secretmanager.v1", "europe-west3", "https://secretmanager.europe-west3.rep.googleapis.com/", true},
		"global secrets":        {Options{}, "secretmanager.v1", "", "https://secretmanager.googleapis.com/", true},
		"unknown location":      {Options{}, "aiplatform.v1", "mars-north1", "https://aiplatform.googleapis.com/", true},
		"configured for an API": {Options{Endpoints: map[string]string{"compute": "https://compute-ep.p.example.com"}}, "compute.v1", "", "https://compute-ep.p.example.com/compute/v1/", true},
		"configured for one":    {Options{Endpoints: map[string]string{"run.v2": "https://x/", "run": "https://y", "*": "https://z"}}, "run.v2", "", "https://x/", true},
		"configured for all":    {Options{Endpoints: map[string]string{"*": "http://127.0.0.1:9800/{service}"}}, "aiplatform.v1", "europe-west3", "http://127.0.0.1:9800/aiplatform.v1/", true},
		"in clear":              {Options{Endpoints: map[string]string{"*": "http://proxy.example.com"}}, "compute.v1", "", "http://proxy.example.com/compute/v1/", false},
		"own name":              {Options{Endpoints: map[string]string{"*": "http://localhost:1"}}, "storage.v1", "", "http://localhost:1/storage/v1/", true},
	} {
		e := endpointOf(t, client(t, tc.o), tc.service, tc.location)
		if e.base != tc.want || e.trusted != tc.trusted {
			t.Errorf("%s: %+v, want %s", name, e, tc.want)
		}
	}
}

func TestEndpointsOfTheEnvironment(t *testing.T) {
	c := client(t, Options{})
	t.Setenv(endpointVariable, "http://127.0.0.1:1/{service}/")
	t.Setenv(endpointVariable+"_COMPUTE", "http://127.0.0.1:2")
	if e := endpointOf(t, c, "compute.v1", ""); e.base != "http://127.0.0.1:2/compute/v1/" {
		t.Error(e.base)
	}
	if e := endpointOf(t, c, "dns.v1", ""); e.base != "http://127.0.0.1:1/dns.v1/" {
		t.Error(e.base)
	}
}

func TestEndpointsThatAreNone(t *testing.T) {
	for _, u := range []string{"compute.googleapis.com", "ftp://x", "https://user:pw@x", "https://x?key=1", "://"} {
		_, err := NewClient(t.Context(), Options{Tokens: tokens(), Endpoints: map[string]string{"compute": u}})
		if err == nil || !strings.Contains(err.Error(), "endpoints: compute") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// The token goes to Google's hosts, to the user's own over TLS, and nowhere
// else.
func TestTokenStaysWhereItBelongs(t *testing.T) {
	f := serve(t, say(200, `{"items":{}}`))
	c := client(t, Options{Endpoints: map[string]string{"*": f.URL}})
	s, _ := gcpapi.Lookup("compute.v1")
	c.endpoints.Store(s, &endpoints{common: endpoint{base: f.URL + "/", host: "proxy.example.com"}})
	resp, err := c.Do(t.Context(), instances(t))
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	if got := f.last(t).Header.Get("Authorization"); got != "" {
		t.Errorf("sent %q", got)
	}
}

func TestClientCertificatesChangeTheHost(t *testing.T) {
	c := client(t, Options{})
	c.opts.Certificate = "cert.pem"
	if e := endpointOf(t, c, "compute.v1", ""); e.base != "https://compute.mtls.googleapis.com/compute/v1/" {
		t.Error(e.base)
	}
	without := 0
	for _, name := range gcpapi.Services() {
		s, err := gcpapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.endpoint(s, ""); err != nil {
			without++
			if s.MTLSRootURL != "" || !strings.Contains(err.Error(), "has no endpoint for client certificates") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Logf("%d services have no endpoint for client certificates", without)
}
