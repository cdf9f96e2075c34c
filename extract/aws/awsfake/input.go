package awsfake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws/api"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// wire is the name of a member in JSON, XML, headers and labels.
func wire(m *api.Member) string {
	if m.LocationName != "" {
		return m.LocationName
	}
	return m.Name
}

// input reads the input of a request into member names.
func input(r *Request, h *http.Request, form url.Values, body []byte) (map[string]any, error) {
	shape := r.op.Input
	if shape == nil {
		return map[string]any{}, nil
	}
	switch r.svc.Protocol {
	case "json":
		return jsonObject(shape, body)
	case "query", "ec2":
		return formInput(r.svc.Protocol, shape, form)
	case "smithy-rpc-v2-cbor":
		return cborObject(shape, body)
	}
	return restInput(r, shape, h, body)
}

// jsonObject reads a JSON object.
func jsonObject(shape *api.Shape, body []byte) (map[string]any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return map[string]any{}, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var doc any
	if err := d.Decode(&doc); err != nil {
		return nil, err
	}
	v, err := fromJSON(shape, doc)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the body is %T, not an object", doc)
	}
	return m, nil
}

// fromJSON makes a value in member names and the shape's type of a document.
func fromJSON(s *api.Shape, v any) (any, error) {
	if v == nil || s.Document {
		return v, nil
	}
	switch s.Type {
	case "structure":
		doc, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T, not an object", s.Name, v)
		}
		out := map[string]any{}
		for i := range s.Members {
			m := &s.Members[i]
			x, ok := doc[wire(m)]
			if !ok || m.Location != "" {
				continue
			}
			delete(doc, wire(m))
			var err error
			if out[m.Name], err = fromJSON(m.Shape, x); err != nil {
				return nil, fmt.Errorf("%s: %w", m.Name, err)
			}
		}
		if len(doc) > 0 {
			return nil, fmt.Errorf("%s has no %s", s.Name, strings.Join(sorted(doc), ", "))
		}
		return out, nil
	case "list":
		l, ok := v.([]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T, not a list", s.Name, v)
		}
		out := make([]any, len(l))
		for i, x := range l {
			var err error
			if out[i], err = fromJSON(s.Elem, x); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "map":
		doc, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T, not an object", s.Name, v)
		}
		for k, x := range doc {
			y, err := fromJSON(s.Value, x)
			if err != nil {
				return nil, err
			}
			doc[k] = y
		}
		return doc, nil
	case "boolean":
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case "integer", "long", "float", "double":
		if n, ok := v.(json.Number); ok {
			return scalar(s, n.String())
		}
	case "timestamp":
		return scalar(s, fmt.Sprint(v))
	default:
		if t, ok := v.(string); ok {
			return scalar(s, t)
		}
	}
	return nil, fmt.Errorf("%s is %T, not %s", s.Name, v, s.Type)
}

// scalar reads a text as a value of the shape's type.
func scalar(s *api.Shape, text string) (any, error) {
	switch s.Type {
	case "boolean":
		return strconv.ParseBool(text)
	case "integer", "long":
		return strconv.ParseInt(text, 10, 64)
	case "float", "double":
		return strconv.ParseFloat(text, 64)
	case "blob":
		return base64.StdEncoding.DecodeString(text)
	case "timestamp":
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return t, nil
		}
		if t, err := http.ParseTime(text); err == nil {
			return t, nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no time", text)
		}
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), nil
	case "structure", "list", "map":
		return nil, fmt.Errorf("%s is a text, not a %s", s.Name, s.Type)
	}
	return text, nil
}

// formInput reads the flat parameters of the query and ec2 protocols.
func formInput(protocol string, shape *api.Shape, form url.Values) (map[string]any, error) {
	f := formReader{protocol == "ec2", map[string]string{}}
	for k, v := range form {
		if k != "Action" && k != "Version" && len(v) > 0 {
			f.left[k] = v[0]
		}
	}
	out, _, err := f.structure(shape, "")
	if err == nil && len(f.left) > 0 {
		err = fmt.Errorf("%s has no %s", shape.Name, strings.Join(sorted(f.left), ", "))
	}
	return out, err
}

type formReader struct {
	ec2  bool
	left map[string]string
}

func (f *formReader) structure(s *api.Shape, prefix string) (map[string]any, bool, error) {
	out := map[string]any{}
	for i := range s.Members {
		m := &s.Members[i]
		name := wire(m)
		if f.ec2 {
			name = strings.ToUpper(name[:1]) + name[1:]
			if m.QueryName != "" {
				name = m.QueryName
			}
		}
		flat := f.ec2 || m.Flat || m.Shape.Flat
		if !f.ec2 && flat && m.Shape.Type == "list" && m.Shape.ElemName != "" {
			name = m.Shape.ElemName
		}
		v, ok, err := f.value(m.Shape, prefix+name, flat)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", m.Name, err)
		}
		if ok {
			out[m.Name] = v
		}
	}
	return out, len(out) > 0, nil
}

func (f *formReader) value(s *api.Shape, name string, flat bool) (any, bool, error) {
	switch s.Type {
	case "structure":
		return second(f.structure(s, name+"."))
	case "list":
		if !flat {
			elem := s.ElemName
			if elem == "" {
				elem = "member"
			}
			if v, ok := f.left[name]; ok && v == "" {
				delete(f.left, name)
				return []any{}, true, nil
			}
			name += "." + elem
		}
		var l []any
		for i := 1; ; i++ {
			v, ok, err := f.value(s.Elem, fmt.Sprintf("%s.%d", name, i), f.ec2)
			if err != nil || !ok {
				return l, len(l) > 0, err
			}
			l = append(l, v)
		}
	case "map":
		key, val := "key", "value"
		if s.KeyName != "" {
			key, val = s.KeyName, s.ValName
		}
		if !flat {
			name += ".entry"
		}
		m := map[string]any{}
		for i := 1; ; i++ {
			at := fmt.Sprintf("%s.%d.", name, i)
			k, ok := f.left[at+key]
			if !ok {
				return m, len(m) > 0, nil
			}
			delete(f.left, at+key)
			v, _, err := f.value(s.Value, at+val, false)
			if err != nil {
				return nil, false, err
			}
			m[k] = v
		}
	}
	text, ok := f.left[name]
	if !ok {
		return nil, false, nil
	}
	delete(f.left, name)
	v, err := scalar(s, text)
	return v, true, err
}

func second(m map[string]any, ok bool, err error) (any, bool, error) { return m, ok, err }

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
