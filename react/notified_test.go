package react_test

import (
	"context"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/react"
)

// TestGraceAfterNotice holds that nothing is due before somebody was told, and
// that grace runs from there.
func TestGraceAfterNotice(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, react.DuckDB)
	uid := w.put("aws_ec2_volume", "v", row{"state": "available"}).String()
	p := w.planner()
	p.Fresh = 10000 * time.Hour
	week := react.Span(7 * 24 * time.Hour)
	r := rule(t, "unattached-volumes", func(c *react.Change) {
		c.Grace, c.Notify, c.NotifyBefore = &week, []string{"ops"}, true
	})
	at := func(days float64, want string) *react.Plan {
		t.Helper()
		plan, err := p.Plan(ctx, r, now.Add(time.Duration(days*24)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, plan, map[string]string{"v": want})
		return plan
	}
	at(0, "waits: attached to nothing; nobody has been told yet")
	plan := at(20, "nobody has been told yet")
	if due := plan.Waiting[0].DueAt; !due.Equal(plan.Now.Add(7 * 24 * time.Hour)) {
		t.Errorf("due at %s if told at %s", due, plan.Now)
	}
	// The notice of a plan of another rule tells nothing of this one.
	other := *plan
	other.RuleHash = "another"
	for _, x := range []*react.Plan{&other, plan, plan} {
		if err := react.Notified(ctx, w.store, x, now.Add(20*24*time.Hour), []string{uid, "11111111-1111-1111-1111-111111111111"}); err != nil {
			t.Fatal(err)
		}
		if x == &other {
			at(21, "nobody has been told yet")
		}
	}
	plan = at(26.9, "waits")
	if plan.Waiting[0].NotifiedAt.IsZero() {
		t.Error("the plan does not say when somebody was told")
	}
	// While it cannot be told whether it matches, the time stands still.
	w.rows = append(w.rows, "UPDATE resources SET _unread = ['state'] WHERE kind = 'aws_ec2_volume'")
	w.flush()
	at(26.9, "skipped: its details could not be read")
	w.rows = append(w.rows, "UPDATE resources SET _unread = NULL")
	w.flush()
	at(30, "waits")
	at(30.2, "DeleteVolume v")
}
