package react_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

// TestNothingProtectedIsTouched plans random rules over random estates, under
// random protections, and applies the plans while more comes under protection.
// It holds what a plan may delete against the edges and tags themselves, and
// the calls that are made against what is protected.
func TestNothingProtectedIsTouched(t *testing.T) {
	w := newWorld(t, react.DuckDB)
	p := w.planner()
	const production = "999999999999"
	w.put("aws_sts_account", production, row{"account": production, "name": "production", "region": "global", "tags": nil})
	var all []string
	for k := range w.kinds {
		all = append(all, k)
	}
	w.scope("aws", production, region, "complete", now, all...)
	const guarded = "222222222222"
	w.put("aws_sts_account", guarded, row{"account": guarded, "name": "staging", "region": "global", "tags": nil})
	w.scope("aws", guarded, region, "complete", now, all...)
	w.flush()
	dir := t.TempDir()
	kinds := []string{"aws_ec2_instance", "aws_ec2_volume", "aws_cloudformation_stack", "aws_ec2_security_group", "aws_autoscaling_auto_scaling_group"}
	type thing struct {
		id             uuid.UUID
		kind, name     string
		protected      bool
		owner, account string
		unknown        bool
	}
	type edge struct {
		from, to int
		onDelete schema.OnDelete
		relation string
	}
	n := 0
	ready, blocked, made := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		w.rows = append(w.rows, "DELETE FROM resources WHERE kind <> 'aws_sts_account'", "DELETE FROM edges")
		for _, k := range kinds {
			w.rows = append(w.rows, "DELETE FROM "+k)
		}
		p.Protection = react.DefaultProtection()
		byKind, byID, bySQL, byAccount := rapid.Bool().Draw(rt, "kinds protected"), rapid.Bool().Draw(rt, "ids protected"), rapid.Bool().Draw(rt, "protected by SQL"), rapid.Bool().Draw(rt, "account protected")
		if byKind {
			p.Protection.Kinds = []string{"*_security_*"}
		}
		if byID {
			p.Protection.IDs = []string{"keep-*"}
		}
		if bySQL {
			p.Protection.SQL = []string{"SELECT _id FROM resources WHERE name = 'precious'"}
		}
		if byAccount {
			p.Protection.Accounts = []string{"2222*"}
		}
		p.Store = react.OpenFileStore(filepath.Join(dir, fmt.Sprint(n)))
		things := make([]thing, rapid.IntRange(1, 12).Draw(rt, "things"))
		for i := range things {
			n++
			x := thing{kind: rapid.SampledFrom(kinds).Draw(rt, "kind"), account: account}
			tags := map[string]string{}
			r := row{"tags": tags}
			if rapid.IntRange(0, 2).Draw(rt, "expired") > 0 {
				tags["expires"] = "2026-06-01"
			}
			switch rapid.IntRange(0, 12).Draw(rt, "odd") {
			case 0:
				x.protected, tags["protected"] = true, "true"
			case 1:
				x.protected, x.account, r["account"] = true, production, production
			case 2:
				x.unknown, r["tags"] = true, nil
			case 3:
				x.unknown, r["_unread"] = true, []string{"tags"}
			case 4:
				x.owner, tags["owner"] = "ann", "ann"
			case 5:
				x.owner, tags["owner"] = "bob", "bob"
			}
			x.name = fmt.Sprint("r", n)
			switch rapid.IntRange(0, 9).Draw(rt, "guarded") {
			case 0:
				x.name, x.protected = fmt.Sprint("keep-", n), x.protected || byID
			case 1:
				r["name"], x.protected = "precious", x.protected || bySQL
			case 2:
				if x.account == account {
					x.account, r["account"] = guarded, guarded
				}
			}
			x.protected = x.protected || byAccount && x.account == guarded || byKind && x.kind == "aws_ec2_security_group"
			x.id = w.put(x.kind, x.name, r)
			things[i] = x
		}
		edges := make([]edge, rapid.IntRange(0, 14).Draw(rt, "edges"))
		for i := range edges {
			e := edge{
				from: rapid.IntRange(0, len(things)-1).Draw(rt, "from"), to: rapid.IntRange(0, len(things)-1).Draw(rt, "to"),
				onDelete: rapid.SampledFrom([]schema.OnDelete{schema.Block, schema.Block, schema.Cascade, schema.Detach, schema.None}).Draw(rt, "on_delete"),
				relation: rapid.SampledFrom([]string{"uses", "uses", "managed_by"}).Draw(rt, "relation"),
			}
			edges[i] = e
			w.edge(things[e.from].id, things[e.from].kind, e.relation, things[e.to].id, things[e.to].kind, e.onDelete)
		}
		p.Estate = w.open()
		r := rule(t, "expired", func(c *react.Change) {
			c.Max = rapid.IntRange(1, 12).Draw(rt, "max")
			c.Percent = 100
		})
		r.Reads = append(slices.Clone(r.Reads), append(kinds, "aws_sts_account")...)
		switch rapid.IntRange(0, 3).Draw(rt, "rule") {
		case 0:
			r.SQL = "SELECT _id, 'all of a kind' AS reason FROM resources WHERE kind = '" + rapid.SampledFrom(kinds).Draw(rt, "of kind") + "'"
		case 1:
			r.SQL, r.Action = "SELECT _id, 'to be marked' AS reason, 'seen' AS set_key, 'yes' AS set_value FROM resources WHERE kind <> 'aws_sts_account'", action.Tag
		}
		if r.Action == action.Delete && rapid.Bool().Draw(rt, "with") {
			r.With = []react.WithKind{{Kind: rapid.SampledFrom(kinds).Draw(rt, "with kind")}}
		}
		plan, err := p.Plan(context.Background(), r, now)
		if err != nil {
			rt.Fatal(err)
		}
		index := map[string]int{}
		for i, x := range things {
			index[x.id.String()] = i
		}
		down := map[int]bool{}
		var sets []map[int]bool
		var detached []int
		for _, target := range plan.Ready() {
			set := map[int]bool{index[target.UID]: true}
			for _, m := range target.Takes {
				set[index[m.UID]] = true
			}
			if r.Action == action.Tag {
				if x := things[index[target.UID]]; x.protected || x.unknown {
					rt.Fatalf("%s is tagged: %+v", target.ID, x)
				}
				continue
			}
			for _, s := range target.Steps {
				if s.Verb == action.Detach {
					detached = append(detached, index[s.Resource.UID], index[s.To.UID])
					continue
				}
				if !set[index[s.Resource.UID]] {
					rt.Fatalf("%s is deleted and is not what goes down with %s", s.Resource.ID, target.ID)
				}
			}
			if len(target.Steps) == 0 || target.Steps[len(target.Steps)-1].Resource.UID != target.UID {
				rt.Fatalf("%s is not deleted last", target.ID)
			}
			sets = append(sets, set)
			for i := range set {
				down[i] = true
			}
		}
		ready, blocked = ready+len(plan.Ready()), blocked+len(plan.Targets)-len(plan.Ready())
		if len(down) > r.Limits.Max {
			rt.Fatalf("%d go down, the limit is %d", len(down), r.Limits.Max)
		}
		for _, i := range detached {
			if !down[i] {
				rt.Fatalf("r%d is detached and does not go down", i)
			}
		}
		for i := range down {
			if x := things[i]; x.protected || x.unknown {
				rt.Fatalf("%s r%d goes down: %+v", x.kind, i, x)
			}
		}
		for _, e := range edges {
			if e.from == e.to {
				continue
			}
			switch {
			case down[e.to] && !down[e.from] && e.onDelete != schema.None:
				rt.Fatalf("%d goes down, to which %d refers: %+v", e.to, e.from, e)
			case down[e.from] && e.relation == "managed_by" && !slices.ContainsFunc(sets, func(s map[int]bool) bool { return s[e.from] && s[e.to] }):
				rt.Fatalf("%d goes down, and its manager %d does not", e.from, e.to)
			}
			for j, set := range sets {
				if set[e.to] && !set[e.from] && e.onDelete == schema.Cascade {
					rt.Fatalf("%d cannot outlive %d and is not in its set", e.from, e.to)
				}
				root := things[index[plan.Ready()[j].UID]]
				for i := range set {
					if o := things[i].owner; o != "" && o != root.owner {
						rt.Fatalf("%d of %s goes down with what is of %q", i, o, root.owner)
					}
				}
			}
		}
		// Some come under protection after the plan.
		cloud := newSky(w, p)
		for i := range things {
			if rapid.IntRange(0, 5).Draw(rt, "late") == 0 {
				things[i].protected = true
				cloud.things[things[i].name].Tags = map[string]string{"Protected": " TRUE"}
			}
		}
		protected := map[string]bool{}
		for i := range things {
			protected[things[i].name] = things[i].protected || things[i].unknown
		}
		results, err := cloud.applier(p, r).Apply(context.Background(), plan)
		if err != nil && plan.Refused == "" {
			rt.Fatal(err)
		}
		deleted := map[string]bool{}
		for _, call := range cloud.calls {
			op, id, _ := strings.Cut(call, " ")
			id, _, detach := strings.Cut(id, " ")
			if protected[id] || strings.HasPrefix(id, production) {
				rt.Fatalf("%s", call)
			}
			if detach && r.Action == action.Delete {
				continue
			}
			if r.Action == action.Delete && deleted[id] || r.Action == action.Tag && op != "CreateTags" && op != "CreateOrUpdateTags" {
				rt.Fatalf("%s is called twice, or is none of the rule's", call)
			}
			deleted[id] = true
		}
		if len(deleted) > r.Limits.Max {
			rt.Fatalf("%d are acted on, the limit is %d", len(deleted), r.Limits.Max)
		}
		for _, x := range results {
			for _, s := range x.Steps {
				if x.Done && s.Verb != action.Detach && !deleted[s.Resource.ID] {
					rt.Fatalf("%s is done without a call", s.Resource.ID)
				}
			}
		}
		made += len(cloud.calls)
	})
	if ready == 0 || blocked == 0 || made == 0 {
		t.Errorf("%d targets were ready, %d blocked, %d calls made: the estates are too plain", ready, blocked, made)
	}
	t.Log(ready, "targets were ready,", blocked, "blocked,", made, "calls made")
}
