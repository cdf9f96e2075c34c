package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Names are the names of all kinds, sorted.
func (c *Catalogue) Names() []string {
	out := make([]string, len(c.entries))
	for i, e := range c.entries {
		out[i] = e.Kind.Name
	}
	return out
}

// Select returns the kinds that only names, all but the optional ones if it
// is empty, without those that skip names. Each is a kind (aws_ec2_instance),
// a glob (aws_ec2_*), a service (ec2), a noun (instance) or a cloud (gcp). One
// that names no kind is an error.
func (c *Catalogue) Select(only, skip []string) ([]*Entry, error) {
	var out []*Entry
	if len(only) == 0 {
		for _, e := range c.entries {
			if !e.Optional {
				out = append(out, e)
			}
		}
	}
	for _, p := range only {
		es, err := c.match(p)
		if err != nil {
			return nil, err
		}
		for _, e := range es {
			// A glob or a service does not ask for an optional kind by name.
			if !slices.Contains(out, e) && (!e.Optional || len(es) == 1) {
				out = append(out, e)
			}
		}
	}
	for _, p := range skip {
		es, err := c.match(p)
		if err != nil && !c.knows(p) {
			return nil, err
		}
		out = slices.DeleteFunc(out, func(e *Entry) bool { return slices.Contains(es, e) })
	}
	slices.SortFunc(out, func(a, b *Entry) int { return strings.Compare(a.Kind.Name, b.Kind.Name) })
	return out, nil
}

// match are the kinds that a name, glob, service or noun names.
func (c *Catalogue) match(p string) ([]*Entry, error) {
	if e, ok := c.byName[p]; ok {
		return []*Entry{e}, nil
	}
	if strings.ContainsAny(p, "*?[") {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("kinds %q: the glob is malformed", p)
		}
	}
	var out []*Entry
	for _, e := range c.entries {
		glob, _ := path.Match(p, e.Kind.Name)
		if glob || p == e.Kind.Service || p == e.service || p == e.noun || p == e.Kind.Cloud || slices.Contains(e.Kind.Renamed, p) {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no kind, service or glob %q%s", p, didYouMean(p, c.words()))
	}
	return out, nil
}

// knows says whether a word names kinds that are not compiled.
func (c *Catalogue) knows(word string) bool {
	others := &Catalogue{entries: c.uncompiled}
	_, err := others.match(word)
	return err == nil
}

// restrict returns the services of the kinds that words select, and those of
// users' files, and the kinds of the others by name alone.
func (m *merged) restrict(services []serviceKey, words []string) (need []serviceKey, others []*Entry) {
	all := &Catalogue{byName: map[string]*Entry{}}
	wanted := map[serviceKey]bool{}
	for _, name := range m.kindNames() {
		k := m.kinds[name]
		e := m.stub(k)
		all.entries = append(all.entries, e)
		all.byName[name] = e
	}
	for _, w := range words {
		es, err := all.match(w)
		if err != nil {
			return services, nil
		}
		for _, e := range es {
			wanted[serviceOf(e)] = true
		}
	}
	for _, f := range m.files {
		if f.doc.user {
			wanted[f.key()] = true
		}
	}
	// What is listed for each of another is wanted with that.
	for grown := true; grown; {
		grown = false
		for _, k := range m.kinds {
			if p := m.kinds[k.ForEach]; p != nil && wanted[k.file.key()] && !wanted[p.file.key()] {
				wanted[p.file.key()], grown = true, true
			}
		}
	}
	for _, e := range all.entries {
		if !wanted[serviceOf(e)] {
			others = append(others, e)
		}
	}
	return slices.DeleteFunc(services, func(s serviceKey) bool { return !wanted[s] }), others
}

// stub is a kind that is known by name alone.
func (m *merged) stub(k *rawKind) *Entry {
	e := &Entry{Kind: &schema.Kind{Name: k.name, Cloud: k.file.Cloud, Service: k.file.Service, Renamed: k.Renamed}}
	e.service, e.noun = m.vendors.of(k.file.Cloud).words(k.name)
	return e
}

func serviceOf(e *Entry) serviceKey { return serviceKey{e.Kind.Cloud, e.Kind.Service} }

// Search returns the kinds whose name matches a glob, or has the word in its
// name or in its description; those with it in the name come first.
func (c *Catalogue) Search(word string) []*Entry {
	if es, err := c.match(word); err == nil {
		return es
	}
	word = strings.ToLower(word)
	var name, doc []*Entry
	for _, e := range c.entries {
		switch {
		case strings.Contains(e.Kind.Name, word):
			name = append(name, e)
		case strings.Contains(strings.ToLower(e.Kind.Doc), word):
			doc = append(doc, e)
		}
	}
	return append(name, doc...)
}

// words are what a user may name kinds by.
func (c *Catalogue) words() []string {
	seen := map[string]bool{}
	for _, e := range c.entries {
		for _, w := range []string{e.Kind.Name, e.Kind.Service, e.noun, e.Kind.Cloud} {
			seen[w] = true
		}
	}
	return sortedKeys(seen)
}
