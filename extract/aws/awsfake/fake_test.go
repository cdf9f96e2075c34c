package awsfake_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// call is a request by hand.
type call struct {
	method, path, service, region, key string
	header                             map[string]string
	body                               string
	date                               time.Time
	client                             *http.Client
	host                               string
}

// send signs and sends a call and returns the answer with its body.
func send(t *testing.T, s *awsfake.Server, c call) (*http.Response, string, error) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodPost
	}
	if c.path == "" {
		c.path = "/"
	}
	if c.region == "" {
		c.region = "us-east-1"
	}
	if c.key == "" {
		c.key = "AKIAEXAMPLE"
	}
	if c.date.IsZero() {
		c.date = time.Now()
	}
	if c.client == nil {
		c.client = http.DefaultClient
	}
	base := s.URL
	if c.host != "" {
		base = "https://" + c.host
	}
	r, err := http.NewRequest(c.method, base+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range c.header {
		r.Header.Set(k, v)
	}
	if c.service != "" {
		sum := sha256.Sum256([]byte(c.body))
		err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: c.key, SecretAccessKey: "s"}, r,
			hex.EncodeToString(sum[:]), c.service, c.region, c.date)
		if err != nil {
			t.Fatal(err)
		}
	}
	res, err := c.client.Do(r)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, string(body), err
}

func ec2(params string) call {
	return form("ec2", "2016-11-15", params)
}

func form(service, version, params string) call {
	return call{
		service: service, body: "Version=" + version + "&Action=" + params,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
	}
}

func target(service, target, body string) call {
	return call{service: service, body: body, header: map[string]string{"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.0"}}
}

func get(service, path string) call {
	return call{method: http.MethodGet, service: service, path: path}
}

func server(t *testing.T, o awsfake.Options) *awsfake.Server {
	t.Helper()
	s := awsfake.New(o)
	t.Cleanup(s.Close)
	return s
}

func TestProtocols(t *testing.T) {
	s := server(t, awsfake.Options{})
	at := time.Date(2024, 2, 3, 4, 5, 6, 0, time.UTC)
	s.Put(awsfake.Place{}, "ec2.DescribeInstances", map[string]any{"Instances": []map[string]any{{"InstanceId": "i-1", "LaunchTime": at, "Tags": []any{}}}})
	s.Put(awsfake.Place{}, "iam.ListUsers", map[string]any{"UserName": "a<b", "CreateDate": at})
	s.Put(awsfake.Place{}, "dynamodb.ListTables")
	s.PutList(awsfake.Place{}, "dynamodb.ListTables", awsfake.List{Items: []any{"t1", "t2"}})
	s.Put(awsfake.Place{}, "lambda.ListFunctions", map[string]any{"FunctionName": "f", "MemorySize": 128})
	s.Put(awsfake.Place{}, "s3.ListBuckets", map[string]any{"Name": "b", "CreationDate": at})
	s.Put(awsfake.Place{}, "cloudfront.ListDistributions", map[string]any{"Id": "E1"})
	s.Handle(awsfake.Place{}, "s3.GetBucketTagging", func(r *awsfake.Request) (map[string]any, error) {
		if r.Text("Bucket") != "b" {
			return nil, &awsfake.Error{Code: "NoSuchTagSet", Message: "none", Status: 404}
		}
		return map[string]any{"TagSet": []any{map[string]any{"Key": "k", "Value": "v"}}}, nil
	})
	s.Handle(awsfake.Place{}, "s3.GetBucketPolicy", func(r *awsfake.Request) (map[string]any, error) {
		return map[string]any{"Policy": `{"Version":1}`}, nil
	})
	s.Handle(awsfake.Place{}, "s3.GetBucketLocation", func(r *awsfake.Request) (map[string]any, error) {
		return map[string]any{"LocationConstraint": "eu-west-1"}, nil
	})
	s.Handle(awsfake.Place{}, "cloudfront.GetDistribution", func(r *awsfake.Request) (map[string]any, error) {
		return map[string]any{"Distribution": map[string]any{"Id": r.Text("Id")}, "ETag": "E9"}, nil
	})
	for _, c := range []struct {
		call call
		op   string
		want string
	}{
		{ec2("DescribeInstances"), "ec2.DescribeInstances", `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15"><requestId>0</requestId><reservationSet><item>` +
			`<instancesSet><item><tagSet></tagSet><instanceId>i-1</instanceId><launchTime>2024-02-03T04:05:06Z</launchTime></item></instancesSet></item></reservationSet></DescribeInstancesResponse>`},
		{form("iam", "2010-05-08", "ListUsers"), "iam.ListUsers", `<ListUsersResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><ListUsersResult><Users><member>` +
			`<UserName>a&lt;b</UserName><CreateDate>2024-02-03T04:05:06Z</CreateDate></member></Users><IsTruncated>false</IsTruncated></ListUsersResult><ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></ListUsersResponse>`},
		{target("dynamodb", "DynamoDB_20120810.ListTables", "{}"), "dynamodb.ListTables", `{"TableNames":["t1","t2"]}`},
		{get("lambda", "/2015-03-31/functions"), "lambda.ListFunctions", `{"Functions":[{"FunctionName":"f","MemorySize":128}]}`},
		{get("s3", "/"), "s3.ListBuckets", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + `<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets><Bucket><Name>b</Name><CreationDate>2024-02-03T04:05:06Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`},
		{get("s3", "/b?tagging"), "s3.GetBucketTagging", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>`},
		{get("s3", "/b?policy"), "s3.GetBucketPolicy", `{"Version":1}`},
		{get("s3", "/b?location"), "s3.GetBucketLocation", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>`},
		{get("cloudfront", "/2020-05-31/distribution"), "cloudfront.ListDistributions", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + `<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><IsTruncated>false</IsTruncated><Quantity>1</Quantity><Items><DistributionSummary><Id>E1</Id></DistributionSummary></Items></DistributionList>`},
		{get("cloudfront", "/2020-05-31/distribution/E%2F7"), "cloudfront.GetDistribution", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + `<Distribution xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Id>E/7</Id></Distribution>`},
	} {
		before := s.Calls(c.op)
		res, body, err := send(t, s, c.call)
		if err != nil || res.StatusCode != 200 || body != c.want {
			t.Errorf("%s: %v %v\n%s\nwant\n%s", c.op, res.StatusCode, err, body, c.want)
		}
		if s.Calls(c.op) != before+1 {
			t.Errorf("%s was not counted", c.op)
		}
		if c.op == "cloudfront.GetDistribution" && res.Header.Get("ETag") != "E9" {
			t.Error(res.Header)
		}
	}
	res, body, _ := send(t, s, get("s3", "/other?tagging"))
	if res.StatusCode != 404 || !strings.Contains(body, "<Code>NoSuchTagSet</Code>") {
		t.Error(res.StatusCode, body)
	}
	if b := s.Broken(); len(b) > 0 {
		t.Error(b)
	}
}

func TestRefusesWhatAWSWouldRefuse(t *testing.T) {
	s := server(t, awsfake.Options{Regions: []awsfake.Region{{Name: "us-east-1"}, {Name: "me-south-1", Disabled: true}}})
	for name, c := range map[string]struct {
		call   call
		status int
		want   string
	}{
		"unsigned":         {call{method: "GET", path: "/2015-03-31/functions"}, 404, "unknown operation"},
		"unsigned query":   {call{body: "Action=ListUsers&Version=2010-05-08", header: ec2("").header}, 403, "MissingAuthenticationToken"},
		"unfilled label":   {get("apigateway", "/restapis/%7Brestapi_id%7D/resources"), 400, "unfilled label"},
		"unknown action":   {ec2("DescribeNothing"), 404, "unknown operation"},
		"unknown param":    {ec2("DescribeInstances&Colour=red"), 400, "has no Colour"},
		"unknown member":   {target("dynamodb", "DynamoDB_20120810.ListTables", `{"Colour":1}`), 400, "has no Colour"},
		"unknown query":    {get("lambda", "/2015-03-31/functions?Colour=red"), 400, "has no Colour"},
		"limit too large":  {ec2("DescribeInstances&MaxResults=5&InstanceId.1=i-1"), 400, "InvalidParameterCombination"},
		"limit below":      {target("dynamodb", "DynamoDB_20120810.ListTables", `{"Limit":1000}`), 400, "out of range"},
		"wrong token":      {ec2("DescribeInstances&NextToken=x"), 400, "InvalidNextToken"},
		"no data":          {get("s3", "/b?policy"), 400, "awsfake has no data"},
		"disabled, ec2":    {call{service: "ec2", region: "me-south-1", body: ec2("DescribeInstances").body, header: ec2("").header}, 401, "AuthFailure"},
		"disabled, lambda": {call{method: "GET", service: "lambda", region: "me-south-1", path: "/2015-03-31/functions"}, 400, "security token"},
		"old":              {call{service: "ec2", date: time.Now().Add(-time.Hour), body: ec2("DescribeInstances").body, header: ec2("").header}, 403, "RequestExpired"},
	} {
		res, body, err := send(t, s, c.call)
		if err != nil || res.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %v %v %s, want %d %s", name, res.StatusCode, err, body, c.status, c.want)
		}
	}
	if len(s.Broken()) == 0 {
		t.Error("nothing is reported")
	}
}

// pages walks a list by the token that next finds in a body.
func pages(t *testing.T, s *awsfake.Server, first call, next func(body string) (call, bool)) (bodies []string) {
	t.Helper()
	for c, ok := first, true; ok; c, ok = next(bodies[len(bodies)-1]) {
		res, body, err := send(t, s, c)
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("%v %v %s", res.StatusCode, err, body)
		}
		if bodies = append(bodies, body); len(bodies) > 20 {
			t.Fatal("no end")
		}
	}
	return bodies
}

func between(body, tag string) string {
	m := regexp.MustCompile("<" + tag + ">([^<]*)</" + tag + ">").FindStringSubmatch(body)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestPages(t *testing.T) {
	s := server(t, awsfake.Options{PageSize: 1})
	for _, op := range []string{"ec2.DescribeVpcs", "cloudfront.ListDistributions", "route53.ListResourceRecordSets", "events.ListEventBuses", "s3.ListObjects", "route53.ListHostedZones"} {
		key := map[string]string{"ec2.DescribeVpcs": "VpcId", "cloudfront.ListDistributions": "Id", "s3.ListObjects": "Key"}[op]
		if key == "" {
			key = "Name"
		}
		s.PutList(awsfake.Place{}, op, awsfake.List{Len: 3, At: func(i int) any { return map[string]any{key: fmt.Sprint("n", i)} }})
	}
	check := func(name string, bodies []string) {
		t.Helper()
		if len(bodies) != 3 {
			t.Errorf("%s: %d pages", name, len(bodies))
		}
		for i, b := range bodies {
			if !strings.Contains(b, fmt.Sprint("n", i)) {
				t.Errorf("%s, page %d: %s", name, i, b)
			}
		}
	}
	check("token", pages(t, s, ec2("DescribeVpcs"), func(b string) (call, bool) {
		token := between(b, "nextToken")
		return ec2("DescribeVpcs&NextToken=" + url.QueryEscape(token)), token != ""
	}))
	check("nested", pages(t, s, get("cloudfront", "/2020-05-31/distribution"), func(b string) (call, bool) {
		return get("cloudfront", "/2020-05-31/distribution?Marker="+url.QueryEscape(between(b, "NextMarker"))), between(b, "IsTruncated") == "true"
	}))
	check("three parts", pages(t, s, get("route53", "/2013-04-01/hostedzone/Z1/rrset"), func(b string) (call, bool) {
		q := url.Values{"name": {between(b, "NextRecordName")}, "type": {between(b, "NextRecordType")}}
		if id := between(b, "NextRecordIdentifier"); id != "" {
			q.Set("identifier", id)
		}
		return get("route53", "/2013-04-01/hostedzone/Z1/rrset?"+q.Encode()), between(b, "IsTruncated") == "true"
	}))
	check("last key", pages(t, s, get("s3", "/b"), func(b string) (call, bool) {
		return get("s3", "/b?marker="+url.QueryEscape(between(b, "Key"))), between(b, "IsTruncated") == "true"
	}))
	check("without pager", pages(t, s, target("events", "AWSEvents.ListEventBuses", "{}"), func(b string) (call, bool) {
		var out struct{ NextToken string }
		if err := json.Unmarshal([]byte(b), &out); err != nil {
			t.Fatal(err)
		}
		return target("events", "AWSEvents.ListEventBuses", fmt.Sprintf(`{"NextToken":%q}`, out.NextToken)), out.NextToken != ""
	}))
	_, body, _ := send(t, s, get("route53", "/2013-04-01/hostedzone/Z1/rrset?name=t2"))
	if !strings.Contains(body, "InvalidNextToken") {
		t.Errorf("a part of a token passes: %s", body)
	}
	s.PutList(awsfake.Place{}, "sqs.ListQueues", awsfake.List{Items: []any{"a", "b"}})
	if _, body, _ := send(t, s, target("sqs", "AmazonSQS.ListQueues", "{}")); body != `{"QueueUrls":["a"]}` {
		t.Errorf("SQS tells of more: %s", body)
	}
	if _, body, _ := send(t, s, target("sqs", "AmazonSQS.ListQueues", `{"MaxResults":1000}`)); !strings.Contains(body, "NextToken") {
		t.Errorf("SQS tells of no more: %s", body)
	}
}

func TestAccounts(t *testing.T) {
	s := server(t, awsfake.Options{Accounts: []awsfake.Account{{ID: "111111111111", Name: "main"}, {ID: "222222222222"}, {ID: "333333333333", Status: "SUSPENDED"}}})
	s.Put(awsfake.Place{}, "ec2.DescribeVpcs", map[string]any{"VpcId": "any"})
	s.Put(awsfake.Place{Account: "222222222222"}, "ec2.DescribeVpcs", map[string]any{"VpcId": "second"})
	s.Put(awsfake.Place{Account: "222222222222", Region: "eu-west-1"}, "ec2.DescribeVpcs", map[string]any{"VpcId": "second, eu"})
	assume := form("sts", "2011-06-15", "AssumeRole&RoleSessionName=x&RoleArn="+url.QueryEscape("arn:aws:iam::222222222222:role/path/reader"))
	res, body, err := send(t, s, assume)
	key := between(body, "AccessKeyId")
	if err != nil || !strings.HasPrefix(key, "ASIA222222222222") {
		t.Fatal(res.StatusCode, body)
	}
	id := form("sts", "2011-06-15", "GetCallerIdentity")
	id.key = key
	if _, body, _ := send(t, s, id); between(body, "Account") != "222222222222" || between(body, "Arn") != "arn:aws:sts::222222222222:assumed-role/reader/session" {
		t.Error(body)
	}
	for _, c := range []struct{ key, region, want string }{
		{"AKIAEXAMPLE", "us-east-1", "any"}, {key, "us-east-1", "second"}, {key, "eu-west-1", "second, eu"},
	} {
		r := ec2("DescribeVpcs")
		r.key, r.region = c.key, c.region
		if _, body, _ := send(t, s, r); between(body, "vpcId") != c.want {
			t.Errorf("%+v: %s", c, body)
		}
	}
	list := target("organizations", "AWSOrganizationsV20161128.ListAccounts", "{}")
	if _, body, _ := send(t, s, list); strings.Count(body, `"Id":`) != 3 || !strings.Contains(body, `"SUSPENDED"`) {
		t.Error(body)
	}
	list.key = key
	if _, body, _ := send(t, s, list); !strings.Contains(body, "AccessDeniedException") {
		t.Error(body)
	}
	if _, body, _ := send(t, s, form("sts", "2011-06-15", "AssumeRole&RoleSessionName=x&RoleArn=arn:aws:iam::999999999999:role/r")); !strings.Contains(body, "AccessDenied") {
		t.Error(body)
	}
	_, body, _ = send(t, s, ec2("DescribeRegions&AllRegions=true"))
	if !strings.Contains(body, "<regionName>eu-west-1</regionName>") {
		t.Error(body)
	}
	last := s.Requests()
	if i := slices.IndexFunc(last, func(r awsfake.Request) bool { return r.Role != "" }); i < 0 || last[i].Account != "222222222222" {
		t.Error("the role is not known")
	}
}

func TestFaults(t *testing.T) {
	vpcs := ec2("DescribeVpcs")
	for name, c := range map[string]struct {
		fault awsfake.Fault
		call  call
		want  string // in the body or the error
		code  int
	}{
		"throttle ec2":  {awsfake.Fault{Kind: awsfake.Throttle}, vpcs, "RequestLimitExceeded", 503},
		"throttle json": {awsfake.Fault{Kind: awsfake.Throttle}, target("dynamodb", "DynamoDB_20120810.ListTables", "{}"), "ThrottlingException", 400},
		"throttle rest": {awsfake.Fault{Kind: awsfake.Throttle}, get("lambda", "/2015-03-31/functions"), "Rate exceeded", 429},
		"throttle s3":   {awsfake.Fault{Kind: awsfake.Throttle}, get("s3", "/"), "SlowDown", 503},
		"deny":          {awsfake.Fault{Kind: awsfake.Deny, Op: "ec2.DescribeVpcs"}, vpcs, "not authorized to perform: ec2:DescribeVpcs", 403},
		"deny resource": {awsfake.Fault{Kind: awsfake.Deny, Op: "kms.", Resource: "key-1"}, target("kms", "TrentService.DescribeKey", `{"KeyId":"key-1"}`), "AccessDeniedException", 400},
		"fail":          {awsfake.Fault{Kind: awsfake.Fail, Code: "Odd", Status: 418}, vpcs, "Odd", 418},
		"reset":         {awsfake.Fault{Kind: awsfake.Reset}, vpcs, "EOF", 0},
		"reset after":   {awsfake.Fault{Kind: awsfake.Reset, After: 20}, vpcs, "unexpected EOF", 0},
		"timeout":       {awsfake.Fault{Kind: awsfake.Timeout}, vpcs, "deadline", 0},
		"slow":          {awsfake.Fault{Kind: awsfake.Slow, Delay: time.Second}, vpcs, "deadline", 0},
		"html":          {awsfake.Fault{Kind: awsfake.HTML}, vpcs, "<!DOCTYPE html>", 200},
		"garbage":       {awsfake.Fault{Kind: awsfake.Garbage}, vpcs, "</DescribeVpcsResponse><x>{", 200},
		"error 200":     {awsfake.Fault{Kind: awsfake.Error200}, get("s3", "/"), "<Error><Code>InternalError", 200},
		"empty":         {awsfake.Fault{Kind: awsfake.EmptyBody}, vpcs, "", 200},
		"repeat":        {awsfake.Fault{Kind: awsfake.RepeatToken}, vpcs, "<nextToken>", 200},
		"missing token": {awsfake.Fault{Kind: awsfake.MissingToken}, form("iam", "2010-05-08", "ListUsers"), "<IsTruncated>true</IsTruncated></ListUsersResult>", 200},
		"elsewhere":     {awsfake.Fault{Kind: awsfake.Deny, Region: "eu-west-1"}, vpcs, "vpc-1", 200},
		"second only":   {awsfake.Fault{Kind: awsfake.Deny, Every: 2}, vpcs, "vpc-1", 200},
	} {
		t.Run(name, func(t *testing.T) {
			s := server(t, awsfake.Options{})
			s.Put(awsfake.Place{}, "ec2.DescribeVpcs", map[string]any{"VpcId": "vpc-1"})
			s.Inject(c.fault)
			c.call.client = &http.Client{Timeout: 200 * time.Millisecond}
			res, body, err := send(t, s, c.call)
			if c.code == 0 {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v %s", err, body)
				}
				return
			}
			if err != nil || res.StatusCode != c.code || !strings.Contains(body, c.want) {
				t.Errorf("%v %v %s", res, err, body)
			}
			s.Heal()
			if c.call.service == "ec2" {
				if _, body, err := send(t, s, c.call); err != nil || !strings.Contains(body, "vpc-1") {
					t.Errorf("healed: %v %s", err, body)
				}
			}
		})
	}
}

func TestFaultsCount(t *testing.T) {
	s := server(t, awsfake.Options{})
	s.Inject(awsfake.Fault{Kind: awsfake.Throttle, Every: 3})
	var got []int
	for range 7 {
		res, _, _ := send(t, s, ec2("DescribeVpcs"))
		got = append(got, res.StatusCode)
	}
	if want := []int{200, 200, 503, 200, 200, 503, 200}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s.Heal()
	s.Inject(awsfake.Fault{Kind: awsfake.Truncate, Times: 1})
	_, half, _ := send(t, s, ec2("DescribeVpcs"))
	_, whole, _ := send(t, s, ec2("DescribeVpcs"))
	if half == whole || !strings.HasPrefix(whole, half) {
		t.Errorf("%q %q", half, whole)
	}
}

func TestTransportKeepsTheHost(t *testing.T) {
	s := server(t, awsfake.Options{})
	c := ec2("DescribeVpcs")
	c.client = &http.Client{Transport: s.Transport("*.eu-south-2.amazonaws.com")}
	c.host = "ec2.us-east-1.amazonaws.com"
	if _, _, err := send(t, s, c); err != nil {
		t.Fatal(err)
	}
	if r := s.Requests(); len(r) != 1 || r[0].Host != c.host {
		t.Errorf("%+v", r)
	}
	c.host = "ec2.eu-south-2.amazonaws.com"
	var dns *net.DNSError
	if _, _, err := send(t, s, c); !errors.As(err, &dns) || !dns.IsNotFound {
		t.Error(err)
	}
}

func TestClosesWhileCallsHang(t *testing.T) {
	s := awsfake.New(awsfake.Options{})
	s.Inject(awsfake.Fault{Kind: awsfake.Timeout})
	done := make(chan error, 1)
	go func() {
		r, _ := http.NewRequest(http.MethodPost, s.URL, bytes.NewReader(nil))
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=A/20240101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
		r.Header.Set("X-Amz-Target", "DynamoDB_20120810.ListTables")
		res, err := http.DefaultClient.Do(r)
		if err == nil {
			res.Body.Close()
		}
		done <- err
	}()
	time.Sleep(50 * time.Millisecond)
	s.Close()
	if err := <-done; err == nil {
		t.Error("it was answered")
	}
}
