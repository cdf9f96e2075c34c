package react

import (
	"context"
	"errors"
	"fmt"
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
	// Pause is between two attempts, 5 seconds if zero; the first ones are
	// shorter.
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
	ctx, release, err := a.Store.Lock(ctx, "apply")
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

	attempts sync.Map // of steps, by their id

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
	for _, s := range t.Steps {
		// What is detached goes as well, or stays as it is.
		if at := r.state[s.Resource.UID]; s.Verb == action.Detach && at != pending && at != gone {
			return kept
		}
	}
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
	for n := 0; len(left) > 0; n++ {
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
				return errors.Join(fmt.Errorf("%s: something is in the way for %s: %w", s.Resource.Shown(), r.patience(), err), r.fail(ctx, s, err))
			default:
				return err
			}
		}
		if len(busy) > 0 {
			if err := r.sleep(ctx, n); err != nil {
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

// sleep waits after the n-th attempt, from 0: most of what is in the way goes
// within a second or two.
func (r *run) sleep(ctx context.Context, n int) error {
	pause := r.Pause
	if pause == 0 {
		pause = 5 * time.Second
	}
	select {
	case <-time.After(min(pause, pause/5<<min(n, 8))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
