// Package api holds the API descriptions of AWS services: operations, shapes,
// paging, endpoints and documentation, trimmed from the service models that
// ship in botocore and embedded. A service is decoded when it is first asked
// for; what is returned is shared and must not be changed.
package api

// Service is the description of one service.
type Service struct {
	// Name is the botocore name (folder): ec2, cognito-idp.
	Name string
	// Title is the full name: Amazon Elastic Compute Cloud.
	Title string
	// SDKID names the service in AWS_ENDPOINT_URL_<SDK_ID>.
	SDKID          string
	EndpointPrefix string
	SigningName    string
	APIVersion     string
	// Protocol is the one in use: json, query, ec2, rest-json, rest-xml, or
	// smithy-rpc-v2-cbor where the service has no other.
	Protocol     string
	JSONVersion  string // 1.0 or 1.1
	TargetPrefix string // of X-Amz-Target
	XMLNamespace string
	// Signature is v4, s3 (v4 without a second escaping of the path, with the
	// hash of the body as a header), bearer, v2 or none.
	Signature string
	// QueryCompatible services speak json but report the error codes of their
	// former query protocol in the header x-amzn-query-error.
	QueryCompatible bool
	// Operations by name.
	Operations map[string]*Operation
}

// Operation is one operation of a service.
type Operation struct {
	Name   string
	Doc    string
	Method string
	// URI is the request path, query included, whose labels are wire names:
	// /clusters/{name}?x=y.
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

// Shape is a shape of the service model. Shapes may be recursive.
type Shape struct {
	Name string
	// Type is the model's: structure, list, map, string, boolean, integer,
	// long, float, double, timestamp, blob, character.
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
