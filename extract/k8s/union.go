package k8s

import (
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// union makes a shape that has the members of both, of which a may be nil.
// Where the types of one path differ, free-form JSON wins, as its column is
// JSON from the start; otherwise a's stays, and the path is among conflicts.
// Neither shape is changed.
func union(a, b *api.Shape) (_ *api.Shape, conflicts []string) {
	u := unifier{seen: map[[2]*api.Shape]*api.Shape{}}
	s := u.shape(a, b, "")
	slices.Sort(u.conflicts)
	return s, slices.Compact(u.conflicts)
}

type unifier struct {
	seen      map[[2]*api.Shape]*api.Shape // shapes may be recursive
	conflicts []string
}

func (u *unifier) shape(a, b *api.Shape, path string) *api.Shape {
	switch {
	case a == nil, a == b:
		return b
	case b == nil:
		return a
	case a.Document:
		return a
	case b.Document:
		return b
	}
	key := [2]*api.Shape{a, b}
	if s := u.seen[key]; s != nil {
		return s
	}
	s := new(api.Shape)
	*s = *a
	u.seen[key] = s
	if a.Type != b.Type {
		u.conflicts = append(u.conflicts, strings.TrimPrefix(path, "."))
		return s
	}
	switch a.Type {
	case "list":
		s.Elem = u.shape(a.Elem, b.Elem, path+"[]")
	case "map":
		s.Value = u.shape(a.Value, b.Value, path+"{}")
	case "structure":
		s.Members = slices.Clone(a.Members)
		for _, m := range b.Members {
			i := slices.IndexFunc(s.Members, func(have api.Member) bool { return have.Name == m.Name })
			if i < 0 {
				s.Members = append(s.Members, m)
				continue
			}
			s.Members[i].Shape = u.shape(s.Members[i].Shape, m.Shape, path+"."+m.Name)
			s.Members[i].Sensitive = s.Members[i].Sensitive || m.Sensitive
		}
		slices.SortFunc(s.Members, func(x, y api.Member) int { return strings.Compare(x.Name, y.Name) })
	}
	return s
}
