package workflow

import (
	"context"
	"slices"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

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

// schemaKinds are all kinds of the catalogue, and those of the sink that are
// only known at run time, but those that are neither selected, nor read by the
// models, nor in the sink: their tables are not made, and the others' are not
// taken for left over.
func schemaKinds(ctx context.Context, s sinks.Sink, cat *catalog.Catalogue, selected []*catalog.Entry) ([]*schema.Kind, error) {
	wanted := map[string]bool{}
	standing, err := ModelKinds(cat)
	if err != nil {
		return nil, err
	}
	for _, k := range append(catalog.Kinds(selected), standing...) {
		wanted[k.Name] = true
	}
	all := catalog.Kinds(cat.Entries())
	late, err := lateKinds(ctx, s, all)
	if err != nil {
		return nil, err
	}
	all = append(all, late...)
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

// lateKinds are the kinds of Kubernetes that the sink has and the catalogue has
// not: which ones there are says a cluster, which is not asked here.
func lateKinds(ctx context.Context, s sinks.Sink, catalogue []*schema.Kind) ([]*schema.Kind, error) {
	r, ok := s.(sinks.Rememberer)
	if !ok {
		return nil, nil
	}
	former, err := r.Former(ctx, k8s.Cloud)
	if err != nil {
		return nil, err
	}
	var late []*schema.Kind
	for _, f := range former {
		if !slices.ContainsFunc(catalogue, func(k *schema.Kind) bool { return k.Name == f.Kind.Name || k.Key == f.Kind.Key }) {
			late = append(late, f.Kind)
		}
	}
	return late, nil
}
