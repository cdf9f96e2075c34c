package aws

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

const (
	testKey    = "AKIDTESTTESTTEST"
	testSecret = "secretsecretsecretsecret"
	testToken  = "tokentokentokentokentoken"
)

// seen is a request as the server got it.
type seen struct {
	*http.Request
	body string
}

// fake is a service on the loopback interface that answers with its handler
// and keeps what it was asked.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	seen []seen
}

func (f *fake) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]seen(nil), f.seen...)
}

func (f *fake) last(t *testing.T) seen {
	t.Helper()
	all := f.requests()
	if len(all) == 0 {
		t.Fatal("no request was sent")
	}
	return all[len(all)-1]
}

func serve(t *testing.T, h http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen = append(f.seen, seen{r.Clone(context.Background()), string(b)})
		f.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// bare takes the machine's own AWS configuration away.
func bare(t *testing.T) {
	t.Helper()
	for _, k := range []string{"AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE", "AWS_NEW_RETRIES_2026"} {
		t.Setenv(k, "")
	}
	unset(t, "AWS_ENDPOINT_URL")
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_ACCESS_KEY_ID", testKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", testSecret)
}

// client returns a client whose endpoint, for all services, is the URL.
func client(t *testing.T, endpoint string, o Options) *Client {
	t.Helper()
	bare(t)
	if endpoint != "" {
		t.Setenv("AWS_ENDPOINT_URL", endpoint)
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

func account() *Account {
	return NewAccount("123456789012", "aws", "eu-west-1", sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: testToken}, nil
	}))
}

func do(t *testing.T, c *Client, svc *api.Service, op string, in map[string]any) (*Response, error) {
	t.Helper()
	return c.Do(t.Context(), Request{Account: account(), Region: "eu-west-1", Service: svc, Op: svc.Operations[op], Input: in})
}

// ok makes the call and returns its body.
func ok(t *testing.T, c *Client, svc *api.Service, op string, in map[string]any) string {
	t.Helper()
	resp, err := do(t, c, svc, op, in)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Release()
	return string(resp.Body)
}

// refused makes the call and returns its error.
func refused(t *testing.T, c *Client, svc *api.Service, op string, in map[string]any) *APIError {
	t.Helper()
	resp, err := do(t, c, svc, op, in)
	if err == nil {
		t.Fatalf("no error, but %q", resp.Body)
	}
	var e *APIError
	if !errors.As(err, &e) {
		t.Fatalf("%T is no APIError: %v", err, err)
	}
	return e
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, body) }
}

// times answers with each handler once, then with the last for ever.
func times(hs ...http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int32
	return func(w http.ResponseWriter, r *http.Request) {
		hs[min(int(n.Add(1)), len(hs))-1](w, r)
	}
}

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

const instances = `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r-1</requestId><reservationSet/></DescribeInstancesResponse>`

func TestBodyIsTheAnswers(t *testing.T) {
	f := serve(t, text(instances))
	c := client(t, f.URL, Options{})
	if got := ok(t, c, ec2(), "DescribeInstances", nil); got != instances {
		t.Errorf("body %q", got)
	}
}

func TestAttemptsAreCounted(t *testing.T) {
	f := serve(t, times(status(500, ""), status(503, ""), text(instances)))
	c := client(t, f.URL, Options{})
	resp, err := do(t, c, ec2(), "DescribeInstances", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Release()
	if resp.Attempts != 3 {
		t.Errorf("%d attempts", resp.Attempts)
	}
}

func TestResetInTheMiddleOfABodyIsRetriedAndNotDoubled(t *testing.T) {
	half := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, instances[:40])
		w.(http.Flusher).Flush()
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		}
	}
	f := serve(t, times(half, half, text(instances)))
	c := client(t, f.URL, Options{})
	if got := ok(t, c, ec2(), "DescribeInstances", nil); got != instances {
		t.Errorf("body %q", got)
	}
	if n := len(f.requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestChunkedBodyThatEndsEarlyIsRetried(t *testing.T) {
	cut := func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, instances[:40])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	f := serve(t, times(cut, text(instances)))
	c := client(t, f.URL, Options{})
	if got := ok(t, c, ec2(), "DescribeInstances", nil); got != instances {
		t.Errorf("body %q", got)
	}
}

func TestAnswerOverTheCapFails(t *testing.T) {
	f := serve(t, text("<DescribeInstancesResponse>"+strings.Repeat(" ", 5000)+"</DescribeInstancesResponse>"))
	c := client(t, f.URL, Options{MaxResponseBytes: 1000})
	e := refused(t, c, ec2(), "DescribeInstances", nil)
	if !strings.Contains(e.Error(), "larger than 1000 bytes") || len(f.requests()) != 1 {
		t.Errorf("%v after %d requests", e, len(f.requests()))
	}
}

func TestBuffersAreReusedWithoutMixingAnswers(t *testing.T) {
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<DescribeInstancesResponse>"+r.Header.Get("Want")+"</DescribeInstancesResponse>")
	})
	c := client(t, f.URL, Options{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				want := strings.Repeat(string(rune('a'+i)), j*100)
				resp, err := c.Do(t.Context(), Request{
					Account: account(), Region: "eu-west-1", Service: ec2(), Op: ec2().Operations["DescribeInstances"],
					Header: http.Header{"Want": {want}},
				})
				if err != nil {
					t.Error(err)
					return
				}
				if !strings.Contains(string(resp.Body), ">"+want+"<") {
					t.Errorf("another's answer: %q", resp.Body)
				}
				resp.Release()
			}
		})
	}
	wg.Wait()
}

func TestCancellationStopsAtOnce(t *testing.T) {
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel(stop)
		<-release
	})
	defer close(release)
	c := client(t, f.URL, Options{})
	start := time.Now()
	_, err := c.Do(ctx, Request{Account: account(), Region: "eu-west-1", Service: ec2(), Op: ec2().Operations["DescribeInstances"]})
	if !errors.Is(err, stop) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
	if n := len(f.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestCancellationEndsABackoff(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(503)
	})
	c := client(t, f.URL, Options{})
	start := time.Now()
	_, err := c.Do(ctx, Request{Account: account(), Region: "eu-west-1", Service: ec2(), Op: ec2().Operations["DescribeInstances"]})
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(start))
	}
}

func TestAttemptTimeoutIsRetriedAndNamed(t *testing.T) {
	release := make(chan struct{})
	f := serve(t, func(w http.ResponseWriter, r *http.Request) { <-release })
	defer close(release)
	c := client(t, f.URL, Options{AttemptTimeout: 20 * time.Millisecond, MaxAttempts: 2})
	e := refused(t, c, ec2(), "DescribeInstances", nil)
	if !e.Timeout() || e.Attempts != 2 || !strings.Contains(e.Error(), "not within 20ms") {
		t.Errorf("timeout %v, %d attempts: %v", e.Timeout(), e.Attempts, e)
	}
}

// pace is a limiter that counts.
type pace struct {
	mu                           sync.Mutex
	acquired, released, throttle int
	keys                         map[extract.LimitKey]bool
	refuse                       error
	held                         time.Duration
}

func (p *pace) Acquire(_ context.Context, k extract.LimitKey) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuse != nil {
		return p.refuse
	}
	p.acquired++
	if p.keys == nil {
		p.keys = map[extract.LimitKey]bool{}
	}
	p.keys[k] = true
	return nil
}

func (p *pace) Release(_ extract.LimitKey, throttled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released++
	if throttled {
		p.throttle++
	}
}

func (p *pace) Hold(_ extract.LimitKey, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held += d
}

func TestLimiterPacesEveryAttemptAndLearnsOfThrottles(t *testing.T) {
	throttled := status(503, `<Response><Errors><Error><Code>RequestLimitExceeded</Code><Message>slow</Message></Error></Errors></Response>`)
	f := serve(t, times(throttled, status(500, ""), throttled, text(instances)))
	p := &pace{}
	c := client(t, f.URL, Options{Limiter: p})
	ok(t, c, ec2(), "DescribeInstances", nil)
	if p.acquired != 4 || p.released != 4 || p.throttle != 2 {
		t.Errorf("acquired %d, released %d, throttled %d", p.acquired, p.released, p.throttle)
	}
	if !p.keys[extract.LimitKey{Cloud: "aws", Account: "123456789012", Region: "eu-west-1", Service: "ec2"}] {
		t.Errorf("keys %v", p.keys)
	}
}

func TestThrottlesDoNotExhaustTheRetryQuota(t *testing.T) {
	// 60 calls that are throttled 4 times each: 240 retries, of which the
	// standard quota would grant 100.
	var n atomic.Int32
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1)%5 != 0 {
			w.WriteHeader(429)
			return
		}
		io.WriteString(w, instances)
	})
	c := client(t, f.URL, Options{})
	for range 60 {
		ok(t, c, ec2(), "DescribeInstances", nil)
	}
}

func TestDeadServiceExhaustsTheRetryQuota(t *testing.T) {
	f := serve(t, status(500, ""))
	c := client(t, f.URL, Options{})
	acct := account()
	for range 30 {
		_, err := c.Do(t.Context(), Request{Account: acct, Region: "eu-west-1", Service: shared, Op: shared.Operations["DescribeInstances"]})
		if err == nil {
			t.Fatal("no error")
		}
	}
	if n := len(f.requests()); n > 30+100 {
		t.Errorf("%d requests for 30 calls", n)
	}
}

var shared = ec2()

func TestRequestIsSigned(t *testing.T) {
	f := serve(t, text(instances))
	c := client(t, f.URL, Options{})
	ok(t, c, ec2(), "DescribeInstances", map[string]any{"MaxResults": 1000})
	r := f.last(t)
	if err := verify(r, "ec2", "eu-west-1", false); err != nil {
		t.Error(err)
	}
	if r.Header.Get("X-Amz-Security-Token") != testToken {
		t.Error("no session token")
	}
}

// verify signs what arrived once more and compares.
func verify(r seen, service, region string, s3 bool) error {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		return err
	}
	got := r.Header.Get("Authorization")
	u, err := url.Parse("http://" + r.Host + r.RequestURI)
	if err != nil {
		return err
	}
	again := &http.Request{Method: r.Method, URL: u, Host: r.Host, Header: http.Header{}, ContentLength: r.ContentLength}
	_, signed, _ := strings.Cut(got, "SignedHeaders=")
	signed, _, _ = strings.Cut(signed, ",")
	for _, h := range strings.Split(signed, ";") {
		if h != "host" && h != "content-length" {
			again.Header[http.CanonicalHeaderKey(h)] = r.Header[http.CanonicalHeaderKey(h)]
		}
	}
	creds := sdk.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: testToken}
	err = v4.NewSigner().SignHTTP(context.Background(), creds, again, sha(r.body), service, region, at,
		func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s3 })
	if err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); got != want {
		return errors.New("signature\n got " + got + "\nwant " + want)
	}
	return nil
}
