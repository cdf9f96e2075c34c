package normalize

import (
	"bytes"
	"math"
	"strconv"

	"github.com/dewpoint-data/dewpoint/schema"
)

// number converts a scalar to the 64 bits of a column's type. What cannot be
// converted is a problem.
func (w *walker) number(col int32, typ schema.Type, f TimeFormat, t *token) (int64, bool) {
	b := t.b
	if t.typ == tokString || t.typ == tokXML {
		b = trimSpace(w.text(t))
		if len(b) == 0 {
			return 0, false
		}
	}
	var v int64
	ok := false
	code := "number"
	switch typ {
	case schema.Int64:
		if t.typ != tokTrue && t.typ != tokFalse {
			v, ok = parseInt(b)
		}
	case schema.Float64:
		var x float64
		if t.typ != tokTrue && t.typ != tokFalse {
			x, ok = parseFloat(b)
		}
		v = int64(math.Float64bits(x))
	case schema.Bool:
		code = "type"
		v, ok = parseBool(b)
	case schema.Timestamp:
		code = "time"
		if t.typ != tokTrue && t.typ != tokFalse {
			if t.parsed != f {
				t.micros, t.state = parseTime(b, f, t.typ == tokNumber)
				t.parsed = f
			}
			if v = t.micros; t.state == timeNull {
				return 0, false
			}
			ok = t.state == timeOK
		}
	}
	if !ok {
		w.problem(col, code, b)
	}
	return v, ok
}

func parseBool(b []byte) (int64, bool) {
	switch len(b) {
	case 1:
		switch b[0] {
		case '0':
			return 0, true
		case '1':
			return 1, true
		}
	case 4:
		if bytes.EqualFold(b, []byte("true")) {
			return 1, true
		}
	case 5:
		if bytes.EqualFold(b, []byte("false")) {
			return 0, true
		}
	}
	return 0, false
}

// parseInt reads an integer of 64 bits. A fraction or an exponent is taken if
// the value is an integer all the same.
func parseInt(b []byte) (int64, bool) {
	i, negative := 0, false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		i = 1
	}
	if len(b)-i > 19 || len(b) == i {
		return parseIntSlow(b)
	}
	var v uint64
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 {
			return parseIntSlow(b)
		}
		v = v*10 + uint64(d)
	}
	if negative {
		return -int64(v), v <= 1<<63
	}
	return int64(v), v <= math.MaxInt64
}

// parseIntSlow is parseInt for long ones and those that look like floats,
// which are exact up to 2^53.
func parseIntSlow(b []byte) (int64, bool) {
	if !isNumber(b) {
		return 0, false
	}
	if v, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		return v, true
	}
	x, err := strconv.ParseFloat(string(b), 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) >= 1<<53 {
		return 0, false
	}
	return int64(x), true
}

// parseFloat reads a finite float.
func parseFloat(b []byte) (float64, bool) {
	if len(b) <= 15 {
		if v, ok := parseSmall(b); ok {
			return float64(v), true
		}
	}
	if !isNumber(b) {
		return 0, false
	}
	x, err := strconv.ParseFloat(string(b), 64)
	return x, err == nil
}

// parseSmall reads a short plain integer.
func parseSmall(b []byte) (v int64, ok bool) {
	if len(b) == 0 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	return v, true
}

// isNumber reports whether b is a decimal number, with what other writers
// than JSON's allow: a plus sign, leading zeros, a bare point.
func isNumber(b []byte) bool {
	i := 0
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		i++
	}
	seen, point := 0, false
	for ; i < len(b); i++ {
		if b[i] == '.' && !point {
			point = true
		} else if b[i] >= '0' && b[i] <= '9' {
			seen++
		} else {
			break
		}
	}
	if seen == 0 {
		return false
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '-' || b[i] == '+') {
			i++
		}
		first := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		if i == first {
			return false
		}
	}
	return i == len(b)
}
