package acting_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// rds makes a call of its own on the emulator.
func rds(t *testing.T, op string, params ...string) string {
	t.Helper()
	form := url.Values{"Action": {op}, "Version": {"2014-10-31"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return post(t, "rds", form)
}

func between(text, from, to string) string {
	_, text, _ = strings.Cut(text, from)
	text, _, _ = strings.Cut(text, to)
	return text
}

// TestSnapshotIsMadeOnce makes a snapshot before a deletion, of a volume, of a
// database and of a cluster of them: what an attempt has made of which nothing
// is known any more is found by the action's id, and not made again.
func TestSnapshotIsMadeOnce(t *testing.T) {
	amazon(t, "aws_ec2_volume")
	volume := ec2(t, "volumeId", "CreateVolume", "AvailabilityZone", region+"a", "Size", "8")[0]
	instance := rds(t, "CreateDBInstance", "DBInstanceIdentifier", "shop", "DBInstanceClass", "db.t3.micro", "Engine", "postgres", "AllocatedStorage", "20",
		"MasterUsername", "root", "MasterUserPassword", "secret99")
	cluster := rds(t, "CreateDBCluster", "DBClusterIdentifier", "shops", "Engine", "aurora-postgresql", "MasterUsername", "root", "MasterUserPassword", "secret99")
	for _, x := range []struct {
		r         action.Resource
		calls     string
		snapshots func() int
	}{
		{action.Resource{Kind: "aws_ec2_volume", ID: volume}, "CreateSnapshot DeleteVolume", func() int {
			return len(ec2(t, "snapshotId", "DescribeSnapshots", "Filter.1.Name", "volume-id", "Filter.1.Value.1", volume))
		}},
		{
			action.Resource{Kind: "aws_rds_db_instance", ID: between(instance, "<DbiResourceId>", "<"), Name: "shop", URN: between(instance, "<DBInstanceArn>", "<")},
			"CreateDBSnapshot DeleteDBInstance",
			func() int { return strings.Count(rds(t, "DescribeDBSnapshots"), "<DBSnapshotIdentifier>dewpoint-") },
		},
		{
			action.Resource{Kind: "aws_rds_db_cluster", ID: between(cluster, "<DbClusterResourceId>", "<"), Name: "shops", URN: between(cluster, "<DBClusterArn>", "<")},
			"CreateDBClusterSnapshot DeleteDBCluster",
			func() int {
				return strings.Count(rds(t, "DescribeDBClusterSnapshots"), "<DBClusterSnapshotIdentifier>dewpoint-")
			},
		},
	} {
		x.r.Cloud, x.r.Account, x.r.Region = "aws", "123456789012", region
		if _, err := amazon(t, x.r.Kind).Read(t.Context(), x.r); err != nil {
			t.Errorf("%s: %v", x.r.Kind, err)
			continue
		}
		args := action.Args{Options: action.Options{Snapshot: true}, ActionID: "7c9e6679-7425-40de-944b-e07fc1f90ae7"}
		var ops []string
		// The process that made it ends before it can say so: another begins anew.
		for range 2 {
			c := amazon(t, x.r.Kind)
			calls, err := c.Calls(action.Delete, x.r, args)
			if err != nil {
				t.Fatal(err)
			}
			ops = nil
			for _, call := range calls {
				ops = append(ops, call.Op)
			}
			state, err := c.Do(t.Context(), x.r, calls[0])
			if err != nil || state == "" {
				t.Fatalf("%s: %q %v", x.r.Kind, state, err)
			}
			if done, err := c.Ended(t.Context(), x.r, calls[0], state); err != nil || !done {
				t.Errorf("the snapshot of %s is done: %t, %v", x.r.Kind, done, err)
			}
		}
		if got := strings.Join(ops, " "); got != x.calls {
			t.Errorf("the calls of %s are %s", x.r.Kind, got)
		}
		if n := x.snapshots(); n != 1 {
			t.Errorf("of %s there are %d snapshots", x.r.Kind, n)
		}
		// It stays when what it was made of goes.
		c := amazon(t, x.r.Kind)
		calls, err := c.Calls(action.Delete, x.r, args)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Do(t.Context(), x.r, calls[1]); err != nil {
			t.Errorf("%s: %v", x.calls, err)
		}
		if n := x.snapshots(); n != 1 {
			t.Errorf("when %s is gone there are %d snapshots of it", x.r.Kind, n)
		}
	}
	// Without the option none is made.
	calls, err := amazon(t, "aws_ec2_volume").Calls(action.Delete, action.Resource{Cloud: "aws", Kind: "aws_ec2_volume", ID: "v"}, action.Args{})
	if err != nil || slices.ContainsFunc(calls, func(c action.Call) bool { return c.Op == "CreateSnapshot" }) {
		t.Errorf("the calls are %v: %v", calls, err)
	}
}
