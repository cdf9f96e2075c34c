package rows

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The layouts of times by the type of their column; the default has a zone.
var layouts = map[string]string{
	"DATE": time.DateOnly, "TIME": "15:04:05.999999",
	"TIMESTAMP": "2006-01-02T15:04:05.999999", "TIMESTAMP_S": "2006-01-02T15:04:05",
	"TIMESTAMP_MS": "2006-01-02T15:04:05.999", "TIMESTAMP_NS": "2006-01-02T15:04:05.999999999",
}

// text writes a value that is not NULL as text: times as ISO 8601 in UTC,
// nested values as JSON.
func text(v any, typ string) string {
	switch v := v.(type) {
	case string:
		if typ == "JSON" {
			break
		}
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return float(v)
	case float32:
		return float(float64(v))
	case []byte:
		if typ == "UUID" && len(v) == 16 {
			return uuid(v)
		}
		return `\x` + hex.EncodeToString(v)
	case time.Time:
		if l, ok := layouts[typ]; ok {
			return v.UTC().Format(l)
		}
		return v.UTC().Format(time.RFC3339Nano)
	}
	if typ == "JSON" || nested(v) {
		return string(appendJSON(nil, v, typ))
	}
	if s, ok := interval(v); ok {
		return s
	}
	return fmt.Sprint(v)
}

func nested(v any) bool {
	if _, ok := v.(json.Marshaler); ok {
		return true
	}
	switch reflect.ValueOf(v).Kind() {
	case reflect.Map, reflect.Slice, reflect.Array:
		return true
	}
	return false
}

func float(f float64) string {
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) || math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func uuid(b []byte) string {
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// appendJSON appends a value as JSON; keys of objects are sorted, big numbers
// keep all their digits.
func appendJSON(b []byte, v any, typ string) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case string:
		return appendString(b, v)
	case bool, int64:
		return append(b, text(v, "")...)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return append(b, "null"...)
		}
		return append(b, float(v)...)
	case time.Time, []byte:
		return appendString(b, text(v, typ))
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e, "")
		}
		return append(b, ']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b = append(b, '{')
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, k)
			b = append(b, ':')
			b = appendJSON(b, v[k], "")
		}
		return append(b, '}')
	case json.Marshaler:
		if j, err := v.MarshalJSON(); err == nil {
			return append(b, j...)
		}
	}
	// Decimals and huge integers print themselves as numbers.
	if s := fmt.Sprint(v); json.Valid([]byte(s)) {
		return append(b, s...)
	}
	if s, ok := interval(v); ok {
		return appendString(b, s)
	}
	return appendString(b, fmt.Sprint(v))
}

func appendString(b []byte, s string) []byte {
	var w strings.Builder
	e := json.NewEncoder(&w)
	e.SetEscapeHTML(false)
	// A string always encodes.
	_ = e.Encode(s)
	return append(b, strings.TrimSuffix(w.String(), "\n")...)
}

// interval writes a structure of months, days and microseconds:
// "1 year 2 months 3 days 04:05:06".
func interval(v any) (string, bool) {
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Struct {
		return "", false
	}
	months, days, micros := r.FieldByName("Months"), r.FieldByName("Days"), r.FieldByName("Micros")
	if !months.IsValid() || !days.IsValid() || !micros.IsValid() {
		return "", false
	}
	var parts []string
	add := func(n int64, unit string) {
		if n == 1 || n == -1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit))
		} else if n != 0 {
			parts = append(parts, fmt.Sprintf("%d %ss", n, unit))
		}
	}
	add(months.Int()/12, "year")
	add(months.Int()%12, "month")
	add(days.Int(), "day")
	if us := micros.Int(); us != 0 || len(parts) == 0 {
		sign := ""
		if us < 0 {
			sign, us = "-", -us
		}
		s := us / 1e6
		parts = append(parts, fmt.Sprintf("%s%02d:%02d:%02d", sign, s/3600, s/60%60, s%60))
	}
	return strings.Join(parts, " "), true
}
