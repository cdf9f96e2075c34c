// Package sinks defines what a database must do to receive a sync. The rows
// come as schema.Batch values; every rule about what becomes of them is held
// by the conformance suite in sinks/sinktest, which each sink passes.
package sinks

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Sink is an open database. Its methods are safe for concurrent use.
type Sink interface {
	// Begin starts a sync. It sweeps what a crashed one left behind, makes
	// the additive schema changes that the kinds need and takes the lease
	// that keeps a second sync out. It fails with a *LockedError when another
	// process holds it and with a *SchemaError when a change is not additive.
	Begin(ctx context.Context, s Sync) (Tx, error)
	// PlanSchema says what a sync of the kinds, or ApplySchema, would change
	// in the database. It changes nothing. kinds are all that the catalogue
	// has: what dewpoint made for others is listed as a drop.
	PlanSchema(ctx context.Context, kinds []*schema.Kind) ([]SchemaChange, error)
	// ApplySchema makes the additive changes, and with drop those that drop,
	// and returns what it did. Where PlanSchema finds a conflict it changes
	// nothing and returns a *SchemaError or, where an object of a user bears
	// the name of a table, an error that names it. While a sync holds the
	// database it fails with a *LockedError.
	ApplySchema(ctx context.Context, kinds []*schema.Kind, drop bool) ([]SchemaChange, error)
	// URL identifies the sink without secrets.
	URL() string
	Close() error
}

// Sync describes one sync.
type Sync struct {
	ID        uuid.UUID // version 7
	StartedAt time.Time
	Version   string // dewpoint's
	// Kinds are all kinds that the sync reads, whether rows come or not.
	Kinds []*schema.Kind
	// HistoryRetention ends history rows that are older; 0 keeps all.
	HistoryRetention time.Duration
}

// Tx receives one sync. Nothing of it is visible before Commit returns.
type Tx interface {
	// Write takes the batch and releases it. Safe for concurrent use; it
	// blocks when the sink is slower than the cloud.
	Write(ctx context.Context, b *schema.Batch) error
	// Scope reports how the reading of a scope ended, after its last batch
	// was written. Safe for concurrent use. Every scope that was begun is
	// reported exactly once; one that is not is taken as failed.
	Scope(ctx context.Context, r schema.ScopeResult) error
	// Problem adds problems that belong to no batch.
	Problem(ctx context.Context, p ...schema.Problem) error
	// Commit makes the whole sync visible at once. After an error nothing
	// of it is, or, where a *CommitUnknownError says so, the next Begin
	// finds out.
	Commit(ctx context.Context, end Outcome) (Summary, error)
	// Rollback gives the sync up and removes what was staged. It may be
	// called after Commit, when it does nothing.
	Rollback(ctx context.Context) error
}

// Outcome is what the workflow knows about a sync when it ends.
type Outcome struct {
	FinishedAt time.Time
	// GoneAccounts are accounts that a complete listing of their
	// organisation shows closed: their rows end as account_closed.
	GoneAccounts []Account
}

// Account names an account of a cloud.
type Account struct{ Cloud, ID string }

// Summary is what a commit did.
type Summary struct {
	Kinds []KindSummary
	Edges int64 // rows in edges after the commit
	// Bytes is the size of the database after the commit, 0 if unknown.
	Bytes int64
	// Notices say what did not succeed beside the commit, and what to do.
	Notices []string
}

// KindSummary is what a commit did to one kind.
type KindSummary struct {
	Kind                                  string
	Rows                                  int64 // in the table after the commit
	New, Changed, Gone, Unchanged, Unread int64
}

// SchemaChange is a difference between the database and the catalogue.
type SchemaChange struct {
	Action SchemaAction
	// Table is the table concerned, empty for a migration of dewpoint's own
	// tables; Column the column, empty where the whole table is.
	Table, Column string
	// Have and Want are what is there and what the catalogue says: types of a
	// column, names of a table, versions of dewpoint's own tables. Either is
	// empty where there is nothing.
	Have, Want string
	// SQL makes the change; for a conflict, it is a statement that solves it.
	SQL string
}

// SchemaAction is what a SchemaChange does.
type SchemaAction string

// The actions.
const (
	Migrate     SchemaAction = "migrate" // of dewpoint's own tables
	CreateTable SchemaAction = "create_table"
	AddColumn   SchemaAction = "add_column"
	RenameTable SchemaAction = "rename_table" // with its rows, the former name stays as a view
	// Drops concern what dewpoint made and the catalogue no longer has.
	DropColumn SchemaAction = "drop_column"
	DropTable  SchemaAction = "drop_table" // with all rows of the kind but its history
	// Conflict is what only a user can solve: another type under a column's
	// name, an object that is not dewpoint's under a table's.
	Conflict SchemaAction = "conflict"
)

// Additive says whether a sync makes the change by itself.
func (a SchemaAction) Additive() bool {
	switch a {
	case Migrate, CreateTable, AddColumn, RenameTable:
		return true
	}
	return false
}

func (a SchemaAction) String() string { return string(a) }

// LockedError says that another sync holds the database.
type LockedError struct {
	URL    string
	Holder string // as well as it can be told: process id, host
	Err    error
}

func (e *LockedError) Error() string {
	s := e.URL + " is locked"
	if e.Holder != "" {
		s += " by " + e.Holder
	}
	return s + ": wait for it, or raise --lock-timeout"
}

func (e *LockedError) Unwrap() error { return e.Err }

// SchemaError says that a kind's table and its definition disagree in a way
// that adding columns cannot solve.
type SchemaError struct {
	Kind, Column string
	Have, Want   string
}

func (e *SchemaError) Error() string {
	return "table " + e.Kind + ": column " + e.Column + " is " + e.Have + ", the catalogue wants " + e.Want +
		": rename the column in the catalogue (rename:), or rename or drop the column in the table"
}

// CommitUnknownError says that the answer to a commit was lost.
type CommitUnknownError struct{ Err error }

func (e *CommitUnknownError) Error() string {
	return "the outcome of the commit is unknown: " + e.Err.Error()
}

func (e *CommitUnknownError) Unwrap() error { return e.Err }
