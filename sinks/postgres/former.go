package postgres

import (
	"context"
	"fmt"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

var _ sinks.Rememberer = (*Sink)(nil)

// Former implements sinks.Rememberer.
func (s *Sink) Former(ctx context.Context, cloud string) ([]sinks.FormerKind, error) {
	c, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer c.close()
	var declared, scopes [][]string
	err = c.transaction(ctx, func() error {
		n, err := c.count(ctx, `SELECT count(*) FROM pg_attribute WHERE attrelid = to_regclass(`+literal(ident(s.cfg.schema)+".kinds")+`)
			AND attname = 'declared' AND to_regclass(`+literal(ident(s.cfg.schema)+".dewpoint_migrations")+`) IS NOT NULL`)
		if err != nil || n == 0 {
			return err
		}
		declared, err = c.texts(ctx, "SELECT kind, declared FROM kinds WHERE cloud = "+literal(cloud))
		if err != nil || len(declared) == 0 {
			return err
		}
		scopes, err = c.texts(ctx, "SELECT kind, _scope FROM resources WHERE cloud = "+literal(cloud)+
			" UNION SELECT s.kind, s._scope FROM sightings s JOIN kinds k USING (kind) WHERE k.cloud = "+literal(cloud))
		return err
	})
	var all []sinks.FormerKind
	if err == nil {
		all, err = tables.Former(declared, scopes)
	}
	if err != nil {
		return nil, fmt.Errorf("read the kinds of %s in %s: %w", cloud, s.URL(), err)
	}
	return all, nil
}
