package objects

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// disk is a directory. An object is written to a temporary file beside it,
// synced and renamed; conditional writes exclude each other by a lock on a
// file in the directory, which ends with the process that holds it.
type disk struct{ root string }

// lockName is the lock's file in the root of a directory.
const lockName = ".lock"

func openDisk(path string) (Store, error) {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if path = "/" + strings.TrimPrefix(rest, "/"); !strings.HasPrefix(rest, "/") {
			return nil, fmt.Errorf("objects: file://%s names a host: write file:%s or file:///%s", rest, rest, rest)
		}
	}
	if path == "" || strings.ContainsAny(path, "?\x00") {
		return nil, fmt.Errorf("objects: %q names no directory: use a path without ?", path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("objects: %w", err)
	}
	if fi, err := os.Stat(abs); err == nil && !fi.IsDir() {
		return nil, fmt.Errorf("objects: %s is not a directory", path)
	}
	return &disk{root: abs}, nil
}

func (d *disk) URL() string  { return "file:" + d.root }
func (d *disk) Close() error { return nil }

func (d *disk) path(key string) string { return filepath.Join(d.root, filepath.FromSlash(key)) }

func (d *disk) Get(ctx context.Context, key string) ([]byte, Info, error) {
	if err := checkKey(key); err != nil {
		return nil, Info{}, err
	}
	if err := ctx.Err(); err != nil {
		return nil, Info{}, err
	}
	f, fi, err := d.open(key)
	if err != nil {
		return nil, Info{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return nil, Info{}, diskError("read", err)
	}
	return data, Info{Key: key, Size: int64(len(data)), Tag: contentTag(data), ModifiedAt: fi.ModTime()}, nil
}

func (d *disk) Open(_ context.Context, key string) (*Reader, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, fi, err := d.open(key)
	if err != nil {
		return nil, err
	}
	return newReader(Info{Key: key, Size: fi.Size(), ModifiedAt: fi.ModTime()}, diskSource{f}), nil
}

// open opens a file. Directories are no objects.
func (d *disk) open(key string) (*os.File, fs.FileInfo, error) {
	f, err := os.Open(d.path(key))
	if err != nil {
		return nil, nil, diskError("read", err)
	}
	fi, err := f.Stat()
	if err == nil && fi.IsDir() {
		err = &fs.PathError{Op: "open", Path: f.Name(), Err: fs.ErrNotExist}
	}
	if err != nil {
		f.Close()
		return nil, nil, diskError("read", err)
	}
	return f, fi, nil
}

type diskSource struct{ *os.File }

func (s diskSource) stream(offset int64) (io.ReadCloser, error) {
	_, err := s.Seek(offset, io.SeekStart)
	return io.NopCloser(s.File), err
}

func (d *disk) Create(ctx context.Context, key string, data []byte) (Info, error) {
	return d.conditional(ctx, key, data, func(have []byte, err error) error {
		if err == nil {
			return fmt.Errorf("create %s: %w", d.path(key), fs.ErrExist)
		}
		return nil
	})
}

func (d *disk) Replace(ctx context.Context, key string, data []byte, tag string) (Info, error) {
	return d.conditional(ctx, key, data, d.unchanged("replace", key, tag))
}

// unchanged returns a condition: the object is the version tag.
func (d *disk) unchanged(op, key, tag string) func([]byte, error) error {
	return func(have []byte, err error) error {
		if err != nil || contentTag(have) != tag {
			return fmt.Errorf("%s %s: %w", op, d.path(key), ErrChanged)
		}
		return nil
	}
}

// conditional writes an object if allowed says so of what is there. The lock
// orders the writers, the link keeps a file that is there even where a file
// system does not lock.
func (d *disk) conditional(ctx context.Context, key string, data []byte, allowed func(have []byte, err error) error) (Info, error) {
	w := d.writer(ctx, key)
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return Info{}, err
	}
	if err := w.sync(); err != nil {
		return Info{}, err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return Info{}, err
	}
	defer unlock()
	have, err := os.ReadFile(d.path(key))
	if err = diskError("read", err); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Info{}, err
	}
	absent := err != nil
	if err := allowed(have, err); err != nil {
		return Info{}, err
	}
	if absent {
		err := os.Link(w.file.Name(), d.path(key))
		if errors.Is(err, fs.ErrExist) {
			return Info{}, fmt.Errorf("create %s: %w", d.path(key), fs.ErrExist)
		}
		// A file system without links is left to the lock alone.
	}
	info, err := w.Commit()
	info.Tag = contentTag(data)
	return info, err
}

func (d *disk) Remove(ctx context.Context, key, tag string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	have, err := os.ReadFile(d.path(key))
	if err := d.unchanged("remove", key, tag)(have, err); err != nil {
		return err
	}
	return diskError("remove", os.Remove(d.path(key)))
}

// lock excludes the other conditional writers of the directory.
func (d *disk) lock(ctx context.Context) (func(), error) {
	if err := os.MkdirAll(d.root, 0o777); err != nil {
		return nil, diskError("create", err)
	}
	f, err := os.OpenFile(filepath.Join(d.root, lockName), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, diskError("lock", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() { f.Close() }, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case !errors.Is(err, syscall.EWOULDBLOCK):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w: the file system must support locks", f.Name(), err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (d *disk) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if clean := strings.TrimSuffix(dir, "/"); clean != "" && !fs.ValidPath(clean) {
			yield(Info{}, fmt.Errorf("objects: %q is no prefix of keys: leave out empty, . and .. parts", prefix))
			return
		}
		d.list(ctx, dir, prefix, yield)
	}
}

// list yields what lies in a directory, given as the empty string or with a
// slash at its end. It returns false when the iteration is over.
func (d *disk) list(ctx context.Context, dir, prefix string, yield func(Info, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(Info{}, err)
		return false
	}
	entries, err := os.ReadDir(d.path(dir))
	if err = diskError("list", err); errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil {
		yield(Info{}, err)
		return false
	}
	for _, e := range inKeyOrder(entries) {
		key := dir + e.Name()
		switch {
		case e.IsDir():
			key += "/"
			if (strings.HasPrefix(key, prefix) || strings.HasPrefix(prefix, key)) && !d.list(ctx, key, prefix, yield) {
				return false
			}
		case !strings.HasPrefix(key, prefix) || temporary(e.Name()) || key == lockName:
		default:
			fi, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				yield(Info{}, diskError("list", err))
				return false
			}
			if !yield(Info{Key: key, Size: fi.Size(), ModifiedAt: fi.ModTime()}, nil) {
				return false
			}
		}
	}
	return true
}

// Delete removes files, and directories that they leave empty.
func (d *disk) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		path := d.path(key)
		if err := diskError("delete", os.Remove(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for dir := filepath.Dir(path); dir != d.root && os.Remove(dir) == nil; {
			dir = filepath.Dir(dir)
		}
	}
	return nil
}

// Sweep removes temporary files.
func (d *disk) Sweep(ctx context.Context, before time.Time) error {
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if cerr := ctx.Err(); cerr != nil {
			return cerr
		}
		if err == nil && !e.IsDir() && temporary(e.Name()) {
			var fi fs.FileInfo
			if fi, err = e.Info(); err == nil && fi.ModTime().Before(before) {
				err = os.Remove(path)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return diskError("sweep", err)
}

// contentTag is the version of a small file.
func contentTag(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}

// temporaryName returns the name of a temporary file for an object.
func temporaryName(base string) string {
	return "." + base[:min(len(base), 100)] + "." + rand.Text() + ".tmp"
}

// temporary says whether a file is one that a Writer made.
func temporary(name string) bool {
	name, ok := strings.CutSuffix(name, ".tmp")
	dot := strings.LastIndexByte(name, '.')
	return ok && strings.HasPrefix(name, ".") && dot > 0 && len(name)-dot-1 == len(rand.Text()) &&
		strings.Trim(name[dot+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// diskError says what was done; what the error of a file says is where.
func diskError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s: %w: %w", op, err, fs.ErrNotExist)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%s: %w: make room on the disk", op, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: give this user the right to write there", op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}
