package duckdb

import (
	"context"
	"fmt"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

var _ sinks.Rememberer = (*Sink)(nil)

// Former implements sinks.Rememberer.
func (s *Sink) Former(ctx context.Context, cloud string) ([]sinks.FormerKind, error) {
	if !s.exists() {
		return nil, nil
	}
	c, err := s.connect(ctx, true)
	if err != nil {
		return nil, err
	}
	defer c.close()
	all, err := c.former(ctx, cloud)
	if err != nil {
		return nil, fmt.Errorf("read the kinds of %s in %s: %w", cloud, s.URL(), err)
	}
	return all, nil
}

func (c *conn) former(ctx context.Context, cloud string) ([]sinks.FormerKind, error) {
	n, err := c.count(ctx, `SELECT count(*) FROM duckdb_columns() WHERE database_name = current_database() AND schema_name = 'main'
		AND table_name = 'kinds' AND column_name = 'declared' AND EXISTS (FROM duckdb_tables() WHERE table_name = 'dewpoint_migrations')`)
	if err != nil || n == 0 {
		return nil, err
	}
	declared, err := c.texts(ctx, "SELECT kind, declared::VARCHAR FROM kinds WHERE cloud = ?", cloud)
	if err != nil || len(declared) == 0 {
		return nil, err
	}
	scopes, err := c.texts(ctx, "SELECT kind, _scope FROM resources WHERE cloud = $1 UNION SELECT s.kind, s._scope FROM sightings s JOIN kinds k USING (kind) WHERE k.cloud = $1", cloud)
	if err != nil {
		return nil, err
	}
	return tables.Former(declared, scopes)
}
