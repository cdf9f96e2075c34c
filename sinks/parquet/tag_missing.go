//go:build !duckdb_arrow

package parquet

// The reader's driver has its Arrow interface only under its build tag.
var _ = build_with_tags_duckdb_arrow
