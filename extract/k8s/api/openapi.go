package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Schemas are the schemas of an OpenAPI v3 document, as a cluster serves one
// for each version of a group.
type Schemas struct {
	meta   *api.Shape // of all objects; nil takes the document's
	byName map[string]*schema
	shapes map[string]*api.Shape
}

// schema is the part of OpenAPI v3 that Kubernetes uses.
type schema struct {
	Ref         string             `json:"$ref"`
	AllOf       []*schema          `json:"allOf"`
	OneOf       []json.RawMessage  `json:"oneOf"`
	AnyOf       []json.RawMessage  `json:"anyOf"`
	Type        string             `json:"type"`
	Format      string             `json:"format"`
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Items       *schema            `json:"items"`
	// Additional is a schema, or a boolean.
	Additional  json.RawMessage `json:"additionalProperties"`
	IntOrString bool            `json:"x-kubernetes-int-or-string"`
	Preserve    bool            `json:"x-kubernetes-preserve-unknown-fields"`
	Embedded    bool            `json:"x-kubernetes-embedded-resource"`
	ListType    string          `json:"x-kubernetes-list-type"`
	Kinds       []gvk           `json:"x-kubernetes-group-version-kind"`
}

type gvk struct{ Group, Version, Kind string }

// ParseOpenAPI reads a document. meta is the metadata of all objects, nil for
// the document's own.
func ParseOpenAPI(doc []byte, meta *api.Shape) (*Schemas, error) {
	var d struct {
		OpenAPI    string
		Components struct{ Schemas map[string]*schema }
	}
	if err := json.Unmarshal(doc, &d); err != nil {
		return nil, fmt.Errorf("OpenAPI document: %w", err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.") {
		return nil, fmt.Errorf("OpenAPI document: its version is %q, not 3", d.OpenAPI)
	}
	return &Schemas{meta: meta, byName: d.Components.Schemas, shapes: map[string]*api.Shape{}}, nil
}

// Object returns the shape of the objects of a kind, with the metadata that
// all objects have. Of a kind that the document has no schema of, or one that
// says nothing, it is that alone.
func (s *Schemas) Object(group, version, kind string) *api.Shape {
	for _, name := range slices.Sorted(maps.Keys(s.byName)) {
		if slices.Contains(s.byName[name].Kinds, gvk{group, version, kind}) {
			return s.withMeta(s.named(name), kind)
		}
	}
	return s.withMeta(&api.Shape{Name: kind, Type: "structure"}, kind)
}

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"

// withMeta makes sure that an object has what all objects have.
func (s *Schemas) withMeta(o *api.Shape, kind string) *api.Shape {
	out := &api.Shape{Name: kind, Type: "structure", Doc: o.Doc}
	text := &api.Shape{Type: "string"}
	for _, m := range o.Members {
		switch m.Name {
		case "kind", "apiVersion", "metadata":
		default:
			out.Members = append(out.Members, m)
		}
	}
	meta := s.meta
	if meta == nil && s.byName[objectMeta] != nil {
		meta = s.named(objectMeta)
	} else if meta == nil {
		meta = Meta()
	}
	out.Members = append([]api.Member{{Name: "apiVersion", Shape: text}, {Name: "kind", Shape: text}, {Name: "metadata", Shape: meta}}, out.Members...)
	return out
}

// Meta is the metadata that all objects have.
func Meta() *api.Shape {
	svc, err := Lookup(Core)
	if err != nil {
		panic("api: embedded: " + err.Error())
	}
	return svc.Operations["namespaces"].Output.Member("items").Shape.Elem.Member("metadata").Shape
}

// named is the shape of a schema of the document. Shapes may be recursive.
func (s *Schemas) named(name string) *api.Shape {
	if have := s.shapes[name]; have != nil {
		return have
	}
	short := name[strings.LastIndexByte(name, '.')+1:]
	sc := s.byName[name]
	if sc == nil {
		return document(short, "")
	}
	out := &api.Shape{Name: short}
	s.shapes[name] = out
	s.fill(out, sc, strings.HasSuffix(name, "apimachinery.pkg.api.resource.Quantity"))
	return out
}

// shape is the shape of a schema within another.
func (s *Schemas) shape(sc *schema) *api.Shape {
	if sc == nil {
		return document("", "")
	}
	if name, ok := strings.CutPrefix(sc.Ref, "#/components/schemas/"); ok {
		return s.named(name)
	}
	if len(sc.AllOf) == 1 && sc.Type == "" && len(sc.Properties) == 0 {
		return s.shape(sc.AllOf[0])
	}
	out := &api.Shape{}
	s.fill(out, sc, false)
	return out
}

func document(name, doc string) *api.Shape {
	return &api.Shape{Name: name, Type: "structure", Document: true, Doc: doc}
}

func (s *Schemas) fill(out *api.Shape, sc *schema, quantity bool) {
	out.Doc = firstSentence(sc.Description)
	switch {
	case quantity:
		// Servers write them as strings; a custom resource may hold a number.
		out.Type = "string"
	case sc.IntOrString, sc.Format == "int-or-string", sc.Preserve, sc.Embedded, len(sc.OneOf) > 0 && sc.Type == "", len(sc.AnyOf) > 0 && sc.Type == "":
		out.Type, out.Document = "structure", true
	default:
		s.typed(out, sc)
	}
}

func (s *Schemas) typed(out *api.Shape, sc *schema) {
	switch sc.Type {
	case "string":
		switch sc.Format {
		case "date-time":
			out.Type, out.TimestampFormat = "timestamp", "iso8601"
		case "byte":
			out.Type = "blob"
		default:
			out.Type = "string"
		}
	case "integer":
		out.Type = "long"
	case "number":
		out.Type = "double"
	case "boolean":
		out.Type = "boolean"
	case "array":
		out.Type, out.Elem = "list", s.shape(sc.Items)
	case "object":
		value, open := additional(sc.Additional)
		switch {
		case len(sc.Properties) > 0:
			out.Type = "structure"
			for _, name := range slices.Sorted(maps.Keys(sc.Properties)) {
				out.Members = append(out.Members, s.member(name, sc.Properties[name]))
			}
			redactEnv(out)
		case value != nil:
			out.Type, out.Key, out.Value = "map", &api.Shape{Type: "string"}, s.shape(value)
		case open || sc.Additional == nil:
			out.Type, out.Document = "structure", true
		default:
			out.Type = "structure"
		}
	default:
		out.Type, out.Document = "structure", true
	}
}

// additional reads additionalProperties: a schema, or whether there may be any.
func additional(raw json.RawMessage) (value *schema, open bool) {
	if len(raw) == 0 || json.Unmarshal(raw, &open) == nil {
		return nil, open
	}
	if json.Unmarshal(raw, &value) != nil {
		return nil, true
	}
	return value, false
}

func (s *Schemas) member(name string, sc *schema) api.Member {
	m := api.Member{Name: name, Shape: s.shape(sc), Doc: firstSentence(sc.Description)}
	if m.Doc == m.Shape.Doc {
		m.Doc = ""
	}
	return m
}

// redactEnv marks the values of environment variables as sensitive: a list
// named env of structures with a name and a value, as containers have it and
// custom resources copy it.
func redactEnv(out *api.Shape) {
	for i := range out.Members {
		m := &out.Members[i]
		if m.Name != "env" || m.Shape.Type != "list" || m.Shape.Elem.Member("name") == nil {
			continue
		}
		if v := m.Shape.Elem.Member("value"); v != nil {
			v.Sensitive = true
		}
	}
}

// firstSentence cuts a description for people to one line.
func firstSentence(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		s = s[:i]
	}
	if i := strings.Index(s, ". "); i >= 0 {
		s = s[:i+1]
	}
	return s
}

// Sensitive are the paths, from an object that an operation lists, of what is
// marked sensitive.
func Sensitive(o *api.Operation) []string {
	var out []string
	open := map[*api.Shape]bool{}
	var walk func(s *api.Shape, path string)
	walk = func(s *api.Shape, path string) {
		if s == nil || open[s] {
			return
		}
		open[s] = true
		defer delete(open, s)
		switch s.Type {
		case "list":
			walk(s.Elem, path+"[]")
		case "map":
			walk(s.Value, path+"{}")
		}
		for i := range s.Members {
			m := &s.Members[i]
			at := strings.TrimPrefix(path+"."+m.Name, ".")
			if m.Sensitive {
				out = append(out, at)
				continue
			}
			walk(m.Shape, at)
		}
	}
	walk(o.Output.Member("items").Shape.Elem, "")
	return out
}
