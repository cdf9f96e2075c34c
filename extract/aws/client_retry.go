package aws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/dewpoint-data/dewpoint/extract"
)

// fewAttempts is enough for failures that seldom pass by themselves: hosts
// that take no connection, proxies that answer in the service's place.
const fewAttempts = 3

// retryer is the SDK's standard retryer, told of what it does not know. One
// retryer serves one account, region and service, whose failures share its
// quota of retries. Throttled calls take nothing from the quota, because the
// limiter slows them down.
type retryer struct {
	*retry.Standard
}

func newRetryer(maxAttempts int, maxBackoff time.Duration) *retryer {
	return &retryer{retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = maxAttempts
		if maxBackoff > 0 {
			o.MaxBackoff = maxBackoff
		}
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(hopeless)}, o.Retryables...)
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(hopeful))
	})}
}

// hopeless names failures that the standard would retry in vain.
func hopeless(err error) aws.Ternary {
	var e *APIError
	if !errors.As(err, &e) {
		return aws.UnknownTernary
	}
	switch {
	case e.class == classTooLarge, e.class == classCredentials, tlsFailure(e.Err):
		return aws.FalseTernary
	case e.Attempts >= fewAttempts && (e.class == classUnusable || dialFailure(e.Err)):
		return aws.FalseTernary
	case e.Status == http.StatusNotImplemented:
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

// hopeful names failures that the standard does not retry.
func hopeful(err error) aws.Ternary {
	var e *APIError
	if errors.As(err, &e) && (e.retryable || e.Throttled() || e.class == classUnusable) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

func dialFailure(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// GetRetryToken implements aws.Retryer.
func (r *retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	var e *APIError
	if errors.As(err, &e) && e.Throttled() {
		return func(error) error { return nil }, nil
	}
	return r.Standard.GetRetryToken(ctx, err)
}

// RetryDelay implements aws.Retryer. It is not less than what the answer asks
// for.
func (r *retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	d, rerr := r.Standard.RetryDelay(attempt, err)
	var e *APIError
	if errors.As(err, &e) {
		d = max(d, min(e.after, extract.MaxRetryAfter))
	}
	return d, rerr
}

// retryAfter reads how long an answer asks to wait, in AWS's own header or in
// that of HTTP.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseInt(h.Get("X-Amz-Retry-After"), 10, 64); err == nil && ms > 0 {
		return min(time.Duration(ms)*time.Millisecond, extract.MaxRetryAfter)
	}
	return extract.RetryAfter(h, now)
}
