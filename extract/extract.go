// Package extract reads clouds: what every source does the same way, whatever
// the cloud. Sources say what is to be read as tasks; the scheduler runs them
// under adaptive limits; what comes out are schema.Batch values and the
// outcome of every scope.
package extract

import (
	"context"
	"iter"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Source reads one cloud.
type Source interface {
	// Cloud is aws, gcp or kubernetes.
	Cloud() string
	// Kinds are the kinds that Tasks reads.
	Kinds() []*schema.Kind
	// Tasks finds out which accounts and regions there are and yields what to
	// read in them as soon as it is known. What cannot be found out is
	// reported to out as the outcome of the scopes concerned; an error ends
	// the sequence and is one that no scope can be blamed for.
	Tasks(ctx context.Context, out Writer) iter.Seq2[Task, error]
}

// Drifter is a source that counts what its cloud sends and its description of
// the API lacks.
type Drifter interface {
	// Drift returns what was met since the source was made, as problems with
	// the code drift: Kind, Call, Column (the path of the member) and Count.
	Drift() []schema.Problem
}

// Ender is a source that finds out which accounts have ended.
type Ender interface {
	// Ended returns the ids of accounts that their cloud, asked for all there
	// are, says are closed or being deleted: their rows end. It is called after
	// the tasks have ended.
	Ended() []string
}

// Writer receives what is read. Its methods are safe for concurrent use; an
// error from them ends the sync.
type Writer interface {
	// Write takes the batch and releases it; it blocks while the sinks are
	// behind.
	Write(ctx context.Context, b *schema.Batch) error
	// Scope reports the outcome of a scope after its last batch.
	Scope(ctx context.Context, r schema.ScopeResult) error
	// Problem reports what belongs to no batch.
	Problem(ctx context.Context, p ...schema.Problem) error
}

// Task reads a few scopes that hang together: the kinds that one list call
// feeds and the kinds listed for each of their items.
type Task struct {
	Account, Region, Service string
	// Name is the list call, for people.
	Name string
	// Scopes are what it reads, as far as it is known before: for kinds that
	// are listed for each of another, the scope without a parent.
	Scopes []schema.Scope
	// Run reads. It reports every scope of the task to out, failed ones
	// included; its error is one of out's, or the context's.
	Run func(ctx context.Context, out Writer) error
}
