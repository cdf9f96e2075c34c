package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

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
	return compileBatch(op, values, nil, resolve, fail)
}

// compileBatch is compileInput where {items} is a list of each.
func compileBatch(op *api.Operation, values map[string]any, each any, resolve resolver, fail func(err error, path ...any)) *Input {
	in := &Input{members: map[string]inputValue{}, text: canonical(values)}
	for _, name := range sortedKeys(values) {
		m := op.Input.Member(name)
		if m == nil {
			fail(fmt.Errorf("%s has no input member %q%s", op.Name, name, didYouMean(name, memberNames(op.Input))), name)
			continue
		}
		c := inputCompiler{resolve, fail, each}
		if v := c.compile(values[name], m.Shape, name); v != nil {
			in.members[name] = v
		}
	}
	return in
}

type inputCompiler struct {
	resolve resolver
	fail    func(err error, path ...any)
	each    any // of {items}
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
		case "{items}":
			return c.items(s, path...)
		case "{tags}", "{all_tags}":
			return c.tags(strings.Trim(strings.TrimSpace(text), "{}"), s, path...)
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
		if m, ok := v.(map[string]any); ok && len(m) == 1 && s.Elem.Type == "structure" {
			for name, more := range m {
				return c.tagsWith(name, more, s, path...)
			}
		}
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
	if s.Type == "map" {
		return inputKeys{null: true}
	}
	if s.Type == "list" {
		switch {
		case s.Elem.Type == "string":
			return inputKeys{}
		case s.Elem.Type == "structure":
			if k, _ := keyValue(s.Elem); k != "" {
				return inputKeys{member: k}
			}
			if len(s.Elem.Members) == 1 {
				return inputKeys{member: s.Elem.Members[0].Name}
			}
		}
	}
	c.fail(fmt.Errorf("{keys} is a list of texts, %v wants a %s", path[len(path)-1], s.Type), path...)
	return nil
}

// tagsWith compiles {tags} or {keys} as a list of structures that have other
// members, too.
func (c inputCompiler) tagsWith(name string, more any, s *api.Shape, path ...any) inputValue {
	with, ok := c.compile(more, s.Elem, append(slices.Clone(path), name)...).(inputMap)
	if !ok {
		return nil
	}
	switch x := c.compile(name, s, path...).(type) {
	case inputTags:
		x.with = with
		return x
	case inputKeys:
		x.with = with
		return x
	}
	return nil
}

func (c inputCompiler) tags(name string, s *api.Shape, path ...any) inputValue {
	part, err := c.resolve(name)
	if err != nil {
		c.fail(err, path...)
		return nil
	}
	switch {
	case s.Type == "map":
		return inputTags{all: part.kind == varAllTags}
	case s.Type == "list" && s.Elem.Type == "structure":
		if k, v := keyValue(s.Elem); k != "" && v != "" {
			return inputTags{all: part.kind == varAllTags, key: k, val: v}
		}
	}
	c.fail(fmt.Errorf("{%s} does not fit %v, a %s of %s", name, path[len(path)-1], s.Type, s.Name), path...)
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
