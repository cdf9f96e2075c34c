package awsfake

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// appendCBOR writes a document of maps, lists and scalars.
func appendCBOR(to []byte, doc any) []byte { return append(to, cbor.Encode(toCBOR(doc))...) }

func toCBOR(v any) cbor.Value {
	switch v := plain(v).(type) {
	case nil:
		return &cbor.Nil{}
	case map[string]any:
		m := cbor.Map{}
		for k, x := range v {
			m[k] = toCBOR(x)
		}
		return m
	case []any:
		l := make(cbor.List, len(v))
		for i, x := range v {
			l[i] = toCBOR(x)
		}
		return l
	case string:
		return cbor.String(v)
	case []byte:
		return cbor.Slice(v)
	case bool:
		return cbor.Bool(v)
	case float64:
		return cbor.Float64(v)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(v.UnixMilli()) / 1000)}
	case int:
		return integer(int64(v))
	case int64:
		return integer(v)
	default:
		return cbor.String(fmt.Sprint(v))
	}
}

func integer(n int64) cbor.Value {
	if n < 0 {
		return cbor.NegInt(uint64(-n))
	}
	return cbor.Uint(uint64(n))
}

// cborObject reads an input in CBOR.
func cborObject(shape *api.Shape, body []byte) (map[string]any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	doc, err := fromCBOR(shape, v)
	if err != nil {
		return nil, err
	}
	m, ok := doc.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the body is %T, not a map", v)
	}
	return m, nil
}

func fromCBOR(s *api.Shape, v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Map:
		out := map[string]any{}
		for k, x := range v {
			inner := s.Value
			if s.Type == "structure" {
				m := s.Member(k)
				if m == nil {
					return nil, fmt.Errorf("%s has no %s", s.Name, k)
				}
				inner = m.Shape
			}
			y, err := fromCBOR(inner, x)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			out[k] = y
		}
		return out, nil
	case cbor.List:
		l := make([]any, len(v))
		for i, x := range v {
			var err error
			if l[i], err = fromCBOR(s.Elem, x); err != nil {
				return nil, err
			}
		}
		return l, nil
	case cbor.String:
		return string(v), nil
	case cbor.Slice:
		return []byte(v), nil
	case cbor.Bool:
		return bool(v), nil
	case cbor.Uint:
		return int64(v), nil
	case cbor.NegInt:
		return strconv.ParseInt("-"+strconv.FormatUint(uint64(v), 10), 10, 64)
	case cbor.Float32:
		return float64(v), nil
	case cbor.Float64:
		return float64(v), nil
	case *cbor.Tag:
		return fromCBOR(s, v.Value)
	}
	return nil, nil
}
