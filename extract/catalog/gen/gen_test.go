package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
)

func TestWhatIsGeneratedIsCurrent(t *testing.T) {
	files, err := outputs("..")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is stale (%v): run make generate", name, err)
		}
	}
	pages, err := filepath.Glob(filepath.Join("..", docs, "kinds", "*", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if _, ok := files[p]; !ok {
			t.Errorf("%s is of no service: run make generate", p)
		}
	}
}

func TestTheExampleOfTheReferenceWorks(t *testing.T) {
	_, text, ok := strings.Cut(page, "```yaml\n")
	text, _, closed := strings.Cut(text, "```")
	if !ok || !closed {
		t.Fatal("no example")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ec2.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := clouds.Load(catalog.Options{Dirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	group, ok := c.Entry("aws_ec2_placement_group")
	if !ok || len(group.Kind.Columns) < 5 || group.Delete == nil {
		t.Error("the new kind is incomplete")
	}
	instance, _ := c.Entry("aws_ec2_instance")
	if col, _ := instance.Kind.Column("state_transition_reason"); !col.Volatile {
		t.Error("the override did not take")
	}
}

func TestSchemaDescribesEveryKey(t *testing.T) {
	structs, err := readFormat("../format.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := jsonSchema(structs)
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Definitions map[string]struct {
			Properties map[string]struct{ Description string }
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	for name, d := range s.Definitions {
		if len(d.Properties) == 0 {
			t.Errorf("%s has no keys", name)
		}
		for key, p := range d.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s is not described", name, key)
			}
		}
	}
}
