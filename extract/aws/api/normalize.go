package api

import (
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// Format is the notation of the service's answers. Those in CBOR have to be
// rewritten to JSON before they are read.
func Format(s *api.Service) normalize.Format {
	switch s.Protocol {
	case "query", "ec2", "rest-xml":
		return normalize.XML
	}
	return normalize.JSON
}

// Wrap returns the XML elements around the members of an operation's output,
// outermost first; nil for JSON, for an output that is raw bytes or text, and
// for one whose only member is the root itself.
func Wrap(s *api.Service, o *api.Operation) []string {
	out := o.Output
	switch s.Protocol {
	case "ec2":
		return []string{o.Name + "Response"}
	case "query":
		if o.ResultWrapper == "" {
			return []string{o.Name + "Response"}
		}
		return []string{o.Name + "Response", o.ResultWrapper}
	case "rest-xml":
		if out == nil || bare(s, o) {
			return nil
		}
		p := out.Member(out.Payload)
		if p == nil {
			return roots(o, first(out.LocationName, out.Name))
		}
		if p.Shape.Type == "structure" {
			return roots(o, first(p.LocationName, p.Shape.LocationName, p.Shape.Name))
		}
	}
	return nil
}

// roots are the names of an answer's root: the description's, and the one that
// emulators give to answers of which they know the operation only.
func roots(o *api.Operation, name string) []string {
	if other := o.Name + "Response"; other != name {
		name += "|" + other
	}
	return []string{name}
}

// bare says whether the root element of the answer is a member of the output
// itself: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html.
func bare(s *api.Service, o *api.Operation) bool {
	return s.Name == "s3" && o.Name == "GetBucketLocation"
}

func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// Normalize returns the shape of an operation's answer, nil if it has none.
// Every call makes a new graph, which the caller may change. Names and time
// formats are resolved for the service's protocol. Members that the
// description marks as sensitive, or whose elements it does, have Sensitive
// set and Drop not: what happens to them is the caller's decision. Status
// codes, maps of headers and event streams have no place in a document and
// are left out.
func Normalize(s *api.Service, o *api.Operation) *normalize.Shape {
	if o.Output == nil {
		return nil
	}
	n := normalizer{protocol: s.Protocol, xml: Format(s) == normalize.XML, memo: map[*api.Shape]*normalize.Shape{}}
	return n.shape(o.Output)
}

type normalizer struct {
	protocol string
	xml      bool
	memo     map[*api.Shape]*normalize.Shape
}

func (n *normalizer) shape(s *api.Shape) *normalize.Shape {
	if s == nil {
		return nil
	}
	if t := n.memo[s]; t != nil {
		return t
	}
	t := &normalize.Shape{Name: s.Name, Type: n.kind(s), Doc: s.Doc}
	n.memo[s] = t
	switch t.Type {
	case normalize.Time:
		t.Time = n.time(s.TimestampFormat)
	case normalize.List:
		t.Elem = n.shape(s.Elem)
		if n.xml {
			t.ElemName = first(s.ElemName, "member")
		}
	case normalize.Map:
		t.Elem = n.shape(s.Value)
		if n.xml {
			t.EntryName, t.KeyName, t.ValueName = "entry", first(s.KeyName, "key"), first(s.ValName, "value")
		}
	case normalize.Structure:
		t.Members = make([]normalize.Member, 0, len(s.Members))
		for i := range s.Members {
			if m, ok := n.member(s, &s.Members[i]); ok {
				t.Members = append(t.Members, m)
			}
		}
	}
	return t
}

func (n *normalizer) kind(s *api.Shape) normalize.ShapeType {
	switch s.Type {
	case "structure":
		if s.Document {
			return normalize.Document
		}
		return normalize.Structure
	case "list":
		return normalize.List
	case "map":
		return normalize.Map
	case "boolean":
		return normalize.Boolean
	case "byte", "short", "integer", "long":
		return normalize.Integer
	case "biginteger":
		return normalize.BigInteger
	case "float", "double", "bigdecimal":
		return normalize.Float
	case "timestamp":
		return normalize.Time
	case "blob":
		return normalize.Blob
	}
	return normalize.String
}

func (n *normalizer) member(s *api.Shape, m *api.Member) (normalize.Member, bool) {
	t := normalize.Member{Name: m.Name, Wire: first(m.LocationName, m.Name), Doc: m.Doc, Sensitive: m.Sensitive}
	switch m.Location {
	case "header":
		t.Header = true
	case "headers", "statusCode":
		return t, false
	}
	if m.Shape.EventStream {
		return t, false
	}
	t.Shape = n.shape(m.Shape)
	t.Payload = s.Payload != "" && s.Payload == m.Name
	if n.xml && !t.Header {
		t.Flat = (m.Flat || m.Shape.Flat) && (t.Shape.Type == normalize.List || t.Shape.Type == normalize.Map)
		if t.Flat && m.Shape.ElemName != "" {
			t.Wire = m.Shape.ElemName
		}
		t.Attr = m.XMLAttribute
		if _, local, ok := strings.Cut(t.Wire, ":"); ok {
			t.Wire = local
		}
	}
	if t.Shape.Type == normalize.Time {
		switch {
		case m.TimestampFormat != "":
			t.Time = n.time(m.TimestampFormat)
		case t.Header && m.Shape.TimestampFormat == "":
			t.Time = normalize.TimeHTTP
		}
	}
	return t, true
}

// time resolves a format, whose default depends on the protocol.
func (n *normalizer) time(format string) normalize.TimeFormat {
	switch format {
	case "iso8601":
		return normalize.TimeISO
	case "rfc822":
		return normalize.TimeHTTP
	case "unixTimestamp":
		return normalize.EpochSeconds
	}
	if n.xml {
		return normalize.TimeISO
	}
	return normalize.EpochSeconds
}
