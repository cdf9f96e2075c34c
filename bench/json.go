package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// asJSON is the same page as a JSON service would write it, and the spec of
// instances that come so.
func asJSON(cat *catalog.Catalogue, page []byte) (normalize.Spec, []byte, error) {
	e, ok := cat.Entry("aws_ec2_instance")
	if !ok {
		return normalize.Spec{}, nil, errors.New("no kind aws_ec2_instance")
	}
	s := e.Spec
	src := s.Sources[0]
	root, err := parseXML(page)
	if err != nil {
		return s, nil, err
	}
	doc, err := json.Marshal(root.value(src.Shape))
	if err != nil {
		return s, nil, err
	}
	src.Format, src.Wrap, src.Shape = normalize.JSON, nil, wired(src.Shape, map[*normalize.Shape]*normalize.Shape{})
	s.Sources = []normalize.Source{src}
	return s, doc, nil
}

// wired is a shape whose members have the names of the description in the
// body, as JSON services' have.
func wired(s *normalize.Shape, done map[*normalize.Shape]*normalize.Shape) *normalize.Shape {
	if c := done[s]; c != nil || s == nil {
		return c
	}
	c := *s
	done[s] = &c
	c.Elem = wired(s.Elem, done)
	c.Members = make([]normalize.Member, len(s.Members))
	for i, m := range s.Members {
		m.Wire, m.Shape = m.Name, wired(m.Shape, done)
		c.Members[i] = m
	}
	return &c
}

// element is an XML element.
type element struct {
	name, text string
	children   []*element
}

func parseXML(doc []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	open := []*element{{}}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := open[len(open)-1]
		switch t := t.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local}
			top.children = append(top.children, e)
			open = append(open, e)
		case xml.CharData:
			top.text += string(t)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
	if len(open[0].children) != 1 {
		return nil, fmt.Errorf("%d root elements", len(open[0].children))
	}
	return open[0].children[0], nil
}

// value is the element as a shape's value in JSON.
func (e *element) value(s *normalize.Shape) any {
	switch s.Type {
	case normalize.Structure:
		var out object
		for _, c := range e.children {
			for _, m := range s.Members {
				if c.name == m.Wire {
					out = append(out, member{m.Name, c.value(m.Shape)})
				}
			}
		}
		return out
	case normalize.List:
		out := []any{}
		for _, c := range e.children {
			out = append(out, c.value(s.Elem))
		}
		return out
	case normalize.Boolean, normalize.Integer, normalize.Float:
		return json.RawMessage(strings.TrimSpace(e.text))
	}
	return e.text
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b = append(strconv.AppendQuote(b, m.name), ':')
		b = append(b, v...)
	}
	return append(b, '}'), nil
}
