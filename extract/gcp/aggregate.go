package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
)

// An aggregated list fails whole where one of its parts does. Each zone,
// region and the global scope can be listed instead, and the answers put
// together as the aggregated list would have been: what is read cannot tell
// the difference but for the tokens, and a part that fails is one that the
// answer says is not reachable.

// aggregation is how an aggregated list is made of others.
type aggregation struct {
	svc *api.Service
	// member holds the parts, inner the items in each, items those of the
	// lists.
	member, inner, items       string
	zones, regions, everywhere *api.Operation
}

// aggregationOf finds the lists that an aggregated one is made of; nil for
// another operation.
func aggregationOf(svc *api.Service, op *api.Operation) *aggregation {
	name, ok := strings.CutPrefix(op.URI, "projects/{project}/aggregated/")
	if !ok || op.Output == nil {
		return nil
	}
	a := &aggregation{svc: svc}
	for i := range op.Output.Members {
		if m := &op.Output.Members[i]; m.Shape.Type == "map" && m.Shape.Value.Type == "structure" {
			a.member = m.Name
			for j := range m.Shape.Value.Members {
				if in := &m.Shape.Value.Members[j]; in.Shape.Type == "list" && in.Shape.Elem.Type == "structure" {
					a.inner = in.Name
				}
			}
		}
	}
	for _, o := range svc.Operations {
		if o.Method != "GET" || o.Pager == nil {
			continue
		}
		switch o.URI {
		case "projects/{project}/zones/{zone}/" + name:
			a.zones = o
		case "projects/{project}/regions/{region}/" + name:
			a.regions = o
		case "projects/{project}/global/" + name:
			a.everywhere = o
		}
	}
	for _, o := range []*api.Operation{a.zones, a.regions, a.everywhere} {
		if o != nil && len(o.Pager.Results) > 0 {
			a.items = o.Pager.Results[0]
		}
	}
	if a.inner == "" || a.items == "" {
		return nil
	}
	return a
}

// partToken begins the tokens of pages that were put together: the part's
// number and the token in it follow.
const partToken = "dewpoint:"

// parts are the scopes of a project: "zones/us-central1-a".
type parts struct {
	once           sync.Once
	zones, regions []string
	err            error
}

// part is a scope of an aggregated list, and how it is listed alone.
type part struct {
	scope string
	op    *api.Operation
	label string
}

// aggregated are the parts of an aggregated list.
func (c *caller) aggregated(ctx context.Context, a *aggregation) ([]part, error) {
	c.parts.once.Do(func() { c.parts.err = c.findParts(ctx, a.svc) })
	if c.parts.err != nil {
		return nil, c.parts.err
	}
	var all []part
	if a.zones != nil {
		for _, z := range c.parts.zones {
			all = append(all, part{"zones/" + z, a.zones, "zone"})
		}
	}
	if a.regions != nil {
		for _, r := range c.parts.regions {
			all = append(all, part{"regions/" + r, a.regions, "region"})
		}
	}
	if a.everywhere != nil {
		all = append(all, part{scope: "global", op: a.everywhere})
	}
	return all, nil
}

// scopes are the parts' names.
func (c *caller) scopes(ctx context.Context, a *aggregation) ([]string, error) {
	all, err := c.aggregated(ctx, a)
	var names []string
	for _, p := range all {
		names = append(names, p.scope)
	}
	return names, err
}

// aggregate makes an aggregated list's page of the lists of its parts.
func (c *caller) aggregate(ctx context.Context, a *aggregation, call reading.Call, token string) (*reading.Answer, error) {
	all, err := c.aggregated(ctx, a)
	if err != nil {
		return nil, err
	}
	number, inner, _ := strings.Cut(token, ":")
	at, err := strconv.Atoi(number)
	if token == "" {
		at, err = 0, nil
	}
	if err != nil || at < 0 || at >= len(all) {
		return nil, fmt.Errorf("%s: the page token %q is none of a list that was put together", call.Op.Name, token)
	}
	p := all[at]
	input := map[string]any{}
	for k, v := range call.Input {
		if p.op.Input.Member(k) != nil {
			input[k] = v
		}
	}
	delete(input, "pageToken")
	if p.label != "" {
		_, input[p.label], _ = strings.Cut(p.scope, "/")
	}
	if inner != "" {
		input["pageToken"] = inner
	}
	resp, err := c.c.Do(ctx, Request{
		Project: c.p, Region: c.region, Service: a.svc, Op: p.op, Input: input, Header: call.Header, Limit: call.Limit, unrecorded: true,
	})
	out := &reading.Answer{}
	content := map[string]json.RawMessage{}
	next := ""
	var e *APIError
	switch {
	case err == nil:
		defer resp.Release()
		out.Header, out.Attempts = resp.Header, resp.Attempts
		var page map[string]json.RawMessage
		if err := json.Unmarshal(resp.Body, &page); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", p.op.Name, p.scope, err)
		}
		if err := json.Unmarshal(page["nextPageToken"], &next); err != nil && page["nextPageToken"] != nil {
			return nil, fmt.Errorf("%s of %s: %w", p.op.Name, p.scope, err)
		}
		if items := page[a.items]; items != nil {
			content[a.inner] = items
		}
		if w := page["warning"]; w != nil {
			content["warning"] = w
		}
	case ctx.Err() == nil && errors.As(err, &e) && !e.Credentials():
		out.Attempts = e.Attempts
		content["warning"], _ = json.Marshal(map[string]string{"code": "UNREACHABLE", "message": e.Error()})
	default:
		return nil, err
	}
	page := map[string]any{a.member: map[string]any{p.scope: content}}
	switch {
	case next != "":
		page["nextPageToken"] = fmt.Sprintf("%s%d:%s", partToken, at, next)
	case at+1 < len(all):
		page["nextPageToken"] = fmt.Sprintf("%s%d:", partToken, at+1)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(page); err != nil {
		return nil, err
	}
	out.Body = b.Bytes()
	return out, c.c.recordMade(Request{Project: c.p, Region: c.region, Service: call.Service, Op: call.Op, Input: call.Input, Redact: call.Redact}, out.Body)
}

// findParts lists the zones and regions of the project.
func (c *caller) findParts(ctx context.Context, svc *api.Service) error {
	for op, to := range map[string]*[]string{"zones.list": &c.parts.zones, "regions.list": &c.parts.regions} {
		o, err := svc.Operation(op)
		if err != nil {
			return err
		}
		names := map[string]bool{}
		input := map[string]any{"project": c.p.ID, "maxResults": int64(500)}
		for {
			resp, err := c.c.Do(ctx, Request{Project: c.p, Region: c.region, Service: svc, Op: o, Input: input, unrecorded: true})
			if err != nil {
				return err
			}
			var page struct {
				Items         []struct{ Name string }
				NextPageToken string
			}
			err = json.Unmarshal(resp.Body, &page)
			resp.Release()
			if err != nil {
				return fmt.Errorf("%s: %w", op, err)
			}
			for _, it := range page.Items {
				names[it.Name] = true
			}
			if page.NextPageToken == "" || page.NextPageToken == input["pageToken"] {
				break
			}
			input["pageToken"] = page.NextPageToken
		}
		*to = slices.Sorted(maps.Keys(names))
		if len(*to) == 0 {
			return fmt.Errorf("%s: the answer names none", op)
		}
	}
	return nil
}

// apart says whether a failed aggregated list may succeed part by part.
func (e *APIError) apart() bool {
	switch {
	case e.Denied(), e.Throttled(), e.ServiceDisabled(), e.Credentials(), e.consumer(), e.NotFound(), e.Unreachable():
		return false
	}
	return true
}
