package normalize

import (
	"fmt"

	"github.com/dewpoint-data/dewpoint/schema"
)

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
		p := templatePart{text: part.Text, variable: part.Var, field: part.Field}
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
	c.p.lateColumns = append(c.p.lateColumns, lateColumn{column: col, src: c.p.spec.feeds(&f.Expr), expr: x, time: format})
	return nil
}
