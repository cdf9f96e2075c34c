package snowflake

import (
	"context"
	"fmt"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

var _ sinks.Rememberer = (*Sink)(nil)

// Former implements sinks.Rememberer.
func (s *Sink) Former(ctx context.Context, cloud string) ([]sinks.FormerKind, error) {
	c, err := s.connect(ctx, "dewpoint sync")
	if err != nil {
		return nil, err
	}
	defer c.close()
	declared, err := c.texts(ctx, "SELECT kind, declared FROM kinds WHERE cloud = "+literal(cloud))
	if missing(err) || noColumn(err) || err == nil && len(declared) == 0 {
		return nil, nil
	}
	var scopes [][]string
	if err == nil {
		scopes, err = c.texts(ctx, "SELECT DISTINCT kind, _scope FROM resources WHERE cloud = "+literal(cloud)+
			" UNION SELECT s.kind, s._scope FROM sightings s JOIN kinds k ON k.kind = s.kind WHERE k.cloud = "+literal(cloud))
	}
	var all []sinks.FormerKind
	if err == nil {
		all, err = tables.Former(declared, scopes)
	}
	if err != nil {
		return nil, fmt.Errorf("read the kinds of %s in %s: %w", cloud, s.URL(), err)
	}
	return all, nil
}
