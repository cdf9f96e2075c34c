// Package tables holds what the sinks share about tables and views: what a
// kind's table is made from, the order in which changes are applied, and the
// unified views, which each database says in its own SQL.
package tables

import (
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// Layout identifies what the table of a kind is made from.
func Layout(k *schema.Kind) string {
	type col struct {
		Name string
		Type schema.Type
		Doc  string
	}
	var cols []col
	for _, c := range k.TableColumns() {
		cols = append(cols, col{c.Name, c.Type, c.Doc})
	}
	return schema.HashDefinition([]any{k.Name, k.Doc, cols})
}

// ColumnNames lists the names of columns.
func ColumnNames(cols []schema.Column) []string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	return names
}

// MergeColumns returns the columns of a definition, and those that left it
// behind a minus, and whether they differ from the old ones.
func MergeColumns(old []string, k *schema.Kind) ([]string, bool) {
	all := ColumnNames(k.TableColumns())
	for _, c := range old {
		name := strings.TrimPrefix(c, "-")
		if !slices.Contains(all, name) && !slices.Contains(all, "-"+name) {
			all = append(all, "-"+name)
		}
	}
	return all, !slices.Equal(slices.Sorted(slices.Values(all)), slices.Sorted(slices.Values(old)))
}

// Changes collects changes of a schema. They are applied in this order:
// conflicts, what is made or extended, drops.
type Changes struct {
	conflicts, made, drops []sinks.SchemaChange
}

// Add sorts changes in behind those of their sort.
func (c *Changes) Add(changes ...sinks.SchemaChange) {
	for _, x := range changes {
		switch x.Action {
		case sinks.Conflict:
			c.conflicts = append(c.conflicts, x)
		case sinks.DropColumn, sinks.DropTable:
			c.drops = append(c.drops, x)
		default:
			c.made = append(c.made, x)
		}
	}
}

// All returns the changes in their order.
func (c *Changes) All() []sinks.SchemaChange { return slices.Concat(c.conflicts, c.made, c.drops) }
