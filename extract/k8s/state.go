package k8s

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// lastSeenKey names a server, by its address and the authority that vouches
// for it: an address alone may become another cluster's.
func lastSeenKey(server string, cfg *rest.Config) string {
	ca := cfg.CAData
	if len(ca) == 0 && cfg.CAFile != "" {
		ca, _ = os.ReadFile(cfg.CAFile)
	}
	sum := sha256.Sum256(append([]byte(server+"\n"), ca...))
	return hex.EncodeToString(sum[:12])
}

// rememberID keeps the id of a server's cluster in the folder.
func rememberID(dir, key, id string) error {
	if dir == "" || recallID(dir, key) == id {
		return nil
	}
	return keep(dir, key+".id", []byte(id+"\n"))
}

// recallID is the id that was kept, empty if none was.
func recallID(dir, key string) string {
	if dir == "" {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(dir, key+".id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// keep writes a file whole or not at all.
func keep(dir, name string, content []byte) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(dir, ".new-*"); err == nil {
			_, werr := f.Write(content)
			if err = errors.Join(werr, f.Close()); err == nil {
				err = os.Rename(f.Name(), filepath.Join(dir, name))
			}
			if err != nil {
				_ = os.Remove(f.Name())
			}
		}
	}
	// A container may have nowhere to write to.
	if errors.Is(err, fs.ErrPermission) || isReadOnly(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	return nil
}

// unusedAfter is after how long a document that no cluster has any more is
// removed.
const unusedAfter = 30 * 24 * time.Hour

// recallDocument returns an OpenAPI document that was kept by its hash.
func recallDocument(dir, hash string) []byte {
	if dir == "" || hash == "" {
		return nil
	}
	path := filepath.Join(dir, documentName(hash))
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // it only lives shorter otherwise
	return b
}

func keepDocument(dir, hash string, doc []byte) error {
	if dir == "" || hash == "" {
		return nil
	}
	return keep(dir, documentName(hash), doc)
}

func documentName(hash string) string {
	sum := sha256.Sum256([]byte(hash))
	return hex.EncodeToString(sum[:12]) + ".openapi"
}

// sweep removes documents that nobody has used for long.
func sweep(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.openapi"))
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && time.Since(info.ModTime()) > unusedAfter {
			_ = os.Remove(f)
		}
	}
}
