package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/aws/mototest"
	"github.com/dewpoint-data/dewpoint/react"
)

// ground is a directory to run dewpoint in, against an emulator of AWS behind
// a gate.
type ground struct {
	*testing.T
	dir, moto string
	gate      *cloudGate
	ids       map[string]string // of volumes, by name
}

func newGround(t *testing.T, config string) *ground {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") != "" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	moto, stop, err := mototest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	g := &ground{T: t, dir: t.TempDir(), moto: moto, gate: newCloudGate(t, moto), ids: map[string]string{}}
	g.write("dewpoint.yaml", config)
	return g
}

func (g *ground) write(name, text string) {
	g.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
		g.Fatal(err)
	}
}

// command is dewpoint as a process of its own.
func (g *ground) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	g.Helper()
	self, err := os.Executable()
	if err != nil {
		g.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(g.Context(), self)
	cmd.Args, cmd.Dir, cmd.Stdout, cmd.Stderr = append([]string{"dewpoint"}, args...), g.dir, &out, &out
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+g.gate.URL, "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret", "AWS_REGION=eu-west-1",
		"AWS_CONFIG_FILE=none", "AWS_SHARED_CREDENTIALS_FILE=none", "AWS_EC2_METADATA_DISABLED=true", "HOME="+g.dir, "NO_COLOR=1")
	return cmd, &out
}

// exits runs dewpoint, which must end with a code, and returns what it prints.
func (g *ground) exits(code int, args ...string) string {
	g.Helper()
	cmd, out := g.command(args...)
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != code {
		g.Fatalf("dewpoint %s exits with %d, want %d:\n%s", strings.Join(args, " "), got, code, out)
	}
	return out.String()
}

// killed runs dewpoint and kills it when a call meets its fate. meanwhile is
// called before.
func (g *ground) killed(reached <-chan struct{}, meanwhile func(), args ...string) {
	g.Helper()
	cmd, out := g.command(args...)
	if err := cmd.Start(); err != nil {
		g.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-reached:
	case err := <-ended:
		g.Fatalf("dewpoint %s ends before it is killed: %v:\n%s", strings.Join(args, " "), err, out)
	}
	meanwhile()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		g.Fatal(err)
	}
	<-ended
}

var idPattern = regexp.MustCompile(`<(snapshotId|volumeId|vpcId)>([^<]+)<`)

// volume makes a volume with tags.
func (g *ground) volume(name string, tags ...string) {
	g.Helper()
	params := []string{"AvailabilityZone", "eu-west-1a", "Size", "8", "TagSpecification.1.ResourceType", "volume"}
	for i, kv := range append([]string{"Name=" + name}, tags...) {
		k, v, _ := strings.Cut(kv, "=")
		at := fmt.Sprintf("TagSpecification.1.Tag.%d.", i+1)
		params = append(params, at+"Key", k, at+"Value", v)
	}
	g.ids[name] = idPattern.FindStringSubmatch(ec2(g.T, g.moto, "CreateVolume", params...))[2]
}

// names gives calls the names of volumes in place of their ids.
func (g *ground) names(calls []string) []string {
	var pairs []string
	for name, id := range g.ids {
		pairs = append(pairs, id, name)
	}
	r := strings.NewReplacer(pairs...)
	out := make([]string, len(calls))
	for i, c := range calls {
		out[i] = r.Replace(c)
	}
	slices.Sort(out)
	return out
}

// wants holds that a text matches patterns.
func (g *ground) wants(text string, patterns ...string) {
	g.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			g.Errorf("%q does not match in:\n%s", p, text)
		}
	}
}

const faultyConfig = `
aws: {regions: [eu-west-1]}
kinds: {only: [aws_ec2_instance, aws_ec2_network_interface, aws_ec2_volume, aws_ec2_vpc, sts]}
react:
  aws: [{}]
  max_per_day: 8
  rules:
    expired: {grace: 0, percent: 100, unread: ["*"]}
    tag-policy: {policy: [{key: owner, typos: true}]}
    untagged: {grace: 0, percent: 100, unread: ["*"], params: {min_age: 0s}}
`

// moment is when an application is killed: at a call on a volume, before it is
// carried out or when only its answer is missing.
type moment struct {
	name, op string
	after    bool
}

// TestApplySurvives kills applications of a plan at every step of deletions
// and of corrections, while some calls are denied, throttled, or in the way of
// something, and applies the plan again each time: nothing is done twice,
// nothing that should not be, and the ledger knows it all.
func TestApplySurvives(t *testing.T) {
	t.Parallel()
	g := newGround(t, faultyConfig)
	moments := []moment{
		{"typo-1", "CreateTags", false},     // its intent is known
		{"typo-1", "CreateTags", true},      // and that it was done is not
		{"typo-2", "DeleteTags", true},      // half of it was done
		{"gone-1", "DescribeVolumes", true}, // no intent is known
		{"gone-2", "DeleteVolume", false},
		{"gone-3", "DeleteVolume", true},
		{"gone-4", "awaits", false}, // it was called for, and is not known to be done
	}
	for i := 1; i <= 2; i++ {
		g.volume(fmt.Sprint("typo-", i), "owmer=bob")
	}
	ended := []string{"owner=ann", "expires=2025-01-01"}
	for _, name := range []string{"gone-1", "gone-2", "gone-3", "gone-4", "denied", "throttled", "busy", "changed"} {
		g.volume(name, ended...)
	}
	g.volume("protected", append(ended, "protected=true")...)
	for i := 1; i <= 3; i++ {
		g.volume(fmt.Sprint("nobody-", i))
	}
	g.exits(0, "sync", "-q")
	g.exits(0, "react", "plan", "--out", "plan.json")
	ec2(t, g.moto, "CreateTags", "ResourceId.1", g.ids["changed"], "Tag.1.Key", "owner", "Tag.1.Value", "eve")

	throttles, busy, reads := 2, 1, map[string]int{}
	faults := func(op, id string) fate {
		switch {
		case op != "DeleteVolume":
		case id == g.ids["denied"]:
			return fate{code: "UnauthorizedOperation", status: 403}
		case id == g.ids["throttled"] && throttles > 0:
			throttles--
			return fate{code: "RequestLimitExceeded", status: 503}
		case id == g.ids["busy"] && busy > 0:
			busy--
			return fate{code: "VolumeInUse", status: 400}
		}
		return fate{}
	}
	for n, m := range moments {
		// What is to be killed later is not reached before.
		later := map[string]bool{}
		for _, x := range moments[n+1:] {
			later[g.ids[x.name]] = x.name != m.name
		}
		clear(reads)
		deleted := false
		reached := g.gate.through(func(op, id string) fate {
			switch {
			case later[id]:
				return fate{held: true}
			case id != g.ids[m.name]:
				return faults(op, id)
			}
			at := op == m.op
			if m.op == "awaits" {
				at = op == "DescribeVolumes" && deleted
				deleted = deleted || op == "DeleteVolume"
			}
			return fate{held: at && !m.after, heldAfter: at && m.after, last: at}
		})
		g.killed(reached, func() {
			if n == 0 {
				g.wants(g.exits(1, "react", "apply", "plan.json"), "the state is held by process")
			}
		}, "react", "apply", "plan.json")
	}
	g.gate.through(faults)
	out := g.exits(1, "react", "apply", "plan.json")
	g.wants(out, "^tag-policy: 2 of 2 done", "^expired: 6 of 8 done, 1 blocked", "not done +aws_ec2_volume "+g.ids["denied"]+" .*UnauthorizedOperation",
		"not done +aws_ec2_volume "+g.ids["changed"]+" .* the tags of .* have changed: plan again",
		"on fresh rows the plan of untagged is refused: 6 resources were deleted in 24 hours, 3 more would be over the limit of 8 for all rules")

	want := []string{"CreateTags typo-1", "CreateTags typo-2", "DeleteTags typo-1", "DeleteTags typo-2"}
	for _, name := range []string{"gone-1", "gone-2", "gone-3", "gone-4", "throttled", "busy"} {
		want = append(want, "DeleteVolume "+name)
	}
	slices.Sort(want)
	if got := g.names(g.gate.writes()); !slices.Equal(got, want) {
		t.Errorf("the calls are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var left []string
	for _, m := range regexp.MustCompile(`<volumeId>([^<]+)<`).FindAllStringSubmatch(ec2(t, g.moto, "DescribeVolumes"), -1) {
		left = append(left, m[1])
	}
	wanted := []string{"changed", "denied", "nobody-1", "nobody-2", "nobody-3", "protected", "typo-1", "typo-2"}
	if got := g.names(left); !slices.Equal(got, wanted) {
		t.Errorf("the volumes are %s, want %s", got, wanted)
	}
	// The ledger has every step, and nothing of others.
	ledger, err := react.OpenFileStore(filepath.Join(g.dir, "dewpoint.state")).Actions(context.Background(), react.ActionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]react.State{}
	for _, a := range ledger {
		states[g.names([]string{string(a.Verb) + " " + a.Resource})[0]] = a.State
		if a.Resource == g.ids["denied"] && !strings.Contains(a.Error, "UnauthorizedOperation") {
			t.Errorf("the ledger says of the denied call: %q", a.Error)
		}
	}
	wantStates := map[string]react.State{"delete denied": react.Failed}
	for _, w := range want {
		op, name, _ := strings.Cut(w, " ")
		wantStates[map[string]string{"CreateTags": "tag", "DeleteTags": "untag", "DeleteVolume": "delete"}[op]+" "+name] = react.Done
	}
	if !maps.Equal(states, wantStates) {
		t.Errorf("the ledger has %v, want %v", states, wantStates)
	}
	if _, err := os.Stat(filepath.Join(g.dir, "dewpoint.duckdb.overlay")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a copy of the estate is left behind: %v", err)
	}
	g.absence()
	g.hidden()
}

// absence holds that a rule from absence acts on no reading that is partial,
// be it before its plan or before its application.
func (g *ground) absence() {
	g.write("vpcs.yaml", strings.NewReplacer("max_per_day: 8", "max_per_day: 100", "  rules:", `  rules:
    empty-vpcs: {grace: 0.01s, percent: 100, unread: ["*"]}`).Replace(faultyConfig))
	vpc := idPattern.FindStringSubmatch(ec2(g.T, g.moto, "CreateVpc", "CidrBlock", "10.9.0.0/16"))[2]
	plan := []string{"react", "plan", "expired", "empty-vpcs", "-c", "vpcs.yaml", "--out", "vpcs.json"}
	apply := []string{"react", "apply", "vpcs.json", "-c", "vpcs.yaml"}
	denied := func(op, _ string) fate {
		if op == "DescribeNetworkInterfaces" {
			return fate{code: "UnauthorizedOperation", status: 403}
		}
		return fate{}
	}
	g.exits(0, "sync", "-q")
	// The tables show what the file of the state holds.
	g.wants(g.exits(0, "query", "SELECT (SELECT count(*) FROM actions WHERE state = 'done') AS done, doc->>'error' AS error FROM actions WHERE state = 'failed'"), "10 .*UnauthorizedOperation")
	g.wants(g.exits(0, plan...), "^expired: 2 of 3 matched to be done, 1 blocked", "waits +aws_ec2_vpc "+vpc+" .* absent since this sync only")
	g.gate.through(denied)
	g.exits(3, "sync", "-q")
	unknown := vpc + " .* whether something is absent is not known: aws_ec2_network_interface in aws/[0-9]+/eu-west-1 is denied"
	g.wants(g.exits(0, plan...), "left alone +aws_ec2_vpc "+unknown)
	g.gate.through(nil)
	g.exits(0, "sync", "-q")
	g.wants(g.exits(0, plan...), "^empty-vpcs: 1 of 1 matched to be done")
	g.gate.through(denied)
	g.wants(g.exits(3, apply...), "not done +aws_ec2_vpc "+unknown)
	if writes := g.gate.writes(); slices.ContainsFunc(writes, func(w string) bool { return strings.HasPrefix(w, "DeleteVpc") }) {
		g.Errorf("the calls are %s", writes)
	}
	g.gate.through(nil)
	g.wants(g.exits(0, apply...), "^empty-vpcs: 1 of 1 done")
	if text := ec2(g.T, g.moto, "DescribeVpcs"); strings.Contains(text, vpc) {
		g.Errorf("the network is still there: %s", text)
	}
}

// hidden holds that what may be referred to unseen is not deleted: the call that
// tells what launch templates refer to is denied before a plan, or before its
// application.
func (g *ground) hidden() {
	g.write("hidden.yaml", `
aws: {regions: [eu-west-1]}
kinds: {only: [aws_ec2_image, aws_ec2_launch_template, aws_ec2_snapshot, sts]}
sinks: ["duckdb:hidden.duckdb"]
react:
  aws: [{}]
  state: hidden.state
  rules:
    expired: {grace: 0, percent: 100, kinds: [aws_ec2_snapshot]}
`)
	snapshot := func() string {
		return idPattern.FindStringSubmatch(ec2(g.T, g.moto, "CreateSnapshot", "VolumeId", g.ids["protected"], "TagSpecification.1.ResourceType", "snapshot",
			"TagSpecification.1.Tag.1.Key", "expires", "TagSpecification.1.Tag.1.Value", "2025-01-01"))[2]
	}
	used, free := snapshot(), snapshot()
	ec2(g.T, g.moto, "CreateLaunchTemplate", "LaunchTemplateName", "template", "LaunchTemplateData.BlockDeviceMapping.1.DeviceName", "/dev/sdf", "LaunchTemplateData.BlockDeviceMapping.1.Ebs.SnapshotId", used)
	sync := []string{"sync", "-q", "-c", "hidden.yaml"}
	plan := []string{"react", "plan", "expired", "-c", "hidden.yaml", "--out", "hidden.json"}
	apply := []string{"react", "apply", "hidden.json", "-c", "hidden.yaml"}
	denied := func(op, _ string) fate {
		if op == "DescribeLaunchTemplateVersions" {
			return fate{code: "UnauthorizedOperation", status: 403}
		}
		return fate{}
	}
	unknown := "what refers to it is not known: details of 1 aws_ec2_launch_template could not be read: .*block_device_mappings"
	g.gate.through(denied)
	g.exits(3, sync...)
	g.wants(g.exits(0, plan...), "^expired: 0 of 2 matched to be done, 2 blocked", unknown)
	g.gate.through(nil)
	g.exits(0, sync...)
	g.wants(g.exits(0, plan...), "^expired: 1 of 2 matched to be done, 1 blocked", "it is referred to by aws_ec2_launch_template")
	g.gate.through(denied)
	g.wants(g.exits(3, apply...), "not done +aws_ec2_snapshot .*"+unknown)
	g.gate.through(nil)
	// The state has the plan as well, by its id.
	plans := regexp.MustCompile(`(?m)^([0-9a-f-]{36}) +expired +1 +.*@`).FindStringSubmatch(g.exits(0, "react", "plans", "-c", "hidden.yaml"))
	if plans == nil {
		g.Fatal("the plan is not in the state")
	}
	g.wants(g.exits(0, "react", "apply", plans[1], "-c", "hidden.yaml"), "^expired: 1 of 1 done, 1 blocked")
	if text := ec2(g.T, g.moto, "DescribeSnapshots"); strings.Contains(text, ">"+free+"<") || !strings.Contains(text, ">"+used+"<") {
		g.Errorf("the snapshots are %s", text)
	}
}
