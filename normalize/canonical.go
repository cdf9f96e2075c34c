package normalize

import (
	"bytes"
	"unicode/utf8"
)

// canonical appends a JSON text in canonical form; ok is false, and dst as it
// was, where the text is no JSON.
func (w *walker) canonical(dst, text []byte) (_ []byte, ok bool) {
	b, at, want, jbuf, depth := w.b, w.at, w.want, w.jbuf, w.depth
	base := len(w.segs)
	w.b, w.jbuf, w.depth = text, dst, 0
	i := w.document(skipSpace(text, 0))
	ok = i >= 0 && skipSpace(text, i) == len(text)
	out := w.jbuf
	if !ok {
		out = out[:len(dst)]
	}
	w.b, w.at, w.want, w.jbuf, w.depth = b, at, want, jbuf, depth
	w.segs = w.segs[:base]
	return out, ok
}

// document emits any JSON value at i.
func (w *walker) document(i int) int {
	b := w.b
	if i >= len(b) {
		return w.fail(i, "a JSON value")
	}
	switch b[i] {
	case '{':
		return w.documentObject(i + 1)
	case '[':
		if w.depth++; w.depth > maxDepth {
			return w.fail(i, "less nesting")
		}
		start := len(w.jbuf)
		w.jbuf = append(w.jbuf, '[')
		i = skipSpace(b, i+1)
		for first := true; i >= len(b) || b[i] != ']' || !first; first = false {
			if i = w.document(i); i < 0 {
				return failed
			}
			w.jbuf = append(w.jbuf, ',')
			i = skipSpace(b, i)
			if i < len(b) && b[i] == ']' {
				break
			}
			if i >= len(b) || b[i] != ',' {
				return w.fail(i, "a comma or the end of an array")
			}
			i = skipSpace(b, i+1)
		}
		w.depth--
		w.endWith(start, ']')
		return i + 1
	case '"':
		end, esc, high := scanString(b, i+1)
		if end < 0 {
			return w.fail(i, "a JSON string")
		}
		t := token{b: b[i+1 : end], typ: tokString, esc: esc, high: high}
		w.emitText(&t)
		if t.bad {
			w.problem(w.json, "text", t.b)
		}
		return end + 1
	}
	end := scanScalar(b, i)
	if end < 0 {
		return w.fail(i, "a JSON value")
	}
	w.jbuf = append(w.jbuf, b[i:end]...)
	return end
}

func (w *walker) documentObject(i int) int {
	b := w.b
	if w.depth++; w.depth > maxDepth {
		return w.fail(i, "less nesting")
	}
	start, base := len(w.jbuf), len(w.segs)
	w.jbuf = append(w.jbuf, '{')
	i = skipSpace(b, i)
	for first := true; i >= len(b) || b[i] != '}' || !first; first = false {
		if i >= len(b) || b[i] != '"' {
			return w.fail(i, "a member's name")
		}
		end, esc, high := scanString(b, i+1)
		if end < 0 {
			return w.fail(i, "a JSON string")
		}
		t := token{b: b[i+1 : end], typ: tokString, esc: esc, high: high}
		from := len(w.jbuf)
		key := w.text(&t)
		if t.bad {
			w.problem(w.json, "text", key)
		}
		w.jbuf = appendKey(w.jbuf, key)
		if i = skipSpace(b, end+1); i >= len(b) || b[i] != ':' {
			return w.fail(i, "a colon")
		}
		if i = w.document(skipSpace(b, i+1)); i < 0 {
			return failed
		}
		w.jbuf = append(w.jbuf, ',')
		w.segs = append(w.segs, segment{field: -1, from: int32(from), to: int32(len(w.jbuf)), key: key})
		i = skipSpace(b, i)
		if i < len(b) && b[i] == '}' {
			break
		}
		if i >= len(b) || b[i] != ',' {
			return w.fail(i, "a comma or the end of an object")
		}
		i = skipSpace(b, i+1)
	}
	w.depth--
	w.endMap(start, base)
	return i + 1
}

// validText reports whether the text is valid as it stands.
func validText(b []byte) bool { return utf8.Valid(b) && bytes.IndexByte(b, 0) < 0 }
