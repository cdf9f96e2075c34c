package react_test

import (
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
)

// TestDeletionsEndThatNobodyWaitsFor plans after a sync that says which
// resources are gone, of some whose deletion was called for.
func TestDeletionsEndThatNobodyWaitsFor(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		began := now.Add(-2 * time.Hour)
		p := w.planner()
		ids := map[uuid.UUID]string{}
		for _, c := range []struct {
			name   string
			verb   action.Verb
			state  react.State
			change string
			gone   time.Time
		}{
			{"let go by its finalizer", action.Delete, react.Waiting, "deleted", now.Add(-time.Hour)},
			{"called, and nobody looked again", action.Delete, react.Called, "deleted", now.Add(-time.Hour)},
			{"not known to be called", action.Delete, react.Unknown, "deleted", now.Add(-time.Hour)},
			{"held still", action.Delete, react.Waiting, "", time.Time{}},
			{"one of the same id was gone before", action.Delete, react.Waiting, "deleted", now.Add(-3 * time.Hour)},
			{"no longer read", action.Delete, react.Waiting, "out_of_scope", now.Add(-time.Hour)},
			{"never called", action.Delete, react.Intent, "deleted", now.Add(-time.Hour)},
			{"to be tagged", action.Tag, react.Called, "deleted", now.Add(-time.Hour)},
		} {
			a := react.Action{
				ID: uuid.New(), Plan: uuid.New(), Rule: "expired", Verb: c.verb, UID: uuid.NewString(), Kind: "kubernetes_pod", State: c.state, Error: "it waits",
				Began: began, At: began,
			}
			if err := w.store.PutAction(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			ids[a.ID] = c.name
			if c.change != "" {
				w.insert("resource_history", row{
					"_id": uuid.MustParse(a.UID), "kind": a.Kind, "change": c.change, "doc": "{}", "valid_from": now.AddDate(0, 0, -9), "valid_to": c.gone,
				})
			}
		}
		w.flush()
		if _, err := p.PlanAll(t.Context(), []*react.Rule{rule(t, "expired", nil)}, nil, now); err != nil {
			t.Fatal(err)
		}
		all, err := w.store.Actions(t.Context(), react.ActionFilter{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]react.State{}
		for _, a := range all {
			got[ids[a.ID]] = a.State
			if (a.State == react.Done) != (a.Error == "") {
				t.Errorf("%s is %s: %s", ids[a.ID], a.State, a.Error)
			}
		}
		want := map[string]react.State{
			"let go by its finalizer": react.Done, "called, and nobody looked again": react.Done, "not known to be called": react.Done,
			"held still": react.Waiting, "one of the same id was gone before": react.Waiting, "no longer read": react.Waiting,
			"never called": react.Intent, "to be tagged": react.Called,
		}
		if !maps.Equal(got, want) {
			t.Errorf("they are %v, want %v", got, want)
		}
	})
}
