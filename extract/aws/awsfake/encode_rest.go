package awsfake

import (
	"encoding/xml"
	"fmt"
	"strconv"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// rest writes headers, the status and the body.
func (e *encoder) rest(r *Request, shape *api.Shape, out map[string]any, res *response) error {
	for i := range shape.Members {
		m := &shape.Members[i]
		v := plain(out[m.Name])
		if v == nil {
			continue
		}
		switch m.Location {
		case "header":
			text, err := e.text(m.Shape, v, first(m.TimestampFormat, m.Shape.TimestampFormat, "rfc822"))
			if err != nil {
				return fmt.Errorf("%s: %w", m.Name, err)
			}
			res.header.Set(wire(m), text)
		case "headers":
			for k, x := range v.(map[string]any) {
				res.header.Set(wire(m)+k, fmt.Sprint(x))
			}
		case "statusCode":
			code, err := strconv.Atoi(fmt.Sprint(v))
			if err != nil {
				return err
			}
			res.status = code
		}
	}
	xmlBody := r.svc.Protocol == "rest-xml"
	p := shape.Member(shape.Payload)
	if p == nil {
		var err error
		if !xmlBody {
			res.body, err = e.json(shape, out)
			return err
		}
		if r.Op() == "s3.GetBucketLocation" {
			// The only member is the root itself.
			e.buf.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
			e.open("LocationConstraint", namespace(r.svc))
			if v := out["LocationConstraint"]; v != nil {
				_ = xml.EscapeText(&e.buf, []byte(fmt.Sprint(v)))
			}
			e.close("LocationConstraint")
		} else {
			err = e.document(first(shape.LocationName, shape.Name), namespace(r.svc), shape, out)
		}
		res.body = e.buf.Bytes()
		return err
	}
	v := plain(out[p.Name])
	if v == nil {
		return nil
	}
	switch p.Shape.Type {
	case "blob", "string":
		res.header.Set("Content-Type", "application/octet-stream")
		if b, ok := v.([]byte); ok {
			res.body = b
		} else {
			res.body = []byte(fmt.Sprint(v))
		}
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok && !p.Shape.Document {
		return fmt.Errorf("%s is %T, not a map", p.Name, v)
	}
	var err error
	if !xmlBody {
		res.body, err = e.json(p.Shape, v)
		return err
	}
	err = e.document(first(p.LocationName, p.Shape.LocationName, p.Shape.Name), first(p.XMLNamespace, namespace(r.svc)), p.Shape, m)
	res.body = e.buf.Bytes()
	return err
}
