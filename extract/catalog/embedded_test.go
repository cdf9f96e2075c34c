package catalog

import (
	"bytes"
	"io/fs"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/normalize"
)

func TestEmbeddedCatalogueIsSound(t *testing.T) {
	fastest := time.Hour
	for range 3 { // the machine may be busy with other tests
		start := time.Now()
		c, err := Load(aws(), Options{})
		if err != nil {
			t.Fatal(err)
		}
		fastest = min(fastest, time.Since(start))
		if len(c.Entries()) < 100 {
			t.Errorf("%d kinds", len(c.Entries()))
		}
	}
	if fastest > time.Second && !raceEnabled {
		t.Errorf("the check took %v, not under a second", fastest)
	}
}

func TestEveryKindCompilesToAProjection(t *testing.T) {
	c, err := Load(aws(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Entries() {
		if _, err := normalize.Compile(e.Spec); err != nil {
			t.Errorf("%s:%d: %v", e.File, e.Line, err)
		}
	}
}

func TestFilesNameTheirSchema(t *testing.T) {
	files := aws()[0].Files
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		text, err := fs.ReadFile(files, n)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(text, []byte("# yaml-language-server: $schema=schema.json\n")) {
			t.Errorf("%s does not begin with # yaml-language-server: $schema=schema.json", n)
		}
	}
}
