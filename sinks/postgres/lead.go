package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// Leadership is the right to be the one that acts, of several daemons on one
// database. It is renewed until Resign is called or the process ends.
type Leadership struct{ lease *lease }

// standby is how often one that does not lead asks whether it may.
const standby = 2 * time.Second

// Lead waits until this process leads those on the database of a URL, or ctx
// ends. A leader that is killed on this host is followed at once, one elsewhere,
// or one that does not reach the database, when its lease has ended, after term.
// waiting, if not nil, is told who leads meanwhile.
func Lead(ctx context.Context, url string, term time.Duration, waiting func(holder string)) (*Leadership, error) {
	s, err := Open(ctx, url, Options{})
	if err != nil {
		return nil, err
	}
	for {
		l, err := s.tryLead(ctx, term)
		var held *sinks.LockedError
		if !errors.As(err, &held) {
			return l, err
		}
		if waiting != nil {
			waiting(held.Holder)
		}
		select {
		case <-time.After(standby/2 + rand.N(standby)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Sink) tryLead(ctx context.Context, term time.Duration) (*Leadership, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := s.bootstrap(ctx, c); err != nil {
		return nil, err
	}
	// Two at the same time: one of them fails, and asks again.
	if err := c.ensureLease(ctx, leaderTable, "Which dewpoint serve leads, and until when that is believed."); err != nil {
		return nil, err
	}
	l, err := s.tryAcquire(ctx, c, leaderTable, term)
	if err != nil {
		return nil, err
	}
	return &Leadership{l}, nil
}

// Lost is closed when another process leads, or soon may: when the lease was not
// renewed for three quarters of its term.
func (l *Leadership) Lost() <-chan struct{} { return l.lease.lost }

// Resign lets another process lead.
func (l *Leadership) Resign() { l.lease.release(context.Background()) }
