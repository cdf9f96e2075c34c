package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.Modeller = (*Sink)(nil)

// Dialect returns postgres.
func (s *Sink) Dialect() string { return "postgres" }

// ModelSchemas returns dewpoint's schema and that name with _models.
func (s *Sink) ModelSchemas() (dewpoint, models string) {
	return ident(s.cfg.schema), ident(s.cfg.models())
}

func (c *config) models() string { return c.schema + "_models" }

// Environment returns what the profile of the dbt project reads.
func (s *Sink) Environment() []string {
	pg := s.cfg.pg
	return []string{
		"DEWPOINT_DBT_TARGET=postgres", "DEWPOINT_SCHEMA=" + s.cfg.schema, "DEWPOINT_MODELS=" + s.cfg.models(),
		"PGHOST=" + pg.Host, fmt.Sprintf("PGPORT=%d", pg.Port), "PGUSER=" + pg.User, "PGPASSWORD=" + pg.Password, "PGDATABASE=" + pg.Database,
	}
}

// errShape says that a model has other columns than the relation in its place.
var errShape = errors.New("the columns differ")

// Build makes the models by one transaction. A relation whose columns stay
// keeps its privileges, and what others made on it; where a model has other
// columns, all are made anew, which fails where objects of others stand on
// them.
func (s *Sink) Build(ctx context.Context, models []sinks.Model, built func(sinks.Model, time.Duration)) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	err = c.transaction(ctx, func() error {
		b := &modelBuilder{conn: c, schema: s.cfg.models()}
		// As the dbt project has it, in session_settings.
		err := c.exec(ctx, "SET LOCAL work_mem = '256MB'", "SET LOCAL jit = off", "CREATE SCHEMA IF NOT EXISTS "+ident(b.schema),
			"SELECT pg_advisory_xact_lock(hashtext("+literal("dewpoint models "+b.schema)+"))", "SAVEPOINT models")
		if err != nil {
			return err
		}
		err = b.build(ctx, models, built)
		if !errors.Is(err, errShape) {
			return err
		}
		if err := c.exec(ctx, "ROLLBACK TO models"); err != nil {
			return err
		}
		if err := b.drop(ctx, models); err != nil {
			return err
		}
		return b.build(ctx, models, built)
	})
	if err != nil {
		return fmt.Errorf("build the models in %s: %w", s.URL(), err)
	}
	return nil
}

type modelBuilder struct {
	*conn
	schema string
}

// relation is a table or view: its kind as in pg_class and its columns.
type relation struct {
	kind    string
	columns []string
}

func (b *modelBuilder) have(ctx context.Context) (map[string]relation, error) {
	rows, err := b.texts(ctx, `SELECT c.relname, c.relkind, coalesce(string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), E'\n' ORDER BY a.attnum), '')
		FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = `+literal(ident(b.schema))+`::regnamespace AND c.relkind IN ('r', 'v', 'm') GROUP BY c.relname, c.relkind`)
	if err != nil {
		return nil, err
	}
	all := map[string]relation{}
	for _, r := range rows {
		all[r[0]] = relation{kind: r[1], columns: strings.Split(r[2], "\n")}
	}
	return all, nil
}

func (b *modelBuilder) build(ctx context.Context, models []sinks.Model, built func(sinks.Model, time.Duration)) error {
	have, err := b.have(ctx)
	if err != nil {
		return err
	}
	for _, m := range models {
		start := time.Now()
		old, there := have[m.Name]
		if there && (old.kind == "r") != m.Table {
			return errShape
		}
		if err := b.model(ctx, m, old, there); err != nil {
			if code(err) == "42P16" { // a view with other columns
				return errShape
			}
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		built(m, time.Since(start))
	}
	return nil
}

func (b *modelBuilder) model(ctx context.Context, m sinks.Model, old relation, there bool) error {
	name := ident(b.schema) + "." + ident(m.Name)
	sql := sinks.In(b.sink, m.SQL)
	switch {
	case !m.Table:
		return b.exec(ctx, "CREATE OR REPLACE VIEW "+name+" AS\n"+sql)
	case m.SQL == "":
		return b.rows(ctx, m, name, there)
	case !there:
		if err := b.exec(ctx, "CREATE TABLE "+name+" AS\n"+sql); err != nil {
			return err
		}
	default:
		if err := b.refill(ctx, name, sql, old); err != nil {
			return err
		}
	}
	return b.index(ctx, m, name)
}

// refill replaces the rows of a table whose columns are those of the query.
func (b *modelBuilder) refill(ctx context.Context, name, sql string, old relation) error {
	if err := b.exec(ctx, "CREATE TEMPORARY TABLE model_shape ON COMMIT DROP AS SELECT * FROM (\n"+sql+"\n) q LIMIT 0"); err != nil {
		return err
	}
	rows, err := b.texts(ctx, `SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
		WHERE a.attrelid = 'pg_temp.model_shape'::regclass AND a.attnum > 0 ORDER BY a.attnum`)
	if err != nil {
		return err
	}
	var columns []string
	for _, r := range rows {
		columns = append(columns, r[0])
	}
	if err := b.exec(ctx, "DROP TABLE pg_temp.model_shape"); err != nil {
		return err
	}
	if !slices.Equal(columns, old.columns) {
		return errShape
	}
	indexes, err := b.texts(ctx, "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = "+literal(name)+"::regclass")
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if err := b.exec(ctx, "DROP INDEX "+i[0]); err != nil {
			return err
		}
	}
	return b.exec(ctx, "TRUNCATE "+name, "INSERT INTO "+name+"\n"+sql)
}

func (b *modelBuilder) index(ctx context.Context, m sinks.Model, name string) error {
	for _, cols := range m.Indexes {
		if err := b.exec(ctx, "CREATE INDEX ON "+name+" ("+idents("", cols)+")"); err != nil {
			return err
		}
	}
	return b.exec(ctx, "ANALYZE "+name)
}

func (b *modelBuilder) rows(ctx context.Context, m sinks.Model, name string, there bool) error {
	q := "TRUNCATE " + name
	if !there {
		var cols []string
		for _, c := range m.Columns {
			cols = append(cols, ident(c[0])+" "+c[1])
		}
		q = "CREATE TABLE " + name + " (" + strings.Join(cols, ", ") + ")"
	}
	return b.exec(ctx, append([]string{q}, sinks.InsertRows(name, m, literal)...)...)
}

// drop removes the models, those that stand on others first.
func (b *modelBuilder) drop(ctx context.Context, models []sinks.Model) error {
	have, err := b.have(ctx)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(models) {
		what := map[string]string{"r": "TABLE", "v": "VIEW", "m": "MATERIALIZED VIEW"}[have[m.Name].kind]
		if what == "" {
			continue
		}
		if err := b.exec(ctx, "DROP "+what+" "+ident(b.schema)+"."+ident(m.Name)); err != nil {
			return fmt.Errorf("%s has other columns than before and is made anew, which what others made on the models forbids: drop it, run this again, make it anew: %w", m.Name, err)
		}
	}
	return nil
}
