package normalize

import (
	"bytes"
)

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
		for i+8 <= len(b) {
			n := oddXML(b, i)
			i += n
			if n < 8 {
				break
			}
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
