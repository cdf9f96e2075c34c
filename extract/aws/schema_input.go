package aws

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/document"
)

// input writes a request's input to whichever protocol serialises it. Values
// are checked as they are written; the first fault is err.
type input struct {
	root   *node
	values map[string]any
	err    error
}

// Serialize implements smithy.Serializable.
func (in *input) Serialize(s smithy.ShapeSerializer) {
	if in.root == nil {
		return
	}
	w := inputWriter{s: s}
	in.err = w.structure(in.root.schema, in.root, in.values, "")
}

type inputWriter struct{ s smithy.ShapeSerializer }

func (w inputWriter) structure(schema *smithy.Schema, n *node, v any, path string) error {
	values, ok := v.(map[string]any)
	if !ok && v != nil {
		return mismatch(path, "a structure", v)
	}
	for name := range values {
		if n.members[name] == nil {
			return fmt.Errorf("unknown member %s: %s has %s", join(path, name), n.shape.Name, memberNames(n))
		}
	}
	for _, name := range n.shape.Required {
		if values[name] == nil {
			return fmt.Errorf("missing member %s", join(path, name))
		}
	}
	w.s.WriteStruct(schema)
	for _, f := range n.order {
		v, ok := values[f.member.Name]
		if !ok || v == nil {
			continue
		}
		if err := w.value(f, v, join(path, f.member.Name)); err != nil {
			return err
		}
	}
	w.s.CloseStruct()
	return nil
}

func (w inputWriter) value(f *field, v any, path string) error {
	s, shape := f.schema, f.node.shape
	if shape.Document {
		w.s.WriteDocument(s, document.Opaque{Value: v})
		return nil
	}
	switch shape.Type {
	case "structure":
		return w.structure(s, f.node, v, path)
	case "list":
		return w.list(f, v, path)
	case "map":
		return w.mapping(f, v, path)
	case "boolean":
		b, ok := boolOf(v)
		if !ok {
			return mismatch(path, "a boolean", v)
		}
		w.s.WriteBool(s, b)
	case "integer":
		i, ok := intOf(v)
		if !ok || i < math.MinInt32 || i > math.MaxInt32 {
			return mismatch(path, "a 32-bit integer", v)
		}
		w.s.WriteInt32(s, int32(i))
	case "long":
		i, ok := intOf(v)
		if !ok {
			return mismatch(path, "an integer", v)
		}
		w.s.WriteInt64(s, i)
	case "float", "double":
		x, ok := floatOf(v)
		if !ok {
			return mismatch(path, "a number", v)
		}
		if shape.Type == "float" {
			w.s.WriteFloat32(s, float32(x))
		} else {
			w.s.WriteFloat64(s, x)
		}
	case "timestamp":
		t, ok := timeOf(v)
		if !ok {
			return mismatch(path, "a time (RFC 3339 or epoch seconds)", v)
		}
		w.s.WriteTime(s, t)
	case "blob":
		b, ok := v.([]byte)
		if !ok {
			text, ok := v.(string)
			if !ok {
				return mismatch(path, "bytes", v)
			}
			b = []byte(text)
		}
		w.s.WriteBlob(s, b)
	default:
		text, ok := v.(string)
		if !ok {
			return mismatch(path, "a string", v)
		}
		if f.member != nil && f.member.Location == "uri" && text == "" {
			return fmt.Errorf("member %s is empty, but stands in the path of the request", path)
		}
		w.s.WriteString(s, text)
	}
	return nil
}

func (w inputWriter) list(f *field, v any, path string) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice || rv.Type().Elem().Kind() == reflect.Uint8 {
		return mismatch(path, "a list", v)
	}
	w.s.WriteList(f.schema)
	for i := range rv.Len() {
		if err := w.value(f.node.elem, rv.Index(i).Interface(), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	w.s.CloseList()
	return nil
}

func (w inputWriter) mapping(f *field, v any, path string) error {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Map || rv.Type().Key().Kind() != reflect.String {
		return mismatch(path, "a map", v)
	}
	keys := make([]string, 0, rv.Len())
	for _, k := range rv.MapKeys() {
		keys = append(keys, k.String())
	}
	slices.Sort(keys)
	w.s.WriteMap(f.schema)
	for _, k := range keys {
		w.s.WriteKey(f.node.key.schema, k)
		if err := w.value(f.node.val, rv.MapIndex(reflect.ValueOf(k).Convert(rv.Type().Key())).Interface(), join(path, k)); err != nil {
			return err
		}
	}
	w.s.CloseMap()
	return nil
}

func boolOf(v any) (bool, bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		return v == "true", v == "true" || v == "false"
	}
	return false, false
}

// intOf takes any number without a fraction, and its text.
func intOf(v any) (int64, bool) {
	switch v := v.(type) {
	case string:
		i, err := strconv.ParseInt(v, 10, 64)
		return i, err == nil
	case json.Number:
		i, err := v.Int64()
		return i, err == nil
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.CanInt():
		return rv.Int(), true
	case rv.CanUint():
		return int64(rv.Uint()), rv.Uint() <= math.MaxInt64
	case rv.CanFloat():
		x := rv.Float()
		return int64(x), x == math.Trunc(x) && math.Abs(x) < 1<<53
	}
	return 0, false
}

func floatOf(v any) (float64, bool) {
	switch v := v.(type) {
	case string:
		x, err := strconv.ParseFloat(v, 64)
		return x, err == nil
	case json.Number:
		x, err := v.Float64()
		return x, err == nil
	}
	rv := reflect.ValueOf(v)
	switch {
	case rv.CanInt():
		return float64(rv.Int()), true
	case rv.CanUint():
		return float64(rv.Uint()), true
	case rv.CanFloat():
		return rv.Float(), true
	}
	return 0, false
}

func timeOf(v any) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return t, true
		}
	}
	x, ok := floatOf(v)
	if !ok {
		return time.Time{}, false
	}
	sec, frac := math.Modf(x)
	return time.Unix(int64(sec), int64(frac*1e9)).UTC(), true
}

func mismatch(path, want string, got any) error {
	return fmt.Errorf("member %s must be %s, not %T", path, want, got)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func memberNames(n *node) string {
	if len(n.order) == 0 {
		return "no members"
	}
	names := make([]string, len(n.order))
	for i, f := range n.order {
		names[i] = f.member.Name
	}
	return strings.Join(names, ", ")
}
