package duckdb

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func TestOlderFilesAreOpened(t *testing.T) {
	sinktest.Upgrade(t, newTarget(t, Options{}),
		"ALTER TABLE kinds DROP COLUMN cloud", "ALTER TABLE kinds DROP COLUMN declared", "DROP TABLE marks", "DROP TABLE actions",
		"DELETE FROM dewpoint_migrations WHERE version > 1")
}
