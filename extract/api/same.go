package api

import (
	"fmt"
	"reflect"
)

// same says whether data reads as the service that it was encoded from. Lists
// that are empty and lists that are nil are the same.
func same(s *Service, data []byte) error {
	back, err := Decode(data)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	if !reflect.DeepEqual(normal(back), normal(s)) {
		return fmt.Errorf("%s: what was written does not read as it was", s.Name)
	}
	return nil
}

// normal makes lists that are empty nil, as reflect.DeepEqual tells them apart.
func normal(s *Service) *Service {
	for _, op := range s.Operations {
		if len(op.Errors) == 0 {
			op.Errors = nil
		}
		if p := op.Pager; p != nil && len(p.Results) == 0 {
			p.Results = nil
		}
		seen := map[*Shape]bool{}
		normalShape(op.Input, seen)
		normalShape(op.Output, seen)
	}
	return s
}

func normalShape(s *Shape, seen map[*Shape]bool) {
	if s == nil || seen[s] {
		return
	}
	seen[s] = true
	if len(s.Members) == 0 {
		s.Members = nil
	}
	if len(s.Enum) == 0 {
		s.Enum = nil
	}
	if len(s.Required) == 0 {
		s.Required = nil
	}
	for i := range s.Members {
		normalShape(s.Members[i].Shape, seen)
	}
	normalShape(s.Elem, seen)
	normalShape(s.Key, seen)
	normalShape(s.Value, seen)
}
