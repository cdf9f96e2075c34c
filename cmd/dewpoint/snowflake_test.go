package main

import (
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/sinks/snowflake/snowflaketest"
)

// TestApplyOnSnowflake applies a plan where Snowflake is the first sink: what is
// read anew goes into clones, and the tables stay as they are.
func TestApplyOnSnowflake(t *testing.T) {
	t.Parallel()
	g := newGround(t, "")
	snow, err := snowflaketest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(snow.Stop)
	g.write("dewpoint.yaml", strings.NewReplacer("max_per_day: 8", "max_per_day: 100", "react:", "sinks: [\""+snow.NewSchema()+"\"]\nreact:").Replace(faultyConfig))
	for _, name := range []string{"gone", "changed"} {
		g.volume(name, "owner=ann", "expires=2025-01-01")
	}
	g.exits(0, "sync", "-q")
	g.wants(g.exits(0, "react", "plan", "expired", "--out", "plan.json"), "^expired: 2 of 2 matched to be done")
	ec2(t, g.moto, "CreateTags", "ResourceId.1", g.ids["changed"], "Tag.1.Key", "owner", "Tag.1.Value", "eve")
	g.wants(g.exits(3, "react", "apply", "plan.json"), "^expired: 1 of 2 done", "not done +aws_ec2_volume "+g.ids["changed"]+" .* have changed: plan again")
	g.wants(g.exits(0, "query", "SELECT (SELECT COUNT(*) FROM aws_ec2_volume WHERE tags:owner::VARCHAR = 'ann') || ' as they were, ' || (SELECT COUNT(*) FROM dewpoint_overlays) || ' overlays' AS said"),
		"2 as they were, 0 overlays")
}
