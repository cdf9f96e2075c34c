//go:build !duckdb_arrow

package duckdb

// The driver's Arrow interface exists only under its build tag, and nothing
// here works without it.
var _ = build_with_tags_duckdb_arrow
