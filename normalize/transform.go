package normalize

import (
	"bytes"
	"fmt"
)

// Check says what is wrong with a transform.
func (t Transform) Check() error {
	switch t.Op {
	case AfterLast, BeforeFirst, BeforeLast, Split:
		if t.Arg == "" {
			return fmt.Errorf("a transform without its separator")
		}
	case ARNPart:
		switch t.Arg {
		case "partition", "service", "region", "account", "resource", "id":
		default:
			return fmt.Errorf("an ARN has no part %q", t.Arg)
		}
	case FullName:
		return checkFullName(t.Arg)
	case StripPrefix, URLDecode, ParseJSON, First, Lower, StartsWith, Contains, Location, Project, Quantity:
	default:
		return fmt.Errorf("no transform %d", t.Op)
	}
	return nil
}

// transform applies a transform to the values from from on.
func (w *walker) transform(dst []value, from int, t *Transform) []value {
	switch t.Op {
	case First:
		if len(dst) > from+1 {
			dst = dst[:from+1]
		}
		return dst
	case Split:
		in := len(dst)
		for i := from; i < in; i++ {
			for rest, more := dst[i].b, true; more; {
				var part []byte
				part, rest, more = bytes.Cut(rest, []byte(t.Arg))
				if part = trimSpace(part); len(part) > 0 {
					dst = append(dst, value{b: part})
				}
			}
		}
		return append(dst[:from], dst[in:]...)
	}
	n := from
	for i := from; i < len(dst); i++ {
		if v, ok := w.change(dst[i], t); ok {
			dst[n] = v
			n++
		}
	}
	return dst[:n]
}

// change applies a transform to one value.
func (w *walker) change(v value, t *Transform) (value, bool) {
	switch t.Op {
	case AfterLast:
		if i := bytes.LastIndex(v.b, []byte(t.Arg)); i >= 0 {
			v.b = v.b[i+len(t.Arg):]
		}
	case BeforeFirst:
		if i := bytes.Index(v.b, []byte(t.Arg)); i >= 0 {
			v.b = v.b[:i]
		}
	case BeforeLast:
		if i := bytes.LastIndex(v.b, []byte(t.Arg)); i >= 0 {
			v.b = v.b[:i]
		}
	case StripPrefix:
		v.b = bytes.TrimPrefix(v.b, []byte(t.Arg))
	case Lower:
		v.b = bytes.ToLower(v.b)
	case StartsWith:
		return v, bytes.HasPrefix(v.b, []byte(t.Arg))
	case Contains:
		return v, bytes.Contains(v.b, []byte(t.Arg))
	case ARNPart:
		v.b = arnPart(v.b, t.Arg)
		return v, len(v.b) > 0
	case FullName:
		v.b = w.fullName(v.b, t.Arg)
		return v, len(v.b) > 0
	case Location:
		v.b = location(v.b)
		return v, len(v.b) > 0
	case Project:
		v.b = w.project(v.b)
		return v, len(v.b) > 0
	case URLDecode:
		v.b = w.urlDecode(v.b)
	case Quantity:
		from := len(w.arena)
		if out, ok := appendQuantity(w.arena, v.b); ok {
			w.arena = out
			v.b = out[from:len(out):len(out)]
		}
	case ParseJSON:
		return w.parseJSON(v, t.Arg)
	}
	return v, true
}

// arnPart returns a part of an ARN, empty if it is none or the part is empty.
// resource is all behind the account; id is the resource without its type,
// that is behind the first slash or colon, if there is one.
func arnPart(b []byte, part string) []byte {
	if !hasPrefix(b, "arn:") {
		return nil
	}
	var parts [5][]byte
	rest := b[len("arn:"):]
	for i := range 4 {
		var ok bool
		if parts[i], rest, ok = bytes.Cut(rest, []byte{':'}); !ok {
			return nil
		}
	}
	switch part {
	case "partition":
		return parts[0]
	case "service":
		return parts[1]
	case "region":
		return parts[2]
	case "account":
		return parts[3]
	case "resource":
		return rest
	}
	if i := bytes.IndexAny(rest, "/:"); i >= 0 {
		return rest[i+1:]
	}
	return rest
}

// urlDecode decodes percent escapes; a plus is a plus. What is no escape stays.
func (w *walker) urlDecode(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	start := len(w.arena)
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && unhex(b[i+1]) < 16 && unhex(b[i+2]) < 16 {
			w.arena = append(w.arena, unhex(b[i+1])<<4|unhex(b[i+2]))
			i += 2
		} else {
			w.arena = append(w.arena, b[i])
		}
	}
	t := token{b: w.arena[start:len(w.arena):len(w.arena)], typ: tokXML, high: true}
	return w.text(&t)
}

// parseJSON takes a text for JSON, or a member of it.
func (w *walker) parseJSON(v value, key string) (value, bool) {
	start := len(w.arena)
	// The arena also takes the document's decoded keys while it is written.
	out, ok := w.canonical(w.jsonBuf[:0], v.b)
	w.jsonBuf = out
	if !ok {
		return v, key == ""
	}
	w.arena = append(w.arena[:max(start, 0)], out...)
	v = value{b: w.arena[start:len(w.arena):len(w.arena)], json: true}
	if key == "" {
		return v, true
	}
	return w.pick(v.b, key)
}

// pick returns a member of a canonical JSON object: a string as text.
func (w *walker) pick(b []byte, key string) (value, bool) {
	if len(b) == 0 || b[0] != '{' {
		return value{}, false
	}
	body, at, want, depth := w.b, w.at, w.want, w.depth
	defer func() { w.b, w.at, w.want, w.depth = body, at, want, depth }()
	w.b = b
	want1 := appendKey(nil, []byte(key))
	for i := 1; i < len(b) && b[i] == '"'; i++ {
		from := i
		if i = w.jsonName(i); i < 0 {
			break
		}
		found := bytes.Equal(b[from:i], want1)
		from = i
		if i = w.jsonSkip(i); i < 0 {
			break
		}
		if !found {
			continue
		}
		switch v := b[from:i]; v[0] {
		case 'n':
			return value{}, false
		case '"':
			t := token{b: v[1 : len(v)-1], typ: tokString, esc: true}
			return value{b: w.text(&t)}, true
		default:
			return value{b: v, json: true}, true
		}
	}
	return value{}, false
}
