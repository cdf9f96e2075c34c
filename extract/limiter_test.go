package extract

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var testKey = LimitKey{Cloud: "aws", Account: "111111111111", Region: "eu-west-1", Service: "ec2"}

// inFlight acquires until it would block and returns how often it did.
func inFlight(t *testing.T, l *Limiter) int {
	t.Helper()
	n := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		err := l.Acquire(ctx, testKey)
		cancel()
		if err != nil {
			return n
		}
		n++
	}
}

func TestLimiterGrowsWithSuccessAndHalvesOnceAThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		if n := inFlight(t, l); n != startConcurrency {
			t.Fatalf("began with %d requests at once, want %d", n, startConcurrency)
		}
		for range startConcurrency {
			l.Release(testKey, false)
		}
		n := inFlight(t, l)
		if n != startConcurrency {
			t.Fatalf("%d at once after one round of successes, want %d: less than one more", n, startConcurrency)
		}
		for range 100 {
			l.Release(testKey, false)
			if err := l.Acquire(t.Context(), testKey); err != nil {
				t.Fatal(err)
			}
		}
		n += inFlight(t, l)
		if n < 10 || n > maxConcurrency {
			t.Fatalf("%d at once after 100 successes", n)
		}
		for range n {
			l.Release(testKey, true) // all belong to one episode
		}
		if half := inFlight(t, l); half < n/2-1 || half > n/2+1 {
			t.Fatalf("%d at once after throttles, want half of %d", half, n)
		}
		time.Sleep(2 * backoff)
		l.Release(testKey, true)
		if m := l.limit(testKey); m.allowed > float64(n)/4+1 {
			t.Fatalf("%.1f allowed after a second episode, want a quarter of %d", m.allowed, n)
		}
	})
}

func TestLimiterNeverStopsAltogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		for range 20 {
			if err := l.Acquire(t.Context(), testKey); err != nil {
				t.Fatal(err)
			}
			l.Release(testKey, true)
			time.Sleep(2 * backoff)
		}
		if n := inFlight(t, l); n != 1 {
			t.Fatalf("%d at once, want 1", n)
		}
	})
}

func TestLimiterKeepsTheDeclaredRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter()
		l.Declare(testKey, 10)
		start := time.Now()
		for range 110 {
			if err := l.Acquire(t.Context(), testKey); err != nil {
				t.Fatal(err)
			}
			l.Release(testKey, false)
		}
		if d := time.Since(start).Round(100 * time.Millisecond); d != 10*time.Second {
			t.Fatalf("110 requests at 10 a second with a burst of 10 took %v, want 10s", d)
		}
	})
}

func TestLimiterGivesBackThePlaceOfWhoGaveUp(t *testing.T) {
	l := NewLimiter()
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Microsecond)
			defer cancel()
			if err := l.Acquire(ctx, testKey); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
				return
			}
			l.Release(testKey, false)
		})
	}
	wg.Wait()
	if m := l.limit(testKey); m.inFlight != 0 || len(m.waiting) != 0 {
		t.Fatalf("%d in flight, %d waiting after all have ended", m.inFlight, len(m.waiting))
	}
}

func TestHeldKeyLetsNothingThrough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, k := NewLimiter(), LimitKey{Service: "s"}
		begun := time.Now()
		l.Hold(k, 5*time.Second)
		l.Hold(k, 3*time.Second) // does not shorten it
		if err := l.Acquire(t.Context(), LimitKey{Service: "other"}); err != nil || time.Since(begun) != 0 {
			t.Errorf("another key waited %s, %v", time.Since(begun), err)
		}
		if err := l.Acquire(t.Context(), k); err != nil || time.Since(begun) != 5*time.Second {
			t.Errorf("waited %s, %v", time.Since(begun), err)
		}
		l.Hold(k, time.Hour)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Acquire(ctx, k); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
