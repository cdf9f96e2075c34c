package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// module is a pinned Go module.
type module struct{ path, version, sum string }

// versioned matches the folder that holds a version's document. Documents
// elsewhere are tests' own, some of them years old.
var versioned = regexp.MustCompile(`(?:^|_|/)v[0-9][a-z0-9.]*$`)

// documents reads the module's discovery documents.
func (m module) documents() ([]*document, error) {
	dir, err := m.download()
	if err != nil {
		return nil, err
	}
	var docs []*document
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, "-api.json") {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if folder := filepath.ToSlash(filepath.Dir(rel)); strings.HasPrefix(folder, "internal/") || !versioned.MatchString(folder) {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		d := &document{}
		if err := json.Unmarshal(data, d); err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		docs = append(docs, d)
		return nil
	})
	return docs, err
}

// download returns the folder of the module.
func (m module) download() (string, error) {
	// Outside of a module, so that this one's requirements do not matter.
	tmp, err := os.MkdirTemp("", "gen")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	cmd := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version)
	cmd.Dir, cmd.Stderr = tmp, os.Stderr
	out, runErr := cmd.Output()
	var got struct{ Dir, Sum, Error string }
	if err := json.Unmarshal(out, &got); err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), runErr)
	}
	switch {
	case got.Error != "":
		return "", fmt.Errorf("%s@%s: %s", m.path, m.version, got.Error)
	case got.Sum != m.sum:
		return "", fmt.Errorf("%s@%s has the sum %s, not %s", m.path, m.version, got.Sum, m.sum)
	}
	return got.Dir, nil
}
