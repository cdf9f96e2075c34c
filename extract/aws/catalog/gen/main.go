// Command gen writes what derives from the catalogue's format and files: the
// JSON schema for editors, the format's reference and a page of documentation
// for each service. It runs in extract/aws/catalog by go generate.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/extract/aws/catalog"
)

const docs = "../../../docs"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	files, err := outputs(dir)
	if err != nil {
		return err
	}
	kinds := filepath.Join(dir, docs, "kinds", "aws")
	if err := os.RemoveAll(kinds); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// outputs are the files that derive from the folder, by path.
func outputs(dir string) (map[string][]byte, error) {
	structs, err := readFormat(filepath.Join(dir, "format.go"))
	if err != nil {
		return nil, err
	}
	schema, err := jsonSchema(structs)
	if err != nil {
		return nil, err
	}
	c, err := catalog.Load(catalog.Options{Dirs: []string{dir}, Alone: true})
	if err != nil {
		return nil, err
	}
	reference, err := reference(structs)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{
		filepath.Join(dir, "schema.json"):        schema,
		filepath.Join(dir, docs, "catalogue.md"): reference,
	}
	for name, page := range kindPages(c) {
		files[filepath.Join(dir, docs, "kinds", "aws", name)] = page
	}
	return files, nil
}
