// Package action is what may be done to one resource of a cloud, outside of a
// sync: which calls that takes, and to make them. Clouds implement it, package
// react asks it. It is a leaf: it imports the standard library only.
package action

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"
)

// Verb is something to be done.
type Verb string

// The verbs.
const (
	Delete Verb = "delete"
	Tag    Verb = "tag"
	Untag  Verb = "untag"
	Stop   Verb = "stop"
	Start  Verb = "start"
	// Snapshot is made before a deletion, and no verb of a rule.
	Snapshot Verb = "snapshot"
	// Detach is made before deletions, where a resource refers to another that
	// has to go first, and no verb of a rule.
	Detach Verb = "detach"
)

// Former begins the names of tags in which it is kept what a resource was like
// before it was stopped.
const Former = "dewpoint-former-"

// Resource names a resource and holds what calls on it are made of.
type Resource struct {
	UID     string `json:"_id"` // the row's _id
	Cloud   string `json:"cloud"`
	Account string `json:"account"`
	Region  string `json:"region"`
	Kind    string `json:"kind"`
	ID      string `json:"id"`
	Name    string `json:"name,omitempty"`
	URN     string `json:"urn,omitempty"`
	// Columns are the row's own that calls need, as text; a list is JSON.
	Columns map[string]string `json:"columns,omitempty"`
	// Tags are nil where they are not known.
	Tags map[string]string `json:"tags,omitempty"`
	// CreatedAt is zero where the API does not say it.
	CreatedAt time.Time `json:"created_at,omitzero"`
	// Version is the state that calls are to be for, as the API says it (an
	// etag, a resourceVersion): known only right after a Read, else empty.
	Version string `json:"version,omitempty"`
}

// Shown is its kind with what people know it by.
func (r Resource) Shown() string {
	switch {
	case r.Name == "" || r.Name == r.ID:
		return r.Kind + " " + r.ID
	case r.Cloud == "kubernetes" || strings.HasPrefix(r.ID, "arn:"): // the id is a uid, or a long text that has the name in it
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.ID + " (" + r.Name + ")"
}

// As is the resource as it is now: what its calls are made of anew.
func (r Resource) As(c *Current) Resource {
	if c.Tags != nil {
		r.Tags = c.Tags
	}
	if len(c.Columns) > 0 {
		r.Columns = maps.Clone(r.Columns)
		if r.Columns == nil {
			r.Columns = map[string]string{}
		}
		maps.Copy(r.Columns, c.Columns)
	}
	r.Version = c.Version
	return r
}

// Call is one call, exactly as it is made.
type Call struct {
	Service string         `json:"service"`
	Op      string         `json:"op"`
	Input   map[string]any `json:"input"`
	// Find is the call by which what an earlier attempt made is found: it is not
	// made twice, and done when that is complete.
	Find *Call `json:"find,omitempty"`
	// Each is the list call for all of whose items it is made, until that
	// returns none: how many there are is not known before. What the items fill
	// in stands in Input as {item.X}.
	Each *Call `json:"each,omitempty"`
	// Only are what the items that it is made for must have, by path, and To is
	// the id of what the resource is detached from.
	Only map[string]string `json:"only,omitempty"`
	To   string            `json:"to,omitempty"`
	// Says is what it comes to in words, where its name and its input do not
	// say it.
	Says string `json:"says,omitempty"`
}

// Args are what a verb needs besides the resource.
type Args struct {
	Tags map[string]string // to set
	Keys []string          // to remove
	Options
	// ActionID is that of the action, which what it makes bears.
	ActionID string
	// To is what the resource is detached from, and Relation how it refers to it.
	To       *Resource
	Relation string
}

// Options are what a rule says of how a deletion is made.
type Options struct {
	// Propagation says what becomes of what an object of Kubernetes owns:
	// background, foreground or orphan.
	Propagation string `json:"propagation,omitempty"`
	// Snapshot says that a snapshot is made before.
	Snapshot bool `json:"snapshot,omitempty"`
	// Empty says that what is in the resource is deleted before, of kinds that
	// are deleted only when they are empty.
	Empty bool `json:"empty,omitempty"`
}

// Calls says what acting on resources takes. It asks no cloud.
type Calls interface {
	// Calls are the calls of a verb, in order. It is ErrCannot where the API
	// has none.
	Calls(v Verb, r Resource, a Args) ([]Call, error)
	// Columns are the columns of the kind's table that its calls need.
	Columns(kind string) []string
	// Can says whether the API has the verb for the kind. Taggable kinds can
	// have tags, dated ones a creation time.
	Can(v Verb, kind string) bool
	// Detaches says whether it has calls that take the references of a relation
	// from one kind to another away. Needed says that the other one needs the
	// resource, which is not deleted while the other stays.
	Detaches(kind, relation, to string) (can, needed bool)
	Taggable(kind string) bool
	Dated(kind string) bool
}

// Cloud acts. Its methods are safe for concurrent use.
type Cloud interface {
	Calls
	// Read reads a resource by its id. It is ErrGone where it is no more, and
	// ErrCannot where the API cannot read one.
	Read(ctx context.Context, r Resource) (*Current, error)
	// Do makes a call and returns the id by which the vendor finds it. Errors
	// are *Error, or that of the context.
	Do(ctx context.Context, r Resource, c Call) (requestID string, err error)
}

// Waiter is a Cloud some of whose calls go on after their answer.
type Waiter interface {
	// Waits says whether a call may go on so.
	Waits(r Resource, c Call) bool
	// Ended says whether what a call began has ended, by the id that Do
	// returned. What it came to is an *Error if it failed.
	Ended(ctx context.Context, r Resource, c Call, requestID string) (bool, error)
}

// Sweeper is a Cloud some of whose calls are made for all that another lists.
type Sweeper interface {
	// Sweep makes a call that has Each until nothing is listed any more. It
	// says for how many it was made so far, and ends with an error of that. What
	// an earlier, interrupted Sweep has done is not listed again. Errors are
	// those of Cloud.Do.
	Sweep(ctx context.Context, r Resource, c Call, made func(n int) error) (requestID string, err error)
}

// Current is a resource as it is.
type Current struct {
	CreatedAt time.Time
	// Tags are nil where the answer does not hold them.
	Tags map[string]string
	// Status is the vendor's, in lower case: terminated, deleting. Empty where
	// there is none.
	Status string
	// Columns are those of Calls.Columns that the answer holds, as text, and
	// Version the state that it shows, where the API takes one with a call.
	Columns map[string]string
	Version string
	// Held are what keeps a resource that is being deleted: finalizers.
	Held []string
}

// The errors of asking.
var (
	ErrGone   = errors.New("it is gone")
	ErrCannot = errors.New("the API has no such call")
)

// Error is an error of a call.
type Error struct {
	Code, RequestID string
	// Gone says that the resource is no more, Busy that something else is in
	// the way which may go by itself (a dependency that is being deleted, a
	// throttle), Unknown that it is not known whether the call was carried out.
	Gone, Busy, Unknown bool
	Err                 error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }
