package sinks

import (
	"context"
	"database/sql"
)

// Overlayer is a sink whose estate can be copied for a while: a sync goes into
// the copy, SQL is run on what comes of it, and the estate stays as it is.
type Overlayer interface {
	// Overlay copies the newest state and removes what an overlay left whose
	// process was killed. names are the tables and views that will be read; a
	// sink may leave others out of the copy. It fails with a *LockedError
	// where another process has the only overlay that there can be.
	Overlay(ctx context.Context, names []string) (Overlay, error)
}

// Overlay is a copy of an estate. Its Close removes the copy.
type Overlay interface {
	Sink
	// Read opens the copy for SQL, which finds its tables and views by their
	// plain names. No sync runs meanwhile. The caller closes the database.
	Read(ctx context.Context) (*sql.DB, error)
}
