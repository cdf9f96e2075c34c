package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"regexp"
	"strings"
)

// structure is a struct of the format.
type structure struct {
	Name   string
	Doc    string
	Fields []field
}

// field is a key of a structure.
type field struct {
	Name, Key string
	// Type is the Go type: string, []string, map[string]string, *Page.
	Type string
	Doc  string
}

// readFormat reads the structs with YAML keys, in the file's order.
func readFormat(file string) ([]structure, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var out []structure
	for _, d := range f.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, s := range g.Specs {
			t, ok := s.(*ast.TypeSpec)
			if !ok {
				continue
			}
			st, ok := t.Type.(*ast.StructType)
			if !ok {
				continue
			}
			x := structure{Name: t.Name.Name, Doc: g.Doc.Text()}
			doc := ""
			for _, fl := range st.Fields.List {
				tag := ""
				if fl.Tag != nil {
					tag = reflect.StructTag(strings.Trim(fl.Tag.Value, "`")).Get("yaml")
				}
				key, _, _ := strings.Cut(tag, ",")
				if key == "" || key == "-" {
					continue
				}
				// A field without its own comment belongs to the one before.
				if text := strings.TrimSpace(fl.Doc.Text() + fl.Comment.Text()); text != "" {
					doc = strings.Join(strings.Fields(text), " ")
				}
				typ, err := typeText(fl.Type)
				if err != nil {
					return nil, fmt.Errorf("%s.%s: %w", x.Name, key, err)
				}
				x.Fields = append(x.Fields, field{fl.Names[0].Name, key, typ, doc})
			}
			out = append(out, x.named())
		}
	}
	return out, nil
}

var word = regexp.MustCompile(`\b[A-Z][A-Za-z]*\b`)

// named puts keys for the names of Go's fields in the fields' comments.
func (s structure) named() structure {
	keys := map[string]string{}
	for _, f := range s.Fields {
		keys[f.Name] = f.Key
	}
	for i := range s.Fields {
		doc := s.Fields[i].Doc
		var b strings.Builder
		end := 0
		for _, at := range word.FindAllStringIndex(doc, -1) {
			w := doc[at[0]:at[1]]
			k, ok := keys[w]
			// In the middle of a sentence, IAM is IAM; tag:Name is an example.
			if !ok || at[0] > 0 && (doc[at[0]-1] != ' ' || w == strings.ToUpper(w)) {
				continue
			}
			b.WriteString(doc[end:at[0]] + k)
			end = at[1]
		}
		s.Fields[i].Doc = b.String() + doc[end:]
	}
	return s
}

func typeText(e ast.Expr) (string, error) {
	switch t := e.(type) {
	case *ast.Ident:
		return t.Name, nil
	case *ast.StarExpr:
		s, err := typeText(t.X)
		return "*" + s, err
	case *ast.ArrayType:
		s, err := typeText(t.Elt)
		return "[]" + s, err
	case *ast.MapType:
		s, err := typeText(t.Value)
		return "map[string]" + s, err
	}
	return "", fmt.Errorf("no schema for a %T", e)
}
