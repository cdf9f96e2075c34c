package normalize

import (
	"cmp"
	"fmt"
	"slices"
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
	for i := range s.Sources {
		c.p.unread[i] = s.Unread(i)
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
}

// sourceWants are the tries of a source while they grow.
type sourceWants struct{ full, split *tree }

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

func (c *compiler) checkSource(i int) error {
	if i < 0 || i >= len(c.sources) {
		return fmt.Errorf("no source %d", i)
	}
	return nil
}

func (c *compiler) edges() error {
	for _, e := range c.p.spec.Edges {
		if e.Edge < 0 || e.Edge >= len(c.p.spec.Kind.Edges) {
			return fmt.Errorf("no edge %d", e.Edge)
		}
		out := edgeExpr{edge: int32(e.Edge)}
		var err error
		if e.Each != nil {
			err = c.each(e.Each, &out)
		}
		if err != nil {
			return fmt.Errorf("edge to %s: %w", c.p.spec.Kind.Edges[e.Edge].To, err)
		}
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
