package duckdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// modelSchema is where the models are.
const modelSchema = "dewpoint_models"

var _ sinks.Modeller = (*Sink)(nil)

// Dialect returns duckdb.
func (s *Sink) Dialect() string { return "duckdb" }

// ModelSchemas returns main and dewpoint_models.
func (s *Sink) ModelSchemas() (dewpoint, models string) { return `"main"`, ident(modelSchema) }

// Environment returns what the profile of the dbt project reads.
func (s *Sink) Environment() []string {
	return []string{"DEWPOINT_DBT_TARGET=duckdb", "DEWPOINT_DUCKDB=" + s.path, "DEWPOINT_SCHEMA=main", "DEWPOINT_MODELS=" + modelSchema}
}

// Build makes the models by one transaction. The file is open for writing
// meanwhile: it cannot be read.
func (s *Sink) Build(ctx context.Context, models []sinks.Model, built func(sinks.Model, time.Duration)) error {
	if !s.exists() {
		return fmt.Errorf("open %s: there is no such file: run dewpoint sync first", s.URL())
	}
	lock, err := s.lockStaging(ctx)
	if err != nil {
		return err
	}
	defer lock.release()
	c, err := s.connect(ctx, false)
	if err != nil {
		return err
	}
	defer c.close()
	// Joins of the whole estate: what a commit gets would make them spill.
	if s.opts.MemoryLimit < modelMemory {
		if err := c.exec(ctx, fmt.Sprintf("SET memory_limit = '%dB'", int64(modelMemory))); err != nil {
			return err
		}
	}
	if err := c.exec(ctx, "BEGIN TRANSACTION"); err != nil {
		return err
	}
	if err := c.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+ident(modelSchema)); err != nil {
		return err
	}
	have, err := c.texts(ctx, "SELECT table_name, table_type FROM information_schema.tables WHERE table_catalog = 'estate' AND table_schema = "+literal(modelSchema))
	if err != nil {
		return err
	}
	kinds := map[string]string{}
	for _, r := range have {
		kinds[r[0]] = strings.TrimPrefix(r[1], "BASE ")
	}
	for _, m := range models {
		start := time.Now()
		if err := s.buildModel(ctx, c, m, kinds[m.Name]); err != nil {
			return fmt.Errorf("build %s in %s: %w", m.Name, s.URL(), err)
		}
		built(m, time.Since(start))
	}
	if err := c.exec(ctx, "COMMIT"); err != nil {
		return fmt.Errorf("commit the models to %s: %w", s.URL(), err)
	}
	return nil
}

// modelMemory bounds the buffers while models are built, in bytes.
const modelMemory = 2 << 30

func (s *Sink) buildModel(ctx context.Context, c *conn, m sinks.Model, have string) error {
	what := "VIEW"
	if m.Table {
		what = "TABLE"
	}
	name := ident(modelSchema) + "." + ident(m.Name)
	if have != "" && have != what {
		if err := c.exec(ctx, "DROP "+have+" "+name); err != nil {
			return err
		}
	}
	if m.SQL != "" {
		return c.exec(ctx, "CREATE OR REPLACE "+what+" "+name+" AS\n"+sinks.In(s, m.SQL))
	}
	var cols []string
	for _, col := range m.Columns {
		cols = append(cols, ident(col[0])+" "+col[1])
	}
	queries := append([]string{"CREATE OR REPLACE TABLE " + name + " (" + strings.Join(cols, ", ") + ")"}, sinks.InsertRows(name, m, literal)...)
	for _, q := range queries {
		if err := c.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
