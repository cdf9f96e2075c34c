package react

import (
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// Plan is what a rule would do: nothing acts without one. It says all that is
// done, call by call, and what is not done and why.
type Plan struct {
	ID       uuid.UUID `json:"id"`
	Rule     string    `json:"rule"`
	RuleHash string    `json:"rule_hash"`
	// Version is dewpoint's, which made the catalogue.
	Version string `json:"version"`
	// Sync is the sync that the plan was made on and SyncedAt when that began,
	// Now the instant that the rule took as the present.
	Sync      string    `json:"sync_id"`
	SyncedAt  time.Time `json:"synced_at"`
	Now       time.Time `json:"now"`
	ExpiresAt time.Time `json:"expires_at"`
	// Refused says why the whole plan is refused, empty if it is not. A refused
	// plan has no targets that could be acted on.
	Refused string `json:"refused,omitempty"`
	// Matched is how many resources the rule's statement selected.
	Matched int      `json:"matched"`
	Targets []Target `json:"targets"`
	// Skipped are rows that are no targets, Waiting those within their grace.
	Skipped []Skip   `json:"skipped,omitempty"`
	Waiting []Target `json:"waiting,omitempty"`
}

// PlanTime is how long a plan may be applied.
const PlanTime = time.Hour

// Target is a resource that a rule selected.
type Target struct {
	action.Resource
	Hash        string            `json:"_hash"`
	Incarnation string            `json:"incarnation"`
	Reason      string            `json:"reason"`
	Evidence    map[string]string `json:"evidence,omitempty"`
	Owner       string            `json:"owner,omitempty"`
	// Saving is what it costs a month, as far as prices are known.
	Saving float64 `json:"saving,omitempty"`
	// Takes is what goes down with it.
	Takes []Member `json:"takes,omitempty"`
	// Steps are the calls, in order.
	Steps []Step `json:"steps,omitempty"`
	// After are the _ids of what else goes down in the plan and refers to it, or
	// to what goes down with it: they have to be gone first.
	After []string `json:"after,omitempty"`
	// Blockers say why it is not acted on; nothing of it is then.
	Blockers []string `json:"blockers,omitempty"`
	// NotifiedAt is when somebody was told of it.
	NotifiedAt time.Time `json:"notified_at,omitzero"`
	// DueAt is when its grace ends, for one that waits.
	DueAt time.Time `json:"due_at,omitzero"`
}

// Member is a resource that goes down with a target.
type Member struct {
	action.Resource
	Incarnation string `json:"incarnation"`
	// Why says how it hangs on the target.
	Why string `json:"why"`
	// Along says that no call deletes it: it goes along.
	Along bool `json:"along,omitempty"`
}

// Step is something done to one resource.
type Step struct {
	// ID is the same for the same step of the same plan: the ledger's key.
	ID       uuid.UUID       `json:"action_id"`
	Verb     action.Verb     `json:"verb"`
	Resource action.Resource `json:"resource"`
	// To is what it is detached from, of the verb detach.
	To       *action.Resource `json:"to,omitempty"`
	Relation string           `json:"relation,omitempty"`
	Calls    []action.Call    `json:"calls"`
	// Options are how a deletion is made.
	Options action.Options `json:"options,omitzero"`
	// Set and Remove are the tags of the verbs tag and untag.
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty"`
}

// Skip is a row that is no target.
type Skip struct {
	Cloud   string `json:"cloud,omitempty"`
	Kind    string `json:"kind,omitempty"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
	UID     string `json:"_id"`
	Why     string `json:"why"`
}

// Ready are the targets that would be acted on.
func (p *Plan) Ready() []Target {
	var out []Target
	for _, t := range p.Targets {
		if p.Refused == "" && len(t.Blockers) == 0 {
			out = append(out, t)
		}
	}
	return out
}

// in is the id of a step in a plan.
func (s *Step) in(plan uuid.UUID) uuid.UUID {
	if s.To != nil {
		return stepID(plan, s.Resource.UID, s.Verb+action.Verb(" "+s.To.UID))
	}
	return stepID(plan, s.Resource.UID, s.Verb)
}

// stepID is the id of a step: of a plan, a resource and what is done to it.
func stepID(plan uuid.UUID, uid string, v action.Verb) uuid.UUID {
	return uuid.NewSHA1(plan, []byte(uid+"\x00"+string(v)))
}
