package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// readVerbs and tidyVerbs begin the names of operations that read, and of
// those that tag, change, detach and delete. All of them are embedded, so that
// kinds can be added without rebuilding; those that only create are not.
var readVerbs = []string{
	"BatchCheck", "BatchDescribe", "BatchGet", "BatchList", "Check", "Count", "Describe", "Discover", "Export", "Filter", "Find",
	"Get", "Head", "Is", "List", "Lookup", "Query", "Read", "Resolve", "Retrieve", "Scan", "Search", "Select", "Summarize", "View",
}

var tidyVerbs = []string{
	"Abort", "Add", "Assume", "BatchDelete", "BatchDisable", "BatchDisassociate", "BatchStop", "BatchUpdate", "Cancel", "Change", "Close", "CreateDBClusterSnapshot", "CreateDBSnapshot", "CreateOrUpdateTags", "CreateSnapshot", "CreateTag", "CreateTags", "Deactivate", "Decrease", "Delete",
	"Deregister", "Destroy", "Detach", "Disable", "Disassociate", "Empty", "Modify", "Pause", "Purge", "Put", "Reject", "Release", "Remove", "Revoke", "Schedule",
	"Set", "StartDBCluster", "StartDBInstance", "StartInstances", "Stop", "Suspend", "Tag", "Terminate", "UnTag", "Unassign", "Unlink", "Unregister", "Unsubscribe", "Untag", "Update",
}

func hasVerb(op string, verbs []string) bool {
	for _, v := range verbs {
		if rest, ok := strings.CutPrefix(op, v); ok && (rest == "" || rest[0] < 'a' || rest[0] > 'z') {
			return true
		}
	}
	return false
}

// converter makes descriptions of a service's model.
type converter struct {
	src  *source
	memo map[string]*api.Shape
	used map[string]bool // shapes that are in some output
}

// convert trims a service model to the operations with these verbs.
func convert(src *source) (*api.Service, error) {
	m := src.model.Metadata
	svc := &api.Service{
		Name: src.name, Title: m.ServiceFullName, SDKID: m.ServiceID,
		EndpointPrefix: m.EndpointPrefix, SigningName: m.SigningName, APIVersion: m.APIVersion,
		Protocol: m.protocol(), JSONVersion: m.JSONVersion, TargetPrefix: m.TargetPrefix,
		XMLNamespace: m.XMLNamespace.URI, Signature: signature(m), QueryCompatible: m.AWSQueryCompatible != nil,
		Operations: map[string]*api.Operation{},
	}
	if svc.SigningName == "" {
		svc.SigningName = m.EndpointPrefix
	}
	if svc.Protocol == "json" && svc.JSONVersion == "" {
		svc.JSONVersion = "1.0"
	}
	c := &converter{src: src, memo: map[string]*api.Shape{}}
	for name, o := range src.model.Operations {
		if !hasVerb(name, readVerbs) && !hasVerb(name, tidyVerbs) {
			continue
		}
		op, err := c.operation(name, o)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", src.name, name, err)
		}
		svc.Operations[name] = op
	}
	c.document(svc)
	return svc, nil
}

func signature(m metadata) string {
	for _, a := range m.Auth {
		if a == "aws.auth#sigv4" && m.SignatureVersion != "s3" && m.SignatureVersion != "s3v4" {
			return "v4"
		}
	}
	switch m.SignatureVersion {
	case "s3", "s3v4":
		return "s3"
	}
	return m.SignatureVersion
}

func (c *converter) operation(name string, o *operation) (*api.Operation, error) {
	op := &api.Operation{
		Name: name, Method: o.HTTP.Method, URI: o.HTTP.RequestURI, HostPrefix: o.Endpoint.HostPrefix,
		Unsigned:   o.AuthType == "none" || slices.Equal(o.Auth, []string{"smithy.api#noAuth"}),
		Checksum:   o.HTTPChecksumRequired || o.HTTPChecksum.RequestChecksumRequired,
		Discovery:  o.EndpointDiscovery != nil && o.EndpointDiscovery.Required,
		Deprecated: o.Deprecated,
	}
	var err error
	if op.Input, err = c.root(o.Input); err != nil {
		return nil, err
	}
	if o.Output != nil {
		op.ResultWrapper = o.Output.ResultWrapper
	}
	if op.Output, err = c.root(o.Output); err != nil {
		return nil, err
	}
	if root := s3Roots[name]; root != "" && c.src.name == "s3" {
		op.Output.LocationName = root
	}
	if p := c.src.pagers[name]; p != nil {
		op.Pager = &api.Pager{InputTokens: p.InputToken, OutputTokens: p.OutputToken, More: p.MoreResults, Limit: p.LimitKey, Results: p.ResultKey}
		if len(p.InputToken) != len(p.OutputToken) {
			return nil, fmt.Errorf("pager has %d input tokens and %d output tokens", len(p.InputToken), len(p.OutputToken))
		}
	}
	for _, r := range o.Errors {
		op.Errors = append(op.Errors, c.errors(r)...)
	}
	slices.SortFunc(op.Errors, func(a, b api.Error) int { return strings.Compare(a.Code, b.Code) })
	op.Errors = slices.Compact(op.Errors)
	return op, nil
}

// errors returns an error that an operation declares. JSON says the shape's
// name; XML says the code it has of its own, if any; services that spoke XML
// once say both.
func (c *converter) errors(r ref) []api.Error {
	e := api.Error{Code: r.Shape}
	s := c.src.model.Shapes[r.Shape]
	if s == nil {
		return []api.Error{e}
	}
	if s.Retryable != nil {
		e.Retryable, e.Throttles = true, s.Retryable.Throttling
	}
	if s.Error == nil || s.Error.Code == "" || s.Error.Code == e.Code {
		return []api.Error{e}
	}
	own := e
	own.Code = s.Error.Code
	if c.src.model.Metadata.AWSQueryCompatible != nil {
		return []api.Error{e, own}
	}
	if strings.Contains(c.src.model.Metadata.protocol(), "json") {
		return []api.Error{e}
	}
	return []api.Error{own}
}

// root converts the input or output of an operation. Its element's name
// and namespace may be given with the operation.
func (c *converter) root(r *ref) (*api.Shape, error) {
	if r == nil {
		return nil, nil
	}
	s, err := c.shape(r.Shape)
	if err != nil {
		return nil, err
	}
	if (r.LocationName != "" && r.LocationName != s.LocationName) || (r.XMLNamespace.URI != "" && r.XMLNamespace.URI != s.XMLNamespace) {
		root := *s
		if r.LocationName != "" {
			root.LocationName = r.LocationName
		}
		if r.XMLNamespace.URI != "" {
			root.XMLNamespace = r.XMLNamespace.URI
		}
		return &root, nil
	}
	return s, nil
}

func (c *converter) shape(name string) (*api.Shape, error) {
	if s := c.memo[name]; s != nil {
		return s, nil
	}
	m := c.src.model.Shapes[name]
	if m == nil {
		return nil, fmt.Errorf("no shape %s", name)
	}
	s := &api.Shape{
		Name: name, Type: m.Type, Flat: m.Flattened, Payload: m.Payload, LocationName: m.LocationName,
		XMLNamespace: m.XMLNamespace.URI, TimestampFormat: m.TimestampFormat, Sensitive: m.Sensitive, Document: m.Document,
		Union: m.Union, EventStream: m.EventStream, Enum: m.Enum, Min: m.Min, Max: m.Max, Pattern: m.Pattern, Required: m.Required,
	}
	c.memo[name] = s
	var err error
	for _, sub := range []struct {
		ref  *ref
		to   **api.Shape
		name *string
	}{{m.Member, &s.Elem, &s.ElemName}, {m.Key, &s.Key, &s.KeyName}, {m.Value, &s.Value, &s.ValName}} {
		if sub.ref == nil {
			continue
		}
		if *sub.to, err = c.shape(sub.ref.Shape); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		*sub.name = sub.ref.LocationName
	}
	for _, n := range m.Members.names {
		r := m.Members.refs[n]
		t, err := c.shape(r.Shape)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", name, n, err)
		}
		s.Members = append(s.Members, api.Member{
			Name: n, Shape: t, Location: r.Location, LocationName: r.LocationName, QueryName: r.QueryName,
			Flat: r.Flattened, XMLAttribute: r.XMLAttribute, XMLNamespace: r.XMLNamespace.URI, TimestampFormat: r.TimestampFormat,
			Sensitive: c.sensitive(r.Shape, 0), IdempotencyTok: r.IdempotencyToken, HostLabel: r.HostLabel, JSONValue: r.JSONValue,
			Streaming: r.Streaming || c.src.model.Shapes[r.Shape].Streaming,
		})
	}
	return s, nil
}

// sensitive says whether the shape, or what a list or map of it holds, is.
func (c *converter) sensitive(name string, depth int) bool {
	m := c.src.model.Shapes[name]
	if m == nil || depth > 8 {
		return false
	}
	if m.Sensitive {
		return true
	}
	for _, r := range []*ref{m.Member, m.Key, m.Value} {
		if r != nil && c.sensitive(r.Shape, depth+1) {
			return true
		}
	}
	return false
}

// document fills in documentation: of the operations, and of the shapes in
// their outputs.
func (c *converter) document(svc *api.Service) {
	c.used = map[string]bool{}
	for n, op := range svc.Operations {
		op.Doc = sentence(c.src.model.Operations[n].Documentation)
		c.describe(op.Output)
	}
}

func (c *converter) describe(s *api.Shape) {
	if s == nil || c.used[s.Name] {
		return
	}
	c.used[s.Name] = true
	m := c.src.model.Shapes[s.Name]
	if s.Type == "structure" {
		s.Doc = sentence(m.Documentation)
	}
	for i := range s.Members {
		mem := &s.Members[i]
		mem.Doc = sentence(m.Members.refs[mem.Name].Documentation)
		if mem.Doc == "" && mem.Shape.Type != "structure" {
			mem.Doc = sentence(c.src.model.Shapes[mem.Shape.Name].Documentation)
		}
		c.describe(mem.Shape)
	}
	c.describe(s.Elem)
	c.describe(s.Key)
	c.describe(s.Value)
}

// s3Roots are the root elements of S3's answers, which the model does not
// name: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html.
var s3Roots = map[string]string{
	"DeleteObjects":                              "DeleteResult",
	"GetBucketAccelerateConfiguration":           "AccelerateConfiguration",
	"GetBucketAcl":                               "AccessControlPolicy",
	"GetBucketCors":                              "CORSConfiguration",
	"GetBucketLifecycle":                         "LifecycleConfiguration",
	"GetBucketLifecycleConfiguration":            "LifecycleConfiguration",
	"GetBucketLogging":                           "BucketLoggingStatus",
	"GetBucketNotification":                      "NotificationConfiguration",
	"GetBucketNotificationConfiguration":         "NotificationConfiguration",
	"GetBucketRequestPayment":                    "RequestPaymentConfiguration",
	"GetBucketTagging":                           "Tagging",
	"GetBucketVersioning":                        "VersioningConfiguration",
	"GetBucketWebsite":                           "WebsiteConfiguration",
	"GetObjectAcl":                               "AccessControlPolicy",
	"GetObjectAttributes":                        "GetObjectAttributesResponse",
	"GetObjectTagging":                           "Tagging",
	"ListBucketAnalyticsConfigurations":          "ListBucketAnalyticsConfigurationResult",
	"ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsOutput",
	"ListBucketInventoryConfigurations":          "ListInventoryConfigurationsResult",
	"ListBucketMetricsConfigurations":            "ListMetricsConfigurationsResult",
	"ListBuckets":                                "ListAllMyBucketsResult",
	"ListDirectoryBuckets":                       "ListAllMyDirectoryBucketsResult",
	"ListMultipartUploads":                       "ListMultipartUploadsResult",
	"ListObjectVersions":                         "ListVersionsResult",
	"ListObjects":                                "ListBucketResult",
	"ListObjectsV2":                              "ListBucketResult",
	"ListParts":                                  "ListPartsResult",
}
