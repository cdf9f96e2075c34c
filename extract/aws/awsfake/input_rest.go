package awsfake

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// restInput reads labels, the query, headers and the body.
func restInput(r *Request, shape *api.Shape, h *http.Request, body []byte) (map[string]any, error) {
	out := map[string]any{}
	path, literals, _ := strings.Cut(r.op.URI, "?")
	inPath, _, _ := labels(path, h.URL.EscapedPath())
	query := h.URL.Query()
	for _, p := range strings.Split(literals, "&") {
		k, _, _ := strings.Cut(p, "=")
		query.Del(k)
	}
	inBody := 0
	for i := range shape.Members {
		m := &shape.Members[i]
		var texts []string
		switch m.Location {
		case "uri":
			if v, ok := inPath[wire(m)]; ok {
				texts = []string{v}
			}
		case "querystring":
			if m.Shape.Type == "map" {
				continue
			}
			texts = query[wire(m)]
			query.Del(wire(m))
		case "header":
			texts = h.Header[textproto.CanonicalMIMEHeaderKey(wire(m))]
			if m.Shape.Type == "list" && len(texts) == 1 {
				texts = strings.Split(texts[0], ",")
			}
		case "headers":
			continue
		default:
			inBody++
			continue
		}
		if len(texts) == 0 {
			continue
		}
		if m.Shape.Type == "list" {
			var l []any
			for _, t := range texts {
				v, err := scalar(m.Shape.Elem, strings.TrimSpace(t))
				if err != nil {
					return nil, fmt.Errorf("%s: %w", m.Name, err)
				}
				l = append(l, v)
			}
			out[m.Name] = l
			continue
		}
		v, err := scalar(m.Shape, texts[0])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		out[m.Name] = v
	}
	query.Del("x-id")
	for i := range shape.Members {
		if m := &shape.Members[i]; m.Location == "querystring" && m.Shape.Type == "map" {
			rest := map[string]any{}
			for k, v := range query {
				rest[k] = v[0]
				query.Del(k)
			}
			out[m.Name] = rest
		}
	}
	if len(query) > 0 {
		return nil, fmt.Errorf("%s has no %s in the query", shape.Name, strings.Join(sorted(query), ", "))
	}
	if len(body) == 0 || inBody == 0 {
		return out, nil
	}
	target, p := shape, shape.Member(shape.Payload)
	if p != nil {
		switch p.Shape.Type {
		case "blob":
			out[p.Name] = body
			return out, nil
		case "string":
			out[p.Name] = string(body)
			return out, nil
		}
		target = p.Shape
	}
	var doc map[string]any
	var err error
	if r.svc.Protocol == "rest-xml" {
		doc, err = xmlObject(target, body)
	} else {
		doc, err = jsonObject(target, body)
	}
	if err != nil {
		return nil, err
	}
	if p != nil {
		out[p.Name] = doc
	} else {
		maps.Copy(out, doc)
	}
	return out, nil
}

// element is a piece of XML as it stands.
type element struct {
	XMLName xml.Name
	Attrs   []xml.Attr `xml:",any,attr"`
	Text    string     `xml:",chardata"`
	Kids    []element  `xml:",any"`
}

// xmlObject reads an XML document whose root is a structure.
func xmlObject(s *api.Shape, body []byte) (map[string]any, error) {
	var root element
	d := xml.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&root); err != nil && err != io.EOF {
		return nil, err
	}
	v, err := fromXML(s, &root)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	return m, nil
}

func fromXML(s *api.Shape, e *element) (any, error) {
	switch s.Type {
	case "structure":
		out := map[string]any{}
		for i := range s.Members {
			m := &s.Members[i]
			name := wire(m)
			flat := m.Flat || m.Shape.Flat
			if flat && m.Shape.ElemName != "" {
				name = m.Shape.ElemName
			}
			var flats []element
			for j := range e.Kids {
				if e.Kids[j].XMLName.Local != name {
					continue
				}
				if flat {
					flats = append(flats, e.Kids[j])
					continue
				}
				v, err := fromXML(m.Shape, &e.Kids[j])
				if err != nil {
					return nil, fmt.Errorf("%s: %w", m.Name, err)
				}
				out[m.Name] = v
			}
			if len(flats) > 0 {
				v, err := fromXML(m.Shape, &element{Kids: flats})
				if err != nil {
					return nil, fmt.Errorf("%s: %w", m.Name, err)
				}
				out[m.Name] = v
			}
		}
		return out, nil
	case "list":
		l := []any{}
		for i := range e.Kids {
			v, err := fromXML(s.Elem, &e.Kids[i])
			if err != nil {
				return nil, err
			}
			l = append(l, v)
		}
		return l, nil
	case "map":
		m := map[string]any{}
		for _, entry := range e.Kids {
			if len(entry.Kids) != 2 {
				return nil, fmt.Errorf("%s has an entry with %d elements", s.Name, len(entry.Kids))
			}
			v, err := fromXML(s.Value, &entry.Kids[1])
			if err != nil {
				return nil, err
			}
			m[entry.Kids[0].Text] = v
		}
		return m, nil
	}
	return scalar(s, e.Text)
}
