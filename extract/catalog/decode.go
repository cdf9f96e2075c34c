package catalog

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// document is a parsed YAML file.
type document struct {
	name     string
	cloud    string // whose file it is; empty where the user's file says
	user     bool   // not embedded
	root     *ast.MappingNode
	anchors  map[string]ast.Node
	problems Problems
}

// parseDocument reads the syntax of a file; what is wrong with it is in the
// document's problems, and root is nil then.
func parseDocument(name string, text []byte, user bool) *document {
	d := &document{name: name, user: user, anchors: map[string]ast.Node{}}
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		p := place{file: name}
		msg := err.Error()
		var ye yaml.Error
		if errors.As(err, &ye) {
			msg = ye.GetMessage()
			if t := ye.GetToken(); t != nil && t.Position != nil {
				p.line, p.col = t.Position.Line, t.Position.Column
			}
		}
		d.problems = append(d.problems, p.problem("", "%s", msg))
		return d
	}
	for i, doc := range f.Docs {
		if i > 0 && doc.Body != nil {
			d.fail(doc.Body, "a catalogue file is one document: remove the ---")
			return d
		}
	}
	if len(f.Docs) == 0 || f.Docs[0].Body == nil {
		d.problems = append(d.problems, place{name, 1, 1}.problem("", "the file is empty: it needs service and kinds"))
		return d
	}
	m := mapping(f.Docs[0].Body)
	if m == nil {
		d.fail(f.Docs[0].Body, "a catalogue file is a mapping with service and kinds")
		return d
	}
	d.root = m
	return d
}

func (d *document) fail(n ast.Node, format string, args ...any) {
	d.problems = append(d.problems, d.place(n).problem("", format, args...))
}

func (d *document) place(n ast.Node) place {
	p := place{file: d.name}
	if n == nil {
		return p
	}
	t := n.GetToken()
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		t = m.Values[0].Key.GetToken()
	}
	if t != nil && t.Position != nil {
		p.line, p.col = t.Position.Line, t.Position.Column
	}
	return p
}

// plain follows anchors, aliases and tags.
func (d *document) plain(n ast.Node) ast.Node {
	for range 10 {
		switch v := n.(type) {
		case *ast.AnchorNode:
			d.anchors[v.Name.GetToken().Value] = v.Value
			n = v.Value
		case *ast.AliasNode:
			target, ok := d.anchors[v.Value.GetToken().Value]
			if !ok {
				return n
			}
			n = target
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
	return n
}

func mapping(n ast.Node) *ast.MappingNode {
	switch v := n.(type) {
	case *ast.MappingNode:
		return v
	case *ast.MappingValueNode:
		return ast.Mapping(v.GetToken(), false, v)
	}
	return nil
}

// scalar returns the text of a scalar as it is written.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.BoolNode, *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func keyText(v *ast.MappingValueNode) string {
	if s, ok := scalar(v.Key); ok {
		return s
	}
	return v.Key.GetToken().Value
}

// entries are the keys and values of a mapping, duplicates reported.
func (d *document) entries(m *ast.MappingNode) []*ast.MappingValueNode {
	seen := map[string]bool{}
	out := make([]*ast.MappingValueNode, 0, len(m.Values))
	for _, v := range m.Values {
		if v.Key.IsMergeKey() {
			d.fail(v.Key, "merge keys (<<) are not supported")
			continue
		}
		k := keyText(v)
		if seen[k] {
			d.fail(v.Key, "duplicate key %q", k)
			continue
		}
		seen[k] = true
		out = append(out, v)
	}
	return out
}

// yamlFields are the keys of a struct.
func yamlFields(t reflect.Type) (names []string, index map[string]int) {
	index = map[string]int{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			names = append(names, name)
			index[name] = i
		}
	}
	return names, index
}

// decode fills v, all of whose unknown keys and wrong types are reported.
func (d *document) decode(n ast.Node, v reflect.Value) {
	n = d.plain(n)
	if _, ok := n.(*ast.NullNode); ok || n == nil {
		return
	}
	switch v.Interface().(type) {
	case Strings:
		if s, ok := scalar(n); ok {
			v.Set(reflect.ValueOf(Strings{s}))
			return
		}
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.decode(n, p.Elem())
		v.Set(p)
	case reflect.Interface:
		v.Set(reflect.ValueOf(d.any(n)))
	case reflect.Struct:
		d.decodeStruct(n, v)
	case reflect.Map:
		m := mapping(n)
		if m == nil {
			d.fail(n, "wants a mapping")
			return
		}
		out := reflect.MakeMapWithSize(v.Type(), len(m.Values))
		for _, e := range d.entries(m) {
			x := reflect.New(v.Type().Elem()).Elem()
			d.decode(e.Value, x)
			out.SetMapIndex(reflect.ValueOf(keyText(e)), x)
		}
		v.Set(out)
	case reflect.Slice:
		s, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fail(n, "wants a list")
			return
		}
		out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
		for i, e := range s.Values {
			d.decode(e, out.Index(i))
		}
		v.Set(out)
	case reflect.String:
		s, ok := scalar(n)
		if !ok {
			d.fail(n, "wants a text")
			return
		}
		v.SetString(s)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.fail(n, "wants true or false")
			return
		}
		v.SetBool(b.Value)
	case reflect.Int:
		s, _ := scalar(n)
		i, err := strconv.Atoi(s)
		if err != nil {
			d.fail(n, "wants a whole number")
			return
		}
		v.SetInt(int64(i))
	case reflect.Float64:
		s, _ := scalar(n)
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			d.fail(n, "wants a number")
			return
		}
		v.SetFloat(f)
	default:
		panic("catalog: no decoding into " + v.Type().String())
	}
}

func (d *document) decodeStruct(n ast.Node, v reflect.Value) {
	m := mapping(n)
	if m == nil {
		names, _ := yamlFields(v.Type())
		d.fail(n, "wants a mapping with %s", strings.Join(names, ", "))
		return
	}
	names, index := yamlFields(v.Type())
	for _, e := range d.entries(m) {
		k := keyText(e)
		i, ok := index[k]
		if !ok {
			d.fail(e.Key, "unknown key %q%s", k, didYouMean(k, names))
			continue
		}
		d.decode(e.Value, v.Field(i))
	}
}

func (d *document) any(n ast.Node) any {
	n = d.plain(n)
	switch v := n.(type) {
	case *ast.BoolNode:
		return v.Value
	case *ast.IntegerNode:
		if i, err := strconv.ParseInt(v.GetToken().Value, 0, 64); err == nil {
			return i
		}
		return v.GetToken().Value
	case *ast.FloatNode:
		return v.Value
	case *ast.SequenceNode:
		out := make([]any, len(v.Values))
		for i, e := range v.Values {
			out[i] = d.any(e)
		}
		return out
	case *ast.NullNode:
		return nil
	}
	if m := mapping(n); m != nil {
		out := map[string]any{}
		for _, e := range d.entries(m) {
			out[keyText(e)] = d.any(e.Value)
		}
		return out
	}
	if s, ok := scalar(n); ok {
		return s
	}
	d.fail(n, "unexpected %s", strings.ToLower(n.Type().String()))
	return nil
}

// find returns the node at a path of keys and indices, or the deepest one on
// the way; for a key its place is the key's.
func (d *document) find(n ast.Node, path ...any) ast.Node {
	for i, p := range path {
		n = d.plain(n)
		switch p := p.(type) {
		case string:
			m := mapping(n)
			if m == nil {
				return n
			}
			j := slices.IndexFunc(m.Values, func(e *ast.MappingValueNode) bool { return keyText(e) == p })
			if j < 0 {
				return n
			}
			if i == len(path)-1 {
				return m.Values[j].Key
			}
			n = m.Values[j].Value
		case int:
			s, ok := n.(*ast.SequenceNode)
			if !ok || p >= len(s.Values) {
				return n
			}
			n = s.Values[p]
		default:
			panic(fmt.Sprintf("catalog: %T in a path", p))
		}
	}
	return n
}
