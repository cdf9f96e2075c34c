package api

import (
	"cmp"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// Format is the notation of a service's answers.
func Format(*api.Service) normalize.Format { return normalize.JSON }

// Wrap returns the elements around an operation's output, of which JSON has
// none.
func Wrap(*api.Service, *api.Operation) []string { return nil }

// Normalize returns the shape of an operation's answer, nil if it has none.
// Every call makes a new graph, which the caller may change. Members that may
// hold secrets have Sensitive set and Drop not: what happens to them is the
// caller's decision.
func Normalize(_ *api.Service, o *api.Operation) *normalize.Shape {
	if o.Output == nil {
		return nil
	}
	return normalizer{}.shape(o.Output)
}

type normalizer map[*api.Shape]*normalize.Shape

func (n normalizer) shape(s *api.Shape) *normalize.Shape {
	if s == nil {
		return nil
	}
	if t := n[s]; t != nil {
		return t
	}
	t := &normalize.Shape{Name: s.Name, Type: kind(s), Doc: s.Doc}
	n[s] = t
	switch t.Type {
	case normalize.Time:
		t.Time = normalize.TimeISO
	case normalize.List:
		t.Elem = n.shape(s.Elem)
	case normalize.Map:
		t.Elem = n.shape(s.Value)
	case normalize.Structure:
		t.Members = make([]normalize.Member, len(s.Members))
		for i := range s.Members {
			m := &s.Members[i]
			t.Members[i] = normalize.Member{
				Name: m.Name, Wire: cmp.Or(m.LocationName, m.Name), Doc: m.Doc, Shape: n.shape(m.Shape), Sensitive: m.Sensitive,
			}
		}
	}
	return t
}

func kind(s *api.Shape) normalize.ShapeType {
	switch s.Type {
	case "structure":
		if s.Document {
			return normalize.Document
		}
		return normalize.Structure
	case "list":
		return normalize.List
	case "map":
		return normalize.Map
	case "boolean":
		return normalize.Boolean
	case "integer", "long":
		return normalize.Integer
	case "biginteger":
		return normalize.BigInteger
	case "float", "double":
		return normalize.Float
	case "timestamp":
		return normalize.Time
	case "blob":
		return normalize.Blob
	}
	return normalize.String
}
