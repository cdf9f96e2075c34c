package normalize

import "bytes"

// The XML reader. It knows elements, attributes, text, CDATA, entities,
// comments and processing instructions; prefixes of names are ignored, a
// document type is refused. Names are matched exactly first, then without
// regard to case.

// tag is a start tag.
type tag struct {
	from    int  // of the '<', behind which the name stands
	nameEnd int  // with prefix; attributes follow
	end     int  // behind the '>'
	self    bool // <a/>
}

// name is the tag's name without its prefix.
func (w *walker) name(t tag) []byte { return local(w.b[t.from+1 : t.nameEnd]) }

// xmlTag reads the start tag at i.
func (w *walker) xmlTag(i int) (t tag, ok bool) {
	b := w.b
	t.from = i
	i++
	for i < len(b) && b[i] != '>' && b[i] != '/' && !isSpace(b[i]) && b[i] != '<' && b[i] != '=' && b[i] != '"' {
		i++
	}
	t.nameEnd = i
	if i == t.from+1 || !nameStart(b[t.from+1]) {
		w.fail(i, "a tag")
		return t, false
	}
	for i < len(b) {
		switch b[i] {
		case '>':
			t.end = i + 1
			return t, true
		case '/':
			if i+1 < len(b) && b[i+1] == '>' {
				t.self, t.end = true, i+2
				return t, true
			}
			w.fail(i, "the end of a tag")
			return t, false
		case '"', '\'':
			n := bytes.IndexByte(b[i+1:], b[i])
			if n < 0 {
				w.fail(i, "the end of an attribute")
				return t, false
			}
			i += n + 2
		case '<':
			w.fail(i, "the end of a tag")
			return t, false
		default:
			i++
		}
	}
	w.fail(i, "the end of a tag")
	return t, false
}

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
}

// local is a name without its prefix.
func local(name []byte) []byte {
	if i := bytes.IndexByte(name, ':'); i >= 0 {
		return name[i+1:]
	}
	return name
}

// endTag returns the position behind the end tag at i if it is the tag's.
func (w *walker) endTag(t tag, i int) int {
	b := w.b
	n := t.nameEnd - t.from - 1
	if i+2+n < len(b) && b[i+1] == '/' && string(b[i+2:i+2+n]) == string(b[t.from+1:t.nameEnd]) {
		if i = skipSpace(b, i+2+n); i < len(b) && b[i] == '>' {
			return i + 1
		}
	}
	return w.fail(i, "the end tag of "+clip(b[t.from+1:t.nameEnd]))
}

// next finds the next start or end tag from i on, over text, comments, CDATA
// and processing instructions. It returns the position of its '<'.
func (w *walker) next(i int) int {
	b := w.b
	for {
		if i < len(b) && b[i] != '<' {
			n := bytes.IndexByte(b[i:], '<')
			if n < 0 {
				return w.fail(len(b), "an end tag")
			}
			i += n
		}
		if i+1 >= len(b) {
			return w.fail(len(b), "a tag")
		}
		switch b[i+1] {
		case '!', '?':
			if i = w.misc(i); i < 0 {
				return failed
			}
		default:
			return i
		}
	}
}

// misc skips the comment, CDATA section or processing instruction at i.
func (w *walker) misc(i int) int {
	b := w.b[i:]
	open, end := "<?", "?>"
	switch {
	case hasPrefix(b, "<!--"):
		open, end = "<!--", "-->"
	case hasPrefix(b, cdata):
		open, end = cdata, "]]>"
	case b[1] == '!':
		return w.fail(i, "no declaration")
	}
	n := bytes.Index(b[len(open):], []byte(end))
	if n < 0 {
		return w.fail(i, end)
	}
	return i + len(open) + n + len(end)
}

const cdata = "<![CDATA["

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

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

// eachAttr calls f for the attributes of a start tag.
func (w *walker) eachAttr(t tag, f func(name, value []byte)) {
	b := w.b[t.nameEnd : t.end-1]
	if t.self {
		b = b[:len(b)-1]
	}
	for {
		b = trimSpace(b)
		eq := bytes.IndexByte(b, '=')
		if eq < 0 {
			return
		}
		name := trimSpace(b[:eq])
		b = trimSpace(b[eq+1:])
		if len(b) == 0 || b[0] != '"' && b[0] != '\'' {
			return
		}
		end := bytes.IndexByte(b[1:], b[0])
		if end < 0 {
			return
		}
		f(name, b[1:1+end])
		b = b[end+2:]
	}
}

// oddities says what of a text has to be decoded. An entity that is none
// stays as it is.
func oddities(b []byte) (esc, high bool) {
	for i, c := range b {
		switch {
		case c == '&':
			if _, n := entity(b[i:]); n == 0 {
				return false, true
			}
			esc = true
		case c == '\r' || c == 0:
			esc = true
		case c >= 0x80:
			high = true
		}
	}
	return esc, high
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

func equalName(b []byte, s string) bool {
	return string(b) == s || len(b) == len(s) && bytes.EqualFold(b, []byte(s))
}

// xmlText reads the text of an element to behind its end tag. Elements inside
// are skipped and a problem.
func (w *walker) xmlText(n *node, t tag) (token, int) {
	tok := token{typ: tokXML}
	if t.self {
		return tok, t.end
	}
	b := w.b
	i := t.end
	for {
		for i+8 <= len(b) && plainXML(b, i) {
			i += 8
		}
		if i >= len(b) {
			return tok, w.fail(i, "an end tag")
		}
		c := b[i]
		switch {
		case c == '<':
			tok.b = b[t.end:i]
			name := t.nameEnd - t.from - 1
			if end := i + 2 + name; end < len(b) && b[end] == '>' && b[i+1] == '/' && string(b[i+2:end]) == string(b[t.from+1:t.nameEnd]) {
				return tok, end + 1
			}
			if i+1 < len(b) && b[i+1] == '/' {
				return tok, w.endTag(t, i)
			}
			return w.xmlMixed(n, t)
		case c == '&':
			_, n := entity(b[i:])
			if n == 0 {
				return tok, w.fail(i, "an entity")
			}
			tok.esc = true
			i += n
			continue
		case c == '\r' || c == 0:
			tok.esc = true
		case c >= 0x80:
			tok.high = true
		}
		i++
	}
}

// xmlMixed is xmlText for an element with CDATA, comments or elements inside.
func (w *walker) xmlMixed(n *node, t tag) (token, int) {
	b := w.b
	tok := token{typ: tokXML, high: true}
	start := len(w.arena)
	bad := false
	i := t.end
	for i < len(b) {
		if b[i] != '<' {
			end := bytes.IndexByte(b[i:], '<')
			if end < 0 {
				break
			}
			part := b[i : i+end]
			for k, c := range part {
				if c == '&' {
					if _, n := entity(part[k:]); n == 0 {
						return tok, w.fail(i+k, "an entity")
					}
				}
			}
			var odd bool
			w.arena, odd = appendXMLText(w.arena, part)
			bad = bad || odd
			i += end
			continue
		}
		if i+1 >= len(b) {
			break
		}
		switch {
		case b[i+1] == '/':
			if i = w.endTag(t, i); i < 0 {
				return tok, failed
			}
			tok.b, tok.bad = w.arena[start:len(w.arena):len(w.arena)], bad
			return tok, i
		case b[i+1] == '!' || b[i+1] == '?':
			end := w.misc(i)
			if end < 0 {
				return tok, failed
			}
			if hasPrefix(b[i:], cdata) {
				w.arena = appendLines(w.arena, b[i+len(cdata):end-3])
			}
			i = end
		default:
			c, ok := w.xmlTag(i)
			if !ok {
				return tok, failed
			}
			from := i
			if i = w.xmlSkip(c); i < 0 {
				return tok, failed
			}
			w.problem(w.columnOf(n), "type", b[from:i])
		}
	}
	return tok, w.fail(len(b), "an end tag")
}

// appendLines appends text with its line ends normalised.
func appendLines(dst, b []byte) []byte {
	for i, c := range b {
		if c == '\r' {
			if i+1 < len(b) && b[i+1] == '\n' {
				continue
			}
			c = '\n'
		}
		dst = append(dst, c)
	}
	return dst
}

// xmlSkip reads the element of a start tag and forgets it.
func (w *walker) xmlSkip(t tag) int {
	if t.self {
		return t.end
	}
	if w.depth++; w.depth > maxDepth {
		return w.fail(t.from, "less nesting")
	}
	i := t.end
	for {
		from := i
		if i = w.next(i); i < 0 {
			return failed
		}
		if k := bytes.IndexByte(w.b[from:i], '&'); k >= 0 && !w.entities(from, i) {
			return failed
		}
		if w.b[i+1] == '/' {
			w.depth--
			return w.endTag(t, i)
		}
		c, ok := w.xmlTag(i)
		if !ok {
			return failed
		}
		if i = w.xmlSkip(c); i < 0 {
			return failed
		}
	}
}

// entities checks the entities of the text from..to, up to a comment or CDATA.
func (w *walker) entities(from, to int) bool {
	for i := from; i < to && w.b[i] != '<'; i++ {
		if w.b[i] == '&' {
			if _, n := entity(w.b[i:]); n == 0 {
				w.fail(i, "an entity")
				return false
			}
		}
	}
	return true
}
