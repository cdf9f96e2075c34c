//go:build iceberg

package iceberg

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// files lets the Iceberg library read and write in a store. Paths are URLs.
type files struct {
	ctx  context.Context
	st   objects.Store
	root string // URL of the store with a slash at its end
}

var _ iceio.WriteFileIO = (*files)(nil)

// root is the URL of a store as other engines write it.
func root(st objects.Store) string {
	if dir, ok := strings.CutPrefix(st.URL(), "file:"); ok {
		return "file://" + dir + "/"
	}
	return st.URL() + "/"
}

// key is the key of a path. file:/a and file:///a are one.
func (f *files) key(name string) (string, error) {
	if dir, ok := strings.CutPrefix(name, "file:/"); ok {
		name = "file:///" + strings.TrimLeft(dir, "/")
	}
	key, ok := strings.CutPrefix(name, f.root)
	if !ok {
		return "", &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("it is not in %s", f.root)}
	}
	return key, nil
}

// Open reads Parquet files in ranges, since only their ends are asked for, and
// all others whole.
func (f *files) Open(name string) (iceio.File, error) {
	key, err := f.key(name)
	if err != nil {
		return nil, err
	}
	if path.Ext(key) == ".parquet" {
		r, err := f.st.Open(f.ctx, key)
		if err != nil {
			return nil, err
		}
		return &file{ReadSeeker: r, ReaderAt: r, Closer: r, info: r.Info()}, nil
	}
	data, info, err := f.st.Get(f.ctx, key)
	if err != nil {
		return nil, err
	}
	r := bytes.NewReader(data)
	return &file{ReadSeeker: r, ReaderAt: r, Closer: io.NopCloser(r), info: info}, nil
}

func (f *files) Create(name string) (iceio.FileWriter, error) {
	key, err := f.key(name)
	if err != nil {
		return nil, err
	}
	return &fileWriter{f.st.Writer(f.ctx, key)}, nil
}

func (f *files) WriteFile(name string, p []byte) error {
	w, err := f.Create(name)
	if err != nil {
		return err
	}
	if _, err := w.Write(p); err != nil {
		return err
	}
	return w.Close()
}

func (f *files) Remove(name string) error {
	key, err := f.key(name)
	if err != nil {
		return err
	}
	return f.st.Delete(f.ctx, key)
}

// file is an object that is read.
type file struct {
	io.ReadSeeker
	io.ReaderAt
	io.Closer
	info objects.Info
}

func (f *file) Stat() (fs.FileInfo, error) { return fileInfo{f.info}, nil }

type fileInfo struct{ objects.Info }

func (i fileInfo) Name() string       { return path.Base(i.Key) }
func (i fileInfo) Size() int64        { return i.Info.Size }
func (i fileInfo) Mode() fs.FileMode  { return 0o444 }
func (i fileInfo) ModTime() time.Time { return i.ModifiedAt }
func (i fileInfo) IsDir() bool        { return false }
func (i fileInfo) Sys() any           { return nil }

// fileWriter is an object that is written; Close makes it visible.
type fileWriter struct{ objects.Writer }

func (w *fileWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w.Writer}, r)
}

func (w *fileWriter) Close() error {
	defer w.Abort()
	_, err := w.Commit()
	return err
}
