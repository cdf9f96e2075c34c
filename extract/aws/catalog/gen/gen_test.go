package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
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
	pages, err := filepath.Glob(filepath.Join("..", docs, "kinds", "aws", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		if _, ok := files[p]; !ok {
			t.Errorf("%s is of no service: run make generate", p)
		}
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
