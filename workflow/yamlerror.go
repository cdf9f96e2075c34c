package workflow

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// yamlError makes one line of a YAML error: where it is, what is wrong and what
// to write instead. A value that its type refuses is looked up in the document.
func yamlError(err error, doc *ast.DocumentNode) error {
	var y yaml.Error
	if !errors.As(err, &y) || y.GetToken() == nil {
		if doc == nil {
			return err
		}
		f := &finder{text: err.Error()}
		ast.Walk(f, doc)
		if f.found == nil {
			return err
		}
		return fmt.Errorf("line %d: %s: %w", f.found.Token.Position.Line, strings.TrimPrefix(f.found.GetPath(), "$."), err)
	}
	p, text := y.GetToken().Position, y.GetMessage()
	if name, ok := strings.CutPrefix(text, "unknown field "); ok {
		if name, err := strconv.Unquote(name); err == nil {
			if near := api.Near(name, keysOf(reflect.TypeFor[Config](), map[reflect.Type]bool{})); len(near) > 0 {
				text += ": did you mean " + near[0] + "?"
			}
		}
	}
	if strings.HasSuffix(text, "was used where sequence is expected") {
		text += ": put it in brackets, as a list" // not what it is, which may be secret
	}
	return fmt.Errorf("line %d, column %d: %s", p.Line, p.Column, text)
}

// finder finds the first value that a text quotes.
type finder struct {
	text  string
	found *ast.StringNode
}

// Visit implements ast.Visitor.
func (f *finder) Visit(n ast.Node) ast.Visitor {
	if s, ok := n.(*ast.StringNode); ok && f.found == nil && s.Value != "" && strings.Contains(f.text, strconv.Quote(s.Value)) {
		f.found = s
	}
	return f
}

// keysOf are the keys of the configuration, wherever they stand in it.
func keysOf(t reflect.Type, seen map[reflect.Type]bool) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysOf(t.Elem(), seen)
	case reflect.Struct:
	default:
		return nil
	}
	if seen[t] {
		return nil
	}
	seen[t] = true
	var all []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name != "" {
			all = append(all, name)
		}
		all = append(all, keysOf(f.Type, seen)...)
	}
	return all
}
