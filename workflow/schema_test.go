package workflow_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// TestLateKindsAreNotLeftOver plans and applies where a sink has kinds that
// the catalogue has not: one of a cluster stays, one of another cloud may go.
func TestLateKindsAreNotLeftOver(t *testing.T) {
	s, err := duckdb.Open(filepath.Join(t.TempDir(), "estate.duckdb"), duckdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sync := sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: time.Now(), Version: "1.0.0"}
	for cloud, name := range map[string]string{"aws": "aws_none_such", "kubernetes": "kubernetes_example_com_widget"} {
		sync.Kinds = append(sync.Kinds, &schema.Kind{Name: name, Key: name, Cloud: cloud, Columns: []schema.Column{{Name: "size", Type: schema.Int64}}})
	}
	tx, err := s.Begin(t.Context(), sync)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context(), sinks.Outcome{FinishedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	cat, err := workflow.LoadCatalogue(&workflow.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"drop_table aws_none_such"}
	check := func(changes []sinks.SchemaChange, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			if !c.Action.Additive() {
				got = append(got, c.Action.String()+" "+c.Table)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("changes %v, want %v", got, want)
		}
	}
	check(workflow.PlanSchema(t.Context(), s, cat, nil))
	check(workflow.ApplySchema(t.Context(), s, cat, nil, true))
	want = nil
	check(workflow.PlanSchema(t.Context(), s, cat, nil))
	former, err := s.Former(t.Context(), "kubernetes")
	if err != nil {
		t.Fatal(err)
	}
	// The others are those that the models name.
	var late []string
	for _, f := range former {
		if _, ok := cat.Entry(f.Kind.Name); !ok {
			late = append(late, f.Kind.Name)
		}
	}
	if !slices.Equal(late, []string{"kubernetes_example_com_widget"}) {
		t.Fatalf("the sink remembers %v beside the catalogue's kinds", late)
	}
}
