package sinks

import (
	"context"
	"time"
)

// StateKeeper is a sink that shows what rules remember in its tables marks and
// actions, where that is kept in a file.
type StateKeeper interface {
	// KeepState makes the tables hold the state, and writes nothing where they
	// do. It waits for a sync that holds the database as Begin does.
	KeepState(ctx context.Context, s State) error
}

// State is what rules remember.
type State struct {
	Marks   []StateMark
	Actions []StateAction
}

// StateMark says since when a resource matches a rule; Doc is JSON.
type StateMark struct{ Rule, ID, Doc string }

// StateAction is an entry of the ledger; Doc is JSON.
type StateAction struct {
	ID, Plan  string
	Began, At time.Time
	State     string
	Doc       string
}
