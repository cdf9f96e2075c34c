package duckdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// stagingLock is the exclusive lock on a staging directory: an flock on a
// file in it that holds the owner's process id. It ends with the process.
type stagingLock struct {
	dir  string
	file *os.File
}

const lockName = "lock"

// lockStaging creates and locks the staging directory. It waits for another
// sync as long as the options say and then names its process.
func (s *Sink) lockStaging(ctx context.Context) (*stagingLock, error) {
	var lock *stagingLock
	err := s.retry(ctx, func() error {
		var err error
		lock, err = tryLock(s.staging)
		var held *heldError
		if errors.As(err, &held) {
			return &sinks.LockedError{URL: s.URL(), Holder: held.holder, Err: held}
		}
		return err
	})
	return lock, err
}

type heldError struct{ holder string }

func (e *heldError) Error() string { return "another sync runs: " + e.holder }

func tryLock(dir string) (*stagingLock, error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("create the staging directory: %w", err)
		}
		name := filepath.Join(dir, lockName)
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // the directory was removed in between
		}
		if err != nil {
			return nil, fmt.Errorf("open the staging lock: %w", err)
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			pid, _ := io.ReadAll(io.LimitReader(f, 64))
			f.Close()
			return nil, &heldError{holder: strings.TrimSpace("process " + string(pid))}
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		// The holder before may have removed the file after it was opened here.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(name)
		if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
			f.Close()
			continue
		}
		if err := writePID(f); err != nil {
			f.Close()
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		return &stagingLock{dir: dir, file: f}, nil
	}
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d", os.Getpid()), 0)
	return err
}

// sweep removes everything in the directory but the lock.
func (l *stagingLock) sweep() error {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		if err := os.RemoveAll(filepath.Join(l.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// release removes the directory and gives the lock up.
func (l *stagingLock) release() {
	// What cannot be removed now is swept by the next Begin.
	_ = os.RemoveAll(l.dir)
	l.file.Close()
}

// retry calls f until it returns something else than a *sinks.LockedError or
// the lock timeout is over.
func (s *Sink) retry(ctx context.Context, f func() error) error {
	deadline := time.Now().Add(s.opts.LockTimeout)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		err := f()
		var locked *sinks.LockedError
		if !errors.As(err, &locked) || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
