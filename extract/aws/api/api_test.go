package api_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

func lookup(t *testing.T, service, operation string) (*api.Service, *api.Operation) {
	t.Helper()
	s, err := awsapi.Lookup(service)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Operation(operation)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

func TestEveryServiceDecodes(t *testing.T) {
	names := awsapi.Services()
	if !slices.IsSorted(names) || len(names) != awsapi.Source().Services || len(names) < 400 {
		t.Fatalf("%d services, %d in the manifest", len(names), awsapi.Source().Services)
	}
	ops := 0
	for _, n := range names {
		s, err := awsapi.Lookup(n)
		if err != nil {
			t.Fatal(err)
		}
		if s.Name != n || s.Protocol == "" || s.SigningName == "" || s.Signature == "" {
			t.Errorf("%s: %+v", n, s)
		}
		ops += len(s.Operations)
		for _, o := range s.Operations {
			if out := awsapi.Normalize(s, o); (out == nil) != (o.Output == nil) {
				t.Errorf("%s.%s: output %v, normalized %v", n, o.Name, o.Output, out)
			}
			if strings.Contains(o.Doc, "<p>") {
				t.Errorf("%s.%s: documentation %q", n, o.Name, o.Doc)
			}
		}
	}
	if ops != awsapi.Source().Operations {
		t.Errorf("%d operations, the manifest says %d", ops, awsapi.Source().Operations)
	}
}

func TestUnknownNamesAreNotGuessed(t *testing.T) {
	for name, want := range map[string]string{
		"ec3":           `unknown service "ec3": did you mean ec2, `,
		"cognitoidp":    `unknown service "cognitoidp": did you mean cognito-idp?`,
		"Lambda":        `unknown service "Lambda": did you mean lambda`,
		"xyzzyxyzzyxyz": `unknown service "xyzzyxyzzyxyz"`,
	} {
		_, err := awsapi.Lookup(name)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	s, _ := lookup(t, "ec2", "DescribeInstances")
	if _, err := s.Operation("DescribeInstance"); err == nil || !strings.Contains(err.Error(), "did you mean DescribeInstances") {
		t.Error(err)
	}
}

func TestProtocolChoice(t *testing.T) {
	for name, want := range map[string]string{
		"ec2": "ec2", "iam": "query", "sqs": "json", "cloudwatch": "json", "s3": "rest-xml", "lambda": "rest-json",
		"dynamodb": "json", "cloudwatchomni": "smithy-rpc-v2-cbor",
	} {
		s, err := awsapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Protocol != want {
			t.Errorf("%s speaks %s, want %s", name, s.Protocol, want)
		}
	}
}

func TestPagers(t *testing.T) {
	for op, want := range map[string]*api.Pager{
		"ec2.DescribeInstances": {InputTokens: []string{"NextToken"}, OutputTokens: []string{"NextToken"}, Limit: "MaxResults", Results: []string{"Reservations"}},
		"cloudfront.ListDistributions": {
			InputTokens: []string{"Marker"}, OutputTokens: []string{"DistributionList.NextMarker"},
			More: "DistributionList.IsTruncated", Limit: "MaxItems", Results: []string{"DistributionList.Items"},
		},
		"route53.ListResourceRecordSets": {
			InputTokens:  []string{"StartRecordName", "StartRecordType", "StartRecordIdentifier"},
			OutputTokens: []string{"NextRecordName", "NextRecordType", "NextRecordIdentifier"},
			More:         "IsTruncated", Limit: "MaxItems", Results: []string{"ResourceRecordSets"},
		},
		"s3.ListObjects": {
			InputTokens: []string{"Marker"}, OutputTokens: []string{"NextMarker || Contents[-1].Key"},
			More: "IsTruncated", Limit: "MaxKeys", Results: []string{"Contents", "CommonPrefixes"},
		},
		"events.ListEventBuses": nil,
	} {
		service, name, _ := strings.Cut(op, ".")
		_, o := lookup(t, service, name)
		if d := cmp.Diff(want, o.Pager); d != "" {
			t.Errorf("%s:\n%s", op, d)
		}
	}
}

func TestWrap(t *testing.T) {
	for op, want := range map[string]string{
		"iam.ListUsers":                     "ListUsersResponse/ListUsersResult",
		"ec2.DescribeInstances":             "DescribeInstancesResponse",
		"s3.ListBuckets":                    "ListAllMyBucketsResult|ListBucketsResponse",
		"s3.GetBucketTagging":               "Tagging|GetBucketTaggingResponse",
		"s3.GetBucketEncryption":            "ServerSideEncryptionConfiguration|GetBucketEncryptionResponse",
		"s3.GetObjectRetention":             "Retention|GetObjectRetentionResponse",
		"s3.GetBucketPolicy":                "",
		"s3.GetBucketLocation":              "",
		"s3control.ListAccessPoints":        "ListAccessPointsResult|ListAccessPointsResponse",
		"cloudfront.ListDistributions":      "DistributionList|ListDistributionsResponse",
		"route53.ListHostedZones":           "ListHostedZonesResponse",
		"lambda.ListFunctions":              "",
		"elasticache.DescribeCacheClusters": "DescribeCacheClustersResponse/DescribeCacheClustersResult",
	} {
		service, name, _ := strings.Cut(op, ".")
		if got := strings.Join(awsapi.Wrap(lookup(t, service, name)), "/"); got != want {
			t.Errorf("%s: %q, want %q", op, got, want)
		}
	}
}

// at follows member names, and "[]" into lists and maps.
func at(t *testing.T, s *normalize.Shape, path ...string) (m *normalize.Member) {
	t.Helper()
	for _, p := range path {
		if p == "[]" {
			s = s.Elem
			continue
		}
		if m = s.Member(p); m == nil {
			t.Fatalf("no %s in %s", p, s.Name)
		}
		s = m.Shape
	}
	return m
}

func TestNormalizeResolvesTheProtocol(t *testing.T) {
	shape := func(op string) *normalize.Shape {
		service, name, _ := strings.Cut(op, ".")
		return awsapi.Normalize(lookup(t, service, name))
	}
	out := shape("ec2.DescribeInstances")
	if m := at(t, out, "Reservations"); m.Wire != "reservationSet" || m.Shape.ElemName != "item" || m.Flat {
		t.Errorf("%+v", m)
	}
	if m := at(t, out, "Reservations", "[]", "Instances", "[]", "LaunchTime"); m.Wire != "launchTime" || m.Shape.Time != normalize.TimeISO || m.Doc == "" {
		t.Errorf("%+v %+v", m, m.Shape)
	}
	if m := at(t, shape("iam.ListUsers"), "Users"); m.Wire != "Users" || m.Shape.ElemName != "member" {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("rds.DescribeDBInstances"), "DBInstances"); m.Shape.ElemName != "DBInstance" {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("eks.DescribeCluster"), "cluster", "createdAt"); m.Shape.Time != normalize.EpochSeconds || m.Wire != "createdAt" {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("apigateway.GetRestApis"), "items"); m.Wire != "item" {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("s3.ListObjectVersions"), "Versions"); m.Wire != "Version" || !m.Flat {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("s3.GetBucketAcl"), "Grants", "[]", "Grantee", "Type"); m.Wire != "type" || !m.Attr {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("s3.HeadObject"), "LastModified"); !m.Header || m.Wire != "Last-Modified" || m.Time != normalize.TimeHTTP {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("cloudfront.GetDistribution"), "Distribution"); !m.Payload {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("cloudfront.GetDistribution"), "ETag"); !m.Header || m.Wire != "ETag" {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("organizations.ListAccounts"), "Accounts", "[]", "Email"); !m.Sensitive || m.Drop {
		t.Errorf("%+v", m)
	}
	if m := at(t, shape("sns.GetTopicAttributes"), "Attributes"); m.Shape.EntryName != "entry" || m.Shape.KeyName != "key" || m.Shape.ValueName != "value" {
		t.Errorf("%+v", m.Shape)
	}
}

func TestNormalizeIsFresh(t *testing.T) {
	s, o := lookup(t, "dynamodb", "GetItem")
	a, b := awsapi.Normalize(s, o), awsapi.Normalize(s, o)
	if !reflect.DeepEqual(a, b) {
		t.Error("two graphs differ")
	}
	a.Member("Item").Drop = true
	if b.Member("Item").Drop {
		t.Error("graphs are shared")
	}
	if v := a.Member("Item").Shape.Elem; v.Member("M").Shape.Elem != v {
		t.Error("recursion is lost")
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	for _, b := range [][]byte{nil, {0xff}, {1, 0}, {1, 0, 9, 9, 9}, []byte(strings.Repeat("\x7f", 200))} {
		if _, err := api.Decode(b); err == nil {
			t.Errorf("%v is accepted", b)
		}
	}
}

// BenchmarkDecode reads the largest description.
func BenchmarkDecode(b *testing.B) {
	s, err := awsapi.Lookup("ec2")
	if err != nil {
		b.Fatal(err)
	}
	data := api.Encode(s)
	for b.Loop() {
		if _, err := api.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
}
