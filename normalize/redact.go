package normalize

import (
	"bytes"
	"cmp"
	"sync"
)

// redactNode says what of a value is dropped; nil keeps all of it.
type redactNode struct {
	drop    bool
	members map[string]*redactNode // by wire name, those with something to drop
	elem    *redactNode            // of a list, or the values of a map
	flat    bool                   // each element of the member is one of a list
	// keys of a map whose entries are dropped; key is the XML tag of a key.
	keys map[string]bool
	key  string
}

// dropsKey reports whether the entry of a map with this key is dropped.
func (n *redactNode) dropsKey(key []byte) bool { return n != nil && n.keys[string(key)] }

// dropsEntry reports whether an XML map's entry is dropped, which one whose
// key cannot be told is.
func (n *redactNode) dropsEntry(entry []byte) bool {
	if n == nil || n.keys == nil {
		return false
	}
	_, key, ok := bytes.Cut(entry, []byte("<"+n.key+">"))
	key, _, end := bytes.Cut(key, []byte("<"))
	key = bytes.TrimSpace(key)
	return !ok || !end || len(key) == 0 || bytes.IndexByte(key, '&') >= 0 || n.dropsKey(key)
}

// Redact returns the body of a source's answer without the members that are
// dropped, for recordings. It returns nil where the body is not well formed:
// nobody can tell what stands in it.
func (p *Plan) Redact(src int, body []byte) []byte {
	return p.redact(src, p.sources[src].redact(), body)
}

func (p *Plan) redact(src int, n *redactNode, body []byte) []byte {
	s := &p.sources[src]
	w := p.splitter()
	defer p.put(w)
	w.walker.begin(src, body)
	r := redactor{walker: &w.walker, out: make([]byte, 0, len(body))}
	if s.text {
		if n != nil && n.drop {
			return nil
		}
		return append(r.out, body...)
	}
	end := 0
	if p.spec.Sources[src].Format == JSON {
		if end = r.json(n, skipSpace(body, 0)); end >= 0 && skipSpace(body, end) != len(body) {
			end = failed
		}
	} else if end = r.walker.prolog(); end >= 0 {
		r.out = append(r.out, body[:end]...)
		if t, ok := r.walker.xmlTag(end); ok {
			end = r.wrapped(n, t, p.spec.Sources[src].Wrap)
		} else {
			end = failed
		}
	}
	if end < 0 {
		return nil
	}
	return append(r.out, body[end:]...)
}

// redactOf compiles what is dropped of a source, when it is first asked for.
func redactOf(src *Source) func() *redactNode {
	return sync.OnceValue(func() *redactNode {
		c := redactCompiler{xml: src.Format == XML, done: map[*Shape]*redactNode{}, drops: map[*Shape]bool{}}
		for i := range src.Shape.Members {
			if m := &src.Shape.Members[i]; m.Payload {
				if m.Drop {
					return &redactNode{drop: true}
				}
				return c.node(m.Shape)
			}
		}
		return c.node(src.Shape)
	})
}

type redactCompiler struct {
	xml   bool
	done  map[*Shape]*redactNode
	drops map[*Shape]bool
}

// has reports whether anything below the shape is dropped.
func (c *redactCompiler) has(s *Shape) bool {
	if v, ok := c.drops[s]; ok {
		return v
	}
	v := reaches(s, map[*Shape]bool{})
	c.drops[s] = v
	return v
}

func reaches(s *Shape, seen map[*Shape]bool) bool {
	if s == nil || seen[s] {
		return false
	}
	seen[s] = true
	if len(s.DropKeys) > 0 {
		return true
	}
	for i := range s.Members {
		if s.Members[i].Drop || reaches(s.Members[i].Shape, seen) {
			return true
		}
	}
	return reaches(s.Elem, seen)
}

func (c *redactCompiler) node(s *Shape) *redactNode {
	if s == nil || !c.has(s) {
		return nil
	}
	if n := c.done[s]; n != nil {
		return n
	}
	n := &redactNode{}
	c.done[s] = n
	n.elem = c.node(s.Elem)
	if len(s.DropKeys) > 0 {
		n.key, n.keys = cmp.Or(s.KeyName, "key"), map[string]bool{}
		for _, k := range s.DropKeys {
			n.keys[k] = true
		}
	}
	if n.elem != nil && s.Type == Map && c.xml { // an entry stands around the value
		name := s.ValueName
		if name == "" {
			name = "value"
		}
		n.elem = &redactNode{members: map[string]*redactNode{name: n.elem}}
	}
	b := nodeBuilder{format: JSON}
	if c.xml {
		b.format = XML
	}
	for i := range s.Members {
		m := &s.Members[i]
		var sub *redactNode
		switch {
		case m.Drop:
			sub = &redactNode{drop: true}
		default:
			if sub = c.node(m.Shape); sub != nil && m.Flat && c.xml {
				sub = &redactNode{flat: true, elem: sub.elem, key: sub.key, keys: sub.keys}
			}
		}
		if sub != nil {
			if n.members == nil {
				n.members = map[string]*redactNode{}
			}
			n.members[b.wire(m)] = sub
		}
	}
	return n
}

// redactor copies a document without what is dropped.
type redactor struct {
	*walker
	out []byte
}

// json copies the value at i.
func (r *redactor) json(n *redactNode, i int) int {
	b := r.b
	if n == nil || i >= len(b) || b[i] != '{' && b[i] != '[' {
		end := r.jsonSkip(i)
		if end >= 0 {
			r.out = append(r.out, b[i:end]...)
		}
		return end
	}
	if r.depth++; r.depth > maxDepth {
		return r.fail(i, "less nesting")
	}
	open, end := b[i], b[i]+2
	r.out = append(r.out, open)
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == end {
		r.depth--
		r.out = append(r.out, end)
		return i + 1
	}
	for first := true; ; {
		sub := n.elem
		from := i
		if open == '{' {
			name := i
			if i = r.jsonName(i); i < 0 {
				return failed
			}
			stop, esc, high := scanString(b, name+1)
			t := token{b: b[name+1 : stop], typ: tokString, esc: esc, high: high}
			key := r.text(&t)
			if n.members != nil {
				sub = n.members[string(key)]
			} else if n.dropsKey(key) {
				sub = &redactNode{drop: true}
			}
		}
		if sub != nil && sub.drop {
			if i = r.jsonSkip(i); i < 0 {
				return failed
			}
		} else {
			if !first {
				r.out = append(r.out, ',')
			}
			first = false
			r.out = append(r.out, b[from:i]...)
			if i = r.json(sub, i); i < 0 {
				return failed
			}
		}
		i = skipSpace(b, i)
		if i >= len(b) || b[i] != ',' && b[i] != end {
			return r.fail(i, "a comma or the end")
		}
		i++
		if b[i-1] == end {
			r.depth--
			r.out = append(r.out, end)
			return i
		}
		i = skipSpace(b, i)
	}
}

// wrapped copies the root element through the wrappers.
func (r *redactor) wrapped(n *redactNode, t tag, wrap []string) int {
	if len(wrap) <= 1 {
		return r.xml(n, t)
	}
	return r.xml(&redactNode{members: map[string]*redactNode{wrap[1]: r.inside(n, wrap[1:])}}, t)
}

// inside nests what is dropped into the wrappers.
func (r *redactor) inside(n *redactNode, wrap []string) *redactNode {
	if len(wrap) == 1 || n == nil {
		return n
	}
	return &redactNode{members: map[string]*redactNode{wrap[1]: r.inside(n, wrap[1:])}}
}

// xml copies the element of a start tag.
func (r *redactor) xml(n *redactNode, t tag) int {
	b := r.b
	if n == nil || t.self {
		end := r.xmlSkip(t)
		if end >= 0 {
			r.out = append(r.out, b[t.from:end]...)
		}
		return end
	}
	if r.depth++; r.depth > maxDepth {
		return r.fail(t.from, "less nesting")
	}
	r.out = append(r.out, b[t.from:t.end]...)
	for i := t.end; ; {
		from := i
		if i = r.next(i); i < 0 {
			return failed
		}
		r.out = append(r.out, b[from:i]...)
		if b[i+1] == '/' {
			from = i
			if i = r.endTag(t, i); i < 0 {
				return failed
			}
			r.depth--
			r.out = append(r.out, b[from:i]...)
			return i
		}
		c, ok := r.xmlTag(i)
		if !ok {
			return failed
		}
		sub := n.elem
		if n.members != nil {
			sub = n.member(r.name(c))
		}
		entries := n
		if sub != nil && sub.flat {
			entries = sub
		}
		if entries.keys != nil {
			end := r.xmlSkip(c)
			if end < 0 {
				return failed
			}
			if entries.dropsEntry(b[c.from:end]) {
				i = end
				continue
			}
		}
		switch {
		case sub != nil && sub.drop:
			i = r.xmlSkip(c)
		case sub != nil && sub.flat:
			i = r.xml(sub.elem, c)
		default:
			i = r.xml(sub, c)
		}
		if i < 0 {
			return failed
		}
	}
}

func (n *redactNode) member(name []byte) *redactNode {
	if m := n.members[string(name)]; m != nil {
		return m
	}
	for wire, m := range n.members {
		if equalName(name, wire) {
			return m
		}
	}
	return nil
}
