package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// column is a column in the making.
type column struct {
	name  string
	typ   schema.Type
	doc   string
	value value
	// outer is the key of the structure that was flattened into it.
	outer string
	time  normalize.TimeFormat
	// named columns have their name from the catalogue.
	named, set, volatile bool
	at                   []any // where in the catalogue it is named
}

var timeFormats = map[string]normalize.TimeFormat{
	"iso8601": normalize.TimeISO, "http": normalize.TimeHTTP, "epoch_seconds": normalize.EpochSeconds,
	"epoch_millis": normalize.EpochMillis, "epoch_micros": normalize.EpochMicros, "epoch_nanos": normalize.EpochNanos,
}

var typeNames = map[string]schema.Type{
	"text": schema.Text, "int64": schema.Int64, "float64": schema.Float64, "bool": schema.Bool,
	"timestamp": schema.Timestamp, "json": schema.JSON,
}

// table collects the columns of a kind.
type table struct {
	k     *kindCompiler
	cols  []*column
	byKey map[string]*column
	// gone are the keys of members that are left out, with or without what is
	// below them.
	gone map[string]bool
	// keyed are the keys of maps of which single keys are columns.
	keyed map[string]bool
}

// defaults makes a column of every member of the item and of what the details
// answer.
func (t *table) defaults() {
	for _, c := range t.k.calls {
		if c.none || c.item == nil {
			continue
		}
		if c.item.Type != "structure" || c.item.Document {
			if c.index > 0 && len(c.items) > 0 {
				last := c.items[len(c.items)-1].Member
				v := value{call: c, target: target{shape: c.item}}
				t.add(&column{name: snake(last), typ: columnType(c.item), doc: c.item.Doc, value: v})
			}
			continue
		}
		for i := range c.item.Members {
			t.member(c, &c.item.Members[i])
		}
	}
}

func (t *table) member(c *call, m *api.Member) {
	if len(c.items) == 0 && (c.tokens[m.Name] || m.Name == "ResponseMetadata") {
		return
	}
	path := normalize.Path{{Member: m.Name}}
	v := value{call: c, path: path, target: target{shape: m.Shape, member: m}}
	if !t.visible(v) {
		return
	}
	s := m.Shape
	if s.Type != "structure" || s.Document || len(s.Members) == 0 {
		t.add(&column{name: snake(m.Name), typ: columnType(s), doc: docOf(m), value: v})
		return
	}
	for i := range s.Members {
		n := &s.Members[i]
		w := value{call: c, path: append(slices.Clone(path), normalize.Step{Member: n.Name}), target: target{shape: n.Shape, member: n}}
		if t.visible(w) {
			t.add(&column{name: snake(m.Name) + "_" + snake(n.Name), typ: columnType(n.Shape), doc: docOf(n), value: w, outer: v.key()})
		}
	}
}

// visible says whether a member may become a column.
func (t *table) visible(v value) bool {
	m := v.member
	if m.Streaming || m.Shape.EventStream || m.Location == "headers" || m.Location == "statusCode" {
		return false
	}
	if t.gone[v.key()] || t.keyed[v.key()] {
		return false
	}
	return !(m.Sensitive || marked(m.Shape)) || t.k.kept(v)
}

func docOf(m *api.Member) string {
	if m.Doc != "" {
		return m.Doc
	}
	return m.Shape.Doc
}

// add appends a default column.
func (t *table) add(c *column) {
	if as := c.value.call.as; as != "" {
		c.name = as + "_" + c.name
	}
	t.cols = append(t.cols, c)
	t.byKey[c.value.key()] = c
}

// named finds the column of a value, or makes one.
func (t *table) named(v value, at ...any) (*column, error) {
	if c, ok := t.byKey[v.key()]; ok {
		return c, nil
	}
	if t.gone[v.key()] {
		return nil, fmt.Errorf("%s is dropped", pathText(v.path))
	}
	if v.call != nil && v.tag == "" && v.header == "" && v.sensitive && !t.k.kept(v) {
		return nil, fmt.Errorf("%s is sensitive: keep it with a reason", pathText(v.path))
	}
	c := &column{value: v, typ: columnType(v.shape), at: at, named: true}
	if v.member != nil {
		c.doc = docOf(v.member)
	}
	var names []string
	for _, s := range v.path {
		if s.Member != "" {
			names = append(names, snake(s.Member))
		}
	}
	switch {
	case v.tag != "":
		c.name, c.doc = snake(v.tag), "The tag "+v.tag+"."
	case v.header != "":
		c.name, c.doc = snake(v.header), "The header "+v.header+"."
	case v.mapKey:
		c.name = names[len(names)-1]
	default:
		c.name = strings.Join(names, "_")
	}
	if v.parent > 0 {
		c.name = strings.TrimSuffix("parent_"+c.name, "_")
	}
	if v.call != nil && v.call.as != "" {
		c.name = v.call.as + "_" + c.name
	}
	if v.many {
		l := scalarType(v.shape).List()
		if v.shape.Type == "list" {
			l = scalarType(v.shape.Elem).List()
		}
		if l == 0 {
			return nil, fmt.Errorf("%s leads to several structures, a column holds one value or a list of scalars", pathText(v.path))
		}
		c.typ = l
	}
	t.cols = append(t.cols, c)
	t.byKey[v.key()] = c
	return c, nil
}

// transform applies transforms to a column and to its type.
func (c *column) transform(ts []normalize.Transform) {
	for _, x := range ts {
		c.value.transforms = append(c.value.transforms, x)
		switch x.Op {
		case normalize.ParseJSON:
			c.typ = schema.JSON
		case normalize.Split:
			c.typ = schema.TextList
		case normalize.Quantity:
			if c.typ = schema.Float64; c.value.many || c.value.shape != nil && c.value.shape.Type == "list" {
				c.typ = schema.Float64List
			}
		case normalize.First:
			if e := c.typ.Elem(); e != 0 {
				c.typ = e
			}
		}
	}
}

// build makes all columns of the kind.
func (k *kindCompiler) columns() *table {
	t := &table{k: k, byKey: map[string]*column{}, gone: map[string]bool{}, keyed: map[string]bool{}}
	for _, field := range []struct {
		name  string
		paths []string
	}{{"drop", k.raw.Drop}, {"redact", k.raw.Redact}} {
		for i, p := range field.paths {
			vs, err := k.all(p)
			if err != nil {
				k.fail(err, field.name, i)
				continue
			}
			for _, v := range vs {
				if v.call == nil || v.tag != "" || v.header != "" {
					k.failf([]any{field.name, i}, "%s is no member", p)
					continue
				}
				if field.name == "redact" && slices.ContainsFunc(k.used, func(w value) bool { return w.within(v) }) {
					k.failf([]any{"redact", i}, "%s is redacted, but something in it is an id, a name, a tag or a reference", p)
				}
				t.gone[v.key()] = true
			}
		}
	}
	for _, p := range k.raw.file.Drop {
		if vs, err := k.all(p); err == nil {
			for _, v := range vs {
				t.gone[v.key()] = true
			}
		}
	}
	keyed := slices.Concat(sortedKeys(k.raw.Types), sortedKeys(k.raw.Times), sortedKeys(k.raw.Convert), sortedKeys(k.raw.Rename), k.raw.Promote)
	for _, p := range keyed {
		if v, err := k.value(p); err == nil && v.mapKey {
			w := v
			w.path = v.path[:len(v.path)-1]
			t.keyed[w.key()] = true
		}
	}
	t.defaults()
	t.promote()
	t.types()
	t.rename()
	t.volatile()
	t.sets()
	t.finish()
	return t
}

func (t *table) promote() {
	k := t.k
	for i, p := range k.raw.Promote {
		v, err := k.value(p)
		if err == nil {
			_, err = t.promoted(v, "promote", i)
		}
		if err != nil {
			k.fail(err, "promote", i)
		}
	}
}

// promoted makes a column of a value; of a structure's members, where it
// leads to one structure.
func (t *table) promoted(v value, at ...any) (*column, error) {
	s := v.shape
	if s == nil || s.Type != "structure" || s.Document || v.many || v.call == nil || len(v.transforms) > 0 || len(s.Members) == 0 {
		c, err := t.named(value{target: v.target, call: v.call, up: v.up, path: v.path, parent: v.parent, tag: v.tag, header: v.header}, at...)
		if err == nil {
			c.transform(v.transforms)
		}
		return c, err
	}
	var first *column
	for i := range s.Members {
		m := &s.Members[i]
		w := v
		w.path = append(slices.Clone(v.path), normalize.Step{Member: m.Name})
		w.shape, w.member, w.mapKey = m.Shape, m, false
		if !t.visible(w) {
			continue
		}
		c, err := t.named(w, at...)
		if err != nil {
			return nil, err
		}
		if c.outer == "" {
			c.outer = v.key()
		}
		if first == nil {
			first = c
		}
	}
	return first, nil
}

// finish settles the names: unified ones, earlier calls first, no two alike.
func (t *table) finish() {
	k := t.k
	taken := map[string]*column{}
	var cols []*column
	for _, c := range t.cols {
		if !c.named && k.unifiedSource(c) {
			continue
		}
		if isUnified(c.name) {
			if c.named {
				k.failf(c.at, "column %s collides with the unified column of that name", c.name)
				continue
			}
			c.name = "item_" + c.name
		}
		c.name = shorten(c.name)
		if o := taken[c.name]; o != nil {
			switch {
			case !c.named && !o.named && o.value.call != c.value.call:
				// The earlier call's column wins.
			case k.raw.late && !(c.named && o.named):
				loser := c
				if c.named {
					loser, taken[c.name] = o, c
				}
				sum := sha256.Sum256([]byte(pathText(loser.value.path)))
				loser.name = shorten(loser.name[:min(len(loser.name), maxName-9)] + "_" + hex.EncodeToString(sum[:4]))
				taken[loser.name] = loser
				cols = append(cols, c)
			case c.named:
				k.failf(c.at, "columns %s and %s collide: both are %s", pathText(o.value.path), pathText(c.value.path), c.name)
			case o.named:
				k.failf(o.at, "columns %s and %s collide: both are %s", pathText(o.value.path), pathText(c.value.path), c.name)
			default:
				k.failf(nil, "columns %s and %s collide: both are %s; rename or drop one", pathText(o.value.path), pathText(c.value.path), c.name)
			}
			continue
		}
		taken[c.name] = c
		cols = append(cols, c)
	}
	slices.SortStableFunc(cols, func(a, b *column) int { return a.callIndex() - b.callIndex() })
	t.cols = cols
}

func (c *column) callIndex() int {
	if c.value.call == nil {
		return 0
	}
	return c.value.call.index
}

func isUnified(name string) bool {
	return slices.ContainsFunc(schema.Unified, func(c schema.Column) bool { return c.Name == name })
}

// emit writes the columns into the kind and its projection.
func (t *table) emit(e *Entry) {
	for i, c := range t.cols {
		v := c.value
		col := schema.Column{Name: c.name, Type: c.typ, Doc: FirstSentence(c.doc), Path: columnPath(v), Volatile: c.volatile}
		f := normalize.Field{Column: i, Expr: v.listExpr(), Time: c.time, Set: c.set}
		if c.typ.Elem() != 0 && v.many || len(v.transforms) > 0 && c.typ != schema.JSON {
			f.Expr = v.expr()
		}
		if v.call != nil && v.call.index > 0 {
			col.Call = v.call.op.Name
		}
		e.Kind.Columns = append(e.Kind.Columns, col)
		e.Spec.Fields = append(e.Spec.Fields, f)
	}
}

// columnPath is where a value stands, for people.
func columnPath(v value) string {
	switch {
	case v.parent > 0:
		return "parent." + pathText(v.path)
	case v.tag != "":
		return "tag:" + v.tag
	case v.header != "":
		return "header:" + v.header
	}
	return strings.Repeat("^.", v.up) + pathText(v.path)
}
