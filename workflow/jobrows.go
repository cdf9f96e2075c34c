package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
)

// maxRows is how many rows a job may have.
const maxRows = 10000

// query asks the first sink that can be read.
func (r *jobRunner) query(ctx context.Context, text string) (columns []string, out []map[string]any, err error) {
	e, _, done, err := FirstEstate(ctx, r.config)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	rows, err := e.DB.QueryContext(ctx, text)
	if err != nil {
		return nil, nil, fmt.Errorf("sql: %w", err)
	}
	defer rows.Close()
	if columns, err = rows.Columns(); err != nil {
		return nil, nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, nil, err
	}
	values, ptrs := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		ptrs[i] = &values[i]
	}
	for rows.Next() {
		if len(out) == maxRows {
			return nil, nil, fmt.Errorf("sql: there are more than %d rows: LIMIT them", maxRows)
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, nil, err
		}
		row := map[string]any{}
		for i, c := range columns {
			row[c] = plain(values[i], types[i].DatabaseTypeName())
		}
		out = append(out, row)
	}
	return columns, out, rows.Err()
}

// plain is a value as JSON can have it, whatever driver it is from. typ is the
// database's name for its type.
func plain(v any, typ string) any {
	switch x := v.(type) {
	case nil, bool, int64, int32, int16, int8, int, uint64, uint32, uint16, uint8:
		return x
	case string:
		return plainText(x, typ)
	case float32:
		return plain(float64(x), typ)
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return x
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case []byte:
		if typ == "UUID" && len(x) == 16 {
			return uuid.UUID(x).String()
		}
		return plainText(string(x), typ)
	case [16]byte:
		return uuid.UUID(x).String()
	case json.Marshaler:
		if b, err := x.MarshalJSON(); err == nil {
			return plainText(string(b), "JSON")
		}
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice:
		out := make([]any, r.Len())
		for i := range out {
			out[i] = plain(r.Index(i).Interface(), "")
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for k, y := range r.Seq2() {
			out[fmt.Sprint(k.Interface())] = plain(y.Interface(), "")
		}
		return out
	}
	// Decimals and huge integers print themselves as numbers.
	s := fmt.Sprint(v)
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	return s
}

// plainText is a text, or what it holds where it is a document.
func plainText(s, typ string) any {
	switch typ {
	case "JSON", "JSONB", "VARIANT", "OBJECT", "ARRAY":
		var v any
		if json.Unmarshal([]byte(s), &v) == nil {
			return v
		}
	case "NUMERIC", "FIXED", "DECIMAL":
		if json.Valid([]byte(s)) {
			return json.Number(s)
		}
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
