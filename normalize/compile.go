package normalize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Compile checks a Spec and makes a Plan of it. Its errors name the kind, the
// call and the path.
func Compile(s Spec) (*Plan, error) {
	if s.Kind == nil || len(s.Sources) == 0 {
		return nil, fmt.Errorf("compile: a spec needs a kind and a source")
	}
	c := &compiler{
		p:       &Plan{spec: s, columns: s.Kind.BatchColumns(), arrow: s.Kind.BatchSchema(), tags: -1},
		shared:  map[sharedKey]*node{},
		slotOf:  map[string]int32{},
		filled:  map[int32]bool{},
		sources: make([]sourceWants, len(s.Sources)),
	}
	c.p.columnTraits = make([]columnTrait, len(c.p.columns))
	c.p.unread = make([][]string, len(s.Sources))
	if err := c.compile(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", s.Kind.Name, err)
	}
	c.p.hashing()
	return c.p, nil
}

type compiler struct {
	p       *Plan
	sources []sourceWants
	shared  map[sharedKey]*node
	slotOf  map[string]int32
	filled  map[int32]bool
	ids     int // nodes with predictions
}

// sourceWants are the tries of a source while they grow.
type sourceWants struct{ full, split *tree }

// tree is a trie while it grows: what is wanted of a document.
type tree struct {
	src       int
	shape     *Shape
	root      *want
	item      *want
	itemShape *Shape
	levels    []*levelWant // around the item, outermost first
}

// levelWant is a structure around the item.
type levelWant struct {
	index int
	want  *want
	shape *Shape
	ahead *want // what Up expressions want of it
}

// want is a node of a tree.
type want struct {
	members            map[string]*want
	order              []string // of members, as they were wanted
	each, values, keys *want

	sinks   []sink
	columns []int32
	touch   []int32
	pair    bool
	item    itemRole
	items   bool
	level   *levelWant
}

func (w *want) member(name string) *want {
	if w.members == nil {
		w.members = map[string]*want{}
	}
	m := w.members[name]
	if m == nil {
		m = &want{}
		w.members[name] = m
		w.order = append(w.order, name)
	}
	return m
}

func sub(w **want) *want {
	if *w == nil {
		*w = &want{}
	}
	return *w
}

// place is where a path ends.
type place struct {
	want   *want
	shape  *Shape
	member *Member // the last one on the path, nil if there is none
	many   []*want // the lists and maps that wildcards on the path went through
	keys   bool
}

// resolve follows a path. It makes a place in the tree for each step.
func resolve(w *want, s *Shape, path Path) (place, error) {
	pl := place{want: w, shape: s}
	for i, st := range path {
		if pl.keys {
			return pl, fmt.Errorf("%s: nothing follows keys", path[:i+1])
		}
		if st.Member != "" {
			switch pl.shape.Type {
			case Structure:
				m := pl.shape.Member(st.Member)
				if m == nil {
					return pl, fmt.Errorf("%s: %s has no member %s", path[:i+1], shapeName(pl.shape), st.Member)
				}
				if m.Drop {
					return pl, fmt.Errorf("%s: the member is dropped", path[:i+1])
				}
				pl.member, pl.shape = m, m.Shape
			case Map:
				pl.member, pl.shape = nil, pl.shape.Elem
			default:
				return pl, fmt.Errorf("%s: %s has no members", path[:i+1], shapeName(pl.shape))
			}
			pl.want = pl.want.member(st.Member)
		}
		switch {
		case st.Each && pl.shape.Type == List:
			pl.many = append(pl.many, pl.want)
			pl.want, pl.shape = sub(&pl.want.each), pl.shape.Elem
			pl.member = elementOf(pl.member)
		case st.Values && pl.shape.Type == Map:
			pl.many = append(pl.many, pl.want)
			pl.want, pl.shape = sub(&pl.want.values), pl.shape.Elem
			pl.member = elementOf(pl.member)
		case st.Keys && pl.shape.Type == Map:
			pl.many = append(pl.many, pl.want)
			pl.want, pl.shape, pl.keys = sub(&pl.want.keys), keyShape, true
			pl.member = nil
		case st.Each || st.Values || st.Keys:
			return pl, fmt.Errorf("%s: %s has no such elements", path[:i+1], shapeName(pl.shape))
		}
		if pl.shape == nil {
			return pl, fmt.Errorf("%s: the description gives no shape", path[:i+1])
		}
	}
	return pl, nil
}

var keyShape = &Shape{Name: "key", Type: String}

// elementOf is what a member says about the elements of its list.
func elementOf(m *Member) *Member {
	if m == nil || m.Time == 0 {
		return nil
	}
	return &Member{Time: m.Time}
}

// elements goes on to the elements of a list, where the place is one.
func (pl *place) elements() {
	for pl.shape.Type == List {
		pl.many = append(pl.many, pl.want)
		pl.want, pl.shape = sub(&pl.want.each), pl.shape.Elem
		pl.member = elementOf(pl.member)
	}
}

func (pl *place) scalar() bool {
	switch pl.shape.Type {
	case Structure, List, Map, Document:
		return false
	}
	return true
}

// time is the format of a time at the place.
func (pl *place) time(override TimeFormat) (TimeFormat, error) {
	switch {
	case override != 0:
		return override, nil
	case pl.member != nil && pl.member.Time != 0:
		return pl.member.Time, nil
	case pl.shape.Time != 0:
		return pl.shape.Time, nil
	case pl.shape.Type == String || pl.shape.Type == Time:
		return TimeISO, nil
	}
	return 0, fmt.Errorf("the unit of the time is not known: state its format")
}

func shapeName(s *Shape) string {
	if s.Name != "" {
		return s.Name
	}
	return "the value"
}

// String writes a path as the catalogue does.
func (p Path) String() string {
	if len(p) == 0 {
		return "."
	}
	var b strings.Builder
	for i, s := range p {
		if i > 0 && s.Member != "" {
			b.WriteByte('.')
		}
		b.WriteString(s.Member)
		switch {
		case s.Each:
			b.WriteString("[]")
		case s.Values:
			b.WriteString("{}")
		case s.Keys:
			b.WriteString("{key}")
		}
	}
	return b.String()
}

func (c *compiler) compile() error {
	for i := range c.p.spec.Sources {
		if err := c.begin(i); err != nil {
			return fmt.Errorf("%s: %w", c.p.spec.Sources[i].Call, err)
		}
	}
	for _, step := range []func() error{c.unified, c.tagWants, c.fields, c.edges, c.captures, c.paging} {
		if err := step(); err != nil {
			return err
		}
	}
	for i := range c.sources {
		c.finish(i)
	}
	return nil
}

// begin makes the tries of a source down to its items.
func (c *compiler) begin(i int) error {
	src := &c.p.spec.Sources[i]
	if src.Shape == nil || src.Shape.Type != Structure {
		return fmt.Errorf("the output is not a structure")
	}
	if src.Format != JSON && src.Format != XML {
		return fmt.Errorf("the format is neither json nor xml")
	}
	for _, split := range []bool{false, true} {
		t := &tree{src: i, shape: src.Shape, root: &want{}}
		role := itemRole(0)
		switch {
		case split:
			role = splitItem
		case i == 0:
			role = rowItem
		}
		if err := c.items(t, src.Items, role); err != nil {
			return err
		}
		if split {
			c.sources[i].split = t
		} else {
			c.sources[i].full = t
		}
	}
	return nil
}

// items follows the path to the items and notes the structures around them.
func (c *compiler) items(t *tree, path Path, role itemRole) error {
	level := &levelWant{want: t.root, shape: t.shape}
	t.levels = append(t.levels, level)
	pl, from := place{want: t.root, shape: t.shape}, 0
	for i, s := range path {
		if s.Keys {
			return fmt.Errorf("%s: keys cannot be items", path)
		}
		next, err := resolve(pl.want, pl.shape, path[i:i+1])
		if err != nil {
			return fmt.Errorf("items %w", err)
		}
		if s.Member != "" && i == from {
			level.want.members[s.Member].items = true
		}
		pl = next
		if (s.Each || s.Values) && i < len(path)-1 {
			level = &levelWant{want: pl.want, shape: pl.shape}
			t.levels = append(t.levels, level)
			from = i + 1
		}
	}
	pl.want.item = role
	t.item, t.itemShape = pl.want, pl.shape
	return nil
}

// unified compiles what the unified columns are made of.
func (c *compiler) unified() error {
	s := &c.p.spec
	if len(s.ID) == 0 {
		return fmt.Errorf("no id")
	}
	for _, e := range s.ID {
		x, err := c.expr(e, true)
		if err != nil {
			return fmt.Errorf("id: %w", err)
		}
		if e.Source != 0 {
			return fmt.Errorf("id: identity comes from the list call alone")
		}
		c.p.id = append(c.p.id, x)
	}
	for _, t := range []struct {
		name  string
		col   int
		in    Template
		out   *template
		split bool
	}{
		{"urn", schema.ColURN, s.URN, &c.p.urn, false},
		{"name", schema.ColName, s.Name, &c.p.name, false},
		{"account", schema.ColAccount, s.Account, &c.p.account, true},
		{"region", schema.ColRegion, s.Region, &c.p.region, true},
	} {
		out, err := c.template(t.in, t.split)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		for _, part := range t.in {
			if part.Expr == nil {
				continue
			}
			if t.split && part.Expr.Source != 0 {
				return fmt.Errorf("%s: identity comes from the list call alone", t.name)
			}
			c.unread(c.feeds(part.Expr), t.col)
		}
		*t.out = out
	}
	for _, t := range []struct {
		name string
		col  int
		expr *TimeExpr
	}{{"created_at", schema.ColCreatedAt, s.CreatedAt}, {"updated_at", schema.ColUpdatedAt, s.UpdatedAt}} {
		if t.expr == nil {
			continue
		}
		if err := c.column(int32(t.col), Field{Expr: t.expr.Expr, Time: t.expr.Format}); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// template compiles the expressions of a template.
func (c *compiler) template(in Template, split bool) (template, error) {
	var out template
	for _, part := range in {
		p := templatePart{text: part.Text, variable: part.Var}
		switch {
		case part.Expr != nil:
			x, err := c.expr(*part.Expr, split)
			if err != nil {
				return nil, err
			}
			p.expr = &x
		case part.Var != "" && part.Var != "account" && part.Var != "region" && part.Var != "partition":
			return nil, fmt.Errorf("no variable %s", part.Var)
		}
		out = append(out, p)
	}
	return out, nil
}

// feeds is the source that an expression's value comes from.
func (c *compiler) feeds(e *Expr) int {
	if t := c.p.spec.Tags; e.Tag != "" && t != nil {
		return t.Source
	}
	return e.Source
}

// unread notes that a column is unread when the source is.
func (c *compiler) unread(src, col int) {
	name := c.p.columns[col].Name
	if src > 0 && !slices.Contains(c.p.unread[src], name) {
		c.p.unread[src] = append(c.p.unread[src], name)
	}
}

func (c *compiler) tagWants() error {
	t := c.p.spec.Tags
	if t == nil {
		return nil
	}
	if err := c.checkSource(t.Source); err != nil {
		return fmt.Errorf("tags: %w", err)
	}
	if t.Tag != "" || t.Header != "" || len(t.Transforms) > 0 {
		return fmt.Errorf("tags: only a path leads to tags")
	}
	c.p.tags = t.Source
	c.unread(t.Source, schema.ColTags)
	trees := []*tree{c.sources[t.Source].full}
	if t.Source == 0 {
		trees = append(trees, c.sources[0].split)
	}
	if t.Up != 0 {
		return fmt.Errorf("tags: tags are the item's own")
	}
	for _, tr := range trees {
		pl, err := resolve(tr.item, tr.itemShape, t.Path)
		if err != nil {
			return fmt.Errorf("tags: %w", err)
		}
		if pl.shape.Type == Map {
			if pl.shape.Elem.Type == Map || pl.shape.Elem.Type == Structure || pl.shape.Elem.Type == List {
				return fmt.Errorf("tags: the values of %s are no texts", t.Path)
			}
			key, value := sub(&pl.want.keys), sub(&pl.want.values)
			key.sinks = append(key.sinks, sink{op: toTagKey})
			value.sinks = append(value.sinks, sink{op: toTagValue})
			value.pair = true
			continue
		}
		pl.elements()
		if pl.shape.Type != Structure {
			return fmt.Errorf("tags: %s is neither a list of structures nor a map", t.Path)
		}
		pl.want.pair = true
		for _, m := range []struct {
			name string
			op   sinkOp
		}{{t.Key, toTagKey}, {t.Value, toTagValue}} {
			if m.name == "" && m.op == toTagValue {
				continue
			}
			at, err := resolve(pl.want, pl.shape, Path{{Member: m.name}})
			if err != nil {
				return fmt.Errorf("tags: %w", err)
			}
			if !at.scalar() {
				return fmt.Errorf("tags: %s is no text", m.name)
			}
			at.want.sinks = append(at.want.sinks, sink{op: m.op})
		}
	}
	return nil
}

func (c *compiler) checkSource(i int) error {
	if i < 0 || i >= len(c.sources) {
		return fmt.Errorf("no source %d", i)
	}
	return nil
}

func (c *compiler) fields() error {
	for _, f := range c.p.spec.Fields {
		if f.Column < 0 || f.Column >= len(c.p.spec.Kind.Columns) {
			return fmt.Errorf("no column %d", f.Column)
		}
		col := c.p.spec.Kind.Columns[f.Column]
		if err := c.column(int32(schema.NumBatchUnified+f.Column), f); err != nil {
			return fmt.Errorf("column %s: %w", col.Name, err)
		}
	}
	return nil
}

// column compiles what fills a column.
func (c *compiler) column(col int32, f Field) error {
	if err := c.checkSource(f.Source); err != nil {
		return err
	}
	if c.filled[col] {
		return fmt.Errorf("it is filled twice")
	}
	c.filled[col] = true
	c.unread(c.feeds(&f.Expr), int(col))
	typ := c.p.columns[col].Type
	trait := &c.p.columnTraits[col]
	trait.set = f.Set && (typ == schema.JSON || typ.Elem() != 0)
	if f.Header != "" || f.Tag != "" || f.Parent > 0 || f.Var != "" || f.Up != 0 || len(f.Transforms) > 0 {
		return c.late(col, typ, f, place{})
	}
	tr := c.sources[f.Source].full
	pl, err := resolve(tr.item, tr.itemShape, f.Path)
	if err != nil {
		return err
	}
	trait.set = trait.set || pl.member != nil && pl.member.Set && (typ == schema.JSON || typ.Elem() != 0)
	if pl.member != nil && pl.member.Header {
		return c.late(col, typ, f, pl)
	}
	switch {
	case typ == schema.JSON:
		if pl.keys {
			return fmt.Errorf("%s: keys make a list of texts", f.Path)
		}
		if pl.shape.Type == List {
			pl.many = append(pl.many, pl.want)
			pl.want = sub(&pl.want.each)
		}
		trait.many = len(pl.many) > 0
		pl.want.columns = append(pl.want.columns, col)
	case typ == schema.TextMap:
		if pl.shape.Type != Map || len(pl.many) > 0 {
			return fmt.Errorf("%s is no map", f.Path)
		}
		key, value := sub(&pl.want.keys), sub(&pl.want.values)
		key.sinks = append(key.sinks, sink{op: toMapKey, index: col})
		value.sinks = append(value.sinks, sink{op: toMapValue, index: col})
		pl.want.touch = append(pl.want.touch, col)
		return nil
	case typ.Elem() != 0:
		if pl.elements(); !pl.scalar() {
			return fmt.Errorf("%s leads to %s, which no %s can hold: make it json", f.Path, shapeName(pl.shape), typ)
		}
		format, err := pl.timeOf(typ.Elem(), f.Time)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		pl.want.sinks = append(pl.want.sinks, sink{op: toList, index: col, time: format})
	default:
		if len(pl.many) > 0 || pl.shape.Type == List {
			return c.late(col, typ, f, pl)
		}
		if !pl.scalar() {
			return fmt.Errorf("%s leads to %s, which no %s can hold: make it json", f.Path, shapeName(pl.shape), typ)
		}
		format, err := pl.timeOf(typ, f.Time)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		pl.want.sinks = append(pl.want.sinks, sink{op: toColumn, index: col, time: format})
		return nil
	}
	if len(pl.many) > 0 {
		pl.many[0].touch = append(pl.many[0].touch, col)
	}
	return nil
}

// timeOf is time for columns of times, 0 for others.
func (pl *place) timeOf(t schema.Type, override TimeFormat) (TimeFormat, error) {
	if t != schema.Timestamp {
		return 0, nil
	}
	return pl.time(override)
}

// late compiles a column that is made of an expression.
func (c *compiler) late(col int32, typ schema.Type, f Field, pl place) error {
	if typ == schema.TextMap {
		return fmt.Errorf("a map is not made by transforms")
	}
	x, err := c.expr(f.Expr, false)
	if err != nil {
		return err
	}
	format := f.Time
	if format == 0 && x.place != nil {
		t := typ
		if e := typ.Elem(); e != 0 {
			t = e
		}
		if format, err = x.place.timeOf(t, 0); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	if format == 0 {
		format = TimeISO
	}
	if typ == schema.JSON {
		c.p.columnTraits[col].many = x.place != nil && len(x.place.many) > 0 && !x.first() || x.splits()
	}
	c.p.lateColumns = append(c.p.lateColumns, lateColumn{column: col, expr: x, time: format})
	return nil
}

func (c *compiler) edges() error {
	for _, e := range c.p.spec.Edges {
		if e.Edge < 0 || e.Edge >= len(c.p.spec.Kind.Edges) {
			return fmt.Errorf("no edge %d", e.Edge)
		}
		out := edgeExpr{edge: int32(e.Edge)}
		var err error
		if len(e.Template) > 0 {
			out.template, err = c.template(e.Template, false)
		} else {
			out.expr, err = c.expr(e.Expr, false)
		}
		if err != nil {
			return fmt.Errorf("edge to %s: %w", c.p.spec.Kind.Edges[e.Edge].To, err)
		}
		c.p.edges = append(c.p.edges, out)
	}
	// One declaration may have several expressions: they are told duplicates of
	// each other when they stand together.
	slices.SortStableFunc(c.p.edges, func(a, b edgeExpr) int { return cmp.Compare(a.edge, b.edge) })
	return nil
}

func (c *compiler) captures() error {
	for _, e := range c.p.spec.Captures {
		if e.Source != 0 {
			return fmt.Errorf("capture: only the list call is captured")
		}
		x, err := c.expr(e, true)
		if err != nil {
			return fmt.Errorf("capture: %w", err)
		}
		c.p.split = append(c.p.split, x)
	}
	c.p.captures = len(c.p.split)
	c.p.split = append(c.p.split, c.p.id...)
	for _, t := range []template{c.p.account, c.p.region} {
		for _, part := range t {
			if part.expr != nil {
				c.p.split = append(c.p.split, *part.expr)
			}
		}
	}
	return nil
}
