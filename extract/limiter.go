package extract

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// LimitKey is what a cloud counts requests by.
type LimitKey struct {
	Cloud, Account, Region, Service string
}

// Limits of a key's concurrency and of how fast it recovers.
const (
	startConcurrency = 4
	maxConcurrency   = 32
	// backoff is how long after a decrease further throttles are taken as
	// answers to requests that were already under way.
	backoff = time.Second
)

// Pacer paces requests. Acquire is called before each attempt, Release after it
// with whether it was throttled, Hold where the answer says for how long.
// *Limiter is one.
type Pacer interface {
	Acquire(context.Context, LimitKey) error
	Release(k LimitKey, throttled bool)
	Hold(k LimitKey, d time.Duration)
}

var _ Pacer = (*Limiter)(nil)

// Limiter keeps, for each key, the number of requests under way at once within
// what the cloud accepts: one more for every round of successes, half after a
// throttle. A key may have a request rate besides, which follows the same way.
// It is the only rate control: retries wait in it as first attempts do.
type Limiter struct {
	mu   sync.Mutex
	keys map[LimitKey]*limit
	now  func() time.Time
}

type limit struct {
	mu       sync.Mutex
	allowed  float64
	inFlight int
	waiting  []chan struct{}
	lowered  time.Time
	held     time.Time  // until when nothing is let through
	full     rate.Limit // the declared rate
	rate     *rate.Limiter
}

// NewLimiter returns a limiter without keys.
func NewLimiter() *Limiter {
	return &Limiter{keys: map[LimitKey]*limit{}, now: time.Now}
}

// Declare sets the request rate a key begins with, in requests a second.
func (l *Limiter) Declare(k LimitKey, perSecond float64) {
	if perSecond <= 0 {
		return
	}
	m := l.limit(k)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rate == nil {
		m.full = rate.Limit(perSecond)
		m.rate = rate.NewLimiter(m.full, max(1, int(perSecond)))
	}
}

func (l *Limiter) limit(k LimitKey) *limit {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.keys[k]
	if m == nil {
		m = &limit{allowed: startConcurrency}
		l.keys[k] = m
	}
	return m
}

// Acquire waits until the key may send one more request. Each success is
// answered by one call of Release.
func (l *Limiter) Acquire(ctx context.Context, k LimitKey) error {
	m := l.limit(k)
	m.mu.Lock()
	pace := m.rate
	if m.free() && len(m.waiting) == 0 {
		m.inFlight++
		m.mu.Unlock()
	} else {
		ready := make(chan struct{})
		m.waiting = append(m.waiting, ready)
		m.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
			m.abandon(ready)
			return context.Cause(ctx)
		}
	}
	err := m.unheld(ctx, l.now)
	if err == nil && pace != nil {
		err = pace.Wait(ctx)
	}
	if err != nil {
		m.release()
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
	}
	return err
}

// Hold lets no request of the key through for a time: what an answer asked
// for with Retry-After.
func (l *Limiter) Hold(k LimitKey, d time.Duration) {
	m := l.limit(k)
	m.mu.Lock()
	defer m.mu.Unlock()
	if until := l.now().Add(d); until.After(m.held) {
		m.held = until
	}
}

// unheld waits until the key is not held.
func (m *limit) unheld(ctx context.Context, now func() time.Time) error {
	for {
		m.mu.Lock()
		d := m.held.Sub(now())
		m.mu.Unlock()
		if d <= 0 {
			return nil
		}
		select {
		case <-time.After(d):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Release ends a request that Acquire let through.
func (l *Limiter) Release(k LimitKey, throttled bool) {
	m := l.limit(k)
	m.mu.Lock()
	if throttled {
		if now := l.now(); now.Sub(m.lowered) >= backoff {
			m.lowered = now
			m.allowed = max(1, m.allowed/2)
			if m.rate != nil {
				m.rate.SetLimit(max(m.rate.Limit()/2, 0.5))
			}
		}
	} else {
		m.allowed = min(maxConcurrency, m.allowed+1/m.allowed)
		if m.rate != nil && m.rate.Limit() < m.full {
			m.rate.SetLimit(min(m.full, m.rate.Limit()+m.full/100))
		}
	}
	m.mu.Unlock()
	m.release()
}

// free says whether one more may go.
func (m *limit) free() bool { return float64(m.inFlight+1) <= m.allowed }

// release frees one place and hands the free ones to who waits longest.
func (m *limit) release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.inFlight--
	for len(m.waiting) > 0 && m.free() {
		m.inFlight++
		close(m.waiting[0])
		m.waiting = m.waiting[1:]
	}
}

// abandon takes a waiter out; one that was let through meanwhile gives its
// place back.
func (m *limit) abandon(ready chan struct{}) {
	m.mu.Lock()
	for i, w := range m.waiting {
		if w == ready {
			m.waiting = append(m.waiting[:i], m.waiting[i+1:]...)
			m.mu.Unlock()
			return
		}
	}
	m.mu.Unlock()
	m.release()
}
