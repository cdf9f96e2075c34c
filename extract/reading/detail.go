package reading

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// details are what the detail calls answered for the items of one page.
type details struct {
	per       int // documents per item
	docs      []normalize.Doc
	gone      []bool
	responses [][]*Answer // by call
}

// of returns the documents of an item, one for each of the kind's details.
func (d *details) of(i int) []normalize.Doc { return d.docs[i*d.per : (i+1)*d.per] }

// release gives the answers back, whose bodies the documents point into.
func (d *details) release() {
	for _, rs := range d.responses {
		for _, r := range rs {
			r.Release()
		}
	}
}

// details makes the detail calls of a page's items. A call that fails leaves
// its documents unread; the error is the context's only.
func (t *task) details(ctx context.Context, e *catalog.Entry, items []normalize.Item, o origin) (*details, error) {
	d := &details{
		per: len(e.Details), docs: make([]normalize.Doc, len(items)*len(e.Details)), gone: make([]bool, len(items)),
		responses: make([][]*Answer, len(items)*len(e.Details)),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(detailsAtOnce)
	gone := make([]bool, len(d.docs))
	for k, call := range e.Details {
		var asked []int
		for i, it := range items {
			if holds(call.When, it) {
				asked = append(asked, i)
			}
		}
		if call.Batch > 0 {
			for len(asked) > 0 {
				n := min(call.Batch, len(asked))
				chunk := asked[:n]
				asked = asked[n:]
				g.Go(func() error { return t.batch(ctx, e, k, items, chunk, o, d, gone) })
			}
			continue
		}
		for _, i := range asked {
			g.Go(func() error { return t.detail(ctx, e, k, items, i, o, d, gone) })
		}
	}
	if err := g.Wait(); err != nil {
		d.release()
		return nil, err
	}
	for i := range items {
		for k := range e.Details {
			d.gone[i] = d.gone[i] || gone[i*d.per+k]
		}
	}
	return d, nil
}

// detail makes one detail call for one item, all its pages.
func (t *task) detail(ctx context.Context, e *catalog.Entry, k int, items []normalize.Item, i int, o origin, d *details, gone []bool) error {
	call, at := e.Details[k], i*d.per+k
	doc := &d.docs[at]
	vars := t.vars(o)
	vars.Item = captures(e, items[i], o)
	input, err := call.Input.Values(vars)
	if err != nil {
		return t.unread(ctx, e, call, doc, &gone[at], err)
	}
	plan := t.s.plans[e]
	for {
		resp, err := t.do(ctx, call.Service, call.Op, input, call.Headers, func(b []byte) []byte { return plan.Redact(call.Source, b) })
		if err != nil {
			return t.unread(ctx, e, call, doc, &gone[at], err)
		}
		d.responses[at] = append(d.responses[at], resp)
		doc.Bodies = append(doc.Bodies, resp.Body)
		doc.Header = resp.Header
		if call.Pager == nil {
			break
		}
		page, err := plan.SplitDetail(call.Source, resp.Body)
		if err != nil {
			return t.unread(ctx, e, call, doc, &gone[at], err)
		}
		more, err := call.Pager.Next(input, page.Tokens)
		if err != nil {
			return t.unread(ctx, e, call, doc, &gone[at], err)
		}
		if !more {
			break
		}
	}
	doc.State = normalize.Read
	return nil
}

// unread says what a failed detail call means for a row: nothing configured,
// no row any more, or columns that are not known. The error is the context's.
func (t *task) unread(ctx context.Context, e *catalog.Entry, call *catalog.DetailCall, doc *normalize.Doc, gone *bool, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	doc.Bodies = nil
	var a Failure
	p := schema.Problem{Kind: e.Kind.Name, Call: call.Op, Code: "unread", Sample: err.Error()}
	if errors.As(err, &a) {
		switch {
		case a.HasCode(call.AbsentOn...):
			doc.State = normalize.Absent
			return nil
		case a.HasCode(call.GoneOn...):
			*gone = true
			return nil
		}
		p.Code, _ = a.Fault()
	}
	doc.State = normalize.Unread
	t.problem(p)
	return nil
}

// batch makes one detail call for several items. Where the service refuses
// all of them for one, it is asked again for halves.
func (t *task) batch(ctx context.Context, e *catalog.Entry, k int, items []normalize.Item, chunk []int, o origin, d *details, gone []bool) error {
	call, plan := e.Details[k], t.s.plans[e]
	at := func(i int) int { return i*d.per + k }
	vars := t.vars(o)
	byKey := make(map[string][]int, len(chunk))
	for _, i := range chunk {
		key, ok := items[i].Capture(call.Key)
		if !ok {
			d.docs[at(i)].State = normalize.Absent
			continue
		}
		if byKey[key] == nil {
			vars.Keys = append(vars.Keys, key)
		}
		byKey[key] = append(byKey[key], i)
	}
	if len(vars.Keys) == 0 {
		return nil
	}
	failed := func(err error) error {
		for _, i := range chunk {
			if err := t.unread(ctx, e, call, &d.docs[at(i)], &gone[at(i)], err); err != nil {
				return err
			}
		}
		return nil
	}
	vars.Item = captures(e, items[chunk[0]], o)
	input, err := call.Input.Values(vars)
	if err != nil {
		return failed(err)
	}
	resp, err := t.do(ctx, call.Service, call.Op, input, call.Headers, func(b []byte) []byte { return plan.Redact(call.Source, b) })
	if err != nil {
		if len(chunk) > 1 && refusesOne(err) {
			half := len(chunk) / 2
			if err := t.batch(ctx, e, k, items, chunk[:half], o, d, gone); err != nil {
				return err
			}
			return t.batch(ctx, e, k, items, chunk[half:], o, d, gone)
		}
		return failed(err)
	}
	d.responses[at(chunk[0])] = append(d.responses[at(chunk[0])], resp)
	page, err := plan.SplitDetail(call.Source, resp.Body)
	if err != nil {
		return failed(err)
	}
	for j := range page.Items {
		it := &page.Items[j]
		for _, i := range byKey[it.Match] {
			d.docs[at(i)] = normalize.Doc{State: normalize.Read, Item: it, Header: resp.Header}
		}
		delete(byKey, it.Match)
	}
	for _, f := range page.Failures {
		for _, i := range byKey[f.Key] {
			refusal := &partFailure{fmt.Sprintf("in %s/%s: %s %s", t.at.Account, t.at.Region, call.Service, call.Op), f.Code, f.Key}
			if err := t.unread(ctx, e, call, &d.docs[at(i)], &gone[at(i)], refusal); err != nil {
				return err
			}
		}
		delete(byKey, f.Key)
	}
	for key, left := range byKey {
		for _, i := range left {
			d.docs[at(i)].State = normalize.Unread
			t.problem(schema.Problem{Kind: e.Kind.Name, Call: call.Op, Code: "missing", Sample: key + " is not in the answer"})
		}
	}
	return nil
}

// append adds the row of an item. A detail whose answer is not its output is
// unread; the error is the list's.
func (t *task) append(b *normalize.Builder, e *catalog.Entry, it normalize.Item, docs []normalize.Doc) error {
	for {
		err := b.Append(it, docs)
		var page *normalize.PageError
		if !errors.As(err, &page) {
			return err
		}
		k := slices.IndexFunc(e.Details, func(d *catalog.DetailCall) bool { return d.Op == page.Call })
		if k < 0 || docs[k].State != normalize.Read {
			return err
		}
		docs[k] = normalize.Doc{State: normalize.Unread}
		t.problem(schema.Problem{Kind: e.Kind.Name, Call: page.Call, Code: "UnrecognizedAnswer", Sample: err.Error()})
	}
}

// refusesOne says whether an error may be about one item of a batch.
func refusesOne(err error) bool {
	var a Failure
	return errors.As(err, &a) && a.RefusesOne()
}
