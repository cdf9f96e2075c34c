package gcp

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// operation is a description made ready for calls.
type operation struct {
	op   *api.Operation
	path []segment
	// hasError says that the output has a member error of its own.
	hasError bool
	// empty says that an answer may have no body.
	empty bool
}

// segment is literal text of a path, or a member's value.
type segment struct {
	text   string
	member string
	// reserved values keep their slashes.
	reserved bool
}

// compile checks the path of an operation, so that no label is ever sent as
// it is.
func compile(op *api.Operation) (*operation, error) {
	o := &operation{op: op, hasError: op.Output.Member("error") != nil, empty: op.Output == nil || len(op.Output.Members) == 0}
	for rest := op.URI; rest != ""; {
		text, label, found := strings.Cut(rest, "{")
		if text != "" {
			o.path = append(o.path, segment{text: text})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(label, "}")
		s := segment{member: strings.TrimPrefix(name, "+"), reserved: strings.HasPrefix(name, "+")}
		if m := op.Input.Member(s.member); !closed || m == nil || m.Location != "uri" {
			return nil, fmt.Errorf("the path %s has the label {%s}, which is no member of the path", op.URI, name)
		}
		o.path = append(o.path, s)
		rest = after
	}
	return o, nil
}

// call is a request without its endpoint.
type call struct {
	path  string // escaped
	query string
	body  []byte // nil for none
	// location is the one that the path names, empty for none.
	location string
}

// request makes the request of an input.
func (o *operation) request(input map[string]any) (*call, error) {
	for name := range input {
		if o.op.Input.Member(name) == nil {
			return nil, fmt.Errorf("the operation takes no %s", name)
		}
	}
	k := &call{}
	var path strings.Builder
	for _, s := range o.path {
		if s.member == "" {
			path.WriteString(s.text)
			continue
		}
		v, err := text(input[s.member])
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", s.member, err)
		}
		if v == "" {
			return nil, fmt.Errorf("missing member %s, which stands in the path of the request", s.member)
		}
		if err := escape(&path, v, s.reserved); err != nil {
			return nil, fmt.Errorf("member %s: %w", s.member, err)
		}
	}
	k.path = path.String()
	if _, after, ok := strings.Cut(k.path, "/locations/"); ok {
		k.location, _, _ = strings.Cut(after, "/")
	}
	query := url.Values{"prettyPrint": {"false"}}
	body := map[string]any{}
	if o.op.Input != nil {
		for i := range o.op.Input.Members {
			m := &o.op.Input.Members[i]
			v, given := input[m.Name]
			if !given || v == nil {
				continue
			}
			wire := cmp.Or(m.LocationName, m.Name)
			switch m.Location {
			case "uri":
			case "querystring":
				values, err := texts(v)
				if err != nil {
					return nil, fmt.Errorf("member %s: %w", m.Name, err)
				}
				query[wire] = values
			default:
				body[wire] = v
			}
		}
	}
	k.query = query.Encode()
	if o.op.Method == "GET" || o.op.Method == "DELETE" && len(body) == 0 {
		return k, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	k.body = bytes.TrimSpace(b.Bytes())
	return k, nil
}

// escape writes a value into a path: all but what RFC 3986 leaves unreserved
// is escaped, and slashes stay where the label says so.
func escape(b *strings.Builder, v string, reserved bool) error {
	if reserved {
		for part := range strings.SplitSeq(v, "/") {
			if part == "" || part == "." || part == ".." {
				return fmt.Errorf("%q is no path", v)
			}
		}
	} else if v == "." || v == ".." {
		return fmt.Errorf("%q is no part of a path", v)
	}
	const hex = "0123456789ABCDEF"
	for i := range len(v) {
		c := v[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~', reserved && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return nil
}

// texts are the values of a parameter, several where it is repeated.
func texts(v any) ([]string, error) {
	switch v := v.(type) {
	case []string:
		return v, nil
	case []any:
		out := make([]string, len(v))
		for i, e := range v {
			t, err := text(e)
			if err != nil {
				return nil, err
			}
			out[i] = t
		}
		return out, nil
	}
	t, err := text(v)
	return []string{t}, err
}

// text is a scalar as a parameter writes it.
func text(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case json.Number:
		return v.String(), nil
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano), nil
	}
	return "", fmt.Errorf("a %T cannot stand in a URL", v)
}
