package react_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
)

// TestStores holds every store to the same.
func TestStores(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "state")
		testStore(t, func() react.Store { return react.OpenFileStore(path) })
	})
	if server != nil {
		t.Run("postgres", func(t *testing.T) {
			w := newWorld(t, react.Postgres)
			testStore(t, func() react.Store { return react.NewPostgresStore(w.db) })
		})
	}
}

func testStore(t *testing.T, open func() react.Store) {
	ctx := context.Background()
	s := open()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	marks := func(rule string, want ...react.Mark) {
		t.Helper()
		got, err := open().Marks(ctx, rule)
		check(err)
		wanted := map[string]react.Mark{}
		for _, m := range want {
			wanted[m.UID] = m
		}
		if d := cmp.Diff(wanted, got); d != "" {
			t.Errorf("the marks of %s: %s", rule, d)
		}
	}
	marks("expired")
	a := react.Mark{UID: uuid.NewString(), RuleHash: "x", Incarnation: "i'", FirstMatchedAt: now, FirstSync: uuid.NewString(), LastMatchedAt: now.Add(time.Second)}
	b := react.Mark{UID: uuid.NewString(), RuleHash: "x", FirstMatchedAt: now, LastMatchedAt: now, FrozenAt: now}
	check(s.SetMarks(ctx, "expired", []react.Mark{a, b}, nil))
	check(s.SetMarks(ctx, "other", []react.Mark{b}, []string{uuid.NewString()}))
	check(s.SetMarks(ctx, "other", nil, nil))
	marks("expired", a, b)
	a.RuleHash = "y"
	check(s.SetMarks(ctx, "expired", []react.Mark{a}, []string{b.UID}))
	marks("expired", a)
	marks("other", b)
	var many []react.Mark
	for range 2500 {
		many = append(many, react.Mark{UID: uuid.NewString(), FirstMatchedAt: now, LastMatchedAt: now})
	}
	check(s.SetMarks(ctx, "many", many, nil))
	marks("many", many...)

	plan := uuid.New()
	x := react.Action{
		ID: uuid.New(), Plan: plan, Rule: "expired", Verb: action.Delete, UID: a.UID, Kind: "aws_ec2_volume", Resource: "vol-1", Reason: `it's "old"\`,
		Calls: []action.Call{{Service: "ec2", Op: "DeleteVolume", Input: map[string]any{"VolumeId": "vol-1"}}}, State: react.Intent, Began: now, At: now,
	}
	y := react.Action{ID: uuid.New(), Plan: uuid.New(), State: react.Done, Began: now.Add(-time.Hour), At: now.Add(time.Hour)}
	check(s.PutAction(ctx, x))
	check(s.PutAction(ctx, y))
	x.State, x.At, x.RequestID = react.Done, now.Add(time.Minute), "r-1"
	check(s.PutAction(ctx, x))
	actions := func(f react.ActionFilter, want ...react.Action) {
		t.Helper()
		got, err := open().Actions(ctx, f)
		check(err)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the actions of %+v: %s", f, d)
		}
	}
	actions(react.ActionFilter{}, y, x)
	actions(react.ActionFilter{Plan: plan}, x)
	actions(react.ActionFilter{Since: now.Add(time.Minute)}, y, x)
	actions(react.ActionFilter{Since: now.Add(2 * time.Minute)}, y)

	_, release, err := s.Lock(ctx, "apply")
	check(err)
	var locked *react.LockedError
	if _, _, err := open().Lock(ctx, "apply"); !errors.As(err, &locked) || locked.Holder == "" {
		t.Errorf("a second lock: %v", err)
	}
	_, other, err := open().Lock(ctx, "other")
	check(err)
	check(other())
	check(release())
	_, release, err = open().Lock(ctx, "apply")
	check(err)
	check(release())

	// Writers do not get in each other's way.
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := open().PutAction(ctx, react.Action{ID: uuid.New(), Plan: uuid.NewSHA1(plan, []byte{1}), Resource: fmt.Sprint(i), Began: now, At: now})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := s.Actions(ctx, react.ActionFilter{Plan: uuid.NewSHA1(plan, []byte{1})})
	check(err)
	if len(got) != 20 {
		t.Errorf("%d of 20 actions are there", len(got))
	}
}
