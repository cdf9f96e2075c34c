package react_test

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/react"
)

// TestPlansAreKept holds that a plan comes back from the state as it was, by
// its id, for a month.
func TestPlansAreKept(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.put("aws_ec2_volume", "it's", row{"tags": tagged("expires", "2026-06-01")})
		plan := w.plan(w.planner(), rule(t, "expired", nil))
		path := filepath.Join(t.TempDir(), "state")
		open := func() react.Plans {
			if w.dialect == react.Postgres {
				return react.NewPostgresStore(w.db)
			}
			return react.OpenFileStore(path)
		}
		ctx := t.Context()
		old, none := *plan, *plan
		old.ID, none.ID = uuid.New(), uuid.New()
		old.Now, none.Targets = plan.Now.AddDate(0, 0, -31), nil
		if got, err := open().KeptPlans(ctx); err != nil || len(got) > 0 {
			t.Fatalf("%v, %v", got, err)
		}
		for _, p := range []*react.Plan{&old, plan, plan, &none} {
			if err := open().KeepPlan(ctx, p, "ann@host"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := open().KeptPlans(ctx)
		want := []react.KeptPlan{{ID: plan.ID, Rule: "expired", MadeAt: plan.Now, MadeBy: "ann@host", ExpiresAt: plan.Now.Add(time.Hour), Ready: 1}}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		back, err := open().KeptPlan(ctx, plan.ID)
		text := func(p *react.Plan) string {
			b, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		if d := cmp.Diff(text(plan), text(back)); d != "" || err != nil {
			t.Errorf("%v %s", err, d)
		}
		if p, err := open().KeptPlan(ctx, old.ID); err != nil || p != nil {
			t.Errorf("an old plan is kept: %v, %v", p, err)
		}
	})
}
