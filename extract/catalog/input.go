package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Input is a compiled request body: constants and templates for members of an
// operation's input. It is safe for concurrent use.
type Input struct {
	members map[string]inputValue
	text    string
}

// Vars are the values of an input's templates. Which of them an input needs
// is known when it is compiled; one that has no value is an error.
type Vars struct {
	Account, Region, Partition string
	// Parent and Item are the captures of the parent's item and of the item,
	// in the order of their Spec.Captures; empty is none.
	Parent, Item []string
	// Batch are the captures of the items that a call of a sweep is for.
	Batch [][]string
	// Shown says that what is known only when a call is made stays as it is
	// written.
	Shown bool
	// Keys are the batch's, or the tag keys to remove.
	Keys []string

	// For actions: of the row.
	ID, Name, URN string
	// ActionID is that of the action, To the id of what the resource is detached
	// from.
	ActionID, To string
	Columns      map[string]string
	// RowTags are the resource's own. Tags are to be set; AllTags, not nil where they are known, are those
	// that the resource is to have when tags have been set or removed.
	RowTags, Tags, AllTags map[string]string
}

// Values makes the request: members of the input with string, bool, int64,
// float64, []any and map[string]any values. The caller may change it.
func (in *Input) Values(v Vars) (map[string]any, error) {
	out := make(map[string]any, len(in.members)+2)
	for name, m := range in.members {
		x, err := m.value(&v)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", name, err)
		}
		out[name] = x
	}
	return out, nil
}

// String is the input as the catalogue gives it, in a stable form.
func (in *Input) String() string { return in.text }

type inputValue interface {
	value(v *Vars) (any, error)
}

type inputConst struct{ v any }

func (c inputConst) value(*Vars) (any, error) { return c.v, nil }

type inputList []inputValue

func (l inputList) value(v *Vars) (any, error) {
	out := make([]any, len(l))
	for i, e := range l {
		x, err := e.value(v)
		if err != nil {
			return nil, err
		}
		out[i] = x
	}
	return out, nil
}

type inputMap map[string]inputValue

func (m inputMap) value(v *Vars) (any, error) {
	out := make(map[string]any, len(m))
	for k, e := range m {
		x, err := e.value(v)
		if err != nil {
			return nil, err
		}
		out[k] = x
	}
	return out, nil
}

// inputText is a template; its text is converted to what the shape wants.
type inputText struct {
	parts []inputPart
	shape *api.Shape
}

type inputPart struct {
	text  string // literal, if name is empty
	name  string // as written
	kind  varKind
	index int    // of a capture
	arg   string // a column's name
}

type varKind uint8

const (
	varText varKind = iota
	varAccount
	varRegion
	varPartition
	varParent
	varItem
	varID
	varName
	varURN
	varColumn
	varKeys
	varTags
	varAllTags
	varActionID
	varTo
	varTag
)

func (t inputText) value(v *Vars) (any, error) {
	if v.Shown && slices.ContainsFunc(t.parts, func(p inputPart) bool { return p.kind == varItem }) {
		var b strings.Builder
		for _, p := range t.parts {
			s := "{" + p.name + "}"
			if p.kind != varItem {
				var err error
				if s, err = p.get(v); err != nil {
					return nil, err
				}
			}
			b.WriteString(s)
		}
		return b.String(), nil
	}
	if len(t.parts) == 1 {
		s, err := t.parts[0].get(v)
		if err != nil {
			return nil, err
		}
		return coerce(s, t.shape)
	}
	var b strings.Builder
	for _, p := range t.parts {
		s, err := p.get(v)
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
	}
	return coerce(b.String(), t.shape)
}

func (p inputPart) get(v *Vars) (string, error) {
	s := ""
	switch p.kind {
	case varText:
		return p.text, nil
	case varAccount:
		s = v.Account
	case varRegion:
		s = v.Region
	case varPartition:
		s = v.Partition
	case varParent:
		if p.index < len(v.Parent) {
			s = v.Parent[p.index]
		}
	case varItem:
		if p.index < len(v.Item) {
			s = v.Item[p.index]
		}
	case varID:
		s = v.ID
	case varName:
		s = v.Name
	case varURN:
		s = v.URN
	case varActionID:
		s = v.ActionID
	case varTo:
		s = v.To
	case varTag:
		s = v.RowTags[p.arg]
	case varColumn:
		s = v.Columns[p.arg]
	}
	if s == "" {
		return "", fmt.Errorf("{%s} has no value", p.name)
	}
	return s, nil
}

// inputKeys is {keys}: texts, structures with one member for the key, or a map
// in which each key is null, as RFC 7396 removes it.
type inputKeys struct {
	member string
	null   bool
	with   inputMap // other members of each structure
}

func (k inputKeys) value(v *Vars) (any, error) {
	if len(v.Keys) == 0 {
		return nil, fmt.Errorf("{keys} has no value")
	}
	if k.null {
		out := make(map[string]any, len(v.Keys))
		for _, s := range v.Keys {
			out[s] = nil
		}
		return out, nil
	}
	out := make([]any, len(v.Keys))
	for i, s := range v.Keys {
		if k.member != "" {
			one, err := with(k.with, v)
			if err != nil {
				return nil, err
			}
			one[k.member] = s
			out[i] = one
		} else {
			out[i] = s
		}
	}
	return out, nil
}

// inputTags is {tags} or {all_tags}: a map, or a list of structures with key
// and value.
type inputTags struct {
	all      bool
	key, val string
	with     inputMap // other members of each structure
}

// with are the members that each tag has besides.
func with(m inputMap, v *Vars) (map[string]any, error) {
	x, err := m.value(v)
	if err != nil {
		return nil, err
	}
	return x.(map[string]any), nil
}

func (t inputTags) value(v *Vars) (any, error) {
	tags := v.Tags
	if t.all {
		if tags = v.AllTags; tags == nil {
			return nil, fmt.Errorf("{all_tags} has no value")
		}
	}
	if t.key == "" {
		out := make(map[string]any, len(tags))
		for k, x := range tags {
			out[k] = x
		}
		return out, nil
	}
	out := make([]any, 0, len(tags))
	for _, k := range sortedKeys(tags) {
		one, err := with(t.with, v)
		if err != nil {
			return nil, err
		}
		one[t.key], one[t.val] = k, tags[k]
		out = append(out, one)
	}
	return out, nil
}

// Columns are the columns of the row that the templates name, sorted.
func (in *Input) Columns() []string {
	names := map[string]bool{}
	var walk func(v inputValue)
	walk = func(v inputValue) {
		switch x := v.(type) {
		case inputList:
			for _, e := range x {
				walk(e)
			}
		case inputMap:
			for _, e := range x {
				walk(e)
			}
		case inputItems:
			walk(x.each)
		case inputText:
			for _, p := range x.parts {
				if p.kind == varColumn {
					names[p.arg] = true
				}
			}
		}
	}
	for _, v := range in.members {
		walk(v)
	}
	return sortedKeys(names)
}
