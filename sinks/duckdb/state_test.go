package duckdb

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// TestStateIsKept holds that the tables follow the state, and that one that is
// the same writes nothing.
func TestStateIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "estate.duckdb")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.KeepState(t.Context(), sinks.State{}); err == nil {
		t.Error("a state is kept where there is no estate")
	}
	if _, err := sinktest.Estate()[0].Run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	mark := func(rule, doc string) sinks.StateMark {
		return sinks.StateMark{Rule: rule, ID: uuid.NewSHA1(uuid.Nil, []byte(rule)).String(), Doc: doc}
	}
	action := func(name, state string) sinks.StateAction {
		id := uuid.NewSHA1(uuid.Nil, []byte(name)).String()
		return sinks.StateAction{ID: id, Plan: id, Began: at, At: at, State: state, Doc: fmt.Sprintf(`{"state":%q,"reason":"it's old"}`, state)}
	}
	want := func(q string, rows ...string) {
		t.Helper()
		got, err := query(path, q)
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, r := range got {
			have = append(have, fmt.Sprint(r))
		}
		if fmt.Sprint(have) != fmt.Sprint(rows) {
			t.Errorf("%s: %s, want %s", q, have, rows)
		}
	}
	keep := func(state sinks.State) {
		t.Helper()
		if err := s.KeepState(t.Context(), state); err != nil {
			t.Fatal(err)
		}
	}
	keep(sinks.State{Marks: []sinks.StateMark{mark("a", `{"x":1}`), mark("b", `{}`)}, Actions: []sinks.StateAction{action("one", "intent")}})
	next := sinks.State{Marks: []sinks.StateMark{mark("a", `{"x":2}`)}, Actions: []sinks.StateAction{action("one", "done"), action("two", "failed")}}
	keep(next)
	want("SELECT rule, doc->>'x' FROM marks", "[a 2]")
	want(`SELECT state, doc->>'reason', "at" FROM actions ORDER BY state`, "[done it's old 2026-01-02T03:04:05Z]", "[failed it's old 2026-01-02T03:04:05Z]")
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	keep(next)
	if after, err := os.Stat(path); err != nil || after.ModTime() != before.ModTime() {
		t.Errorf("the same state is written again: %v", err)
	}
}
