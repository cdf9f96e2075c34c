package awsfake

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// TestNormalizeKnowsWhatIsSent holds the shapes that awsapi.Normalize makes
// against the answers of the server, which is written from the description
// independently: every element, key and header must be described.
func TestNormalizeKnowsWhatIsSent(t *testing.T) {
	n := 0
	for _, name := range awsapi.Services() {
		svc, err := awsapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, opName := range sorted(svc.Operations) {
			op := svc.Operations[opName]
			if i%7 != 0 && svc.Protocol != "ec2" && svc.Protocol != "rest-xml" || op.Output == nil || svc.Protocol == "smithy-rpc-v2-cbor" {
				continue
			}
			r := &Request{Service: name, Operation: opName, svc: svc, op: op}
			res, err := success(r, Generate(svc, op, 4))
			if err != nil {
				t.Fatalf("%s.%s: %v", name, opName, err)
			}
			shape := awsapi.Normalize(svc, op)
			for i := range shape.Members {
				if m := &shape.Members[i]; m.Header && res.header[textproto.CanonicalMIMEHeaderKey(m.Wire)] == nil && m.Shape.Type != normalize.List {
					t.Errorf("%s.%s: header %s is not sent", name, opName, m.Wire)
				}
			}
			n++
			var where string
			if awsapi.Format(svc) == normalize.XML {
				where = unknownXML(shape, awsapi.Wrap(svc, op), res.body)
			} else {
				where = unknownJSON(shape, res.body)
			}
			if where != "" {
				t.Errorf("%s.%s: %s is not described\n%.1000s", name, opName, where, res.body)
			}
		}
	}
	if n < 2000 {
		t.Errorf("only %d operations", n)
	}
}

// bodyShape returns the shape of the body: that of the payload member, if any.
// It is nil where the body is raw.
func bodyShape(s *normalize.Shape) *normalize.Shape {
	for i := range s.Members {
		if m := &s.Members[i]; m.Payload {
			if m.Shape.Type == normalize.Structure {
				return m.Shape
			}
			return nil
		}
	}
	return s
}

func unknownXML(s *normalize.Shape, wrap []string, body []byte) string {
	var root element
	if s = bodyShape(s); s == nil || len(bytes.TrimSpace(body)) == 0 {
		return ""
	}
	if err := xml.Unmarshal(body, &root); err != nil {
		return err.Error()
	}
	at := &element{Kids: []element{root}}
	for _, w := range wrap {
		var next *element
		for i := range at.Kids {
			if slices.Contains(strings.Split(w, "|"), at.Kids[i].XMLName.Local) {
				next = &at.Kids[i]
			}
		}
		if next == nil {
			return "wrapper " + w
		}
		at = next
	}
	for _, k := range at.Kids {
		if k.XMLName.Local == "requestId" {
			continue
		}
		if where := unknownElement(s, &element{Kids: []element{k}}); where != "" {
			return where
		}
	}
	return ""
}

func unknownElement(s *normalize.Shape, e *element) string {
	for i := range e.Kids {
		k := &e.Kids[i]
		var inner *normalize.Shape
		switch s.Type {
		case normalize.Structure:
			for j := range s.Members {
				m := &s.Members[j]
				if m.Wire != k.XMLName.Local || m.Header || m.Attr {
					continue
				}
				inner = m.Shape
				if m.Flat && inner.Type == normalize.List {
					inner = inner.Elem
				}
			}
		case normalize.List:
			if k.XMLName.Local == s.ElemName {
				inner = s.Elem
			}
		case normalize.Map:
			if k.XMLName.Local == s.EntryName && len(k.Kids) == 2 && k.Kids[0].XMLName.Local == s.KeyName && k.Kids[1].XMLName.Local == s.ValueName {
				k, inner = &k.Kids[1], s.Elem
			}
		}
		if inner == nil {
			return s.Name + "/" + k.XMLName.Local
		}
		if where := unknownElement(inner, k); where != "" {
			return where
		}
	}
	return ""
}

func unknownJSON(s *normalize.Shape, body []byte) string {
	if s = bodyShape(s); s == nil || len(body) == 0 {
		return ""
	}
	var doc any
	if err := json.Unmarshal(body, &doc); err != nil {
		return err.Error()
	}
	return unknownKey(s, doc)
}

func unknownKey(s *normalize.Shape, doc any) string {
	switch s.Type {
	case normalize.Structure:
		m, ok := doc.(map[string]any)
		if !ok {
			return s.Name
		}
		for k, v := range m {
			var inner *normalize.Shape
			for i := range s.Members {
				if s.Members[i].Wire == k && !s.Members[i].Header {
					inner = s.Members[i].Shape
				}
			}
			if inner == nil {
				return s.Name + "." + k
			}
			if where := unknownKey(inner, v); where != "" {
				return where
			}
		}
	case normalize.List:
		l, ok := doc.([]any)
		if !ok {
			return s.Name
		}
		for _, v := range l {
			if where := unknownKey(s.Elem, v); where != "" {
				return where
			}
		}
	case normalize.Map:
		m, ok := doc.(map[string]any)
		if !ok {
			return s.Name
		}
		for _, v := range m {
			if where := unknownKey(s.Elem, v); where != "" {
				return where
			}
		}
	case normalize.Time:
		// A number where the format counts, a text where it spells.
		_, number := doc.(float64)
		if counts := s.Time >= normalize.EpochSeconds; number != counts {
			return s.Name + " in another format"
		}
	}
	return ""
}
