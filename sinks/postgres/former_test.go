package postgres

import (
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func TestOlderSchemasAreOpened(t *testing.T) {
	t.Parallel()
	sinktest.Upgrade(t, newTarget(t, shared.url(t), Options{}),
		"ALTER TABLE kinds DROP COLUMN cloud, DROP COLUMN declared", "DROP TABLE outbox, plans", "DELETE FROM dewpoint_migrations WHERE version_id > 3")
}
