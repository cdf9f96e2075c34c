package react

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
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
		case t == nil && r.begun(&old, action.Tag, action.Untag):
			// Its own tags may have made it right. That no others are there is
			// compared before each call.
		case t == nil && r.begun(&old, action.Delete, action.Stop, action.Start):
			// Its own call may have taken it out of what the rule selects.
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
		case retagged(&old, t) != "":
			x.Why = "the tags of " + retagged(&old, t) + " have changed: plan again"
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

// begun says whether the ledger has one of the verbs on the target itself.
func (r *run) begun(t *Target, verbs ...action.Verb) bool {
	for _, s := range t.Steps {
		if _, ok := r.ledger[s.ID]; ok && s.Resource.UID == t.UID && slices.Contains(verbs, s.Verb) {
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
		if calls[s.in(r.plan.ID)] != callsText(s) && !begun[s.Resource.UID] {
			return false
		}
	}
	return len(was) == len(is) || len(begun) > 0
}

// retagged names what is to be deleted and has other tags now, empty if
// nothing has.
func retagged(old, fresh *Target) string {
	now := map[string]action.Resource{}
	for _, s := range fresh.Steps {
		if s.Verb == action.Delete {
			now[s.Resource.UID] = s.Resource
		}
	}
	for _, s := range old.Steps {
		if f, ok := now[s.Resource.UID]; ok && !maps.Equal(f.Tags, s.Resource.Tags) {
			return s.Resource.Shown()
		}
	}
	return ""
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
		byID[s.in(r.plan.ID)] = s
	}
	out := slices.Clone(old.Steps)
	for i := range out {
		if s, ok := byID[out[i].ID]; ok {
			out[i].Resource = s.Resource
		}
	}
	return out
}
