package aws

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
)

const htmlPage = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in to the network</body></html>"

func TestErrorCodesOfEveryProtocol(t *testing.T) {
	header := func(code int, h map[string]string, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			for k, v := range h {
				w.Header().Set(k, v)
			}
			status(code, body)(w, r)
		}
	}
	id := map[string]any{"restApiId": "a"}
	table := map[string]any{"TableName": "t"}
	for name, tc := range map[string]struct {
		svc                *api.Service
		op                 string
		in                 map[string]any
		answer             http.HandlerFunc
		code, message, rid string
	}{
		"ec2": {
			ec2(), "DescribeInstances", nil,
			status(403, `<?xml version="1.0"?><Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You may not.</Message></Error></Errors><RequestID>r-1</RequestID></Response>`),
			"UnauthorizedOperation", "You may not.", "r-1",
		},
		"query": {
			iam(), "GetAccountAuthorizationDetails", nil,
			status(403, `<ErrorResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>r-2</RequestId></ErrorResponse>`),
			"AccessDenied", "no", "r-2",
		},
		"rest-xml": {
			s3(), "GetBucketPolicy",
			map[string]any{"Bucket": "b"},
			header(404, map[string]string{"x-amz-request-id": "r-3"}, `<Error><Code>NoSuchBucketPolicy</Code><Message>none</Message><BucketName>b</BucketName></Error>`),
			"NoSuchBucketPolicy", "none", "r-3",
		},
		"json, namespace": {
			dynamodb(), "DescribeTable", table,
			header(400, map[string]string{"x-amzn-RequestId": "r-4"}, `{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"gone"}`),
			"ResourceNotFoundException", "gone", "r-4",
		},
		"json, large Message": {dynamodb(), "DescribeTable", table, status(400, `{"__type":"AccessDeniedException","Message":"no"}`), "AccessDeniedException", "no", ""},
		"rest-json, header": {
			apigateway(), "GetResources", id,
			header(404, map[string]string{"x-amzn-ErrorType": "NotFoundException:http://internal.amazon.com/"}, `{"message":"Invalid API"}`),
			"NotFoundException", "Invalid API", "",
		},
		"rest-json, code":       {apigateway(), "GetResources", id, status(400, `{"code":"BadRequestException","message":"x"}`), "BadRequestException", "x", ""},
		"rest-json, no code":    {apigateway(), "GetResources", id, status(403, `{"message":"Missing Authentication Token"}`), "403", "Missing Authentication Token", ""},
		"json, numeric code":    {dynamodb(), "DescribeTable", table, status(400, `{"code":7,"message":"x"}`), "400", "x", ""},
		"json, empty body":      {dynamodb(), "DescribeTable", table, status(404, ``), "404", "", ""},
		"xml, empty body":       {s3(), "HeadObject", map[string]any{"Bucket": "b", "Key": "k"}, status(404, ``), "404", "", ""},
		"xml, HTML":             {ec2(), "DescribeInstances", nil, status(404, htmlPage), "404", "", ""},
		"xml, text":             {iam(), "GetAccountAuthorizationDetails", nil, status(400, "bad gateway"), "400", "", ""},
		"json, HTML":            {dynamodb(), "DescribeTable", table, status(403, htmlPage), "403", "", ""},
		"rest-xml, 200 + Error": {s3(), "ListBuckets", nil, status(200, `<Error><Code>AccessDenied</Code><Message>no</Message></Error>`), "AccessDenied", "no", ""},
		"redirect": {
			s3(), "GetBucketLocation",
			map[string]any{"Bucket": "b"},
			header(301, map[string]string{"Location": "http://127.0.0.1:1/"}, `<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>`),
			"PermanentRedirect", "elsewhere", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, tc.answer)
			c := client(t, f.URL, Options{})
			e := refused(t, c, tc.svc, tc.op, tc.in)
			if e.Code != tc.code || e.Message != tc.message || e.RequestID != tc.rid {
				t.Errorf("code %q, message %q, request id %q", e.Code, e.Message, e.RequestID)
			}
			if len(f.requests()) != 1 || e.Attempts != 1 {
				t.Errorf("%d requests, %d attempts", len(f.requests()), e.Attempts)
			}
		})
	}
}

func TestErrorReads(t *testing.T) {
	f := serve(t, times(status(500, ""), status(403, `<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You may not.</Message></Error></Errors><RequestID>r-1</RequestID></Response>`)))
	c := client(t, f.URL, Options{})
	e := refused(t, c, ec2(), "DescribeInstances", nil)
	if got, want := e.Error(), "in 123456789012/eu-west-1: ec2 DescribeInstances: UnauthorizedOperation: You may not. (request id r-1, 2 attempts)"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	f3 := serve(t, text(htmlPage))
	c = client(t, f3.URL, Options{MaxAttempts: 1})
	e = refused(t, c, ec2(), "DescribeInstances", nil)
	if got, want := e.Error(), `in 123456789012/eu-west-1: ec2 DescribeInstances: the answer's root is html, not DescribeInstancesResponse: "`; !strings.HasPrefix(got, want) {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	f2 := serve(t, status(404, htmlPage))
	c = client(t, f2.URL, Options{})
	e = refused(t, c, ec2(), "DescribeInstances", nil)
	if got := e.Error(); !strings.Contains(got, `: 404 Not Found: "`) || strings.Contains(got, "<") || len(e.Body) > extract.ExcerptBytes {
		t.Errorf("got %s", got)
	}
}

func TestPageOfAProxyIsNoAnswer(t *testing.T) {
	for name, tc := range map[string]struct {
		svc  *api.Service
		op   string
		in   map[string]any
		body string
	}{
		"ec2":                 {ec2(), "DescribeInstances", nil, htmlPage},
		"ec2, another's root": {ec2(), "DescribeInstances", nil, "<DescribeVpcsResponse/>"},
		"query":               {iam(), "GetAccountAuthorizationDetails", nil, htmlPage},
		"rest-xml":            {s3(), "ListBuckets", nil, htmlPage},
		"rest-xml, text":      {s3(), "ListBuckets", nil, "ok"},
		"json":                {dynamodb(), "DescribeTable", map[string]any{"TableName": "t"}, htmlPage},
		"json, text":          {dynamodb(), "DescribeTable", map[string]any{"TableName": "t"}, "null"},
		"rest-json":           {apigateway(), "GetResources", map[string]any{"restApiId": "a"}, htmlPage},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, text(tc.body))
			c := client(t, f.URL, Options{})
			e := refused(t, c, tc.svc, tc.op, tc.in)
			if e.Status != 200 || e.Body == "" || e.Denied() || e.Throttled() || e.NotFound() {
				t.Errorf("%+v", e)
			}
			if n := len(f.requests()); n != fewAttempts {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestPageOfAProxyMayPass(t *testing.T) {
	f := serve(t, times(text(htmlPage), text(instances)))
	c := client(t, f.URL, Options{})
	ok(t, c, ec2(), "DescribeInstances", nil)
}

func TestRawPayloadMayBeAnything(t *testing.T) {
	f := serve(t, text(`{"Version":"2012-10-17"}`))
	c := client(t, f.URL, Options{})
	if got := ok(t, c, s3(), "GetBucketPolicy", map[string]any{"Bucket": "b"}); got != `{"Version":"2012-10-17"}` {
		t.Errorf("body %q", got)
	}
}

func TestErrorUnderASuccessIsRetriedAsTheErrorItIs(t *testing.T) {
	f := serve(t, times(text(`<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>`), text(`<ListAllMyBucketsResult/>`)))
	c := client(t, f.URL, Options{})
	ok(t, c, s3(), "ListBuckets", nil)
}

func TestRetries(t *testing.T) {
	xml := func(code string) string {
		return "<Response><Errors><Error><Code>" + code + "</Code></Error></Errors></Response>"
	}
	for _, tc := range []struct {
		name  string
		svc   *api.Service
		op    string
		code  int
		body  string
		tries int
	}{
		{"429 without code", ec2(), "DescribeInstances", 429, "", 10},
		{"500", ec2(), "DescribeInstances", 500, "", 10},
		{"502 page", ec2(), "DescribeInstances", 502, htmlPage, 10},
		{"503", ec2(), "DescribeInstances", 503, "", 10},
		{"504", ec2(), "DescribeInstances", 504, "", 10},
		{"501", ec2(), "DescribeInstances", 501, "", 1},
		{"400", ec2(), "DescribeInstances", 400, xml("InvalidParameterValue"), 1},
		{"403", ec2(), "DescribeInstances", 403, xml("UnauthorizedOperation"), 1},
		{"throttle code", ec2(), "DescribeInstances", 400, xml("RequestLimitExceeded"), 10},
		{"throttle code of a kind", ec2(), "DescribeInstances", 400, xml("Throttling.User"), 10},
		{"timeout code", ec2(), "DescribeInstances", 400, xml("RequestTimeout"), 10},
		{"retryable by the description", dynamodb(), "DescribeTable", 400, `{"__type":"ServerBusyException"}`, 10},
		{"not so by the description", dynamodb(), "DescribeTable", 400, `{"__type":"ValidationException"}`, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := serve(t, status(tc.code, tc.body))
			c := client(t, f.URL, Options{})
			var in map[string]any
			if tc.svc.Name == "dynamodb" {
				in = map[string]any{"TableName": "t"}
			}
			e := refused(t, c, tc.svc, tc.op, in)
			if n := len(f.requests()); n != tc.tries || e.Attempts != tc.tries {
				t.Errorf("%d requests, %d attempts, want %d: %v", n, e.Attempts, tc.tries, e)
			}
			if tc.code == 429 && !e.Throttled() {
				t.Error("429 is not a throttle")
			}
		})
	}
}

func TestThrottlesByTheDescription(t *testing.T) {
	f := serve(t, times(status(400, `{"__type":"TooBusy"}`), text(`{}`)))
	p := &pace{}
	c := client(t, f.URL, Options{Limiter: p})
	ok(t, c, dynamodb(), "DescribeTable", map[string]any{"TableName": "t"})
	if p.throttle != 1 {
		t.Errorf("%d throttles reported", p.throttle)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for name, h := range map[string][2]string{
		"seconds":      {"Retry-After", "1"},
		"milliseconds": {"X-Amz-Retry-After", "1000"},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, times(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set(h[0], h[1])
				w.WriteHeader(429)
			}, text(instances)))
			p := &pace{}
			c := client(t, f.URL, Options{Limiter: p})
			start := time.Now()
			ok(t, c, ec2(), "DescribeInstances", nil)
			if d := time.Since(start); d < time.Second || d > 10*time.Second || p.held != time.Second {
				t.Errorf("took %s, all others held for %s", d, p.held)
			}
		})
	}
}

func TestRetryAfterIsRead(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "999999999999": time.Minute,
		"Fri, 02 Jan 2026 03:04:25 GMT": 20 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

func TestSkewedClockIsCorrected(t *testing.T) {
	const skew = 2 * time.Hour
	var dates []time.Time
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		now := time.Now().Add(skew).UTC()
		w.Header().Set("Date", now.Format(http.TimeFormat))
		at, _ := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		dates = append(dates, at)
		if d := now.Sub(at); d > 15*time.Minute || d < -15*time.Minute {
			status(403, `<Response><Errors><Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error></Errors></Response>`)(w, r)
			return
		}
		text(instances)(w, r)
	})
	c := client(t, f.URL, Options{})
	acct, svc := account(), ec2()
	for range 2 {
		resp, err := c.Do(t.Context(), Request{Account: acct, Region: "eu-west-1", Service: svc, Op: svc.Operations["DescribeInstances"]})
		if err != nil {
			t.Fatal(err)
		}
		resp.Release()
	}
	if len(dates) != 3 {
		t.Errorf("signed at %v: the second call should know the service's clock", dates)
	}
}

func TestClockThatIsRightDoesNotExcuseADenial(t *testing.T) {
	f := serve(t, status(403, `{"__type":"AccessDeniedException"}`))
	c := client(t, f.URL, Options{})
	e := refused(t, c, dynamodb(), "DescribeTable", map[string]any{"TableName": "t"})
	if e.Attempts != 1 || !e.Denied() {
		t.Errorf("%d attempts: %v", e.Attempts, e)
	}
}

func TestRefusedConnectionIsUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := client(t, "http://"+l.Addr().String(), Options{})
	e := refused(t, c, ec2(), "DescribeInstances", nil)
	if !e.Unreachable() || e.Attempts != fewAttempts || e.NoSuchHost() || e.Status != 0 {
		t.Errorf("%d attempts: %v", e.Attempts, e)
	}
	if got := e.Error(); !strings.HasPrefix(got, "in 123456789012/eu-west-1: ec2 DescribeInstances: no answer from "+l.Addr().String()+": ") {
		t.Errorf("got %s", got)
	}
}

func TestUnknownHostIsUnreachableAndNotRetried(t *testing.T) {
	c := client(t, "http://ec2.nowhere.invalid", Options{})
	c.http.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "ec2.nowhere.invalid", IsNotFound: true}}
	}
	e := refused(t, c, ec2(), "DescribeInstances", nil)
	if !e.Unreachable() || !e.NoSuchHost() || e.Attempts != 1 {
		t.Errorf("%d attempts: %v", e.Attempts, e)
	}
}

func TestInvalidCertificateIsNotRetried(t *testing.T) {
	f := serve(t, text(instances))
	f.Close()
	f.Server = nil
	s := newTLSServer(t)
	c := client(t, s, Options{})
	e := refused(t, c, ec2(), "DescribeInstances", nil)
	if e.Attempts != 1 || !strings.Contains(e.Error(), "certificate") {
		t.Errorf("%d attempts: %v", e.Attempts, e)
	}
}

func TestPredicates(t *testing.T) {
	type want struct{ denied, throttled, notFound, unreachable, credentials, expired bool }
	for _, tc := range []struct {
		code   string
		status int
		region string
		want   want
	}{
		{"AccessDenied", 403, "eu-west-1", want{denied: true}},
		{"AccessDeniedException", 400, "eu-west-1", want{denied: true}},
		{"UnauthorizedOperation", 403, "eu-west-1", want{denied: true}},
		{"AuthorizationError", 403, "eu-west-1", want{denied: true}},
		{"403", 403, "eu-west-1", want{denied: true}},
		{"Throttling", 400, "eu-west-1", want{throttled: true}},
		{"SlowDown", 503, "eu-west-1", want{throttled: true}},
		{"429", 429, "eu-west-1", want{throttled: true}},
		{"NoSuchEntity", 404, "eu-west-1", want{notFound: true}},
		{"NoSuchBucketPolicy", 404, "eu-west-1", want{notFound: true}},
		{"InvalidClientTokenId", 403, "eu-west-1", want{credentials: true}},
		{"InvalidClientTokenId", 403, "me-south-1", want{unreachable: true}},
		{"UnrecognizedClientException", 400, "eu-south-2", want{unreachable: true}},
		{"AuthFailure", 401, "ap-east-1", want{unreachable: true}},
		{"AuthFailure", 401, "us-east-1", want{credentials: true}},
		{"SignatureDoesNotMatch", 403, "af-south-1", want{unreachable: true}},
		{"SignatureDoesNotMatch", 403, "us-gov-west-1", want{credentials: true}},
		{"UnrecognizedClientException", 400, "global", want{credentials: true}},
		{"OptInRequired", 403, "eu-west-1", want{unreachable: true}},
		{"ExpiredToken", 403, "eu-west-1", want{credentials: true, expired: true}},
		{"ExpiredTokenException", 400, "me-south-1", want{credentials: true, expired: true}},
		{"ValidationException", 400, "eu-west-1", want{}},
	} {
		e := &APIError{Code: tc.code, Status: tc.status, Region: tc.region}
		got := want{e.Denied(), e.Throttled(), e.NotFound(), e.Unreachable(), e.Credentials(), e.Expired()}
		if got != tc.want {
			t.Errorf("%s in %s: %+v, want %+v", tc.code, tc.region, got, tc.want)
		}
	}
}

func TestExpiredTokenSaysWhatToDo(t *testing.T) {
	f := serve(t, status(400, `{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}`))
	c := client(t, f.URL, Options{})
	e := refused(t, c, dynamodb(), "DescribeTable", map[string]any{"TableName": "t"})
	if !strings.Contains(e.Error(), "aws sso login") || e.Attempts != 1 {
		t.Errorf("%v", e)
	}
}

func TestErrorsHoldNoCredentials(t *testing.T) {
	canonical := "The request signature we calculated does not match. The Canonical String for this request should have been 'POST\n/\n\nx-amz-security-token:" + testToken + "'"
	for name, body := range map[string]string{
		"message":   `{"__type":"InvalidSignatureException","message":` + strconv.Quote(canonical) + `}`,
		"key":       `{"__type":"AccessDeniedException","message":"key ` + testKey + ` with ` + testSecret + `"}`,
		"long page": strings.Repeat("x", extract.ExcerptBytes-12) + testToken,
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, status(403, body))
			c := client(t, f.URL, Options{})
			var tape memory
			c.opts.Recorder = &tape
			e := refused(t, c, dynamodb(), "DescribeTable", map[string]any{"TableName": "t"})
			all := fmt.Sprintf("%v %+v %s", e, e, tape.all())
			for _, secret := range []string{testKey, testSecret, testToken, testToken[:10]} {
				if strings.Contains(all, secret) {
					t.Errorf("%s holds %s", all, secret)
				}
			}
		})
	}
}

func TestMissingCredentialsAreNoRequest(t *testing.T) {
	f := serve(t, text(instances))
	c := client(t, f.URL, Options{})
	a := NewAccount("123456789012", "aws", "eu-west-1", sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{}, errors.New("no EC2 IMDS role found")
	}))
	_, err := c.Do(t.Context(), Request{Account: a, Region: "eu-west-1", Service: ec2(), Op: ec2().Operations["DescribeInstances"]})
	var e *APIError
	if !errors.As(err, &e) || !e.Credentials() || len(f.requests()) != 0 || !strings.Contains(e.Error(), "set AWS_PROFILE") {
		t.Errorf("%v", err)
	}
}

func TestOldCodesOfFormerQueryServicesMatch(t *testing.T) {
	svc := dynamodb()
	svc.QueryCompatible = true
	f := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Amzn-Query-Mode") == "true" {
			w.Header().Set("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")
		}
		status(400, `{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}`)(w, r)
	})
	c := client(t, f.URL, Options{})
	e := refused(t, c, svc, "DescribeTable", map[string]any{"TableName": "t"})
	if !e.HasCode("QueueDoesNotExist") || !e.HasCode("AWS.SimpleQueueService.NonExistentQueue") || e.HasCode("Other") || e.HasCode("") {
		t.Errorf("codes %q, %q", e.Code, e.OldCode)
	}
}

func TestCBORAnswers(t *testing.T) {
	for want, body := range map[string]string{
		`{}`:                         "",
		`{"a":[1,-1,"x",true,null]}`: "\xa1\x61a\x85\x01\x20\x61x\xf5\xf6",
		`{"t":1767323045.5}`:         "\xa1\x61t\xc1\xfb\x41\xda\x55\xcd\x89\x60\x00\x00",
		`{"b":"AQI="}`:               "\xa1\x61b\x42\x01\x02",
		`{"n":18446744073709551615}`: "\xa1\x61n\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
		`{"n":-9223372036854775808}`: "\xa1\x61n\x3b\x7f\xff\xff\xff\xff\xff\xff\xff",
		`{"f":"NaN"}`:                "\xa1\x61f\xf9\x7e\x00",
		`{"m":{"k":1.5}}`:            "\xbf\x61m\xbf\x61k\xf9\x3e\x00\xff\xff",
	} {
		got, err := cborToJSON([]byte(body))
		if strings.HasPrefix(want, `{"t"`) {
			if err != nil || !bytes.HasPrefix(got, []byte(`{"t":`)) || bytes.Contains(got, []byte(`e+`)) {
				t.Errorf("%s: %v", got, err)
			}
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%s, want %s: %v", got, want, err)
		}
	}
	if _, err := cborToJSON([]byte("\xa1\x61")); err == nil {
		t.Error("no error for a truncated body")
	}
	svc := dynamodb()
	svc.Protocol = "smithy-rpc-v2-cbor"
	f := serve(t, status(400, "\xa2\x66__type\x6ccom.x#Denied\x67message\x62no"))
	c := client(t, f.URL, Options{})
	if e := refused(t, c, svc, "DescribeTable", map[string]any{"TableName": "t"}); e.Code != "Denied" || e.Message != "no" {
		t.Errorf("%v", e)
	}
}
