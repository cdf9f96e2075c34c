package awsfake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
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
