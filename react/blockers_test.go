package react_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

// TestBlockers holds what forbids a deletion, and says so.
func TestBlockers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		end := tagged("expires", "2026-06-01")
		mine := tagged("expires", "2026-06-01", "owner", "ann")
		want := map[string]string{"free": "DeleteVolume free"}
		w.put("aws_ec2_volume", "free", row{"tags": end})
		// Attached to a machine that stays.
		used := w.put("aws_ec2_volume", "used", row{"tags": end})
		vm := w.put("aws_ec2_instance", "i-1", row{})
		w.edge(vm, "aws_ec2_instance", "uses", used, "aws_ec2_volume", schema.Block)
		want["used"] = "blocked: it is referred to by aws_ec2_instance i-1 (uses)"
		// A key in use.
		key := w.put("aws_kms_key", "key", row{"tags": end})
		w.edge(used, "aws_ec2_volume", "uses", key, "aws_kms_key", schema.Block)
		want["key"] = "referred to by aws_ec2_volume used (uses)"
		// Both go: the machine first.
		goes := w.put("aws_ec2_instance", "goes", row{"tags": end})
		disk := w.put("aws_ec2_volume", "disk", row{"tags": end})
		w.edge(goes, "aws_ec2_instance", "uses", disk, "aws_ec2_volume", schema.Block)
		want["goes"], want["disk"] = "TerminateInstances goes", "DeleteVolume disk"
		// The machine is blocked, so what it uses is as well.
		stays := w.put("aws_ec2_instance", "stays", row{"tags": tagged("expires", "2026-06-01", "dewpoint:protected", "")})
		root := w.put("aws_ec2_volume", "root", row{"tags": end})
		w.edge(stays, "aws_ec2_instance", "uses", root, "aws_ec2_volume", schema.Block)
		want["stays"], want["root"] = "blocked: protected by its tag dewpoint:protected", "referred to by aws_ec2_instance stays"
		// What goes along is protected, somebody else's, or unknown.
		along := func(id, what string, r row) {
			i := w.put("aws_ec2_instance", id, row{"tags": mine})
			w.edge(i, "aws_ec2_instance", "uses", w.put("aws_ec2_volume", id+"-disk", r), "aws_ec2_volume", schema.Block)
			want[id] = what
		}
		along("a1", "blocked: aws_ec2_volume a1-disk: protected by its tag protected", row{"tags": tagged("protected", "true")})
		along("a2", "blocked: aws_ec2_volume a2-disk is owned by bob", row{"tags": tagged("owner", "bob")})
		along("a3", "blocked: the tags of aws_ec2_volume a3-disk are not known", row{"tags": nil})
		along("a4", "TerminateInstances a4", row{"tags": tagged("owner", "ann")})
		// Managed, by what was read, by what was not, and by a target.
		group := w.put("aws_autoscaling_auto_scaling_group", "asg", row{})
		member := w.put("aws_ec2_instance", "member", row{"tags": end})
		w.edge(member, "aws_ec2_instance", "managed_by", group, "aws_autoscaling_auto_scaling_group", schema.Cascade)
		want["member"] = "blocked: it is managed by aws_autoscaling_auto_scaling_group"
		stranger := w.put("aws_ec2_volume", "stranger", row{"tags": end})
		w.edge(stranger, "aws_ec2_volume", "managed_by", uuid.Nil, "aws_cloudformation_stack", schema.Cascade)
		want["stranger"] = "blocked: it is managed by aws_cloudformation_stack"
		stack := w.put("aws_cloudformation_stack", "stack", row{"tags": end})
		// It goes with the stack, and is told there.
		part := w.put("aws_ec2_volume", "part", row{"tags": end})
		w.edge(part, "aws_ec2_volume", "managed_by", stack, "aws_cloudformation_stack", schema.Cascade)
		want["stack"] = "DeleteStack stack"
		stack2 := w.put("aws_cloudformation_stack", "stack-2", row{"tags": end})
		part2 := w.put("aws_ec2_volume", "part-2", row{})
		w.edge(part2, "aws_ec2_volume", "managed_by", stack2, "aws_cloudformation_stack", schema.Cascade)
		w.edge(vm, "aws_ec2_instance", "uses", part2, "aws_ec2_volume", schema.Block)
		want["stack-2"] = "blocked: aws_ec2_volume part-2 is referred to by aws_ec2_instance i-1"
		other := w.put("aws_cloudformation_stack", "stack-3", row{"tags": end})
		far := w.put("aws_ec2_volume", "far", row{"account": "222222222222"})
		w.edge(far, "aws_ec2_volume", "managed_by", other, "aws_cloudformation_stack", schema.Cascade)
		want["stack-3"] = "aws_ec2_volume far is in another account"
		// A reference that may be to it.
		w.put("aws_ec2_volume", "vague", row{"tags": end})
		w.insert("edges", row{"from_id": vm, "from_kind": "aws_ec2_instance", "relation": "uses", "to_kind": "aws_ec2_volume", "to_ref": "vague", "resolution": "ambiguous", "on_delete": "block"})
		want["vague"] = "blocked: a aws_ec2_instance may refer to it"
		// A kind that cannot be deleted.
		w.put("aws_ec2_reserved_instances", "ri", row{"tags": end})
		want["ri"] = "skipped: its API has no call to delete it"
		expect(t, w.plan(w.planner(), rule(t, "expired", nil)), want)
	})
}

// TestIncompleteScopes holds that nothing is concluded from what was not read.
func TestIncompleteScopes(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	w.put("aws_ec2_volume", "v", row{"tags": tagged("expires", "2026-06-01")})
	a := w.put("aws_cloudwatch_alarm", "alarm", row{"created_at": time.Time{}})
	w.edge(a, "aws_cloudwatch_alarm", "monitors", uuid.Nil, "aws_ec2_instance", schema.None)
	p := w.planner("aws_ec2_instance")
	expect(t, w.plan(p, rule(t, "expired", nil)), map[string]string{"v": "blocked: what refers to it is not known: aws_ec2_instance in aws/111111111111/"})
	expect(t, w.plan(p, rule(t, "orphaned-alarms", nil)), map[string]string{"alarm": "skipped: whether something is absent is not known: aws_ec2_instance in"})
	// Whoever says that the kind need not have been read takes the blame.
	expect(t, w.plan(p, rule(t, "expired", func(c *react.Change) { c.Unread = []string{"aws_ec2_*"} })), map[string]string{"v": "DeleteVolume v"})
	p.Fresh = 30 * time.Minute
	expect(t, w.plan(p, rule(t, "expired", nil)), map[string]string{"v": "skipped: aws_ec2_volume in aws/111111111111/eu-west-1 was last read at"})
}

// TestHiddenReferences holds that what a resource refers to is not known where
// the detail call that tells failed, and only what that could be is blocked.
func TestHiddenReferences(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		end := tagged("expires", "2026-06-01")
		w.put("aws_kms_key", "key", row{"tags": end})
		w.put("aws_s3_bucket", "logs", row{"tags": end})
		w.put("aws_ec2_volume", "v", row{"tags": end})
		w.put("aws_s3_bucket", "half-1", row{"_unread": []string{"encryption_rules"}})
		w.put("aws_s3_bucket", "half-2", row{"_unread": []string{"encryption_rules", "policy"}})
		w.put("aws_wafv2_web_acl", "acl", row{"tags": end})
		w.put("aws_cognitoidp_user_pool", "pool", row{"_unread": []string{"GetWebACLForResource"}})
		p, r := w.planner(), rule(t, "expired", nil)
		want := map[string]string{
			"key":  "blocked: what refers to it is not known: details of 2 aws_s3_bucket could not be read: encryption_rules",
			"logs": "DeleteBucket logs", "v": "DeleteVolume v",
			"acl": "blocked: what refers to it is not known: details of 1 aws_cognitoidp_user_pool could not be read: GetWebACLForResource",
		}
		expect(t, w.plan(p, r), want)
		// Whoever says that the kind need not have been read takes the blame.
		want["key"] = "ScheduleKeyDeletion key"
		expect(t, w.plan(p, rule(t, "expired", func(c *react.Change) { c.Unread = []string{"aws_s3_*"} })), want)
	})
}

// TestAbsenceTakesTwoSyncs holds that what one sync lacks is not yet gone.
func TestAbsenceTakesTwoSyncs(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	a := w.put("aws_cloudwatch_alarm", "alarm", row{"created_at": time.Time{}})
	w.edge(a, "aws_cloudwatch_alarm", "monitors", uuid.Nil, "aws_ec2_instance", schema.None)
	p, r := w.planner(), rule(t, "orphaned-alarms", nil)
	plan := func(after time.Duration) *react.Plan {
		t.Helper()
		plan, err := p.Plan(context.Background(), r, now.Add(after))
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	expect(t, plan(0), map[string]string{"alarm": "waits: its instance is gone; absent since this sync only"})
	expect(t, plan(time.Minute), map[string]string{"alarm": "waits"})
	// A sync of other scopes says nothing of these.
	p.Estate.Sync.ID = uuid.NewString()
	expect(t, plan(2*time.Minute), map[string]string{"alarm": "waits"})
	w.again(p)
	expect(t, plan(3*time.Minute), map[string]string{"alarm": "DeleteAlarms alarm"})
	// What is read in another way may be missing for that alone.
	w.rows = append(w.rows, "UPDATE kinds SET definition_since = (SELECT max(last_complete) FROM scopes) WHERE kind = 'aws_ec2_instance'")
	w.flush()
	changed := "skipped: whether something is absent is not known: aws_ec2_instance is read in another way since the newest sync"
	expect(t, plan(4*time.Minute), map[string]string{"alarm": changed})
	w.again(p)
	expect(t, plan(5*time.Minute), map[string]string{"alarm": "DeleteAlarms alarm"})
	// Nor is something absent from what was not read whole.
	w.put("aws_ec2_instance", "i-half", row{"_unread": []string{"tags"}})
	w.flush()
	expect(t, plan(6*time.Minute), map[string]string{"alarm": "skipped: whether something is absent is not known: details of 1 aws_ec2_instance in aws/111111111111 could not be read"})
}

// TestEmptyNetwork takes a network with all that belongs to it, in order.
func TestEmptyNetwork(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		undated := func(kind, id string, more row) uuid.UUID {
			r := row{"created_at": time.Time{}}
			for k, v := range more {
				r[k] = v
			}
			return w.put(kind, id, r)
		}
		network := func(name string) uuid.UUID {
			vpc := undated("aws_ec2_vpc", name, row{"is_default": false})
			in := func(kind, id, relation string, on schema.OnDelete, r row) uuid.UUID {
				x := undated(kind, name+"-"+id, r)
				w.edge(x, kind, relation, vpc, "aws_ec2_vpc", on)
				return x
			}
			subnet := in("aws_ec2_subnet", "subnet", "in", schema.Block, nil)
			in("aws_ec2_security_group", "sg", "in", schema.Block, row{"group_name": "web"})
			in("aws_ec2_security_group", "default", "in", schema.Block, row{"group_name": "default"})
			igw := in("aws_ec2_internet_gateway", "igw", "attached_to", schema.Detach, row{"vpc_ids": []string{name}})
			main := in("aws_ec2_route_table", "main", "in", schema.Cascade, row{"associations": `[{"Main":true}]`})
			own := in("aws_ec2_route_table", "rtb", "in", schema.Cascade, row{"associations": `[{"Main":false}]`})
			w.edge(main, "aws_ec2_route_table", "routes_to", igw, "aws_ec2_internet_gateway", schema.Detach)
			w.edge(own, "aws_ec2_route_table", "attached_to", subnet, "aws_ec2_subnet", schema.None)
			in("aws_ec2_network_acl", "acl", "in", schema.Cascade, row{"is_default": true})
			return vpc
		}
		network("empty")
		busy := network("busy")
		eni := w.put("aws_ec2_network_interface", "eni", row{"created_at": time.Time{}})
		w.edge(eni, "aws_ec2_network_interface", "in", busy, "aws_ec2_vpc", schema.Block)
		guarded := network("guarded")
		kept := undated("aws_ec2_subnet", "kept", row{"tags": tagged("protected", "true")})
		w.edge(kept, "aws_ec2_subnet", "in", guarded, "aws_ec2_vpc", schema.Block)
		peered := network("peered")
		peering := undated("aws_ec2_vpc_peering_connection", "pcx", nil)
		w.edge(peering, "aws_ec2_vpc_peering_connection", "attached_to", peered, "aws_ec2_vpc", schema.Block)
		undated("aws_ec2_vpc", "default", row{"is_default": true})
		p := w.plan(w.planner(), rule(t, "empty-vpcs", nil))
		expect(t, p, map[string]string{
			"empty": "DeleteVpc empty", "guarded": "blocked: aws_ec2_subnet kept: protected by its tag protected", "peered": "blocked: it is referred to by aws_ec2_vpc_peering_connection pcx",
		})
		for _, target := range p.Targets {
			if target.ID != "empty" {
				continue
			}
			got := outcome(p)["empty"]
			for _, call := range []string{"DeleteSubnet empty-subnet", "DeleteSecurityGroup empty-sg", "DetachInternetGateway empty-igw, DeleteInternetGateway empty-igw", "DeleteRouteTable empty-rtb"} {
				if !strings.Contains(got, call+", ") {
					t.Errorf("%s is not in %s", call, got)
				}
			}
			if !strings.HasSuffix(got, ", DeleteVpc empty") || strings.Contains(got, "main") || strings.Contains(got, "acl") || strings.Contains(got, "default") {
				t.Errorf("the calls are %s", got)
			}
			if len(target.Takes) != 7 {
				t.Errorf("%d resources go down with it: %v", len(target.Takes), target.Takes)
			}
		}
	})
}

// TestSharedTargetGroup holds that what two balancers use stays.
func TestSharedTargetGroup(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	shared := w.put("aws_elbv2_target_group", "tg", row{"tags": tagged("expires", "2026-06-01"), "created_at": time.Time{}})
	for i := range 2 {
		l := w.put("aws_elbv2_listener", fmt.Sprint("listener-", i), row{"created_at": time.Time{}})
		w.edge(l, "aws_elbv2_listener", "targets", shared, "aws_elbv2_target_group", schema.Block)
	}
	p := w.plan(w.planner(), rule(t, "expired", func(c *react.Change) { g := react.Span(time.Second); c.Grace = &g }))
	expect(t, p, map[string]string{"tg": "blocked: it is referred to by aws_elbv2_listener listener-0 (targets); it is referred to by aws_elbv2_listener listener-1 (targets)"})
}

// TestCaps refuses whole plans.
func TestCaps(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	for i := range 40 {
		r := row{"tags": tagged("owner", "ann")}
		if i < 8 {
			r["tags"] = tagged("expires", "2026-06-01")
		}
		w.put("aws_ec2_volume", fmt.Sprint("v", i), r)
	}
	vm := w.put("aws_ec2_instance", "i", row{"tags": tagged("expires", "2026-06-01")})
	for i := range 3 {
		w.edge(vm, "aws_ec2_instance", "uses", w.put("aws_ec2_volume", fmt.Sprint("along", i), row{}), "aws_ec2_volume", schema.Block)
	}
	p := w.planner()
	refused := func(want string, change func(*react.Change)) {
		t.Helper()
		plan := w.plan(p, rule(t, "expired", change))
		if !strings.Contains(plan.Refused, want) || want == "" && plan.Refused != "" {
			t.Errorf("refused is %q, want %q", plan.Refused, want)
		}
		if want != "" && len(plan.Ready()) > 0 {
			t.Error("a plan that is refused has targets")
		}
	}
	refused("", nil)
	refused("9 resources match, the rule may act on 8", func(c *react.Change) { c.Max = 8 })
	refused("12 resources would be deleted with all that goes down, the rule may delete 11", func(c *react.Change) { c.Max = 11 })
	refused("11 of 43 aws_ec2_volume in 111111111111 would be deleted, the rule may delete 20%", func(c *react.Change) { c.Percent = 20 })
	p.PerDay = 20
	refused("", nil)
	for i := range 5 {
		a := react.Action{ID: uuid.New(), Verb: action.Delete, State: react.Done, At: now.Add(-20 * time.Hour), Along: 1}
		if i == 4 {
			a.At = now.Add(-25 * time.Hour)
		}
		if err := p.Store.PutAction(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	refused("", nil)
	p.PerDay = 19
	refused("8 resources were deleted in 24 hours, 12 more would be over the limit of 19 for all rules", nil)
}

// TestGrace holds when a mark is made, kept, frozen and restarted.
func TestGrace(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	w.put("aws_ec2_volume", "v", row{"state": "available"})
	p := w.planner()
	week := react.Span(7 * 24 * time.Hour)
	r := rule(t, "unattached-volumes", func(c *react.Change) { c.Grace = &week })
	at := func(days float64, r *react.Rule, want string) {
		t.Helper()
		p.Fresh = 10000 * time.Hour
		plan, err := p.Plan(context.Background(), r, now.Add(time.Duration(days*24)*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		wanted := map[string]string{"v": want}
		if want == "" {
			wanted = map[string]string{}
		}
		expect(t, plan, wanted)
	}
	at(0, r, "waits")
	at(6.9, r, "waits")
	// Only looking changes nothing.
	p.Mark = false
	at(7, r, "DeleteVolume v")
	p.Mark = true
	at(7, r, "DeleteVolume v")
	// Another rule under the name starts anew.
	changed, err := r.Changed(react.Change{Params: map[string]string{"min_age": "15d"}})
	if err != nil {
		t.Fatal(err)
	}
	at(8, changed, "waits")
	at(15, changed, "DeleteVolume v")
	// In use and free again starts anew.
	w.rows = append(w.rows, "UPDATE aws_ec2_volume SET state = 'in-use'")
	w.flush()
	at(16, changed, "")
	w.rows = append(w.rows, "UPDATE aws_ec2_volume SET state = 'available'")
	w.flush()
	at(17, changed, "waits")
	// What cannot be told stands still.
	w.rows = append(w.rows, "UPDATE resources SET _unread = ['state'] WHERE kind = 'aws_ec2_volume'")
	w.flush()
	at(18, changed, "skipped: its details could not be read")
	w.rows = append(w.rows, "UPDATE resources SET _unread = NULL")
	w.flush()
	at(28, changed, "waits")
	at(34, changed, "DeleteVolume v")
	// Another resource under the same id starts anew.
	w.rows = append(w.rows, "UPDATE resources SET created_at = created_at + INTERVAL 1 DAY WHERE kind = 'aws_ec2_volume'")
	w.flush()
	at(35, changed, "waits")
}

// TestAccounts holds which accounts are left alone.
func TestAccounts(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	p := w.planner()
	for i, name := range []string{"shop-production", "PRD2", "staging", "live", "olive"} {
		id := fmt.Sprint("33333333333", i)
		w.put("aws_sts_account", id, row{"account": id, "name": name, "region": "global", "tags": nil})
		w.put("aws_ec2_volume", name, row{"account": id, "tags": tagged("expires", "2026-06-01")})
		var kinds []string
		for k := range w.kinds {
			kinds = append(kinds, k)
		}
		w.scope("aws", id, region, "complete", now, kinds...)
	}
	w.put("aws_ec2_volume", "nameless", row{"account": "444444444444", "tags": tagged("expires", "2026-06-01")})
	w.scope("aws", "444444444444", region, "complete", now, "aws_ec2_volume")
	p.Estate = w.open()
	want := map[string]string{
		"shop-production": "looks like production", "PRD2": "looks like production", "staging": "DeleteVolume", "live": "looks like production", "olive": "DeleteVolume",
		"nameless": "the name of its account 444444444444 is not known",
	}
	r := rule(t, "expired", nil)
	expect(t, w.plan(p, r), want)
	p.Protection.Allow, want["PRD2"] = []string{"PRD*"}, "DeleteVolume"
	p.Protection.Accounts, want["staging"] = []string{"stag*"}, "its account is protected"
	p.Protection.Kinds = []string{"aws_ec2_vol*"}
	want["olive"], want["PRD2"] = "its kind is protected", "its kind is protected"
	expect(t, w.plan(p, r), want)
	p.Protection.Kinds, p.Protection.IDs, p.Protection.SQL = nil, []string{"urn:*:PRD2"}, []string{"SELECT _id FROM volumes WHERE id = 'olive'"}
	want["olive"], want["PRD2"] = "protected by protect.sql", "protected by its id"
	expect(t, w.plan(p, r), want)
}

// TestUndeclared refuses SQL that reads more than it says.
func TestUndeclared(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	p := w.planner()
	r := rule(t, "unattached-volumes", nil)
	r.SQL = "SELECT _id, 'x' AS reason FROM volumes WHERE _id NOT IN (SELECT to_id FROM edges)"
	if _, err := p.Plan(context.Background(), r, now); err == nil || !strings.Contains(err.Error(), "its SQL names edges, which reads does not list") {
		t.Errorf("the error is %v", err)
	}
}

// TestReactLeavesAloneWhatItChanged holds that a correction in a run leads to
// no deletion in the same run, and counts from when it was made.
func TestReactLeavesAloneWhatItChanged(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	id := w.put("aws_ec2_volume", "v", row{"tags": tagged("expiration", "3d")})
	p, r := w.planner(), rule(t, "expired", nil)
	correct := func(at time.Time, set map[string]string) {
		a := react.Action{ID: uuid.New(), UID: id.String(), Rule: "tag-policy", Verb: action.Tag, State: react.Done, At: at, Set: set}
		if err := p.Store.PutAction(context.Background(), a); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, w.plan(p, r), map[string]string{"v": "DeleteVolume v"})
	correct(p.Estate.Sync.StartedAt.Add(-69*time.Hour), tagged("expiration", "3d"))
	expect(t, w.plan(p, r), map[string]string{})
	correct(p.Estate.Sync.StartedAt.Add(time.Minute), tagged("owner", "ann"))
	expect(t, w.plan(p, r), map[string]string{})
	w.rows = append(w.rows, "UPDATE resources SET tags = MAP {'expires': '2026-06-01'} WHERE kind = 'aws_ec2_volume'")
	w.flush()
	expect(t, w.plan(p, r), map[string]string{"v": "skipped: the rule tag-policy changed it after the newest sync began"})
}
