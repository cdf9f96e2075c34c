package catalog

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// Addition is a service that is described at run time, with the kinds of it.
type Addition struct {
	Cloud   string
	Service *api.Service
	// Kinds by name. What catalogue files say of them replaces the fields
	// given here.
	Kinds map[string]Kind
}

// With returns the catalogue with kinds that were found at run time. What is
// sensitive in them and not spoken of is dropped; of columns whose names
// collide all but the first have a hash behind their name. A kind that the
// catalogue has already stays as it is. One that cannot be compiled is left
// out, and the error, a Problems, says why; the catalogue has the others then.
func (c *Catalogue) With(additions ...Addition) (*Catalogue, error) {
	m := c.later.clone()
	s := &serviceCompiler{m: m, svcs: map[serviceKey]*api.Service{}, kinds: map[string]*kindCompiler{}, lenient: true}
	var services []serviceKey
	for _, a := range additions {
		key := serviceKey{a.Cloud, a.Service.Name}
		if m.vendors.of(a.Cloud) == nil {
			return nil, fmt.Errorf("kinds of %s: no such cloud", a.Cloud)
		}
		f := m.fileOf(key)
		if f == nil {
			f = &rawFile{File: File{Cloud: a.Cloud, Service: a.Service.Name}}
			m.files = append(m.files, f)
		}
		s.svcs[key] = a.Service
		services = append(services, key)
		for name, k := range a.Kinds {
			if _, ok := c.byName[name]; ok {
				continue
			}
			raw := &rawKind{Kind: k, name: name, file: f, fields: map[string]origin{}, at: place{file: a.Service.Name}, user: true, late: true}
			if said := m.kinds[name]; said != nil && !said.known {
				raw.say(said)
			}
			m.kinds[name] = raw
		}
	}
	s.compile(services)
	out := &Catalogue{
		vendors: c.vendors, entries: slices.Clone(c.entries), byName: maps.Clone(c.byName), lists: slices.Clone(c.lists),
		uncompiled: c.uncompiled, later: c.later,
	}
	out.add(s)
	return out, s.problems.err()
}

// say takes the fields that a catalogue file gives.
func (k *rawKind) say(said *rawKind) {
	k.at = said.at
	maps.Copy(k.fields, said.fields)
	k.set(&said.Kind, func(key string) bool { _, ok := said.fields[key]; return ok })
}

// keep is what With needs: the names of all kinds, and all that is said of
// the services.
func (m *merged) keep(services []serviceKey) *merged {
	out := &merged{vendors: m.vendors, kinds: make(map[string]*rawKind, len(m.kinds))}
	for _, f := range m.files {
		if slices.Contains(services, f.key()) {
			out.files = append(out.files, f)
		}
	}
	for name, k := range m.kinds {
		if !slices.Contains(services, k.file.key()) {
			k = &rawKind{name: name, file: &rawFile{File: File{Cloud: k.file.Cloud, Service: k.file.Service}}, known: true}
		}
		out.kinds[name] = k
	}
	return out
}

func (m *merged) clone() *merged {
	return &merged{vendors: m.vendors, files: slices.Clone(m.files), kinds: maps.Clone(m.kinds)}
}
