package normalize

import (
	"bytes"
	"math"
	"slices"
	"strconv"
)

// Canonical JSON: keys sorted, no spaces, strings with the escapes that JSON
// demands and no others, numbers as they came, floats in their shortest form,
// times in RFC 3339 UTC. It is written into walker.jbuf.

// emitScalar writes a scalar as its shape says. What cannot be written as
// such (a time that is none, NaN) is left out and, if it is wrong, a problem.
func (w *walker) emitScalar(n *node, t *token) {
	if n.time != 0 {
		w.emitTime(n, t)
		return
	}
	switch n.typ {
	case Boolean:
		b := t.b
		if t.typ == tokXML || t.typ == tokString {
			b = trimSpace(w.text(t))
		}
		v, ok := parseBool(b)
		switch {
		case len(b) == 0:
		case !ok:
			w.problem(w.columnOf(n), "type", b)
		case v == 1:
			w.jbuf = append(w.jbuf, "true"...)
		default:
			w.jbuf = append(w.jbuf, "false"...)
		}
	case Integer, BigInteger, Float:
		w.emitNumber(n, t)
	case Document:
		switch t.typ {
		case tokString, tokXML:
			w.emitText(t)
		default:
			w.jbuf = append(w.jbuf, t.b...)
		}
	default:
		w.emitText(t)
	}
}

func (w *walker) emitTime(n *node, t *token) {
	b := t.b
	if t.typ == tokXML || t.typ == tokString {
		b = w.text(t)
	}
	v, st := int64(0), timeBad
	if t.typ != tokTrue && t.typ != tokFalse {
		v, st = parseTime(b, n.time, t.typ == tokNumber)
	}
	switch st {
	case timeOK:
		w.jbuf = append(w.jbuf, '"')
		w.jbuf = append(appendTime(w.jbuf, v), '"')
	case timeBad:
		w.problem(w.columnOf(n), "time", b)
	}
}

func (w *walker) emitNumber(n *node, t *token) {
	b := t.b
	if t.typ == tokXML || t.typ == tokString {
		if b = trimSpace(w.text(t)); len(b) == 0 {
			return
		}
	}
	if len(b) <= 15 && (b[0] != '0' || len(b) == 1) {
		if _, ok := parseSmall(b); ok {
			w.jbuf = append(w.jbuf, b...)
			return
		}
	}
	if n.typ == Float {
		if x, ok := parseFloat(b); ok && t.typ != tokTrue && t.typ != tokFalse {
			w.jbuf = appendFloat(w.jbuf, x)
			return
		}
	} else if v, ok := parseInt(b); ok {
		w.jbuf = strconv.AppendInt(w.jbuf, v, 10)
		return
	} else if scanNumber(b, 0) == len(b) { // wider than 64 bits, or no integer: JSON can hold it
		w.jbuf = append(w.jbuf, b...)
		return
	}
	w.problem(w.columnOf(n), "number", b)
}

// appendFloat appends a float as JavaScript and encoding/json write it.
func appendFloat(dst []byte, x float64) []byte {
	format := byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	dst = strconv.AppendFloat(dst, x, format, -1, 64)
	if n := len(dst); format == 'e' && n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' { // e-09 is e-9
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// emitText writes a token as a JSON string.
func (w *walker) emitText(t *token) {
	if !t.esc && !t.decoded && t.typ == tokString {
		if b := w.text(t); !t.bad {
			w.jbuf = append(append(append(w.jbuf, '"'), b...), '"')
			return
		}
	}
	w.jbuf = appendString(w.jbuf, w.text(t))
}

// appendString appends valid UTF-8 as a JSON string.
func appendString(dst, b []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(b); {
		if i+8 <= len(b) {
			n := oddJSON(b, i)
			i += n
			if n == 8 {
				continue
			}
		}
		c := b[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, b[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		from = i
	}
	return append(append(dst, b[from:]...), '"')
}

// endList ends an array whose elements were written, each with a comma behind
// it, from start on. With set their segments lie from base on.
func (w *walker) endList(n *node, start, base int) {
	if segs := w.segs[base:]; n.set && len(segs) > 1 {
		slices.SortStableFunc(segs, func(a, b segment) int {
			return bytes.Compare(w.jbuf[a.from:a.to], w.jbuf[b.from:b.to])
		})
		w.rewrite(start+1, segs)
	}
	w.segs = w.segs[:base]
	w.endWith(start, ']')
}

// endWith replaces the last comma, if anything stands behind start.
func (w *walker) endWith(start int, c byte) {
	if len(w.jbuf) > start+1 {
		w.jbuf[len(w.jbuf)-1] = c
	} else {
		w.jbuf = append(w.jbuf, c)
	}
}

// rewrite puts the segments in their order behind each other, from start on.
func (w *walker) rewrite(start int, segs []segment) {
	buf := w.scratch.buf[:0]
	for _, s := range segs {
		buf = append(buf, w.jbuf[s.from:s.to]...)
	}
	w.scratch.buf = buf
	w.jbuf = append(w.jbuf[:start], buf...)
}

// endObject ends a structure whose members were written, each with a comma
// behind it, from start on, their segments from base on.
func (w *walker) endObject(n *node, start, base int) {
	segs := w.segs[base:]
	sorted := !n.flat
	for i := 1; i < len(segs) && sorted; i++ {
		sorted = segs[i-1].rank < segs[i].rank
	}
	if !sorted {
		sortByRank(segs)
		if n.flat {
			w.rewriteFlat(n, start+1, segs)
		} else {
			w.rewrite(start+1, lastOfEach(segs, func(a, b *segment) bool { return a.rank == b.rank }))
		}
	}
	w.segs = w.segs[:base]
	w.endWith(start, '}')
}

// endMap is endObject for a map, whose segments have keys.
func (w *walker) endMap(start, base int) {
	if segs := w.segs[base:]; !sortedByKey(segs) {
		slices.SortStableFunc(segs, func(a, b segment) int { return bytes.Compare(a.key, b.key) })
		w.rewrite(start+1, lastOfEach(segs, func(a, b *segment) bool { return bytes.Equal(a.key, b.key) }))
	}
	w.segs = w.segs[:base]
	w.endWith(start, '}')
}

func sortedByKey(segs []segment) bool {
	for i := 1; i < len(segs); i++ {
		if bytes.Compare(segs[i-1].key, segs[i].key) >= 0 {
			return false
		}
	}
	return true
}

func sortByRank(segs []segment) {
	for i := 1; i < len(segs); i++ {
		if segs[i-1].rank <= segs[i].rank {
			continue
		}
		s, j := segs[i], i
		for ; j > 0 && segs[j-1].rank > s.rank; j-- {
			segs[j] = segs[j-1]
		}
		segs[j] = s
	}
}

// lastOfEach keeps the last of each run of equal segments.
func lastOfEach(segs []segment, same func(a, b *segment) bool) []segment {
	n := 0
	for i := range segs {
		if i+1 < len(segs) && same(&segs[i], &segs[i+1]) {
			continue
		}
		if n != i {
			segs[n] = segs[i]
		}
		n++
	}
	return segs[:n]
}

// rewriteFlat is rewrite for segments sorted by rank, some of which are single
// elements of flat lists and entries of flat maps.
func (w *walker) rewriteFlat(n *node, start int, segs []segment) {
	buf := w.scratch.buf[:0]
	for i := 0; i < len(segs); {
		j := i + 1
		for j < len(segs) && segs[j].rank == segs[i].rank {
			j++
		}
		run := segs[i:j]
		i = j
		if run[0].field < 0 {
			last := run[len(run)-1]
			buf = append(buf, w.jbuf[last.from:last.to]...)
			continue
		}
		f := &n.fields[run[0].field]
		open, end := byte('['), byte(']')
		if f.node.kind == mapNode {
			open, end = '{', '}'
			slices.SortStableFunc(run, func(a, b segment) int { return bytes.Compare(a.key, b.key) })
			run = lastOfEach(run, func(a, b *segment) bool { return bytes.Equal(a.key, b.key) })
		} else if f.node.set {
			slices.SortStableFunc(run, func(a, b segment) int {
				return bytes.Compare(w.jbuf[a.from:a.to], w.jbuf[b.from:b.to])
			})
		}
		buf = append(append(buf, f.key...), open)
		empty := true
		for _, s := range run {
			buf = append(buf, w.jbuf[s.from:s.to]...)
			empty = empty && s.from == s.to
		}
		if empty {
			buf = append(buf, end, ',')
		} else {
			buf[len(buf)-1] = end
			buf = append(buf, ',')
		}
	}
	w.scratch.buf = buf
	w.jbuf = append(w.jbuf[:start], buf...)
}

// appendKey appends the key of a member of an object.
func appendKey(dst, key []byte) []byte { return append(appendString(dst, key), ':') }
