package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

// estate starts an AWS with a few resources in two regions of one account.
func estate() *awsfake.Server {
	s := awsfake.New(awsfake.Options{Accounts: []awsfake.Account{{ID: "111122223333", Name: "example"}}})
	at := time.Date(2026, 1, 15, 8, 0, 0, 0, time.UTC)
	tags := func(owner string) []any {
		return []any{map[string]any{"Key": "Name", "Value": "web"}, map[string]any{"Key": "owner", "Value": owner}}
	}
	for _, region := range []string{"us-east-1", "eu-west-1"} {
		p := awsfake.Place{Region: region}
		vpc, subnet := "vpc-"+region, "subnet-"+region
		s.Put(p, "ec2.DescribeVpcs", map[string]any{"VpcId": vpc, "CidrBlock": "10.0.0.0/16", "State": "available", "OwnerId": "111122223333"})
		s.Put(p, "ec2.DescribeSubnets", map[string]any{
			"SubnetId": subnet, "VpcId": vpc, "CidrBlock": "10.0.1.0/24", "OwnerId": "111122223333",
			"SubnetArn": "arn:aws:ec2:" + region + ":111122223333:subnet/" + subnet,
		})
		var instances []any
		for i := range 3 {
			instances = append(instances, map[string]any{
				"InstanceId": fmt.Sprintf("i-%s-%d", region, i), "InstanceType": "m5.large", "LaunchTime": at.Add(time.Duration(i) * time.Hour),
				"State": map[string]any{"Name": "running", "Code": 16}, "VpcId": vpc, "SubnetId": subnet, "Tags": tags("ann"),
			})
		}
		s.Put(p, "ec2.DescribeInstances", map[string]any{"ReservationId": "r-1", "OwnerId": "111122223333", "Instances": instances})
		s.Put(p, "ec2.DescribeVolumes", map[string]any{
			"VolumeId": "vol-" + region, "Size": 100, "VolumeType": "gp3", "State": "available", "CreateTime": at, "Tags": tags("bob"),
		})
	}
	s.Put(awsfake.Place{Region: "us-east-1"}, "s3.ListBuckets", map[string]any{"Name": "logs", "CreationDate": at, "BucketRegion": "us-east-1"})
	s.Handle(awsfake.Place{}, "s3.GetBucketTagging", func(*awsfake.Request) (map[string]any, error) {
		return map[string]any{"TagSet": tags("carol")}, nil
	})
	for op, code := range map[string]string{
		"s3.GetBucketPolicy": "NoSuchBucketPolicy", "s3.GetPublicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
		"s3control.GetPublicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
	} {
		s.Handle(awsfake.Place{}, op, func(*awsfake.Request) (map[string]any, error) {
			return nil, &awsfake.Error{Code: code, Status: 404}
		})
	}
	for _, op := range []string{"s3.GetBucketVersioning", "iam.GetAccountSummary"} {
		s.Handle(awsfake.Place{}, op, func(*awsfake.Request) (map[string]any, error) { return map[string]any{}, nil })
	}
	return s
}

// withEstate gives a script or a page the credentials of an estate.
func withEstate(t testing.TB, set func(key, value string)) *awsfake.Server {
	s := estate()
	t.Cleanup(s.Close)
	set("AWS_ENDPOINT_URL", s.URL)
	set("AWS_ACCESS_KEY_ID", "AKIA111122223333")
	set("AWS_SECRET_ACCESS_KEY", "secret")
	set("AWS_REGION", "us-east-1")
	return s
}

type serverKey struct{}

// awsCommand lays faults over the estate of a script:
//
//	aws start
//	aws deny ec2.DescribeVolumes
//	aws html ec2.DescribeVpcs
//	aws hang ec2.DescribeInstances
//	aws slow ec2.DescribeInstances 2s
//	aws fail sts.GetCallerIdentity InvalidClientTokenId
//	aws newer
//	aws heal
func awsCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: aws start|newer|heal|deny|html|hang|slow|fail [OPERATION] [DELAY|CODE]")
	}
	if args[0] == "start" {
		s := estate()
		ts.Defer(s.Close)
		ts.Setenv("AWS_ENDPOINT_URL", s.URL)
		ts.Setenv("AWS_ACCESS_KEY_ID", "AKIA111122223333")
		ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		ts.Setenv("AWS_REGION", "us-east-1")
		*ts.Value(serverKey{}).(**awsfake.Server) = s
		return
	}
	s := *ts.Value(serverKey{}).(**awsfake.Server)
	if args[0] == "newer" {
		n := newer(ts, s.URL)
		ts.Defer(n.Close)
		ts.Setenv("AWS_ENDPOINT_URL", n.URL)
		return
	}
	if args[0] == "heal" {
		s.Heal()
		return
	}
	f := awsfake.Fault{Op: args[1], Kind: map[string]awsfake.FaultKind{
		"deny": awsfake.Deny, "html": awsfake.HTML, "hang": awsfake.Timeout, "slow": awsfake.Slow, "fail": awsfake.Fail,
	}[args[0]]}
	if f.Kind == 0 {
		ts.Fatalf("unknown fault %s", args[0])
	}
	switch {
	case f.Kind == awsfake.Fail:
		f.Code, f.Status, f.Message = args[2], 403, "The security token included in the request is invalid."
	case f.Kind == awsfake.Slow:
		d, err := time.ParseDuration(args[2])
		ts.Check(err)
		f.Delay = d
	}
	s.Inject(f)
}

// newer is a cloud that sends a member which its description lacks.
func newer(ts *testscript.TestScript, address string) *httptest.Server {
	cloud, err := url.Parse(address)
	ts.Check(err)
	p := httputil.NewSingleHostReverseProxy(cloud)
	p.ModifyResponse = func(r *http.Response) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		body = bytes.ReplaceAll(body, []byte("<vpcId>"), []byte("<novelty>new</novelty><vpcId>"))
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	return httptest.NewServer(p)
}

// waitFor waits until an operation has been answered so often: waitfor OPERATION N.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: waitfor OPERATION N")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	s := *ts.Value(serverKey{}).(**awsfake.Server)
	for range 1000 {
		if s.Calls(args[0]) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s was called %d times, not %d", args[0], s.Calls(args[0]), n)
}
