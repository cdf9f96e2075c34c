package schema

import (
	"strings"
	"time"
)

// Scope is what one answer is complete about: the rows of a kind that one
// reader of an account sees in a region, for one parent where the kind is
// listed for each of another.
type Scope struct {
	Cloud   string
	Account string // the reader's account
	Region  string // the region asked; global where the service has none
	Kind    string
	Parent  string // _id of the parent row in text form; empty for a plain list
}

// ID is the text that rows carry in _scope. It leaves the kind out, which
// the table says.
func (s Scope) ID() string {
	n := len(s.Cloud) + len(s.Account) + len(s.Region) + len(s.Parent) + 3
	var b strings.Builder
	b.Grow(n)
	b.WriteString(s.Cloud)
	b.WriteByte('/')
	b.WriteString(s.Account)
	b.WriteByte('/')
	b.WriteString(s.Region)
	if s.Parent != "" {
		b.WriteByte('/')
		b.WriteString(s.Parent)
	}
	return b.String()
}

// ParseScope reads the scope of a kind from the text that rows carry.
func ParseScope(id, kind string) (Scope, bool) {
	parts := strings.SplitN(id, "/", 4)
	if len(parts) < 3 {
		return Scope{}, false
	}
	s := Scope{Cloud: parts[0], Account: parts[1], Region: parts[2], Kind: kind}
	if len(parts) == 4 {
		s.Parent = parts[3]
	}
	return s, true
}

// State is how the reading of a scope ended. Only Complete ends rows.
type State string

// The states.
const (
	Complete      State = "complete"
	Denied        State = "denied"
	Throttled     State = "throttled"
	Failed        State = "failed"
	TimedOut      State = "timed_out"
	Unreachable   State = "unreachable"    // region disabled, account suspended
	NotApplicable State = "not_applicable" // the service is absent here
	Skipped       State = "skipped"
)

// ScopeResult reports how the reading of a scope ended.
type ScopeResult struct {
	Scope Scope
	State State
	// Rows is the number of rows read, duplicates included.
	Rows int64
	// Calls is the number of requests sent, retries included.
	Calls int64
	// Error says what failed, empty when nothing did. Code is the vendor's.
	Error     string
	Code      string
	RequestID string
	Duration  time.Duration
}

// Problem is something that was wrong with an answer without being a reason
// to fail it. Problems are counted by all fields but Sample and Count.
type Problem struct {
	Kind    string
	Account string
	Region  string
	// Call is the operation, Column the column concerned, if one is.
	Call   string
	Column string
	// Code is the vendor's error code, or one of ours: time, number, tag,
	// text, duplicate, drift.
	Code   string
	Count  int64
	Sample string // the offending value or message, at most 200 bytes
}
