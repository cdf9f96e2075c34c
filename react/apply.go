package react

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// Applier carries plans out.
type Applier struct {
	Cloud action.Cloud
	Store Store
	// Recheck reads anew, completely, what the plan reasons from and acts on,
	// and plans its rule again on that, with the same present. Only what both
	// plans say is done.
	Recheck func(ctx context.Context, p *Plan) (*Plan, error)
	// Protection is that of the configuration: its tags are compared with what
	// a resource has right before a call.
	Protection Protection
	// Workers is how many targets are acted on at once, 8 if zero.
	Workers int
	// Patience is how long a call is repeated that something is in the way of,
	// and how long a deletion is waited for; 15 minutes if zero.
	Patience time.Duration
	// Pause is between two attempts, 5 seconds if zero.
	Pause time.Duration
	// Now is the clock, time.Now if nil.
	Now func() time.Time
	// Trace is called at every step of the protocol; nil for none.
	Trace func(step string)
}

// Result is what became of a target.
type Result struct {
	Target
	// Done says that all of it was done.
	Done bool `json:"done"`
	// Why says why it was not.
	Why string `json:"why,omitempty"`
}

// ErrExpired says that a plan is too old to be applied.
var ErrExpired = errors.New("the plan has expired: plan again")

// Apply carries out what still holds of a plan. The results are those of all
// targets that were not blocked already. A target of which one step fails is
// not gone on with. After an interruption, the same plan applied again goes on
// where it was and repeats nothing.
func (a *Applier) Apply(ctx context.Context, p *Plan) ([]Result, error) {
	if p.Refused != "" {
		return nil, fmt.Errorf("the plan of %s is refused: %s", p.Rule, p.Refused)
	}
	release, err := a.Store.Lock(ctx, "apply")
	if err != nil {
		return nil, err
	}
	defer func() { _ = release() }() // it expires
	ledger, err := a.Store.Actions(ctx, ActionFilter{Plan: p.ID})
	if err != nil {
		return nil, err
	}
	// What was begun is ended, also later.
	if len(ledger) == 0 && a.now().After(p.ExpiresAt) {
		return nil, fmt.Errorf("%s: %w", p.Rule, ErrExpired)
	}
	r := &run{Applier: a, plan: p, ledger: map[uuid.UUID]Action{}, state: map[string]progress{}, confirm: map[string]bool{}}
	for _, x := range ledger {
		r.ledger[x.ID] = x
	}
	if len(p.Ready()) == 0 {
		return nil, nil
	}
	a.trace("recheck")
	fresh, err := a.Recheck(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("check the plan of %s again: %w", p.Rule, err)
	}
	if fresh.Refused != "" {
		return nil, fmt.Errorf("on fresh rows the plan of %s is refused: %s", p.Rule, fresh.Refused)
	}
	if fresh.RuleHash != p.RuleHash {
		return nil, fmt.Errorf("the rule %s is another one than that of the plan: plan again", p.Rule)
	}
	a.trace("rechecked")
	return r.all(ctx, r.compare(fresh))
}

func (a *Applier) now() time.Time {
	if a.Now != nil {
		return a.Now().UTC()
	}
	return time.Now().UTC()
}

func (a *Applier) trace(step string) {
	if a.Trace != nil {
		a.Trace(step)
	}
}

// run is one application of a plan.
type run struct {
	*Applier
	plan *Plan

	// confirm are targets that no longer match, of which a deletion was begun:
	// it is found out whether it was done, and nothing is called.
	confirm map[string]bool

	mu     sync.Mutex
	ledger map[uuid.UUID]Action
	state  map[string]progress // of targets, and what goes down with them
}

// progress is how far a resource came.
type progress uint8

const (
	pending progress = iota + 1
	gone
	kept
)

// compare returns the targets of the plan that a fresh plan says as well, as
// that has them, and why the others are left.
func (r *run) compare(fresh *Plan) []Result {
	now := map[string]*Target{}
	for i := range fresh.Targets {
		now[fresh.Targets[i].UID] = &fresh.Targets[i]
	}
	skipped := map[string]string{}
	for _, s := range fresh.Skipped {
		skipped[s.UID] = s.Why
	}
	var out []Result
	for _, old := range r.plan.Ready() {
		x := Result{Target: old}
		switch t := now[old.UID]; {
		case r.finished(&old):
			// The ledger says it all.
		case t == nil && r.begun(&old):
			// Its own deletion may have taken it out of the estate.
			r.confirm[old.UID] = true
		case t == nil && skipped[old.UID] != "":
			x.Why = skipped[old.UID]
		case t == nil:
			x.Why = "it no longer matches"
		case len(t.Blockers) > 0:
			x.Why = "it is blocked now: " + t.Blockers[0]
		case t.Incarnation != old.Incarnation:
			x.Why = "it is another resource under the same id: plan again"
		case !r.sameSet(&old, t):
			x.Why = "what goes down with it has changed: plan again"
		default:
			x.Target.Steps, x.Target.Takes, x.Target.After = r.merged(&old, t), t.Takes, t.After
		}
		out = append(out, x)
	}
	return out
}

// finished says whether the ledger has all steps of the target as done.
func (r *run) finished(t *Target) bool {
	return !slices.ContainsFunc(t.Steps, func(s Step) bool { return r.ledger[s.ID].State != Done })
}

// begun says whether the ledger has a deletion of the target itself.
func (r *run) begun(t *Target) bool {
	for _, s := range t.Steps {
		if _, ok := r.ledger[s.ID]; ok && s.Resource.UID == t.UID && s.Verb == action.Delete {
			return true
		}
	}
	return false
}

// sameSet says whether the same goes down and by the same calls, but for what
// an earlier application of the plan deleted.
func (r *run) sameSet(old, fresh *Target) bool {
	begun := map[string]bool{}
	for _, s := range old.Steps {
		if _, ok := r.ledger[s.ID]; ok {
			begun[s.Resource.UID] = true
		}
	}
	set := func(t *Target) map[string]string {
		out := map[string]string{t.UID: t.Incarnation}
		for _, m := range t.Takes {
			out[m.UID] = m.Incarnation
		}
		return out
	}
	was, is := set(old), set(fresh)
	for uid, incarnation := range is {
		if was[uid] != incarnation {
			return false
		}
	}
	calls := map[uuid.UUID]string{}
	for _, s := range old.Steps {
		calls[s.ID] = callsText(s)
	}
	for _, s := range fresh.Steps {
		if calls[stepID(r.plan.ID, s.Resource.UID, s.Verb)] != callsText(s) && !begun[s.Resource.UID] {
			return false
		}
	}
	return len(was) == len(is) || len(begun) > 0
}

func callsText(s Step) string {
	b, err := json.Marshal(struct {
		Calls  []action.Call
		Set    map[string]string
		Remove []string
	}{s.Calls, s.Set, s.Remove})
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// merged are the steps of the plan with what is known freshly of their
// resources.
func (r *run) merged(old, fresh *Target) []Step {
	byID := map[uuid.UUID]Step{}
	for _, s := range fresh.Steps {
		byID[stepID(r.plan.ID, s.Resource.UID, s.Verb)] = s
	}
	out := slices.Clone(old.Steps)
	for i := range out {
		if s, ok := byID[out[i].ID]; ok {
			out[i].Resource = s.Resource
		}
	}
	return out
}

// all acts on the targets that still hold: each when what refers to it is
// gone.
func (r *run) all(ctx context.Context, results []Result) ([]Result, error) {
	for _, x := range results {
		r.set(&x.Target, pending)
		if x.Why != "" {
			r.set(&x.Target, kept)
		}
	}
	workers := make(chan struct{}, max(1, r.Workers))
	if r.Workers == 0 {
		workers = make(chan struct{}, 8)
	}
	var wg sync.WaitGroup
	ended := make(chan struct{})
	started := make([]bool, len(results))
	for running := 0; ; {
		keptOne := false
		for i := range results {
			x := &results[i]
			if started[i] || x.Why != "" {
				continue
			}
			switch r.before(&x.Target) {
			case kept:
				x.Why, started[i], keptOne = "something that refers to it was not deleted", true, true
				r.set(&x.Target, kept)
			case gone:
				started[i] = true
				running++
				wg.Go(func() {
					workers <- struct{}{}
					end := gone
					if err := r.target(ctx, &x.Target); err != nil {
						x.Why, end = err.Error(), kept
					} else {
						x.Done = true
					}
					r.set(&x.Target, end)
					<-workers
					ended <- struct{}{}
				})
			}
		}
		if keptOne {
			continue // others may be kept by that
		}
		if running == 0 {
			break
		}
		<-ended
		running--
	}
	wg.Wait()
	for i := range results {
		if !started[i] && results[i].Why == "" {
			results[i].Why = "it and others refer to each other"
		}
	}
	return results, nil
}

func (r *run) set(t *Target, p progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, uid := range append([]string{t.UID}, memberIDs(t)...) {
		// What goes down with several targets is gone with the last.
		if old := r.state[uid]; p == kept || old != kept {
			r.state[uid] = p
		}
	}
}

func memberIDs(t *Target) []string {
	out := make([]string, len(t.Takes))
	for i, m := range t.Takes {
		out[i] = m.UID
	}
	return out
}

// before says whether all that has to go before a target is gone, or kept, or
// still pending. What the run knows nothing of is not gone.
func (r *run) before(t *Target) progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := gone
	for _, uid := range t.After {
		switch r.state[uid] {
		case pending:
			if out == gone {
				out = pending
			}
		case gone:
		default:
			return kept
		}
	}
	return out
}

// target does the steps of a target in order. One that something is in the way
// of is put off until the others are done.
func (r *run) target(ctx context.Context, t *Target) error {
	deadline := r.now().Add(r.patience())
	left := slices.Clone(t.Steps)
	for len(left) > 0 {
		var busy []Step
		var last error
		for i, s := range left {
			// The target itself goes when all else is gone.
			if s.Resource.UID == t.UID && s.Verb == action.Delete && len(busy) > 0 {
				busy = append(busy, left[i:]...)
				break
			}
			err := r.step(ctx, t, s)
			var e *action.Error
			switch {
			case err == nil:
			case errors.As(err, &e) && e.Busy && r.now().Before(deadline):
				busy, last = append(busy, s), err
			case errors.As(err, &e) && e.Busy:
				return errors.Join(fmt.Errorf("%s %s: something is in the way for %s: %w", s.Resource.Kind, s.Resource.ID, r.patience(), err), r.fail(ctx, s, err))
			default:
				return err
			}
		}
		if len(busy) > 0 {
			if err := r.sleep(ctx); err != nil {
				return errors.Join(err, last)
			}
		}
		left = busy
	}
	return nil
}

func (r *run) patience() time.Duration {
	if r.Patience > 0 {
		return r.Patience
	}
	return 15 * time.Minute
}

func (r *run) sleep(ctx context.Context) error {
	pause := r.Pause
	if pause == 0 {
		pause = 5 * time.Second
	}
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// step does one step, unless the ledger says that it is done.
func (r *run) step(ctx context.Context, t *Target, s Step) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	r.mu.Lock()
	entry, known := r.ledger[s.ID]
	r.mu.Unlock()
	if known && entry.State == Done {
		return nil
	}
	if !known {
		entry = Action{
			ID: s.ID, Plan: r.plan.ID, Rule: r.plan.Rule, Verb: s.Verb, UID: s.Resource.UID, Cloud: s.Resource.Cloud, Account: s.Resource.Account,
			Region: s.Resource.Region, Kind: s.Resource.Kind, Resource: s.Resource.ID, Reason: t.Reason, Calls: s.Calls, Began: r.now(),
		}
		if s.Resource.UID == t.UID {
			for _, m := range t.Takes {
				if m.Along {
					entry.Along++
				}
			}
		}
	}
	there, err := r.inspect(ctx, s)
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", s.Resource.Kind, s.Resource.ID, err)
	case !there && s.Verb != action.Delete:
		return fmt.Errorf("%s %s: it is gone", s.Resource.Kind, s.Resource.ID)
	case !there:
		return r.enter(ctx, entry, Done, "", nil)
	case r.confirm[t.UID] && entry.State == Called:
		if err := r.await(ctx, s); err != nil {
			return err
		}
		return r.enter(ctx, entry, Done, "", nil)
	case r.confirm[t.UID]:
		return fmt.Errorf("%s %s no longer matches, and is still there", s.Resource.Kind, s.Resource.ID)
	}
	if err := r.enter(ctx, entry, Intent, "", nil); err != nil {
		return err
	}
	return r.call(ctx, entry, s)
}

// inspect reads a resource by its id, right before it is acted on.
func (r *run) inspect(ctx context.Context, s Step) (there bool, err error) {
	cur, err := r.Cloud.Read(ctx, s.Resource)
	switch {
	case errors.Is(err, action.ErrGone):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("it cannot be read by its id: %w", err)
	case ending(cur.Status) && s.Verb == action.Delete:
		return cur.Status != "terminated" && cur.Status != "deleted" && cur.Status != "delete_complete", nil
	case !cur.CreatedAt.IsZero() && !s.Resource.CreatedAt.IsZero() && cur.CreatedAt.Sub(s.Resource.CreatedAt).Abs() >= time.Second:
		return false, fmt.Errorf("it was created at %s, the plan is for one of %s", cur.CreatedAt.Format(time.RFC3339), s.Resource.CreatedAt.Format(time.RFC3339))
	}
	if cur.Tags == nil {
		return true, nil
	}
	if why := protectedByTag(r.Protection.Tags, cur.Tags); why != "" {
		return false, errors.New("it is " + why)
	}
	if s.Resource.Tags != nil && !r.sameTags(s, cur.Tags) {
		return false, errors.New("its tags have changed: plan again")
	}
	return true, nil
}

// sameTags compares tags with those of the plan; the tags that the plan itself
// sets and removes may be done already.
func (r *run) sameTags(s Step, now map[string]string) bool {
	if maps.Equal(s.Resource.Tags, now) {
		return true
	}
	if s.Verb == action.Delete {
		return false
	}
	steps := []Step{s}
	for _, t := range r.plan.Targets {
		if t.UID == s.Resource.UID {
			steps = t.Steps
		}
	}
	want, have := maps.Clone(s.Resource.Tags), maps.Clone(now)
	for _, m := range []map[string]string{want, have} {
		for _, x := range steps {
			for k := range x.Set {
				delete(m, k)
			}
			for _, k := range x.Remove {
				delete(m, k)
			}
		}
	}
	return maps.Equal(want, have)
}

// ending says that a status is one of a resource that goes or is gone.
func ending(status string) bool {
	switch status {
	case "terminated", "shutting-down", "deleted", "deleting", "delete_in_progress", "delete_complete":
		return true
	}
	return false
}

// call makes the calls of a step and waits until a deletion is done.
func (r *run) call(ctx context.Context, entry Action, s Step) error {
	r.trace("intent " + s.Resource.ID)
	request := ""
	for _, c := range s.Calls {
		id, err := r.Cloud.Do(ctx, s.Resource, c)
		if id != "" {
			request = id
		}
		var e *action.Error
		switch {
		case err == nil:
			continue
		case errors.As(err, &e) && e.Gone:
			continue // what is to be undone or deleted is so already
		case errors.As(err, &e) && e.Busy:
			// It is tried again; the ledger keeps the intent.
			return err
		case errors.As(err, &e) && !e.Unknown:
			return errors.Join(fmt.Errorf("%s: %w", c.Op, err), r.enter(ctx, entry, Failed, e.RequestID, err))
		default:
			return errors.Join(fmt.Errorf("%s: whether it was carried out is not known: %w", c.Op, err), r.enter(ctx, entry, Unknown, request, err))
		}
	}
	r.trace("called " + s.Resource.ID)
	if err := r.enter(ctx, entry, Called, request, nil); err != nil {
		return err
	}
	if s.Verb == action.Delete {
		if err := r.await(ctx, s); err != nil {
			return err
		}
	}
	r.trace("done " + s.Resource.ID)
	return r.enter(ctx, entry, Done, request, nil)
}

// fail enters that a step is given up.
func (r *run) fail(ctx context.Context, s Step, why error) error {
	r.mu.Lock()
	entry := r.ledger[s.ID]
	r.mu.Unlock()
	return r.enter(ctx, entry, Failed, "", why)
}

// await waits until a resource is gone.
func (r *run) await(ctx context.Context, s Step) error {
	deadline := r.now().Add(r.patience())
	for {
		cur, err := r.Cloud.Read(ctx, s.Resource)
		switch {
		case errors.Is(err, action.ErrGone):
			return nil
		case err == nil && (cur.Status == "terminated" || cur.Status == "deleted" || cur.Status == "delete_complete" || cur.Status == "pendingdeletion"):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !r.now().Before(deadline):
			return fmt.Errorf("%s %s: its deletion was called for and is not done after %s: apply the plan again to go on", s.Resource.Kind, s.Resource.ID, r.patience())
		}
		if err := r.sleep(ctx); err != nil {
			return err
		}
	}
}

// enter writes the next state of an action to the ledger. It does so also when
// the caller has given up: what was called is to be known.
func (r *run) enter(ctx context.Context, a Action, s State, request string, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	a.State, a.At = s, r.now()
	if request != "" {
		a.RequestID = request
	}
	a.Error = ""
	if failed != nil {
		a.Error = failed.Error()
	}
	if err := r.Store.PutAction(ctx, a); err != nil {
		return err
	}
	r.mu.Lock()
	r.ledger[a.ID] = a
	r.mu.Unlock()
	return nil
}
