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
	"github.com/dewpoint-data/dewpoint/extract/catalog"
)

// Declared says what acting takes, by a catalogue. It implements action.Calls.
type Declared struct{ Catalogue *catalog.Catalogue }

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
	}
	return nil
}

// Can implements action.Calls.
func (c Declared) Can(v action.Verb, kind string) bool {
	e, ok := c.Catalogue.Entry(kind)
	return ok && len(of(e, v)) > 0
}

// Taggable implements action.Calls.
func (c Declared) Taggable(kind string) bool {
	e, ok := c.Catalogue.Entry(kind)
	return ok && e.Spec.Tags != nil
}

// Dated implements action.Calls.
func (c Declared) Dated(kind string) bool {
	e, ok := c.Catalogue.Entry(kind)
	return ok && e.Spec.CreatedAt != nil
}

// Columns implements action.Calls.
func (c Declared) Columns(kind string) []string {
	e, ok := c.Catalogue.Entry(kind)
	if !ok {
		return nil
	}
	var out []string
	for _, a := range append(of(e, action.Delete), e.Get, e.Tag, e.Untag) {
		for ; a != nil; a = a.Else {
			out = append(out, a.Input.Columns()...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Calls implements action.Calls. A call before a deletion that names a column
// without a value has nothing to do and is left out.
func (c Declared) Calls(v action.Verb, r action.Resource, a action.Args) ([]action.Call, error) {
	e, ok := c.Catalogue.Entry(r.Kind)
	if !ok {
		return nil, fmt.Errorf("the kind %s is not in the catalogue: %w", r.Kind, action.ErrCannot)
	}
	all := of(e, v)
	if len(all) == 0 {
		return nil, fmt.Errorf("%s %s: %w", v, r.Kind, action.ErrCannot)
	}
	var out []action.Call
	for i, x := range all {
		if i < len(all)-1 && slices.ContainsFunc(x.Input.Columns(), func(name string) bool { return empty(r.Columns[name]) }) {
			continue
		}
		for _, columns := range each(x, r.Columns) {
			r.Columns = columns
			call, in, err := x.Resolve(vars(r, a))
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", x.Op, r.ID, err)
			}
			out = append(out, action.Call{Service: call.Service, Op: call.Op, Input: in})
		}
	}
	return out, nil
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

func empty(text string) bool { return text == "" || text == "[]" || text == "{}" }

// vars are the values of templates.
func vars(r action.Resource, a action.Args) catalog.Vars {
	v := catalog.Vars{
		Account: r.Account, Region: r.Region, Partition: "aws", ID: r.ID, Name: r.Name, URN: r.URN, Columns: r.Columns, Tags: a.Tags, Keys: a.Keys,
	}
	if parts := strings.SplitN(r.URN, ":", 3); len(parts) == 3 && parts[0] == "arn" {
		v.Partition = parts[1]
	}
	return v
}
