package postgres

import (
	"context"
	"testing"
	"time"
)

// TestLeadershipLapses cuts a leader off from the Postgres: it stops before
// another one leads.
func TestLeadershipLapses(t *testing.T) {
	t.Parallel()
	url := shared.url(t)
	relay, err := shared.get(t).NewRelay()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	const term = 4 * time.Second
	first, err := Lead(t.Context(), relay.URL(url), term, nil)
	if err != nil {
		t.Fatal(err)
	}
	relay.Cut()
	waited := false
	second, err := Lead(t.Context(), url, term, func(string) { waited = true })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-first.Lost():
	default:
		t.Error("another one leads while the first does not know")
	}
	if !waited {
		t.Error("a leader that may live is not waited for")
	}
	// One that resigns is followed at once.
	second.Resign()
	ctx, cancel := context.WithTimeout(t.Context(), term)
	defer cancel()
	third, err := Lead(ctx, url, term, nil)
	if err != nil {
		t.Fatal(err)
	}
	third.Resign()
}
