package react_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// planner is one that marks, in a world where all was read completely an hour
// ago, but for the kinds named.
func (w *world) planner(but ...string) *react.Planner {
	w.t.Helper()
	cat, err := workflow.LoadCatalogue(workflow.DefaultConfig())
	if err != nil {
		w.t.Fatal(err)
	}
	if w.store == nil {
		w.store = react.OpenFileStore(filepath.Join(w.t.TempDir(), "state"))
		if w.dialect == react.Postgres {
			w.store = react.NewPostgresStore(w.db)
		}
		w.put("aws_sts_account", account, row{"name": "sandbox", "region": "global", "tags": nil})
		w.all(now.Add(-time.Hour), but...)
	}
	return &react.Planner{
		Estate: w.open(), Kinds: w.kinds, Calls: acting.Declared{Catalogue: cat}, Settings: react.DefaultSettings(),
		Protection: react.DefaultProtection(), Store: w.store, Mark: true, Version: "1.0.0",
	}
}

// all says that everything was read completely, but for some kinds.
func (w *world) all(at time.Time, but ...string) {
	kinds := slices.DeleteFunc(slices.Sorted(maps.Keys(w.kinds)), func(k string) bool { return slices.Contains(but, k) })
	for _, r := range []string{region, "global"} {
		w.scope("aws", account, r, "complete", at, kinds...)
		w.scope("aws", account, r, "denied", at, but...)
	}
}

// rule is a bundled rule without its grace, which has a test of its own.
func rule(t *testing.T, name string, change func(*react.Change)) *react.Rule {
	t.Helper()
	for _, r := range react.BundledRules() {
		if r.Name == name {
			var none react.Span
			c := react.Change{Grace: &none, Percent: 100}
			if slices.Contains([]string{"unused-addresses", "empty-vpcs", "orphaned-alarms"}, r.Name) {
				short := react.Span(time.Second) // their kinds have no creation time
				c.Grace = &short
			}
			if change != nil {
				change(&c)
			}
			out, err := r.Changed(c)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
	}
	t.Fatalf("there is no rule %s", name)
	return nil
}

// plan plans, in a sync after the one that the matches were marked in.
func (w *world) plan(p *react.Planner, r *react.Rule) *react.Plan {
	w.t.Helper()
	ctx := context.Background()
	at := now
	if r.Grace > 0 || len(r.Absent) > 0 {
		if _, err := p.Plan(ctx, r, now.Add(-time.Hour)); err != nil {
			w.t.Fatal(err)
		}
		w.again(p)
	}
	plan, err := p.Plan(ctx, r, at)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

// again is another sync in which all scopes are as complete as they were.
func (w *world) again(p *react.Planner) {
	w.t.Helper()
	p.Estate.Sync.ID = uuid.NewString()
	table := "scopes"
	if w.dialect == react.Postgres {
		table = "scope_times"
	}
	w.rows = append(w.rows, "UPDATE "+table+" SET last_complete = last_complete + INTERVAL '10' MINUTE")
	w.flush()
}

// outcome is what became of each resource: its steps, blockers, why it is
// skipped or waits.
func outcome(p *react.Plan) map[string]string {
	out := map[string]string{}
	for _, t := range p.Targets {
		if len(t.Blockers) > 0 {
			out[t.ID] = "blocked: " + strings.Join(t.Blockers, "; ")
			continue
		}
		var calls []string
		for _, s := range t.Steps {
			for _, c := range s.Calls {
				calls = append(calls, c.Op+" "+s.Resource.ID)
			}
		}
		out[t.ID] = strings.Join(calls, ", ")
	}
	for _, s := range p.Skipped {
		out[s.ID] = "skipped: " + s.Why
	}
	for _, t := range p.Waiting {
		out[t.ID] = "waits: " + t.Reason
	}
	if p.Refused != "" {
		out["refused"] = p.Refused
	}
	return out
}

// expect compares outcomes; a wanted text may be a part.
func expect(t *testing.T, p *react.Plan, want map[string]string) {
	t.Helper()
	got := outcome(p)
	for id, text := range want {
		if !strings.Contains(got[id], text) || text == "" && got[id] != "" {
			t.Errorf("%s of %s: %q, want %q", id, p.Rule, got[id], text)
		}
	}
	for id, text := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s of %s is unexpected: %s", id, p.Rule, text)
		}
	}
}

func tagged(pairs ...string) map[string]string {
	m := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

// TestExpired holds what a tag's time means: every way to write it, and what
// cannot be read.
func TestExpired(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		born := now.AddDate(0, 0, -10)
		want := map[string]string{}
		add := func(id, outcome string, r row) {
			if r["created_at"] == nil {
				r["created_at"] = born
			}
			w.put("aws_ec2_volume", id, r)
			if outcome != "" {
				want[id] = outcome
			}
		}
		add("past", "DeleteVolume past", row{"tags": tagged("expires", "2026-06-01")})
		add("today", "", row{"tags": tagged("expires", "2026-06-15")})
		add("yesterday", "DeleteVolume yesterday", row{"tags": tagged("expires", "2026-06-14")})
		add("future", "", row{"tags": tagged("expires", "2030-01-01T00:00:00Z")})
		add("never", "", row{"tags": tagged("expires", "never", "expiration", "1d")})
		add("odd", `skipped: "next year" is no instant`, row{"tags": tagged("expires", "next year")})
		add("old", "DeleteVolume old", row{"tags": tagged("expiration", "1w and 2 days")})
		add("young", "", row{"tags": tagged("expiration", "11d")})
		add("months", "skipped: \"5m\" is no duration: m may be minutes or months", row{"tags": tagged("expiration", "5m")})
		add("forever", "", row{"tags": tagged("expiration", "Never")})
		add("minus", "skipped: \"-3d\" is negative", row{"tags": tagged("expiration", "-3d")})
		add("two years", "", row{"tags": tagged("expiration", "two years")})
		add("two days", "DeleteVolume two days", row{"tags": tagged("expiration", "two days")})
		add("some years", `skipped: "some years" is no duration`, row{"tags": tagged("expiration", "some years")})
		add("instant first", "", row{"tags": tagged("expires", "2030-01-01", "expiration", "1d")})
		add("own tag first", "", row{"tags": tagged("dewpoint:expires", "2030-01-01", "expires", "2020-01-01")})
		add("tags unknown", "", row{"tags": nil})
		add("unread", "skipped: its details could not be read: tags", row{"tags": tagged("expires", "2026-06-01"), "_unread": []string{"tags"}})
		add("unborn", "skipped: its creation time is not known", row{"tags": tagged("expires", "2026-06-01"), "created_at": time.Time{}})
		add("protected", "blocked: protected by its tag Protected", row{"tags": tagged("expires", "2026-06-01", "Protected", "TRUE")})
		add("not protected", "DeleteVolume not protected", row{"tags": tagged("expires", "2026-06-01", "protected", "false")})
		add("elsewhere", "skipped: aws_ec2_volume was not read in", row{"tags": tagged("expires", "2026-06-01"), "region": "us-east-1"})
		expect(t, w.plan(w.planner(), rule(t, "expired", nil)), want)
	})
}

// TestBundledRules holds of each rule what it must take and what it must not.
func TestBundledRules(t *testing.T) {
	fresh, old := now.Add(-time.Hour), now.AddDate(-2, 0, 0)
	everywhere(t, func(t *testing.T, w *world) {
		put := func(kind, id string, r row) uuid.UUID { return w.put(kind, id, r) }
		// Volumes.
		put("aws_ec2_volume", "vol-free", row{"state": "available", "tags": tagged("owner", "ann")})
		put("aws_ec2_volume", "vol-new", row{"state": "available", "created_at": fresh, "tags": tagged("owner", "ann")})
		used := put("aws_ec2_volume", "vol-used", row{"state": "in-use", "tags": tagged("owner", "ann")})
		put("aws_ec2_volume", "vol-nobody", row{"state": "in-use"})
		put("aws_ec2_volume", "vol-blank", row{"state": "in-use", "tags": tagged("owner", "")})
		put("aws_ec2_volume", "vol-unknown", row{"state": "available", "tags": nil})
		// Instances.
		on := put("aws_ec2_instance", "i-on", row{"state_name": "running", "tags": tagged("owner", "ann")})
		off := put("aws_ec2_instance", "i-off", row{"state_name": "stopped", "tags": tagged("owner", "ann")})
		dead := put("aws_ec2_instance", "i-dead", row{"state_name": "terminated", "tags": tagged("owner", "ann")})
		w.edge(on, "aws_ec2_instance", "uses", used, "aws_ec2_volume", schema.Block)
		// Addresses.
		held := put("aws_ec2_eip", "eip-used", row{"created_at": time.Time{}})
		w.edge(held, "aws_ec2_eip", "attached_to", on, "aws_ec2_instance", schema.None)
		put("aws_ec2_eip", "eip-free", row{"created_at": time.Time{}})
		// Snapshots.
		put("aws_ec2_snapshot", "snap-old", row{"created_at": old})
		put("aws_ec2_snapshot", "snap-new", row{})
		imaged := put("aws_ec2_snapshot", "snap-image", row{"created_at": old})
		image := put("aws_ec2_image", "ami", row{})
		w.edge(image, "aws_ec2_image", "uses", imaged, "aws_ec2_snapshot", schema.Block)
		// Alarms.
		watch := func(id string, to uuid.UUID) {
			a := put("aws_cloudwatch_alarm", id, row{"created_at": time.Time{}})
			w.edge(a, "aws_cloudwatch_alarm", "monitors", to, "aws_ec2_instance", schema.None)
		}
		watch("alarm-on", on)
		watch("alarm-off", off)
		watch("alarm-dead", dead)
		watch("alarm-gone", uuid.Nil)
		put("aws_cloudwatch_alarm", "alarm-other", row{"created_at": time.Time{}})
		// NAT gateways.
		nat := put("aws_ec2_nat_gateway", "nat-used", row{})
		put("aws_ec2_nat_gateway", "nat-idle", row{})
		rt := put("aws_ec2_route_table", "rtb", row{"created_at": time.Time{}})
		w.edge(rt, "aws_ec2_route_table", "routes_to", nat, "aws_ec2_nat_gateway", schema.Detach)
		// Access keys.
		put("aws_iam_access_key", "AKIAOLD", row{"region": "global", "tags": nil, "last_used_at": old, "created_at": old})
		put("aws_iam_access_key", "AKIAUNUSED", row{"region": "global", "tags": nil, "created_at": old})
		put("aws_iam_access_key", "AKIAUSED", row{"region": "global", "tags": nil, "last_used_at": fresh, "created_at": old})
		put("aws_iam_access_key", "AKIANEW", row{"region": "global", "tags": nil, "created_at": fresh})
		// Load balancers.
		balancer := func(id string, groups ...uuid.UUID) {
			l := put("aws_elbv2_load_balancer", id, row{"tags": tagged("owner", "ann")})
			li := put("aws_elbv2_listener", id+"/listener", row{"created_at": time.Time{}})
			w.edge(li, "aws_elbv2_listener", "in", l, "aws_elbv2_load_balancer", schema.Cascade)
			for _, g := range groups {
				w.edge(li, "aws_elbv2_listener", "targets", g, "aws_elbv2_target_group", schema.Block)
				w.edge(g, "aws_elbv2_target_group", "attached_to", l, "aws_elbv2_load_balancer", schema.None)
			}
		}
		full := put("aws_elbv2_target_group", "tg-full", row{"created_at": time.Time{}})
		w.edge(full, "aws_elbv2_target_group", "targets", on, "aws_ec2_instance", schema.Detach)
		hollow := put("aws_elbv2_target_group", "tg-empty", row{"created_at": time.Time{}})
		balancer("lb-full", full)
		balancer("lb-empty", hollow)
		balancer("lb-mixed", full, hollow)
		balancer("lb-alone", put("aws_elbv2_target_group", "tg-alone", row{"created_at": time.Time{}}))
		p := w.planner()
		for name, want := range map[string]map[string]string{
			"unattached-volumes": {"vol-free": "CreateSnapshot vol-free, DeleteVolume vol-free", "vol-unknown": "skipped: its tags are not known"},
			"untagged": {
				"vol-nobody": "DeleteVolume", "vol-blank": "DeleteVolume",
			},
			"unused-addresses":  {"eip-free": "ReleaseAddress eip-free"},
			"stopped-instances": {"i-off": "TerminateInstances i-off"},
			"old-snapshots":     {"snap-old": "DeleteSnapshot snap-old"},
			"orphaned-alarms":   {"alarm-dead": "DeleteAlarms alarm-dead", "alarm-gone": "DeleteAlarms alarm-gone"},
			"idle-nat-gateways": {"nat-idle": "DeleteNatGateway nat-idle"},
			"stale-access-keys": {"AKIAOLD": "DeleteAccessKey AKIAOLD", "AKIAUNUSED": "DeleteAccessKey AKIAUNUSED"},
			"load-balancers-without-targets": {
				"lb-empty": "DeleteListener lb-empty/listener, DeleteLoadBalancer lb-empty", // what others use stays
				"lb-alone": "DeleteListener lb-alone/listener, DeleteTargetGroup tg-alone, DeleteLoadBalancer lb-alone",
			},
		} {
			t.Run(name, func(t *testing.T) {
				w.t = t
				expect(t, w.plan(p, rule(t, name, nil)), want)
			})
		}
	})
}
