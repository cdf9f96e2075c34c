package aws

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// fakeAWS is a client to whom all of AWS's hosts are the fake's.
func fakeAWS(t *testing.T, o awsfake.Options, opts Options) (*awsfake.Server, *Client, *Account) {
	t.Helper()
	s := awsfake.New(o)
	t.Cleanup(s.Close)
	c := client(t, "", opts)
	c.http.Transport = s.Transport()
	a := NewAccount(awsfake.DefaultAccount, "aws", "us-east-1", sdk.CredentialsProviderFunc(func(context.Context) (sdk.Credentials, error) {
		return sdk.Credentials{AccessKeyID: "AKIA" + awsfake.DefaultAccount, SecretAccessKey: "secret"}, nil
	}))
	return s, c, a
}

// sample is a value for a shape, with every member down to the depth.
func sample(s *api.Shape, depth int) any {
	switch s.Type {
	case "structure":
		if s.Document {
			return map[string]any{"a": []any{"b", true}}
		}
		m := map[string]any{}
		for i := range s.Members {
			f := &s.Members[i]
			if f.Shape.EventStream || f.JSONValue || f.Streaming {
				continue
			}
			if f.HostLabel {
				m[f.Name] = awsfake.DefaultAccount
				continue
			}
			if depth > 0 || slices.Contains(s.Required, f.Name) {
				m[f.Name] = sample(f.Shape, depth-1)
			}
			if s.Union {
				break
			}
		}
		return m
	case "list":
		return []any{sample(s.Elem, depth-1)}
	case "map":
		return map[string]any{"key": sample(s.Value, depth-1)}
	case "boolean":
		return true
	case "integer", "long":
		return int64(7)
	case "float", "double":
		return 1.5
	case "timestamp":
		return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	case "blob":
		return []byte("bytes")
	}
	if len(s.Enum) > 0 {
		return s.Enum[0]
	}
	return "a b/c&<d>"
}

// TestEveryReadIsUnderstood sends every operation that reads, of all services,
// to its real endpoint with all members of its input, and compares what the
// fake understood.
func TestEveryReadIsUnderstood(t *testing.T) {
	if testing.Short() {
		t.Skip("some thousand requests")
	}
	s, c, a := fakeAWS(t, awsfake.Options{}, Options{MaxAttempts: 1})
	n := 0
	for _, name := range awsapi.Services() {
		svc, err := awsapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range slices.Sorted(maps.Keys(svc.Operations)) {
			o := svc.Operations[op]
			reads := strings.HasPrefix(op, "List") || strings.HasPrefix(op, "Describe") || strings.HasPrefix(op, "Get")
			signed := o.Unsigned || svc.Signature == "v4" || svc.Signature == "s3"
			// The endpoint of a key value store is in its ARN.
			if reads && signed && name != "cloudfront-keyvaluestore" {
				understood(t, s, c, Request{Account: a, Region: "us-east-1", Service: svc, Op: o})
				n++
			}
		}
	}
	if n < 8000 {
		t.Errorf("only %d operations", n)
	}
}

func understood(t *testing.T, s *awsfake.Server, c *Client, r Request) {
	t.Helper()
	defer s.Reset()
	if r.Op.Input != nil {
		r.Input, _ = sample(r.Op.Input, 3).(map[string]any)
	}
	resp, err := c.Do(t.Context(), r)
	if resp != nil {
		resp.Release()
	}
	name := r.Service.Name + " " + r.Op.Name
	var e *APIError
	if err != nil && (!errors.As(err, &e) || e.Status == 0) {
		if r.Op.Discovery && strings.Contains(err.Error(), "asked for first") {
			return
		}
		t.Errorf("%s: %v", name, err)
		return
	}
	got := s.Requests()
	if len(got) != 1 {
		t.Errorf("%s was not understood: %v", name, s.Broken())
		return
	}
	if got[0].Service != r.Service.Name || got[0].Operation != r.Op.Name {
		// Services of one family share names and routes.
		if other, err := awsapi.Lookup(got[0].Service); err != nil || other.SigningName != r.Service.SigningName {
			t.Errorf("%s was taken for %s", name, got[0].Op())
		}
		return
	}
	at := plainTime
	if r.Service.Protocol == "smithy-rpc-v2-cbor" {
		at = func(t time.Time) string { return fmt.Sprint(float64(t.Unix())) }
	}
	if got, want := plain(got[0].Input, at), plain(r.Input, at); !reflect.DeepEqual(got, want) {
		t.Errorf("%s was asked\n%v, understood\n%v", name, want, got)
	}
}

func plainTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// plain makes values comparable that are the same on the wire: some protocols
// have no empty structures, and no lists of one.
func plain(v any, at func(time.Time) string) any {
	switch v := v.(type) {
	case map[string]any:
		m := map[string]any{}
		for k, x := range v {
			if x = plain(x, at); x != nil {
				m[k] = x
			}
		}
		if len(m) == 0 {
			return nil
		}
		return m
	case []any:
		if len(v) == 1 {
			return plain(v[0], at)
		}
		l := make([]any, len(v))
		for i := range v {
			l[i] = plain(v[i], at)
		}
		return l
	case time.Time:
		return at(v)
	case []byte:
		return string(v)
	}
	return fmt.Sprint(v)
}

func TestFaultsOfTheFake(t *testing.T) {
	svc, err := awsapi.Lookup("ec2")
	if err != nil {
		t.Fatal(err)
	}
	const op = "ec2.DescribeInstances"
	for name, tc := range map[string]struct {
		faults []awsfake.Fault
		calls  int
		fails  func(*APIError) bool // nil: the call succeeds
	}{
		"none":             {nil, 1, nil},
		"throttled twice":  {[]awsfake.Fault{{Kind: awsfake.Throttle, Op: op, Times: 2}}, 3, nil},
		"reset":            {[]awsfake.Fault{{Kind: awsfake.Reset, Op: op, After: 20, Times: 3}}, 4, nil},
		"reset before":     {[]awsfake.Fault{{Kind: awsfake.Reset, Op: op, Times: 1}}, 2, nil},
		"timeout":          {[]awsfake.Fault{{Kind: awsfake.Timeout, Op: op, Times: 1}}, 2, nil},
		"proxy page":       {[]awsfake.Fault{{Kind: awsfake.HTML, Op: op, Times: 1}}, 2, nil},
		"server error":     {[]awsfake.Fault{{Kind: awsfake.Fail, Op: op, Code: "InternalError", Status: 500, Times: 4}}, 5, nil},
		"error in 200":     {[]awsfake.Fault{{Kind: awsfake.Error200, Op: op}}, 0, func(e *APIError) bool { return e.Code != "" }},
		"denied":           {[]awsfake.Fault{{Kind: awsfake.Deny, Op: op}}, 1, (*APIError).Denied},
		"always throttled": {[]awsfake.Fault{{Kind: awsfake.Throttle, Op: op}}, 10, (*APIError).Throttled},
		"always a page":    {[]awsfake.Fault{{Kind: awsfake.HTML, Op: op}}, fewAttempts, func(e *APIError) bool { return e.Status == 200 }},
	} {
		t.Run(name, func(t *testing.T) {
			s, c, a := fakeAWS(t, awsfake.Options{}, Options{AttemptTimeout: time.Second})
			for _, f := range tc.faults {
				s.Inject(f)
			}
			resp, err := c.Do(t.Context(), Request{Account: a, Region: "us-east-1", Service: svc, Op: svc.Operations["DescribeInstances"]})
			if resp != nil {
				resp.Release()
			}
			var e *APIError
			switch {
			case tc.fails == nil && err != nil:
				t.Error(err)
			case tc.fails != nil && (!errors.As(err, &e) || !tc.fails(e)):
				t.Errorf("error %v", err)
			}
			if n := s.Calls(op); tc.calls > 0 && n != tc.calls {
				t.Errorf("%d calls, want %d", n, tc.calls)
			}
		})
	}
}

func TestSkewOfTheFake(t *testing.T) {
	s, c, a := fakeAWS(t, awsfake.Options{Skew: -time.Hour}, Options{})
	for _, name := range []string{"ec2.DescribeInstances", "dynamodb.ListTables", "s3.ListBuckets", "lambda.ListFunctions"} {
		service, op, _ := strings.Cut(name, ".")
		svc, err := awsapi.Lookup(service)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			resp, err := c.Do(t.Context(), Request{Account: a, Region: "us-east-1", Service: svc, Op: svc.Operations[op]})
			if err != nil {
				t.Error(err)
				continue
			}
			resp.Release()
		}
		if n := s.Calls(name); n != 3 {
			t.Errorf("%s: %d calls, want one more than two", name, n)
		}
	}
}

func TestRegionThatIsOffInTheFake(t *testing.T) {
	_, c, a := fakeAWS(t, awsfake.Options{Regions: []awsfake.Region{{Name: "us-east-1"}, {Name: "af-south-1", Disabled: true}}}, Options{})
	for _, service := range []string{"ec2", "sqs", "iam", "lambda", "s3"} {
		svc, err := awsapi.Lookup(service)
		if err != nil {
			t.Fatal(err)
		}
		op := map[string]string{"ec2": "DescribeInstances", "sqs": "ListQueues", "iam": "ListUsers", "lambda": "ListFunctions", "s3": "ListBuckets"}[service]
		resp, err := c.Do(t.Context(), Request{Account: a, Region: "af-south-1", Service: svc, Op: svc.Operations[op]})
		if service == "iam" { // asked in us-east-1, wherever
			if err != nil {
				t.Error(err)
			} else {
				resp.Release()
			}
			continue
		}
		var e *APIError
		if !errors.As(err, &e) || !e.RegionDisabled() || !e.Unreachable() || e.Credentials() {
			t.Errorf("%s: %v", service, err)
		}
	}
}

func TestHostThatDoesNotExistInTheFake(t *testing.T) {
	s, c, a := fakeAWS(t, awsfake.Options{}, Options{})
	c.http.Transport = s.Transport("sqs.*.amazonaws.com")
	svc, err := awsapi.Lookup("sqs")
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), Request{Account: a, Region: "us-east-1", Service: svc, Op: svc.Operations["ListQueues"]})
	var e *APIError
	if !errors.As(err, &e) || !e.NoSuchHost() || e.Attempts != 1 || e.Host != "sqs.us-east-1.amazonaws.com" {
		t.Errorf("%v", err)
	}
}
