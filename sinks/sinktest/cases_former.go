package sinktest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

var formerCases = []testCase{
	{"KindsAreRemembered", testRemembered},
	{"FormerKindEndsByItsScopes", testFormerEnds},
}

// widget is a kind that is found at run time.
func widget() *schema.Kind {
	hits := column("hits", schema.Int64)
	hits.Volatile = true
	spec := column("spec", schema.JSON)
	spec.Path, spec.Call = "spec", "getWidget"
	k := newKind("kubernetes_example_com_widget", column("size", schema.Int64), hits, spec, column("labels", schema.TextMap), column("parts", schema.TextList))
	k.Cloud, k.Service, k.KeyScope, k.Doc = "kubernetes", "example.com/v1", schema.KeyAccount, `Widgets, "wide" ones and o'thers.`
	k.Edges = []schema.Edge{{To: "aws_test_box", Ref: "spec.box", Relation: "uses", Match: schema.MatchID, OnDelete: schema.Block}}
	k.Base = &schema.Base{Name: "volume", Columns: map[string]schema.BaseColumn{"volume_size_bytes": {Column: "size", Scale: 1024}}}
	return k
}

// former returns what the sink remembers of a cloud.
func (h *harness) former(cloud string) []sinks.FormerKind {
	h.Helper()
	r, ok := h.sink.(sinks.Rememberer)
	if !ok {
		h.Fatal("the sink does not remember kinds")
	}
	all, err := r.Former(h.Context(), cloud)
	if err != nil {
		h.Fatal(err)
	}
	return all
}

func (h *harness) remembers(cloud string, want ...sinks.FormerKind) {
	h.Helper()
	if d := cmp.Diff(want, h.former(cloud), cmpopts.EquateEmpty()); d != "" {
		h.Fatalf("kinds of %s (-want +got):\n%s", cloud, d)
	}
}

func testRemembered(h *harness) {
	h.remembers("kubernetes")
	b, w := box(), widget()
	gadget := newKind("kubernetes_example_com_gadget", column("size", schema.Int64))
	gadget.Cloud, gadget.Parent = "kubernetes", w.Name
	shop, all := scopeOf(w, clusterA, "shop"), scopeOf(w, clusterB, "global")
	of := schema.Scope{Cloud: "kubernetes", Account: clusterA, Region: "shop", Kind: gadget.Name, Parent: ID(w, clusterA, "shop", "w").String()}
	boxes := scopeOf(b, accountA, west)
	reads := []read{
		{scope: boxes, rows: []Row{{ID: "a"}}},
		{scope: shop, rows: []Row{{ID: "w"}, {ID: "x"}}},
		{scope: all, rows: []Row{{ID: "y"}}},
		{scope: scopeOf(w, clusterB, "empty")},
		{scope: of, rows: []Row{{ID: "g"}}},
	}
	h.reads(kinds(b, w, gadget), reads...)
	h.remembers("kubernetes",
		sinks.FormerKind{Kind: gadget, Scopes: []schema.Scope{of}}, sinks.FormerKind{Kind: w, Scopes: []schema.Scope{shop, all}})
	h.remembers("aws", sinks.FormerKind{Kind: b, Scopes: []schema.Scope{boxes}})
	h.remembers("gcp")
	// A row that a second scope reports goes on if the first is gone.
	seen := scopeOf(w, clusterB, "seen")
	reads = append(reads, read{scope: seen, rows: []Row{{ID: "w", Account: clusterA, Region: "shop"}}})
	h.reads(kinds(b, w, gadget), reads...)
	h.remembers("kubernetes",
		sinks.FormerKind{Kind: gadget, Scopes: []schema.Scope{of}}, sinks.FormerKind{Kind: w, Scopes: []schema.Scope{shop, all, seen}})
	// The last sync counts, whatever it changed; a table may be empty.
	other := redefine(w, "2", column("weight", schema.Float64))
	other.Columns[0].Doc, other.Columns[4].Path = "How big.", "spec.parts"
	other.Name, other.Renamed, other.Service, other.Edges = "kubernetes_example_com_thing", []string{w.Name}, "example.com/v2", nil
	h.reads(kinds(other), read{scope: scopeOf(other, clusterA, "shop")}, read{scope: scopeOf(other, clusterB, "global")}, read{scope: scopeOf(other, clusterB, "seen")})
	h.remembers("kubernetes", sinks.FormerKind{Kind: gadget, Scopes: []schema.Scope{of}}, sinks.FormerKind{Kind: other})
	less := redefine(other, "2")
	less.Columns = slices.Delete(slices.Clone(other.Columns), 1, 3)
	h.apply(kinds(less), false)
	h.remembers("kubernetes", sinks.FormerKind{Kind: gadget, Scopes: []schema.Scope{of}}, sinks.FormerKind{Kind: less})
}

func testFormerEnds(h *harness) {
	b, w := box(), widget()
	shop, all := scopeOf(w, clusterA, "shop"), scopeOf(w, clusterB, "global")
	boxes := read{scope: scopeOf(b, accountA, west), rows: []Row{{ID: "a"}}}
	wide := Row{ID: "w", Tags: map[string]string{"app": "x"}, Refs: []Ref{{0, "a"}}}.
		With("size", int64(7)).With("hits", int64(3)).With("spec", `{"n":1}`).With("parts", []string{"p", "q"})
	h.reads(kinds(b, w), boxes, read{scope: shop, rows: []Row{wide, {ID: "x"}}}, read{scope: all, rows: []Row{{ID: "y"}}})
	// Neither a sync without it nor one that cannot read it ends anything.
	h.reads(kinds(b), boxes)
	h.want("SELECT id FROM "+w.Name, "w", "x", "y")
	h.plan(kinds(b), "drop_table "+w.Name)
	before := h.query("SELECT kind, key, definition, definition_since, layout, parent, cloud, declared FROM kinds")
	f := h.former("kubernetes")
	if len(f) != 1 || !slices.Equal(f[0].Scopes, []schema.Scope{shop, all}) {
		h.Fatalf("the sink remembers %+v", f)
	}
	known := f[0].Kind
	h.plan(kinds(b, known))
	h.reads(kinds(b, known), boxes, read{scope: shop, state: schema.Unreachable})
	h.want("SELECT id FROM "+w.Name, "w", "x", "y")
	h.want(count("resource_history"), "0")
	sum := h.reads(kinds(b, known), boxes, read{scope: shop})
	h.kindSum(sum, w.Name, sinks.KindSummary{Rows: 1, Gone: 2})
	h.want("SELECT id FROM "+w.Name, "y")
	h.want("SELECT id FROM resources", "a", "y")
	h.want("SELECT id, volume_size_bytes FROM volumes", "y|NULL")
	h.want(count("edges"), "0")
	h.want("SELECT kind, change, doc->>'id', doc->>'region', doc->>'size', doc->>'hits' FROM resource_history",
		w.Name+"|deleted|w|shop|7|3", w.Name+"|deleted|x|shop|NULL|NULL")
	for _, doc := range h.query("SELECT doc FROM resource_history WHERE doc->>'id' = 'w'") {
		for _, part := range []string{`"spec":{"n":1},"tags":{"app":"x"}`, `"parts":["p","q"]`} {
			if got := document(w, doc); !strings.Contains(got, part) {
				h.Errorf("the row as it was, %s, lacks %s", got, part)
			}
		}
	}
	if d := cmp.Diff(before, h.query("SELECT kind, key, definition, definition_since, layout, parent, cloud, declared FROM kinds")); d != "" {
		h.Errorf("kinds (-before +after):\n%s", d)
	}
	h.remembers("kubernetes", sinks.FormerKind{Kind: w, Scopes: []schema.Scope{all}})
}

// Upgrade begins with a database that an older dewpoint wrote, one that did
// not remember kinds: statements take the target back to it.
func Upgrade(t *testing.T, target Target, statements ...string) {
	h := newHarness(t, target)
	k := box()
	s := scopeOf(k, accountA, west)
	rows := []Row{{ID: "a"}}
	h.reads(kinds(k), read{scope: s, rows: rows})
	h.exec(statements...)
	h.remembers("aws")
	migrates := func(want bool) {
		h.Helper()
		changes, err := h.sink.PlanSchema(h.Context(), kinds(k))
		if err != nil {
			h.Fatal(err)
		}
		other := slices.ContainsFunc(changes, func(c sinks.SchemaChange) bool { return c.Action != sinks.Migrate })
		if len(changes) > 0 != want || other {
			h.Fatalf("the plan is %+v", changes)
		}
	}
	migrates(true)
	sum := h.reads(kinds(k), read{scope: s, rows: rows})
	h.kindSum(sum, k.Name, sinks.KindSummary{Rows: 1, Unchanged: 1})
	migrates(false)
	h.remembers("aws", sinks.FormerKind{Kind: k, Scopes: []schema.Scope{s}})
}
