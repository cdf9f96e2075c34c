package acting

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// snapshots are the calls of an entry besides its deletion.
func snapshots(e *catalog.Entry) []*catalog.Action {
	out := []*catalog.Action{e.Get, e.Tag, e.Untag, e.Start}
	for s := e.Snapshot; s != nil; s = s.Else {
		out = append(out, &s.Action, s.Find)
	}
	return out
}

// snapshot is the call that makes a snapshot of a resource: the first that all
// values are there for.
func snapshot(e *catalog.Entry, r action.Resource, a action.Args) (action.Call, error) {
	if e.Snapshot == nil {
		return action.Call{}, fmt.Errorf("make a snapshot of %s: %w", r.Kind, action.ErrCannot)
	}
	var first error
	for s := e.Snapshot; s != nil; s = s.Else {
		in, err := s.Input.Values(vars(r, a))
		if err == nil {
			find, ferr := s.Find.Input.Values(vars(r, a))
			if ferr == nil {
				return action.Call{
					Service: s.Service, Op: s.Op, Input: in, Find: &action.Call{Service: s.Find.Service, Op: s.Find.Op, Input: find},
				}, nil
			}
			err = ferr
		}
		if first == nil {
			first = err
		}
	}
	return action.Call{}, fmt.Errorf("%s %s: %w", e.Snapshot.Op, r.ID, first)
}

// found is the state of what an earlier attempt of a call has made, empty where
// there is nothing.
func (c *Cloud) found(ctx context.Context, r action.Resource, call action.Call) (string, error) {
	s, err := c.declared(r, call)
	if err != nil {
		return "", err
	}
	a, made, _, err := c.send(ctx, r, call.Find.Service, call.Find.Op, call.Find.Input, s.Find.Headers)
	var e *action.Error
	if errors.As(err, &e) && e.Gone {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer a.Release()
	v, _ := c.vendor(r.Cloud)
	src := normalize.Source{Call: call.Find.Op, Format: normalize.JSON, Shape: v.Normalize(made.Service, made.Op), Items: s.Find.Items}
	if v.Format != nil {
		src.Format = v.Format(made.Service)
	}
	if v.Wrap != nil {
		src.Wrap = v.Wrap(made.Service, made.Op)
	}
	// The state is read as if it were the id of a row.
	kind := schema.Kind{Name: r.Kind, Cloud: r.Cloud}
	plan, err := normalize.Compile(normalize.Spec{Kind: &kind, Sources: []normalize.Source{src}, ID: []normalize.Expr{{Path: s.State}}})
	if err != nil {
		return "", fmt.Errorf("%s: %w", call.Find.Op, err)
	}
	b := plan.NewBuilder(memory.DefaultAllocator)
	b.Begin(normalize.Origin{Scope: schema.Scope{Cloud: r.Cloud, Account: r.Account, Region: r.Region, Kind: r.Kind}})
	if _, _, err := b.Page(a.Body, a.Header); err != nil {
		return "", fmt.Errorf("%s: %w", call.Find.Op, err)
	}
	batch := b.Flush()
	if batch == nil {
		return "", nil
	}
	defer batch.Release()
	if batch.Rows.NumRows() == 0 {
		return "", fmt.Errorf("%s: the answer has no state", call.Find.Op)
	}
	return batch.Rows.Column(schema.ColVendorID).(*array.String).Value(0), nil
}

// declared is what the catalogue says of a call that makes a snapshot.
func (c *Cloud) declared(r action.Resource, call action.Call) (*catalog.SnapshotAction, error) {
	if e, ok := c.Catalogue.Entry(r.Kind); ok {
		for s := e.Snapshot; s != nil; s = s.Else {
			if s.Op == call.Op && s.Service == call.Service {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("%s of %s: %w", call.Op, r.Kind, action.ErrCannot)
}

// complete says whether a snapshot is. One that failed is an error: what it
// should keep is not deleted.
func (c *Cloud) complete(ctx context.Context, r action.Resource, call action.Call) (bool, error) {
	s, err := c.declared(r, call)
	if err != nil {
		return false, err
	}
	state, err := c.found(ctx, r, call)
	switch {
	case err != nil:
		return false, err
	case slices.Contains(s.Failed, state):
		return false, &action.Error{Err: fmt.Errorf("the snapshot of %s is %s", r.ID, state)}
	}
	return slices.Contains(s.Done, state), nil
}
