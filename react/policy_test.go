package react_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/react"
)

// TestTagPolicy corrects what can be and reports the rest.
func TestTagPolicy(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		days := func(n int) react.Span { return react.Span(time.Duration(n) * 24 * time.Hour) }
		policy := []react.TagLimit{
			{Key: "owner", Typos: true, Aliases: []string{"besitzer"}, Values: []string{"ann", "bob"}, Required: true, Kinds: "aws_ec2_*"},
			{Key: "team", Pattern: "[a-z]+", Default: "none", Required: true, Kinds: "aws_s3_bucket"},
			{Key: "expiration", Max: days(60)},
			{Key: "expiration", Max: days(7), Kinds: "aws_ec2_instance"},
			{Key: "expiration", Max: days(300), Accounts: account, Kinds: "aws_ec2_snapshot"},
			{Key: "expires", Max: days(60)},
		}
		want := map[string]string{}
		put := func(kind, id, outcome string, tags map[string]string) {
			w.put(kind, id, row{"tags": tags})
			if outcome != "" {
				want[id] = outcome
			}
		}
		vol := func(id, outcome string, pairs ...string) { put("aws_ec2_volume", id, outcome, tagged(pairs...)) }
		vol("fine", "", "owner", "ann", "expiration", "60d", "expires", "2026-08-01")
		vol("typo", "set owner=ann remove owmer: owmer is a spelling of owner", "owmer", "ann")
		vol("case", "set owner=bob remove Owner", "Owner", "bob")
		vol("alias", "set owner=bob remove besitzer", "besitzer", "bob")
		vol("swapped", "set owner=bob remove onwer", "onwer", "bob")
		vol("both", "left alone: owmer is a spelling of owner, which is there as well", "owmer", "ann", "owner", "bob")
		vol("stranger", `left alone: owner: "eve" is not among the values allowed`, "owner", "eve")
		vol("typo and stranger", "left alone: owmer is a spelling of owner, and \"eve\"", "owmer", "eve")
		vol("nobody", "left alone: owner is missing")
		vol("far", "", "owner", "ann", "ownership", "x")
		vol("years", "set expiration=60d: expiration: 2 years is longer than 60d", "owner", "ann", "expiration", "2 years")
		vol("never", "set expiration=60d: expiration: never is longer than 60d", "owner", "ann", "expiration", "never")
		vol("words", "set expiration=60d: expiration: two years is longer than 60d", "owner", "ann", "expiration", "two years")
		vol("some", `left alone: expiration: "some years" is no duration`, "owner", "ann", "expiration", "some years")
		vol("minutes", `left alone: expiration: "90m" is no duration: m may be minutes or months`, "owner", "ann", "expiration", "90m")
		vol("instant", "set expires=2026-08-14T12:00:00Z: expires: 2030-01-01 is longer than 60d", "owner", "ann", "expires", "2030-01-01")
		put("aws_ec2_instance", "short", "set expiration=7d", tagged("owner", "ann", "expiration", "8d"))
		put("aws_ec2_snapshot", "long", "", tagged("owner", "ann", "expiration", "200d"))
		put("aws_ec2_snapshot", "too long", "set expiration=300d", tagged("owner", "ann", "expiration", "1y"))
		put("aws_s3_bucket", "bucket", "set team=none: team is missing", tagged())
		put("aws_s3_bucket", "numbered", `set team=none: team: "4" does not match [a-z]+`, tagged("team", "4"))
		put("aws_s3_bucket", "unknown", "", nil)
		put("aws_ec2_volume", "guarded", "blocked: protected by its tag protected", tagged("owmer", "ann", "protected", "true"))
		r := rule(t, "tag-policy", func(c *react.Change) { c.Policy = policy })
		p := w.plan(w.planner(), r)
		got := map[string]string{}
		for _, x := range p.Targets {
			var parts []string
			if len(x.Blockers) > 0 {
				parts = append(parts, "blocked:", strings.Join(x.Blockers, "; "))
			}
			for _, s := range x.Steps {
				for _, k := range slices.Sorted(maps.Keys(s.Set)) {
					parts = append(parts, "set "+k+"="+s.Set[k])
				}
				for _, k := range s.Remove {
					parts = append(parts, "remove "+k)
				}
				if len(s.Calls) != 1 {
					t.Errorf("%s of %s takes %d calls", s.Verb, x.ID, len(s.Calls))
				}
			}
			got[x.ID] = strings.Join(parts, " ") + ": " + x.Reason
		}
		for _, x := range p.Skipped {
			got[x.ID] = "left alone: " + x.Why
		}
		for id, text := range want {
			if !strings.HasPrefix(got[id], text) {
				t.Errorf("%s: %q, want %q", id, got[id], text)
			}
			delete(got, id)
		}
		for id, text := range got {
			t.Errorf("%s is unexpected: %s", id, text)
		}
	})
}

func TestRulesAreRefused(t *testing.T) {
	for what, c := range map[string]react.Change{
		"parameter": {Params: map[string]string{"nonsense": "1"}},
		"percent":   {Percent: 120},
		"negative":  {Max: -1},
		"glob":      {Kinds: []string{"["}},
	} {
		for _, r := range react.BundledRules() {
			if r.Name == "expired" {
				if _, err := r.Changed(c); err == nil || !strings.Contains(err.Error(), what) {
					t.Errorf("%s: %v", what, err)
				}
			}
		}
	}
}
