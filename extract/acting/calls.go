// Package acting acts on single resources by the catalogue: it makes the calls
// that an entry declares to read, delete, tag and untag one, in any cloud that
// has a reading.Caller.
package acting

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
)

// Declared says what acting takes, by a catalogue. It implements action.Calls.
type Declared struct {
	Catalogue *catalog.Catalogue
	// Vendors describe the clouds.
	Vendors []catalog.Vendor
	// Clusters say what clusters of Kubernetes serve.
	Clusters Clusters
}

var _ action.Calls = Declared{}

// of are the catalogue's actions of a verb, in order, and whether all but the
// last may be left out where they have nothing to do.
func of(e *catalog.Entry, v action.Verb) []*catalog.Action {
	switch v {
	case action.Delete:
		if e.Delete != nil {
			return append(e.Before[:len(e.Before):len(e.Before)], e.Delete)
		}
	case action.Tag:
		if e.Tag != nil {
			return []*catalog.Action{e.Tag}
		}
	case action.Untag:
		if e.Untag != nil {
			return []*catalog.Action{e.Untag}
		}
	case action.Stop:
		if e.Stop != nil {
			return append(e.StopBefore[:len(e.StopBefore):len(e.StopBefore)], e.Stop)
		}
	case action.Start:
		if e.Start != nil {
			return []*catalog.Action{e.Start}
		}
	case action.Snapshot:
		if e.Snapshot != nil {
			return []*catalog.Action{&e.Snapshot.Action}
		}
	}
	return nil
}

// Can implements action.Calls.
func (c Declared) Can(v action.Verb, kind string) bool {
	if e, ok := c.Catalogue.Entry(kind); ok && len(of(e, v)) > 0 {
		return true
	}
	return c.Clusters.can(v, kind)
}

// Taggable implements action.Calls.
func (c Declared) Taggable(kind string) bool {
	e, ok := c.Catalogue.Entry(kind)
	return ok && e.Spec.Tags != nil || !ok && c.Clusters.knows(kind)
}

// Dated implements action.Calls.
func (c Declared) Dated(kind string) bool {
	e, ok := c.Catalogue.Entry(kind)
	return ok && e.Spec.CreatedAt != nil || !ok && c.Clusters.knows(kind)
}

// Columns implements action.Calls.
func (c Declared) Columns(kind string) []string {
	if c.Clusters.can(action.Stop, kind) {
		return []string{"annotations", replicas}
	}
	e, ok := c.Catalogue.Entry(kind)
	if !ok {
		return nil
	}
	var out []string
	for _, a := range slices.Concat(of(e, action.Delete), of(e, action.Stop), snapshots(e), contents(e)) {
		for ; a != nil; a = a.Else {
			out = append(out, a.Input.Columns()...)
		}
	}
	for _, d := range e.Detaches {
		for _, a := range []*catalog.Action{d.List, &d.Action} {
			if a != nil {
				out = append(out, a.Input.Columns()...)
			}
		}
	}
	out = slices.AppendSeq(out, maps.Keys(e.Stopped))
	if e.Empty != nil {
		out = slices.AppendSeq(out, maps.Keys(e.Empty.Unless))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Calls implements action.Calls. A call before a deletion that names a column
// without a value has nothing to do and is left out.
func (c Declared) Calls(v action.Verb, r action.Resource, a action.Args) ([]action.Call, error) {
	if r.Cloud == k8s.Cloud {
		return c.Clusters.calls(v, r, a)
	}
	e, ok := c.Catalogue.Entry(r.Kind)
	if !ok {
		return nil, fmt.Errorf("the kind %s is not in the catalogue: %w", r.Kind, action.ErrCannot)
	}
	if v == action.Detach {
		return detaching(e, r, a)
	}
	all := of(e, v)
	if len(all) == 0 {
		return nil, fmt.Errorf("%s %s: %w", v, r.Kind, action.ErrCannot)
	}
	var out []action.Call
	if v == action.Delete && a.Snapshot {
		call, err := snapshot(e, r, a)
		if err != nil {
			return nil, err
		}
		out = append(out, call)
	}
	if v == action.Delete && a.Empty && e.Empty != nil {
		calls, err := emptying(e.Empty, r, a)
		if err != nil {
			return nil, err
		}
		out = append(out, calls...)
		if x := e.Empty.Instead; x != nil {
			all = append(all[:len(all)-1:len(all)-1], x)
		}
	}
	for i, x := range all {
		if v == action.Delete && i < len(all)-1 && slices.ContainsFunc(x.Input.Columns(), func(name string) bool { return empty(r.Columns[name]) }) {
			continue
		}
		for _, columns := range each(x, r.Columns) {
			r.Columns = columns
			call, in, err := x.Resolve(vars(r, a))
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", x.Op, r.ID, err)
			}
			if v := r.Version; v != "" && in["etag"] == nil && c.takesEtag(r.Cloud, call) {
				in["etag"] = v
			}
			made := action.Call{Service: call.Service, Op: call.Op, Input: in}
			if e.Empty != nil && x == e.Empty.Instead {
				made.Says = "with " + e.Empty.What + " in it, for good: how many is not known"
			}
			out = append(out, made)
		}
	}
	return out, nil
}

// takesEtag says whether a call is refused if the resource is no longer in the
// state that an etag stands for.
func (c Declared) takesEtag(cloud string, a *catalog.Action) bool {
	_, op, err := c.lookup(cloud, a.Service, a.Op)
	return err == nil && op.Input.Member("etag") != nil
}

// each are the columns for each of the calls that an action is: one, or one
// for each element of a column that is a list.
func each(x *catalog.Action, columns map[string]string) []map[string]string {
	for _, name := range x.Input.Columns() {
		var elements []string
		if !strings.HasPrefix(columns[name], "[") || json.Unmarshal([]byte(columns[name]), &elements) != nil {
			continue
		}
		var out []map[string]string
		for _, v := range elements {
			one := maps.Clone(columns)
			one[name] = v
			out = append(out, one)
		}
		return out
	}
	return []map[string]string{columns}
}

func (c Declared) lookup(cloud, service, op string) (*api.Service, *api.Operation, error) {
	v, ok := c.vendor(cloud)
	if !ok {
		return nil, nil, fmt.Errorf("%s: nothing acts in that cloud: %w", cloud, action.ErrCannot)
	}
	svc, err := v.Lookup(service)
	if err != nil {
		return nil, nil, err
	}
	if o := svc.Operations[op]; o != nil {
		return svc, o, nil
	}
	return nil, nil, fmt.Errorf("service %s has no operation %s", service, op)
}

func (c Declared) vendor(cloud string) (catalog.Vendor, bool) {
	i := slices.IndexFunc(c.Vendors, func(v catalog.Vendor) bool { return v.Cloud == cloud })
	if i < 0 {
		return catalog.Vendor{}, false
	}
	return c.Vendors[i], true
}

func empty(text string) bool { return text == "" || text == "[]" || text == "{}" }

func to(r *action.Resource) string {
	if r == nil {
		return ""
	}
	return r.ID
}

// vars are the values of templates.
func vars(r action.Resource, a action.Args) catalog.Vars {
	v := catalog.Vars{
		Account: r.Account, Region: r.Region, Partition: "aws", ID: r.ID, Name: r.Name, URN: r.URN, ActionID: a.ActionID, To: to(a.To), Columns: r.Columns, RowTags: r.Tags, Tags: a.Tags, Keys: a.Keys,
	}
	if r.Tags != nil {
		v.AllTags = maps.Clone(r.Tags)
		maps.Copy(v.AllTags, a.Tags)
		for _, k := range a.Keys {
			delete(v.AllTags, k)
		}
	}
	if parts := strings.SplitN(r.URN, ":", 3); len(parts) == 3 && parts[0] == "arn" {
		v.Partition = parts[1]
	}
	return v
}
