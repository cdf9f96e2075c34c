package rows

import (
	"encoding/json"
	"strconv"
	"strings"
)

// plain gives a driver's value the form that the writers take, whatever the
// database: JSON and lists as values, exact numbers as json.Number. typ is the
// database's name for the type.
func plain(v any, typ string) (any, string) {
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case []byte:
		if typ != "JSON" && typ != "JSONB" {
			return v, typ
		}
		s = string(v)
	default:
		return v, typ
	}
	switch typ {
	case "JSON":
		if _, ok := v.(string); ok {
			return v, typ // DuckDB's driver has decoded it
		}
		return decoded(s), "JSON"
	case "JSONB", "VARIANT", "OBJECT", "ARRAY":
		return decoded(s), "JSON"
	case "NUMERIC", "FIXED":
		if json.Valid([]byte(s)) {
			return json.Number(s), ""
		}
	}
	if elem, ok := strings.CutPrefix(typ, "_"); ok {
		if list, ok := array(s, elem); ok {
			return list, ""
		}
	}
	return v, typ
}

// decoded is the value of a JSON text, or the text where it is none.
func decoded(s string) any {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return s
	}
	if v == nil {
		return json.RawMessage("null") // not NULL
	}
	return v
}

// array reads Postgres's text form of a one-dimensional array:
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
func array(s, elem string) ([]any, bool) {
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return nil, false
	}
	list := []any{}
	for s = s[1 : len(s)-1]; s != ""; {
		var b strings.Builder
		quoted := s[0] == '"'
		i := 0
		if quoted {
			for i = 1; i < len(s) && s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
				if i < len(s) {
					b.WriteByte(s[i])
				}
			}
			i++
		} else {
			for ; i < len(s) && s[i] != ','; i++ {
				if s[i] == '{' {
					return nil, false
				}
				b.WriteByte(s[i])
			}
		}
		switch {
		case i > len(s) || i < len(s) && s[i] != ',':
			return nil, false
		case !quoted && b.String() == "NULL":
			list = append(list, nil)
		default:
			list = append(list, element(b.String(), elem))
		}
		if i == len(s) {
			break
		}
		s = s[i+1:]
	}
	return list, true
}

func element(s, typ string) any {
	switch typ {
	case "INT2", "INT4", "INT8":
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	case "FLOAT4", "FLOAT8":
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			return f
		}
	case "NUMERIC":
		if json.Valid([]byte(s)) {
			return json.Number(s)
		}
	case "BOOL":
		return s == "t"
	case "JSON", "JSONB":
		return decoded(s)
	}
	return s
}
