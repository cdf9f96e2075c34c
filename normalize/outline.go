package normalize

import "sort"

// Stretch is where items stand in a page, one behind the other.
type Stretch struct{ From, To int }

// stands notes where an item stands in the document: neighbours in a list
// make one stretch.
func (w *walker) stands(from, to int) {
	if n := len(w.stretches); n > 0 && w.stretches[n-1].To <= from {
		between := w.b[w.stretches[n-1].To:from]
		for len(between) > 0 && (between[0] == ',' || isSpace(between[0])) {
			between = between[1:]
		}
		if len(between) == 0 {
			w.stretches[n-1].To = to
			return
		}
	}
	w.stretches = append(w.stretches, Stretch{from, to})
}

// Outline leads through what a JSON page says besides its items, over which
// it steps without looking at them.
type Outline struct {
	w     walker
	items []Stretch
}

// NewOutline returns the outline of a page. items are those of it, in their
// order, and may be none.
func NewOutline(page []byte, items []Stretch) *Outline {
	return &Outline{w: walker{b: page}, items: items}
}

// Members calls f with the key, without quotes and with its escapes, and the
// position of the value of each member of the object at a position. f returns
// the position behind the value, which Skip and Members do, or a negative one
// to give up. Members returns the position behind the object, negative where
// there is none.
func (o *Outline) Members(at int, f func(key []byte, at int) int) int {
	b := o.w.b
	i := skipSpace(b, at)
	if i >= len(b) || b[i] != '{' {
		return failed
	}
	if i = skipSpace(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	for i < len(b) && b[i] == '"' {
		end, _, _ := scanString(b, i+1)
		if end < 0 {
			return failed
		}
		key := b[i+1 : end]
		if i = o.w.jsonName(i); i < 0 {
			return failed
		}
		if i = f(key, i); i < 0 {
			return failed
		}
		i = skipSpace(b, i)
		if i < len(b) && b[i] == '}' {
			return i + 1
		}
		if i >= len(b) || b[i] != ',' {
			return failed
		}
		i = skipSpace(b, i+1)
	}
	return failed
}

// Skip returns the position behind the value at a position.
func (o *Outline) Skip(at int) int {
	b := o.w.b
	if at >= len(b) {
		return failed
	}
	switch b[at] {
	case '{':
		return o.Members(at, func(_ []byte, at int) int { return o.Skip(at) })
	case '[':
	default:
		return o.w.jsonSkip(at)
	}
	i := skipSpace(b, at+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for i < len(b) {
		if k := sort.Search(len(o.items), func(k int) bool { return o.items[k].From >= i }); k < len(o.items) && o.items[k].From == i {
			i = o.items[k].To
		} else if i = o.Skip(i); i < 0 {
			return failed
		}
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ']' {
			return i + 1
		}
		if i >= len(b) || b[i] != ',' {
			return failed
		}
		i = skipSpace(b, i+1)
	}
	return failed
}
