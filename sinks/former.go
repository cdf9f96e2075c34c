package sinks

import (
	"context"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Rememberer is a sink that can tell which kinds it holds, also those that no
// catalogue has any more. A cloud whose kinds are found at run time, as
// Kubernetes' custom resources are, ends their rows by it.
type Rememberer interface {
	// Former returns the kinds of a cloud that have a table, by name, as the
	// last sync of each declared them: a sync that begins with one changes
	// nothing about its table. A database without an estate has none. It
	// changes nothing and waits for no sync that is still reading.
	Former(ctx context.Context, cloud string) ([]FormerKind, error)
}

// FormerKind is a kind that a sink holds.
type FormerKind struct {
	Kind *schema.Kind
	// Scopes are those that reported rows that are there, none where the
	// kind's table is empty.
	Scopes []schema.Scope
}
