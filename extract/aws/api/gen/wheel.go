package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// pkg is a pinned package of PyPI.
type pkg struct{ name, version, sha256 string }

func (p pkg) file() string {
	return strings.ReplaceAll(p.name, "-", "_") + "-" + p.version + "-py3-none-any.whl"
}

// wheel is a Python package.
type wheel struct {
	file  string
	files map[string]*zip.File
}

// open downloads the package into the cache unless it is there, and checks it.
func (p pkg) open(cache, python string) (*wheel, error) {
	file := filepath.Join(cache, p.file())
	if _, err := os.Stat(file); err != nil {
		if err := os.MkdirAll(cache, 0o755); err != nil {
			return nil, err
		}
		cmd := exec.Command(python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
			"--no-deps", "--only-binary=:all:", "-d", cache, p.name+"=="+p.version)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != p.sha256 {
		return nil, fmt.Errorf("%s has sha256 %s, not %s: remove it", file, got, p.sha256)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	w := &wheel{file: file, files: map[string]*zip.File{}}
	for _, f := range z.File {
		w.files[f.Name] = f
	}
	return w, nil
}

// read returns a file, uncompressed where it is stored as .gz.
func (w *wheel) read(name string) ([]byte, error) {
	if data, err := w.raw(name); err == nil {
		return data, nil
	}
	data, err := w.raw(name + ".gz")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return io.ReadAll(z)
}

func (w *wheel) raw(name string) ([]byte, error) {
	f := w.files[name]
	if f == nil {
		return nil, os.ErrNotExist
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// merged reads the file name.json into v with the "merge" part of
// name.sdk-extras.json over it. A missing file leaves v as it is.
func (w *wheel) merged(dir, name string, v any) error {
	data, err := w.read(path.Join(dir, name+".json"))
	if err != nil {
		return nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s/%s: %w", dir, name, err)
	}
	extra, err := w.read(path.Join(dir, name+".sdk-extras.json"))
	if err != nil {
		return nil
	}
	if data, err = merge(data, extra); err != nil {
		return fmt.Errorf("%s/%s: %w", dir, name, err)
	}
	if m, ok := v.(*model); ok {
		// Members that extras add come last: their order is that of the file.
		var over model
		if err := json.Unmarshal(data, &over); err != nil {
			return err
		}
		for n, s := range over.Shapes {
			if old := m.Shapes[n]; old != nil {
				for _, k := range s.Members.names {
					if old.Members.refs[k] == nil {
						old.Members.names = append(old.Members.names, k)
						old.Members.refs[k] = s.Members.refs[k]
					}
				}
				s.Members = old.Members
			}
		}
		*m = over
		return nil
	}
	return json.Unmarshal(data, v)
}

// merge lays the "merge" part of a document over another.
func merge(base, extra []byte) ([]byte, error) {
	var b, e map[string]any
	if err := json.Unmarshal(base, &b); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(extra, &e); err != nil {
		return nil, err
	}
	over, _ := e["merge"].(map[string]any)
	deepMerge(b, over)
	return json.Marshal(b)
}

func deepMerge(dst, src map[string]any) {
	for k, v := range src {
		d, ok := dst[k].(map[string]any)
		s, ok2 := v.(map[string]any)
		if ok && ok2 {
			deepMerge(d, s)
		} else {
			dst[k] = v
		}
	}
}

// dirs returns the sorted names of the folders in a folder.
func (w *wheel) dirs(dir string) []string {
	var names []string
	for f := range w.files {
		if rest, ok := strings.CutPrefix(f, dir+"/"); ok {
			if name, _, ok := strings.Cut(rest, "/"); ok {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
