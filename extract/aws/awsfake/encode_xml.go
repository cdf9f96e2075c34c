package awsfake

import (
	"encoding/xml"
	"fmt"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// namespace is the XML namespace of a service's answers, which some
// descriptions do not give.
func namespace(svc *api.Service) string {
	switch svc.Name {
	case "s3":
		return "http://s3.amazonaws.com/doc/" + svc.APIVersion + "/"
	case "s3control":
		return "http://awss3control.amazonaws.com/doc/" + svc.APIVersion + "/"
	case "cloudfront":
		return "http://cloudfront.amazonaws.com/doc/" + svc.APIVersion + "/"
	case "route53":
		return "https://route53.amazonaws.com/doc/" + svc.APIVersion + "/"
	}
	return svc.XMLNamespace
}

func (e *encoder) document(root, namespace string, s *api.Shape, v map[string]any) error {
	e.buf.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	e.open(root, namespace)
	err := e.structure(s, v)
	e.close(root)
	return err
}

func (e *encoder) open(name, namespace string) {
	e.buf.WriteByte('<')
	e.buf.WriteString(name)
	if namespace != "" {
		e.buf.WriteString(` xmlns="` + namespace + `"`)
	}
	e.buf.WriteByte('>')
}

func (e *encoder) close(name string) {
	e.buf.WriteString("</" + name + ">")
}

// structure writes the members of a structure as elements.
func (e *encoder) structure(s *api.Shape, v map[string]any) error {
	for name := range v {
		if s.Member(name) == nil {
			return fmt.Errorf("%s has no %s", s.Name, name)
		}
	}
	for i := range s.Members {
		m := &s.Members[i]
		x := plain(v[m.Name])
		if x == nil || m.Location != "" || m.XMLAttribute {
			continue
		}
		name := wire(m)
		flat := m.Flat || m.Shape.Flat
		if flat && m.Shape.ElemName != "" {
			name = m.Shape.ElemName
		}
		if err := e.element(name, m.Shape, x, first(m.TimestampFormat, m.Shape.TimestampFormat), flat); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return nil
}

func (e *encoder) element(name string, s *api.Shape, v any, format string, flat bool) error {
	v = plain(v)
	switch s.Type {
	case "structure":
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %T, not a map", s.Name, v)
		}
		e.buf.WriteString("<" + name)
		for i := range s.Members {
			if a := &s.Members[i]; a.XMLAttribute && m[a.Name] != nil {
				e.buf.WriteString(` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ` + wire(a) + `="`)
				_ = xml.EscapeText(&e.buf, []byte(fmt.Sprint(m[a.Name])))
				e.buf.WriteByte('"')
			}
		}
		e.buf.WriteByte('>')
		err := e.structure(s, m)
		e.close(name)
		return err
	case "list":
		l, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s is %T, not a list", s.Name, v)
		}
		elem := first(s.ElemName, "member")
		if flat {
			elem = name
		} else {
			e.open(name, "")
		}
		for _, x := range l {
			if err := e.element(elem, s.Elem, x, s.Elem.TimestampFormat, false); err != nil {
				return err
			}
		}
		if !flat {
			e.close(name)
		}
		return nil
	case "map":
		m, ok := v.(map[string]any)
		if !ok {
			return fmt.Errorf("%s is %T, not a map", s.Name, v)
		}
		entry := "entry"
		if flat {
			entry = name
		} else {
			e.open(name, "")
		}
		for _, k := range sorted(m) {
			e.open(entry, "")
			if err := e.element(first(s.KeyName, "key"), s.Key, k, "", false); err != nil {
				return err
			}
			if err := e.element(first(s.ValName, "value"), s.Value, m[k], s.Value.TimestampFormat, false); err != nil {
				return err
			}
			e.close(entry)
		}
		if !flat {
			e.close(name)
		}
		return nil
	}
	text, err := e.text(s, v, format)
	if err != nil {
		return err
	}
	e.open(name, "")
	_ = xml.EscapeText(&e.buf, []byte(text))
	e.close(name)
	return nil
}
