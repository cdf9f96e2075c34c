package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// convert makes the description of a document: the operations in use and the
// shapes that they need.
func convert(d *document) (*api.Service, error) {
	c := &converter{doc: d, shapes: map[*schema]*api.Shape{}, scalars: map[string]*api.Shape{}}
	s := &api.Service{
		Name: d.key(), Title: d.Title, APIVersion: d.Version, Protocol: "discovery",
		RootURL: d.RootURL, ServicePath: d.ServicePath, MTLSRootURL: d.MTLSRootURL,
		Operations: map[string]*api.Operation{},
	}
	for _, e := range d.Endpoints {
		if s.Locations == nil {
			s.Locations = map[string]string{}
		}
		s.Locations[e.Location] = e.EndpointURL
	}
	var failure error
	d.methods(func(m *method) {
		if failure != nil || !wanted(m) {
			return
		}
		op, err := c.operation(m)
		if err == nil && s.Operations[op.Name] != nil {
			err = fmt.Errorf("there are two %s", op.Name)
		}
		if err != nil {
			failure = fmt.Errorf("%s: %w", m.ID, err)
			return
		}
		s.Operations[op.Name] = op
	})
	return s, failure
}

type converter struct {
	doc    *document
	shapes map[*schema]*api.Shape
	// scalars are those that only their type tells apart, by it.
	scalars map[string]*api.Shape
}

// plain returns the one shape of a scalar's type.
func (c *converter) plain(s *api.Shape) *api.Shape {
	s.Name = s.Type
	if s.Document {
		s.Name = "any"
	}
	have := c.scalars[s.Name]
	if have == nil {
		c.scalars[s.Name], have = s, s
	}
	return have
}

func (c *converter) operation(m *method) (*api.Operation, error) {
	// The first part is the API's name, if not always the document's.
	_, name, ok := strings.Cut(m.ID, ".")
	if !ok {
		return nil, fmt.Errorf("the id has one part")
	}
	op := &api.Operation{Name: name, Method: m.HTTPMethod, URI: m.Path, Doc: sentence(m.Description), Deprecated: m.Deprecated}
	var err error
	if op.Input, err = c.input(m); err != nil {
		return nil, err
	}
	if m.Response != nil {
		if op.Output, err = c.shape(m.Response, ""); err != nil {
			return nil, err
		}
	}
	op.Pager = pager(op)
	return op, nil
}

// input is a structure of the parameters and of the members of the body.
// Where a member of the body has a parameter's name, "body_" stands before it.
func (c *converter) input(m *method) (*api.Shape, error) {
	in := &api.Shape{Name: m.ID, Type: "structure"}
	for _, wire := range slices.Sorted(maps.Keys(m.Parameters)) {
		p := m.Parameters[wire]
		s, err := c.parameter(p)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", wire, err)
		}
		at := api.Member{Name: memberName(wire), Shape: s, Location: "querystring"}
		if at.Name != wire {
			at.LocationName = wire
		}
		if p.Location == "path" {
			at.Location = "uri"
		}
		if p.Required || p.Location == "path" {
			in.Required = append(in.Required, at.Name)
		}
		in.Members = append(in.Members, at)
	}
	if m.Request != nil {
		body, err := c.shape(m.Request, "")
		if err != nil {
			return nil, err
		}
		for _, b := range body.Members {
			if in.Member(b.Name) != nil {
				b.LocationName = b.Name
				b.Name = "body_" + b.Name
			}
			in.Members = append(in.Members, b)
		}
	}
	if len(in.Members) == 0 {
		return nil, nil
	}
	return in, nil
}

// memberName is a parameter's name without the dots and signs that would mean
// something in a path: optionsRequestedPolicyVersion.
func memberName(wire string) string {
	parts := strings.FieldsFunc(wire, func(r rune) bool { return r == '.' || r == '$' || r == '-' })
	for i, p := range parts[1:] {
		parts[i+1] = strings.ToUpper(p[:1]) + p[1:]
	}
	return strings.Join(parts, "")
}

// parameter is a parameter's shape: its pattern and its limits are kept.
func (c *converter) parameter(p *schema) (*api.Shape, error) {
	s, err := c.scalar(p)
	if err != nil {
		return nil, err
	}
	if s == nil {
		s = &api.Shape{Type: "string"}
	}
	s.Pattern = p.Pattern
	if s.Min, err = number(p.Minimum); err != nil {
		return nil, err
	}
	if s.Max, err = number(p.Maximum); err != nil {
		return nil, err
	}
	if s.Pattern == "" && s.Enum == nil && s.Min == nil && s.Max == nil {
		s = c.plain(s)
	} else {
		s.Name = "parameter"
	}
	if p.Repeated {
		return &api.Shape{Name: "parameters", Type: "list", Elem: s}, nil
	}
	return s, nil
}

// number reads a limit. Those without meaning, as the largest number of the
// type is, are none.
func number(text string) (*float64, error) {
	if text == "" || text == "4294967295" || text == "2147483647" {
		return nil, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	return &f, err
}

// shape converts a schema. name is for one that has none of its own.
func (c *converter) shape(x *schema, name string) (*api.Shape, error) {
	if x.Ref != "" {
		target := c.doc.Schemas[x.Ref]
		if target == nil {
			return nil, fmt.Errorf("there is no schema %s", x.Ref)
		}
		return c.shape(target, x.Ref)
	}
	if s := c.shapes[x]; s != nil {
		return s, nil
	}
	name = cmp.Or(x.ID, name)
	s, err := c.scalar(x)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if s != nil {
		if s.Enum == nil {
			return c.plain(s), nil
		}
		s.Name = name
		c.shapes[x] = s
		return s, nil
	}
	s = &api.Shape{Name: name}
	c.shapes[x] = s
	switch {
	case x.Type == "array":
		s.Type = "list"
		s.Elem, err = c.shape(x.Items, name+"Item")
		return s, err
	case len(x.Properties) > 0:
		s.Type = "structure"
		for _, n := range slices.Sorted(maps.Keys(x.Properties)) {
			m, err := c.member(s, n, x.Properties[n])
			if err != nil {
				return nil, err
			}
			s.Members = append(s.Members, m)
		}
		return s, nil
	case x.AdditionalProperties != nil:
		s.Type = "map"
		s.Key = c.plain(&api.Shape{Type: "string"})
		s.Value, err = c.shape(x.AdditionalProperties, name+"Value")
		return s, err
	}
	// An object of which nothing is said, or that has no members: whether it
	// is there may be all that it says.
	s.Type, s.Document = "structure", true
	return s, nil
}

func (c *converter) member(of *api.Shape, name string, p *schema) (api.Member, error) {
	s, err := c.shape(p, of.Name+strings.ToUpper(name[:1])+name[1:])
	if err != nil {
		return api.Member{}, err
	}
	m := api.Member{Name: name, Shape: s, Doc: sentence(p.Description)}
	if s.Type == "string" && s.Enum == nil && timed(name, p) {
		m.Shape = c.plain(&api.Shape{Type: "timestamp", TimestampFormat: "iso8601"})
	}
	m.Sensitive = sensitive(c.doc.Name, of.Name, name, s)
	return m, nil
}

// timed says whether a member without a format is a time by its own text.
func timed(name string, p *schema) bool {
	if p.Type != "string" || p.Format != "" || strings.HasSuffix(name, "Duration") {
		return false
	}
	return name == "creationTimestamp" || timeName.MatchString(name) && timeText.MatchString(p.Description)
}

var (
	timeName = regexp.MustCompile(`(?:T|t)ime(?:stamp)?$`)
	timeText = regexp.MustCompile(`(?i)(?:RFC ?)?3339\b|ISO ?8601`)
)

// scalar is the shape of a schema that is no structure, list or map; nil if
// it is one.
func (c *converter) scalar(x *schema) (*api.Shape, error) {
	s := &api.Shape{Type: x.Type}
	switch x.Type {
	case "string":
		switch x.Format {
		case "int64":
			s.Type = "long"
		case "uint64":
			s.Type = "biginteger"
		case "byte":
			s.Type = "blob"
		case "date-time", "google-datetime":
			s.Type, s.TimestampFormat = "timestamp", "iso8601"
		case "", "date", "google-duration", "google-fieldmask":
			s.Enum = x.Enum
		default:
			return nil, fmt.Errorf("unknown format %s of a string", x.Format)
		}
	case "integer":
		switch x.Format {
		case "int32", "uint32", "":
		default:
			return nil, fmt.Errorf("unknown format %s of an integer", x.Format)
		}
	case "number":
		s.Type = "double"
		if x.Format == "float" {
			s.Type = "float"
		}
	case "boolean":
	case "any":
		s.Type, s.Document = "structure", true
	case "array", "object", "":
		return nil, nil
	default:
		return nil, fmt.Errorf("unknown type %s", x.Type)
	}
	return s, nil
}
