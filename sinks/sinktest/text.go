package sinktest

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Text gives a value that a driver returned the form that Target.Query asks
// for. typ is the database's name for its type; text of the types JSON, JSONB,
// VARIANT, OBJECT and ARRAY is taken as JSON.
func Text(v any, typ string) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		switch strings.ToUpper(typ) {
		case "JSON", "JSONB", "VARIANT", "OBJECT", "ARRAY":
			return CanonicalJSON(v)
		}
		return v
	case []byte:
		if v == nil {
			return "NULL"
		}
		if len(v) == 16 && strings.EqualFold(typ, "UUID") {
			return uuid.UUID(v).String()
		}
		return Text(string(v), typ)
	case json.RawMessage:
		return CanonicalJSON(string(v))
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		return floatText(v)
	case *big.Int:
		return v.String()
	}
	r := reflect.ValueOf(v)
	switch {
	case r.Kind() == reflect.Pointer:
		if r.IsNil() {
			return "NULL"
		}
		return Text(r.Elem().Interface(), typ)
	case r.Kind() == reflect.Array && r.Len() == 16:
		var id uuid.UUID
		reflect.Copy(reflect.ValueOf(&id).Elem(), r)
		return id.String()
	case r.Kind() == reflect.Slice:
		parts := make([]string, r.Len())
		for i := range parts {
			parts[i] = element(r.Index(i).Interface())
		}
		return "[" + strings.Join(parts, ",") + "]"
	case r.Kind() == reflect.Map:
		return CanonicalJSON(mustJSON(v))
	}
	p := reflect.New(r.Type())
	p.Elem().Set(r)
	if m, ok := p.Interface().(orderedMap); ok {
		parts := map[string]string{}
		for _, k := range m.Keys() {
			e, _ := m.Get(k)
			parts[fmt.Sprint(k)] = fmt.Sprint(e)
		}
		return CanonicalJSON(mustJSON(parts))
	}
	return fmt.Sprint(v)
}

// orderedMap is how DuckDB's driver returns a MAP.
type orderedMap interface {
	Keys() []any
	Get(key any) (any, bool)
}

// element is a member of a list.
func element(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return mustJSON(v)
	case time.Time:
		return mustJSON(Text(v, ""))
	}
	return Text(v, "")
}

func floatText(f float64) string {
	switch {
	case math.IsNaN(f), math.IsInf(f, 0):
		return strconv.FormatFloat(f, 'g', -1, 64)
	case f == 0:
		return "0"
	}
	return mustJSON(f)
}

// CanonicalJSON writes JSON with sorted keys, no spaces, and numbers of equal
// value equally. What is no JSON comes back as it is.
func CanonicalJSON(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return text
	}
	return mustJSON(canonical(v))
}

func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		return json.Number(numberText(string(v)))
	case []any:
		for i := range v {
			v[i] = canonical(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = canonical(v[k])
		}
	}
	return v
}

// numberText writes a JSON number without exponent and trailing zeros, or as
// a float in its shortest form where that would be long.
func numberText(s string) string {
	r, ok := new(big.Rat).SetString(s)
	if !ok || len(s) > 400 {
		return s
	}
	if r.IsInt() && len(r.Num().String()) <= 38 {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return floatText(f)
}

func mustJSON(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("sinktest: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Query runs SQL by a driver of database/sql and gives its values as
// Target.Query does.
func Query(db *sql.DB, query string) ([][]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		vals, ptrs := make([]any, len(types)), make([]any, len(types))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		row := make([]string, len(types))
		for i, v := range vals {
			row[i] = Text(v, types[i].DatabaseTypeName())
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// QueryDuckDB is Query for DuckDB, whose driver decodes JSON.
func QueryDuckDB(db *sql.DB, query string) ([][]string, error) {
	rows, err := db.Query("DESCRIBE " + query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var types, exprs []string
	for i := 1; rows.Next(); i++ {
		var name, typ string
		var rest [4]any
		if err := rows.Scan(&name, &typ, &rest[0], &rest[1], &rest[2], &rest[3]); err != nil {
			return nil, err
		}
		expr := fmt.Sprintf("#%d", i)
		if typ == "JSON" {
			expr += "::VARCHAR"
		}
		types, exprs = append(types, typ), append(exprs, expr)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	all, err := Query(db, "SELECT "+strings.Join(exprs, ", ")+" FROM ("+query+")")
	for _, r := range all {
		for i, typ := range types {
			if typ == "JSON" && r[i] != "NULL" {
				r[i] = CanonicalJSON(r[i])
			}
		}
	}
	return all, err
}
