package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
)

// project is the project of the demo.
var project = gcpfake.Project{
	ID: "example-shop", Number: "310000000001", Name: "Shop", Parent: "organizations/410000000001",
	Labels: map[string]string{"env": "production", "owner": "chidi"},
}

// google serves the documents of a file.
func google(path string) (*gcpfake.Server, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	compute := "https://www.googleapis.com/compute/v1/projects/" + project.ID
	docs, err := yaml.ToJSON([]byte(strings.ReplaceAll(string(text), "{C}", compute)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var collections map[string]map[string][]map[string]any
	if err := json.Unmarshal(docs, &collections); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s := gcpfake.New(gcpfake.Options{Projects: []gcpfake.Project{project}, Zones: []string{"europe-west1-b", "europe-west1-c"}})
	for service, c := range collections {
		for path, documents := range c {
			s.Put(service, path, documents...)
		}
	}
	return s, nil
}
