package awsfake

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// formInput reads the flat parameters of the query and ec2 protocols.
func formInput(protocol string, shape *api.Shape, form url.Values) (map[string]any, error) {
	f := formReader{protocol == "ec2", map[string]string{}}
	for k, v := range form {
		if k != "Action" && k != "Version" && len(v) > 0 {
			f.left[k] = v[0]
		}
	}
	out, _, err := f.structure(shape, "")
	if err == nil && len(f.left) > 0 {
		err = fmt.Errorf("%s has no %s", shape.Name, strings.Join(sorted(f.left), ", "))
	}
	return out, err
}

type formReader struct {
	ec2  bool
	left map[string]string
}

func (f *formReader) structure(s *api.Shape, prefix string) (map[string]any, bool, error) {
	out := map[string]any{}
	for i := range s.Members {
		m := &s.Members[i]
		name := wire(m)
		if f.ec2 {
			name = strings.ToUpper(name[:1]) + name[1:]
			if m.QueryName != "" {
				name = m.QueryName
			}
		}
		flat := f.ec2 || m.Flat || m.Shape.Flat
		if !f.ec2 && flat && m.Shape.Type == "list" && m.Shape.ElemName != "" {
			name = m.Shape.ElemName
		}
		v, ok, err := f.value(m.Shape, prefix+name, flat)
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", m.Name, err)
		}
		if ok {
			out[m.Name] = v
		}
	}
	return out, len(out) > 0, nil
}

func (f *formReader) value(s *api.Shape, name string, flat bool) (any, bool, error) {
	switch s.Type {
	case "structure":
		return second(f.structure(s, name+"."))
	case "list":
		if !flat {
			elem := s.ElemName
			if elem == "" {
				elem = "member"
			}
			if v, ok := f.left[name]; ok && v == "" {
				delete(f.left, name)
				return []any{}, true, nil
			}
			name += "." + elem
		}
		var l []any
		for i := 1; ; i++ {
			v, ok, err := f.value(s.Elem, fmt.Sprintf("%s.%d", name, i), f.ec2)
			if err != nil || !ok {
				return l, len(l) > 0, err
			}
			l = append(l, v)
		}
	case "map":
		key, val := "key", "value"
		if s.KeyName != "" {
			key, val = s.KeyName, s.ValName
		}
		if !flat {
			name += ".entry"
		}
		m := map[string]any{}
		for i := 1; ; i++ {
			at := fmt.Sprintf("%s.%d.", name, i)
			k, ok := f.left[at+key]
			if !ok {
				return m, len(m) > 0, nil
			}
			delete(f.left, at+key)
			v, _, err := f.value(s.Value, at+val, false)
			if err != nil {
				return nil, false, err
			}
			m[k] = v
		}
	}
	text, ok := f.left[name]
	if !ok {
		return nil, false, nil
	}
	delete(f.left, name)
	v, err := scalar(s, text)
	return v, true, err
}

func second(m map[string]any, ok bool, err error) (any, bool, error) { return m, ok, err }
