// Package api is the model of the API descriptions that vendors publish:
// services with their operations, shapes, paging and documentation, the same
// for AWS's service models, for Google's discovery documents and for
// Kubernetes' OpenAPI. It also holds the notation that they are embedded in: an
// Archive, which decodes a service when it is first asked for.
package api

// Service is the description of one service. What it says of the wire is the
// vendor's own; its client understands it.
type Service struct {
	// Name is unique within the cloud: AWS's is botocore's (ec2, cognito-idp),
	// Google's the document's name and version (compute.v1).
	Name string
	// Title is the full name: Amazon Elastic Compute Cloud.
	Title      string
	APIVersion string
	// Protocol is the one in use. AWS: json, query, ec2, rest-json, rest-xml,
	// or smithy-rpc-v2-cbor where the service has no other. Google: discovery.
	Protocol string

	// SDKID names the service in AWS_ENDPOINT_URL_<SDK_ID>.
	SDKID          string
	EndpointPrefix string
	SigningName    string
	JSONVersion    string // 1.0 or 1.1
	TargetPrefix   string // of X-Amz-Target
	XMLNamespace   string
	// Signature is v4, s3 (v4 without a second escaping of the path, with the
	// hash of the body as a header), bearer, v2 or none.
	Signature string
	// QueryCompatible services speak json but report the error codes of their
	// former query protocol in the header x-amzn-query-error.
	QueryCompatible bool

	// RootURL is where the service is: https://compute.googleapis.com/. The
	// path of an operation is below ServicePath, which is below it: compute/v1/.
	// MTLSRootURL is for clients with certificates, empty where there is none.
	RootURL, ServicePath, MTLSRootURL string
	// Locations are the root URLs of the service's regional endpoints.
	Locations map[string]string

	// Operations by name.
	Operations map[string]*Operation
}

// Operation is one operation of a service.
type Operation struct {
	Name   string
	Doc    string
	Method string
	// URI is the request path, query included, whose labels are wire names:
	// /clusters/{name}?x=y. Slashes in the value of a label {+name} stay.
	URI string
	// HostPrefix stands before the host, with labels: "{AccountId}.".
	HostPrefix string
	// Input and Output are structures; nil where the operation has none.
	Input, Output *Shape
	// ResultWrapper is the element inside the response element of the query
	// protocol; empty where there is none.
	ResultWrapper string
	// Pager is nil where the description knows no paging.
	Pager *Pager
	// Errors are the codes the operation declares.
	Errors []Error
	// Unsigned operations take no credentials.
	Unsigned bool
	// Checksum is required of the request's body.
	Checksum bool
	// Discovery says that the endpoint has to be asked for first.
	Discovery bool
	// Deprecated by the service.
	Deprecated bool
	// Variant names the service's endpoint that the operation is at, where it
	// has several; empty is the common one.
	Variant string
}

// Error is an error that an operation declares.
type Error struct {
	Code      string
	Retryable bool // by the service's own word
	Throttles bool
}

// Pager says how an operation's answers are continued.
type Pager struct {
	// Input and Output tokens, pairwise: members of the input, paths in the
	// output. A path may nest ("DistributionList.NextMarker"), take the last
	// element of a list ("Jobs[-1].JobId") and name alternatives, of which the
	// first with a value counts ("NextMarker || Contents[-1].Key").
	InputTokens, OutputTokens []string
	// More is the path of a boolean that says that there is more; may be empty.
	More string
	// Limit is the input member for the page size; may be empty.
	Limit string
	// Results are the paths of what is paged.
	Results []string
}

// Shape is a shape of the description. Shapes may be recursive.
type Shape struct {
	Name string
	// Type is structure, list, map, string, boolean, byte, short, integer,
	// long, biginteger (beyond 64 bits with a sign), float, double, bigdecimal,
	// timestamp, blob or character. Free-form JSON is a structure that is a
	// Document. Numbers and times may come as JSON strings.
	Type     string
	Doc      string
	Members  []Member // of a structure, in the model's order
	Elem     *Shape   // of a list
	ElemName string   // XML name of a list's elements
	Key      *Shape   // of a map
	Value    *Shape
	KeyName  string // XML names of a map's key and value
	ValName  string
	Flat     bool // flattened list or map
	// Payload names the member that is the body.
	Payload string
	// LocationName is the XML name of a structure as a root.
	LocationName string
	// XMLNamespace of a structure as a root, or of the element itself.
	XMLNamespace    string
	TimestampFormat string // iso8601, rfc822, unixTimestamp; empty is the protocol's
	Sensitive       bool
	Document        bool // free-form JSON
	Union           bool
	EventStream     bool
	Enum            []string
	Min, Max        *float64 // of values, or of lengths
	Pattern         string
	Required        []string
}

// Member is a member of a structure.
type Member struct {
	Name  string
	Shape *Shape
	Doc   string
	// Location is empty for the body, or header, headers, uri, querystring,
	// statusCode. LocationName is the wire name, empty where it is Name.
	Location     string
	LocationName string
	// QueryName is the name in the ec2 protocol's requests.
	QueryName       string
	Flat            bool
	XMLAttribute    bool
	XMLNamespace    string
	TimestampFormat string
	Sensitive       bool
	IdempotencyTok  bool
	HostLabel       bool
	JSONValue       bool
	Streaming       bool
}

// Member returns the member with the name, nil if there is none.
func (s *Shape) Member(name string) *Member {
	if s == nil {
		return nil
	}
	for i := range s.Members {
		if s.Members[i].Name == name {
			return &s.Members[i]
		}
	}
	return nil
}

// Operation returns an operation of the service. The error for an unknown
// name says which are near.
func (s *Service) Operation(name string) (*Operation, error) {
	if o := s.Operations[name]; o != nil {
		return o, nil
	}
	names := make([]string, 0, len(s.Operations))
	for n := range s.Operations {
		names = append(names, n)
	}
	return nil, unknown("operation", s.Name+"."+name, names, s.Name+".")
}
