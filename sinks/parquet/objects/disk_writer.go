package objects

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// diskWriter writes a temporary file.
type diskWriter struct {
	ctx  context.Context
	d    *disk
	key  string
	file *os.File // nil before the first byte and after the end
	size int64
	err  error // the first failure
	done bool
}

func (d *disk) Writer(ctx context.Context, key string) Writer { return d.writer(ctx, key) }

func (d *disk) writer(ctx context.Context, key string) *diskWriter {
	return &diskWriter{ctx: ctx, d: d, key: key, err: checkKey(key)}
}

func (w *diskWriter) Write(p []byte) (int, error) {
	if err := w.open(); err != nil {
		return 0, err
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	w.err = diskError("write", err)
	return n, w.err
}

// open creates the temporary file unless it is there.
func (w *diskWriter) open() error {
	if w.done && w.err == nil {
		w.err = fs.ErrClosed
	}
	if w.err == nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil || w.file != nil {
		return w.err
	}
	path := w.d.path(w.key)
	dir, base := filepath.Split(path)
	for range 100 {
		if w.err = w.d.makeDir(filepath.Clean(dir)); w.err != nil {
			return w.err
		}
		name := filepath.Join(dir, temporaryName(base))
		var err error
		w.file, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		w.err = diskError("create", err)
		// Delete removes directories that are empty.
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return w.err
}

// sync makes what was written durable.
func (w *diskWriter) sync() error {
	if err := w.open(); err != nil {
		return err
	}
	w.err = diskError("sync", w.file.Sync())
	return w.err
}

func (w *diskWriter) Commit() (Info, error) {
	defer w.Abort()
	if err := w.sync(); err != nil {
		return Info{}, err
	}
	fi, err := w.file.Stat()
	if err == nil {
		err = w.file.Close()
	}
	if err == nil {
		err = os.Rename(w.file.Name(), w.d.path(w.key))
	}
	if err == nil {
		w.done = true
		// A rename between two links to one file leaves both.
		os.Remove(w.file.Name())
		err = syncDir(filepath.Dir(w.d.path(w.key)))
	}
	if w.err = diskError("write", err); w.err != nil {
		return Info{}, w.err
	}
	return Info{Key: w.key, Size: w.size, ModifiedAt: fi.ModTime()}, nil
}

func (w *diskWriter) Abort() {
	if w.file != nil && !w.done {
		w.file.Close()
		os.Remove(w.file.Name())
	}
	w.done = true
}

// makeDir creates a directory with its parents, durably.
func (d *disk) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := d.makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return diskError("create", err)
	}
	return diskError("sync", syncDir(parent))
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// inKeyOrder sorts the entries of a directory as their keys sort, where those
// in a directory have its name and a slash before theirs.
func inKeyOrder(entries []fs.DirEntry) []fs.DirEntry {
	name := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(name(a), name(b)) })
	return entries
}
