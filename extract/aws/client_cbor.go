package aws

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/aws/smithy-go/encoding/cbor"
)

// cborToJSON rewrites an answer of the CBOR protocol as the JSON protocol
// would have sent it: times in epoch seconds, blobs in base64.
func cborToJSON(body []byte) ([]byte, error) {
	if len(body) == 0 {
		return []byte("{}"), nil
	}
	v, err := cbor.Decode(body)
	if err != nil {
		return nil, err
	}
	plain, err := plainCBOR(v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(plain)
}

func plainCBOR(v cbor.Value) (any, error) {
	switch v := v.(type) {
	case cbor.Uint:
		return uint64(v), nil
	case cbor.NegInt:
		if uint64(v) == 0 || uint64(v) > 1<<63 {
			return nil, fmt.Errorf("an integer under the range of 64 bits")
		}
		return json.Number("-" + strconv.FormatUint(uint64(v), 10)), nil
	case cbor.Float32:
		return cborFloat(float64(v)), nil
	case cbor.Float64:
		return cborFloat(float64(v)), nil
	case cbor.String:
		return string(v), nil
	case cbor.Slice:
		return base64.StdEncoding.EncodeToString(v), nil
	case cbor.Bool:
		return bool(v), nil
	case *cbor.Nil, *cbor.Undefined:
		return nil, nil
	case *cbor.Tag:
		return plainCBOR(v.Value)
	case cbor.List:
		l := make([]any, len(v))
		for i := range v {
			x, err := plainCBOR(v[i])
			if err != nil {
				return nil, err
			}
			l[i] = x
		}
		return l, nil
	case cbor.Map:
		m := make(map[string]any, len(v))
		for k := range v {
			x, err := plainCBOR(v[k])
			if err != nil {
				return nil, err
			}
			m[k] = x
		}
		return m, nil
	}
	return nil, fmt.Errorf("a CBOR value of type %T", v)
}

// cborFloat spells what JSON has no number for as the JSON protocols do.
func cborFloat(x float64) any {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "Infinity"
	case math.IsInf(x, -1):
		return "-Infinity"
	}
	return x
}
