package catalog

import (
	"cmp"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// Options say what to load.
type Options struct {
	// Files are catalogue files of the user; Dirs are folders whose *.yaml
	// and *.yml are read too. They add kinds, or replace the fields they give
	// of kinds that exist.
	Files, Dirs []string
	// Alone reads the files in place of the vendors' and as strictly:
	// a kind stands in one file, and sensitive members that nothing is said
	// about are errors instead of being dropped.
	Alone bool
	// Only, if not empty, compiles no more than the services of the kinds
	// that these names, services and globs select, and those of the user's
	// files. The others are known by name alone.
	Only []string
}

// Load reads, checks and compiles the catalogue of the vendors. Its error,
// where files are wrong, is a Problems with everything that is wrong with them.
func Load(vs []Vendor, o Options) (*Catalogue, error) {
	docs, err := readDocuments(vs, o)
	if err != nil {
		return nil, err
	}
	return build(vs, docs, o.Only)
}

func readDocuments(vs []Vendor, o Options) ([]*document, error) {
	var docs []*document
	for _, v := range vs {
		if o.Alone || v.Files == nil {
			continue
		}
		names, err := fs.Glob(v.Files, "*.yaml")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			text, err := fs.ReadFile(v.Files, n)
			if err != nil {
				return nil, err
			}
			d := parseDocument(n, text, false)
			d.cloud = v.Cloud
			docs = append(docs, d)
		}
	}
	files := slices.Clone(o.Files)
	for _, dir := range o.Dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fmt.Errorf("catalogue folder: %w", err)
		}
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("catalogue file: %w", err)
		}
		docs = append(docs, parseDocument(f, text, !o.Alone))
	}
	return docs, nil
}

// origin is where a field of a kind or file is given.
type origin struct {
	doc  *document
	node ast.Node // the value
	key  ast.Node
}

// rawKind is a kind as it is given, its overrides applied.
type rawKind struct {
	Kind
	name   string
	file   *rawFile
	fields map[string]origin
	at     place
	user   bool
	// late kinds are found at run time; known ones are compiled already, of
	// which no more than the name is here.
	late, known bool
}

// set copies the fields of which the key is wanted.
func (k *rawKind) set(from *Kind, wanted func(key string) bool) {
	names, index := yamlFields(reflect.TypeFor[Kind]())
	dst, src := reflect.ValueOf(&k.Kind).Elem(), reflect.ValueOf(from).Elem()
	for _, n := range names {
		if wanted(n) {
			dst.Field(index[n]).Set(src.Field(index[n]))
		}
	}
}

// place is where the value at a path of keys and indices is given.
func (k *rawKind) place(path ...any) place {
	if len(path) > 0 {
		if name, ok := path[0].(string); ok {
			if o, ok := k.fields[name]; ok {
				if len(path) == 1 {
					return o.doc.place(o.key)
				}
				return o.doc.place(o.doc.find(o.node, path[1:]...))
			}
			if o, ok := k.file.fields[name]; ok {
				return o.doc.place(o.doc.find(o.node, path[1:]...))
			}
		}
	}
	return k.at
}

// rawFile is a catalogue file as it is given.
type rawFile struct {
	File
	doc    *document
	fields map[string]origin
}

func (f *rawFile) key() serviceKey { return serviceKey{f.Cloud, f.Service} }

// defaultCloud is that of files which do not say.
const defaultCloud = "aws"

// merged are the files with the user's overrides applied, and their kinds.
type merged struct {
	vendors  vendors
	files    []*rawFile
	kinds    map[string]*rawKind
	problems Problems
}

func merge(vs []Vendor, docs []*document) *merged {
	m := &merged{vendors: vs, kinds: map[string]*rawKind{}}
	for _, d := range docs {
		if d.root != nil {
			m.file(d)
		}
		m.problems = append(m.problems, d.problems...)
	}
	return m
}

func (m *merged) file(d *document) {
	f := &rawFile{doc: d, fields: map[string]origin{}}
	names, index := yamlFields(reflect.TypeFor[File]())
	var kinds *ast.MappingNode
	for _, e := range d.entries(d.root) {
		k := keyText(e)
		i, ok := index[k]
		switch {
		case !ok:
			d.fail(e.Key, "unknown key %q%s", k, didYouMean(k, names))
		case k == "kinds":
			if kinds = mapping(d.plain(e.Value)); kinds == nil {
				d.fail(e.Value, "kinds wants a mapping from names to kinds")
			}
		default:
			d.decode(e.Value, reflect.ValueOf(&f.File).Elem().Field(i))
			f.fields[k] = origin{d, e.Value, e.Key}
		}
	}
	f.Cloud = cmp.Or(f.Cloud, d.cloud, defaultCloud)
	v := m.vendors.of(f.Cloud)
	if v == nil {
		clouds := m.vendors.clouds()
		m.problems = append(m.problems, f.place("cloud").problem("", "cloud: %q is none of %s%s", f.Cloud, strings.Join(clouds, ", "), didYouMean(f.Cloud, clouds)))
		return
	}
	if f.Service == "" {
		d.fail(d.root, "the file lacks service: %s", v.ServiceForm)
		return
	}
	if d.user {
		m.inherit(f)
	}
	m.files = append(m.files, f)
	if kinds != nil {
		for _, e := range d.entries(kinds) {
			m.kind(f, e)
		}
	}
}

// inherit lets a user's file say about the service what it says anew and have
// the rest from the files before it.
func (m *merged) inherit(f *rawFile) {
	for _, g := range m.files {
		if g.key() != f.key() {
			continue
		}
		if f.IAM == "" {
			f.IAM = g.IAM
		}
		if f.Scope == "" {
			f.Scope = g.Scope
		}
		for _, p := range []struct{ from, to *map[string]string }{{&g.Actions, &f.Actions}, {&g.Headers, &f.Headers}} {
			all := maps.Clone(*p.from)
			if all == nil {
				all = map[string]string{}
			}
			maps.Copy(all, *p.to)
			*p.to = all
		}
		if f.Limit == nil {
			f.Limit = g.Limit
		}
		if f.NotApplicable == nil {
			f.NotApplicable = g.NotApplicable
		}
		return
	}
}

func (m *merged) kind(f *rawFile, e *ast.MappingValueNode) {
	d, name := f.doc, keyText(e)
	given := mapping(d.plain(e.Value))
	if given == nil {
		d.fail(e.Key, "%s: a kind is a mapping with at least list, items and id", name)
		return
	}
	k, exists := m.kinds[name]
	switch {
	case exists && !d.user:
		d.fail(e.Key, "%s is declared twice, first in %s:%d", name, k.at.file, k.at.line)
		return
	case exists && k.file.key() != f.key():
		d.fail(e.Key, "%s belongs to the service %s, not %s", name, k.file.Service, f.Service)
		return
	case !exists:
		k = &rawKind{name: name, file: f, fields: map[string]origin{}, at: d.place(e.Key), user: d.user}
		m.kinds[name] = k
	}
	names, index := yamlFields(reflect.TypeFor[Kind]())
	dst := reflect.ValueOf(&k.Kind).Elem()
	for _, e := range d.entries(given) {
		key := keyText(e)
		i, ok := index[key]
		if !ok {
			d.fail(e.Key, "unknown key %q%s", key, didYouMean(key, names))
			continue
		}
		dst.Field(i).SetZero()
		d.decode(e.Value, dst.Field(i))
		k.fields[key] = origin{d, e.Value, e.Key}
	}
}

// services are all files' services, by cloud and name.
func (m *merged) services() []serviceKey {
	var out []serviceKey
	for _, f := range m.files {
		if !slices.Contains(out, f.key()) {
			out = append(out, f.key())
		}
	}
	slices.SortFunc(out, serviceKey.compare)
	return out
}

// units are the services in groups of those whose kinds are listed for each
// of one another's.
func (m *merged) units(services []serviceKey) [][]serviceKey {
	group := map[serviceKey]int{}
	for i, s := range services {
		group[s] = i
	}
	for _, name := range m.kindNames() {
		k := m.kinds[name]
		p := m.kinds[k.ForEach]
		if p == nil {
			continue
		}
		from, ok1 := group[k.file.key()]
		to, ok2 := group[p.file.key()]
		if !ok1 || !ok2 || from == to {
			continue
		}
		for s, g := range group {
			if g == max(from, to) {
				group[s] = min(from, to)
			}
		}
	}
	out := make([][]serviceKey, len(services))
	for _, s := range services {
		out[group[s]] = append(out[group[s]], s)
	}
	return slices.DeleteFunc(out, func(u []serviceKey) bool { return len(u) == 0 })
}

// kindNames are the names of all kinds, sorted.
func (m *merged) kindNames() []string { return sortedKeys(m.kinds) }

// ofServices are the kinds of services, parents before what is listed for
// each of them.
func (m *merged) ofServices(services []serviceKey) (kinds []*rawKind, problems Problems) {
	done := map[string]int{} // 1 is being visited, 2 is in kinds
	var visit func(k *rawKind)
	visit = func(k *rawKind) {
		if done[k.name] != 0 {
			return
		}
		done[k.name] = 1
		if k.ForEach != "" {
			p, ok := m.kinds[k.ForEach]
			switch {
			case !ok:
				problems = append(problems, k.place("for_each").problem(k.name, "for_each: unknown kind %q%s", k.ForEach, didYouMean(k.ForEach, m.kindNames())))
			case p.file.Cloud != k.file.Cloud:
				problems = append(problems, k.place("for_each").problem(k.name, "for_each: %s is of the cloud %s, not %s", p.name, p.file.Cloud, k.file.Cloud))
			case p.known:
				problems = append(problems, k.place("for_each").problem(k.name, "for_each: %s is not found at run time", p.name))
			case done[p.name] == 1:
				problems = append(problems, k.place("for_each").problem(k.name, "for_each: %s is, in the end, listed for each of itself", p.name))
			default:
				visit(p)
			}
		}
		done[k.name] = 2
		kinds = append(kinds, k)
	}
	for _, name := range m.kindNames() {
		if k := m.kinds[name]; !k.known && slices.Contains(services, k.file.key()) {
			visit(k)
		}
	}
	return kinds, problems
}

// splitNames are the words of a list that may be separated by commas.
func splitNames(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
