package snowflake

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// lease is the right to change the schema: the token of the sync stands in
// the one row of dewpoint_lease. The commit checks it in its transaction, so
// that a sync whose lease was taken over cannot commit.
type lease struct {
	token string
	term  time.Duration
	once  sync.Once
	done  chan struct{}
	wait  sync.WaitGroup
}

// lock takes the lease, waiting as the options say. It makes dewpoint's own
// tables where they are not there yet.
func (s *Sink) lock(ctx context.Context, c *conn, token string) (*lease, error) {
	l := &lease{token: token, term: s.opts.Lease, done: make(chan struct{})}
	deadline := time.Now().Add(s.opts.LockTimeout)
	pause := 50 * time.Millisecond
	for {
		got, err := l.take(ctx, c, "token IS NULL OR expires_at < CURRENT_TIMESTAMP()")
		if missing(err) {
			if err = s.create(ctx, c); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if got {
			return l, nil
		}
		held, err := c.texts(ctx, "SELECT token, holder, TO_VARCHAR(expires_at) FROM dewpoint_lease")
		if err != nil {
			return nil, err
		}
		if len(held) == 0 {
			return nil, fmt.Errorf("%s has no row in dewpoint_lease: INSERT INTO dewpoint_lease (name) VALUES ('sync')", s.URL())
		}
		// Its process is on this machine and dead: nothing to wait for.
		if dead(held[0][1]) {
			if got, err = l.take(ctx, c, "token = "+literal(held[0][0])); err != nil || got {
				return l, err
			}
		}
		if time.Now().Add(pause).After(deadline) {
			return nil, &sinks.LockedError{URL: s.URL(), Holder: held[0][1] + ", whose lease ends " + held[0][2]}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 10*time.Second)
	}
}

func (l *lease) take(ctx context.Context, c *conn, when string) (bool, error) {
	n, err := c.exec(ctx, fmt.Sprintf("UPDATE dewpoint_lease SET token = %s, holder = %s, expires_at = %s WHERE name = 'sync' AND (%s)",
		literal(l.token), literal(holder(os.Getpid())), l.until(), when))
	return n == 1, err
}

func (l *lease) until() string {
	return fmt.Sprintf("DATEADD(millisecond, %d, CURRENT_TIMESTAMP())", l.term.Milliseconds())
}

// keep extends the lease until stop. A commit that finds it lost fails, so
// errors here are left to the next attempt.
func (l *lease) keep(s *Sink, tag string) {
	l.wait.Go(func() {
		tick := time.NewTicker(l.term / 3)
		defer tick.Stop()
		for {
			select {
			case <-l.done:
				return
			case <-tick.C:
			}
			ctx, cancel := context.WithTimeout(context.Background(), l.term/3)
			if c, err := s.connect(ctx, tag); err == nil {
				_, _ = c.exec(ctx, fmt.Sprintf("UPDATE dewpoint_lease SET expires_at = %s WHERE token = %s", l.until(), literal(l.token)))
				c.close()
			}
			cancel()
		}
	})
}

func (l *lease) stop() {
	l.once.Do(func() { close(l.done) })
	l.wait.Wait()
}

// release gives the lease up. What it cannot tell Snowflake ends by itself.
func (l *lease) release(ctx context.Context, c *conn) {
	l.stop()
	_, _ = c.exec(context.WithoutCancel(ctx), "UPDATE dewpoint_lease SET token = NULL, holder = NULL, expires_at = NULL WHERE token = "+literal(l.token))
}

// fence asserts in the commit's transaction that the lease is still the
// sync's, and gives it up with the commit.
func (l *lease) fence(ctx context.Context, c *conn, digest string) error {
	n, err := c.exec(ctx, fmt.Sprintf("UPDATE dewpoint_lease SET token = NULL, holder = NULL, expires_at = NULL, scopes_digest = %s WHERE token = %s",
		literal(digest), literal(l.token)))
	if err == nil && n != 1 {
		err = fmt.Errorf("another sync took over, because the lease of this one ran out: nothing was changed, run it again")
	}
	return err
}

// holder describes a process so that another one on the machine can tell
// whether it still runs.
func holder(pid int) string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("process %d on %s (started %s)", pid, host, started(pid))
}

// started is the time that a process was started at, in the kernel's ticks,
// with the boot: the same number is another process then.
func started(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// The name, in parentheses, may hold anything.
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if len(f) < 20 || len(boot) < 8 {
		return ""
	}
	return string(boot[:8]) + "-" + f[19]
}

// dead says whether a holder is a process of this machine that has ended.
func dead(text string) bool {
	var pid int
	if _, err := fmt.Sscanf(text, "process %d on ", &pid); err != nil || started(os.Getpid()) == "" {
		return false
	}
	host, boot := holderOf(text)
	mine, myBoot := holderOf(holder(os.Getpid()))
	return host == mine && boot == myBoot && holder(pid) != text
}

// holderOf returns a holder's machine and boot.
func holderOf(text string) (host, boot string) {
	_, rest, _ := strings.Cut(text, " on ")
	host, rest, _ = strings.Cut(rest, " (started ")
	boot, _, _ = strings.Cut(rest, "-")
	return host, boot
}
