package duckdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Checker = (*Sink)(nil)

// Check looks at the file, the directory around it and who holds it.
func (s *Sink) Check(ctx context.Context) []sinks.Finding {
	if err := s.canWrite(); err != nil {
		return []sinks.Finding{{About: "storage", Level: sinks.Problem, Text: err.Error()}}
	}
	found := []sinks.Finding{s.checkLock()}
	if !s.exists() {
		return append(found, sinks.Finding{About: "storage", Text: "the first sync creates the file"})
	}
	c, err := s.tryConnect(ctx, true)
	var locked *sinks.LockedError
	switch {
	case errors.As(err, &locked):
		return append(found, sinks.Finding{About: "lock", Level: sinks.Notice, Text: "the file is open in " + locked.Holder + ": a sync waits for it before it commits"})
	case err != nil:
		return append(found, sinks.Finding{About: "connection", Level: sinks.Problem, Text: err.Error()})
	}
	defer c.close()
	version, err := c.texts(ctx, "SELECT version()")
	if err != nil {
		return append(found, sinks.Finding{About: "connection", Level: sinks.Problem, Text: err.Error()})
	}
	return append(found, sinks.Finding{About: "connection", Text: "DuckDB " + version[0][0] + ", the file can be read and written"})
}

// canWrite says why the file cannot be written or created, or nothing beside
// it; the staging directory and DuckDB's log are beside it.
func (s *Sink) canWrite() error {
	const write = 2 // W_OK of access(2)
	if fi, err := os.Stat(s.path); err == nil {
		if !fi.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file: name another", s.path)
		}
		if err := syscall.Access(s.path, write); err != nil {
			return fmt.Errorf("%s cannot be written: %w", s.path, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir := filepath.Dir(s.path)
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir) // directories that are missing are created
	}
	if fi, err := os.Stat(dir); err != nil {
		return err
	} else if !fi.IsDir() {
		return fmt.Errorf("%s is no directory", dir)
	}
	if err := syscall.Access(dir, write); err != nil {
		return fmt.Errorf("in the directory %s no file can be created: %w", dir, err)
	}
	return nil
}

// checkLock says whether a sync holds the staging directory.
func (s *Sink) checkLock() sinks.Finding {
	f, err := os.Open(filepath.Join(s.staging, lockName))
	if err != nil {
		return sinks.Finding{About: "lock", Text: "no sync runs"}
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); err == nil {
		return sinks.Finding{About: "lock", Text: "no sync runs; the next one sweeps what a former one left in " + s.staging}
	}
	pid, err := os.ReadFile(f.Name())
	if err != nil {
		pid = []byte("unknown")
	}
	return sinks.Finding{About: "lock", Level: sinks.Notice, Text: "a sync runs: process " + strings.TrimSpace(string(pid))}
}
