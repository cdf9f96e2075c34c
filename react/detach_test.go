package react_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

const securityGroup = "aws_ec2_security_group"

// undated changes what has no creation time: the rule gives it grace.
func undated(c *react.Change) {
	g := react.Span(time.Nanosecond)
	c.Grace = &g
}

// ripe plans a rule when its grace is over.
func (w *world) ripe(p *react.Planner, r *react.Rule) *react.Plan {
	w.t.Helper()
	w.plan(p, r)
	plan, err := p.Plan(w.t.Context(), r, now.Add(time.Minute))
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

// obstinate refuses to delete what is still referred to.
func (s *sky) obstinate(refers map[string][]string) {
	s.fault = func(op, id string) error {
		for from, all := range refers {
			if s.things[from] == nil || !slices.Contains(all, id) || !strings.HasPrefix(op, "Delete") {
				continue
			}
			if !slices.ContainsFunc(s.calls, func(c string) bool { return strings.HasSuffix(c, " "+from+" "+id) }) {
				return &action.Error{Code: "DependencyViolation", Busy: true, Err: errors.New("DependencyViolation: " + from + " refers to " + id)}
			}
		}
		return nil
	}
}

// TestCirclesAreBrokenByDeclaredCalls deletes groups that refer to each other,
// in a circle of two and of three, by taking rules away between groups of the
// plan, and no more of them than it needs; one that a group outside refers to
// stays, and all that it holds.
func TestCirclesAreBrokenByDeclaredCalls(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ids := map[string]uuid.UUID{}
		for _, id := range []string{"a", "b", "x", "y", "z", "one", "two", "kept", "held", "holder"} {
			r := row{"created_at": time.Time{}, "tags": tagged("expires", "2026-06-01")}
			if id == "kept" {
				r["tags"] = tagged("owner", "ann")
			}
			ids[id] = w.put(securityGroup, id, r)
		}
		refers := map[string][]string{
			"a": {"b"}, "b": {"a"}, "x": {"y"}, "y": {"z"}, "z": {"x"}, "one": {"two"}, "kept": {"held"}, "held": {"holder"}, "holder": {"held"},
		}
		for from, all := range refers {
			for _, to := range all {
				w.edge(ids[from], securityGroup, "uses", ids[to], securityGroup, schema.Detach)
			}
		}
		p, r := w.planner(), rule(t, "expired", undated)
		plan := w.ripe(p, r)
		for _, x := range plan.Targets {
			switch blockers := strings.Join(x.Blockers, "; "); x.ID {
			case "held":
				if !strings.HasPrefix(blockers, "it is referred to by aws_ec2_security_group kept (uses)") {
					t.Errorf("held is blocked by %s", blockers)
				}
			case "holder":
				if blockers != "it is referred to by aws_ec2_security_group held (uses)" {
					t.Errorf("holder is blocked by %s", blockers)
				}
			default:
				if blockers != "" {
					t.Errorf("%s is blocked by %s", x.ID, blockers)
				}
			}
		}
		var md strings.Builder
		if err := react.WriteMarkdown(&md, []*react.Plan{plan}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(md.String(), "ec2.RevokeSecurityGroupIngress b: detaches it from aws_ec2_security_group a, which goes down as well<br>ec2.RevokeSecurityGroupEgress b: detaches it") &&
			!strings.Contains(md.String(), "ec2.RevokeSecurityGroupIngress a: detaches it from aws_ec2_security_group b, which goes down as well<br>ec2.RevokeSecurityGroupEgress a: detaches it") {
			t.Errorf("the plan is %s", md.String())
		}
		s := newSky(w, p)
		s.obstinate(refers)
		a := s.applier(p, r)
		a.Now = func() time.Time { return now.Add(time.Minute) }
		results, err := a.Apply(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		w.want(results, map[string]string{"a": "done", "b": "done", "x": "done", "y": "done", "z": "done", "one": "done", "two": "done"})
		var revoked []string
		for _, c := range s.calls {
			if rest, ok := strings.CutPrefix(c, "RevokeSecurityGroupIngress "); ok {
				revoked = append(revoked, rest)
			}
		}
		if len(revoked) != 2 || slices.ContainsFunc(revoked, func(c string) bool { return strings.Contains(c, "one") || strings.Contains(c, "held") }) {
			t.Errorf("rules are revoked between %s", revoked)
		}
	})
}

// TestWhatIsDetachedGoesAsWell leaves a group alone whose rules would have to
// be taken out of one that has changed.
func TestWhatIsDetachedGoesAsWell(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	a := w.put(securityGroup, "a", row{"created_at": time.Time{}, "tags": tagged("expires", "2026-06-01")})
	b := w.put(securityGroup, "b", row{"created_at": time.Time{}, "tags": tagged("expires", "2026-06-01")})
	w.edge(a, securityGroup, "uses", b, securityGroup, schema.Detach)
	w.edge(b, securityGroup, "uses", a, securityGroup, schema.Detach)
	p, r := w.planner(), rule(t, "expired", undated)
	plan := w.ripe(p, r)
	for _, changed := range []string{"a", "b"} {
		s := newSky(w, p)
		x := s.applier(p, r)
		x.Now = func() time.Time { return now.Add(time.Minute) }
		s.things[changed].Tags = tagged("expires", "2026-06-01", "owner", "ann")
		results, err := x.Apply(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if r.Done || !strings.Contains(r.Why, "its tags have changed") && !strings.Contains(r.Why, "something that refers to it was not deleted") {
				t.Errorf("%s changed: %s is done: %t, %s", changed, r.ID, r.Done, r.Why)
			}
		}
		if slices.ContainsFunc(s.calls, func(c string) bool { return strings.HasPrefix(c, "Delete") || strings.Contains(c, " "+changed+" ") }) {
			t.Errorf("%s changed: the calls are %s", changed, s.calls)
		}
	}
}

// TestNetworkWithEverythingInIt deletes a network with what refers to each
// other in it: tables of routes that subnets use go first, then gateways, and
// groups when what uses them has gone.
func TestNetworkWithEverythingInIt(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	ids := map[string]uuid.UUID{}
	kinds := map[string]string{}
	put := func(kind, id string, more row) {
		r := row{"created_at": time.Time{}}
		for k, v := range more {
			r[k] = v
		}
		ids[id], kinds[id] = w.put(kind, id, r), kind
	}
	edge := func(from, relation, to string, d schema.OnDelete) {
		w.edge(ids[from], kinds[from], relation, ids[to], kinds[to], d)
	}
	put("aws_ec2_vpc", "vpc", row{"tags": tagged("expires", "2026-06-01"), "is_default": false})
	put("aws_ec2_subnet", "subnet", nil)
	put("aws_ec2_nat_gateway", "nat", row{"created_at": now.AddDate(-1, 0, 0)})
	put("aws_ec2_network_interface", "eni", nil)
	put("aws_ec2_internet_gateway", "igw", row{"vpc_ids": []string{"vpc"}})
	put("aws_ec2_route_table", "rtb", nil)
	put("aws_ec2_vpc_endpoint", "endpoint", row{"created_at": now.AddDate(-1, 0, 0)})
	put(securityGroup, "web", row{"group_name": "web"})
	put(securityGroup, "db", row{"group_name": "db"})
	put(securityGroup, "standard", row{"group_name": "default"})
	for _, id := range []string{"subnet", "nat", "eni", "endpoint"} {
		edge(id, "in", "vpc", schema.Block)
	}
	for _, id := range []string{"rtb", "web", "db", "standard"} {
		edge(id, "in", "vpc", schema.Cascade)
	}
	edge("igw", "attached_to", "vpc", schema.Detach)
	edge("nat", "in", "subnet", schema.Block)
	edge("nat", "uses", "eni", schema.Block)
	edge("eni", "in", "subnet", schema.Block)
	edge("eni", "uses", "web", schema.Block)
	edge("endpoint", "attached_to", "rtb", schema.Block)
	edge("rtb", "routes_to", "nat", schema.Detach)
	edge("rtb", "routes_to", "igw", schema.Detach)
	edge("rtb", "attached_to", "subnet", schema.None)
	edge("web", "uses", "db", schema.Detach)
	edge("db", "uses", "web", schema.Detach)
	edge("standard", "uses", "web", schema.Detach)
	p := w.planner()
	r := *rule(t, "expired", undated)
	r.With = []react.WithKind{
		{Kind: "aws_ec2_subnet"},
		{Kind: "aws_ec2_nat_gateway"},
		{Kind: "aws_ec2_network_interface"},
		{Kind: "aws_ec2_internet_gateway"},
		{Kind: "aws_ec2_vpc_endpoint"},
		{Kind: securityGroup, Along: "group_name = 'default'"},
		{Kind: "aws_ec2_route_table", Along: "false"},
	}
	plan := w.ripe(p, &r)
	s := newSky(w, p)
	s.obstinate(map[string][]string{
		"subnet": {"vpc", "rtb"}, "nat": {"subnet", "eni"}, "eni": {"subnet", "web"}, "igw": {"vpc"}, "rtb": {"vpc"}, "endpoint": {"rtb", "vpc"},
		"web": {"db", "vpc"}, "db": {"web", "vpc"}, "standard": {"web"},
	})
	deny := s.fault
	s.fault = func(op, id string) error {
		if id == "rtb" && op == "DeleteRouteTable" && slices.Contains(s.calls, "DisassociateRouteTable rtb subnet") {
			return nil
		}
		return deny(op, id)
	}
	a := s.applier(p, &r)
	a.Now = func() time.Time { return now.Add(time.Minute) }
	results, err := a.Apply(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	w.want(results, map[string]string{"vpc": "done"})
	calls := strings.Join(s.calls, ", ")
	for _, want := range []string{"DisassociateRouteTable rtb subnet", "RevokeSecurityGroupIngress standard web", "DeleteNatGateway nat", "DeleteVpcEndpoints endpoint"} {
		if !strings.Contains(calls, want) {
			t.Errorf("%s is not in %s", want, calls)
		}
	}
	if !strings.HasSuffix(calls, "DeleteVpc vpc") || slices.Index(s.calls, "DeleteRouteTable rtb") > slices.Index(s.calls, "DeleteNatGateway nat") {
		t.Errorf("the calls are %s", calls)
	}
}

// TestNeededStays blocks a table of routes that a subnet outside uses.
func TestNeededStays(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	rtb := w.put("aws_ec2_route_table", "rtb", row{"created_at": time.Time{}, "tags": tagged("expires", "2026-06-01")})
	w.edge(rtb, "aws_ec2_route_table", "attached_to", w.put("aws_ec2_subnet", "subnet", row{}), "aws_ec2_subnet", schema.None)
	plan := w.ripe(w.planner(), rule(t, "expired", undated))
	if len(plan.Targets) != 1 || len(plan.Targets[0].Blockers) != 1 || !strings.HasPrefix(plan.Targets[0].Blockers[0], "it is needed by aws_ec2_subnet") {
		t.Errorf("the targets are %+v", plan.Targets)
	}
}
