package catalog

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// Partiality is how a cloud's answers tell that they lack something though
// they are a success.
type Partiality struct {
	// Members matches the members of a list's output, or of the parts of one
	// that is a map by location, that may say so. A list with one that is of
	// no known form, and that the catalogue does not call harmless, is an
	// error.
	Members *regexp.Regexp
	// Harmless are the codes of warnings that say nothing of the kind.
	Harmless []string
}

// Partial is where the answers of a list call say what they lack.
type Partial struct {
	Members []PartialMember
	// Scopes is the member that holds the answer's parts by location
	// ("zones/us-east1-b"), each with ScopeMembers; empty where it has none.
	Scopes       string
	ScopeMembers []PartialMember
	// Harmless are codes of warnings.
	Harmless []string
}

// PartialMember is a member, by its name on the wire.
type PartialMember struct {
	Name string
	Form PartialForm
	// Place is the member of an element that names what is lacking, Warning
	// the one that is the warning, where it is not the element itself.
	Place, Warning string
}

// PartialForm is the form of a member that says what an answer lacks.
type PartialForm uint8

// The forms.
const (
	// PartialPlaces is a text or a list of them, each the name of a place or
	// of something in it.
	PartialPlaces PartialForm = iota + 1
	// PartialNamed is a list of structures that have the name in Place.
	PartialNamed
	// PartialWarnings is a structure with a code and a message, or a list of
	// them.
	PartialWarnings
)

// partialOf finds where an output says what it lacks. harmless are members
// that do not, with the reasons.
func (p *Partiality) partialOf(out *api.Shape, items normalize.Path, harmless map[string]string) (*Partial, []error) {
	if p == nil || out == nil {
		return nil, nil
	}
	r := &Partial{Harmless: p.Harmless}
	var errs []error
	look := func(s *api.Shape, skip string) (found []PartialMember) {
		for i := range s.Members {
			m := &s.Members[i]
			if m.Name == skip || !p.Members.MatchString(m.Name) || harmless[m.Name] != "" {
				continue
			}
			if pm, ok := partialMember(m); ok {
				found = append(found, pm)
			} else {
				errs = append(errs, fmt.Errorf("%s of %s may say that the answer is not whole, but its form is not known: say page: {harmless: {%s: why}} if it does not", m.Name, s.Name, m.Name))
			}
		}
		return found
	}
	first := ""
	if len(items) > 0 {
		first = items[0].Member
	}
	r.Members = look(out, first)
	if m := out.Member(first); m != nil && len(items) > 1 && items[0].Values && m.Shape.Type == "map" && m.Shape.Value != nil {
		if r.ScopeMembers = look(m.Shape.Value, items[1].Member); len(r.ScopeMembers) > 0 {
			r.Scopes = cmp.Or(m.LocationName, m.Name)
		}
	}
	for _, name := range sortedKeys(harmless) {
		if out.Member(name) == nil {
			errs = append(errs, fmt.Errorf("page: harmless: no member %q in %s%s", name, out.Name, didYouMean(name, memberNames(out))))
		}
		if harmless[name] == "" {
			errs = append(errs, fmt.Errorf("page: harmless: %s lacks its reason", name))
		}
	}
	if len(r.Members) == 0 && r.Scopes == "" {
		return nil, errs
	}
	return r, errs
}

func partialMember(m *api.Member) (PartialMember, bool) {
	p := PartialMember{Name: cmp.Or(m.LocationName, m.Name)}
	s := m.Shape
	list := s.Type == "list"
	if list {
		s = s.Elem
	}
	if s == nil || s.Document {
		return p, false
	}
	place := func(names ...string) string {
		for _, n := range names {
			if x := s.Member(n); x != nil && x.Shape.Type == "string" {
				return cmp.Or(x.LocationName, x.Name)
			}
		}
		return ""
	}
	switch {
	case s.Type == "string":
		p.Form = PartialPlaces
	case s.Type != "structure":
		return p, false
	case s.Member("code") != nil:
		p.Form, p.Place = PartialWarnings, place("location", "region", "zone")
	case slices.ContainsFunc(s.Members, func(x api.Member) bool { return x.Name == "warning" && x.Shape.Member("code") != nil }):
		p.Form, p.Warning, p.Place = PartialWarnings, "warning", place("scopeName", "location", "region", "zone")
	case list && place("name", "location") != "":
		p.Form, p.Place = PartialNamed, place("name", "location")
	default:
		return p, false
	}
	return p, true
}
