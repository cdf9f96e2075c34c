// Package migrations holds the SQL that makes dewpoint's own tables, one
// folder per dialect. Migrations only go up, are numbered without gaps and
// never change once released.
package migrations

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

//go:embed duckdb/*.sql snowflake/*.sql
var files embed.FS

// Migration is one numbered file of SQL statements.
type Migration struct {
	Version int
	Name    string
	SQL     string
}

// Load returns the migrations of a dialect in order. Dialects are the names
// of the folders: duckdb, snowflake.
func Load(dialect string) ([]Migration, error) {
	entries, err := fs.ReadDir(files, dialect)
	if err != nil {
		return nil, fmt.Errorf("migrations of %s: %w", dialect, err)
	}
	all := make([]Migration, len(entries))
	for i, e := range entries { // ReadDir sorts by name
		number, name, ok := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_")
		version, err := strconv.Atoi(number)
		if !ok || err != nil || version != i+1 {
			return nil, fmt.Errorf("migrations of %s: %s is not named %04d_<what>.sql", dialect, e.Name(), i+1)
		}
		sql, err := fs.ReadFile(files, path.Join(dialect, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("migrations of %s: %w", dialect, err)
		}
		all[i] = Migration{Version: version, Name: name, SQL: string(sql)}
	}
	return all, nil
}
