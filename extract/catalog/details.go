package catalog

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// detailVars resolves the templates of a detail's input.
func (k *kindCompiler) detailVars(batch bool) resolver {
	return func(text string) (inputPart, error) {
		if p, ok := scopeVar(text); ok {
			return p, nil
		}
		if text == "keys" {
			if !batch {
				return inputPart{}, fmt.Errorf("{keys} is for batches: give size, key, items and match")
			}
			return inputPart{kind: varKeys}, nil
		}
		e, err := parseExpr(text)
		if err != nil {
			return inputPart{}, err
		}
		if e.from == fromParent {
			return k.parentVar(e)
		}
		if batch {
			return inputPart{}, fmt.Errorf("{%s}: a batch knows {keys}, {parent}, {account}, {region} and {partition}, no single item", text)
		}
		v, err := k.itemValue(text)
		if err != nil {
			return inputPart{}, err
		}
		if v.tag == "" && scalarType(v.shape) == 0 {
			return inputPart{}, fmt.Errorf("{%s} is a %s, not a scalar", text, v.shape.Type)
		}
		return inputPart{kind: varItem, index: k.capture(v)}, nil
	}
}

// details compiles the detail calls.
func (k *kindCompiler) details() {
	for i, d := range k.raw.Details {
		k.detail(i, d)
	}
}

func (k *kindCompiler) detail(i int, d Detail) {
	at := func(path ...any) []any { return append([]any{"details", i}, path...) }
	svc, op := k.operation(d.Service, d.Call, at("call")...)
	if op == nil {
		return
	}
	c := k.call(op, svc)
	c.as, c.none = d.As, d.Columns != nil && !*d.Columns
	out := &DetailCall{Source: c.index, Cloud: k.raw.file.Cloud, Service: svc.Name, Op: op.Name, AbsentOn: d.AbsentOn, GoneOn: d.GoneOn}
	f := k.raw.file
	if svc != k.svc {
		f = k.s.m.fileOf(serviceKey{k.raw.file.Cloud, svc.Name})
	}
	if f != nil {
		out.Headers, out.Account = f.Headers, f.Scope != "" && f.Scope != scopeRegion
	}
	src := normalize.Source{Call: op.Name, Format: k.vendor.format(svc), Wrap: k.vendor.wrap(svc, op)}
	batch := d.Size > 0
	path := func(name, text string, base *api.Shape) (normalize.Path, *api.Shape) {
		if text == "" {
			return nil, base
		}
		p, err := parsePath(text)
		if err == nil {
			var t target
			if t, err = walk(base, p); err == nil {
				return p, t.shape
			}
		}
		k.failf(at(name), "%s %s: output of %s: %v", name, text, op.Name, err)
		return nil, nil
	}
	if batch {
		for _, need := range []struct{ name, val string }{{"key", d.Key}, {"items", d.Items}, {"match", d.Match}} {
			if need.val == "" {
				k.failf(at(), "a batch of %d lacks %s", d.Size, need.name)
			}
		}
		src.Items, c.item = path("items", d.Items, op.Output)
		if c.item != nil && d.Match != "" {
			src.Match, _ = path("match", d.Match, c.item)
			c.reads = append(c.reads, slices.Concat(src.Items, src.Match))
		}
		c.items = src.Items
		if d.At != "" {
			c.prefix, c.item = path("at", d.At, c.item)
			c.items = slices.Concat(src.Items, c.prefix)
		}
		if d.Key != "" {
			if v, err := k.itemValue(d.Key); err != nil {
				k.fail(err, at("key")...)
			} else {
				out.Batch, out.Key = d.Size, k.capture(v)
			}
		}
		if fl := d.Failures; fl != nil {
			var s *api.Shape
			src.Failures, s = path("failures", fl.Items, op.Output)
			if s != nil && s.Type == "list" {
				src.Failures, s = each(src.Failures), s.Elem
			}
			if s != nil {
				src.FailureKey, _ = path("failures", fl.Key, s)
				src.FailureCode, _ = path("failures", fl.Code, s)
				c.reads = append(c.reads, slices.Concat(src.Failures, src.FailureKey), slices.Concat(src.Failures, src.FailureCode))
			}
		}
	} else {
		for _, no := range []struct{ name, val string }{{"key", d.Key}, {"items", d.Items}, {"match", d.Match}} {
			if no.val != "" {
				k.failf(at(no.name), "%s is for batches: give size", no.name)
			}
		}
		c.items, c.item = path("at", d.At, op.Output)
		if slices.ContainsFunc(c.items, func(s normalize.Step) bool { return s.Each || s.Values || s.Keys }) {
			src.Items = c.items
		} else {
			c.prefix = c.items
		}
	}
	pager, limit, size, errs := pagerOf(op, d.Page, !batch)
	for _, err := range errs {
		k.fail(err, at("page")...)
	}
	out.Pager = pager
	k.pageTokens(c, pager)
	if pager != nil {
		src.Tokens = pager.Paths()
	}
	values := map[string]any{}
	if limit != "" {
		values[limit] = size
	}
	maps.Copy(values, d.Input)
	out.Input = compileInput(op, values, k.detailVars(batch), func(err error, path ...any) {
		k.fail(err, at(append([]any{"input"}, path...)...)...)
	})
	k.required(op, values, at("call")...)
	for _, p := range sortedKeys(d.When) {
		if v, err := k.itemValue(p); err != nil {
			k.fail(err, at("when", p)...)
		} else {
			out.When = append(out.When, Condition{k.capture(v), d.When[p], p})
		}
	}
	out.Actions = k.permissions(f, svc, op, at("call")...)
	k.entry.Details = append(k.entry.Details, out)
	k.entry.Spec.Sources = append(k.entry.Spec.Sources, src)
}
