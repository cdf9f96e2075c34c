package snowflake

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Modeller = (*Sink)(nil)

// Dialect returns snowflake.
func (s *Sink) Dialect() string { return "snowflake" }

// ModelSchemas returns dewpoint's schema and that name with _MODELS.
func (s *Sink) ModelSchemas() (dewpoint, models string) {
	return ident(s.cfg.driver.Schema), ident(s.cfg.driver.Schema + "_MODELS")
}

// Environment returns what the profile of the dbt project reads.
func (s *Sink) Environment() []string {
	c := s.cfg.driver
	return []string{
		"DEWPOINT_DBT_TARGET=snowflake", "DEWPOINT_SCHEMA=" + strings.ToUpper(c.Schema), "DEWPOINT_MODELS=" + strings.ToUpper(c.Schema) + "_MODELS",
		"SNOWFLAKE_ACCOUNT=" + c.Account, "SNOWFLAKE_USER=" + c.User, "SNOWFLAKE_PASSWORD=" + c.Password,
		"SNOWFLAKE_ROLE=" + c.Role, "SNOWFLAKE_WAREHOUSE=" + c.Warehouse, "SNOWFLAKE_DATABASE=" + c.Database,
	}
}

// Build makes the models one after the other: each statement commits by
// itself. Grants on them stay.
func (s *Sink) Build(ctx context.Context, models []sinks.Model, built func(sinks.Model, time.Duration)) error {
	_, schema := s.ModelSchemas()
	exec := func(q string) error {
		if _, err := s.db.ExecContext(ctx, q); err != nil {
			return s.clean(err)
		}
		return nil
	}
	if err := exec("CREATE SCHEMA IF NOT EXISTS " + schema); err != nil {
		return fmt.Errorf("build the models in %s: %w", s.URL(), err)
	}
	for _, m := range models {
		start := time.Now()
		for _, q := range buildModel(schema, sinks.In(s, m.SQL), m) {
			if err := exec(q); err != nil {
				return fmt.Errorf("build %s in %s: %w", m.Name, s.URL(), err)
			}
		}
		built(m, time.Since(start))
	}
	return nil
}

func buildModel(schema, sql string, m sinks.Model) []string {
	name := schema + "." + ident(m.Name)
	switch {
	case m.SQL == "":
		var cols []string
		for _, c := range m.Columns {
			cols = append(cols, ident(c[0])+" "+c[1])
		}
		return append([]string{"CREATE OR REPLACE TABLE " + name + " (" + strings.Join(cols, ", ") + ")"}, sinks.InsertRows(name, m, literal)...)
	case m.Table:
		return []string{"CREATE OR REPLACE TABLE " + name + " COPY GRANTS AS\n" + sql}
	}
	return []string{"CREATE OR REPLACE VIEW " + name + " COPY GRANTS AS\n" + sql}
}
