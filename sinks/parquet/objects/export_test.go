package objects

import (
	"context"
	"net/http"
	"time"
)

// OpenImpatient opens a store that gives up early.
func OpenImpatient(ctx context.Context, rawURL string, attempts int, stall time.Duration) (Store, error) {
	return openURL(ctx, rawURL, patience{attempts: attempts, stall: stall})
}

// GoogleClient returns a client with Application Default Credentials.
func GoogleClient() (*http.Client, error) {
	return googleClient(http.DefaultTransport.(*http.Transport).Clone(), false)
}
