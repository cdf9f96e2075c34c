package workflow

import (
	"context"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// SelectKinds are the kinds that a configuration selects.
func SelectKinds(c *Config, cat *catalog.Catalogue) ([]*catalog.Entry, error) {
	entries, err := cat.Select(c.Kinds.Only, c.Kinds.Skip)
	if err != nil {
		return nil, &ConfigError{err}
	}
	return entries, nil
}

// PlanSchema says what a sync and ApplySchema would change in a sink: for the
// kinds that are selected and those that the sink has.
func PlanSchema(ctx context.Context, s sinks.Sink, cat *catalog.Catalogue, selected []*catalog.Entry) ([]sinks.SchemaChange, error) {
	kinds, err := schemaKinds(ctx, s, cat, selected)
	if err != nil {
		return nil, err
	}
	return s.PlanSchema(ctx, kinds)
}

// ApplySchema makes the additive changes of PlanSchema, and with drop those
// that drop, and returns what it did.
func ApplySchema(ctx context.Context, s sinks.Sink, cat *catalog.Catalogue, selected []*catalog.Entry, drop bool) ([]sinks.SchemaChange, error) {
	kinds, err := schemaKinds(ctx, s, cat, selected)
	if err != nil {
		return nil, err
	}
	return s.ApplySchema(ctx, kinds, drop)
}

// schemaKinds are all kinds of the catalogue but those that are neither
// selected nor in the sink: their tables are not made, and the others' are not
// taken for left over.
func schemaKinds(ctx context.Context, s sinks.Sink, cat *catalog.Catalogue, selected []*catalog.Entry) ([]*schema.Kind, error) {
	wanted := map[string]bool{}
	for _, k := range catalog.Kinds(selected) {
		wanted[k.Name] = true
	}
	all := catalog.Kinds(cat.Entries())
	changes, err := s.PlanSchema(ctx, all)
	if err != nil {
		return nil, err
	}
	absent := map[string]bool{}
	for _, c := range changes {
		if c.Action == sinks.CreateTable || c.Action == sinks.Conflict && c.Column == "" {
			absent[c.Table] = true
		}
	}
	return slices.DeleteFunc(all, func(k *schema.Kind) bool { return !wanted[k.Name] && absent[k.Name] }), nil
}
