package normalize

// The XML reader. It knows elements, attributes, text, CDATA, entities,
// comments and processing instructions; prefixes of names are ignored, a
// document type is refused. Names are matched exactly first, then without
// regard to case.

// xmlValue reads the element of a start tag for a node.
func (w *walker) xmlValue(n *node, t tag) int {
	if !n.special {
		return w.xmlPlain(n, t)
	}
	w.enter(n, t.from)
	w.touch(n)
	start := len(w.jbuf)
	end := w.xmlPlain(n, t)
	if end >= 0 {
		w.leave(n, start, t.from, end)
	}
	return end
}

func (w *walker) xmlPlain(n *node, t tag) int {
	if n.kind == scalarNode || n.kind == documentNode {
		tok, i := w.xmlText(n, t)
		if n.direct > 0 && !tok.esc && !tok.high && i >= 0 {
			w.cols[n.direct-1].putText(tok.b)
			return i
		}
		if i >= 0 {
			w.scalar(n, &tok)
		}
		return i
	}
	if w.depth++; w.depth > maxDepth {
		return w.fail(t.from, "less nesting")
	}
	start, base := len(w.jbuf), len(w.segs)
	open := byte('{')
	if n.kind == listNode {
		open = '['
	}
	if n.emit {
		w.jbuf = append(w.jbuf, open)
	}
	i := t.end
	if n.attrs {
		w.xmlAttrs(n, t)
	}
	if !t.self {
		switch n.kind {
		case structNode:
			i = w.xmlMembers(n, t, i)
		case listNode:
			i = w.xmlList(n, t, i)
		default:
			i = w.xmlMap(n, t, i)
		}
		if i < 0 {
			return failed
		}
	}
	w.depth--
	if n.emit {
		switch n.kind {
		case structNode:
			w.endObject(n, start, base)
		case listNode:
			w.endList(n, start, base)
		default:
			w.endMap(start, base)
		}
	}
	return i
}

// xmlMembers reads child elements of a structure from i on to the end tag.
func (w *walker) xmlMembers(n *node, t tag, i int) int {
	b := w.b
	pred := w.pred[n.pred : n.pred+len(n.fields)+1]
	prev := int32(-1)
	for {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i+1 >= len(b) || b[i] != '<' || b[i+1] == '!' || b[i+1] == '?' {
			if i = w.next(i); i < 0 {
				return failed
			}
		}
		if b[i+1] == '/' {
			return w.endTag(t, i)
		}
		var f *field
		var c tag
		if k := pred[prev+1]; k >= 0 {
			f = &n.fields[k]
			end := i + 1 + len(f.wire)
			if end < len(b) && b[end] == '>' && string(b[i+1:end]) == f.wire {
				c = tag{from: i, nameEnd: end, end: end + 1}
				prev = k
			} else {
				f = nil
			}
		}
		if f == nil {
			var ok bool
			if c, ok = w.xmlTag(i); !ok {
				return failed
			}
			name := w.name(c)
			if k := n.find(name); k >= 0 && !n.fields[k].attr {
				f = &n.fields[k]
				pred[prev+1] = k
				prev = k
			} else {
				w.unknown(n, name)
			}
		}
		if i = w.xmlMember(n, f, prev, c); i < 0 {
			return failed
		}
	}
}

// xmlMember reads the element c of a structure, whose field is f, the k-th.
func (w *walker) xmlMember(n *node, f *field, k int32, c tag) int {
	if f == nil || f.node == nil {
		if f != nil && n.body {
			w.known = true
		}
		return w.xmlSkip(c)
	}
	if n.body {
		w.known = true
	}
	if f.items && n.level > 0 && !w.upDone[n.level-1] {
		if !w.upSeen(n.level-1) && w.xmlAhead(n, k, c) < 0 {
			return failed
		}
		w.upDone[n.level-1] = true
	}
	if f.flat {
		return w.xmlFlat(n, f, k, c)
	}
	if !n.emit {
		return w.xmlValue(f.node, c)
	}
	from := len(w.jbuf)
	w.jbuf = append(w.jbuf, f.key...)
	i := w.xmlValue(f.node, c)
	w.endMember(f, from)
	return i
}

func (w *walker) endMember(f *field, from int) {
	if len(w.jbuf) == from+len(f.key) {
		w.jbuf = w.jbuf[:from]
		return
	}
	w.jbuf = append(w.jbuf, ',')
	w.segs = append(w.segs, segment{rank: f.rank, field: -1, from: int32(from), to: int32(len(w.jbuf))})
}

// xmlFlat reads an element of a flat list or an entry of a flat map.
func (w *walker) xmlFlat(n *node, f *field, k int32, c tag) int {
	w.touch(f.node)
	base := len(w.segs)
	from := len(w.jbuf)
	var i int
	var key []byte
	if f.node.kind == mapNode {
		if i = w.xmlEntry(f.node, c); i < 0 {
			return failed
		}
		if len(w.segs) > base {
			key = w.segs[base].key
		}
	} else {
		if f.node.elem == nil {
			return w.xmlSkip(c)
		}
		if i = w.xmlValue(f.node.elem, c); i < 0 {
			return failed
		}
		if len(w.jbuf) > from {
			w.jbuf = append(w.jbuf, ',')
		}
	}
	if n.emit {
		w.segs = append(w.segs[:base], segment{rank: f.rank, field: k, from: int32(from), to: int32(len(w.jbuf)), key: key})
	}
	return i
}

// xmlAhead fills the level's Up slots from the element c of field k and those
// behind it, before the items among them are read.
func (w *walker) xmlAhead(n *node, k int32, c tag) int {
	i := w.xmlMember(n.ahead, &n.ahead.fields[k], k, c)
	for {
		if i < 0 {
			return failed
		}
		if i = w.next(i); i < 0 {
			return failed
		}
		if w.b[i+1] == '/' {
			return i
		}
		t, ok := w.xmlTag(i)
		if !ok {
			return failed
		}
		k := n.ahead.find(local(w.b[t.from+1 : t.nameEnd]))
		if k < 0 {
			i = w.xmlSkip(t)
			continue
		}
		i = w.xmlMember(n.ahead, &n.ahead.fields[k], k, t)
	}
}

// xmlAttrs reads the attributes of a structure.
func (w *walker) xmlAttrs(n *node, t tag) {
	w.eachAttr(t, func(name, value []byte) {
		k := n.find(local(name))
		if k < 0 || !n.fields[k].attr || n.fields[k].node == nil {
			return
		}
		f := &n.fields[k]
		tok := token{b: value, typ: tokXML}
		tok.esc, tok.high = oddities(value)
		from := len(w.jbuf)
		if n.emit {
			w.jbuf = append(w.jbuf, f.key...)
		}
		w.scalar(f.node, &tok)
		if n.emit {
			w.endMember(f, from)
		}
	})
}

func (w *walker) xmlList(n *node, t tag, i int) int {
	b := w.b
	for {
		for i < len(b) && isSpace(b[i]) {
			i++
		}
		if i = w.next(i); i < 0 {
			return failed
		}
		if b[i+1] == '/' {
			return w.endTag(t, i)
		}
		c, ok := w.xmlTag(i)
		if !ok {
			return failed
		}
		if n.elem == nil {
			i = w.xmlSkip(c)
		} else {
			from := len(w.jbuf)
			i = w.xmlValue(n.elem, c)
			if n.emit && i >= 0 {
				w.endElement(n, from, false)
			}
		}
		if i < 0 {
			return failed
		}
	}
}

func (w *walker) xmlMap(n *node, t tag, i int) int {
	for {
		if i = w.next(i); i < 0 {
			return failed
		}
		if w.b[i+1] == '/' {
			return w.endTag(t, i)
		}
		c, ok := w.xmlTag(i)
		if !ok {
			return failed
		}
		if equalName(w.name(c), n.entryName) {
			i = w.xmlEntry(n, c)
		} else {
			i = w.xmlSkip(c)
		}
		if i < 0 {
			return failed
		}
	}
}

// xmlEntry reads the entry c of a map: a key and, behind it, a value.
func (w *walker) xmlEntry(n *node, c tag) int {
	if c.self {
		return c.end
	}
	var key token
	var value *node
	seen := false
	at := 0 // of a value that stands before its key
	from := len(w.jbuf)
	read := func(v tag) int {
		if n.emit {
			w.jbuf = appendKey(w.jbuf, key.b)
		}
		start := len(w.jbuf)
		var i int
		if value == nil {
			i = w.xmlSkip(v)
		} else {
			i = w.xmlValue(value, v)
		}
		if n.emit && i >= 0 {
			w.endEntry(from, start, false, key.b)
		}
		return i
	}
	for i := c.end; ; {
		if i = w.next(i); i < 0 {
			return failed
		}
		if w.b[i+1] == '/' {
			return w.endTag(c, i)
		}
		t, ok := w.xmlTag(i)
		if !ok {
			return failed
		}
		switch name := local(w.b[t.from+1 : t.nameEnd]); {
		case equalName(name, n.keyName) && !seen:
			if key, i = w.xmlText(n, t); i < 0 {
				return failed
			}
			seen = true
			value = w.beginEntry(n, &key)
			if at > 0 {
				v, _ := w.xmlTag(at)
				if read(v) < 0 {
					return failed
				}
			}
		case equalName(name, n.valueName) && seen && at == 0:
			i = read(t)
			at = -1
		default:
			if equalName(name, n.valueName) && at == 0 {
				at = i
			}
			i = w.xmlSkip(t)
		}
		if i < 0 {
			return failed
		}
	}
}
