package awsfake

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// plain makes []any and map[string]any of other slices and maps.
func plain(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int, int64, float64, time.Time, []byte, []any, map[string]any:
		return v
	}
	rv := reflect.ValueOf(v)
	switch rv.Kind() {
	case reflect.Slice:
		l := make([]any, rv.Len())
		for i := range l {
			l[i] = rv.Index(i).Interface()
		}
		return l
	case reflect.Map:
		m := map[string]any{}
		for it := rv.MapRange(); it.Next(); {
			m[it.Key().String()] = it.Value().Interface()
		}
		return m
	}
	return v
}

// Encode writes an output in member names as the service sends it: the header
// and the body of an answer with status 200.
func Encode(svc *api.Service, op *api.Operation, out map[string]any) (http.Header, []byte, error) {
	res, err := success(&Request{Service: svc.Name, Operation: op.Name, svc: svc, op: op}, out)
	if err != nil {
		return nil, nil, err
	}
	return res.header, res.body, nil
}

// success writes an output in the protocol of the service.
func success(r *Request, out map[string]any) (*response, error) {
	res := &response{status: 200, header: http.Header{}}
	res.header.Set("Content-Type", contentType(r))
	shape := r.op.Output
	if shape == nil {
		shape = &api.Shape{Type: "structure"}
	}
	for name := range out {
		if shape.Member(name) == nil {
			return nil, fmt.Errorf("%s has no %s", shape.Name, name)
		}
	}
	e := encoder{protocol: r.svc.Protocol}
	var err error
	switch r.svc.Protocol {
	case "json":
		res.body, err = e.json(shape, out)
	case "smithy-rpc-v2-cbor":
		res.header.Set("smithy-protocol", "rpc-v2-cbor")
		var doc any
		if doc, err = e.value(shape, out, ""); err == nil {
			res.body = appendCBOR(nil, doc)
		}
	case "ec2":
		e.open(r.Operation+"Response", r.svc.XMLNamespace)
		e.buf.WriteString("<requestId>0</requestId>")
		err = e.structure(shape, out)
		e.close(r.Operation + "Response")
		res.body = e.buf.Bytes()
	case "query":
		e.open(r.Operation+"Response", r.svc.XMLNamespace)
		if r.op.ResultWrapper != "" {
			e.open(r.op.ResultWrapper, "")
		}
		err = e.structure(shape, out)
		if r.op.ResultWrapper != "" {
			e.close(r.op.ResultWrapper)
		}
		e.buf.WriteString("<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>")
		e.close(r.Operation + "Response")
		res.body = e.buf.Bytes()
	default:
		err = e.rest(r, shape, out, res)
	}
	return res, err
}

type encoder struct {
	protocol string
	buf      bytes.Buffer
}

func first(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

func (e *encoder) json(s *api.Shape, v any) ([]byte, error) {
	doc, err := e.value(s, v, "")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err = enc.Encode(doc)
	return bytes.TrimSpace(b.Bytes()), err
}

// value makes the JSON (or CBOR) document of a value.
func (e *encoder) value(s *api.Shape, v any, format string) (any, error) {
	v = plain(v)
	if v == nil || s.Document {
		return v, nil
	}
	switch s.Type {
	case "structure":
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T, not a map", s.Name, v)
		}
		out := map[string]any{}
		for name, x := range m {
			mem := s.Member(name)
			if mem == nil {
				return nil, fmt.Errorf("%s has no %s", s.Name, name)
			}
			if x == nil || mem.Location != "" || mem.Shape.EventStream {
				continue
			}
			y, err := e.value(mem.Shape, x, mem.TimestampFormat)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			out[wire(mem)] = y
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
			if out[i], err = e.value(s.Elem, x, ""); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is %T, not a map", s.Name, v)
		}
		out := map[string]any{}
		for k, x := range m {
			var err error
			if out[k], err = e.value(s.Value, x, ""); err != nil {
				return nil, err
			}
		}
		return out, nil
	case "timestamp":
		t, ok := v.(time.Time)
		if !ok {
			return nil, fmt.Errorf("%s is %T, not a time", s.Name, v)
		}
		if e.protocol == "smithy-rpc-v2-cbor" {
			return t, nil
		}
		format = first(format, s.TimestampFormat, "unixTimestamp")
		if format == "unixTimestamp" {
			return json.Number(epoch(t)), nil
		}
		return e.text(s, t, format)
	case "blob":
		if b, ok := v.([]byte); ok && e.protocol != "smithy-rpc-v2-cbor" {
			return base64.StdEncoding.EncodeToString(b), nil
		}
	case "float", "double":
		if f, ok := v.(float64); ok && e.protocol != "smithy-rpc-v2-cbor" && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return e.text(s, f, "")
		}
	}
	return v, nil
}

// epoch writes seconds with the milliseconds that there are.
func epoch(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// text writes a scalar for XML and headers.
func (e *encoder) text(s *api.Shape, v any, format string) (string, error) {
	switch v := v.(type) {
	case time.Time:
		switch format {
		case "rfc822":
			return v.UTC().Format(http.TimeFormat), nil
		case "unixTimestamp":
			return epoch(v), nil
		}
		return v.UTC().Format("2006-01-02T15:04:05.999Z"), nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "Infinity", nil
		case math.IsInf(v, -1):
			return "-Infinity", nil
		}
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	case []any:
		var parts []string
		for _, x := range v {
			t, err := e.text(s.Elem, x, format)
			if err != nil {
				return "", err
			}
			parts = append(parts, t)
		}
		return strings.Join(parts, ","), nil
	case map[string]any:
		return "", fmt.Errorf("%s is a map, not %s", s.Name, s.Type)
	}
	return fmt.Sprint(v), nil
}
