// Command dewpoint condenses clouds into tables: it reads what exists in AWS
// and writes typed, related SQL tables.
package main

import "os"

//go:generate go run -tags duckdb_arrow . man --markdown ../../docs/commands.md

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run(os.Args[1:])) }
