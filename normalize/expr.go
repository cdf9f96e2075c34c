package normalize

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
)

// expr is a compiled Expr.
type expr struct {
	slot       int32
	tag        string // instead of a slot
	parent     int    // instead of a slot: the parent's value, from 1
	variable   string // instead of a slot: of the origin
	transforms []Transform
	place      *place // where its path ends, nil for tags and headers
}

func (e *expr) first() bool {
	for _, t := range e.transforms {
		if t.Op == First {
			return true
		}
	}
	return false
}

func (e *expr) splits() bool {
	for i, t := range e.transforms {
		if t.Op == Split {
			rest := expr{transforms: e.transforms[i:]}
			return !rest.first()
		}
	}
	return false
}

type template []templatePart

type templatePart struct {
	text, variable string
	expr           *expr
	field          int
}

// value is a value of an expression.
type value struct {
	b    []byte
	json bool // b is canonical JSON, not text
}

// expr compiles an expression into a slot and what fills it. With split the
// value is also wanted of items that Split finds.
func (c *compiler) expr(e Expr, split bool) (expr, error) {
	if err := c.checkSource(e.Source); err != nil {
		return expr{}, err
	}
	x := expr{tag: e.Tag, parent: e.Parent, variable: e.Var, transforms: e.Transforms}
	for _, t := range e.Transforms {
		if err := t.Check(); err != nil {
			return x, err
		}
	}
	switch {
	case e.Var != "":
		if e.Var != "account" && e.Var != "region" && e.Var != "partition" {
			return x, fmt.Errorf("no variable %s", e.Var)
		}
		return x, nil
	case e.Parent > 0:
		return x, nil
	case e.Tag != "":
		if c.p.spec.Tags == nil {
			return x, fmt.Errorf("tag:%s: the kind has no tags", e.Tag)
		}
		if split && c.p.spec.Tags.Source != 0 {
			return x, fmt.Errorf("tag:%s: the list call has no tags", e.Tag)
		}
		return x, nil
	case e.Header != "":
		x.slot = c.header(e.Source, e.Header)
		return x, nil
	}
	trees := []*tree{c.sources[e.Source].full}
	if split || e.Up > 0 {
		trees = append(trees, c.sources[e.Source].split)
	}
	for _, tr := range trees {
		pl, slot, err := c.want(tr, e.Up, e.Path, tr != trees[0])
		if err != nil {
			return x, err
		}
		if pl.member != nil && pl.member.Header {
			x.slot = c.header(e.Source, pl.member.Wire)
			continue
		}
		x.slot, x.place = slot, &pl
	}
	return x, nil
}

// each compiles the structures that an edge is made of.
func (c *compiler) each(e *Each, out *edgeExpr) error {
	tr := c.sources[0].full
	pl, err := resolve(tr.item, tr.itemShape, e.Path)
	if err != nil {
		return err
	}
	if pl.elements(); pl.shape.Type != Structure {
		return fmt.Errorf("%s leads to %s, which is no structure", e.Path, shapeName(pl.shape))
	}
	r := record{into: c.newSlot()}
	c.p.rowSlots = append(c.p.rowSlots, r.into)
	for _, f := range e.Fields {
		at, err := resolve(pl.want, pl.shape, f)
		if err != nil {
			return err
		}
		if !at.scalar() || len(at.many) > 0 {
			return fmt.Errorf("%s of %s is not one text", f, e.Path)
		}
		slot := c.newSlot()
		at.want.sinks = append(at.want.sinks, sink{op: toSlot, index: slot})
		r.fields = append(r.fields, slot)
	}
	for _, w := range e.When {
		if w.Field < 1 || w.Field > len(e.Fields) {
			return fmt.Errorf("a condition on field %d of %d", w.Field, len(e.Fields))
		}
	}
	pl.want.records = append(pl.want.records, r)
	out.each, out.records = e, r.into
	return nil
}

// want makes the scalars that a path leads to values of a slot. The same path
// has the same slot in both tries of a source.
func (c *compiler) want(tr *tree, up int, path Path, split bool) (place, int32, error) {
	key := fmt.Sprintf("%d %d %s", tr.src, up, path)
	done := fmt.Sprintf("%s %t", key, split)
	w, s := tr.item, tr.itemShape
	var level *levelWant
	if up > 0 {
		if tr.src != 0 || up > len(tr.levels) {
			return place{}, 0, fmt.Errorf("%s: nothing holds the item %d levels up", path, up)
		}
		level = tr.levels[len(tr.levels)-up]
		w, s = level.want, level.shape
	}
	pl, err := resolve(w, s, path)
	if err != nil {
		return pl, 0, err
	}
	if pl.member != nil && pl.member.Header {
		return pl, 0, nil
	}
	if pl.elements(); !pl.scalar() {
		return pl, 0, fmt.Errorf("%s leads to %s: an expression needs a text, a number or a time", path, shapeName(pl.shape))
	}
	slot, ok := c.slotOf[key]
	if !ok {
		slot = c.newSlot()
		c.slotOf[key] = slot
		if level == nil {
			c.p.rowSlots = append(c.p.rowSlots, slot)
		}
	}
	if _, ok := c.slotOf[done]; ok {
		return pl, slot, nil
	}
	c.slotOf[done] = slot
	if level == nil {
		pl.want.sinks = append(pl.want.sinks, sink{op: toSlot, index: slot})
		return pl, slot, nil
	}
	if level.ahead == nil {
		level.ahead = &want{}
		level.want.level = level
		level.index = c.levelIndex(tr, level)
	}
	if !split {
		c.p.levelSlots[level.index] = append(c.p.levelSlots[level.index], slot)
	}
	up1 := sink{op: toUpSlot, index: slot, level: level.index}
	pl.want.sinks = append(pl.want.sinks, up1)
	ahead, err := resolve(level.ahead, level.shape, path)
	if err != nil {
		return pl, 0, err
	}
	ahead.elements()
	ahead.want.sinks = append(ahead.want.sinks, up1)
	return pl, slot, nil
}

// levelIndex is the same for a level in both tries of source 0.
func (c *compiler) levelIndex(tr *tree, level *levelWant) int {
	for i, l := range tr.levels {
		if l == level {
			for c.p.levels <= i {
				c.newLevel()
			}
			return i
		}
	}
	panic("normalize: a level of another source")
}

func (c *compiler) newLevel() int {
	c.p.levels++
	c.p.levelSlots = append(c.p.levelSlots, nil)
	return c.p.levels - 1
}

func (c *compiler) newSlot() int32 {
	c.p.slots++
	return int32(c.p.slots - 1)
}

func (c *compiler) header(src int, name string) int32 {
	for _, h := range c.p.headers {
		if h.src == src && h.name == name {
			return h.slot
		}
	}
	h := headerSlot{src: src, name: name, slot: c.newSlot()}
	c.p.headers = append(c.p.headers, h)
	return h.slot
}

// readHeaders fills the slots of a source's headers.
func (w *walker) readHeaders(src int, h http.Header) {
	for _, s := range w.plan.headers {
		if s.src != src {
			continue
		}
		w.slots[s.slot] = w.slots[s.slot][:0]
		for _, v := range h.Values(s.name) {
			t := token{b: []byte(v), typ: tokXML, high: true}
			w.slots[s.slot] = append(w.slots[s.slot], bytes.Clone(w.text(&t)))
		}
	}
}

// values appends the values of an expression.
func (w *walker) values(dst []value, e *expr) []value {
	from := len(dst)
	switch {
	case e.parent > 0:
		if v := w.origin.Parent; e.parent <= len(v) && v[e.parent-1] != "" {
			dst = append(dst, value{b: []byte(v[e.parent-1])})
		}
	case e.variable != "":
		dst = append(dst, value{b: w.variable(nil, e.variable)})
	case e.tag != "":
		if v, ok := w.tag(e.tag); ok {
			dst = append(dst, value{b: v})
		}
	default:
		for _, b := range w.slots[e.slot] {
			dst = append(dst, value{b: b})
		}
	}
	for i := range e.transforms {
		dst = w.transform(dst, from, &e.transforms[i])
	}
	return dst
}

// expand appends a template; ok is false where an expression has no value.
func (w *walker) expand(dst []byte, t template) (_ []byte, ok bool) {
	for i := range t {
		p := &t[i]
		switch {
		case p.expr != nil:
			w.vals = w.values(w.vals[:0], p.expr)
			if len(w.vals) == 0 || len(w.vals[0].b) == 0 {
				return dst, false
			}
			dst = append(dst, w.vals[0].b...)
		case p.variable != "":
			dst = w.variable(dst, p.variable)
		default:
			dst = append(dst, p.text...)
		}
	}
	return dst, len(t) > 0
}

// expandAll appends what a template makes of each value of the expression in
// it that has several; nothing where a part has no value.
func (w *walker) expandAll(dst []value, t template) []value {
	from := len(dst)
	dst = append(dst, value{})
	for i := range t {
		p := &t[i]
		w.vals = w.vals[:0]
		switch {
		case p.expr != nil:
			w.vals = w.values(w.vals, p.expr)
		case p.variable != "":
			start := len(w.arena)
			w.arena = w.variable(w.arena, p.variable)
			w.vals = append(w.vals, value{b: w.arena[start:len(w.arena):len(w.arena)]})
		default:
			start := len(w.arena)
			w.arena = append(w.arena, p.text...)
			w.vals = append(w.vals, value{b: w.arena[start:len(w.arena):len(w.arena)]})
		}
		if dst = w.product(dst, from, w.vals); len(dst) == from {
			break
		}
	}
	return dst
}

// expandEach appends what a template makes of each of the structures that meet
// the edge's conditions; nothing where a part has no value.
func (w *walker) expandEach(dst []value, e *edgeExpr) []value {
	for _, r := range w.slots[e.records] {
		fields := bytes.Split(r, []byte{0})
		if !meets(fields, e.each.When) {
			continue
		}
		from := len(w.arena)
		ok := true
		for i := range e.template {
			p := &e.template[i]
			switch {
			case p.field > 0:
				ok = ok && len(fields[p.field-1]) > 0
				w.arena = append(w.arena, fields[p.field-1]...)
			case p.expr != nil:
				w.vals = w.values(w.vals[:0], p.expr)
				if ok = ok && len(w.vals) > 0 && len(w.vals[0].b) > 0; ok {
					w.arena = append(w.arena, w.vals[0].b...)
				}
			case p.variable != "":
				w.arena = w.variable(w.arena, p.variable)
			default:
				w.arena = append(w.arena, p.text...)
			}
		}
		if ok {
			dst = append(dst, value{b: w.arena[from:len(w.arena):len(w.arena)]})
		}
	}
	return dst
}

func meets(fields [][]byte, when []EachCondition) bool {
	for _, c := range when {
		if !slices.Contains(c.Values, string(fields[c.Field-1])) {
			return false
		}
	}
	return true
}

// record joins the texts of a structure that ends.
func (w *walker) record(r *record) {
	from := len(w.arena)
	for i, s := range r.fields {
		if i > 0 {
			w.arena = append(w.arena, 0) // which is in no text
		}
		if v := w.slots[s]; len(v) > 0 {
			w.arena = append(w.arena, v[len(v)-1]...)
		}
	}
	w.slots[r.into] = append(w.slots[r.into], w.arena[from:len(w.arena):len(w.arena)])
}

// product appends each of the values to each of the texts dst[from:]. Empty
// values count as none.
func (w *walker) product(dst []value, from int, values []value) []value {
	texts := len(dst)
	for _, v := range values {
		if len(v.b) == 0 {
			continue
		}
		for i := from; i < texts; i++ {
			start := len(w.arena)
			w.arena = append(append(w.arena, dst[i].b...), v.b...)
			dst = append(dst, value{b: w.arena[start:len(w.arena):len(w.arena)]})
		}
	}
	return append(dst[:from], dst[texts:]...)
}

// from takes the variables of an origin.
func (w *walker) from(o *Origin) {
	w.origin, w.owned = o, false
	w.reader = owner{[]byte(o.Scope.Account), []byte(o.Scope.Region)}
}

// variable is the value of a variable: account and region are the row's own
// once they are known, the reader's before.
func (w *walker) variable(dst []byte, name string) []byte {
	o := &w.reader
	if w.owned {
		o = &w.owner
	}
	switch name {
	case "account":
		return append(dst, o.account...)
	case "region":
		return append(dst, o.region...)
	}
	return append(dst, w.origin.Partition...)
}
