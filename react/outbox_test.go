package react_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/react"
)

func TestOutboxes(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		testOutbox(t, func() react.Outbox { return react.OpenFileStore(path) })
	})
	if server != nil {
		t.Run("postgres", func(t *testing.T) {
			w := newWorld(t, react.Postgres)
			testOutbox(t, func() react.Outbox { return react.NewPostgresStore(w.db) })
		})
	}
}

func testOutbox(t *testing.T, open func() react.Outbox) {
	ctx := context.Background()
	has := func(want ...react.Parcel) {
		t.Helper()
		got, err := open().Parcels(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	has()
	late := react.Parcel{ID: uuid.New(), At: now.Add(time.Hour), Kind: "message", To: "it's", Body: json.RawMessage(`{"a": "b'\\c"}`)}
	early := react.Parcel{ID: uuid.New(), At: now, Kind: "program", To: "job", Body: json.RawMessage(`[]`)}
	for _, p := range []react.Parcel{late, early, late} {
		if err := open().PutParcel(ctx, p); err != nil {
			t.Fatal(err)
		}
	}
	parcels, err := open().Parcels(ctx)
	if err != nil || len(parcels) != 2 || parcels[0].ID != early.ID || parcels[1].To != "it's" {
		t.Fatalf("%v, %v", parcels, err)
	}
	var body map[string]string
	if err := json.Unmarshal(parcels[1].Body, &body); err != nil || body["a"] != `b'\c` {
		t.Errorf("%s, %v", parcels[1].Body, err)
	}
	for _, id := range []uuid.UUID{late.ID, uuid.New(), early.ID} {
		if err := open().DropParcel(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	has()
}
