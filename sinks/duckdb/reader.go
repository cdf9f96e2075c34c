package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// OpenReader opens a file for reading. It waits up to 10 seconds for a commit
// to end and then fails with a *sinks.LockedError. The caller closes the
// database soon: no sync can commit while it is open. A process must not read
// a file that it is syncing to.
func OpenReader(ctx context.Context, path string) (*sql.DB, error) {
	return OpenReaderTimeout(ctx, path, 10*time.Second)
}

// OpenReaderTimeout is OpenReader with another time to wait.
func OpenReaderTimeout(ctx context.Context, path string, wait time.Duration) (*sql.DB, error) {
	if wait <= 0 {
		wait = -1
	}
	s, err := Open(path, Options{LockTimeout: wait})
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(s.path); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open %s: there is no such file: run dewpoint sync first", s.URL())
	}
	if !s.exists() {
		return nil, fmt.Errorf("open %s: the file is empty: run dewpoint sync first", s.URL())
	}
	c, err := s.connect(ctx, true)
	if err != nil {
		var locked *sinks.LockedError
		if errors.As(err, &locked) {
			return nil, locked
		}
		return nil, err
	}
	for _, q := range []string{"RESET temp_directory", "RESET preserve_insertion_order"} {
		if err := c.exec(ctx, q); err != nil {
			c.close()
			return nil, err
		}
	}
	if err := c.c.Close(); err != nil {
		c.db.Close()
		return nil, err
	}
	return c.db, nil
}
