package workflow

import (
	"context"

	"github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// PlanSchema says what a sync and ApplySchema would change in a sink: for the
// kinds that the configuration selects and those that the sink has.
func PlanSchema(ctx context.Context, s sinks.Sink, c *Config, cat *catalog.Catalogue) ([]sinks.SchemaChange, error) {
	kinds, err := schemaKinds(ctx, s, c, cat)
	if err != nil {
		return nil, err
	}
	return s.PlanSchema(ctx, kinds)
}

// ApplySchema makes the additive changes of PlanSchema, and with drop those
// that drop, and returns what it did.
func ApplySchema(ctx context.Context, s sinks.Sink, c *Config, cat *catalog.Catalogue, drop bool) ([]sinks.SchemaChange, error) {
	kinds, err := schemaKinds(ctx, s, c, cat)
	if err != nil {
		return nil, err
	}
	return s.ApplySchema(ctx, kinds, drop)
}

// schemaKinds are all kinds of the catalogue but those that are neither
// selected nor in the sink: their tables are not made, and the others' are not
// taken for left over.
func schemaKinds(ctx context.Context, s sinks.Sink, c *Config, cat *catalog.Catalogue) ([]*schema.Kind, error) {
	entries, err := cat.Select(c.Kinds.Only, c.Kinds.Skip)
	if err != nil {
		return nil, &ConfigError{err}
	}
	selected := map[string]bool{}
	for _, k := range catalog.Kinds(entries) {
		selected[k.Name] = true
	}
	all := catalog.Kinds(cat.Entries())
	changes, err := s.PlanSchema(ctx, all)
	if err != nil {
		return nil, err
	}
	absent := map[string]bool{}
	for _, ch := range changes {
		if ch.Action == sinks.CreateTable || ch.Action == sinks.Conflict && ch.Column == "" {
			absent[ch.Table] = true
		}
	}
	var kinds []*schema.Kind
	for _, k := range all {
		if selected[k.Name] || !absent[k.Name] {
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}
