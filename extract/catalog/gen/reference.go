package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"
)

//go:embed catalogue.md.tmpl
var page string

// reference makes the page about the format.
func reference(structs []structure) ([]byte, error) {
	t, err := template.New("catalogue").Funcs(template.FuncMap{"cell": cell, "title": title, "keys": keys, "prose": prose}).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, structs)
	return b.Bytes(), err
}

func code(s string) string { return "`" + s + "`" }

// cell is text for a table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}

// prose is a doc comment without its first words, which name the Go type.
func prose(s structure) string {
	doc := oneLine(s.Doc)
	if rest, ok := strings.CutPrefix(doc, s.Name+" is "); ok {
		return strings.ToUpper(rest[:1]) + rest[1:]
	}
	return "It" + strings.TrimPrefix(doc, s.Name)
}

func title(name string) string {
	names := map[string]string{
		"File": "A file", "Kind": "A kind, under `kinds:`", "Limit": "`limit:`", "Page": "`page:`", "Detail": "`details:`",
		"Failures": "`failures:`", "Edge": "`edges:`", "Call": "`get:`, `tag:`, `untag:`", "Delete": "`delete:`",
		"Empty": "`empty:`", "SweepCall": "`sweeps:`", "Refusals": "`failures:` of a sweep", "Snapshot": "`snapshot:`", "Stop": "`stop:`",
	}
	if n, ok := names[name]; ok {
		return n
	}
	return name
}

// keys are the fields, neighbours with one comment together.
func keys(s structure) []field {
	var out []field
	for _, f := range s.Fields {
		f.Key = code(f.Key)
		f.Type = typeName(f.Type)
		if n := len(out); n > 0 && out[n-1].Doc == f.Doc && f.Doc != "" {
			out[n-1].Key += ", " + f.Key
			continue
		}
		out = append(out, f)
	}
	return out
}

// typeName says a Go type in words.
func typeName(t string) string {
	t = strings.TrimPrefix(t, "*")
	switch {
	case t == "string":
		return "text"
	case t == "Strings":
		return "text or list"
	case t == "bool":
		return "true, false"
	case t == "int" || t == "float64":
		return "number"
	case t == "[]string":
		return "list"
	case t == "[]map[string]any" || t == "[]SweepCall":
		return "list of mappings"
	case t == "map[string]string" || t == "map[string]any":
		return "mapping"
	case t == "map[string][]string":
		return "mapping to lists"
	case strings.HasPrefix(t, "[]"):
		return "list of " + strings.ToLower(strings.TrimPrefix(t[2:], "map[string]")) + "s"
	case strings.HasPrefix(t, "map[string]"):
		return fmt.Sprintf("mapping to %ss", strings.ToLower(strings.TrimPrefix(t, "map[string]")))
	}
	return "mapping"
}
