package normalize

// The JSON reader. Each function takes the position where its part begins and
// returns the one behind it, or failed. It accepts what RFC 8259 allows and
// nothing else, but for broken UTF-8, which becomes U+FFFD.

// jsonValue reads the value at i for a node.
func (w *walker) jsonValue(n *node, i int) int {
	if n.special {
		return w.jsonSpecial(n, i)
	}
	return w.jsonPlain(n, i)
}

func (w *walker) jsonSpecial(n *node, i int) int {
	if i < len(w.b) && w.b[i] == 'n' {
		if n.pair && n.kind == scalarNode && w.hasKey {
			w.leave(n, len(w.jbuf), i, i) // a tag without a value
		}
		return w.jsonSkip(i)
	}
	w.enter(n, i)
	if i < len(w.b) && (w.b[i] == '[' && n.kind == listNode || w.b[i] == '{' && n.kind == mapNode) {
		w.touch(n)
	}
	start := len(w.jbuf)
	end := w.jsonPlain(n, i)
	if end >= 0 {
		w.leave(n, start, i, end)
	}
	return end
}

func (w *walker) jsonPlain(n *node, i int) int {
	b := w.b
	if i >= len(b) {
		return w.fail(i, "a JSON value")
	}
	switch b[i] {
	case '"':
		if n.kind != scalarNode {
			break
		}
		end, esc, high := scanString(b, i+1)
		if end < 0 {
			return w.fail(i, "a JSON string")
		}
		if !esc && !high {
			if n.direct > 0 {
				w.cols[n.direct-1].putText(b[i+1 : end])
				return end + 1
			}
			if n.verbatim {
				w.jbuf = append(w.jbuf, b[i:end+1]...)
				return end + 1
			}
		}
		t := token{b: b[i+1 : end], typ: tokString, esc: esc, high: high}
		w.scalar(n, &t)
		return end + 1
	case '{':
		switch n.kind {
		case structNode:
			return w.jsonStruct(n, i+1)
		case mapNode:
			return w.jsonMap(n, i+1)
		}
	case '[':
		if n.kind == listNode {
			return w.jsonList(n, i+1)
		}
	default:
		if n.kind != documentNode {
			return w.jsonLiteral(n, i)
		}
	}
	if n.kind != documentNode {
		return w.mismatch(n, i)
	}
	if n.emit {
		return w.document(i)
	}
	return w.jsonSkip(i)
}

// jsonLiteral reads the number or literal at i.
func (w *walker) jsonLiteral(n *node, i int) int {
	b := w.b
	end := scanScalar(b, i)
	if end < 0 {
		return w.fail(i, "a JSON value")
	}
	t := token{b: b[i:end], typ: tokNumber}
	switch b[i] {
	case 'n':
		return end
	case 't':
		t.typ = tokTrue
	case 'f':
		t.typ = tokFalse
	}
	if n.kind != scalarNode {
		return w.mismatch(n, i)
	}
	w.scalar(n, &t)
	return end
}

// mismatch reads a value of another type than the description's. It is kept
// where JSON is written and a problem.
func (w *walker) mismatch(n *node, i int) int {
	var end int
	if n.emit {
		end = w.document(i)
	} else {
		end = w.jsonSkip(i)
	}
	if end >= 0 {
		w.problem(w.columnOf(n), "type", w.b[i:end])
	}
	return end
}

func (w *walker) jsonStruct(n *node, i int) int {
	if w.depth++; w.depth > maxDepth {
		return w.fail(i, "less nesting")
	}
	start, base := len(w.jbuf), len(w.segs)
	if n.emit {
		w.jbuf = append(w.jbuf, '{')
	}
	i = skipSpace(w.b, i)
	if i < len(w.b) && w.b[i] == '}' {
		i++
	} else if i = w.jsonMembers(n, i); i < 0 {
		return failed
	}
	w.depth--
	if n.emit {
		w.endObject(n, start, base)
	}
	return i
}

// jsonMembers reads members from a name on to the end of the object.
func (w *walker) jsonMembers(n *node, i int) int {
	b := w.b
	pred := w.pred[n.pred : n.pred+len(n.fields)+1]
	prev := int32(-1)
	for {
		if i >= len(b) || b[i] != '"' {
			return w.fail(i, "a member's name")
		}
		i++
		var f *field
		if k := pred[prev+1]; k >= 0 {
			f = &n.fields[k]
			if len(b)-i > len(f.match) && string(b[i:i+len(f.match)]) == f.match {
				i += len(f.match)
				prev = k
			} else {
				f = nil
			}
		}
		var name []byte
		if f == nil {
			end, esc, high := scanString(b, i)
			if end < 0 {
				return w.fail(i, "a JSON string")
			}
			name = b[i:end]
			if esc || high {
				t := token{b: name, typ: tokString, esc: esc, high: high}
				name = w.text(&t)
			}
			if k := n.find(name); k >= 0 {
				f = &n.fields[k]
				pred[prev+1] = k
				prev = k
			}
			i = end + 1
		}
		if i >= len(b) || b[i] != ':' {
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return w.fail(i, "a colon")
			}
		}
		i = skipSpace(b, i+1)
		switch {
		case f != nil && f.text > 0 && i < len(b) && b[i] == '"':
			end, esc, high := scanString(b, i+1)
			if esc || high || end < 0 {
				i = w.jsonValue(f.node, i)
				break
			}
			w.cols[f.text-1].putText(b[i+1 : end])
			i = end + 1
		case f == nil:
			if n.body && string(name) == "__type" && w.isError(i) {
				return w.fail(i, "the output instead of an error")
			}
			w.unknown(n, name)
			i = w.jsonSkip(i)
		case f.node == nil:
			i = w.jsonSkip(i)
		default:
			if f.items && n.level > 0 && !w.upDone[n.level-1] {
				if !w.upSeen(n.level-1) && w.jsonAhead(n, prev, i) < 0 {
					return failed
				}
				w.upDone[n.level-1] = true
			}
			if !n.emit {
				i = w.jsonValue(f.node, i)
				break
			}
			from := len(w.jbuf)
			w.jbuf = append(w.jbuf, f.key...)
			i = w.jsonValue(f.node, i)
			if len(w.jbuf) == from+len(f.key) {
				w.jbuf = w.jbuf[:from]
			} else {
				w.jbuf = append(w.jbuf, ',')
				w.segs = append(w.segs, segment{rank: f.rank, field: -1, from: int32(from), to: int32(len(w.jbuf))})
			}
		}
		if i < 0 {
			return failed
		}
		if f != nil && n.body {
			w.known = true
		}
		i = skipSpace(b, i)
		if i >= len(b) {
			return w.fail(i, "the end of an object")
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			return i + 1
		default:
			return w.fail(i, "a comma or the end of an object")
		}
	}
}

// isError reports whether the string at i names an error.
func (w *walker) isError(i int) bool {
	if i >= len(w.b) || w.b[i] != '"' {
		return false
	}
	end, _, _ := scanString(w.b, i+1)
	if end < 0 {
		return false
	}
	return hasSuffix(w.b[i+1:end], "Exception") || hasSuffix(w.b[i+1:end], "Error") || hasSuffix(w.b[i+1:end], "Fault")
}

func hasSuffix(b []byte, s string) bool { return len(b) >= len(s) && string(b[len(b)-len(s):]) == s }

// jsonAhead fills the level's Up slots from the value of field k at i and the
// members behind it, before the items among them are read.
func (w *walker) jsonAhead(n *node, k int32, i int) int {
	ahead := n.ahead
	if f := ahead.fields[k].node; f != nil {
		i = w.jsonValue(f, i)
	} else {
		i = w.jsonSkip(i)
	}
	if i < 0 {
		return failed
	}
	i = skipSpace(w.b, i)
	if i < len(w.b) && w.b[i] == ',' {
		return w.jsonMembers(ahead, skipSpace(w.b, i+1))
	}
	return i
}

func (w *walker) jsonList(n *node, i int) int {
	b := w.b
	if w.depth++; w.depth > maxDepth {
		return w.fail(i, "less nesting")
	}
	start, base := len(w.jbuf), len(w.segs)
	if n.emit {
		w.jbuf = append(w.jbuf, '[')
	}
	i = skipSpace(b, i)
	if i < len(b) && b[i] == ']' {
		i++
	} else {
		for more := true; more; {
			from := len(w.jbuf)
			null := i < len(b) && b[i] == 'n'
			if n.elem != nil {
				i = w.jsonValue(n.elem, i)
			} else {
				i = w.jsonSkip(i)
			}
			if i < 0 {
				return failed
			}
			if n.emit {
				w.endElement(n, from, null)
			}
			i = skipSpace(b, i)
			switch {
			case i < len(b) && b[i] == ',':
				i = skipSpace(b, i+1)
			case i < len(b) && b[i] == ']':
				i++
				more = false
			default:
				return w.fail(i, "a comma or the end of an array")
			}
		}
	}
	w.depth--
	if n.emit {
		w.endList(n, start, base)
	}
	return i
}

// endElement ends an emitted element of a list that was written from from on.
func (w *walker) endElement(n *node, from int, null bool) {
	if null {
		w.jbuf = append(w.jbuf, "null"...)
	}
	if len(w.jbuf) == from {
		return
	}
	w.jbuf = append(w.jbuf, ',')
	if n.set {
		w.segs = append(w.segs, segment{field: -1, from: int32(from), to: int32(len(w.jbuf))})
	}
}

func (w *walker) jsonMap(n *node, i int) int {
	b := w.b
	if w.depth++; w.depth > maxDepth {
		return w.fail(i, "less nesting")
	}
	start, base := len(w.jbuf), len(w.segs)
	if n.emit {
		w.jbuf = append(w.jbuf, '{')
	}
	i = skipSpace(b, i)
	if i < len(b) && b[i] == '}' {
		i++
	} else {
		for more := true; more; {
			if i >= len(b) || b[i] != '"' {
				return w.fail(i, "a key")
			}
			end, esc, high := scanString(b, i+1)
			if end < 0 {
				return w.fail(i, "a JSON string")
			}
			t := token{b: b[i+1 : end], typ: tokString, esc: esc, high: high}
			if i = skipSpace(b, end+1); i >= len(b) || b[i] != ':' {
				return w.fail(i, "a colon")
			}
			i = skipSpace(b, i+1)
			value := w.beginEntry(n, &t)
			from := len(w.jbuf)
			null := i < len(b) && b[i] == 'n'
			if n.emit {
				w.jbuf = appendKey(w.jbuf, t.b)
			}
			at := len(w.jbuf)
			if value != nil {
				i = w.jsonValue(value, i)
			} else {
				i = w.jsonSkip(i)
			}
			if i < 0 {
				return failed
			}
			if n.emit {
				w.endEntry(from, at, null, t.b)
			}
			i = skipSpace(b, i)
			switch {
			case i < len(b) && b[i] == ',':
				i = skipSpace(b, i+1)
			case i < len(b) && b[i] == '}':
				i++
				more = false
			default:
				return w.fail(i, "a comma or the end of an object")
			}
		}
	}
	w.depth--
	if n.emit {
		w.endMap(start, base)
	}
	return i
}

// beginEntry takes the key of a map's entry and returns the node of its value,
// nil if nothing wants it.
func (w *walker) beginEntry(n *node, t *token) *node {
	key := w.text(t)
	if n.key != nil {
		w.scalar(n.key, t)
	}
	if n.index != nil {
		if k := n.find(key); k >= 0 {
			return n.fields[k].node
		}
	}
	return n.elem
}

// endEntry ends an emitted entry that was written from from on, its value from
// at on.
func (w *walker) endEntry(from, at int, null bool, key []byte) {
	if null {
		w.jbuf = append(w.jbuf, "null"...)
	}
	if len(w.jbuf) == at {
		w.jbuf = w.jbuf[:from]
		return
	}
	w.jbuf = append(w.jbuf, ',')
	w.segs = append(w.segs, segment{field: -1, from: int32(from), to: int32(len(w.jbuf)), key: key})
}
