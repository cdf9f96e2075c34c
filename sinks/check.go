package sinks

import "context"

// Checker is a sink that can tell before a sync whether one would work.
type Checker interface {
	// Check looks at what a sync needs of the database: that it is reached,
	// the privileges, the version of dewpoint's own tables, who holds it, that
	// it can be written. It changes nothing, waits for no lock, and returns
	// one finding for each thing it looked at, up to the first that makes the
	// others moot.
	Check(ctx context.Context) []Finding
}

// Finding is one thing that Check looked at.
type Finding struct {
	// About is what was looked at, in a word: connection, privileges, schema,
	// lock, storage.
	About string
	// Level says what it means for a sync.
	Level Level
	// Text is what was found, without secrets, and what to do about it where
	// something is wrong.
	Text string
}

// Level says what a finding means for a sync.
type Level uint8

// The levels. The zero value is Fine.
const (
	Fine    Level = iota
	Notice        // a sync works all the same, or after waiting
	Problem       // a sync would fail
)

func (l Level) String() string {
	switch l {
	case Notice:
		return "notice"
	case Problem:
		return "problem"
	}
	return "fine"
}

// URLError says that the URL of a sink is wrong, whatever the database says.
type URLError struct {
	URL string // without secrets
	Err error
}

func (e *URLError) Error() string { return "sink " + e.URL + ": " + e.Err.Error() }

func (e *URLError) Unwrap() error { return e.Err }
