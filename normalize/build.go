package normalize

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// paging compiles what a caller needs to go on: tokens, the keys of batch
// details and their failures.
func (c *compiler) paging() error {
	for i := range c.p.spec.Sources {
		src := &c.p.spec.Sources[i]
		out := source{match: -1, failKey: -1, failCode: -1, tokenLevel: c.newLevel()}
		for _, path := range src.Tokens {
			slot, err := c.outer(i, out.tokenLevel, path)
			if err != nil {
				return fmt.Errorf("%s: token: %w", src.Call, err)
			}
			out.tokens = append(out.tokens, slot)
		}
		if len(src.Match) > 0 {
			_, slot, err := c.want(c.sources[i].split, 0, src.Match, true)
			if err != nil {
				return fmt.Errorf("%s: match: %w", src.Call, err)
			}
			out.match = slot
		}
		if len(src.Failures) > 0 {
			if err := c.failures(i, &out); err != nil {
				return fmt.Errorf("%s: failures: %w", src.Call, err)
			}
		}
		out.redact = redactOf(src)
		for _, m := range src.Shape.Members {
			out.payload = out.payload || m.Payload
		}
		c.p.sources = append(c.p.sources, out)
	}
	return nil
}

// outer makes a slot of a path from the output.
func (c *compiler) outer(src, level int, path Path) (int32, error) {
	slot := c.newSlot()
	c.p.levelSlots[level] = append(c.p.levelSlots[level], slot)
	for _, tr := range []*tree{c.sources[src].full, c.sources[src].split} {
		pl, err := resolve(tr.root, tr.shape, path)
		if err != nil {
			return 0, err
		}
		if pl.member != nil && pl.member.Header {
			return c.header(src, pl.member.Wire), nil
		}
		if pl.elements(); !pl.scalar() {
			return 0, fmt.Errorf("%s is no text", path)
		}
		pl.want.sinks = append(pl.want.sinks, sink{op: toUpSlot, index: slot, level: level})
	}
	return slot, nil
}

func (c *compiler) failures(i int, out *source) error {
	src := &c.p.spec.Sources[i]
	tr := c.sources[i].split
	pl, err := resolve(tr.root, tr.shape, src.Failures)
	if err != nil {
		return err
	}
	pl.elements()
	pl.want.item = failureItem
	level := c.newLevel()
	for _, f := range []struct {
		path Path
		slot *int32
	}{{src.FailureKey, &out.failKey}, {src.FailureCode, &out.failCode}} {
		if len(f.path) == 0 {
			continue
		}
		at, err := resolve(pl.want, pl.shape, f.path)
		if err != nil {
			return err
		}
		if at.elements(); !at.scalar() {
			return fmt.Errorf("%s is no text", f.path)
		}
		*f.slot = c.newSlot()
		at.want.sinks = append(at.want.sinks, sink{op: toUpSlot, index: *f.slot, level: level})
	}
	return nil
}

// finish makes the nodes of a source's tries.
func (c *compiler) finish(i int) {
	spec, src := &c.p.spec.Sources[i], &c.p.sources[i]
	b := &nodeBuilder{c: c, format: spec.Format, nodes: map[*want]*node{}}
	for _, t := range []struct {
		tree *tree
		out  *trie
	}{{c.sources[i].full, &src.full}, {c.sources[i].split, &src.split}} {
		root := b.node(spec.Shape, nil, t.tree.root, false, spec.Call+":")
		root.body = true
		if src.payload {
			src.bodyless = false
			for k := range spec.Shape.Members {
				m := &spec.Shape.Members[k]
				if !m.Payload {
					continue
				}
				payload := root.fields[root.index[b.wire(m)]].node
				src.text = m.Shape.Type == String || m.Shape.Type == Blob
				if payload == nil {
					payload = b.node(m.Shape, m, &want{}, false, spec.Call+":"+m.Name)
				}
				if payload.kind == structNode {
					payload.body = true
				}
				root.body = false
				t.out.root, t.out.outer = payload, root
			}
		} else {
			t.out.root = root
			src.bodyless = !slices.ContainsFunc(spec.Shape.Members, func(m Member) bool { return !m.Header })
		}
		t.out.item = b.nodes[t.tree.item]
		if t.out.item == nil {
			t.out.item = t.out.root
		}
	}
}

// nodeBuilder turns the wants of a source into nodes.
type nodeBuilder struct {
	c      *compiler
	format Format
	nodes  map[*want]*node
}

// sharedKey names a node that only writes JSON: it is the same wherever its
// shape stands, which is what lets shapes be recursive.
type sharedKey struct {
	shape  *Shape
	time   TimeFormat
	set    bool
	format Format
}

// node makes the node of a value, nil if nothing is wanted of it. path is for
// drift, empty to count none.
func (b *nodeBuilder) node(s *Shape, m *Member, w *want, emit bool, path string) *node {
	if w == nil && !emit {
		return nil
	}
	n := &node{typ: s.Type, path: path}
	if m != nil {
		n.set, n.time = m.Set, m.Time
	}
	if n.time == 0 && (s.Time != 0 || s.Type == Time) {
		if n.time = s.Time; n.time == 0 {
			n.time = TimeISO
		}
	}
	if w == nil {
		key := sharedKey{s, n.time, n.set, b.format}
		if have := b.c.shared[key]; have != nil {
			return have
		}
		b.c.shared[key] = n
		if s.Name != "" && path != "" {
			n.path = path[:strings.IndexByte(path, ':')+1] + "(" + s.Name + ")"
		}
		w = &want{}
	} else {
		b.nodes[w] = n
		b.special(n, s, w, emit)
		emit = emit || len(w.columns) > 0
		n.sinks = w.sinks
	}
	n.emit = emit
	switch s.Type {
	case Structure:
		n.kind = structNode
		b.members(n, s, w)
	case List:
		n.kind = listNode
		n.elem = b.node(s.Elem, elementOf(m), w.each, emit, n.below("[]"))
	case Map:
		n.kind = mapNode
		b.entries(n, s, m, w)
	case Document:
		n.kind = documentNode
	default:
		n.kind = scalarNode
		b.shortcuts(n)
	}
	return n
}

// shortcuts finds the scalars that have a short way.
func (b *nodeBuilder) shortcuts(n *node) {
	switch {
	case n.special:
	case n.emit:
		n.verbatim = len(n.sinks) == 0 && n.time == 0 && (n.typ == String || n.typ == Blob)
	case len(n.sinks) == 1 && n.sinks[0].op == toColumn && b.c.p.columns[n.sinks[0].index].Type == schema.Text:
		n.direct = n.sinks[0].index + 1
	}
}

// below is the path of what stands in n.
func (n *node) below(step string) string {
	if n.path == "" {
		return ""
	}
	if strings.HasSuffix(n.path, ":") { // the output
		step = strings.TrimPrefix(step, ".")
	}
	return n.path + step
}

func (b *nodeBuilder) special(n *node, s *Shape, w *want, emit bool) {
	n.touch, n.columns, n.pair, n.item, n.records = w.touch, w.columns, w.pair, w.item, w.records
	n.root = len(w.columns) > 0 && !emit
	if w.level != nil {
		n.level = 1 + w.level.index
		n.ahead = b.node(s, nil, w.level.ahead, false, "")
	}
	n.special = len(n.touch) > 0 || len(n.columns) > 0 || n.pair || n.item != 0 || n.level > 0 || len(n.records) > 0
}

// wire is the name by which the reader finds a member.
func (b *nodeBuilder) wire(m *Member) string {
	name := m.Wire
	if name == "" {
		name = m.Name
	}
	if i := strings.IndexByte(name, ':'); i >= 0 && b.format == XML {
		name = name[i+1:]
	}
	return name
}

func (b *nodeBuilder) members(n *node, s *Shape, w *want) {
	names := make([]string, 0, len(s.Members))
	for i := range s.Members {
		names = append(names, s.Members[i].Name)
	}
	slices.Sort(names)
	n.index = make(map[string]int32, len(s.Members))
	for i := range s.Members {
		m := &s.Members[i]
		if m.Header {
			continue
		}
		mw := w.members[m.Name]
		f := field{wire: b.wire(m), key: strconv.Quote(m.Name) + ":"}
		rank, _ := slices.BinarySearch(names, m.Name)
		f.rank = int32(rank)
		if !m.Drop {
			f.node = b.node(m.Shape, m, mw, n.emit, n.below("."+m.Name))
		}
		f.items = mw != nil && mw.items
		if f.node != nil && !n.emit {
			f.text = f.node.direct
		}
		if b.format == XML {
			f.flat, f.attr = m.Flat && f.node != nil, m.Attr
			n.flat, n.attrs = n.flat || f.flat, n.attrs || f.attr && f.node != nil
		}
		n.addField(f, b.format)
	}
	b.c.predictions(n)
}

// addField adds a member. Of two with one wire name a flat list is found, which
// can hold what either can, else the first.
func (n *node) addField(f field, format Format) {
	if k, ok := n.index[f.wire]; ok {
		const never = "<"
		if have := &n.fields[k]; f.flat && !have.flat {
			have.wire, have.match = never, never
			n.index[f.wire] = int32(len(n.fields))
			if n.folded != nil {
				n.folded[strings.ToLower(f.wire)] = int32(len(n.fields))
			}
		} else {
			f.wire = never
		}
	}
	if format == JSON {
		f.match = f.wire + `"`
	} else if n.folded == nil {
		n.folded = map[string]int32{}
	}
	k := int32(len(n.fields))
	if _, ok := n.index[f.wire]; !ok {
		n.index[f.wire] = k
	}
	if low := strings.ToLower(f.wire); n.folded != nil {
		if _, ok := n.folded[low]; !ok {
			n.folded[low] = k
		}
	}
	n.fields = append(n.fields, f)
}

// predictions gives a structure its row in the table of guesses: after
// member k comes member k+1.
func (c *compiler) predictions(n *node) {
	n.pred = len(c.p.predict)
	for k := range n.fields {
		c.p.predict = append(c.p.predict, int32(k))
	}
	c.p.predict = append(c.p.predict, -1)
}

func (b *nodeBuilder) entries(n *node, s *Shape, m *Member, w *want) {
	n.entryName, n.keyName, n.valueName = s.EntryName, s.KeyName, s.ValueName
	for _, d := range []struct {
		name *string
		def  string
	}{{&n.entryName, "entry"}, {&n.keyName, "key"}, {&n.valueName, "value"}} {
		if *d.name == "" {
			*d.name = d.def
		}
	}
	em := elementOf(m)
	n.elem = b.node(s.Elem, em, w.values, n.emit, n.below("{}"))
	if w.keys != nil {
		n.key = b.node(keyShape, nil, w.keys, false, n.path)
	}
	if len(w.order)+len(s.DropKeys) == 0 {
		return
	}
	n.index = map[string]int32{}
	add := func(key string, value *node) {
		n.index[key] = int32(len(n.fields))
		n.fields = append(n.fields, field{wire: key, node: value})
	}
	for _, key := range s.DropKeys {
		add(key, nil)
	}
	for _, key := range w.order {
		if !slices.Contains(s.DropKeys, key) {
			add(key, b.node(s.Elem, em, merge(w.members[key], w.values), n.emit, n.below("."+key)))
		}
	}
}

// merge is what two wants want of the same value: a key of a map that is
// wanted by name, and as one of all values.
func merge(a, b *want) *want {
	if a == nil || b == nil {
		if a == nil {
			return b
		}
		return a
	}
	m := &want{
		each: merge(a.each, b.each), values: merge(a.values, b.values), keys: merge(a.keys, b.keys),
		sinks:   slices.Concat(a.sinks, b.sinks),
		columns: slices.Concat(a.columns, b.columns),
		touch:   slices.Concat(a.touch, b.touch),
		records: slices.Concat(a.records, b.records),
		pair:    a.pair || b.pair,
		item:    max(a.item, b.item),
		items:   a.items || b.items,
		level:   a.level,
	}
	for _, w := range []*want{a, b} {
		for _, name := range w.order {
			if m.members == nil {
				m.members = map[string]*want{}
			}
			if _, ok := m.members[name]; !ok {
				m.order = append(m.order, name)
			}
			m.members[name] = merge(m.members[name], w.members[name])
		}
	}
	return m
}
