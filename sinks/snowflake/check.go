package snowflake

import (
	"context"
	"errors"
	"fmt"

	"github.com/snowflakedb/gosnowflake"

	"github.com/dewpoint-data/dewpoint/migrations"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Checker = (*Sink)(nil)

// Check connects, reads what is there, which needs a warehouse, and looks at
// the lease.
func (s *Sink) Check(ctx context.Context) []sinks.Finding {
	var all []sinks.Finding
	find := func(about string, level sinks.Level, format string, args ...any) {
		all = append(all, sinks.Finding{About: about, Level: level, Text: fmt.Sprintf(format, args...)})
	}
	c, err := s.connect(ctx, "dewpoint doctor")
	if err != nil {
		find("connection", sinks.Problem, "%v", err)
		return all
	}
	defer c.close()
	find("connection", sinks.Fine, "connected to %s", s.URL())
	b, err := readState(ctx, c, objectsQuery)
	if err != nil {
		var sf *gosnowflake.SnowflakeError
		if errors.As(err, &sf) && sf.Number == errNoWarehouse {
			find("warehouse", sinks.Problem, "%v", err)
		} else {
			find("privileges", sinks.Problem, "the schema cannot be read: %v", err)
		}
		return all
	}
	own, err := migrations.Load("snowflake")
	if err != nil {
		find("schema", sinks.Problem, "%v", err)
		return all
	}
	if b.tables["dewpoint_migrations"] == nil {
		for _, name := range ownTables {
			if b.tables[name] != nil || b.views[name] {
				find("schema", sinks.Problem, "there is a table %s that is not dewpoint's: rename it, or name another schema", name)
				return all
			}
		}
		find("schema", sinks.Fine, "it has no tables of dewpoint's yet: the first sync makes them")
		return all
	}
	if b, err = readBase(ctx, c); err != nil {
		find("privileges", sinks.Problem, "dewpoint's tables cannot be read: %v", err)
		return all
	}
	switch {
	case b.version > len(own):
		find("schema", sinks.Problem, "it was written by a newer dewpoint (its tables are at version %d, this one knows %d): upgrade dewpoint", b.version, len(own))
	case b.version < len(own):
		find("schema", sinks.Notice, "its tables are at version %d of %d: the next sync migrates them", b.version, len(own))
	default:
		find("schema", sinks.Fine, "version %d, %d kinds", b.version, len(b.byKey))
	}
	held, err := c.texts(ctx, "SELECT holder, TO_VARCHAR(expires_at) FROM dewpoint_lease WHERE token IS NOT NULL AND expires_at > CURRENT_TIMESTAMP()")
	switch {
	case err != nil:
		find("lock", sinks.Problem, "%v", err)
	case len(held) > 0:
		find("lock", sinks.Notice, "%s syncs, its lease ends %s: another sync waits", held[0][0], held[0][1])
	default:
		find("lock", sinks.Fine, "no sync runs")
	}
	return all
}
