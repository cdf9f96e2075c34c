package catalog

import (
	"fmt"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Emptying deletes what is in a resource, for good, before its deletion.
type Emptying struct {
	What string
	// Unless are values of columns by which the vendor refuses it.
	Unless map[string][]string
	Sweeps []*Sweep
	// Instead, if any, replaces the deletion.
	Instead *Action
}

// Detachment takes references of a relation to a kind away. Its List is nil
// where one call does.
type Detachment struct {
	Relation, To string
	// Needed says that the other one needs this: it is not deleted while the
	// other stays.
	Needed bool
	*Sweep
}

// Sweep is a call for all that a list call returns, page by page. Its Input is
// for one item, Vars.Item, or for the Vars.Batch of up to Size of them.
type Sweep struct {
	Action
	List *Action
	// Pager is nil where one call lists everything.
	Pager *Pager
	// Items lead to what it is made for in List's output, Captures to the values
	// of one that the input and Only ask for.
	Items    []normalize.Path
	Captures []normalize.Expr
	// Only are what items must be like.
	Only []Only
	Size int
}

// Only is met by an item whose captured value is a certain one.
type Only struct {
	Capture int
	Path    string // as the catalogue writes it
	want    inputValue
}

// Want is the value for a resource.
func (o *Only) Want(v Vars) (string, error) {
	x, err := o.want.value(&v)
	if err != nil {
		return "", fmt.Errorf("only %s: %w", o.Path, err)
	}
	return fmt.Sprint(x), nil
}

// inputItems is {items}: what each says of each item of a batch.
type inputItems struct{ each inputValue }

func (x inputItems) value(v *Vars) (any, error) {
	batch := v.Batch
	if v.Shown {
		batch = [][]string{nil}
	}
	if len(batch) == 0 {
		return nil, fmt.Errorf("{items} has no value")
	}
	out := make([]any, len(batch))
	one := *v
	for i, item := range batch {
		one.Item = item
		var err error
		if out[i], err = x.each.value(&one); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sweepCompiler compiles the call of a sweep.
type sweepCompiler struct {
	each   any
	shapes []*api.Shape // of items
	texts  []string     // of captures
	named  bool         // by {item.X}, or {items}
	out    *Sweep
}

// vars are those of the resource, and of its items.
func (s *sweepCompiler) vars(resource resolver) resolver {
	return func(text string) (inputPart, error) {
		if text == "items" {
			s.named = true
			if s.out.Size == 0 || s.each == nil {
				return inputPart{}, fmt.Errorf("{items} needs size and each")
			}
			return inputPart{kind: varItem}, nil
		}
		e, err := parseExpr(text)
		if err != nil || e.from != fromItem {
			return resource(text)
		}
		s.named = true
		at, err := s.capture(text, e)
		return inputPart{kind: varItem, index: at}, err
	}
}

// capture is the index of a value of the items.
func (s *sweepCompiler) capture(text string, e expr) (int, error) {
	if at := slices.Index(s.texts, text); at >= 0 {
		return at, nil
	}
	for _, shape := range s.shapes {
		t, err := walk(shape, e.path)
		if err != nil {
			return 0, fmt.Errorf("{%s}: %w", text, err)
		}
		if scalarType(t.shape) == 0 {
			return 0, fmt.Errorf("{%s} is a %s, not a scalar", text, t.shape.Type)
		}
	}
	s.texts = append(s.texts, text)
	s.out.Captures = append(s.out.Captures, normalize.Expr{Path: e.path, Transforms: e.transforms})
	return len(s.texts) - 1, nil
}

// items compiles {items}.
func (c inputCompiler) items(s *api.Shape, path ...any) inputValue {
	if _, err := c.resolve("items"); err != nil {
		c.fail(err, path...)
		return nil
	}
	if s.Type != "list" {
		c.fail(fmt.Errorf("{items} is a list, %v wants a %s", path[len(path)-1], s.Type), path...)
		return nil
	}
	each := c.compile(c.each, s.Elem, append(slices.Clone(path), "each")...)
	if each == nil {
		return nil
	}
	return inputItems{each}
}

// emptying compiles how a resource is emptied.
func (k *kindCompiler) emptying(e *Empty, at ...any) *Emptying {
	path := func(p ...any) []any { return append(slices.Clone(at), p...) }
	out := &Emptying{What: e.What, Unless: e.Unless}
	if e.What == "" {
		k.failf(path("what"), "what is empty: say in words what is deleted")
	}
	if (e.Instead == nil) == (len(e.Sweeps) == 0) {
		k.failf(path(), "give either sweeps or instead")
	}
	k.haveColumns(e.Unless, path("unless")...)
	if e.Instead != nil {
		out.Instead = k.action(*e.Instead, path("instead")...)
	}
	for i, s := range e.Sweeps {
		if x := k.sweep(s, path("sweeps", i)...); x != nil {
			out.Sweeps = append(out.Sweeps, x)
		}
	}
	return out
}

// sweep compiles a call for what a list call returns; nil where it is wrong.
func (k *kindCompiler) sweep(s SweepCall, at ...any) *Sweep {
	path := func(p ...any) []any { return append(slices.Clone(at), p...) }
	out := &Sweep{Size: s.Size}
	if s.List == nil {
		a := k.action(Call{Call: s.Call, Service: s.Service, Input: s.Input}, at...)
		if at[0] != "edges" || len(s.Items)+len(s.Only)+s.Size > 0 {
			k.failf(path("list"), "it lacks list: the call by which what it is made for is found")
		}
		if a == nil {
			return nil
		}
		out.Action = *a
		return out
	}
	if out.List = k.action(*s.List, path("list")...); out.List == nil {
		return nil
	}
	_, op := k.operation(s.List.Service, s.List.Call, path("list", "call")...)
	out.Pager, _, _, _ = pagerOf(op, nil, false)
	c := &sweepCompiler{each: s.Each, out: out}
	if len(s.Items) == 0 {
		k.failf(path("items"), "items is empty: name the paths to what the call is made for")
	}
	for _, text := range s.Items {
		p, err := parsePath(text)
		var t target
		if err == nil {
			t, err = walk(op.Output, p)
		}
		if err != nil {
			k.failf(path("items"), "items %s: output of %s: %v", text, op.Name, err)
			return nil
		}
		out.Items = append(out.Items, p)
		c.shapes = append(c.shapes, t.shape)
	}
	for _, text := range sortedKeys(s.Only) {
		k.only(c, text, s.Only[text], path("only", text)...)
	}
	a := k.actionIn(c, Call{Call: s.Call, Service: s.Service, Input: s.Input, Failures: s.Failures}, at...)
	if a == nil {
		return nil
	}
	if out.Action = *a; !c.named {
		k.failf(path("input"), "the input names no {item.X}: the call would be the same for all")
	}
	if s.Failures != nil && s.Failures.Key == "" {
		k.failf(path("failures"), "failures lacks key: the path to what failed")
	}
	return out
}

// only compiles what a value of an item must be.
func (k *kindCompiler) only(c *sweepCompiler, text, want string, at ...any) {
	e, err := parseExpr("item." + text)
	i := 0
	if err == nil {
		i, err = c.capture("item."+text, e)
	}
	if err != nil {
		k.fail(err, at...)
		return
	}
	in := inputCompiler{resolve: k.actionVars(at...), fail: func(err error, _ ...any) { k.fail(err, at...) }}
	if v := in.text(want, &api.Shape{Name: "value", Type: "string"}, at...); v != nil {
		c.out.Only = append(c.out.Only, Only{i, text, v})
	}
}

// detachments compile how references are taken away.
func (k *kindCompiler) detachments() {
	for i, e := range k.raw.Edges {
		if e.Detach == nil {
			continue
		}
		x := k.sweep(*e.Detach, "edges", i, "detach")
		if x == nil {
			continue
		}
		d := &Detachment{Relation: e.Relation, To: e.To, Sweep: x}
		switch schema.OnDelete(e.OnDelete) {
		case schema.Detach:
		case schema.None:
			d.Needed = true
		default:
			k.failf([]any{"edges", i, "detach"}, "detach is for on_delete: detach, or none where the other one needs this")
		}
		if d.Relation == "" || d.To == "*" {
			k.failf([]any{"edges", i, "detach"}, "detach needs a relation, and one kind in to")
		}
		k.entry.Detaches = append(k.entry.Detaches, d)
	}
}

// refusals compiles where an answer says what was not done.
func (k *kindCompiler) refusals(s *Action, op *api.Operation, f *Refusals, at ...any) {
	path := func(p ...any) []any { return append(slices.Clone(at), p...) }
	items, err := parsePath(f.Items)
	var t target
	if err == nil {
		t, err = walk(op.Output, items)
	}
	if err != nil {
		k.failf(path("items"), "items %s: output of %s: %v", f.Items, op.Name, err)
		return
	}
	s.Failures = items
	for _, x := range []struct {
		name, text string
		to         *normalize.Path
	}{{"key", f.Key, &s.FailureKey}, {"code", f.Code, &s.FailureCode}, {"message", f.Message, &s.FailureReason}} {
		if x.text == "" && x.name != "code" {
			continue
		}
		if *x.to, err = parsePath(x.text); err == nil {
			_, err = walk(t.shape, *x.to)
		}
		if err != nil {
			k.failf(path(x.name), "%s %s: output of %s: %v", x.name, x.text, op.Name, err)
		}
	}
}
