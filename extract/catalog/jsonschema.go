package catalog

import (
	_ "embed"
	"slices"
)

//go:generate go run ./gen

//go:embed schema.json
var jsonSchema []byte

// JSONSchema is the JSON schema of catalogue files, for editors. A file names
// it in its first line:
//
//	# yaml-language-server: $schema=schema.json
func JSONSchema() []byte { return slices.Clone(jsonSchema) }
