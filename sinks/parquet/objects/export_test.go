package objects

import (
	"context"
	"time"
)

// OpenImpatient opens a store that gives up early.
func OpenImpatient(ctx context.Context, rawURL string, attempts int, stall time.Duration) (Store, error) {
	return openURL(ctx, rawURL, patience{attempts: attempts, stall: stall})
}
