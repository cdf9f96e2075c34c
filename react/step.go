package react

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// attempt is what came of a step, which may be one of several targets: it is
// made once at a time, and not again after it failed for good.
type attempt struct {
	mu  sync.Mutex
	err error
}

// step does one step, unless the ledger says that it is done.
func (r *run) step(ctx context.Context, t *Target, s Step) error {
	v, _ := r.attempts.LoadOrStore(s.ID, &attempt{})
	a := v.(*attempt)
	a.mu.Lock()
	defer a.mu.Unlock()
	var e *action.Error
	if a.err == nil || errors.As(a.err, &e) && e.Busy {
		a.err = r.try(ctx, t, s)
	}
	return a.err
}

func (r *run) try(ctx context.Context, t *Target, s Step) error {
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
			Region: s.Resource.Region, Kind: s.Resource.Kind, Resource: s.Resource.ID, Reason: t.Reason, Calls: s.Calls,
			Set: s.Set, Remove: s.Remove, Began: r.now(),
		}
		if s.Resource.UID == t.UID {
			for _, m := range t.Takes {
				if m.Along {
					entry.Along++
				}
			}
		}
	}
	cur, err := r.inspect(ctx, s)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", s.Resource.Shown(), err)
	case cur == nil && s.Verb != action.Delete && s.Verb != action.Detach:
		return fmt.Errorf("%s: it is gone", s.Resource.Shown())
	case cur == nil, s.Verb == action.Detach && ending(cur.Status), entry.State == Called && s.Verb != action.Delete, s.tagged(cur.Tags), s.switched(cur.Status):
		// It is as it should be, or the answer was that it will be.
		return r.enter(ctx, entry, Done, "", nil)
	case s.Verb == action.Delete && (entry.State == Called || entry.State == Waiting || ending(cur.Status)):
		// It is being deleted: another call would be for nothing.
		if err := r.waits(ctx, entry, s); err != nil {
			return err
		}
		return r.enter(ctx, entry, Done, "", nil)
	case r.confirm[t.UID]:
		return fmt.Errorf("%s no longer matches, and is still there", s.Resource.Shown())
	}
	if s, err = r.renewed(s, cur); err != nil {
		return fmt.Errorf("%s: %w", s.Resource.Shown(), err)
	}
	entry.Calls = s.Calls
	if err := r.enter(ctx, entry, Intent, "", nil); err != nil {
		return err
	}
	r.mu.Lock()
	entry = r.ledger[s.ID]
	r.mu.Unlock()
	return r.call(ctx, entry, s)
}

// renewed makes the calls of a step anew of what was just read: of all labels
// as they are, of the state that the call is to be for. They have to be the
// calls of the plan but for that.
func (r *run) renewed(s Step, cur *action.Current) (Step, error) {
	out := s
	out.Resource = s.Resource.As(cur)
	var err error
	if out.Calls, err = r.Cloud.Calls(s.Verb, out.Resource, s.args()); err != nil {
		return s, err
	}
	if !slices.EqualFunc(out.Calls, s.Calls, func(a, b action.Call) bool { return a.Service == b.Service && a.Op == b.Op }) {
		return s, errors.New("what it takes has changed: plan again")
	}
	return out, nil
}

// args are what the calls of a step are made of.
func (s *Step) args() action.Args {
	return action.Args{Tags: s.Set, Keys: s.Remove, Options: s.Options, ActionID: s.ID.String(), To: s.To, Relation: s.Relation}
}

// switched says whether a resource is stopped or runs, as a step makes it.
func (s *Step) switched(status string) bool {
	switch s.Verb {
	case action.Stop:
		return status == "stopped" || status == "stopping"
	case action.Start:
		return status == "running" || status == "available" || status == "pending" || status == "starting"
	}
	return false
}

// tagged says whether tags are as a step makes them; no step makes none.
func (s *Step) tagged(now map[string]string) bool {
	if now == nil || len(s.Set)+len(s.Remove) == 0 {
		return false
	}
	for k, v := range s.Set {
		if has, ok := now[k]; !ok || has != v {
			return false
		}
	}
	return !slices.ContainsFunc(s.Remove, func(k string) bool { _, ok := now[k]; return ok })
}

// inspect reads a resource by its id, right before it is acted on. It is nil
// where the resource is gone.
func (r *run) inspect(ctx context.Context, s Step) (*action.Current, error) {
	cur, err := r.Cloud.Read(ctx, s.Resource)
	switch {
	case errors.Is(err, action.ErrGone):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("it cannot be read by its id: %w", err)
	case ended(cur.Status) && s.Verb == action.Delete:
		return nil, nil
	case !cur.CreatedAt.IsZero() && !s.Resource.CreatedAt.IsZero() && cur.CreatedAt.Sub(s.Resource.CreatedAt).Abs() >= time.Second:
		return nil, fmt.Errorf("it was created at %s, the plan is for one of %s", cur.CreatedAt.Format(time.RFC3339), s.Resource.CreatedAt.Format(time.RFC3339))
	case cur.Tags == nil || ending(cur.Status):
		return cur, nil
	}
	if why := protectedByTag(r.Protection.Tags, cur.Tags); why != "" {
		return nil, errors.New("it is " + why)
	}
	if s.Resource.Tags != nil && !r.sameTags(s, cur.Tags) {
		return nil, errors.New("its tags have changed: plan again")
	}
	return cur, nil
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
		maps.DeleteFunc(m, func(k, _ string) bool { return strings.HasPrefix(k, action.Former) })
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

// ended says that a status is one of a resource that is gone, ending that it
// goes.
func ended(status string) bool {
	switch status {
	case "terminated", "deleted", "delete_complete", "pendingdeletion":
		return true
	}
	return false
}

func ending(status string) bool {
	switch status {
	case "shutting-down", "deleting", "delete_in_progress":
		return true
	}
	return ended(status)
}

// call makes the calls of a step that were not made before and waits until a
// deletion is done.
func (r *run) call(ctx context.Context, entry Action, s Step) error {
	r.trace("intent " + s.Resource.ID)
	request := ""
	for i, c := range s.Calls {
		// A sweep is made again: something may have come since.
		if i < entry.Made && c.Each == nil {
			continue
		}
		id, err := r.made(ctx, &entry, s, c)
		if id != "" {
			request = id
		}
		var e *action.Error
		switch {
		case err == nil, errors.As(err, &e) && e.Gone:
			// What is to be undone or deleted may be so already.
		case errors.As(err, &e) && e.Busy:
			// It is tried again; the ledger keeps the intent.
			return err
		case errors.As(err, &e) && !e.Unknown:
			return errors.Join(fmt.Errorf("%s: %w", c.Op, err), r.enter(ctx, entry, Failed, e.RequestID, err))
		default:
			return errors.Join(fmt.Errorf("%s: whether it was carried out is not known: %w", c.Op, err), r.enter(ctx, entry, Unknown, request, err))
		}
		if entry.Made = max(entry.Made, i+1); entry.Made < len(s.Calls) {
			if err := r.enter(ctx, entry, Intent, request, nil); err != nil {
				return err
			}
		}
	}
	r.trace("called " + s.Resource.ID)
	if err := r.enter(ctx, entry, Called, request, nil); err != nil {
		return err
	}
	if s.Verb == action.Delete {
		if err := r.waits(ctx, entry, s); err != nil {
			return err
		}
	}
	r.trace("done " + s.Resource.ID)
	return r.enter(ctx, entry, Done, request, nil)
}

// made makes a call and waits until what it began has ended, where calls go on
// after their answer. What an earlier application left going on is waited for,
// and not begun again unless it failed.
func (r *run) made(ctx context.Context, entry *Action, s Step, c action.Call) (request string, err error) {
	if c.Each != nil {
		return r.swept(ctx, entry, s, c)
	}
	w, ok := r.Cloud.(action.Waiter)
	ok = ok && w.Waits(s.Resource, c)
	if ok && entry.Operation != "" {
		request, entry.Operation = entry.Operation, ""
		var e *action.Error
		if err := r.operation(ctx, w, s, c, request); err == nil || !errors.As(err, &e) || e.Unknown {
			return request, err
		}
		if err := r.enter(ctx, *entry, Intent, request, nil); err != nil {
			return request, err
		}
	}
	if request, err = r.Cloud.Do(ctx, s.Resource, c); err != nil || !ok || request == "" {
		return request, err
	}
	begun := *entry
	begun.Operation = request
	if err := r.enter(ctx, begun, Intent, request, nil); err != nil {
		return request, err
	}
	return request, r.operation(ctx, w, s, c, request)
}

// lookAgain is after how many calls of a sweep, which may take hours, the
// resource is looked at again.
const lookAgain = 100

// swept makes a call for all that another lists. The ledger says how far it is.
func (r *run) swept(ctx context.Context, entry *Action, s Step, c action.Call) (request string, err error) {
	w, ok := r.Cloud.(action.Sweeper)
	if !ok {
		return "", fmt.Errorf("%s for each of %s: %w", c.Op, c.Each.Op, action.ErrCannot)
	}
	before, pages := entry.Swept, 0
	return w.Sweep(ctx, s.Resource, c, func(n int) error {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if pages++; pages%lookAgain == 0 {
			if _, err := r.inspect(ctx, s); err != nil {
				return &action.Error{Err: err}
			}
		}
		entry.Swept = before + n
		return r.enter(ctx, *entry, Intent, "", nil)
	})
}

// operation waits until what a call began has ended.
func (r *run) operation(ctx context.Context, w action.Waiter, s Step, c action.Call, request string) error {
	deadline := r.now().Add(r.patience())
	for n := 0; ; n++ {
		done, err := w.Ended(ctx, s.Resource, c, request)
		if done || err != nil {
			return err
		}
		if !r.now().Before(deadline) {
			return &action.Error{RequestID: request, Unknown: true, Err: fmt.Errorf("%s is not done after %s: apply the plan again to go on", request, r.patience())}
		}
		if err := r.sleep(ctx, n); err != nil {
			return err
		}
	}
}

// heldShare is the share of the patience after which what finalizers hold is
// left to them: their controllers need seconds, or somebody's help.
const heldShare = 15

// heldError says that a resource is being deleted and waits for its finalizers.
type heldError struct {
	of   action.Resource
	held []string
}

func (e *heldError) Error() string {
	return fmt.Sprintf("%s: it is being deleted and waits for its finalizers %s: apply the plan again to go on", e.of.Shown(), strings.Join(e.held, ", "))
}

// waits awaits the deletion of a step's resource; the action is waiting where
// finalizers hold it.
func (r *run) waits(ctx context.Context, entry Action, s Step) error {
	err := r.await(ctx, s)
	var held *heldError
	if errors.As(err, &held) {
		return errors.Join(err, r.enter(ctx, entry, Waiting, "", err))
	}
	return err
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
	began := r.now()
	deadline := began.Add(r.patience())
	for n := 0; ; n++ {
		cur, err := r.Cloud.Read(ctx, s.Resource)
		switch {
		case errors.Is(err, action.ErrGone):
			return nil
		case err == nil && ended(cur.Status):
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil && len(cur.Held) > 0 && r.now().Sub(began) >= r.patience()/heldShare:
			return &heldError{s.Resource, cur.Held}
		case !r.now().Before(deadline):
			return fmt.Errorf("%s: its deletion was called for and is not done after %s: apply the plan again to go on", s.Resource.Shown(), r.patience())
		}
		if err := r.sleep(ctx, n); err != nil {
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
