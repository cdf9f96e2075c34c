package postgres

import (
	"context"
	"fmt"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// Check looks at the server, the role's privileges, dewpoint's tables and who
// syncs.
func (s *Sink) Check(ctx context.Context) []sinks.Finding {
	c, err := s.connect(ctx)
	if err != nil {
		return []sinks.Finding{{About: "connection", Level: sinks.Problem, Text: err.Error()}}
	}
	defer c.close()
	var found []sinks.Finding
	add := func(about string, level sinks.Level, format string, args ...any) {
		found = append(found, sinks.Finding{About: about, Level: level, Text: fmt.Sprintf(format, args...)})
	}
	if err := s.checkServer(ctx, c); err != nil {
		add("connection", sinks.Problem, "%v", err)
		return found
	}
	err = c.transaction(ctx, func() error {
		who, err := c.texts(ctx, "SELECT current_setting('server_version'), current_user, current_database(), pg_is_in_recovery(), has_database_privilege(current_database(), 'CREATE')")
		if err != nil {
			return err
		}
		w := who[0]
		add("connection", sinks.Fine, "PostgreSQL %s as %s, database %s, schema %s", w[0], w[1], w[2], s.cfg.schema)
		if w[3] == "t" {
			add("connection", sinks.Problem, "the server is a replica: name its primary")
		}
		if err := s.checkSchemas(ctx, c, w[1], w[4] == "t", add); err != nil {
			return err
		}
		return s.checkTables(ctx, c, add)
	})
	if err != nil {
		add("schema", sinks.Problem, "%v", err)
	}
	return found
}

type adder func(about string, level sinks.Level, format string, args ...any)

func (s *Sink) checkSchemas(ctx context.Context, c *conn, role string, creates bool, add adder) error {
	for _, name := range []string{s.cfg.schema, s.cfg.staging} {
		owned, err := c.texts(ctx, "SELECT has_schema_privilege(oid, 'CREATE') AND has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = "+literal(name))
		switch {
		case err != nil:
			return err
		case len(owned) == 0 && creates:
			add("privileges", sinks.Fine, "the first sync creates the schema %s", name)
		case len(owned) == 0:
			add("privileges", sinks.Problem, "there is no schema %s and %s may not create it: CREATE SCHEMA %s AUTHORIZATION %s", name, role, name, role)
		case owned[0][0] != "t":
			add("privileges", sinks.Problem, "no CREATE on schema %s: GRANT USAGE, CREATE ON SCHEMA %s TO %s", name, name, role)
		default:
			add("privileges", sinks.Fine, "%s may create tables in schema %s", role, name)
		}
	}
	return nil
}

func (s *Sink) checkTables(ctx context.Context, c *conn, add adder) error {
	b, err := readBase(ctx, c)
	if err != nil {
		return err
	}
	if err := b.check(s.URL(), nil); err != nil {
		add("schema", sinks.Problem, "%v", err)
		return nil
	}
	own, err := ownMigrations()
	if err != nil {
		return err
	}
	switch {
	case b.version == 0:
		add("schema", sinks.Fine, "no estate yet: the first sync creates its tables")
	case b.version < len(own):
		add("schema", sinks.Notice, "the tables are at version %d: the next sync brings them to %d", b.version, len(own))
	default:
		add("schema", sinks.Fine, "the tables are at version %d", b.version)
	}
	if b.tables["dewpoint_lease"] == nil {
		return nil
	}
	row, err := c.texts(ctx, "SELECT "+leaseColumns+" FROM dewpoint_lease WHERE id = 1")
	if err != nil {
		return err
	}
	if len(row) > 0 && row[0][4] == "t" && !gone(row[0][1], row[0][2]) {
		add("lock", sinks.Notice, "held by %s", holder(row[0]))
	} else {
		add("lock", sinks.Fine, "no sync runs")
	}
	return nil
}
