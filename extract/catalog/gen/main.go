// Command gen writes what derives from the catalogue's format and files: the
// JSON schema for editors, the format's reference and a page of documentation
// for each service. It runs in extract/catalog by go generate.
package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
)

const docs = "../../docs"

// folders are the clouds' folders beside this package's.
var folders = map[string]string{"kubernetes": "k8s"}

// catalogueOf is the folder of a cloud's catalogue files.
func catalogueOf(dir, cloud string) string {
	return filepath.Join(dir, "..", cmp.Or(folders[cloud], cloud), "catalog")
}

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
	for _, v := range clouds.Vendors() {
		if err := os.RemoveAll(filepath.Join(dir, docs, "kinds", v.Cloud)); err != nil {
			return err
		}
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
	vendors := clouds.Vendors()
	for i := range vendors {
		vendors[i].Files = os.DirFS(catalogueOf(dir, vendors[i].Cloud))
	}
	c, err := catalog.Load(vendors, catalog.Options{})
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
	for _, v := range vendors {
		files[filepath.Join(catalogueOf(dir, v.Cloud), "schema.json")] = schema
		for name, page := range kindPages(c, v) {
			files[filepath.Join(dir, docs, "kinds", v.Cloud, name)] = page
		}
	}
	return files, nil
}
