package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// lease is the right to sync, or to lead. Its row holds who has it, until when by the
// server's clock, and a token that grows with every holder: a commit checks
// the token, so a sync that lost its lease cannot end.
type lease struct {
	sink  *Sink
	table string
	token int64
	// term is how long it is good for.
	term time.Duration
	// lost is closed when somebody else took the lease over, and of one that is
	// strict also when it was not renewed for three quarters of its term: what
	// goes on then has the last quarter to end in.
	lost   chan struct{}
	strict bool
	stop   context.CancelFunc
	done   chan struct{}
}

// leaseTime is how long a lease is good for; it is renewed four times as often.
// A sync that is killed on this host is found out at once, elsewhere when its
// lease ends.
const leaseTime = time.Minute

// The tables of leases: who syncs, and who leads several daemons.
const (
	leaseTable  = "dewpoint_lease"
	leaderTable = "dewpoint_leader"
)

// createLease makes the table of a lease.
func createLease(table, comment string) string {
	return fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %[1]s (
	id integer PRIMARY KEY CHECK (id = 1), token bigint NOT NULL, host text, pid bigint, process text, since timestamptz, expires_at timestamptz);
COMMENT ON TABLE %[1]s IS %[2]s;
INSERT INTO %[1]s (id, token) VALUES (1, 0) ON CONFLICT DO NOTHING`, table, literal(comment))
}

// acquire takes the lease. It waits for another holder as the options say.
func (s *Sink) acquire(ctx context.Context, c *conn) (*lease, error) {
	deadline := time.Now().Add(s.opts.LockTimeout)
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		l, err := s.tryAcquire(ctx, c, leaseTable, leaseTime)
		var locked *sinks.LockedError
		if !errors.As(err, &locked) || !time.Now().Before(deadline) {
			return l, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

const leaseColumns = `host, pid, process, to_char(since, 'YYYY-MM-DD HH24:MI:SS "UTC"'), coalesce(expires_at > clock_timestamp(), false), token`

func (s *Sink) tryAcquire(ctx context.Context, c *conn, table string, term time.Duration) (*lease, error) {
	l := &lease{sink: s, table: table, term: term, strict: table == leaderTable, lost: make(chan struct{}), done: make(chan struct{})}
	asked := time.Now()
	err := c.transaction(ctx, func() error {
		// A row that is locked is that of a sync in its commit.
		row, err := c.texts(ctx, "SELECT "+leaseColumns+" FROM "+table+" WHERE id = 1 FOR UPDATE SKIP LOCKED")
		if err != nil {
			return err
		}
		if len(row) == 0 {
			if row, err = c.texts(ctx, "SELECT "+leaseColumns+" FROM "+table+" WHERE id = 1"); err != nil {
				return err
			}
			if len(row) == 0 {
				return fmt.Errorf("the table %[2]s has lost its row: INSERT INTO %[1]s.%[2]s (id, token) VALUES (1, 1)", ident(s.cfg.schema), table)
			}
			return &sinks.LockedError{URL: s.URL(), Holder: holder(row[0])}
		}
		if row[0][4] == "t" && !gone(row[0][1], row[0][2]) {
			return &sinks.LockedError{URL: s.URL(), Holder: holder(row[0])}
		}
		host, _ := os.Hostname()
		l.token, err = c.count(ctx, fmt.Sprintf(`UPDATE %s SET token = token + 1, host = %s, pid = %d, process = %s, since = clock_timestamp(), expires_at = clock_timestamp() + %s
			WHERE id = 1 RETURNING token`, table, literal(host), os.Getpid(), literal(processOf(os.Getpid())), interval(term)))
		return err
	})
	if err != nil {
		return nil, err
	}
	beat, stop := context.WithCancel(context.Background())
	l.stop = stop
	go l.renew(beat, asked)
	return l, nil
}

func holder(row []string) string {
	return fmt.Sprintf("process %s on host %s since %s", row[1], row[0], row[3])
}

func interval(d time.Duration) string {
	return fmt.Sprintf("interval '%d milliseconds'", d.Milliseconds())
}

// renew keeps the lease, which was last asked for at an instant, until it is
// stopped.
func (l *lease) renew(ctx context.Context, asked time.Time) {
	defer close(l.done)
	tick := time.NewTicker(l.term / 4)
	defer tick.Stop()
	for {
		lapses := asked.Add(l.term * 3 / 4)
		if !l.strict {
			lapses = time.Now().Add(l.term) // the commit finds it out
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-time.After(time.Until(lapses)):
		}
		// A beat that fails is made up for by the next. The server counts from
		// when it was asked, or later.
		now := time.Now()
		beat, cancel := context.WithDeadline(ctx, lapses)
		held, err := l.beat(beat)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && held:
			asked = now
		case err == nil, l.strict && !time.Now().Before(lapses):
			close(l.lost)
			return
		}
	}
}

func (l *lease) beat(ctx context.Context) (held bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.term/4)
	defer cancel()
	c, err := l.sink.connect(ctx)
	if err != nil {
		return false, err
	}
	defer c.close()
	n, err := c.affected(ctx, fmt.Sprintf("UPDATE %s.%s SET expires_at = clock_timestamp() + %s WHERE id = 1 AND token = %d",
		ident(l.sink.cfg.schema), l.table, interval(l.term), l.token))
	return n == 1, err
}

// rest ends the renewing: the commit holds the row's lock instead.
func (l *lease) rest() {
	l.stop()
	<-l.done
}

var errLeaseLost = errors.New("another sync took over the lease, since this one did not renew it in time: nothing was changed: run it again")

// hold locks the lease for the rest of the transaction.
func (l *lease) hold(ctx context.Context, c *conn) error {
	token, err := c.count(ctx, "SELECT token FROM dewpoint_lease WHERE id = 1 FOR UPDATE")
	if code(err) == "40001" || err == nil && token != l.token {
		return errLeaseLost
	}
	return err
}

// release gives the lease up, as far as the database is reached.
func (l *lease) release(ctx context.Context) {
	l.rest()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	c, err := l.sink.connect(ctx)
	if err != nil {
		return // it expires
	}
	defer c.close()
	_ = c.exec(ctx, fmt.Sprintf("UPDATE %s.%s SET expires_at = NULL, host = NULL, pid = NULL, process = NULL, since = NULL WHERE id = 1 AND token = %d",
		ident(l.sink.cfg.schema), l.table, l.token))
}

// processOf identifies a process of this host beyond its number: the boot, the
// namespace of process numbers and when it started. It is empty where that
// cannot be told.
func processOf(pid int) string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	space, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, os.ErrNotExist) {
		return strings.TrimSpace(string(boot)) + " " + space + " none"
	}
	// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name in
	// parentheses may hold anything; the start is the 20th field behind it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if err != nil || len(fields) < 20 {
		return ""
	}
	if fields[0] == "Z" { // it has ended, and nobody has asked how
		fields[19] = "none"
	}
	return strings.TrimSpace(string(boot)) + " " + space + " " + fields[19]
}

// gone says whether a holder's process certainly has ended: it is one of this
// host and boot, and its number is free or another's.
func gone(pid, process string) bool {
	n, err := strconv.Atoi(pid)
	if err != nil || process == "" {
		return false
	}
	now := processOf(n)
	i, j := strings.LastIndexByte(process, ' '), strings.LastIndexByte(now, ' ')
	return i > 0 && j > 0 && process[:i] == now[:j] && process != now
}
