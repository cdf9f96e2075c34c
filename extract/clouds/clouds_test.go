//go:build unix

package clouds

import (
	"bytes"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// cpu is the time that the process has computed.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func TestCatalogueOfAllClouds(t *testing.T) {
	begun := cpu(t)
	c, err := Load(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if took := cpu(t) - begun; took > 2*time.Second && !raceEnabled {
		t.Errorf("loading computes for %v", took)
	}
	kinds := map[string]int{}
	for _, e := range c.Entries() {
		kinds[e.Kind.Cloud]++
		if _, err := normalize.Compile(e.Spec); err != nil {
			t.Errorf("%s:%d: %v", e.File, e.Line, err)
		}
	}
	for _, v := range Vendors() {
		if kinds[v.Cloud] < 20 {
			t.Errorf("%s has %d kinds", v.Cloud, kinds[v.Cloud])
		}
	}
	// What one cloud is asked for costs nothing of the others.
	begun = cpu(t)
	few, err := Load(catalog.Options{Only: []string{"aws_sqs_queue"}})
	if err != nil {
		t.Fatal(err)
	}
	if took := cpu(t) - begun; took > time.Second && !raceEnabled {
		t.Errorf("loading one service computes for %v", took)
	}
	for _, e := range few.Entries() {
		if e.Kind.Service != "sqs" {
			t.Errorf("%s is compiled", e.Kind.Name)
		}
	}
}

func TestFilesNameTheirSchema(t *testing.T) {
	for _, v := range Vendors() {
		names, err := fs.Glob(v.Files, "*.yaml")
		if err != nil || len(names) == 0 {
			t.Fatal(v.Cloud, names, err)
		}
		for _, n := range names {
			text, err := fs.ReadFile(v.Files, n)
			if err != nil {
				t.Fatal(err)
			}
			line, _, _ := bytes.Cut(text, []byte("\n"))
			if !bytes.HasPrefix(line, []byte("# yaml-language-server: $schema=")) || !bytes.HasSuffix(line, []byte("schema.json")) {
				t.Errorf("%s of %s does not begin with # yaml-language-server: $schema=schema.json", n, v.Cloud)
			}
		}
	}
}

// TestEveryKindIsDeletedOrSaysWhyNot holds the catalogue to say of all kinds
// how one is deleted, or why none is; objects of Kubernetes all are alike.
func TestEveryKindIsDeletedOrSaysWhyNot(t *testing.T) {
	c, err := Load(catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries() {
		switch {
		case e.Kind.Cloud == "kubernetes":
		case e.Delete == nil && e.Undeletable == "":
			t.Errorf("%s:%d: %s has neither delete nor undeletable", e.File, e.Line, e.Kind.Name)
		case e.Delete != nil && e.Get == nil:
			t.Errorf("%s:%d: %s is deleted without being read right before: it has no get", e.File, e.Line, e.Kind.Name)
		}
	}
}
