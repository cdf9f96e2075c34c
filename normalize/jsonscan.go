package normalize

// jsonSkip reads the value at i and forgets it.
func (w *walker) jsonSkip(i int) int {
	b := w.b
	if i < len(b) && b[i] != '{' && b[i] != '[' {
		end := failed
		if b[i] != '"' {
			end = scanScalar(b, i)
		} else if end, _, _ = scanString(b, i+1); end >= 0 {
			end++
		}
		if end < 0 {
			return w.fail(i, "a JSON value")
		}
		return end
	}
	return w.jsonSkipNested(i)
}

func (w *walker) jsonSkipNested(i int) int {
	b := w.b
	var stack [maxDepth]byte // the ends of the open objects and arrays
	depth := 0
	for {
		// A value.
		if i >= len(b) {
			return w.fail(i, "a JSON value")
		}
		switch b[i] {
		case '"':
			end, _, _ := scanString(b, i+1)
			if end < 0 {
				return w.fail(i, "a JSON string")
			}
			i = end + 1
		case '{', '[':
			if w.depth+depth >= maxDepth {
				return w.fail(i, "less nesting")
			}
			end := b[i] + 2 // in ASCII
			i = skipSpace(b, i+1)
			if i < len(b) && b[i] == end {
				i++
				break
			}
			stack[depth] = end
			depth++
			if end == '}' {
				if i = w.jsonName(i); i < 0 {
					return failed
				}
			}
			continue
		default:
			end := scanScalar(b, i)
			if end < 0 {
				return w.fail(i, "a JSON value")
			}
			i = end
		}
		// What comes behind it.
		for {
			if depth == 0 {
				return i
			}
			i = skipSpace(b, i)
			if i >= len(b) {
				return w.fail(i, "the end of an object or array")
			}
			if b[i] == stack[depth-1] {
				depth--
				i++
				continue
			}
			if b[i] != ',' {
				return w.fail(i, "a comma")
			}
			i = skipSpace(b, i+1)
			if stack[depth-1] == '}' {
				if i = w.jsonName(i); i < 0 {
					return failed
				}
			}
			break
		}
	}
}

// jsonName skips a member's name and colon.
func (w *walker) jsonName(i int) int {
	b := w.b
	if i >= len(b) || b[i] != '"' {
		return w.fail(i, "a member's name")
	}
	end, _, _ := scanString(b, i+1)
	if end < 0 {
		return w.fail(i, "a JSON string")
	}
	if i = skipSpace(b, end+1); i >= len(b) || b[i] != ':' {
		return w.fail(i, "a colon")
	}
	return skipSpace(b, i+1)
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && isSpace(b[i]) {
		i++
	}
	return i
}

// scanString finds the quote that ends the string whose text begins at i, or
// returns failed. It checks the escapes.
func scanString(b []byte, i int) (end int, esc, high bool) {
	for {
		for i+8 <= len(b) {
			n := oddJSON(b, i)
			i += n
			if n < 8 {
				break
			}
		}
		if i >= len(b) {
			return failed, false, false
		}
		switch c := b[i]; {
		case c == '"':
			return i, esc, high
		case c == '\\':
			esc = true
			if i = scanEscape(b, i+1); i < 0 {
				return failed, false, false
			}
		case c < 0x20:
			return failed, false, false
		default:
			high = high || c >= 0x80
			i++
		}
	}
}

// scanEscape returns the end of the escape whose backslash stands before i.
func scanEscape(b []byte, i int) int {
	if i >= len(b) {
		return failed
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 > len(b) {
			return failed
		}
		for _, c := range b[i+1 : i+5] {
			if unhex(c) > 15 {
				return failed
			}
		}
		return i + 5
	}
	return failed
}

// scanScalar returns the end of the number or literal at i.
func scanScalar(b []byte, i int) int {
	lit := ""
	switch b[i] {
	case 't':
		lit = "true"
	case 'f':
		lit = "false"
	case 'n':
		lit = "null"
	default:
		return scanNumber(b, i)
	}
	if len(b)-i < len(lit) || string(b[i:i+len(lit)]) != lit {
		return failed
	}
	return i + len(lit)
}

// scanNumber returns the end of the number at i.
func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return failed
	case b[i] == '0':
		i++
	case b[i] >= '1' && b[i] <= '9':
		i = scanDigits(b, i)
	default:
		return failed
	}
	if i < len(b) && b[i] == '.' {
		from := i + 1
		if i = scanDigits(b, from); i == from {
			return failed
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		from := i
		if i = scanDigits(b, from); i == from {
			return failed
		}
	}
	return i
}

func scanDigits(b []byte, i int) int {
	for i < len(b) && b[i] >= '0' && b[i] <= '9' {
		i++
	}
	return i
}
