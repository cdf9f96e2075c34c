package catalog

import (
	"embed"
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

//go:embed *.yaml
var embedded embed.FS

// Options say what to load.
type Options struct {
	// Files are catalogue files of the user; Dirs are folders whose *.yaml
	// and *.yml are read too. They add kinds, or replace the fields they give
	// of kinds that exist.
	Files, Dirs []string
	// Alone reads the files in place of the embedded ones and as strictly:
	// a kind stands in one file, and sensitive members that nothing is said
	// about are errors instead of being dropped.
	Alone bool
	// Only, if not empty, compiles no more than the services of the kinds
	// that these names, services and globs select, and those of the user's
	// files. The others are known by name alone.
	Only []string
}

// Load reads, checks and compiles the catalogue. Its error, where files are
// wrong, is a Problems with everything that is wrong with them.
func Load(o Options) (*Catalogue, error) {
	docs, err := readDocuments(o)
	if err != nil {
		return nil, err
	}
	return build(docs, o.Only)
}

func readDocuments(o Options) ([]*document, error) {
	var docs []*document
	if !o.Alone {
		names, err := fs.Glob(embedded, "*.yaml")
		if err != nil {
			return nil, err
		}
		for _, n := range names {
			text, err := embedded.ReadFile(n)
			if err != nil {
				return nil, err
			}
			docs = append(docs, parseDocument(n, text, false))
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

// merged are the files with the user's overrides applied, and their kinds.
type merged struct {
	files    []*rawFile
	kinds    map[string]*rawKind
	problems Problems
}

func merge(docs []*document) *merged {
	m := &merged{kinds: map[string]*rawKind{}}
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
	if f.Service == "" {
		d.fail(d.root, "the file lacks service: the botocore name of the service")
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
		if g.Service != f.Service {
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
	case exists && k.file.Service != f.Service:
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

// services are the names of all files' services.
func (m *merged) services() []string {
	var out []string
	for _, f := range m.files {
		if !slices.Contains(out, f.Service) {
			out = append(out, f.Service)
		}
	}
	slices.Sort(out)
	return out
}

// kindNames are the names of all kinds, sorted.
func (m *merged) kindNames() []string { return sortedKeys(m.kinds) }

// ofService are the kinds of a service, parents before what is listed for
// each of them.
func (m *merged) ofService(service string) (kinds []*rawKind, problems Problems) {
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
			case p.file.Service != service:
				problems = append(problems, k.place("for_each").problem(k.name, "for_each: %s is of the service %s, not %s", p.name, p.file.Service, service))
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
		if k := m.kinds[name]; k.file.Service == service {
			visit(k)
		}
	}
	return kinds, problems
}

// splitNames are the words of a list that may be separated by commas.
func splitNames(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}
