package normalize

import (
	"slices"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Unread are the columns that _unread names where the call of a source failed:
// those that its documents fill, or the call itself where it only tells what a
// row refers to. There are none of source 0, without which there is no row.
func (s *Spec) Unread(source int) []string {
	var out []string
	add := func(e *Expr, column string) {
		if e != nil && source > 0 && s.feeds(e) == source && !slices.Contains(out, column) {
			out = append(out, column)
		}
	}
	for _, part := range s.URN {
		add(part.Expr, schema.Unified[schema.ColURN].Name)
	}
	for _, part := range s.Name {
		add(part.Expr, schema.Unified[schema.ColName].Name)
	}
	if s.CreatedAt != nil {
		add(&s.CreatedAt.Expr, schema.Unified[schema.ColCreatedAt].Name)
	}
	if s.UpdatedAt != nil {
		add(&s.UpdatedAt.Expr, schema.Unified[schema.ColUpdatedAt].Name)
	}
	if s.Tags != nil {
		add(&Expr{Source: s.Tags.Source}, schema.Unified[schema.ColTags].Name)
	}
	for i := range s.Fields {
		add(&s.Fields[i].Expr, s.Kind.Columns[s.Fields[i].Column].Name)
	}
	if source > 0 && len(out) == 0 {
		out = append(out, s.Sources[source].Call)
	}
	return out
}

// EdgeSources are the sources that the references of an edge come from.
func (s *Spec) EdgeSources(e *EdgeExpr) []int {
	all := []int{s.feeds(&e.Expr)}
	if len(e.Template) > 0 {
		all = all[:0]
		for _, part := range e.Template {
			if part.Expr != nil {
				all = append(all, s.feeds(part.Expr))
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// feeds is the source that an expression's value comes from.
func (s *Spec) feeds(e *Expr) int {
	if e.Tag != "" && s.Tags != nil {
		return s.Tags.Source
	}
	return e.Source
}
