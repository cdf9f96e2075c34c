package normalize

import (
	"fmt"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// tree is a trie while it grows: what is wanted of a document.
type tree struct {
	src       int
	shape     *Shape
	root      *want
	item      *want
	itemShape *Shape
	levels    []*levelWant // around the item, outermost first
}

// levelWant is a structure around the item.
type levelWant struct {
	index int
	want  *want
	shape *Shape
	ahead *want // what Up expressions want of it
}

// want is a node of a tree.
type want struct {
	members            map[string]*want
	order              []string // of members, as they were wanted
	each, values, keys *want

	sinks   []sink
	columns []int32
	touch   []int32
	pair    bool
	item    itemRole
	items   bool
	level   *levelWant
	records []record
}

func (w *want) member(name string) *want {
	if w.members == nil {
		w.members = map[string]*want{}
	}
	m := w.members[name]
	if m == nil {
		m = &want{}
		w.members[name] = m
		w.order = append(w.order, name)
	}
	return m
}

func sub(w **want) *want {
	if *w == nil {
		*w = &want{}
	}
	return *w
}

// place is where a path ends.
type place struct {
	want   *want
	shape  *Shape
	member *Member // the last one on the path, nil if there is none
	many   []*want // the lists and maps that wildcards on the path went through
	keys   bool
}

// resolve follows a path. It makes a place in the tree for each step.
func resolve(w *want, s *Shape, path Path) (place, error) {
	pl := place{want: w, shape: s}
	for i, st := range path {
		if pl.keys {
			return pl, fmt.Errorf("%s: nothing follows keys", path[:i+1])
		}
		if st.Member != "" {
			switch pl.shape.Type {
			case Structure:
				m := pl.shape.Member(st.Member)
				if m == nil {
					return pl, fmt.Errorf("%s: %s has no member %s", path[:i+1], shapeName(pl.shape), st.Member)
				}
				if m.Drop {
					return pl, fmt.Errorf("%s: the member is dropped", path[:i+1])
				}
				pl.member, pl.shape = m, m.Shape
			case Map:
				pl.member, pl.shape = nil, pl.shape.Elem
			default:
				return pl, fmt.Errorf("%s: %s has no members", path[:i+1], shapeName(pl.shape))
			}
			pl.want = pl.want.member(st.Member)
		}
		switch {
		case st.Each && pl.shape.Type == List:
			pl.many = append(pl.many, pl.want)
			pl.want, pl.shape = sub(&pl.want.each), pl.shape.Elem
			pl.member = elementOf(pl.member)
		case st.Values && pl.shape.Type == Map:
			pl.many = append(pl.many, pl.want)
			pl.want, pl.shape = sub(&pl.want.values), pl.shape.Elem
			pl.member = elementOf(pl.member)
		case st.Keys && pl.shape.Type == Map:
			pl.many = append(pl.many, pl.want)
			pl.want, pl.shape, pl.keys = sub(&pl.want.keys), keyShape, true
			pl.member = nil
		case st.Each || st.Values || st.Keys:
			return pl, fmt.Errorf("%s: %s has no such elements", path[:i+1], shapeName(pl.shape))
		}
		if pl.shape == nil {
			return pl, fmt.Errorf("%s: the description gives no shape", path[:i+1])
		}
	}
	return pl, nil
}

var keyShape = &Shape{Name: "key", Type: String}

// elementOf is what a member says about the elements of its list.
func elementOf(m *Member) *Member {
	if m == nil || m.Time == 0 {
		return nil
	}
	return &Member{Time: m.Time}
}

// elements goes on to the elements of a list, where the place is one.
func (pl *place) elements() {
	for pl.shape.Type == List {
		pl.many = append(pl.many, pl.want)
		pl.want, pl.shape = sub(&pl.want.each), pl.shape.Elem
		pl.member = elementOf(pl.member)
	}
}

func (pl *place) scalar() bool {
	switch pl.shape.Type {
	case Structure, List, Map, Document:
		return false
	}
	return true
}

// time is the format of a time at the place.
func (pl *place) time(override TimeFormat) (TimeFormat, error) {
	switch {
	case override != 0:
		return override, nil
	case pl.member != nil && pl.member.Time != 0:
		return pl.member.Time, nil
	case pl.shape.Time != 0:
		return pl.shape.Time, nil
	case pl.shape.Type == String || pl.shape.Type == Time:
		return TimeISO, nil
	}
	return 0, fmt.Errorf("the unit of the time is not known: state its format")
}

func shapeName(s *Shape) string {
	if s.Name != "" {
		return s.Name
	}
	return "the value"
}

// String writes a path as the catalogue does.
func (p Path) String() string {
	if len(p) == 0 {
		return "."
	}
	var b strings.Builder
	for i, s := range p {
		if i > 0 && s.Member != "" {
			b.WriteByte('.')
		}
		b.WriteString(s.Member)
		switch {
		case s.Each:
			b.WriteString("[]")
		case s.Values:
			b.WriteString("{}")
		case s.Keys:
			b.WriteString("{key}")
		}
	}
	return b.String()
}

// timeOf is time for columns of times, 0 for others.
func (pl *place) timeOf(t schema.Type, override TimeFormat) (TimeFormat, error) {
	if t != schema.Timestamp {
		return 0, nil
	}
	return pl.time(override)
}
