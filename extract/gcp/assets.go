package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// The Cloud Asset Inventory has the resources of most kinds as their own APIs
// write them, all of a project in one list. For the kinds that are chosen, a
// list is answered from it: each asset's data stands where the list's own
// answer would have the item. What the inventory leaves out or has late, it
// leaves out of the rows, so that such a kind has a definition of its own.

// inventory answers lists from the Cloud Asset Inventory.
type inventory struct {
	svc *api.Service
	op  *api.Operation
	// types are the asset types by list: "compute.v1 instances.aggregatedList".
	types map[string]string
	kinds map[string]bool
}

// newInventory finds what to ask for the kinds; nil for none.
func newInventory(cat *catalog.Catalogue, entries []*catalog.Entry, names []string) (*inventory, error) {
	if len(names) == 0 {
		return nil, nil
	}
	svc, err := gcpapi.Lookup("cloudasset.v1")
	if err != nil {
		return nil, err
	}
	inv := &inventory{svc: svc, op: svc.Operations["assets.list"], types: map[string]string{}, kinds: map[string]bool{}}
	for _, name := range names {
		e, ok := cat.Entry(name)
		if !ok || e.Kind.Cloud != "gcp" {
			return nil, fmt.Errorf("gcp: asset_inventory: there is no kind %s", name)
		}
		if e.Parent != nil {
			return nil, fmt.Errorf("gcp: asset_inventory: %s is listed for each %s, which the inventory cannot be: leave it out", name, e.Parent.Kind.Name)
		}
		inv.kinds[name] = true
	}
	for _, e := range entries {
		if !inv.kinds[e.Kind.Name] {
			continue
		}
		for _, other := range e.List.Entries {
			if !inv.kinds[other.Kind.Name] && slices.Contains(entries, other) {
				return nil, fmt.Errorf("gcp: asset_inventory: %s and %s are read from one list: name both", e.Kind.Name, other.Kind.Name)
			}
		}
		of, err := gcpapi.Lookup(e.List.Service)
		if err != nil {
			return nil, err
		}
		t, err := assetType(of, of.Operations[e.List.Op])
		if err != nil {
			return nil, fmt.Errorf("gcp: asset_inventory: %s: %w", e.Kind.Name, err)
		}
		inv.types[e.List.Service+" "+e.List.Op] = t
	}
	return inv, nil
}

// typePrefix is what the newer APIs' schemas have before their name.
var typePrefix = regexp.MustCompile(`^GoogleCloud[A-Za-z]*?V\d+(?:[a-z]+\d+)?`)

// assetTypes are types whose name is not their schema's:
// https://cloud.google.com/asset-inventory/docs/asset-types.
var assetTypes = map[string]string{
	"sqladmin.googleapis.com/DatabaseInstance": "sqladmin.googleapis.com/Instance",
}

// assetType is the type of what a list has, as the inventory names it:
// compute.googleapis.com/Instance.
func assetType(svc *api.Service, op *api.Operation) (string, error) {
	_, item := itemsOf(svc, op)
	if item == nil || item.Name == "" || strings.HasSuffix(item.Name, "Item") {
		return "", errors.New("the inventory has no type for what its list returns")
	}
	host := strings.TrimSuffix(strings.TrimPrefix(svc.RootURL, "https://"), "/")
	t := host + "/" + typePrefix.ReplaceAllString(item.Name, "")
	if other := assetTypes[t]; other != "" {
		t = other
	}
	return t, nil
}

// itemsOf is the member of a list's output that holds the items, and their
// shape.
func itemsOf(svc *api.Service, op *api.Operation) (member string, item *api.Shape) {
	if a := aggregationOf(svc, op); a != nil {
		return a.member, op.Output.Member(a.member).Shape.Value.Member(a.inner).Shape.Elem
	}
	if op.Output == nil {
		return "", nil
	}
	for i := range op.Output.Members {
		if m := &op.Output.Members[i]; m.Shape.Type == "list" && m.Shape.Elem.Type == "structure" && !strings.Contains(strings.ToLower(m.Name), "warning") {
			return m.Name, m.Shape.Elem
		}
	}
	return "", nil
}

// answers says whether a list is answered from the inventory.
func (inv *inventory) answers(call reading.Call) bool {
	return inv != nil && inv.types[call.Service.Name+" "+call.Op.Name] != ""
}

// kind is the kind with the definition that it has where it is read from the
// inventory.
func (inv *inventory) kind(k *schema.Kind) *schema.Kind {
	if inv == nil || !inv.kinds[k.Name] {
		return k
	}
	own := *k
	own.Definition = schema.HashDefinition([]string{k.Definition, "cloud asset inventory"})
	return &own
}

// asset is one of the inventory's:
// https://cloud.google.com/asset-inventory/docs/reference/rest/v1/Asset.
type asset struct {
	Name     string
	Resource struct {
		Version string
		Data    json.RawMessage
	}
}

// list answers a list, or a page of it.
func (inv *inventory) list(ctx context.Context, c *caller, call reading.Call) (*reading.Answer, error) {
	input := map[string]any{
		"parent": "projects/" + c.p.ID, "contentType": "RESOURCE", "pageSize": int64(1000),
		"assetTypes": []any{inv.types[call.Service.Name+" "+call.Op.Name]},
	}
	first := true
	if t, ok := call.Input["pageToken"].(string); ok && t != "" {
		input["pageToken"], first = t, false
	}
	out := &reading.Answer{}
	var assets []asset
	next := ""
	for {
		resp, err := c.c.Do(ctx, Request{Project: c.p, Region: c.region, Service: inv.svc, Op: inv.op, Input: input, unrecorded: true})
		if err != nil {
			return nil, err
		}
		var page struct {
			Assets        []asset
			NextPageToken string
		}
		err = json.Unmarshal(resp.Body, &page)
		out.Attempts += resp.Attempts
		out.Header = resp.Header
		resp.Release()
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", inv.svc.Name, inv.op.Name, err)
		}
		assets = append(assets, page.Assets...)
		if next = page.NextPageToken; next == "" || call.Op.Pager != nil {
			break
		}
		if next == input["pageToken"] {
			return nil, fmt.Errorf("%s %s: the answer repeats the token it was asked with", inv.svc.Name, inv.op.Name)
		}
		input["pageToken"] = next
	}
	member, _ := itemsOf(call.Service, call.Op)
	page := map[string]any{}
	if next != "" {
		page["nextPageToken"] = next
	}
	a := aggregationOf(call.Service, call.Op)
	parts := map[string]map[string][]json.RawMessage{}
	if a != nil && first {
		// Parts without an asset are there, too: empty.
		scopes, err := c.scopes(ctx, a)
		if err != nil {
			return nil, err
		}
		for _, s := range scopes {
			parts[s] = map[string][]json.RawMessage{}
		}
	}
	var items []json.RawMessage
	for i := range assets {
		x := &assets[i]
		if len(x.Resource.Data) == 0 || x.Resource.Version != call.Service.APIVersion {
			return nil, fmt.Errorf("%s %s: %s is of the version %q, not %s: read the kind from its own API",
				inv.svc.Name, inv.op.Name, x.Name, x.Resource.Version, call.Service.APIVersion)
		}
		if a == nil {
			items = append(items, x.Resource.Data)
			continue
		}
		scope := assetScope(x.Name)
		if parts[scope] == nil {
			parts[scope] = map[string][]json.RawMessage{}
		}
		parts[scope][a.inner] = append(parts[scope][a.inner], x.Resource.Data)
	}
	if a != nil {
		page[member] = parts
	} else if len(items) > 0 {
		page[member] = items
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

// assetScope is the part of an aggregated list that an asset is in, by its
// name: //compute.googleapis.com/projects/p/zones/z/instances/i.
func assetScope(name string) string {
	_, rest, _ := strings.Cut(name, "/projects/")
	parts := strings.Split(rest, "/")
	if len(parts) > 2 && (parts[1] == "zones" || parts[1] == "regions") {
		return parts[1] + "/" + parts[2]
	}
	return "global"
}
