package acting_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// autoscaling makes a call of its own on the emulator.
func autoscaling(t *testing.T, op string, params ...string) string {
	t.Helper()
	form := url.Values{"Action": {op}, "Version": {"2011-01-01"}}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	return post(t, "autoscaling", form)
}

// TestGroupIsScaledToNothingAndBack keeps in tags how large a group was.
func TestGroupIsScaledToNothingAndBack(t *testing.T) {
	c := amazon(t, "aws_autoscaling_auto_scaling_group")
	autoscaling(t, "CreateLaunchConfiguration", "LaunchConfigurationName", "lc", "ImageId", "ami-12c6146b", "InstanceType", "t2.medium")
	autoscaling(t, "CreateAutoScalingGroup", "AutoScalingGroupName", "web", "LaunchConfigurationName", "lc", "MinSize", "1", "MaxSize", "5", "DesiredCapacity", "3",
		"AvailabilityZones.member.1", region+"a", "Tags.member.1.Key", "owner", "Tags.member.1.Value", "ann", "Tags.member.1.ResourceId", "web")
	text := autoscaling(t, "DescribeAutoScalingGroups")
	_, arn, _ := strings.Cut(text, "<AutoScalingGroupARN>")
	arn, _, _ = strings.Cut(arn, "<")
	r := action.Resource{Cloud: "aws", Account: "123456789012", Region: region, Kind: "aws_autoscaling_auto_scaling_group", ID: arn, URN: arn, Name: "web"}
	is := func(status, min, desired string, tags int) {
		t.Helper()
		cur, err := c.Read(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if cur.Status != status || cur.Columns["min_size"] != min || cur.Columns["desired_capacity"] != desired || len(cur.Tags) != tags {
			t.Errorf("it is %+v", cur)
		}
	}
	is("running", "1", "3", 1)
	if _, err := c.Calls(action.Start, r, action.Args{}); err == nil || !strings.Contains(err.Error(), "{tag.dewpoint-former-") {
		t.Errorf("a group of which nobody knows how large it was: %v", err)
	}
	if _, err := c.Calls(action.Stop, r, action.Args{}); err == nil {
		t.Error("a group whose size is not known is stopped")
	}
	if err := do(t, c, action.Stop, r, action.Args{}, nil); err != nil {
		t.Fatal(err)
	}
	is("stopped", "0", "0", 3)
	if err := do(t, c, action.Start, r, action.Args{}, nil); err != nil {
		t.Fatal(err)
	}
	is("running", "1", "3", 3)
	for v, a := range map[action.Verb]action.Args{action.Tag: {Tags: map[string]string{"team": "x"}}, action.Untag: {Keys: []string{"owner"}}} {
		if err := do(t, c, v, r, a, nil); err != nil {
			t.Fatal(err)
		}
	}
	if cur, err := c.Read(t.Context(), r); err != nil || cur.Tags["team"] != "x" || cur.Tags["owner"] != "" {
		t.Errorf("its tags are %v: %v", cur.Tags, err)
	}
	r.ID = "another"
	if _, err := c.Read(t.Context(), r); !errors.Is(err, action.ErrGone) {
		t.Errorf("another group under the name: %v", err)
	}
}
