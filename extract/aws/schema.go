package aws

import (
	"fmt"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/awsjson"
	"github.com/aws/smithy-go/transport/http/protocol/awsquery"
	"github.com/aws/smithy-go/transport/http/protocol/ec2query"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"
	"github.com/aws/smithy-go/transport/http/protocol/restxml"
	"github.com/aws/smithy-go/transport/http/protocol/rpcv2"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// operation is a described operation, compiled for smithy-go's protocols.
type operation struct {
	svc      *api.Service
	op       *api.Operation
	protocol smithyhttp.ClientProtocol
	schema   *smithy.OperationSchema
	input    *node // nil where the operation has no input
}

// node is a shape with its schema. Members of the schema carry their wire
// names, which is what the labels of the descriptions' URIs are.
type node struct {
	shape   *api.Shape
	schema  *smithy.Schema
	members map[string]*field // by the description's member name
	order   []*field
	elem    *field // of a list
	key     *field // of a map
	val     *field
}

// field is a member, element, key or value.
type field struct {
	member *api.Member // nil for elements, keys and values
	schema *smithy.Schema
	node   *node
}

// compile makes the schemas of an operation's input.
func compile(svc *api.Service, op *api.Operation) (*operation, error) {
	switch svc.Signature {
	case "", "v4", "s3", "none":
	default:
		if !op.Unsigned {
			return nil, fmt.Errorf("%s %s: requests are signed by %s, which dewpoint does not do", svc.Name, op.Name, svc.Signature)
		}
	}
	protocol, err := protocolOf(svc)
	if err != nil {
		return nil, err
	}
	o := &operation{svc: svc, op: op, protocol: protocol}
	c := compiler{protocol: svc.Protocol, nodes: map[*api.Shape]*node{}}
	var in *smithy.Schema
	if op.Input != nil {
		o.input = c.root(op.Input)
		in = o.input.schema
		for _, f := range o.input.order {
			if f.node.shape.EventStream {
				return nil, fmt.Errorf("%s %s: member %s is an event stream, which dewpoint does not send", svc.Name, op.Name, f.member.Name)
			}
		}
	}
	uri := op.URI
	if uri == "" {
		uri = "/"
	}
	schema := smithy.NewSchema(smithy.ShapeID{Name: op.Name}, smithy.ShapeTypeOperation, 0,
		&traits.HTTP{Method: op.Method, URI: uri, Code: 200})
	o.schema = smithy.NewOperationSchema(schema, in, nil)
	return o, nil
}

func protocolOf(svc *api.Service) (smithyhttp.ClientProtocol, error) {
	name := svc.TargetPrefix
	if name == "" {
		name = svc.Name
	}
	s := smithy.NewServiceSchema(smithy.NewSchema(smithy.ShapeID{Name: name}, smithy.ShapeTypeService, 0), svc.APIVersion)
	switch svc.Protocol {
	case "json":
		if svc.JSONVersion == "1.0" {
			return awsjson.New10(s), nil
		}
		return awsjson.New11(s), nil
	case "query":
		return awsquery.New(s), nil
	case "ec2":
		return ec2query.New(s), nil
	case "rest-json":
		return restjson1.New(s), nil
	case "rest-xml":
		return restxml.New(s), nil
	case "smithy-rpc-v2-cbor":
		return rpcv2.NewCBOR(s), nil
	}
	return nil, fmt.Errorf("%s: unknown protocol %q", svc.Name, svc.Protocol)
}

type compiler struct {
	protocol string
	nodes    map[*api.Shape]*node
}

// root compiles an input. Its XML names concern the root element alone, so
// that the node is not shared with members of the same shape.
func (c *compiler) root(s *api.Shape) *node {
	var ts []smithy.Trait
	if s.LocationName != "" {
		ts = append(ts, &traits.XMLName{Name: s.LocationName})
	}
	if s.XMLNamespace != "" {
		ts = append(ts, &traits.XMLNamespace{URI: s.XMLNamespace})
	}
	n := &node{shape: s, schema: smithy.NewSchema(smithy.ShapeID{Name: s.Name}, smithy.ShapeTypeStructure, len(s.Members), ts...)}
	c.fill(n, true)
	return n
}

func (c *compiler) node(s *api.Shape) *node {
	if n := c.nodes[s]; n != nil {
		return n
	}
	var ts []smithy.Trait
	if s.Flat {
		ts = append(ts, &traits.XMLFlattened{})
	}
	if f := timestampFormat(s.TimestampFormat); f != "" {
		ts = append(ts, &traits.TimestampFormat{Format: f})
	}
	n := &node{shape: s, schema: smithy.NewSchema(smithy.ShapeID{Name: s.Name}, shapeType(s), len(s.Members), ts...)}
	c.nodes[s] = n
	c.fill(n, false)
	return n
}

// fill adds the members. A member's schema shares the members of its target,
// so that recursive shapes may be added before they are filled.
func (c *compiler) fill(n *node, root bool) {
	s := n.shape
	switch s.Type {
	case "structure":
		n.members = make(map[string]*field, len(s.Members))
		for i := range s.Members {
			m := &s.Members[i]
			t := c.node(m.Shape)
			name, ts := c.member(s, m, root)
			f := &field{member: m, schema: n.schema.AddMember(name, t.schema, ts...), node: t}
			n.members[m.Name] = f
			n.order = append(n.order, f)
		}
	case "list":
		n.elem = c.part(n, "member", s.Elem, s.ElemName)
	case "map":
		n.key = c.part(n, "key", s.Key, s.KeyName)
		n.val = c.part(n, "value", s.Value, s.ValName)
	}
}

func (c *compiler) part(n *node, name string, s *api.Shape, wire string) *field {
	if s == nil {
		s = &api.Shape{Name: "String", Type: "string"}
	}
	var ts []smithy.Trait
	if wire != "" {
		ts = append(ts, &traits.XMLName{Name: wire})
	}
	t := c.node(s)
	return &field{schema: n.schema.AddMember(name, t.schema, ts...), node: t}
}

// member returns the wire name of a member and its traits.
func (c *compiler) member(s *api.Shape, m *api.Member, root bool) (string, []smithy.Trait) {
	wire := m.LocationName
	if wire == "" {
		wire = m.Name
	}
	var ts []smithy.Trait
	if f := timestampFormat(m.TimestampFormat); f != "" {
		ts = append(ts, &traits.TimestampFormat{Format: f})
	}
	if m.JSONValue {
		ts = append(ts, &traits.MediaType{Type: "application/json"})
	}
	if root && strings.HasPrefix(c.protocol, "rest-") {
		switch m.Location {
		case "header":
			return wire, append(ts, &traits.HTTPHeader{Name: wire})
		case "headers":
			return wire, append(ts, &traits.HTTPPrefixHeaders{Prefix: wire})
		case "uri":
			return wire, append(ts, &traits.HTTPLabel{})
		case "querystring":
			if m.Shape.Type == "map" {
				return wire, append(ts, &traits.HTTPQueryParams{})
			}
			return wire, append(ts, &traits.HTTPQuery{Name: wire})
		}
		if s.Payload == m.Name {
			ts = append(ts, &traits.HTTPPayload{}, &traits.XMLName{Name: wire})
		}
	}
	if m.Flat {
		ts = append(ts, &traits.XMLFlattened{})
	}
	if m.XMLAttribute {
		ts = append(ts, &traits.XMLAttribute{})
	}
	if m.XMLNamespace != "" {
		ts = append(ts, &traits.XMLNamespace{URI: m.XMLNamespace})
	}
	if m.QueryName != "" {
		ts = append(ts, &traits.EC2QueryName{Name: m.QueryName})
	}
	// The query protocol names a flattened list by its elements.
	if c.protocol == "query" && m.Shape.Type == "list" && (m.Flat || m.Shape.Flat) && m.Shape.ElemName != "" {
		wire = m.Shape.ElemName
	}
	return wire, ts
}

func timestampFormat(model string) string {
	switch model {
	case "iso8601":
		return "date-time"
	case "rfc822":
		return "http-date"
	case "unixTimestamp":
		return "epoch-seconds"
	}
	return ""
}

func shapeType(s *api.Shape) smithy.ShapeType {
	if s.Document {
		return smithy.ShapeTypeDocument
	}
	switch s.Type {
	case "structure":
		return smithy.ShapeTypeStructure
	case "list":
		return smithy.ShapeTypeList
	case "map":
		return smithy.ShapeTypeMap
	case "boolean":
		return smithy.ShapeTypeBoolean
	case "integer":
		return smithy.ShapeTypeInteger
	case "long":
		return smithy.ShapeTypeLong
	case "float":
		return smithy.ShapeTypeFloat
	case "double":
		return smithy.ShapeTypeDouble
	case "timestamp":
		return smithy.ShapeTypeTimestamp
	case "blob":
		return smithy.ShapeTypeBlob
	}
	return smithy.ShapeTypeString
}
