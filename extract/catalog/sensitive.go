package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/normalize"
)

// decide finds the sensitive members and what is said about them.
func (k *kindCompiler) decide() {
	for _, p := range sortedKeys(k.raw.Keep) {
		if k.raw.Keep[p] == "" {
			k.failf([]any{"keep", p}, "keep: %s lacks its reason", p)
		}
		vs, err := k.all(p)
		if err != nil {
			k.fail(fmt.Errorf("keep: %w", err), "keep", p)
			continue
		}
		k.keeps = append(k.keeps, vs...)
	}
	gone := k.gone(k.raw.Drop, k.raw.Redact, k.raw.file.Drop)
	reported := map[string]bool{}
	for _, c := range k.calls {
		for _, p := range sensitivePaths(c.item) {
			text := pathText(p)
			if len(c.items) == 0 && c.tokens[p[0].Member] || reported[text] {
				continue
			}
			v := value{call: c, path: p}
			if covered(v, gone) || k.kept(v) {
				continue
			}
			reported[text] = true
			if !k.raw.user {
				k.failf(nil, "%s of %s is sensitive: drop or redact it, or keep it with a reason", text, c.op.Name)
			}
		}
	}
}

// gone are the values that lists of paths leave out. What is wrong with the
// paths is reported where columns are made of them.
func (k *kindCompiler) gone(lists ...[]string) []value {
	var out []value
	for _, p := range slices.Concat(lists...) {
		vs, err := k.all(p)
		if err != nil {
			continue
		}
		for _, v := range vs {
			if v.inDocument() {
				out = append(out, v)
			}
		}
	}
	return out
}

// inDocument says whether a value is read from a call's answer by its path.
func (v value) inDocument() bool { return v.call != nil && v.tag == "" && v.header == "" }

var marks = strings.NewReplacer("[]", "", "{}", "", "{key}", "")

// bare is a value's path without the marks of lists and maps.
func (v value) bare() string {
	return fmt.Sprintf("%d/%d/%s", v.call.index, v.up, marks.Replace(pathText(v.path)))
}

// within says whether v is w or below it.
func (v value) within(w value) bool {
	if !w.inDocument() || !v.inDocument() || v.call != w.call || v.up != w.up {
		return false
	}
	return len(w.path) == 0 || v.bare() == w.bare() || strings.HasPrefix(v.bare(), w.bare()+".")
}

// covered says whether v is one of the values or below one.
func covered(v value, by []value) bool {
	return slices.ContainsFunc(by, v.within)
}

// kept says whether a sensitive value is one to keep: by name, as tags, or
// because it is an id, a name or a reference.
func (k *kindCompiler) kept(v value) bool {
	if covered(v, k.keeps) || k.tags != nil && v.within(*k.tags) {
		return true
	}
	return slices.ContainsFunc(k.used, func(w value) bool { return w.inDocument() && w.call == v.call && w.bare() == v.bare() })
}

// mask drops what is sensitive or unwanted from the calls' descriptions.
func (k *kindCompiler) mask() {
	for _, c := range k.calls {
		c.dropSensitive()
	}
	for _, c := range k.calls {
		for _, p := range c.reads {
			c.read(p)
		}
	}
	for _, v := range k.used {
		if v.inDocument() {
			v.call.read(v.full())
		}
	}
	whole := k.keeps
	if k.tags != nil {
		whole = append(slices.Clone(whole), *k.tags)
	}
	for _, v := range whole {
		if v.inDocument() {
			v.call.keep(v.full())
		}
	}
	for _, v := range k.gone(k.raw.Drop, k.raw.file.Drop) {
		if slices.ContainsFunc(k.used, func(w value) bool { return w.within(v) }) || v.call.readsIn(v.full()) {
			continue // it is no column, but something in it is read
		}
		v.drop()
	}
	for _, v := range k.gone(k.raw.Redact) {
		v.drop()
	}
}

// readsIn says whether something at or below a path from the output is read
// besides values.
func (c *call) readsIn(path normalize.Path) bool {
	p := marks.Replace(pathText(path))
	return slices.ContainsFunc(c.reads, func(r normalize.Path) bool {
		q := marks.Replace(pathText(r))
		return q == p || strings.HasPrefix(q, p+".")
	})
}

// drop leaves a member or the key of a map out of its call's answers.
func (v value) drop() {
	path := v.full()
	if v.mapKey {
		last := len(path) - 1
		if m := v.call.at(path[:last]); m != nil {
			m.Shape.DropKeys = append(slices.Clone(m.Shape.DropKeys), path[last].Member)
		}
		return
	}
	if m := v.call.at(path); m != nil {
		m.Drop = true
	}
}
