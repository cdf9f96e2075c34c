package aws

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// The descriptions that the tests ask by, in the form and with the traps of
// the real ones.

func str() *api.Shape  { return &api.Shape{Name: "String", Type: "string"} }
func num() *api.Shape  { return &api.Shape{Name: "Integer", Type: "integer"} }
func flag() *api.Shape { return &api.Shape{Name: "Boolean", Type: "boolean"} }

func structure(name string, ms ...api.Member) *api.Shape {
	return &api.Shape{Name: name, Type: "structure", Members: ms}
}

func list(elem *api.Shape, name string) *api.Shape {
	return &api.Shape{Name: elem.Name + "List", Type: "list", Elem: elem, ElemName: name}
}

func member(name string, s *api.Shape, change ...func(*api.Member)) api.Member {
	m := api.Member{Name: name, Shape: s}
	for _, f := range change {
		f(&m)
	}
	return m
}

func at(location, wire string) func(*api.Member) {
	return func(m *api.Member) { m.Location, m.LocationName = location, wire }
}

func wire(name string) func(*api.Member) {
	return func(m *api.Member) { m.LocationName = name }
}

func service(s api.Service, ops ...*api.Operation) *api.Service {
	s.Operations = map[string]*api.Operation{}
	for _, o := range ops {
		if o.Method == "" {
			o.Method, o.URI = "POST", "/"
		}
		s.Operations[o.Name] = o
	}
	if s.Signature == "" {
		s.Signature = "v4"
	}
	if s.SigningName == "" {
		s.SigningName = s.EndpointPrefix
	}
	return &s
}

func ec2() *api.Service {
	filter := structure("Filter",
		member("Name", str()),
		member("Values", list(str(), "item"), wire("Value")))
	return service(api.Service{Name: "ec2", SDKID: "EC2", EndpointPrefix: "ec2", Protocol: "ec2", APIVersion: "2016-11-15"},
		&api.Operation{
			Name: "DescribeInstances",
			Input: structure("DescribeInstancesRequest",
				member("InstanceIds", list(str(), "InstanceId"), wire("InstanceId")),
				member("DryRun", flag(), wire("dryRun")),
				member("Filters", list(filter, "Filter"), wire("Filter")),
				member("NextToken", str(), wire("nextToken")),
				member("MaxResults", num(), wire("maxResults"))),
			Output: structure("DescribeInstancesResult", member("Reservations", list(str(), "item"), wire("reservationSet"))),
		})
}

func iam() *api.Service {
	return service(api.Service{Name: "iam", SDKID: "IAM", EndpointPrefix: "iam", Protocol: "query", APIVersion: "2010-05-08"},
		&api.Operation{
			Name: "GetAccountAuthorizationDetails", ResultWrapper: "GetAccountAuthorizationDetailsResult",
			Input: structure("Request",
				member("Filter", list(str(), "")),
				member("MaxItems", num()),
				member("Since", &api.Shape{Name: "Time", Type: "timestamp"}),
				member("Marker", str())),
		})
}

func sqsQuery() *api.Service {
	names := list(str(), "AttributeName")
	names.Flat = true
	attributes := &api.Shape{Name: "Map", Type: "map", Key: str(), Value: str(), KeyName: "Name", ValName: "Value", Flat: true}
	return service(api.Service{Name: "sqs", SDKID: "SQS", EndpointPrefix: "sqs", Protocol: "query", APIVersion: "2012-11-05"},
		&api.Operation{
			Name: "GetQueueAttributes",
			Input: structure("Request",
				member("QueueUrl", str()),
				member("AttributeNames", names),
				member("Attributes", attributes, wire("Attribute"))),
		})
}

func dynamodb() *api.Service {
	op := &api.Operation{
		Name: "DescribeTable",
		Input: structure("DescribeTableInput",
			member("TableName", str()),
			member("Limit", num()),
			member("Segment", &api.Shape{Name: "Long", Type: "long"}),
			member("Consistent", flag()),
			member("After", &api.Shape{Name: "Time", Type: "timestamp"}),
			member("Blob", &api.Shape{Name: "Blob", Type: "blob"}),
			member("Names", list(str(), "")),
			member("Free", &api.Shape{Name: "Doc", Type: "structure", Document: true}),
			member("Tags", &api.Shape{Name: "Tags", Type: "map", Key: str(), Value: str()})),
		Output: structure("DescribeTableOutput", member("Table", str())),
		Errors: []api.Error{{Code: "ServerBusyException", Retryable: true}, {Code: "TooBusy", Retryable: true, Throttles: true}},
	}
	op.Input.Required = []string{"TableName"}
	return service(api.Service{
		Name: "dynamodb", SDKID: "DynamoDB", EndpointPrefix: "dynamodb", Protocol: "json", JSONVersion: "1.0",
		TargetPrefix: "DynamoDB_20120810", APIVersion: "2012-08-10",
	}, op)
}

func apigateway() *api.Service {
	return service(api.Service{Name: "apigateway", SDKID: "API Gateway", EndpointPrefix: "apigateway", Protocol: "rest-json", APIVersion: "2015-07-09"},
		&api.Operation{
			Name: "GetResources", Method: "GET", URI: "/restapis/{restapi_id}/resources?mode=full",
			Input: structure("GetResourcesRequest",
				member("restApiId", str(), at("uri", "restapi_id")),
				member("position", str(), at("querystring", "position")),
				member("limit", num(), at("querystring", "limit")),
				member("embed", list(str(), ""), at("querystring", "embed"))),
			Output: structure("Resources", member("items", list(str(), ""), wire("item"))),
		},
		&api.Operation{
			Name: "PutThing", Method: "PUT", URI: "/things/{thingName+}",
			Input: structure("PutThingRequest",
				member("name", str(), at("uri", "thingName")),
				member("kind", str(), wire("thingKind")),
				member("token", str(), func(m *api.Member) { m.IdempotencyTok = true }),
				member("meta", &api.Shape{Name: "Map", Type: "map", Key: str(), Value: str()}, at("headers", "x-meta-")),
				member("since", &api.Shape{Name: "Time", Type: "timestamp"}, at("header", "If-Modified-Since"))),
			Output: structure("Nothing"),
		})
}

func glacier() *api.Service {
	return service(api.Service{Name: "glacier", SDKID: "Glacier", EndpointPrefix: "glacier", Protocol: "rest-json", APIVersion: "2012-06-01"},
		&api.Operation{
			Name: "ListVaults", Method: "GET", URI: "/{accountId}/vaults",
			Input:  structure("ListVaultsInput", member("accountId", str(), at("uri", "accountId"))),
			Output: structure("ListVaultsOutput", member("VaultList", list(str(), ""))),
		})
}

func s3() *api.Service {
	policy := structure("GetBucketPolicyOutput", member("Policy", str()))
	policy.Payload = "Policy"
	bucket := func(name string) *api.Shape {
		return structure(name, member("Bucket", str(), at("uri", "Bucket")),
			member("ExpectedBucketOwner", str(), at("header", "x-amz-expected-bucket-owner")))
	}
	config := structure("Tagging", member("TagSet", list(structure("Tag", member("Key", str()), member("Value", str())), "Tag")))
	put := structure("PutBucketTaggingRequest", member("Bucket", str(), at("uri", "Bucket")),
		member("Tagging", config, func(m *api.Member) {
			m.LocationName, m.XMLNamespace = "Tagging", "http://s3.amazonaws.com/doc/2006-03-01/"
		}))
	put.Payload = "Tagging"
	return service(api.Service{Name: "s3", SDKID: "S3", EndpointPrefix: "s3", Signature: "s3", Protocol: "rest-xml", APIVersion: "2006-03-01"},
		&api.Operation{
			Name: "ListBuckets", Method: "GET", URI: "/",
			Input:  structure("ListBucketsRequest", member("BucketRegion", str(), at("querystring", "bucket-region")), member("MaxBuckets", num(), at("querystring", "max-buckets"))),
			Output: structure("ListBucketsOutput", member("Buckets", list(str(), "Bucket"))),
		},
		&api.Operation{
			Name: "GetBucketLocation", Method: "GET", URI: "/{Bucket}?location", Input: bucket("GetBucketLocationRequest"),
			Output: structure("GetBucketLocationOutput", member("LocationConstraint", str())),
		},
		&api.Operation{Name: "GetBucketPolicy", Method: "GET", URI: "/{Bucket}?policy", Input: bucket("GetBucketPolicyRequest"), Output: policy},
		&api.Operation{Name: "PutBucketTagging", Method: "PUT", URI: "/{Bucket}?tagging", Input: put},
		&api.Operation{
			Name: "HeadObject", Method: "HEAD", URI: "/{Bucket}/{Key+}",
			Input: structure("HeadObjectRequest", member("Bucket", str(), at("uri", "Bucket")), member("Key", str(), at("uri", "Key"))),
			Output: structure("HeadObjectOutput", member("ETag", str(), at("header", "ETag")),
				member("Metadata", &api.Shape{Name: "Map", Type: "map", Key: str(), Value: str()}, at("headers", "x-amz-meta-"))),
		})
}

func s3control() *api.Service {
	return service(api.Service{Name: "s3control", SDKID: "S3 Control", EndpointPrefix: "s3-control", SigningName: "s3", Signature: "s3", Protocol: "rest-xml", APIVersion: "2018-08-20"},
		&api.Operation{
			Name: "ListAccessPoints", Method: "GET", URI: "/v20180820/accesspoint", HostPrefix: "{AccountId}.",
			Input: structure("ListAccessPointsRequest",
				member("AccountId", str(), at("header", "x-amz-account-id"), func(m *api.Member) { m.HostLabel = true })),
			Output: structure("ListAccessPointsResult", member("AccessPointList", list(str(), "AccessPoint"))),
		})
}

func route53() *api.Service {
	in := structure("CreateHostedZoneRequest", member("Name", str()), member("CallerReference", str()))
	in.LocationName, in.XMLNamespace = "CreateHostedZoneRequest", "https://route53.amazonaws.com/doc/2013-04-01/"
	return service(api.Service{Name: "route53", SDKID: "Route 53", EndpointPrefix: "route53", Protocol: "rest-xml", APIVersion: "2013-04-01"},
		&api.Operation{Name: "CreateHostedZone", Method: "POST", URI: "/2013-04-01/hostedzone", Input: in},
		&api.Operation{
			Name: "GetHostedZone", Method: "GET", URI: "/2013-04-01/hostedzone/{Id}",
			Input: structure("GetHostedZoneRequest", member("Id", str(), at("uri", "Id"))),
		})
}

func sha(body string) string {
	s := sha256.Sum256([]byte(body))
	return hex.EncodeToString(s[:])
}

func unset(t *testing.T, name string) {
	t.Helper()
	old, had := os.LookupEnv(name)
	os.Unsetenv(name)
	t.Cleanup(func() {
		if had {
			os.Setenv(name, old)
		}
	})
}
