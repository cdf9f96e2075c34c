package stage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Declaration is an edge's declaration with its defaults.
func Declaration(e schema.Edge) schema.Edge {
	e.Match, e.OnDelete = cmp.Or(e.Match, schema.MatchID), cmp.Or(e.OnDelete, schema.Block)
	return e
}

// StoredEdges are the declarations of a kind's edges as a database keeps them.
type StoredEdges struct {
	Kind, Key string
	// JSON is a list of schema.Edge, empty for none.
	JSON string
}

// Declared says how the edges that a database holds were declared to match,
// where that is not by id: an edge itself does not tell, and the sync may be
// of other kinds.
type Declared struct {
	// keys are those of declarations by their match.
	keys map[schema.Match][]string
	// ByRegionName are the kinds that edges refer to by region and name.
	ByRegionName []string
}

// Declared reads the declarations of the sync's kinds and of the other ones
// that the database holds.
func (s *Stage) Declared(stored []StoredEdges) (Declared, error) {
	d := Declared{keys: map[schema.Match][]string{}}
	own := map[string]bool{}
	for _, k := range s.kinds {
		own[k.Key] = true
		d.add(k.Name, k.Edges)
	}
	for _, k := range stored {
		if own[k.Key] || k.JSON == "" {
			continue
		}
		var edges []schema.Edge
		if err := json.Unmarshal([]byte(k.JSON), &edges); err != nil {
			return d, fmt.Errorf("the edges that kinds has of %s: %w", k.Kind, err)
		}
		d.add(k.Kind, edges)
	}
	for m, keys := range d.keys {
		slices.Sort(keys)
		d.keys[m] = slices.Compact(keys)
	}
	slices.Sort(d.ByRegionName)
	d.ByRegionName = slices.Compact(d.ByRegionName)
	return d, nil
}

func (d *Declared) add(kind string, edges []schema.Edge) {
	for _, e := range edges {
		m := Declaration(e).Match
		if m == schema.MatchID {
			continue
		}
		d.keys[m] = append(d.keys[m], strings.Join([]string{kind, e.Relation, e.To}, "/"))
		if m == schema.MatchRegionName {
			d.ByRegionName = append(d.ByRegionName, e.To)
		}
	}
}

// MatchOf is an SQL expression of how an edge of the table or alias was
// declared to match. Where declarations of a kind differ in their match alone,
// the one that is not by id counts.
func (d *Declared) MatchOf(table string, literal func(string) string) string {
	var b strings.Builder
	for _, m := range []schema.Match{schema.MatchRegionName, schema.MatchName} {
		if len(d.keys[m]) == 0 {
			continue
		}
		texts := make([]string, len(d.keys[m]))
		for i, k := range d.keys[m] {
			texts[i] = literal(k)
		}
		fmt.Fprintf(&b, " WHEN %[1]s.from_kind || '/' || %[1]s.relation || '/' || %[1]s.to_kind IN (%[2]s) THEN %[3]s",
			table, strings.Join(texts, ", "), literal(string(m)))
	}
	id := literal(string(schema.MatchID))
	if b.Len() == 0 {
		return id
	}
	return "CASE" + b.String() + " ELSE " + id + " END"
}
