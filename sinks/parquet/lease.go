package parquet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// leaseTime is how long a lease lasts that its holder does not renew.
const leaseTime = 2 * time.Minute

// lease keeps a second sync out. Leases are numbered objects: whoever creates
// the next number, where the one before is released or has run out, holds it.
// A holder that was taken for dead loses at the commit, for the number of its
// manifest is taken.
type lease struct {
	st     objects.Store
	key    string
	tag    string
	record leaseRecord

	cancel context.CancelFunc
	done   sync.WaitGroup
}

type leaseRecord struct {
	Sync string `json:"sync"`
	Host string `json:"host"`
	PID  int    `json:"pid"`
	// Space tells processes of the same number apart: boot and namespace.
	Space     string    `json:"space,omitempty"`
	Renewed   time.Time `json:"renewed_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Released  bool      `json:"released,omitempty"`
}

func (r *leaseRecord) holder() string {
	return fmt.Sprintf("process %d on %s (sync %s, renewed %s)", r.PID, r.Host, r.Sync, r.Renewed.UTC().Format(time.RFC3339))
}

// live says whether the lease holds: it is neither released nor expired, nor
// did its process end on this very machine.
func (r *leaseRecord) live(now time.Time) bool {
	if r.Released || now.After(r.ExpiresAt) {
		return false
	}
	host, _ := os.Hostname()
	if r.Host == host && r.Space == space() && r.Space != "" {
		return syscall.Kill(r.PID, 0) != syscall.ESRCH
	}
	return true
}

// space identifies this boot and this namespace of process numbers.
func space() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + " " + ns
}

func leaseKey(n int64) string { return fmt.Sprintf("%s%010d.json", leaseFolder, n) }

// takeLease waits for the lease as long as it may.
func takeLease(ctx context.Context, st objects.Store, sync string, timeout time.Duration) (*lease, error) {
	deadline := time.Now().Add(timeout)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		l, err := tryLease(ctx, st, sync)
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

// findLease returns the newest lease and its number, 0 if there is none.
func findLease(ctx context.Context, st objects.Store) (r leaseRecord, number int64, older []string, err error) {
	var last string
	for info, err := range st.List(ctx, leaseFolder) {
		if err != nil {
			return r, 0, nil, fmt.Errorf("list the leases of %s: %w", st.URL(), err)
		}
		var n int64
		if _, err := fmt.Sscanf(strings.TrimPrefix(info.Key, leaseFolder), "%d.json", &n); err != nil {
			continue
		}
		if last != "" {
			older = append(older, last)
		}
		number, last = n, info.Key
	}
	if number == 0 {
		return r, 0, nil, nil
	}
	b, _, err := st.Get(ctx, last)
	if errors.Is(err, fs.ErrNotExist) {
		return r, number, older, nil // removed by whoever holds the next one
	}
	if err != nil {
		return r, 0, nil, fmt.Errorf("read the lease of %s: %w", st.URL(), err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, 0, nil, fmt.Errorf("the lease %s of %s is damaged: remove it if no sync runs: %w", last, st.URL(), err)
	}
	return r, number, older, nil
}

func tryLease(ctx context.Context, st objects.Store, sync string) (*lease, error) {
	now := time.Now()
	held, number, older, err := findLease(ctx, st)
	if err != nil {
		return nil, err
	}
	if number > 0 && held.live(now) {
		return nil, &sinks.LockedError{URL: st.URL(), Holder: held.holder()}
	}
	host, _ := os.Hostname()
	l := &lease{st: st, key: leaseKey(number + 1), record: leaseRecord{Sync: sync, Host: host, PID: os.Getpid(), Space: space()}}
	info, err := st.Create(ctx, l.key, l.renewed(now))
	if errors.Is(err, fs.ErrExist) {
		return nil, &sinks.LockedError{URL: st.URL(), Holder: "a sync that begins just now", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("take the lease of %s: %w", st.URL(), err)
	}
	l.tag = info.Tag
	if number > 0 {
		older = append(older, leaseKey(number))
	}
	// Leases that stay are removed by the next sync.
	_ = st.Delete(ctx, older...)
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	l.done.Go(func() { l.keep(ctx) })
	return l, nil
}

func (l *lease) renewed(now time.Time) []byte {
	l.record.Renewed, l.record.ExpiresAt = now.UTC(), now.Add(leaseTime).UTC()
	b, err := json.Marshal(&l.record)
	if err != nil {
		panic("parquet: " + err.Error())
	}
	return append(b, '\n')
}

// keep renews the lease until it is released. What goes wrong shows at the
// commit.
func (l *lease) keep(ctx context.Context) {
	tick := time.NewTicker(leaseTime / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if info, err := l.st.Replace(ctx, l.key, l.renewed(now), l.tag); err == nil {
				l.tag = info.Tag
			}
		}
	}
}

// held fails where another sync has taken the lease for run out.
func (l *lease) held(ctx context.Context) error {
	r, number, _, err := findLease(ctx, l.st)
	if err != nil {
		return err
	}
	if leaseKey(number) != l.key {
		return &sinks.LockedError{URL: l.st.URL(), Holder: r.holder(), Err: errors.New("the lease of this sync ran out and was taken")}
	}
	return nil
}

// release ends the lease.
func (l *lease) release(ctx context.Context) {
	l.cancel()
	l.done.Wait()
	l.record.Released = true
	// One that cannot be released runs out.
	_, _ = l.st.Replace(ctx, l.key, l.renewed(time.Now()), l.tag)
}
