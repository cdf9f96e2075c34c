package aws

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

func TestLabelsAreFilledByTheirWireNames(t *testing.T) {
	f := serve(t, text(`{"item":[]}`))
	c := client(t, f.URL, Options{})
	ok(t, c, apigateway(), "GetResources", map[string]any{"restApiId": "a b/c", "limit": 500, "embed": []any{"methods", "x"}})
	r := f.last(t)
	if got, want := r.RequestURI, "/restapis/a%20b%2Fc/resources?embed=methods&embed=x&limit=500&mode=full"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if err := verify(r, "apigateway", "eu-west-1", false); err != nil {
		t.Error(err)
	}
}

func TestGreedyLabelKeepsItsSlashes(t *testing.T) {
	f := serve(t, text(`{}`))
	c := client(t, f.URL, Options{})
	ok(t, c, apigateway(), "PutThing", map[string]any{"name": "a/b {c}"})
	if got, want := f.last(t).URL.EscapedPath(), "/things/a/b%20%7Bc%7D"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

func TestFaultyInputIsNotSent(t *testing.T) {
	for name, tc := range map[string]struct {
		svc  *api.Service
		op   string
		in   map[string]any
		want string
	}{
		"missing label":   {apigateway(), "GetResources", nil, "missing member restApiId, which stands in the path"},
		"nil label":       {apigateway(), "GetResources", map[string]any{"restApiId": nil}, "missing member restApiId"},
		"empty label":     {apigateway(), "GetResources", map[string]any{"restApiId": ""}, "restApiId is empty"},
		"unknown":         {ec2(), "DescribeInstances", map[string]any{"InstanceId": "i"}, "unknown member InstanceId: DescribeInstancesRequest has InstanceIds, DryRun"},
		"unknown, nested": {ec2(), "DescribeInstances", map[string]any{"Filters": []any{map[string]any{"Nmae": "x"}}}, "unknown member Filters[0].Nmae"},
		"wrong type":      {ec2(), "DescribeInstances", map[string]any{"MaxResults": "many"}, "member MaxResults must be a 32-bit integer, not string"},
		"too large":       {ec2(), "DescribeInstances", map[string]any{"MaxResults": 1 << 40}, "member MaxResults must be a 32-bit integer"},
		"fraction":        {ec2(), "DescribeInstances", map[string]any{"MaxResults": 1.5}, "must be a 32-bit integer"},
		"scalar for list": {ec2(), "DescribeInstances", map[string]any{"InstanceIds": "i-1"}, "member InstanceIds must be a list, not string"},
		"list element":    {ec2(), "DescribeInstances", map[string]any{"InstanceIds": []any{1}}, "member InstanceIds[0] must be a string, not int"},
		"null element":    {ec2(), "DescribeInstances", map[string]any{"InstanceIds": []any{nil}}, "InstanceIds[0] must be a string"},
		"scalar for map":  {dynamodb(), "DescribeTable", map[string]any{"TableName": "t", "Tags": "x"}, "member Tags must be a map"},
		"bool":            {ec2(), "DescribeInstances", map[string]any{"DryRun": "perhaps"}, "member DryRun must be a boolean"},
		"time":            {iam(), "GetAccountAuthorizationDetails", map[string]any{"Since": "yesterday"}, "member Since must be a time"},
		"required":        {dynamodb(), "DescribeTable", nil, "missing member TableName"},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, text(""))
			c := client(t, f.URL, Options{})
			_, err := do(t, c, tc.svc, tc.op, tc.in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "in 123456789012/eu-west-1: "+tc.svc.Name+" "+tc.op+": ") {
				t.Errorf("error does not say where: %v", err)
			}
			if n := len(f.requests()); n != 0 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

func TestEC2Request(t *testing.T) {
	f := serve(t, text(instances))
	c := client(t, f.URL, Options{})
	ok(t, c, ec2(), "DescribeInstances", map[string]any{
		"InstanceIds": []string{"i-1", "i-2"}, "DryRun": false, "MaxResults": "1000",
		"Filters": []any{map[string]any{"Name": "instance-state-name", "Values": []any{"running", "stopped"}}},
	})
	wantForm(t, f.last(t).body, map[string]string{
		"Action": "DescribeInstances", "Version": "2016-11-15", "InstanceId.1": "i-1", "InstanceId.2": "i-2",
		"DryRun": "false", "MaxResults": "1000", "Filter.1.Name": "instance-state-name",
		"Filter.1.Value.1": "running", "Filter.1.Value.2": "stopped",
	})
}

func TestQueryRequest(t *testing.T) {
	f := serve(t, text(`<GetAccountAuthorizationDetailsResponse/>`))
	c := client(t, f.URL, Options{})
	ok(t, c, iam(), "GetAccountAuthorizationDetails", map[string]any{
		"Filter": []any{"Role", "User"}, "MaxItems": 1000.0, "Since": time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	})
	wantForm(t, f.last(t).body, map[string]string{
		"Action": "GetAccountAuthorizationDetails", "Version": "2010-05-08", "Filter.member.1": "Role", "Filter.member.2": "User",
		"MaxItems": "1000", "Since": "2026-01-02T03:04:05Z",
	})
}

func TestFlattenedListOfTheQueryProtocolIsNamedByItsElements(t *testing.T) {
	f := serve(t, text(`<GetQueueAttributesResponse/>`))
	c := client(t, f.URL, Options{})
	ok(t, c, sqsQuery(), "GetQueueAttributes", map[string]any{
		"QueueUrl": "https://q", "AttributeNames": []any{"All"}, "Attributes": map[string]any{"b": "2", "a": "1"},
	})
	wantForm(t, f.last(t).body, map[string]string{
		"Action": "GetQueueAttributes", "Version": "2012-11-05", "QueueUrl": "https://q", "AttributeName.1": "All",
		"Attribute.1.Name": "a", "Attribute.1.Value": "1", "Attribute.2.Name": "b", "Attribute.2.Value": "2",
	})
}

func wantForm(t *testing.T, body string, want map[string]string) {
	t.Helper()
	got, err := url.ParseQuery(body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range want {
		if got.Get(k) != v {
			t.Errorf("%s is %q, want %q", k, got.Get(k), v)
		}
		delete(got, k)
	}
	for k, v := range got {
		t.Errorf("unexpected %s=%q", k, v)
	}
}

func TestJSONRequest(t *testing.T) {
	f := serve(t, text(`{"Table":"x"}`))
	c := client(t, f.URL, Options{})
	ok(t, c, dynamodb(), "DescribeTable", map[string]any{
		"TableName": "t<1>", "Limit": int64(5), "Segment": "9007199254740993", "Consistent": "true", "After": 1767323045.5,
		"Blob": []byte{1, 2}, "Names": []any{"a"}, "Tags": map[string]string{"k": "v"},
		"Free": map[string]any{"a": []any{1, "x", nil, true}, "b": map[string]any{"c": 1.5}},
	})
	r := f.last(t)
	if got := r.Header.Get("X-Amz-Target"); got != "DynamoDB_20120810.DescribeTable" {
		t.Errorf("target %q", got)
	}
	if got := r.Header.Get("Content-Type"); got != "application/x-amz-json-1.0" {
		t.Errorf("content type %q", got)
	}
	want := `{"TableName":"t<1>","Limit":5,"Segment":9007199254740993,"Consistent":true,"After":1767323045.5,` +
		`"Blob":"AQI=","Names":["a"],"Free":{"a":[1,"x",null,true],"b":{"c":1.5}},"Tags":{"k":"v"}}`
	if r.body != want {
		t.Errorf("body\n got %s\nwant %s", r.body, want)
	}
}

func TestJSONRequestWithoutInputHasAnEmptyObject(t *testing.T) {
	f := serve(t, text(`{}`))
	c := client(t, f.URL, Options{})
	svc := dynamodb()
	svc.Operations["DescribeTable"].Input = nil
	ok(t, c, svc, "DescribeTable", nil)
	if b := f.last(t).body; b != "{}" {
		t.Errorf("body %q", b)
	}
	if _, err := do(t, c, svc, "DescribeTable", map[string]any{"x": 1}); err == nil || !strings.Contains(err.Error(), "takes no input") {
		t.Errorf("error %v", err)
	}
}

func TestRestJSONRequest(t *testing.T) {
	f := serve(t, text(`{}`))
	c := client(t, f.URL, Options{})
	ok(t, c, apigateway(), "PutThing", map[string]any{
		"name": "n", "kind": "k", "meta": map[string]any{"a": "1"}, "since": "2026-01-02T03:04:05Z",
	})
	r := f.last(t)
	if r.Method != "PUT" || r.Header.Get("X-Meta-A") != "1" || r.Header.Get("If-Modified-Since") != "Fri, 02 Jan 2026 03:04:05 GMT" {
		t.Errorf("%s %v", r.Method, r.Header)
	}
	if !strings.HasPrefix(r.body, `{"thingKind":"k","token":"`) {
		t.Errorf("body %s", r.body)
	}
}

func TestIdempotencyTokenIsTheSameForAllAttempts(t *testing.T) {
	f := serve(t, times(status(500, ""), text(`{}`)))
	c := client(t, f.URL, Options{})
	in := map[string]any{"name": "n"}
	ok(t, c, apigateway(), "PutThing", in)
	rs := f.requests()
	if len(rs) != 2 || rs[0].body != rs[1].body || !strings.Contains(rs[0].body, `"token":"`) {
		t.Errorf("%d requests, bodies differ or have no token", len(rs))
	}
	if len(in) != 1 {
		t.Errorf("the caller's input was changed: %v", in)
	}
	ok(t, c, apigateway(), "PutThing", in)
	if f.last(t).body == rs[0].body {
		t.Error("two calls have one token")
	}
}

func TestAPIGatewayIsAskedForJSON(t *testing.T) {
	f := serve(t, text(`{}`))
	c := client(t, f.URL, Options{})
	ok(t, c, apigateway(), "GetResources", map[string]any{"restApiId": "a"})
	if got := f.last(t).Header.Get("Accept"); got != "application/json" {
		t.Errorf("Accept %q", got)
	}
}

func TestGlacierIsToldItsVersion(t *testing.T) {
	f := serve(t, text(`{"VaultList":[]}`))
	c := client(t, f.URL, Options{})
	ok(t, c, glacier(), "ListVaults", map[string]any{"accountId": "-"})
	r := f.last(t)
	if r.Header.Get("X-Amz-Glacier-Version") != "2012-06-01" || r.URL.Path != "/-/vaults" {
		t.Errorf("%s %v", r.URL, r.Header)
	}
}

func TestHeadersOfTheRequestAreSent(t *testing.T) {
	f := serve(t, text(instances))
	c := client(t, f.URL, Options{UserAgent: "dewpoint/test"})
	svc := ec2()
	resp, err := c.Do(t.Context(), Request{
		Account: account(), Region: "eu-west-1", Service: svc, Op: svc.Operations["DescribeInstances"],
		Header: http.Header{"x-extra": {"1"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	r := f.last(t)
	if r.Header.Get("X-Extra") != "1" || r.Header.Get("User-Agent") != "dewpoint/test" || !strings.Contains(r.Header.Get("Authorization"), "x-extra") {
		t.Errorf("headers %v", r.Header)
	}
}

func TestS3IsSignedWithItsPathAsItIs(t *testing.T) {
	f := serve(t, text(""))
	c := client(t, f.URL, Options{})
	ok(t, c, s3(), "HeadObject", map[string]any{"Bucket": "my.bucket", "Key": "a b/ü+c"})
	r := f.last(t)
	if got, want := r.RequestURI, "/my.bucket/a%20b/%C3%BC%2Bc"; got != want {
		t.Errorf("asked %s, want %s: path style", got, want)
	}
	if r.Header.Get("X-Amz-Content-Sha256") != sha("") {
		t.Errorf("content hash %q", r.Header.Get("X-Amz-Content-Sha256"))
	}
	if err := verify(r, "s3", "eu-west-1", true); err != nil {
		t.Error(err)
	}
	if err := verify(r, "s3", "eu-west-1", false); err == nil {
		t.Error("the signature escapes the path twice")
	}
}

func TestS3Subresource(t *testing.T) {
	f := serve(t, text(`<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`))
	c := client(t, f.URL, Options{})
	ok(t, c, s3(), "GetBucketLocation", map[string]any{"Bucket": "b", "ExpectedBucketOwner": "1"})
	r := f.last(t)
	if r.RequestURI != "/b?location=" || r.Header.Get("X-Amz-Expected-Bucket-Owner") != "1" {
		t.Errorf("%s %v", r.RequestURI, r.Header)
	}
	if err := verify(r, "s3", "eu-west-1", true); err != nil {
		t.Error(err)
	}
}

func TestRestXMLPayload(t *testing.T) {
	f := serve(t, text(""))
	c := client(t, f.URL, Options{})
	ok(t, c, s3(), "PutBucketTagging", map[string]any{"Bucket": "b", "Tagging": map[string]any{
		"TagSet": []any{map[string]any{"Key": "k", "Value": "<v>"}},
	}})
	r := f.last(t)
	want := `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>k</Key><Value>&lt;v&gt;</Value></Tag></TagSet></Tagging>`
	if r.body != want || r.Header.Get("Content-Type") != "application/xml" {
		t.Errorf("%s body\n got %s\nwant %s", r.Header.Get("Content-Type"), r.body, want)
	}
}

func TestRestXMLRootElement(t *testing.T) {
	f := serve(t, text("<CreateHostedZoneResponse/>"))
	c := client(t, f.URL, Options{})
	ok(t, c, route53(), "CreateHostedZone", map[string]any{"Name": "example.org", "CallerReference": "1"})
	want := `<CreateHostedZoneRequest xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><Name>example.org</Name><CallerReference>1</CallerReference></CreateHostedZoneRequest>`
	if b := f.last(t).body; b != want {
		t.Errorf("body\n got %s\nwant %s", b, want)
	}
}

func TestRecursiveShapes(t *testing.T) {
	expr := structure("Expression")
	expr.Members = []api.Member{member("And", list(expr, "")), member("Dimension", str()), member("Not", expr)}
	svc := dynamodb()
	op := svc.Operations["DescribeTable"]
	op.Input = structure("Input", member("Filter", expr))
	f := serve(t, text(`{}`))
	c := client(t, f.URL, Options{})
	ok(t, c, svc, "DescribeTable", map[string]any{"Filter": map[string]any{
		"And": []any{map[string]any{"Dimension": "a"}, map[string]any{"Not": map[string]any{"Dimension": "b"}}},
	}})
	if b, want := f.last(t).body, `{"Filter":{"And":[{"Dimension":"a"},{"Not":{"Dimension":"b"}}]}}`; b != want {
		t.Errorf("body\n got %s\nwant %s", b, want)
	}
}

func TestCBORRequest(t *testing.T) {
	svc := dynamodb()
	svc.Protocol, svc.TargetPrefix = "smithy-rpc-v2-cbor", "Thing"
	f := serve(t, text("\xa1\x65Table\x61x"))
	c := client(t, f.URL, Options{})
	if got := ok(t, c, svc, "DescribeTable", map[string]any{"TableName": "t"}); got != `{"Table":"x"}` {
		t.Errorf("body %q", got)
	}
	r := f.last(t)
	if r.URL.Path != "/service/Thing/operation/DescribeTable" || r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		t.Errorf("%s %v", r.URL, r.Header)
	}
	if want := "\xbf\x69TableName\x61t\xff"; r.body != want && r.body != "\xa1\x69TableName\x61t" {
		t.Errorf("body %x", r.body)
	}
}
