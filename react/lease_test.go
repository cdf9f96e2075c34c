package react_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/react"
)

// TestLeaseLapses cuts who applies plans off from the Postgres: it is told to
// end before another one may apply, and enters nothing in the ledger that the
// other would miss.
func TestLeaseLapses(t *testing.T) {
	if server == nil {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	w := newWorld(t, react.Postgres)
	var name string
	if err := w.db.QueryRow("SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	relay, err := server.NewRelay()
	if err != nil {
		t.Fatal(err)
	}
	defer relay.Close()
	db, err := sql.Open("pgx", relay.URL(pgURL(name))+"&search_path=dewpoint,dewpoint_staging&timezone=UTC")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lost, other := react.NewPostgresStore(db), react.NewPostgresStore(w.db)
	lost.Lease, other.Lease = 4*time.Second, 4*time.Second
	ctx := t.Context()
	held, release, err := lost.Lock(ctx, "apply")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	a := react.Action{ID: uuid.New(), Plan: uuid.New(), State: react.Intent, Began: now, At: now}
	if err := lost.PutAction(ctx, a); err != nil {
		t.Fatal(err)
	}
	relay.Cut()
	for {
		again, end, err := other.Lock(ctx, "apply")
		var locked *react.LockedError
		if errors.As(err, &locked) {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer end()
		if held.Err() == nil || again.Err() != nil {
			t.Fatalf("another one applies while the first may go on: %v, %v", held.Err(), again.Err())
		}
		break
	}
	a.State = react.Done
	if err := other.PutAction(ctx, a); err != nil {
		t.Fatal(err)
	}
	relay.Mend()
	late := a
	late.ID, late.State = uuid.New(), react.Intent
	if err := lost.PutAction(ctx, late); err == nil || !strings.Contains(err.Error(), "the lease was not renewed in time") {
		t.Errorf("who lost the lease enters an intent: %v", err)
	}
	a.State = react.Unknown
	if err := lost.PutAction(ctx, a); err != nil {
		t.Fatal(err)
	}
	ledger, err := other.Actions(ctx, react.ActionFilter{})
	if err != nil || len(ledger) != 1 || ledger[0].State != react.Done {
		t.Errorf("the ledger is %+v, %v", ledger, err)
	}
}
