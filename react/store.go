package react

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react/timespan"
)

// Store keeps what outlives a run: marks of grace, and the ledger of actions.
// Its methods are safe for concurrent use, and each is one transaction.
type Store interface {
	// Marks are those of a rule, by _id.
	Marks(ctx context.Context, rule string) (map[string]Mark, error)
	// SetMarks puts marks and removes others of a rule, by _id.
	SetMarks(ctx context.Context, rule string, put []Mark, remove []string) error
	// Actions are those of the ledger, oldest first.
	Actions(ctx context.Context, f ActionFilter) ([]Action, error)
	// PutAction enters an action or its next state.
	PutAction(ctx context.Context, a Action) error
	// Lock takes a lease, which is held until the function returned is called
	// or the process ends. It fails with a *LockedError while another holds it.
	// The context returned is ctx, and ends in time before another process may
	// hold the lease.
	Lock(ctx context.Context, name string) (held context.Context, release func() error, err error)
	Close() error
}

// Mark says since when a resource matches a rule.
type Mark struct {
	UID            string    `json:"_id"`
	RuleHash       string    `json:"rule_hash"`
	Incarnation    string    `json:"incarnation"`
	FirstMatchedAt time.Time `json:"first_matched_at"`
	FirstSync      string    `json:"first_sync_id"`
	// LastMatchedAt is written once a day where nothing else changes.
	LastMatchedAt time.Time `json:"last_matched_at"`
	// AbsentAt is the newest reading, when it first matched, of what the rule
	// finds absent: all must have been read again since.
	AbsentAt time.Time `json:"absent_at,omitzero"`
	// NotifiedAt is when somebody was told.
	NotifiedAt time.Time `json:"notified_at,omitzero"`
	// FrozenAt is since when it cannot be told whether it matches: the grace
	// stands still meanwhile.
	FrozenAt time.Time `json:"frozen_at,omitzero"`
}

// State is how far an action came.
type State string

// The states: an action is entered before its call and after it.
const (
	Intent  State = "intent"
	Called  State = "called"
	Done    State = "done"
	Failed  State = "failed"
	Unknown State = "unknown" // whether the call was carried out
	Waiting State = "waiting" // for what holds the resource, of a deletion that was called for
)

// Action is an entry of the ledger.
type Action struct {
	ID       uuid.UUID     `json:"action_id"`
	Plan     uuid.UUID     `json:"plan_id"`
	Rule     string        `json:"rule"`
	Verb     action.Verb   `json:"verb"`
	UID      string        `json:"_id"`
	Cloud    string        `json:"cloud"`
	Account  string        `json:"account"`
	Region   string        `json:"region"`
	Kind     string        `json:"kind"`
	Resource string        `json:"id"`
	Reason   string        `json:"reason"`
	Calls    []action.Call `json:"calls"`
	// Set and Remove are the tags of the verbs tag and untag.
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
	// Made is how many of the calls were made and answered.
	Made int `json:"made,omitempty"`
	// Operation is what the next of the calls began, where calls go on after
	// their answer.
	Operation string `json:"operation,omitempty"`
	// Swept is for how many things in the resource calls were made.
	Swept     int    `json:"swept,omitempty"`
	State     State  `json:"state"`
	RequestID string `json:"request_id,omitempty"`
	Error     string `json:"error,omitempty"`
	// Along is how many resources go along with it without a call.
	Along int `json:"along,omitempty"`
	// Began is when it was entered, At when its state changed.
	Began time.Time `json:"began_at"`
	At    time.Time `json:"at"`
}

// ActionFilter chooses actions; the zero value takes all.
type ActionFilter struct {
	Plan  uuid.UUID
	Since time.Time
}

// LockedError says that another process holds a lease.
type LockedError struct{ Name, Holder string }

func (e *LockedError) Error() string {
	return "the state is held by " + e.Holder + " (" + e.Name + "): wait for it"
}

// remember updates the marks of a rule: a mark is new where a resource first
// matches, or where the rule or the incarnation is another one; it is removed
// where a resource no longer matches and its scope was read completely.
func (s *planning) remember(ctx context.Context, matched []string) error {
	old, err := s.Store.Marks(ctx, s.rule.Name)
	if err != nil {
		return err
	}
	s.marks = map[string]Mark{}
	var put []Mark
	for _, uid := range matched {
		f := s.facts[uid]
		m, ok := old[uid]
		if !ok || m.RuleHash != s.plan.RuleHash || m.Incarnation != f.incarnation() {
			m = Mark{UID: uid, RuleHash: s.plan.RuleHash, Incarnation: f.incarnation(), FirstMatchedAt: s.now, FirstSync: s.plan.Sync, AbsentAt: s.absence(f).newest}
		}
		if !m.FrozenAt.IsZero() {
			frozen := s.now.Sub(m.FrozenAt)
			m.FirstMatchedAt = m.FirstMatchedAt.Add(frozen)
			if !m.NotifiedAt.IsZero() {
				m.NotifiedAt = m.NotifiedAt.Add(frozen)
			}
			m.FrozenAt = time.Time{}
		}
		if last := old[uid]; m != last || s.now.Sub(last.LastMatchedAt) >= timespan.Day {
			m.LastMatchedAt = s.now
			put = append(put, m)
		}
		s.marks[uid] = m
	}
	if !s.Mark {
		return nil
	}
	var unmatched []string
	for uid := range old {
		if _, still := s.marks[uid]; !still {
			unmatched = append(unmatched, uid)
		}
	}
	facts, err := s.Estate.facts(ctx, unmatched)
	if err != nil {
		return err
	}
	var remove []string
	for _, uid := range unmatched {
		f := facts[uid]
		if f == nil || f.unread == "" && s.fresh.of(f.Kind, f.scope, s.since) == "" && s.absence(f).why == "" {
			remove = append(remove, uid)
			continue
		}
		if m := old[uid]; m.FrozenAt.IsZero() {
			m.FrozenAt = s.now
			put = append(put, m)
		}
	}
	return s.Store.SetMarks(ctx, s.rule.Name, put, remove)
}

// Notified enters that somebody was told at an instant of targets of a plan,
// by _id.
func Notified(ctx context.Context, store Store, p *Plan, at time.Time, uids []string) error {
	marks, err := store.Marks(ctx, p.Rule)
	if err != nil {
		return err
	}
	var put []Mark
	for _, uid := range uids {
		if m, ok := marks[uid]; ok && m.RuleHash == p.RuleHash && m.NotifiedAt.IsZero() {
			m.NotifiedAt = at.UTC().Truncate(time.Microsecond)
			put = append(put, m)
		}
	}
	return store.SetMarks(ctx, p.Rule, put, nil)
}
