package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql
var postgres embed.FS

// Postgres returns the migrations of Postgres, in goose's format. They run
// with search_path set to dewpoint's schema and that of its staging.
func Postgres() fs.FS {
	sub, err := fs.Sub(postgres, "postgres")
	if err != nil {
		panic("migrations: " + err.Error())
	}
	return sub
}
