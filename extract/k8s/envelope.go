package k8s

import (
	"bytes"
	"errors"
	"strings"
)

// envelope is what a list says of itself besides its items.
type envelope struct {
	kind, apiVersion string
	next             string // the continue token, empty at the end
}

var errEnvelope = errors.New("the answer is not a JSON object")

// readEnvelope reads kind, apiVersion and the continue token of a list whose
// items it skips. The lists of built-in resources begin with them; those of
// custom resources have kind and metadata behind the items.
func readEnvelope(b []byte) (e envelope, err error) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return e, errEnvelope
	}
	metadata := false
	err = members(b, i, func(name, value []byte) bool {
		switch string(name) {
		case "kind":
			e.kind = text(value)
		case "apiVersion":
			e.apiVersion = text(value)
		case "metadata":
			metadata = true
			if value[0] == '{' {
				err := members(value, 0, func(name, value []byte) bool {
					if string(name) == "continue" {
						e.next = text(value)
					}
					return true
				})
				if err != nil {
					return false
				}
			}
		}
		// Where metadata has come, what follows are the items.
		return !metadata || e.kind == "" || e.apiVersion == ""
	})
	return e, err
}

// members calls f for the members of the object at i until f is false.
func members(b []byte, i int, f func(name, value []byte) bool) error {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return nil
	}
	for {
		end := skipString(b, i)
		if end < 0 {
			return errEnvelope
		}
		name := b[i+1 : end-1]
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ':' {
			return errEnvelope
		}
		i = skipSpace(b, i+1)
		if end = skipValue(b, i); end < 0 {
			return errEnvelope
		}
		if !f(name, b[i:end]) {
			return nil
		}
		i = skipSpace(b, end)
		switch {
		case i < len(b) && b[i] == ',':
			i = skipSpace(b, i+1)
		case i < len(b) && b[i] == '}':
			return nil
		default:
			return errEnvelope
		}
	}
}

// skipValue returns the end of the value at i, or -1. What is in an object or
// array is checked by the reader of the rows, not here.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = skipString(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	for j := i; j < len(b); j++ {
		switch b[j] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			if j == i {
				return -1
			}
			return j
		}
	}
	return -1
}

// skipString returns the position behind the string at i, or -1.
func skipString(b []byte, i int) int {
	if i >= len(b) || b[i] != '"' {
		return -1
	}
	for i++; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		back := end
		for back > i && b[back-1] == '\\' {
			back--
		}
		if (end-back)%2 == 0 {
			return end + 1
		}
		i = end + 1
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// text is the text of a string that has no escapes but those of ", \ and /.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	s := string(value[1 : len(value)-1])
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\/`, `/`, `\u003d`, "=").Replace(s)
}
