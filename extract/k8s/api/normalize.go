package api

import (
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// LastApplied is the annotation in which kubectl repeats the whole object, a
// Secret's data included.
const LastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Normalize returns the shape of an operation's answer. Every call makes a new
// graph, which the caller may change. managedFields, which are half of many an
// object, are left out, and the annotation that repeats it is.
func Normalize(_ *api.Service, o *api.Operation) *normalize.Shape {
	return shapes{}.shape(o.Output)
}

type shapes map[*api.Shape]*normalize.Shape

func (n shapes) shape(s *api.Shape) *normalize.Shape {
	if t := n[s]; t != nil {
		return t
	}
	t := &normalize.Shape{Name: s.Name, Doc: s.Doc}
	n[s] = t
	switch s.Type {
	case "structure":
		if s.Document {
			t.Type = normalize.Document
			break
		}
		t.Type = normalize.Structure
		for _, m := range s.Members {
			out := normalize.Member{Name: m.Name, Wire: m.Name, Shape: n.shape(m.Shape), Doc: m.Doc, Sensitive: m.Sensitive}
			if m.Name == "managedFields" && strings.HasPrefix(s.Name, "ObjectMeta") {
				out.Drop = true
			}
			if m.Name == "annotations" && out.Shape.Type == normalize.Map {
				annotations := *out.Shape
				annotations.DropKeys = []string{LastApplied}
				out.Shape = &annotations
			}
			t.Members = append(t.Members, out)
		}
	case "list":
		t.Type, t.Elem = normalize.List, n.shape(s.Elem)
	case "map":
		t.Type, t.Elem = normalize.Map, n.shape(s.Value)
	case "boolean":
		t.Type = normalize.Boolean
	case "long", "integer":
		t.Type = normalize.Integer
	case "double":
		t.Type = normalize.Float
	case "timestamp":
		t.Type, t.Time = normalize.Time, normalize.TimeISO
	case "blob":
		t.Type = normalize.Blob
	default:
		t.Type = normalize.String
	}
	return t
}
