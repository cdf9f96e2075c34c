package snowflake

import (
	"context"
	"database/sql"
	"fmt"
)

// OpenReader opens a schema for reading, with the URL of a sink. The caller
// closes the database.
func OpenReader(ctx context.Context, rawURL string) (*sql.DB, error) {
	cfg, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	return openReader(ctx, cfg)
}

func openReader(ctx context.Context, cfg *config) (*sql.DB, error) {
	tag := "dewpoint query"
	cfg.driver.Params["QUERY_TAG"] = &tag
	s := open(cfg, Options{})
	if err := s.db.PingContext(ctx); err != nil {
		s.db.Close()
		return nil, fmt.Errorf("connect to %s: %w", cfg.shown, s.clean(err))
	}
	s.db.SetMaxIdleConns(2)
	return s.db, nil
}
