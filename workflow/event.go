package workflow

import (
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/react"
)

// EventName is what has happened in a cycle.
type EventName string

// The events, in the order in which a cycle has them. Failed ends a cycle of
// which a stage failed; what only could not be read is no failure.
const (
	PreCollect  EventName = "pre_collect"
	Collected   EventName = "collected"
	Transformed EventName = "transformed"
	MetricsDone EventName = "metrics_done"
	Planned     EventName = "planned"
	Applied     EventName = "applied"
	Failed      EventName = "failed"
)

// Scheduled is the event of a job whose time has come.
const Scheduled EventName = "scheduled"

// eventNames are all events of a cycle, in order.
var eventNames = []EventName{PreCollect, Collected, Transformed, MetricsDone, Planned, Applied, Failed}

// Event is what has happened in a cycle.
type Event struct {
	Name EventName `json:"event"`
	At   time.Time `json:"at"`
	// Cycle is the id of the cycle, Sync that of its sync, empty before it.
	Cycle uuid.UUID `json:"cycle_id"`
	Sync  string    `json:"sync_id,omitempty"`
	// State is that of the cycle so far: complete, partial or failed.
	State string `json:"state"`
	// Errors are those of the stages so far.
	Errors []string `json:"errors,omitempty"`
	// Plans are those of the events planned and applied, Results what was
	// applied.
	Plans   []*react.Plan `json:"plans,omitempty"`
	Results []Outcome     `json:"results,omitempty"`
	// Metrics are those of the event metrics_done, at MeasuredAt.
	Metrics    []react.Measurement `json:"-"`
	MeasuredAt time.Time           `json:"-"`
}

// Outcome is what came of the application of a plan.
type Outcome struct {
	Plan    *react.Plan    `json:"-"`
	Rule    string         `json:"rule"`
	Results []react.Result `json:"targets"`
	// Err says why the plan could not be applied, or not to its end.
	Err error `json:"-"`
}
