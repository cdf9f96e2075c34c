package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Overlayer = (*Sink)(nil)

// overlay is a copy of the file in a directory beside it, which is locked as
// that of the staging is.
type overlay struct {
	*Sink
	lock *stagingLock
}

// Overlay copies the file, on file systems that share blocks without writing
// any.
func (s *Sink) Overlay(ctx context.Context, _ []string) (_ sinks.Overlay, err error) {
	dir := s.path + ".overlay"
	var lock *stagingLock
	err = s.retry(ctx, func() (err error) {
		lock, err = tryLock(dir)
		var held *heldError
		if errors.As(err, &held) {
			return &sinks.LockedError{URL: "duckdb:" + dir, Holder: held.holder, Err: held}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()
	if err := lock.sweep(); err != nil {
		return nil, fmt.Errorf("sweep %s: %w", dir, err)
	}
	copied, err := Open(filepath.Join(dir, "estate.duckdb"), s.opts)
	if err != nil {
		return nil, err
	}
	if !s.exists() {
		return nil, fmt.Errorf("%s holds no estate: run dewpoint sync first", s.URL())
	}
	// Nobody writes to the file while it is open here.
	c, err := s.connect(ctx, true)
	if err != nil {
		return nil, err
	}
	for _, suffix := range []string{"", ".wal"} {
		if err == nil {
			err = copyFile(copied.path+suffix, s.path+suffix)
		}
		if suffix != "" && errors.Is(err, os.ErrNotExist) {
			err = nil // all is in the file
		}
	}
	if err = errors.Join(err, c.close()); err != nil {
		return nil, fmt.Errorf("copy %s: %w", s.URL(), err)
	}
	return &overlay{copied, lock}, nil
}

func copyFile(to, from string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return errors.Join(err, w.Close())
}

// Read implements sinks.Overlay.
func (o *overlay) Read(ctx context.Context) (*sql.DB, error) { return OpenReader(ctx, o.path) }

// Close removes the directory.
func (o *overlay) Close() error {
	o.lock.release()
	return nil
}

// sweepOverlay removes the directory of an overlay whose process was killed.
func (s *Sink) sweepOverlay() {
	if _, err := os.Stat(s.path + ".overlay"); err != nil {
		return
	}
	// One that is held is somebody's, and one that stays is swept the next time.
	if lock, err := tryLock(s.path + ".overlay"); err == nil {
		lock.release()
	}
}
