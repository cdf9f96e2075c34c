// Package iceberg shows the tables of an estate of Parquet files as tables of
// Apache Iceberg. The files are taken as they are; a REST catalog gets one
// snapshot of each table that changed, of all tables in one transaction where
// the catalog has transactions over several tables.
// https://iceberg.apache.org/rest-catalog-spec/
//
// It is part of programs that are built with the tag iceberg only: the library
// adds a tenth of a second and 30 MB to the start of any program.
package iceberg

import (
	"time"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Parameters are those that Open takes from the URL of a sink.
func Parameters() []string {
	return []string{"catalog", "warehouse", "namespace", "sigv4", "scope", "oauth2_server"}
}

// State is an estate after a sync.
type State struct {
	Sync string
	// Retention is how long superseded snapshots stay.
	Retention time.Duration
	Tables    []Table
}

// Table is a table of an estate.
type Table struct {
	Name, Doc string
	Columns   []schema.Column
	Files     []File
}

// File is a Parquet file of a table.
type File struct {
	Key string // in the store
}
