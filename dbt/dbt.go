// Package dbt is the bundled dbt project: models over the tables of a sync.
// The project runs with dbt as it stands in this folder; the package embeds it,
// and its models as dbt compiles them for each dialect, for use without dbt.
package dbt

import (
	"embed"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
)

//go:generate go run ./gen

//go:embed dbt_project.yml profiles.yml macros models seeds analyses tests
var project embed.FS

// Project returns the files of the dbt project.
func Project() fs.FS { return project }

var (
	source = regexp.MustCompile(`source\('dewpoint',\s*'([a-z0-9_]+)'\)`)
	loop   = regexp.MustCompile(`for kind in \[([^\]]*)\]`)
	quoted = regexp.MustCompile(`'([a-z0-9_]+)'`)
)

// Sources returns the names of the tables and views of dewpoint that the
// models read, sorted. They name them in source(), or loop over a variable
// kind.
func Sources() ([]string, error) { return SourcesOf(project) }

// SourcesOf is Sources for the files of a project.
func SourcesOf(project fs.FS) ([]string, error) {
	named := map[string]bool{}
	err := fs.WalkDir(project, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(p) != ".sql" {
			return err
		}
		b, err := fs.ReadFile(project, p)
		if err != nil {
			return err
		}
		for _, m := range source.FindAllSubmatch(b, -1) {
			named[string(m[1])] = true
		}
		for _, l := range loop.FindAllSubmatch(b, -1) {
			for _, m := range quoted.FindAllSubmatch(l[1], -1) {
				named[string(m[1])] = true
			}
		}
		return nil
	})
	return slices.Sorted(maps.Keys(named)), err
}
