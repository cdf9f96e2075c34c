package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/aws/api"
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
	// Keys are the batch's, or the tag keys to remove.
	Keys []string

	// For actions: of the row.
	ID, Name, URN string
	Columns       map[string]string
	Tags          map[string]string
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
)

func (t inputText) value(v *Vars) (any, error) {
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
	case varColumn:
		s = v.Columns[p.arg]
	}
	if s == "" {
		return "", fmt.Errorf("{%s} has no value", p.name)
	}
	return s, nil
}

// inputKeys is {keys}: texts, or structures with one member for the key.
type inputKeys struct{ member string }

func (k inputKeys) value(v *Vars) (any, error) {
	if len(v.Keys) == 0 {
		return nil, fmt.Errorf("{keys} has no value")
	}
	out := make([]any, len(v.Keys))
	for i, s := range v.Keys {
		if k.member != "" {
			out[i] = map[string]any{k.member: s}
		} else {
			out[i] = s
		}
	}
	return out, nil
}

// inputTags is {tags}: a map, or a list of structures with key and value.
type inputTags struct{ key, val string }

func (t inputTags) value(v *Vars) (any, error) {
	if t.key == "" {
		out := make(map[string]any, len(v.Tags))
		for k, x := range v.Tags {
			out[k] = x
		}
		return out, nil
	}
	out := make([]any, 0, len(v.Tags))
	for _, k := range sortedKeys(v.Tags) {
		out = append(out, map[string]any{t.key: k, t.val: v.Tags[k]})
	}
	return out, nil
}

// coerce converts the text of a template to the type of an input member.
func coerce(s string, shape *api.Shape) (any, error) {
	if shape == nil {
		return s, nil
	}
	switch shape.Type {
	case "boolean":
		b, err := strconv.ParseBool(s)
		if err != nil {
			return nil, fmt.Errorf("%q is no boolean", s)
		}
		return b, nil
	case "integer", "long", "short", "byte":
		i, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no whole number", s)
		}
		return i, nil
	case "float", "double":
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no number", s)
		}
		return f, nil
	}
	return s, nil
}

// resolver makes a part of what stands between braces.
type resolver func(text string) (inputPart, error)

// compileInput checks values against an operation's input. fail takes what is
// wrong with the value at a path.
func compileInput(op *api.Operation, values map[string]any, resolve resolver, fail func(err error, path ...any)) *Input {
	in := &Input{members: map[string]inputValue{}, text: canonical(values)}
	for _, name := range sortedKeys(values) {
		m := op.Input.Member(name)
		if m == nil {
			fail(fmt.Errorf("%s has no input member %q%s", op.Name, name, didYouMean(name, memberNames(op.Input))), name)
			continue
		}
		c := inputCompiler{resolve, fail}
		if v := c.compile(values[name], m.Shape, name); v != nil {
			in.members[name] = v
		}
	}
	return in
}

type inputCompiler struct {
	resolve resolver
	fail    func(err error, path ...any)
}

func (c inputCompiler) compile(v any, s *api.Shape, path ...any) inputValue {
	wants := func() inputValue {
		c.fail(fmt.Errorf("%v wants a %s, not %s", path[len(path)-1], s.Type, describe(v)), path...)
		return nil
	}
	if text, ok := v.(string); ok {
		switch strings.TrimSpace(text) {
		case "{keys}":
			return c.keys(s, path...)
		case "{tags}":
			return c.tags(s, path...)
		}
	}
	if s.Document {
		return inputConst{v}
	}
	switch s.Type {
	case "structure":
		m, ok := v.(map[string]any)
		if !ok {
			return wants()
		}
		out := inputMap{}
		for _, name := range sortedKeys(m) {
			mm := s.Member(name)
			if mm == nil {
				c.fail(fmt.Errorf("%s has no member %q%s", s.Name, name, didYouMean(name, memberNames(s))), append(slices.Clone(path), name)...)
				continue
			}
			if x := c.compile(m[name], mm.Shape, append(slices.Clone(path), name)...); x != nil {
				out[name] = x
			}
		}
		return out
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			return wants()
		}
		out := inputMap{}
		for _, name := range sortedKeys(m) {
			if x := c.compile(m[name], s.Value, append(slices.Clone(path), name)...); x != nil {
				out[name] = x
			}
		}
		return out
	case "list":
		l, ok := v.([]any)
		if !ok {
			return wants()
		}
		var out inputList
		for i, e := range l {
			if x := c.compile(e, s.Elem, append(slices.Clone(path), i)...); x != nil {
				out = append(out, x)
			}
		}
		return out
	}
	if text, ok := v.(string); ok {
		return c.text(text, s, path...)
	}
	switch v := v.(type) {
	case bool:
		if s.Type == "boolean" {
			return inputConst{v}
		}
	case int64:
		switch s.Type {
		case "integer", "long", "short", "byte":
			if s.Max != nil && float64(v) > *s.Max || s.Min != nil && float64(v) < *s.Min {
				c.fail(fmt.Errorf("%v is not within what %s takes", v, s.Name), path...)
			}
			return inputConst{v}
		case "float", "double":
			return inputConst{float64(v)}
		case "string":
			return inputConst{strconv.FormatInt(v, 10)}
		}
	case float64:
		if s.Type == "float" || s.Type == "double" {
			return inputConst{v}
		}
	}
	return wants()
}

func (c inputCompiler) text(text string, s *api.Shape, path ...any) inputValue {
	parts, err := parseTemplate(text)
	if err != nil {
		c.fail(err, path...)
		return nil
	}
	t := inputText{shape: s}
	literal := true
	for _, p := range parts {
		if !p.brace {
			t.parts = append(t.parts, inputPart{text: p.text})
			continue
		}
		literal = false
		ip, err := c.resolve(p.text)
		if err != nil {
			c.fail(err, path...)
			return nil
		}
		ip.name = p.text
		t.parts = append(t.parts, ip)
	}
	if !literal {
		return t
	}
	x, err := coerce(text, s)
	if err != nil {
		c.fail(fmt.Errorf("%v: %w", path[len(path)-1], err), path...)
		return nil
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
		c.fail(fmt.Errorf("%q is not a value of %s%s", text, s.Name, didYouMean(text, s.Enum)), path...)
	}
	return inputConst{x}
}

func (c inputCompiler) keys(s *api.Shape, path ...any) inputValue {
	if _, err := c.resolve("keys"); err != nil {
		c.fail(err, path...)
		return nil
	}
	if s.Type == "list" {
		switch {
		case s.Elem.Type == "string":
			return inputKeys{}
		case s.Elem.Type == "structure":
			if k, _ := keyValue(s.Elem); k != "" {
				return inputKeys{k}
			}
			if len(s.Elem.Members) == 1 {
				return inputKeys{s.Elem.Members[0].Name}
			}
		}
	}
	c.fail(fmt.Errorf("{keys} is a list of texts, %v wants a %s", path[len(path)-1], s.Type), path...)
	return nil
}

func (c inputCompiler) tags(s *api.Shape, path ...any) inputValue {
	if _, err := c.resolve("tags"); err != nil {
		c.fail(err, path...)
		return nil
	}
	switch {
	case s.Type == "map":
		return inputTags{}
	case s.Type == "list" && s.Elem.Type == "structure":
		if k, v := keyValue(s.Elem); k != "" && v != "" {
			return inputTags{k, v}
		}
	}
	c.fail(fmt.Errorf("{tags} does not fit %v, a %s of %s", path[len(path)-1], s.Type, s.Name), path...)
	return nil
}

// keyValue are the members of a tag structure.
func keyValue(s *api.Shape) (key, val string) {
	for _, m := range s.Members {
		switch strings.ToLower(m.Name) {
		case "key", "tagkey", "k":
			key = m.Name
		case "value", "tagvalue", "v":
			val = m.Name
		}
	}
	return key, val
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case string:
		return "a text"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case []any:
		return "a list"
	}
	return "a mapping"
}
