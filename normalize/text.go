package normalize

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// tokenType is the type of a scalar as the document writes it.
type tokenType uint8

const (
	tokString tokenType = iota + 1
	tokNumber
	tokTrue
	tokFalse
	tokXML // text of an element or an attribute: it may be anything
)

// token is a scalar of a document.
type token struct {
	b   []byte // the text as it stands, without quotes
	typ tokenType
	// esc says that the text has escapes, high that it has bytes over 0x7f.
	// Both are cleared when it is decoded.
	esc, high bool
	decoded   bool // b is the text itself, no longer as it stands
	bad       bool // the text had characters that no text may have
	// The time that the text is in the format parsed, once it is parsed.
	parsed TimeFormat
	state  timeState
	micros int64
}

// maxSample bounds the sample of a problem.
const maxSample = 200

// clip cuts a text to a sample without cutting a character.
func clip[T string | []byte](s T) string {
	if len(s) <= maxSample {
		return string(s)
	}
	n := maxSample
	for n > maxSample-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return string(s[:n])
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isSpace(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

const (
	swarLow  = 0x0101010101010101
	swarHigh = 0x8080808080808080
)

// oddJSON returns how many of the 8 bytes at i come before the first that is a
// quote, a backslash, a control character or not ASCII: 8 if none is. In each
// term a byte's high bit is right up to the first byte for which it is set.
func oddJSON(b []byte, i int) int {
	x := binary.LittleEndian.Uint64(b[i:])
	quote, slash := x^swarLow*'"', x^swarLow*'\\'
	odd := (x | (x-swarLow*0x20)&^x | (quote-swarLow)&^quote | (slash-swarLow)&^slash) & swarHigh
	return bits.TrailingZeros64(odd) >> 3
}

// oddXML is oddJSON for '<', '&', control characters and what is not ASCII.
func oddXML(b []byte, i int) int {
	x := binary.LittleEndian.Uint64(b[i:])
	less, amp := x^swarLow*'<', x^swarLow*'&'
	odd := (x | (x-swarLow*0x20)&^x | (less-swarLow)&^less | (amp-swarLow)&^amp) & swarHigh
	return bits.TrailingZeros64(odd) >> 3
}

// text returns the token's text, decoded and valid: UTF-8 without NUL, every
// broken character replaced by U+FFFD. It is good until the next row begins.
func (w *walker) text(t *token) []byte {
	if !t.esc && (!t.high || validText(t.b)) {
		return t.b
	}
	start := len(w.arena)
	switch {
	case !t.esc:
		w.arena = appendValid(w.arena, t.b)
		t.bad = true
	case t.typ == tokXML:
		w.arena, t.bad = appendXMLText(w.arena, t.b)
	default:
		w.arena, t.bad = appendUnescaped(w.arena, t.b)
	}
	t.b = w.arena[start:len(w.arena):len(w.arena)]
	t.esc, t.high, t.decoded = false, false, true
	return t.b
}

// appendValid appends b with each byte that is not UTF-8, and each NUL,
// replaced by U+FFFD.
func appendValid(dst, b []byte) []byte {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c == 0 {
				dst = append(dst, replacement...)
			} else {
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, replacement...)
		} else {
			dst = append(dst, b[i:i+n]...)
		}
		i += n
	}
	return dst
}

const replacement = "\uFFFD"

// appendUnescaped appends the text of a JSON string whose escapes are known
// to be well formed.
func appendUnescaped(dst, b []byte) (_ []byte, bad bool) {
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '\\':
			c = b[i+1]
			i += 2
			switch c {
			case 'b':
				dst = append(dst, '\b')
			case 'f':
				dst = append(dst, '\f')
			case 'n':
				dst = append(dst, '\n')
			case 'r':
				dst = append(dst, '\r')
			case 't':
				dst = append(dst, '\t')
			case 'u':
				r := hex4(b[i:])
				i += 4
				if r >= 0xd800 && r < 0xdc00 && len(b) >= i+6 && b[i] == '\\' && b[i+1] == 'u' {
					if low := hex4(b[i+2:]); low >= 0xdc00 && low < 0xe000 {
						r = (r-0xd800)<<10 + (low - 0xdc00) + 0x10000
						i += 6
					}
				}
				if r == 0 || r >= 0xd800 && r < 0xe000 {
					r, bad = utf8.RuneError, true
				}
				dst = utf8.AppendRune(dst, r)
			default:
				dst = append(dst, c)
			}
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				bad = true
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst, bad
}

func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		r = r<<4 | rune(unhex(c))
	}
	return r
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 0xff
}

// appendXMLText appends text whose entities are known to be well formed, line
// ends normalised.
func appendXMLText(dst, b []byte) (_ []byte, bad bool) {
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '&':
			r, n := entity(b[i:])
			if r == 0 || r > utf8.MaxRune || r >= 0xd800 && r < 0xe000 {
				r, bad = utf8.RuneError, true
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		case c == '\r':
			dst = append(dst, '\n')
			i++
			if i < len(b) && b[i] == '\n' {
				i++
			}
		case c == 0:
			dst, bad = append(dst, replacement...), true
			i++
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == utf8.RuneError && n == 1 {
				bad = true
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst, bad
}

// entity reads an entity at the start of b and returns its length, 0 if it is
// none that XML knows by itself. The character may be out of any range.
func entity(b []byte) (rune, int) {
	if len(b) > 2 && b[1] == '#' {
		i, base := 2, rune(10)
		if b[2] == 'x' {
			i, base = 3, 16
		}
		first := i
		var r rune
		for ; i < len(b); i++ {
			d := unhex(b[i])
			if rune(d) >= base {
				break
			}
			if r <= utf8.MaxRune {
				r = r*base + rune(d)
			}
		}
		if i == first || i >= len(b) || b[i] != ';' {
			return 0, 0
		}
		return r, i + 1
	}
	for _, e := range [...]struct {
		name string
		r    rune
	}{{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}} {
		if len(b) >= len(e.name) && string(b[:len(e.name)]) == e.name {
			return e.r, len(e.name)
		}
	}
	return 0, 0
}
