package k8s_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/schema"
)

// server is shared by the tests that do not break it.
var server *kubetest.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		server, err = kubetest.Start(kubetest.Options{Users: []string{"lister", "nobody", "namespaced", "nosystem", "nocrds"}})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer server.Stop()
		return m.Run()
	}())
}

// table takes what a source writes.
type table struct {
	mu       sync.Mutex
	rows     map[string][]map[string]any
	edges    map[string][]string // by kind: relation kind ref
	scopes   map[string]schema.ScopeResult
	problems []schema.Problem
	failures []schema.ScopeResult // of whole clusters
	slow     func()               // before each batch
	accounts bool                 // the keys of scopes name them
}

func newTable() *table {
	return &table{rows: map[string][]map[string]any{}, edges: map[string][]string{}, scopes: map[string]schema.ScopeResult{}}
}

func (t *table) Write(_ context.Context, b *schema.Batch) error {
	defer b.Release()
	if t.slow != nil {
		t.slow()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	text, err := b.Rows.MarshalJSON()
	if err != nil {
		return err
	}
	var rows []map[string]any
	if err := json.Unmarshal(text, &rows); err != nil {
		return err
	}
	t.rows[b.Kind.Name] = append(t.rows[b.Kind.Name], rows...)
	if b.Edges != nil {
		decl := b.Edges.Column(schema.EdgeDecl).(*array.Int32)
		ref := b.Edges.Column(schema.EdgeToRef).(*array.String)
		for i := range int(b.Edges.NumRows()) {
			e := b.Kind.Edges[decl.Value(i)]
			t.edges[b.Kind.Name] = append(t.edges[b.Kind.Name], fmt.Sprintf("%s %s %s", e.Relation, e.To, ref.Value(i)))
		}
	}
	t.problems = append(t.problems, b.Problems...)
	return nil
}

func (t *table) Scope(_ context.Context, r schema.ScopeResult) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.Scope.Kind == "*" {
		t.failures = append(t.failures, r)
		return nil
	}
	key := r.Scope.Kind + " in " + r.Scope.Region
	if t.accounts {
		key = r.Scope.Kind + " " + r.Scope.Account + " in " + r.Scope.Region
	}
	if have, ok := t.scopes[key]; ok {
		return fmt.Errorf("scope %s is reported twice: %+v, %+v", key, have, r)
	}
	t.scopes[key] = r
	return nil
}

func (t *table) Problem(_ context.Context, p ...schema.Problem) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = append(t.problems, p...)
	return nil
}

// row is the one row of a kind with the name.
func (t *table) row(tb testing.TB, kind, name string) map[string]any {
	tb.Helper()
	var found []map[string]any
	for _, r := range t.rows[kind] {
		if r["name"] == name {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		tb.Fatalf("%d rows of %s are called %s, not 1", len(found), kind, name)
	}
	return found[0]
}

// state is how a scope ended, empty if it was not reported.
func (t *table) state(kind, region string) schema.State { return t.scopes[kind+" in "+region].State }

func (t *table) hasProblem(code, text string) bool {
	return slices.ContainsFunc(t.problems, func(p schema.Problem) bool {
		return p.Code == code && strings.Contains(p.Sample, text)
	})
}

// kubeconfig is a kubeconfig file with contexts for users.
func kubeconfig(t testing.TB, s *kubetest.Server, users ...string) string {
	t.Helper()
	path := t.TempDir() + "/config"
	if err := s.Kubeconfig(path, users...); err != nil {
		t.Fatal(err)
	}
	return path
}

// options are those of one user of the shared server.
func options(t testing.TB, user string) k8s.Options {
	return k8s.Options{Kubeconfig: kubeconfig(t, server, user), StateDir: t.TempDir(), SpoolDir: t.TempDir()}
}

// open opens clusters and makes a source of the kinds.
func open(t testing.TB, o k8s.Options, change func(*k8s.SourceConfig), kinds ...string) *k8s.Source {
	t.Helper()
	cs, err := k8s.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cs.Close)
	c, entries := entriesOf(t, cs, kinds...)
	config := k8s.SourceConfig{Clusters: cs, Catalogue: c, Entries: entries}
	if change != nil {
		change(&config)
	}
	s, err := k8s.NewSource(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var loaded = sync.OnceValues(func() (*catalog.Catalogue, error) {
	return clouds.Load(catalog.Options{Only: []string{"kubernetes"}})
})

func entriesOf(t testing.TB, cs *k8s.Clusters, kinds ...string) (*catalog.Catalogue, []*catalog.Entry) {
	t.Helper()
	c, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	additions, err := cs.Additions(c)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = c.With(additions...); err != nil {
		t.Fatal(err)
	}
	if len(kinds) == 0 {
		kinds = []string{"kubernetes"}
	}
	entries, err := c.Select(kinds, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, entries
}

// collect runs all tasks of a source.
func collect(t testing.TB, s *k8s.Source) *table {
	t.Helper()
	out := newTable()
	run(t, s, out)
	return out
}

func run(t testing.TB, s *k8s.Source, out *table) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := extract.Schedule(ctx, []extract.Source{s}, out, 8); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what the server does in its own time.
func eventually(t testing.TB, f func() bool) {
	t.Helper()
	for range 600 {
		if f() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("it did not come about in 30 s")
}
