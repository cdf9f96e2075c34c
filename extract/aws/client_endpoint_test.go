package aws

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// endpointIn is where the client would ask, with what it would sign for.
func endpointIn(t *testing.T, c *Client, a *Account, region string, svc *api.Service, op *api.Operation) string {
	t.Helper()
	e, err := c.endpointOf(a, region, svc, op)
	if err != nil {
		t.Fatal(err)
	}
	return e.url.String() + " " + e.signingName + "/" + e.signingRegion
}

func TestEndpoints(t *testing.T) {
	any := &api.Operation{}
	for _, tc := range []struct {
		name, partition, region string
		svc                     *api.Service
		env                     map[string]string
		want                    string
	}{
		{"regional", "aws", "eu-west-1", ec2(), nil, "https://ec2.eu-west-1.amazonaws.com ec2/eu-west-1"},
		{"global", "aws", "global", iam(), nil, "https://iam.amazonaws.com iam/us-east-1"},
		{"global, China", "aws-cn", "global", iam(), nil, "https://iam.cn-north-1.amazonaws.com.cn iam/cn-north-1"},
		{"China", "aws-cn", "cn-north-1", ec2(), nil, "https://ec2.cn-north-1.amazonaws.com.cn ec2/cn-north-1"},
		{"sovereign cloud", "aws-eusc", "eusc-de-east-1", ec2(), nil, "https://ec2.eusc-de-east-1.amazonaws.eu ec2/eusc-de-east-1"},
		{"s3", "aws", "eu-west-1", s3(), nil, "https://s3.eu-west-1.amazonaws.com s3/eu-west-1"},
		{"FIPS", "aws", "us-east-1", ec2(), map[string]string{"AWS_USE_FIPS_ENDPOINT": "true"}, "https://ec2-fips.us-east-1.amazonaws.com ec2/us-east-1"},
		{"dual stack", "aws", "us-east-1", s3(), map[string]string{"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://s3.dualstack.us-east-1.amazonaws.com s3/us-east-1"},
		{"configured", "aws", "eu-west-1", ec2(), map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1"}, "http://localhost:1 ec2/eu-west-1"},
		{"configured, global", "aws", "global", iam(), map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1"}, "http://localhost:1 iam/us-east-1"},
		{"service's own", "aws", "eu-west-1", ec2(), map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_ENDPOINT_URL_EC2": "http://localhost:2"}, "http://localhost:2 ec2/eu-west-1"},
		{"service's own, with blanks", "aws", "eu-west-1", apigateway(), map[string]string{"AWS_ENDPOINT_URL_API_GATEWAY": "http://localhost:2"}, "http://localhost:2 apigateway/eu-west-1"},
		{"another service's", "aws", "eu-west-1", ec2(), map[string]string{"AWS_ENDPOINT_URL_S3": "http://localhost:2"}, "https://ec2.eu-west-1.amazonaws.com ec2/eu-west-1"},
		{"ignored", "aws", "eu-west-1", ec2(), map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, "https://ec2.eu-west-1.amazonaws.com ec2/eu-west-1"},
		{"unknown region, configured", "aws", "mars-1", ec2(), map[string]string{"AWS_ENDPOINT_URL": "http://localhost:1"}, "http://localhost:1 ec2/mars-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bare(t)
			for k, v := range tc.env {
				t.Setenv(k, v)
			}
			c, err := NewClient(t.Context(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got := endpointIn(t, c, NewAccount("123456789012", tc.partition, "", nil), tc.region, tc.svc, any); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestEndpointsOfTheConfigFile(t *testing.T) {
	bare(t)
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, `
[default]
region = eu-west-1
[profile local]
region = eu-central-1
endpoint_url = http://localhost:1
services = local
[services local]
ec2 =
  endpoint_url = http://localhost:2
`)
	t.Setenv("AWS_CONFIG_FILE", file)
	c, err := NewClient(t.Context(), Options{Profile: "local"})
	if err != nil {
		t.Fatal(err)
	}
	a := NewAccount("123456789012", "aws", "", nil)
	if got, want := endpointIn(t, c, a, "eu-west-1", ec2(), &api.Operation{}), "http://localhost:2 ec2/eu-west-1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := endpointIn(t, c, a, "eu-west-1", iam(), &api.Operation{}), "http://localhost:1 iam/us-east-1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if c, err = NewClient(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	other, err := c.open(t.Context(), AccountConfig{Profile: "local"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := endpointIn(t, c, other, "eu-west-1", ec2(), &api.Operation{}), "http://localhost:2 ec2/eu-west-1"; got != want {
		t.Errorf("an account's own profile: got %s, want %s", got, want)
	}
}

func TestEndpointThatIsNoURLIsRefused(t *testing.T) {
	c := client(t, "localhost:4566", Options{})
	_, err := do(t, c, ec2(), "DescribeInstances", nil)
	if err == nil || !strings.Contains(err.Error(), "localhost:4566") {
		t.Errorf("%v", err)
	}
}

func TestUnknownRegionIsRefused(t *testing.T) {
	c := client(t, "", Options{})
	svc := ec2()
	_, err := c.Do(t.Context(), Request{Account: account(), Region: "mars-1", Service: svc, Op: svc.Operations["DescribeInstances"]})
	if err == nil || !strings.Contains(err.Error(), `unknown region "mars-1"`) {
		t.Errorf("%v", err)
	}
}

func TestEndpointDiscoveryIsRefused(t *testing.T) {
	c := client(t, "", Options{})
	svc := ec2()
	svc.Operations["DescribeInstances"].Discovery = true
	_, err := do(t, c, svc, "DescribeInstances", nil)
	if err == nil || !strings.Contains(err.Error(), "asked for first") {
		t.Errorf("%v", err)
	}
}

// hosts makes the client reach no host, and returns the one it wanted.
func hosts(t *testing.T, c *Client, svc *api.Service, op string, in map[string]any) string {
	t.Helper()
	var host string
	c.http.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
		host = r.URL.Host
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
	})
	if resp, err := do(t, c, svc, op, in); err != nil {
		t.Error(err)
	} else {
		resp.Release()
	}
	return host
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestHostPrefix(t *testing.T) {
	in := map[string]any{"AccountId": "123456789012"}
	c := client(t, "", Options{})
	if got, want := hosts(t, c, s3control(), "ListAccessPoints", in), "123456789012.s3-control.eu-west-1.amazonaws.com"; got != want {
		t.Errorf("host %s, want %s", got, want)
	}
	c = client(t, "http://localhost:1", Options{})
	if got, want := hosts(t, c, s3control(), "ListAccessPoints", in), "localhost:1"; got != want {
		t.Errorf("host %s, want %s: a configured endpoint takes no prefix", got, want)
	}
}

func TestFaultyHostPrefixIsNotSent(t *testing.T) {
	for want, in := range map[string]map[string]any{
		"missing member AccountId": nil,
		"a member of the host":     {"AccountId": "evil.example.org/"},
	} {
		c := client(t, "", Options{})
		if _, err := do(t, c, s3control(), "ListAccessPoints", in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestPathOfAConfiguredEndpointIsKept(t *testing.T) {
	f := serve(t, text(`{}`))
	c := client(t, f.URL+"/gateway/", Options{})
	ok(t, c, apigateway(), "GetResources", map[string]any{"restApiId": "a b"})
	if got, want := f.last(t).URL.EscapedPath(), "/gateway/restapis/a%20b/resources"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

func TestCABundle(t *testing.T) {
	s := httptest.NewTLSServer(text(instances))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, pemOf(s))
	bare(t)
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
	t.Setenv("AWS_CA_BUNDLE", file)
	c, err := NewClient(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ok(t, c, ec2(), "DescribeInstances", nil)
}

func TestProxyOfTheEnvironmentIsUsed(t *testing.T) {
	c := client(t, "", Options{})
	tr := c.http.Transport.(*http.Transport)
	if tr.Proxy == nil {
		t.Error("no proxy function")
	}
	if tr.ResponseHeaderTimeout != headerTimeout || tr.MaxConnsPerHost != connsPerHost {
		t.Errorf("transport %+v", tr)
	}
}

func TestUnsignedOperationNeedsNoCredentials(t *testing.T) {
	f := serve(t, text(`{}`))
	c := client(t, f.URL, Options{})
	svc := dynamodb()
	svc.Operations["DescribeTable"].Unsigned = true
	resp, err := c.Do(t.Context(), Request{Account: &Account{ID: "1"}, Region: "eu-west-1", Service: svc, Op: svc.Operations["DescribeTable"], Input: map[string]any{"TableName": "t"}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	if f.last(t).Header.Get("Authorization") != "" {
		t.Error("it was signed")
	}
}

func TestSignatureOfAnotherKindIsRefused(t *testing.T) {
	c := client(t, "", Options{})
	svc := dynamodb()
	svc.Signature = "bearer"
	if _, err := do(t, c, svc, "DescribeTable", nil); err == nil || !strings.Contains(err.Error(), "signed by bearer") {
		t.Errorf("%v", err)
	}
}

func TestRequestWithoutAnAccountIsRefused(t *testing.T) {
	c := client(t, "", Options{})
	if _, err := c.Do(t.Context(), Request{}); err == nil || errors.As(err, new(*APIError)) {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
