package react_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

// refer adds a reference as the catalogue declares it.
func (w *world) refer(from uuid.UUID, fromKind string, to uuid.UUID, toKind string) {
	w.t.Helper()
	i := slices.IndexFunc(w.kinds[fromKind].Edges, func(e schema.Edge) bool { return e.To == toKind })
	if i < 0 {
		w.t.Fatalf("%s does not refer to %s", fromKind, toKind)
	}
	e := w.kinds[fromKind].Edges[i]
	w.edge(from, fromKind, e.Relation, to, toKind, e.OnDelete)
}

// TestWhatIsUsedIsBlocked holds of what people delete by mistake that its use
// blocks it, by the references that the catalogue declares.
func TestWhatIsUsedIsBlocked(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		want := map[string]string{}
		for _, c := range []struct {
			kind  string
			users []string
		}{
			{"aws_ec2_volume", []string{"aws_ec2_instance"}},
			{"aws_ec2_key_pair", []string{"aws_ec2_instance", "aws_ec2_launch_template"}},
			{"aws_kms_key", []string{"aws_ec2_volume", "aws_rds_db_instance", "aws_s3_bucket", "aws_secretsmanager_secret", "aws_ec2_snapshot"}},
			{"aws_elbv2_target_group", []string{"aws_elbv2_listener", "aws_ecs_service", "aws_autoscaling_auto_scaling_group"}},
			{"aws_ec2_security_group", []string{"aws_ec2_network_interface", "aws_lambda_function"}},
			{"aws_ec2_snapshot", []string{"aws_ec2_image"}},
			{"aws_ec2_subnet", []string{"aws_ec2_instance", "aws_ec2_nat_gateway"}},
			{"aws_acm_certificate", []string{"aws_elbv2_listener", "aws_cloudfront_distribution"}},
			{"aws_iam_role", []string{"aws_lambda_function", "aws_iam_instance_profile"}},
		} {
			for _, user := range c.users {
				id := c.kind + " of " + user
				used := w.put(c.kind, id, row{"tags": tagged("expires", "2026-06-01")})
				w.refer(w.put(user, "user of "+c.kind, row{}), user, used, c.kind)
				want[id] = "blocked: it is referred to by " + user + " user of " + c.kind
			}
		}
		// A member of a group comes back if it is deleted.
		member := w.put("aws_ec2_instance", "member", row{"tags": tagged("expires", "2026-06-01")})
		w.refer(member, "aws_ec2_instance", w.put("aws_autoscaling_auto_scaling_group", "group", row{}), "aws_autoscaling_auto_scaling_group")
		want["member"] = "blocked: it is managed by aws_autoscaling_auto_scaling_group"
		expect(t, w.plan(w.planner(), rule(t, "expired", nil)), want)
	})
}

// TestUnreadTagsAreNotMissing holds that a rule which forgets that tags may be
// unknown does not take them for none.
func TestUnreadTagsAreNotMissing(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.put("aws_s3_bucket", "untagged", row{})
		w.put("aws_s3_bucket", "unknown", row{"tags": nil})
		w.put("aws_s3_bucket", "kept", row{"_unread": []string{"tags"}})
		w.put("aws_s3_bucket", "unborn", row{"created_at": time.Time{}})
		p := w.planner()
		r := *rule(t, "untagged", nil)
		r.Kinds = []string{"aws_s3_bucket"}
		r.SQL = `SELECT _id, 'nobody owns it' AS reason FROM resources WHERE kind = 'aws_s3_bucket' AND coalesce({{tag "owner"}}, '') = ''`
		expect(t, w.plan(p, &r), map[string]string{
			"untagged": "DeleteBucket untagged", "unknown": "skipped: its tags are not known", "kept": "skipped: its details could not be read: tags",
			"unborn": "skipped: its creation time is not known",
		})
		bundled := rule(t, "untagged", func(c *react.Change) { c.Kinds = []string{"aws_s3_*"} })
		expect(t, w.plan(p, bundled), map[string]string{
			"untagged": "DeleteBucket untagged", "kept": "skipped: its details could not be read: tags",
		})
	})
}

// TestCorrectionsGiveTime holds that an expiry which was corrected counts from
// the correction, and lasts the grace at least; another correction gives no
// time, and the removal of a misspelt key takes none.
func TestCorrectionsGiveTime(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	born := row{"created_at": now.AddDate(0, 0, -100)}
	put := func(id string, tags map[string]string) uuid.UUID {
		return w.put("aws_ec2_volume", id, row{"created_at": born["created_at"], "tags": tags})
	}
	short := put("short", tagged("expiration", "1d"))
	long := put("long", tagged("expiration", "30d"))
	instant := put("instant", tagged("expires", "2026-06-13"))
	owner := put("owner", tagged("expiration", "1d", "owner", "ann"))
	renamed := put("renamed", tagged("expiration", "30d"))
	p := w.planner()
	r := rule(t, "expired", func(c *react.Change) { week := react.Span(7 * 24 * time.Hour); c.Grace = &week })
	enter := func(uid uuid.UUID, days float64, v action.Verb, set map[string]string, remove ...string) {
		t.Helper()
		at := now.Add(-time.Duration(days * 24 * float64(time.Hour)))
		a := react.Action{ID: uuid.New(), UID: uid.String(), Rule: "tag-policy", Verb: v, State: react.Done, Set: set, Remove: remove, Began: at, At: at}
		if err := p.Store.PutAction(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	plan := func(after time.Duration) *react.Plan {
		t.Helper()
		plan, err := p.Plan(context.Background(), r, now.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	enter(short, 5, action.Tag, tagged("expiration", "1d"))
	enter(long, 10, action.Tag, tagged("expiration", "30d"))
	enter(instant, 3, action.Tag, tagged("expires", "2026-06-13"))
	enter(owner, 3, action.Tag, tagged("owner", "ann"))
	enter(renamed, 10, action.Tag, tagged("expiration", "30d"))
	enter(renamed, 9.9, action.Untag, nil, "expiratoin")
	expect(t, plan(0), map[string]string{"owner": "waits"})
	p.Fresh = 10000 * time.Hour
	day := 24 * time.Hour
	expect(t, plan(2*day+time.Minute), map[string]string{"owner": "waits", "short": "waits"})
	expect(t, plan(4*day+time.Minute), map[string]string{"owner": "waits", "short": "waits", "instant": "waits"})
	expect(t, plan(20*day+time.Minute), map[string]string{"owner": "Delete", "short": "Delete", "instant": "Delete", "long": "waits", "renamed": "waits"})
}

// TestCorrectedGoesDownWithNothing holds that what is corrected in a run is not
// taken along in it either.
func TestCorrectedGoesDownWithNothing(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	vm := w.put("aws_ec2_instance", "vm", row{"tags": tagged("expires", "2026-06-01", "owner", "ann")})
	disk := w.put("aws_ec2_volume", "disk", row{"tags": tagged("owmer", "ann")})
	w.refer(vm, "aws_ec2_instance", disk, "aws_ec2_volume")
	p := w.planner()
	policy := rule(t, "tag-policy", func(c *react.Change) { c.Policy = []react.TagLimit{{Key: "owner", Typos: true}} })
	plans, err := p.PlanAll(context.Background(), []*react.Rule{rule(t, "expired", nil)}, []*react.Rule{policy}, now)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, plans[0], map[string]string{"vm": "blocked: aws_ec2_volume disk: the rule tag-policy corrects its tags first"})
	// An application that was killed may have corrected it.
	a := react.Action{ID: uuid.New(), UID: disk.String(), Rule: "tag-policy", Verb: action.Tag, State: react.Intent, At: p.Estate.Sync.StartedAt.Add(time.Minute)}
	if err := p.Store.PutAction(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	plan := w.plan(p, rule(t, "expired", nil))
	expect(t, plan, map[string]string{"vm": "blocked: aws_ec2_volume disk: the rule tag-policy changed it after the newest sync began"})
}
