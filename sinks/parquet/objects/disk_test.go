package objects_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

func TestDisk(t *testing.T) {
	objectstest.Run(t, func(t *testing.T) objects.Store {
		dir := filepath.Join(t.TempDir(), "not", "there")
		t.Cleanup(func() {
			if left := temporaryFiles(t, dir); len(left) > 0 {
				t.Errorf("temporary files are left: %v", left)
			}
		})
		return open(t, dir)
	})
}

func TestDiskSweepsTemporaryFiles(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	w := st.Writer(t.Context(), "kind/part-0.parquet")
	if _, err := w.Write([]byte("half")); err != nil {
		t.Fatal(err)
	}
	if err := st.Sweep(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if left := temporaryFiles(t, dir); len(left) != 1 {
		t.Errorf("a younger file was swept: %v", left)
	}
	if err := st.Sweep(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if left := temporaryFiles(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestDiskErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), "is not a directory") {
		t.Error(err)
	}
	if _, _, err := open(t, dir).Get(t.Context(), "y"); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "y")) {
		t.Error(err)
	}
	_, err := open(t, dir).Create(t.Context(), "file/x", []byte("1"))
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
}

func open(t *testing.T, url string) objects.Store {
	t.Helper()
	st, err := objects.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func temporaryFiles(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".tmp") {
			all = append(all, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
