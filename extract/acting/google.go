package acting

import (
	"strings"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// classifyGoogle says what an error of Google means. The codes are the reasons
// of the older APIs and of operations, and the canonical statuses:
// https://cloud.google.com/compute/docs/troubleshooting/troubleshooting-reservations,
// https://cloud.google.com/apis/design/errors.
func classifyGoogle(r action.Resource, f reading.Failure, e *action.Error) {
	switch {
	case f.HasCode("404", "notFound", "NOT_FOUND", "RESOURCE_NOT_FOUND"):
		// Where there is no such project nothing is known of what is in it.
		e.Gone = !strings.Contains(e.Error(), "'projects/"+r.Account+"'")
	case f.HasCode("resourceInUseByAnotherResource", "RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "resourceNotReady", "RESOURCE_NOT_READY",
		"operationInProgress", "OPERATION_IN_PROGRESS", "ABORTED", "RESOURCE_OPERATION_RATE_EXCEEDED", "resourceInUse"):
		e.Busy = true
	case f.State() == schema.Throttled:
		e.Busy = true
	case f.State() == schema.TimedOut, f.State() == schema.Unreachable:
		e.Unknown = true
	}
}
