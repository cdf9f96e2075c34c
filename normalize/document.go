package normalize

import (
	"bytes"
	"fmt"
	"strings"
)

// PageError says that a body is not the output of its call: cut off, an error
// document, another root, a proxy's HTML page. Nothing of it became rows.
type PageError struct {
	Call   string
	Want   string // what was expected
	Offset int    // where in the body
	Prefix string // the first bytes of the body
}

func (e *PageError) Error() string {
	return fmt.Sprintf("%s: the answer is not the output: expected %s at byte %d: %q", e.Call, e.Want, e.Offset, e.Prefix)
}

// read walks the body of a source with one of its tries. It returns a
// *PageError where the body is not the source's output.
func (w *walker) read(src int, body []byte, t *trie) error {
	w.begin(src, body)
	s := &w.plan.sources[src]
	for _, slot := range w.plan.levelSlots[s.tokenLevel] {
		w.slots[slot] = w.slots[slot][:0]
	}
	w.upDone[s.tokenLevel] = false
	ok := false
	if t.outer != nil && t.outer.special {
		w.enter(t.outer, 0)
		defer func() {
			if ok {
				w.whole = true
				w.leave(t.outer, 0, 0, len(body))
			}
		}()
	}
	switch {
	case s.text:
		tok := token{b: body, typ: tokXML, high: true}
		if t.root.special {
			w.enter(t.root, 0)
		}
		start := len(w.jbuf)
		if len(body) > 0 { // an empty body is a text that is absent
			w.scalar(t.root, &tok)
		}
		if t.root.special {
			w.leave(t.root, start, 0, len(body))
		}
		ok = true
	case w.plan.spec.Sources[src].Format == JSON:
		ok = w.readJSON(s, t.root)
	default:
		ok = w.readXML(s, t.root)
	}
	if ok {
		return nil
	}
	return w.pageError()
}

func (w *walker) readJSON(s *source, root *node) bool {
	i := skipSpace(w.b, 0)
	if i == len(w.b) {
		if s.bodyless {
			return true
		}
		w.fail(0, "a JSON object")
		return false
	}
	if root.kind == structNode && w.b[i] != '{' {
		w.fail(i, "a JSON object")
		return false
	}
	w.strange = false
	end := w.jsonValue(root, i)
	switch {
	case end < 0:
	case skipSpace(w.b, end) != len(w.b):
		w.fail(end, "nothing behind the object")
	case w.strange && !w.known:
		w.fail(i, "a member of the output")
	default:
		return true
	}
	return false
}

func (w *walker) readXML(s *source, root *node) bool {
	b := w.b
	if len(trimSpace(b)) == 0 && s.bodyless {
		return true
	}
	i := w.prolog()
	if i < 0 {
		return false
	}
	t, ok := w.xmlTag(i)
	if !ok {
		return false
	}
	end := w.xmlRoot(root, t)
	if end < 0 {
		return false
	}
	for end < len(b) {
		switch {
		case isSpace(b[end]):
			end++
		case b[end] == '<' && end+1 < len(b) && (b[end+1] == '!' || b[end+1] == '?') && !hasPrefix(b[end:], cdata):
			if end = w.misc(end); end < 0 {
				return false
			}
		default:
			w.fail(end, "nothing behind the root element")
			return false
		}
	}
	return true
}

// prolog returns the position of the root element.
func (w *walker) prolog() int {
	b := w.b
	i := 0
	if hasPrefix(b, "\xef\xbb\xbf") {
		i = 3
	}
	for {
		i = skipSpace(b, i)
		if i+1 >= len(b) || b[i] != '<' {
			return w.fail(i, "an XML document")
		}
		if b[i+1] != '?' && b[i+1] != '!' {
			return i
		}
		if hasPrefix(b[i:], cdata) {
			return w.fail(i, "a root element")
		}
		end := w.misc(i)
		if end < 0 {
			return failed
		}
		if enc := encoding(b[i:end]); enc != nil && !bytes.EqualFold(enc, []byte("utf-8")) {
			return w.fail(i, "UTF-8")
		}
		i = end
	}
}

// encoding is what an XML declaration says, nil if it says nothing.
func encoding(b []byte) []byte {
	if !hasPrefix(b, "<?xml ") {
		return nil
	}
	_, b, ok := bytes.Cut(b, []byte("encoding"))
	b = trimSpace(b)
	if !ok || len(b) == 0 || b[0] != '=' {
		return nil
	}
	if b = trimSpace(b[1:]); len(b) == 0 {
		return nil
	}
	enc, _, ok := bytes.Cut(b[1:], b[:1])
	if !ok {
		return nil
	}
	return enc
}

// xmlRoot reads the document's root element through the wrappers.
func (w *walker) xmlRoot(root *node, t tag) int {
	src := &w.plan.spec.Sources[w.src]
	name := w.name(t)
	if len(src.Wrap) == 0 {
		return w.xmlBare(root, t, name)
	}
	if !isOneOf(name, src.Wrap[0]) {
		return w.fail(t.from, "<"+src.Wrap[0]+">")
	}
	return w.xmlWrapped(root, t, src.Wrap[1:])
}

// isOneOf reports whether the name is one of names with bars between.
func isOneOf(name []byte, names string) bool {
	for more := true; more; {
		var one string
		if one, names, more = strings.Cut(names, "|"); equalName(name, one) {
			return true
		}
	}
	return false
}

// xmlWrapped reads an element for the output, or one that has it inside.
func (w *walker) xmlWrapped(root *node, t tag, wrap []string) int {
	if len(wrap) == 0 {
		return w.xmlValue(root, t)
	}
	found := false
	for i := t.end; !t.self; {
		if i = w.next(i); i < 0 {
			return failed
		}
		if w.b[i+1] == '/' {
			if !found {
				break
			}
			return w.endTag(t, i)
		}
		c, ok := w.xmlTag(i)
		if !ok {
			return failed
		}
		if !found && equalName(w.name(c), wrap[0]) {
			found = true
			i = w.xmlWrapped(root, c, wrap[1:])
		} else {
			i = w.xmlSkip(c)
		}
		if i < 0 {
			return failed
		}
	}
	return w.fail(t.from, "<"+wrap[0]+"> inside")
}

// xmlBare reads a root element without a wrapper: the payload, or the one
// member of the output.
func (w *walker) xmlBare(root *node, t tag, name []byte) int {
	out := w.plan.spec.Sources[w.src].Shape
	for i := range out.Members {
		m := &out.Members[i]
		switch {
		case m.Payload:
			if equalName(name, m.Wire) || equalName(name, m.Name) || equalName(name, m.Shape.Name) {
				return w.xmlValue(root, t)
			}
			return w.fail(t.from, "<"+m.Wire+">")
		case !m.Header && equalName(name, m.Wire):
			k := root.find(name)
			if k < 0 {
				continue
			}
			if root.special {
				w.enter(root, t.from)
			}
			start := len(w.jbuf)
			end := w.xmlMember(root, &root.fields[k], k, t)
			if root.special && end >= 0 {
				w.whole = true
				w.leave(root, start, 0, len(w.b))
			}
			return end
		}
	}
	return w.fail(t.from, "a member of the output")
}
