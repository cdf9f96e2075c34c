package parquet

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/tables"
)

var _ sinks.Rememberer = (*Sink)(nil)

// Former implements sinks.Rememberer.
func (s *Sink) Former(ctx context.Context, cloud string) ([]sinks.FormerKind, error) {
	base, err := loadLatest(ctx, s.store)
	if err != nil {
		return nil, err
	}
	var all []sinks.FormerKind
	var scopes [][]string
	for _, k := range base.cat.Kinds {
		if k.Cloud != cloud {
			continue
		}
		all = append(all, sinks.FormerKind{Kind: k.kind()})
		var seen names
		for _, files := range [][]fileEntry{base.Files[k.Name], base.of("sightings", k.Name)} {
			err := readTable(ctx, s.store, files, []string{"_scope"}, func(cols []arrow.Array, _ int64, n int) error {
				for i := range n {
					seen.number(cols[0].(*array.String).Value(i))
				}
				return nil
			})
			if err != nil {
				return nil, fmt.Errorf("read the scopes of %s in %s: %w", k.Name, s.URL(), err)
			}
		}
		for _, scope := range seen.list {
			scopes = append(scopes, []string{k.Name, scope})
		}
	}
	return tables.WithScopes(all, scopes)
}

// kind is the kind as it was declared.
func (k *storedKind) kind() *schema.Kind {
	kind := &schema.Kind{
		Name: k.Name, Key: k.Key, Cloud: k.Cloud, Service: k.Service, KeyScope: k.KeyScope, Doc: k.Doc, Parent: k.Parent,
		Edges: k.Edges, Base: k.Base, Definition: k.Definition, Renamed: k.Renamed,
	}
	for _, c := range k.Columns {
		if _, unified := (&schema.Kind{}).Column(c.Name); unified || c.Left {
			continue
		}
		kind.Columns = append(kind.Columns, schema.Column{
			Name: c.Name, Type: typeNamed(c.Type), Doc: c.Doc, Path: c.Path, Call: c.Call, Volatile: c.Volatile,
		})
	}
	return kind
}
