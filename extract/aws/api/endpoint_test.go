package api_test

import (
	"strings"
	"testing"

	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
)

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		op, region string
		o          awsapi.EndpointOptions
		want       awsapi.Endpoint
	}{
		{"ec2.DescribeInstances", "eu-west-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://ec2.eu-west-1.amazonaws.com", "ec2", "eu-west-1"}},
		{"ec2.DescribeInstances", "eu-west-9", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://ec2.eu-west-9.amazonaws.com", "ec2", "eu-west-9"}},
		{"ec2.DescribeInstances", "cn-north-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://ec2.cn-north-1.amazonaws.com.cn", "ec2", "cn-north-1"}},
		{"ec2.DescribeInstances", "eusc-de-east-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://ec2.eusc-de-east-1.amazonaws.eu", "ec2", "eusc-de-east-1"}},
		{"ec2.DescribeInstances", "us-east-1", awsapi.EndpointOptions{FIPS: true}, awsapi.Endpoint{"https://ec2-fips.us-east-1.amazonaws.com", "ec2", "us-east-1"}},
		{"ec2.DescribeInstances", "us-east-1", awsapi.EndpointOptions{DualStack: true}, awsapi.Endpoint{"https://ec2.us-east-1.api.aws", "ec2", "us-east-1"}},
		{"iam.ListUsers", "eu-west-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://iam.amazonaws.com", "iam", "us-east-1"}},
		{"iam.ListUsers", "us-gov-east-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://iam.us-gov.amazonaws.com", "iam", "us-gov-west-1"}},
		{"s3.ListBuckets", "us-east-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://s3.us-east-1.amazonaws.com", "s3", "us-east-1"}},
		{"s3.ListDirectoryBuckets", "us-east-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://s3express-control.us-east-1.amazonaws.com", "s3express", "us-east-1"}},
		{"s3control.ListAccessPoints", "us-west-2", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://s3-control.us-west-2.amazonaws.com", "s3", "us-west-2"}},
		{"acm.ListCertificates", "us-east-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://acm.us-east-1.amazonaws.com", "acm", "us-east-1"}},
		{"dynamodb.ListTables", "us-east-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://dynamodb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"}},
		{"dynamodb.ListTables", "us-east-1", awsapi.EndpointOptions{AccountID: "111122223333"}, awsapi.Endpoint{"https://111122223333.ddb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"}},
		{"sts.GetCallerIdentity", "eu-west-1", awsapi.EndpointOptions{}, awsapi.Endpoint{"https://sts.eu-west-1.amazonaws.com", "sts", "eu-west-1"}},
	} {
		service, name, _ := strings.Cut(c.op, ".")
		s, op := lookup(t, service, name)
		got, err := awsapi.EndpointOf(s, op, c.region, c.o)
		if err != nil || got != c.want {
			t.Errorf("%s in %s %+v: %+v %v, want %+v", c.op, c.region, c.o, got, err, c.want)
		}
	}
	s, _ := lookup(t, "ec2", "DescribeInstances")
	for _, region := range []string{"", "global", "aws", "nowhere-1x"} {
		if e, err := awsapi.EndpointOf(s, nil, region, awsapi.EndpointOptions{}); err == nil {
			t.Errorf("%q: %+v", region, e)
		}
	}
	s, _ = lookup(t, "s3", "ListBuckets")
	if e, err := awsapi.EndpointOf(s, nil, "cn-north-1", awsapi.EndpointOptions{FIPS: true}); err == nil || !strings.Contains(err.Error(), "does not support FIPS") {
		t.Errorf("%+v %v", e, err)
	}
}

func TestPartitions(t *testing.T) {
	if n := len(awsapi.Partitions()); n != 8 {
		t.Errorf("%d partitions", n)
	}
	for region, want := range map[string]string{
		"us-east-1": "aws", "us-gov-west-1": "aws-us-gov", "us-iso-east-1": "aws-iso", "us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e", "us-isof-south-1": "aws-iso-f", "cn-north-1": "aws-cn", "eusc-de-east-1": "aws-eusc",
		"ap-new-7": "aws", "aws-cn": "aws-cn",
	} {
		if p := awsapi.PartitionOf(region); p == nil || p.Name != want {
			t.Errorf("%s: %+v, want %s", region, p, want)
		}
	}
	if p := awsapi.PartitionOf("mars"); p != nil {
		t.Error(p)
	}
}

func TestPresence(t *testing.T) {
	for _, c := range []struct {
		service, region string
		want            awsapi.Presence
	}{
		{"ec2", "eu-west-1", awsapi.Present},
		{"iam", "eu-west-1", awsapi.Present},
		{"apprunner", "sa-east-1", awsapi.Absent},
		{"apprunner", "cn-north-1", awsapi.Absent},
		{"ec2", "eu-west-99", awsapi.PresenceUnknown},
		{"cloudwatchomni", "us-east-1", awsapi.PresenceUnknown},
	} {
		s, err := awsapi.Lookup(c.service)
		if err != nil {
			t.Fatal(err)
		}
		if got := awsapi.PresenceOf(s, c.region); got != c.want {
			t.Errorf("%s in %s: %v, want %v", c.service, c.region, got, c.want)
		}
	}
}

func TestActions(t *testing.T) {
	for action, level := range map[string]string{
		"ec2:DescribeInstances": "List", "s3:ListAllMyBuckets": "List", "iam:GetAccountAuthorizationDetails": "Read",
		"apigateway:GET": "Read", "ec2:TerminateInstances": "Write", "s3:ListBuckets": "", "nope:List": "",
	} {
		if got := awsapi.ActionLevel(action); got != level || awsapi.ActionExists(action) != (level != "") {
			t.Errorf("%s: %q, want %q", action, got, level)
		}
	}
	if got := awsapi.NearActions("ec2:DescribeInstance"); len(got) == 0 || got[0] != "ec2:DescribeInstances" {
		t.Error(got)
	}
}
