package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

func (t *table) types() {
	k := t.k
	for _, p := range sortedKeys(k.raw.Convert) {
		ts, err := parseTransforms(k.raw.Convert[p])
		if err == nil {
			var v value
			if v, err = k.value(p); err == nil {
				var c *column
				if c, err = t.named(v, "convert", p); err == nil {
					c.transform(ts)
				}
			}
		}
		if err != nil {
			k.fail(err, "convert", p)
		}
	}
	for _, p := range sortedKeys(k.raw.Times) {
		f, ok := timeFormats[k.raw.Times[p]]
		if !ok {
			k.failf([]any{"times", p}, "unknown time format %q%s", k.raw.Times[p], didYouMean(k.raw.Times[p], sortedKeys(timeFormats)))
			continue
		}
		vs, err := k.all(p)
		if err != nil {
			k.fail(err, "times", p)
			continue
		}
		for _, v := range vs {
			s := v.shape
			if s != nil && s.Type == "list" {
				s = s.Elem
			}
			if s := scalarType(s); s == 0 || s == schema.Bool {
				k.failf([]any{"times", p}, "%s is no time: it is a %s", p, v.shape.Type)
				continue
			}
			if v.call != nil && v.tag == "" && v.header == "" {
				if m := v.call.at(v.full()); m != nil {
					m.Time = f
				}
			}
			c := t.byKey[v.key()]
			if c == nil && v.mapKey {
				if c, err = t.named(v, "times", p); err != nil {
					k.fail(err, "times", p)
				}
			}
			if c != nil {
				if c.typ, c.time = schema.Timestamp, f; v.many || v.shape.Type == "list" {
					c.typ = schema.TimestampList
				}
			}
		}
	}
	for _, p := range sortedKeys(k.raw.Types) {
		typ, ok := typeNames[k.raw.Types[p]]
		if !ok {
			k.failf([]any{"types", p}, "unknown type %q%s", k.raw.Types[p], didYouMean(k.raw.Types[p], sortedKeys(typeNames)))
			continue
		}
		v, err := k.value(p)
		if err == nil {
			err = t.typed(v, typ, p)
		}
		if err != nil {
			k.fail(err, "types", p)
		}
	}
}

func (t *table) typed(v value, typ schema.Type, p string) error {
	c, err := t.named(v, "types", p)
	if err != nil {
		return err
	}
	s := v.shape
	if s != nil && s.Type == "list" {
		s = s.Elem
	}
	if scalarType(s) == 0 {
		return fmt.Errorf("%s is no text: it is a %s", p, s.Type)
	}
	switch typ {
	case schema.JSON:
		c.transform([]normalize.Transform{{Op: normalize.ParseJSON}})
		return nil
	case schema.Timestamp:
		switch {
		case c.time != 0 || s.Type == "timestamp":
		case scalarType(s) == schema.Text:
			c.time = normalize.TimeISO
		default:
			return fmt.Errorf("%s is a %s: say its format in times: %s", p, s.Type, strings.Join(sortedKeys(timeFormats), ", "))
		}
	}
	if c.typ.Elem() != 0 {
		typ = typ.List()
	}
	c.typ = typ
	return nil
}

func (t *table) rename() {
	k := t.k
	for _, p := range sortedKeys(k.raw.Rename) {
		to, at := k.raw.Rename[p], []any{"rename", p}
		if !columnNameOK(to) {
			k.failf(at, "%q is no column name: lower case letters, digits and _, at most %d", to, maxName)
			continue
		}
		v, err := k.value(p)
		if err != nil {
			k.fail(err, at...)
			continue
		}
		if group := t.group(v.key()); t.byKey[v.key()] == nil && len(group) > 0 {
			old := group[0].name[:len(group[0].name)-len(snake(group[0].value.path[len(group[0].value.path)-1].Member))]
			for _, c := range group {
				c.name = to + "_" + strings.TrimPrefix(c.name, old)
				c.named, c.at = true, at
			}
			continue
		}
		c, err := t.named(v, at...)
		if err != nil {
			k.fail(err, at...)
			continue
		}
		c.name, c.named, c.at = to, true, at
	}
}

func columnNameOK(s string) bool {
	if s == "" || len(s) > maxName || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// group are the columns that a structure was flattened into.
func (t *table) group(key string) []*column {
	var out []*column
	for _, c := range t.cols {
		if c.outer == key {
			out = append(out, c)
		}
	}
	return out
}

func (t *table) volatile() {
	k := t.k
	for i, p := range k.raw.Volatile {
		vs, err := k.all(p)
		if err != nil {
			k.fail(err, "volatile", i)
			continue
		}
		found := false
		for _, v := range vs {
			if c := t.byKey[v.key()]; c != nil {
				c.volatile, found = true, true
			}
			for _, c := range t.group(v.key()) {
				c.volatile, found = true, true
			}
		}
		if !found {
			k.failf([]any{"volatile", i}, "%s is no column of its own: promote or drop it", p)
		}
	}
}

func (t *table) sets() {
	k := t.k
	for i, p := range k.raw.Set {
		vs, err := k.all(p)
		if err != nil {
			k.fail(err, "set", i)
			continue
		}
		for _, v := range vs {
			s := v.shape
			path := v.path
			// A path to the elements means their list.
			if n := len(path); n > 0 && path[n-1].Each && (s == nil || s.Type != "list") {
				v.path = append(slices.Clone(path[:n-1]), normalize.Step{Member: path[n-1].Member})
			} else if s == nil || s.Type != "list" {
				if c := t.byKey[v.key()]; c == nil || c.typ.Elem() == 0 {
					k.failf([]any{"set", i}, "%s is no list", p)
					continue
				}
			}
			if c := t.byKey[v.key()]; c != nil {
				c.set = true
			}
			if v.call != nil {
				if m := v.call.at(v.full()); m != nil {
					m.Set = true
				}
			}
		}
	}
}
