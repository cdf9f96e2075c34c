package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Catalogue is the compiled catalogue, over the kinds of all clouds. It is
// immutable and safe for concurrent use.
type Catalogue struct {
	vendors vendors
	entries []*Entry // by name
	byName  map[string]*Entry
	lists   []*ListCall
	// uncompiled are the kinds that are known by name alone, not in entries.
	uncompiled []*Entry
	// later is what the files say of kinds that are found at run time.
	later *merged
}

// Entry is a kind with all that is needed to read it.
type Entry struct {
	Kind *schema.Kind
	Spec normalize.Spec
	// List is the call that decides what exists.
	List *ListCall
	// Only, if any, are conditions that an item must meet to be a row.
	Only []Condition
	// Details complete the rows; Details[i] fills Spec.Sources[i+1].
	Details []*DetailCall
	// Parent is the entry whose items the kind is listed for, nil for none.
	Parent *Entry
	// When are conditions on captures of the parent's item; where one does
	// not hold, the parent has none of this kind and its scope is complete.
	When []Condition
	// Optional kinds are read only when they are asked for by name.
	Optional bool
	// Get reads one by id, Delete deletes it after the calls in Before, Tag
	// and Untag set and remove tags; nil where the API cannot.
	Get, Delete, Tag, Untag *Action
	Before                  []*Action
	// Empty deletes what is in one before, nil where nothing can be.
	Empty *Emptying
	// Detaches take references away before a deletion.
	Detaches []*Detachment
	// Stop, after the calls in StopBefore, Start, and Snapshot before a deletion,
	// nil where there are none. Stopped are values of columns by which one is
	// stopped, where no status says it.
	Stop, Start *Action
	StopBefore  []*Action
	Stopped     map[string][]string
	Snapshot    *SnapshotAction
	// Undeletable says why Delete is nil.
	Undeletable string

	// File and Line are where the kind is declared; an empty File is a kind
	// that was found at run time.
	File string
	Line int

	captures      map[string]int
	service, noun string // in the name
}

// Columns lists the kind's own columns: name, type, where the value stands.
func (e *Entry) Columns() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", e.Kind.Name)
	for _, c := range e.Kind.Columns {
		path := c.Path
		if c.Call != "" {
			path = c.Call + ":" + path
		}
		if c.Volatile {
			path += " (volatile)"
		}
		fmt.Fprintf(&b, "  %-40s %-12s %s\n", c.Name, c.Type, path)
	}
	return b.String()
}

// Split says whether pages of the list call must be split into items: for
// details, conditions, or because other kinds are listed for each item.
func (e *Entry) Split() bool {
	return len(e.Details) > 0 || len(e.Only) > 0 || len(e.Spec.Captures) > 0
}

// ListCall is a list operation with a set of inputs, and the kinds whose rows
// are in its answers.
type ListCall struct {
	Cloud, Service, Op string
	// Scope is what the catalogue says: region, account or another of the
	// vendor's. Account says that it is any but region: the call is made once
	// for all regions, and its scopes have the region "global".
	Scope   string
	Account bool
	// Regions limits the call to regions that match one of the globs.
	Regions []string
	// Inputs are the requests, at least one. The scope is complete only when
	// all of them are.
	Inputs []*Input
	// Pager is nil where one call returns everything.
	Pager *Pager
	// Parts says that the answers have a part for each location.
	Parts bool
	// Partial is where the answers say what they lack, nil for nowhere.
	Partial *Partial
	// Recurse lists again for each item, nil for not.
	Recurse *Recursion
	// Headers are sent with the request.
	Headers map[string]string
	// Limit is the request rate to begin with, zero for the default.
	Limit Limit
	// AbsentOn are error codes that mean: complete, there are none. GoneOn
	// mean that the parent is gone: complete without rows. NotApplicable mean
	// that the service does not exist here.
	AbsentOn, GoneOn, NotApplicable []string
	// Actions are the permissions that the call needs.
	Actions []string

	// Entries are the kinds that the answers feed, by name.
	Entries []*Entry
	// Children are the calls made for each item of one of the kinds; Parent
	// is that kind's entry, which is among Entries of the call above unless
	// its rows are not wanted.
	Children []*ListCall
	Parent   *Entry
	// When are the conditions on the captures of the parent's item.
	When []Condition
}

// Recursion lists again with a value of each item: the one at Capture of
// Entry's item goes into the input's Member.
type Recursion struct {
	Member  string
	Entry   *Entry
	Capture int
}

// DetailCall is a further call for an item, or for a batch of items.
type DetailCall struct {
	// Source is the index of its documents in Spec.Sources.
	Source             int
	Cloud, Service, Op string
	Input              *Input
	Pager              *Pager
	Headers            map[string]string
	// Batch is how many items one call takes; 0 is a call per item. Key is
	// the index of the capture that holds the item's key for {keys}.
	Batch, Key int
	// When are conditions on captures of the item; where one does not hold,
	// the call is not made and its columns are NULL.
	When []Condition
	// AbsentOn are error codes that mean "not configured"; GoneOn that the
	// item has gone meanwhile: no row. For batches they are also compared
	// with the codes of failures inside the answer.
	AbsentOn, GoneOn []string
	Actions          []string
	// Account as in ListCall.
	Account bool
}

// Action is a call on one resource, outside of a sync.
type Action struct {
	Cloud, Service, Op string
	Input              *Input
	// Items leads to the resource in a get's output.
	Items   normalize.Path
	Headers map[string]string
	Actions []string
	// Else is the call for a resource that lacks a value which the input asks
	// for, nil for none.
	Else *Action
	// Failures leads to what the answer says was not done, nil for nowhere; the
	// others from there to what, to the code and to the message.
	Failures                               normalize.Path
	FailureKey, FailureCode, FailureReason normalize.Path
}

// SnapshotAction is a call that makes a snapshot.
type SnapshotAction struct {
	Action
	Find *Action
	// State leads from an item of Find's output to its state. In Done it is
	// complete, in Failed it will never be.
	State        normalize.Path
	Done, Failed []string
	// Else is the snapshot of a resource that lacks a value.
	Else *SnapshotAction
}

// Resolve is the call to make for a resource, this one or one of its Else,
// with the members of its input: the first that all values are there for.
func (a *Action) Resolve(v Vars) (*Action, map[string]any, error) {
	var first error
	for c := a; c != nil; c = c.Else {
		in, err := c.Input.Values(v)
		if err == nil {
			return c, in, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, nil, first
}

// Reads are the permissions that reading the kind takes: of the list call,
// the details and the lists of the kinds it is listed for each of. Sorted.
func (e *Entry) Reads() []string {
	seen := map[string]bool{}
	for p := e; p != nil; p = p.Parent {
		for _, a := range p.List.Actions {
			seen[a] = true
		}
	}
	for _, d := range e.Details {
		for _, a := range d.Actions {
			seen[a] = true
		}
	}
	return sortedKeys(seen)
}

// Writes are the permissions that deleting and tagging resources of the kind
// takes, with those of reading one again before. Sorted.
func (e *Entry) Writes() []string {
	seen := map[string]bool{}
	all := append([]*Action{e.Get, e.Delete, e.Tag, e.Untag, e.Stop, e.Start}, slices.Concat(e.Before, e.StopBefore)...)
	if e.Empty != nil {
		all = append(all, e.Empty.Instead)
		for _, s := range e.Empty.Sweeps {
			all = append(all, s.List, &s.Action)
		}
	}
	for _, d := range e.Detaches {
		all = append(all, d.List, &d.Action)
	}
	for s := e.Snapshot; s != nil; s = s.Else {
		all = append(all, &s.Action, s.Find)
	}
	for _, a := range all {
		for ; a != nil; a = a.Else {
			for _, x := range a.Actions {
				seen[x] = true
			}
		}
	}
	return sortedKeys(seen)
}

// Condition is met by an item one of whose captured values is among Values.
type Condition struct {
	Capture int
	Values  []string
	Path    string // as the catalogue writes it
}

// Holds says whether one of the values meets the condition. An item without
// a value meets it if "" is among Values.
func (c Condition) Holds(values []string) bool {
	if len(values) == 0 {
		return slices.Contains(c.Values, "")
	}
	return slices.ContainsFunc(values, func(v string) bool { return slices.Contains(c.Values, v) })
}

// Entries are all kinds, by name.
func (c *Catalogue) Entries() []*Entry { return slices.Clone(c.entries) }

// Entry returns a kind by name.
func (c *Catalogue) Entry(name string) (*Entry, bool) {
	e, ok := c.byName[name]
	return e, ok
}

// Kinds are the schemas of the entries.
func Kinds(entries []*Entry) []*schema.Kind {
	out := make([]*schema.Kind, len(entries))
	for i, e := range entries {
		out[i] = e.Kind
	}
	return out
}

// Lists returns the calls that read the kinds, for-each calls as children of
// their parents'. The kinds that a wanted one is listed for are read too, but
// are not among the calls' Entries unless they are wanted themselves.
func (c *Catalogue) Lists(wanted []*Entry) []*ListCall {
	want := make(map[*Entry]bool, len(wanted))
	for _, e := range wanted {
		want[e] = true
	}
	return prune(c.lists, want)
}

func prune(calls []*ListCall, want map[*Entry]bool) []*ListCall {
	var out []*ListCall
	for _, l := range calls {
		cp := *l
		cp.Entries = slices.DeleteFunc(slices.Clone(l.Entries), func(e *Entry) bool { return !want[e] })
		cp.Children = prune(l.Children, want)
		if len(cp.Entries) > 0 || len(cp.Children) > 0 {
			out = append(out, &cp)
		}
	}
	return out
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
