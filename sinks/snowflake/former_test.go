package snowflake

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func TestOlderSchemasAreOpened(t *testing.T) {
	t.Parallel()
	sinktest.Upgrade(t, newTarget(t, server(t).NewSchema(), Options{}),
		"ALTER TABLE kinds DROP COLUMN cloud", "ALTER TABLE kinds DROP COLUMN declared", "DELETE FROM dewpoint_migrations WHERE version > 1")
}
