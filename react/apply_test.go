package react_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

// sky is a cloud in memory that a world's rows are the estate of.
type sky struct {
	acting.Declared
	w *world

	mu     sync.Mutex
	things map[string]*action.Current // by id
	inside map[string]int             // how much is in them, by id
	kept   map[string]bool            // snapshots, by what they bear
	calls  []string
	// fault, if any, decides about a call before it is carried out.
	fault func(op, id string) error
	// tick is called before each operation that outlives the process; after an
	// error of it nothing has an effect any more.
	tick func() error
}

func newSky(w *world, p *react.Planner) *sky {
	s := &sky{Declared: p.Calls.(acting.Declared), w: w, things: map[string]*action.Current{}, inside: map[string]int{}, kept: map[string]bool{}, tick: func() error { return nil }}
	rows, err := w.db.Query("SELECT id, created_at FROM resources")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var at *time.Time
		if err := rows.Scan(&id, &at); err != nil {
			w.t.Fatal(err)
		}
		s.things[id] = &action.Current{}
		if at != nil {
			s.things[id].CreatedAt = at.UTC()
		}
	}
	return s
}

func (s *sky) Read(_ context.Context, r action.Resource) (*action.Current, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.tick(); err != nil {
		return nil, err
	}
	if s.things[r.ID] == nil {
		return nil, action.ErrGone
	}
	c := *s.things[r.ID]
	return &c, nil
}

func (s *sky) Do(_ context.Context, r action.Resource, c action.Call) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.tick(); err != nil {
		return "", err
	}
	if s.fault != nil {
		if err := s.fault(c.Op, r.ID); err != nil {
			return "", err
		}
	}
	if c.Find != nil {
		by := fmt.Sprint(c.Find.Input)
		if s.kept[by] {
			return "found", s.tick()
		}
		s.kept[by] = true
	}
	s.calls = append(s.calls, c.Op+" "+r.ID)
	if s.things[r.ID] == nil {
		return "", &action.Error{Code: "NotFound", Gone: true, Err: errors.New("not found")}
	}
	if c.Op == "DeleteBucket" && s.inside[r.ID] > 0 {
		return "", &action.Error{Code: "BucketNotEmpty", Err: errors.New("BucketNotEmpty")}
	}
	if strings.HasPrefix(c.Op, "Delete") || strings.HasPrefix(c.Op, "Terminate") {
		delete(s.things, r.ID)
	}
	// The process may end right after the call.
	return "request", s.tick()
}

// Sweep takes what is in a bucket out, one by one.
func (s *sky) Sweep(_ context.Context, r action.Resource, c action.Call, made func(int) error) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.To != "" {
		if err := s.tick(); err != nil {
			return "", err
		}
		s.calls = append(s.calls, c.Op+" "+r.ID+" "+c.To)
		return "detached", s.tick()
	}
	for n := 1; c.Op == "DeleteObjects" && s.inside[r.ID] > 0; n++ {
		if err := s.tick(); err != nil {
			return "", err
		}
		s.calls = append(s.calls, c.Op+" "+r.ID)
		s.inside[r.ID]--
		if err := made(n); err != nil {
			return "", err
		}
	}
	return "swept", s.tick()
}

// recheck reads the estate anew: what is gone leaves it.
func (s *sky) recheck(p *react.Planner, r *react.Rule) func(context.Context, *react.Plan) (*react.Plan, error) {
	return func(ctx context.Context, plan *react.Plan) (*react.Plan, error) {
		s.mu.Lock()
		ids := []string{"''"}
		for id := range s.things {
			ids = append(ids, "'"+id+"'")
		}
		s.mu.Unlock()
		list := strings.Join(ids, ", ")
		s.w.rows = append(s.w.rows, "DELETE FROM edges WHERE from_id IN (SELECT _id FROM resources WHERE id NOT IN ("+list+"))",
			"UPDATE edges SET to_id = NULL, resolution = 'gone' WHERE to_id IN (SELECT _id FROM resources WHERE id NOT IN ("+list+"))",
			"DELETE FROM resources WHERE id NOT IN ("+list+")")
		for _, k := range []string{"aws_ec2_volume", "aws_ec2_instance", "aws_ec2_subnet", "aws_ec2_vpc"} {
			s.w.rows = append(s.w.rows, "DELETE FROM "+k+" WHERE id NOT IN ("+list+")")
		}
		again := *p
		again.Estate = s.w.open()
		again.Estate.Sync.StartedAt = time.Now()
		return again.Again(ctx, r, plan)
	}
}

func (s *sky) applier(p *react.Planner, r *react.Rule) *react.Applier {
	return &react.Applier{
		Cloud: s, Store: p.Store, Recheck: s.recheck(p, r), Protection: p.Protection, Patience: time.Second, Pause: time.Millisecond,
		Now: func() time.Time { return now },
	}
}

// becomes are what became of targets: done, or why not.
func becomes(results []react.Result) map[string]string {
	out := map[string]string{}
	for _, r := range results {
		out[r.ID] = r.Why
		if r.Done {
			out[r.ID] = "done"
		}
	}
	return out
}

func (w *world) want(results []react.Result, want map[string]string) {
	w.t.Helper()
	got := becomes(results)
	for id, text := range want {
		if !strings.Contains(got[id], text) {
			w.t.Errorf("%s: %q, want %q", id, got[id], text)
		}
	}
	if len(got) != len(want) {
		w.t.Errorf("the results are %v, want %v", got, want)
	}
}

// estateToDelete are volumes and a machine that have expired; the machine goes
// before the volume that it uses.
func estateToDelete(w *world) {
	end := tagged("expires", "2026-06-01")
	w.put("aws_ec2_volume", "a", row{"tags": end})
	w.put("aws_ec2_volume", "b", row{"tags": end})
	vm := w.put("aws_ec2_instance", "vm", row{"tags": end})
	disk := w.put("aws_ec2_volume", "disk", row{"tags": end})
	w.edge(vm, "aws_ec2_instance", "uses", disk, "aws_ec2_volume", schema.Block)
}

// TestApply does what the plan says, in order, and enters it in the ledger.
func TestApply(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		estateToDelete(w)
		p, r := w.planner(), rule(t, "expired", nil)
		s := newSky(w, p)
		plan := w.plan(p, r)
		results, err := s.applier(p, r).Apply(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		w.want(results, map[string]string{"a": "done", "b": "done", "vm": "done", "disk": "done"})
		if i, j := slices.Index(s.calls, "TerminateInstances vm"), slices.Index(s.calls, "DeleteVolume disk"); i < 0 || j < i {
			t.Errorf("the calls are %s", s.calls)
		}
		ledger, err := p.Store.Actions(t.Context(), react.ActionFilter{Plan: plan.ID})
		if err != nil || len(ledger) != 4 {
			t.Fatalf("the ledger has %d entries: %v", len(ledger), err)
		}
		for _, a := range ledger {
			if a.State != react.Done || a.RequestID != "request" || a.Rule != "expired" || len(a.Calls) != 1 || a.Resource == "vm" && a.Along != 1 {
				t.Errorf("the ledger has %+v", a)
			}
		}
		// Again it does nothing.
		n := len(s.calls)
		if _, err := s.applier(p, r).Apply(t.Context(), plan); err != nil || len(s.calls) != n {
			t.Errorf("a second time it calls %s: %v", s.calls[n:], err)
		}
	})
}

// TestApplyLeavesWhatChanged holds that only what both the plan and the fresh
// rows say is done, and that each resource is looked at right before.
func TestApplyLeavesWhatChanged(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	end := tagged("expires", "2026-06-01")
	ids := map[string]uuid.UUID{}
	for _, id := range []string{"same", "extended", "protected", "used", "reborn", "retagged", "late", "renewed", "blind"} {
		ids[id] = w.put("aws_ec2_volume", id, row{"tags": end})
	}
	vm := w.put("aws_ec2_instance", "vm", row{"tags": end})
	p, r := w.planner(), rule(t, "expired", nil)
	plan := w.plan(p, r)
	// Between the plan and the fresh reading.
	set := func(id, tags string) {
		for _, table := range []string{"resources", "aws_ec2_volume"} {
			w.rows = append(w.rows, fmt.Sprintf("UPDATE %s SET tags = MAP %s WHERE id = '%s'", table, tags, id))
		}
	}
	set("extended", "{'expires': '2030-01-01'}")
	set("protected", "{'expires': '2026-06-01', 'protected': 'true'}")
	user := w.put("aws_ec2_instance", "user", row{})
	w.edge(user, "aws_ec2_instance", "uses", ids["used"], "aws_ec2_volume", schema.Block)
	w.rows = append(w.rows, "UPDATE resources SET created_at = created_at + INTERVAL 1 DAY WHERE id = 'reborn'")
	w.edge(vm, "aws_ec2_instance", "uses", w.put("aws_ec2_volume", "new-disk", row{}), "aws_ec2_volume", schema.Block)
	w.flush()
	s := newSky(w, p)
	// Between the fresh reading and the call.
	s.things["retagged"].Tags = map[string]string{"expires": "2026-06-01", "owner": "ann"}
	s.things["late"].Tags = map[string]string{"expires": "2026-06-01", "Protected": "True"}
	s.things["renewed"].CreatedAt = now
	a := s.applier(p, r)
	a.Cloud = cannotRead{s, "blind"}
	results, err := a.Apply(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	w.want(results, map[string]string{
		"same": "done", "extended": "it no longer matches", "protected": "it is blocked now: protected by its tag protected",
		"used": "it is blocked now: it is referred to by aws_ec2_instance user", "reborn": "it is another resource under the same id",
		"retagged": "its tags have changed", "late": "it is protected by its tag Protected", "renewed": "it was created at", "vm": "what goes down with it has changed",
		"blind": "it cannot be read by its id",
	})
	if !slices.Equal(s.calls, []string{"DeleteVolume same"}) {
		t.Errorf("the calls are %s", s.calls)
	}
}

// cannotRead refuses to read one resource.
type cannotRead struct {
	*sky
	id string
}

func (c cannotRead) Read(ctx context.Context, r action.Resource) (*action.Current, error) {
	if r.ID == c.id {
		return nil, errors.New("denied")
	}
	return c.sky.Read(ctx, r)
}

// TestApplyFaults holds what becomes of calls that are refused, of those that
// something is in the way of, and of those whose answer is lost.
func TestApplyFaults(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	estateToDelete(w)
	w.put("aws_ec2_volume", "lost", row{"tags": tagged("expires", "2026-06-01")})
	p, r := w.planner(), rule(t, "expired", nil)
	plan := w.plan(p, r)
	s := newSky(w, p)
	busy := 3
	s.fault = func(_, id string) error {
		switch {
		case id == "a":
			return &action.Error{Code: "UnauthorizedOperation", Err: errors.New("UnauthorizedOperation")}
		case id == "b" && busy > 0:
			busy--
			return &action.Error{Code: "DependencyViolation", Busy: true, Err: errors.New("DependencyViolation")}
		case id == "vm":
			return &action.Error{Code: "OperationNotPermitted", Err: errors.New("termination protection")}
		case id == "lost":
			delete(s.things, "lost")
			return &action.Error{Unknown: true, Err: errors.New("timeout")}
		}
		return nil
	}
	results, err := s.applier(p, r).Apply(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	w.want(results, map[string]string{
		"a": "UnauthorizedOperation", "b": "done", "vm": "termination protection", "disk": "something that refers to it was not deleted",
		"lost": "whether it was carried out is not known",
	})
	state := func(want map[string]react.State) {
		t.Helper()
		ledger, err := p.Store.Actions(t.Context(), react.ActionFilter{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]react.State{}
		for _, a := range ledger {
			got[a.Resource] = a.State
		}
		if !maps.Equal(got, want) {
			t.Errorf("the ledger says %v, want %v", got, want)
		}
	}
	state(map[string]react.State{"a": react.Failed, "b": react.Done, "vm": react.Failed, "lost": react.Unknown})
	// The same plan again finds out what became of the lost one.
	s.fault = nil
	results, err = s.applier(p, r).Apply(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	w.want(results, map[string]string{"a": "done", "b": "done", "vm": "done", "disk": "done", "lost": "done"})
	state(map[string]react.State{"a": react.Done, "b": react.Done, "vm": react.Done, "disk": react.Done, "lost": react.Done})
	// What stays in the way is given up.
	w.put("aws_ec2_volume", "stuck", row{"tags": tagged("expires", "2026-06-01")})
	p.Estate = w.open()
	s = newSky(w, p)
	s.fault = func(string, string) error {
		return &action.Error{Code: "VolumeInUse", Busy: true, Err: errors.New("VolumeInUse")}
	}
	x := s.applier(p, r)
	at := now
	x.Now = func() time.Time { at = at.Add(300 * time.Millisecond); return at }
	results, err = x.Apply(t.Context(), w.plan(p, r))
	if err != nil {
		t.Fatal(err)
	}
	w.want(results, map[string]string{"stuck": "something is in the way for 1s: VolumeInUse"})
}

// TestApplyIsKilled ends the process at every operation that outlives it, and
// applies the plan again: nothing is done twice, and all is done in the end.
func TestApplyIsKilled(t *testing.T) {
	killed := errors.New("killed")
	for at := 1; ; at++ {
		w := newWorld(t, react.DuckDB)
		end := tagged("expires", "2026-06-01")
		vm := w.put("aws_ec2_instance", "vm", row{"tags": end})
		w.edge(vm, "aws_ec2_instance", "uses", w.put("aws_ec2_volume", "disk", row{"tags": end}), "aws_ec2_volume", schema.Block)
		p, r := w.planner(), rule(t, "expired", nil)
		plan := w.plan(p, r)
		s := newSky(w, p)
		ctx, kill := context.WithCancelCause(context.Background())
		n := 0
		tick := func() error {
			if n++; n >= at {
				kill(killed)
				return killed
			}
			return nil
		}
		s.tick = tick
		a := s.applier(p, r)
		a.Workers = 1
		a.Store = mortal{p.Store, tick}
		_, err := a.Apply(ctx, plan)
		kill(nil)
		if n < at {
			if err != nil {
				t.Fatal(err)
			}
			if at < 10 {
				t.Errorf("it takes %d operations only", n)
			}
			return
		}
		s.tick = func() error { return nil }
		results, err := s.applier(p, r).Apply(context.Background(), plan)
		if err != nil {
			t.Fatalf("killed at %d: %v", at, err)
		}
		w.want(results, map[string]string{"vm": "done", "disk": "done"})
		slices.Sort(s.calls)
		if !slices.Equal(s.calls, []string{"DeleteVolume disk", "TerminateInstances vm"}) {
			t.Errorf("killed at %d the calls are %s", at, s.calls)
		}
		ledger, err := p.Store.Actions(context.Background(), react.ActionFilter{Plan: plan.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ledger {
			if x.State != react.Done {
				t.Errorf("killed at %d the ledger says that %s is %s", at, x.Resource, x.State)
			}
		}
		if t.Failed() {
			return
		}
	}
}

// TestBucketsAreEmptiedIfTheRuleSaysSo holds that what is in a bucket stays
// with it, unless the rule says otherwise: then the plan says so, an
// application that is killed anywhere goes on, and what comes meanwhile goes as
// well.
func TestBucketsAreEmptiedIfTheRuleSaysSo(t *testing.T) {
	killed := errors.New("killed")
	yes := true
	for at := 0; ; at++ {
		w := newWorld(t, react.DuckDB)
		w.put("aws_s3_bucket", "full", row{"tags": tagged("expires", "2026-06-01")})
		p, r := w.planner(), rule(t, "expired", func(c *react.Change) {
			if at > 0 {
				c.Empty = &yes
			}
		})
		plan := w.plan(p, r)
		s := newSky(w, p)
		s.inside["full"] = 3
		if at == 0 {
			results, err := s.applier(p, r).Apply(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			w.want(results, map[string]string{"full": "BucketNotEmpty"})
			continue
		}
		var md strings.Builder
		if err := react.WriteMarkdown(&md, []*react.Plan{plan}); err != nil || !strings.Contains(md.String(), "s3.DeleteObjects full: empties it: deletes every version of every object, and every upload that was begun for good, how many is not known<br>s3.DeleteBucket full") {
			t.Fatalf("the plan is %s: %v", md.String(), err)
		}
		ctx, kill := context.WithCancelCause(context.Background())
		n := 0
		tick := func() error {
			if n++; n >= at {
				kill(killed)
				return killed
			}
			return nil
		}
		s.tick = tick
		a := s.applier(p, r)
		a.Store = mortal{p.Store, tick}
		_, err := a.Apply(ctx, plan)
		kill(nil)
		if n < at {
			if err != nil || at < 10 {
				t.Fatalf("it takes %d operations: %v", n, err)
			}
			return
		}
		s.tick = func() error { return nil }
		if s.things["full"] != nil {
			s.inside["full"]++ // somebody writes
		}
		results, err := s.applier(p, r).Apply(context.Background(), plan)
		if err != nil {
			t.Fatalf("killed at %d: %v", at, err)
		}
		w.want(results, map[string]string{"full": "done"})
		ledger, err := p.Store.Actions(context.Background(), react.ActionFilter{Plan: plan.ID})
		if err != nil || len(ledger) != 1 || ledger[0].State != react.Done {
			t.Errorf("killed at %d the ledger says %+v: %v", at, ledger, err)
		}
		if deleted := slices.DeleteFunc(slices.Clone(s.calls), func(c string) bool { return c != "DeleteBucket full" }); len(deleted) != 1 {
			t.Errorf("killed at %d the calls are %s", at, s.calls)
		}
		if t.Failed() {
			return
		}
	}
}

// TestSnapshotsAreMadeOnce ends the process at every operation of a deletion
// with a snapshot before, also between the snapshot and the ledger.
func TestSnapshotsAreMadeOnce(t *testing.T) {
	killed, yes := errors.New("killed"), true
	for at := 1; ; at++ {
		w := newWorld(t, react.DuckDB)
		w.put("aws_rds_db_instance", "db", row{"tags": tagged("expires", "2026-06-01")})
		p, r := w.planner(), rule(t, "expired", func(c *react.Change) { c.Snapshot = &yes })
		plan := w.plan(p, r)
		s := newSky(w, p)
		ctx, kill := context.WithCancelCause(context.Background())
		n := 0
		s.tick = func() error {
			if n++; n >= at {
				kill(killed)
				return killed
			}
			return nil
		}
		a := s.applier(p, r)
		a.Store = mortal{p.Store, s.tick}
		_, err := a.Apply(ctx, plan)
		kill(nil)
		if n < at {
			if err != nil || at < 8 {
				t.Fatalf("it takes %d operations: %v", n, err)
			}
			return
		}
		s.tick = func() error { return nil }
		results, err := s.applier(p, r).Apply(context.Background(), plan)
		if err != nil {
			t.Fatalf("killed at %d: %v", at, err)
		}
		w.want(results, map[string]string{"db": "done"})
		if !slices.Equal(s.calls, []string{"CreateDBSnapshot db", "DeleteDBInstance db"}) {
			t.Fatalf("killed at %d the calls are %s", at, s.calls)
		}
	}
}

// mortal is a store that nothing reaches any more once the process is killed.
type mortal struct {
	react.Store
	tick func() error
}

func (m mortal) PutAction(ctx context.Context, a react.Action) error {
	if err := m.tick(); err != nil {
		return err
	}
	return m.Store.PutAction(ctx, a)
}

// TestApplyRefuses holds when nothing is done at all.
func TestApplyRefuses(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	estateToDelete(w)
	p, r := w.planner(), rule(t, "expired", nil)
	plan := w.plan(p, r)
	s := newSky(w, p)
	refused := func(want string, a *react.Applier, plan *react.Plan) {
		t.Helper()
		_, err := a.Apply(t.Context(), plan)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
		if len(s.calls) > 0 {
			t.Errorf("the calls are %s", s.calls)
		}
	}
	_, release, err := p.Store.Lock(t.Context(), "apply")
	if err != nil {
		t.Fatal(err)
	}
	refused("the state is held by process", s.applier(p, r), plan)
	if err := release(); err != nil {
		t.Fatal(err)
	}
	over := *plan
	over.Refused = "too many"
	refused("is refused: too many", s.applier(p, r), &over)
	late := s.applier(p, r)
	late.Now = func() time.Time { return now.Add(61 * time.Minute) }
	refused("the plan has expired", late, plan)
	refused("is another one than that of the plan", s.applier(p, rule(t, "expired", func(c *react.Change) { c.Max = 99 })), plan)
	refused("on fresh rows the plan of expired is refused: 4 resources match", s.applier(p, rule(t, "expired", func(c *react.Change) { c.Max = 3 })), plan)
}
