package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/schema"
)

// calls writes the call plan: each list with its kinds, its children below.
func calls(lists []*ListCall, indent string) string {
	var b strings.Builder
	for _, l := range lists {
		fmt.Fprintf(&b, "%s%s %s", indent, l.Service, l.Op)
		for _, in := range l.Inputs {
			fmt.Fprintf(&b, " %s", in)
		}
		if l.Pager != nil {
			fmt.Fprintf(&b, " pages %v", l.Pager.InputTokens)
		}
		b.WriteString(" ->")
		for _, e := range l.Entries {
			b.WriteString(" " + e.Kind.Name)
		}
		for _, w := range l.When {
			fmt.Fprintf(&b, " when %s=%v", w.Path, w.Values)
		}
		b.WriteByte('\n')
		b.WriteString(calls(l.Children, indent+"  "))
	}
	return b.String()
}

const iamFile = `service: iam
scope: account
kinds:
  aws_iam_user:
    list: GetAccountAuthorizationDetails
    items: UserDetailList[]
    id: UserId
  aws_iam_group: {list: GetAccountAuthorizationDetails, items: "GroupDetailList[]", id: GroupId}
  aws_iam_role: {list: GetAccountAuthorizationDetails, items: "RoleDetailList[]", id: RoleId}
  aws_iam_policy: {list: GetAccountAuthorizationDetails, items: "Policies[]", id: PolicyId}
  aws_iam_local_policy: {list: GetAccountAuthorizationDetails, input: {Filter: [LocalManagedPolicy]}, items: "Policies[]", id: PolicyId}
`

const ecsFile = `service: ecs
kinds:
  aws_ecs_cluster:
    list: ListClusters
    items: clusterArns[]
    id: .
  aws_ecs_service:
    for_each: aws_ecs_cluster
    list: ListServices
    input: {cluster: "{parent | after_last(/)}"}
    items: serviceArns[]
    id: .
    details:
      - {call: DescribeServices, input: {cluster: "{parent}", services: "{keys}"}, size: 10, key: ., items: "services[]", match: serviceArn,
         failures: {items: "failures[]", key: arn, code: reason}, gone_on: [MISSING]}
    edges:
      - {to: aws_ecs_cluster, ref: "{parent}"}
  aws_ecs_task:
    for_each: aws_ecs_cluster
    list: ListTasks
    input: {cluster: "{parent}"}
    inputs: [{desiredStatus: RUNNING}, {desiredStatus: STOPPED}]
    items: taskArns[]
    id: .
  aws_ecs_task_set:
    for_each: aws_ecs_service
    when: {".": [a, b]}
    list: DescribeTaskSets
    input: {cluster: "x", service: "{parent}"}
    items: taskSets[]
    id: ["{parent}", id]
`

func TestOneCallFeedsSeveralKinds(t *testing.T) {
	c, err := load("iam.yaml", iamFile, "ecs.yaml", ecsFile)
	if err != nil {
		t.Fatal(err)
	}
	const want = `ecs ListClusters {} pages [nextToken] -> aws_ecs_cluster
  ecs ListServices {"cluster":"{parent | after_last(/)}"} pages [nextToken] -> aws_ecs_service
    ecs DescribeTaskSets {"cluster":"x","service":"{parent}"} -> aws_ecs_task_set when .=[a b]
  ecs ListTasks {"cluster":"{parent}","desiredStatus":"RUNNING"} {"cluster":"{parent}","desiredStatus":"STOPPED"} pages [nextToken] -> aws_ecs_task
iam GetAccountAuthorizationDetails {"MaxItems":1000} pages [Marker] -> aws_iam_group aws_iam_policy aws_iam_role aws_iam_user
iam GetAccountAuthorizationDetails {"Filter":["LocalManagedPolicy"],"MaxItems":1000} pages [Marker] -> aws_iam_local_policy
`
	if got := calls(c.Lists(c.Entries()), ""); sorted(got) != sorted(want) {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	// What is wanted alone brings its parents' calls, not their rows.
	e, _ := c.Entry("aws_ecs_task_set")
	got := calls(c.Lists([]*Entry{e}), "")
	for _, want := range []string{"ListClusters", "ListServices", "DescribeTaskSets"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not among\n%s", want, got)
		}
	}
	if strings.Contains(got, "-> aws_ecs_cluster") || strings.Contains(got, "ListTasks") {
		t.Errorf("more than wanted:\n%s", got)
	}
}

// sorted has the lines of a text in order.
func sorted(s string) string {
	lines := map[string]bool{}
	for l := range strings.SplitSeq(s, "\n") {
		lines[l] = true
	}
	return strings.Join(sortedKeys(lines), "\n")
}

func TestParentsCaptureWhatChildrenNeed(t *testing.T) {
	c, err := load("ecs.yaml", ecsFile)
	if err != nil {
		t.Fatal(err)
	}
	cluster, _ := c.Entry("aws_ecs_cluster")
	service, _ := c.Entry("aws_ecs_service")
	if n := len(cluster.Spec.Captures); n != 2 {
		t.Fatalf("%d captures of the cluster, want . and . | after_last(/)", n)
	}
	in, err := service.List.Inputs[0].Values(Vars{Parent: []string{"production", "arn:aws:ecs:x:1:cluster/production"}})
	if err != nil || in["cluster"] != "production" {
		t.Errorf("%v, %v", in, err)
	}
	if e := service.Spec.Edges[0]; e.Parent != 2 {
		t.Errorf("the edge takes value %d of the parent, want 2", e.Parent)
	}
	if service.Kind.Edges[0].Relation != "in" || service.Kind.Parent != "aws_ecs_cluster" {
		t.Errorf("%+v, parent %s", service.Kind.Edges[0], service.Kind.Parent)
	}
	d := service.Details[0]
	if d.Batch != 10 || d.Key != 0 || d.Source != 1 {
		t.Errorf("%+v", d)
	}
	in, err = d.Input.Values(Vars{Parent: []string{"p", "arn"}, Keys: []string{"a", "b"}})
	if got, _ := json.Marshal(in); err != nil || string(got) != `{"cluster":"arn","services":["a","b"]}` {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := d.Input.Values(Vars{Parent: []string{"p"}, Keys: []string{"a"}}); err == nil || err.Error() != "input cluster: {parent} has no value" {
		t.Errorf("a template without its value: %v", err)
	}
}

func TestInputs(t *testing.T) {
	c, err := load("f.yaml", volumes+`    details:
      - call: DescribeVolumeAttribute
        input: {VolumeId: "{item.VolumeId}", Attribute: autoEnableIO, DryRun: "{item.Encrypted}"}
        columns: false
    get: {call: DescribeVolumes, input: {VolumeIds: ["{id}"], MaxResults: "{column.size}", Filters: [{Name: "r:{region}", Values: ["{name}"]}]}, items: "Volumes[]"}
    tag: {call: CreateTags, input: {Resources: ["{id}"], Tags: "{tags}"}}
    untag: {call: DeleteTags, input: {Resources: ["{id}"], Tags: "{keys}"}}
    delete: {call: DeleteVolume, input: {VolumeId: "{id}"}, before: [{call: DetachVolume, input: {VolumeId: "{id}", Force: true}}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("aws_ec2_volume")
	v := Vars{
		ID: "vol-1", Name: "n", Region: "eu-west-1", Item: []string{"true", "vol-1"}, Keys: []string{"k"},
		Columns: map[string]string{"size": "7"}, Tags: map[string]string{"b": "2", "a": "1"},
	}
	for _, x := range []struct {
		in   *Input
		want string
	}{
		{e.List.Inputs[0], `{}`},
		{e.Details[0].Input, `{"Attribute":"autoEnableIO","DryRun":true,"VolumeId":"vol-1"}`},
		{e.Get.Input, `{"Filters":[{"Name":"r:eu-west-1","Values":["n"]}],"MaxResults":7,"VolumeIds":["vol-1"]}`},
		{e.Tag.Input, `{"Resources":["vol-1"],"Tags":[{"Key":"a","Value":"1"},{"Key":"b","Value":"2"}]}`},
		{e.Untag.Input, `{"Resources":["vol-1"],"Tags":[{"Key":"k"}]}`},
		{e.Delete.Input, `{"VolumeId":"vol-1"}`},
		{e.Before[0].Input, `{"Force":true,"VolumeId":"vol-1"}`},
	} {
		in, err := x.in.Values(v)
		got, _ := json.Marshal(in)
		if err != nil || string(got) != x.want {
			t.Errorf("%s: got %s, %v, want %s", x.in, got, err, x.want)
		}
	}
	if _, err := e.Details[0].Input.Values(Vars{Item: []string{"maybe", "vol-1"}}); err == nil {
		t.Error("a boolean took a text that is none")
	}
}

func TestPager(t *testing.T) {
	c, err := load("r.yaml", `service: route53
scope: account
kinds:
  aws_route53_hosted_zone: {list: ListHostedZones, items: "HostedZones[]", id: Id}
  aws_route53_record_set:
    for_each: aws_route53_hosted_zone
    list: ListResourceRecordSets
    input: {HostedZoneId: "{parent.Id}"}
    items: ResourceRecordSets[]
    page: {size: 300}
    id: [Name, Type]
`, "s.yaml", "service: sqs\nkinds:\n  aws_sqs_queue: {list: ListQueues, items: \"QueueUrls[]\", id: ., page: {size: 1000}}\n")
	if err != nil {
		t.Fatal(err)
	}
	records, _ := c.Entry("aws_route53_record_set")
	queues, _ := c.Entry("aws_sqs_queue")
	if in, _ := records.List.Inputs[0].Values(Vars{Parent: []string{"Z"}}); in["MaxItems"] != "300" {
		t.Errorf("%v: the limit is a text there", in)
	}
	for _, x := range []struct {
		name   string
		pager  *Pager
		input  map[string]any
		tokens []string
		more   bool
		want   string
	}{
		{"end", queues.List.Pager, map[string]any{}, []string{""}, false, `{}`},
		{"next", queues.List.Pager, map[string]any{"MaxResults": 1}, []string{"t"}, true, `{"MaxResults":1,"NextToken":"t"}`},
		{"repeated", queues.List.Pager, map[string]any{"NextToken": "t"}, []string{"t"}, false, "error: the answer repeats the token it was asked with (NextToken)"},
		{"too few", queues.List.Pager, map[string]any{}, nil, false, "error: page has 0 tokens, not 1"},
		{"three parts", records.List.Pager, map[string]any{}, []string{"n", "A", "", "true"}, true, `{"StartRecordName":"n","StartRecordType":"A"}`},
		{"a part goes", records.List.Pager, map[string]any{"StartRecordName": "m", "StartRecordIdentifier": "i"}, []string{"n", "A", "", "true"}, true, `{"StartRecordName":"n","StartRecordType":"A"}`},
		{"not more", records.List.Pager, map[string]any{}, []string{"n", "A", "", "false"}, false, `{}`},
		{"cut", records.List.Pager, map[string]any{}, []string{"", "", "", "true"}, false, "error: the answer says that there is more but gives no token (NextRecordName)"},
	} {
		in := maps.Clone(x.input)
		more, err := x.pager.Next(in, x.tokens)
		b, _ := json.Marshal(in)
		got := string(b)
		if err != nil {
			got = "error: " + err.Error()
		}
		if more != x.more || got != x.want {
			t.Errorf("%s: got %t, %s, want %t, %s", x.name, more, got, x.more, x.want)
		}
	}
}

func TestBatchesSendNoLimit(t *testing.T) {
	c, err := load("f.yaml", volumes+"    details:\n      - {call: DescribeVolumeStatus, size: 100, key: VolumeId, items: \"VolumeStatuses[]\", match: VolumeId, input: {VolumeIds: \"{keys}\"}}\n")
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("aws_ec2_volume")
	in, err := e.Details[0].Input.Values(Vars{Keys: []string{"v"}})
	if err != nil || len(in) != 1 {
		t.Errorf("%v, %v", in, err)
	}
}

func TestDefinitionIsOfWhatDecidesTheRows(t *testing.T) {
	def := func(text string) string {
		c, err := load("f.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		return c.Entries()[0].Kind.Definition
	}
	base := def(volumes)
	for _, same := range []string{"    volatile: [Size]\n", "    page: {size: 50}\n", "    rename: {Size: gib}\n"} {
		if def(volumes+same) != base {
			t.Errorf("%s changed the definition", same)
		}
	}
	for _, other := range []string{"    input: {VolumeIds: [a]}\n", "    only: {State: [in-use]}\n", "    key_scope: account\n"} {
		if def(volumes+other) == base {
			t.Errorf("%s did not change the definition", other)
		}
	}
}

func TestConditions(t *testing.T) {
	for _, x := range []struct {
		values, have []string
		want         bool
	}{
		{[]string{"a"}, []string{"a"}, true},
		{[]string{"a", "b"}, []string{"c", "b"}, true},
		{[]string{"a"}, []string{"c"}, false},
		{[]string{"a"}, nil, false},
		{[]string{"", "a"}, nil, true},
	} {
		if got := (Condition{Values: x.values}).Holds(x.have); got != x.want {
			t.Errorf("%v of %v: %t", x.have, x.values, got)
		}
	}
}

func TestKeyScope(t *testing.T) {
	c, err := load("iam.yaml", iamFile, "f.yaml", volumes)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]schema.KeyScope{"aws_iam_user": schema.KeyAccount, "aws_ec2_volume": schema.KeyRegion} {
		if e, _ := c.Entry(name); e.Kind.KeyScope != want || e.List.Account != (want == schema.KeyAccount) {
			t.Errorf("%s: %s, account %t", name, e.Kind.KeyScope, e.List.Account)
		}
	}
}

func TestElseIsForResourcesThatLackAValue(t *testing.T) {
	c, err := load("f.yaml", volumes+`    delete:
      call: ModifyVolumeAttribute
      input: {VolumeId: "{column.snapshot_id}"}
      else: {call: DetachVolume, input: {VolumeId: "{column.kms_key_id}"}, else: {call: DeleteVolume, input: {VolumeId: "{id}"}}}
`)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("aws_ec2_volume")
	for _, x := range []struct {
		columns map[string]string
		want    string
	}{
		{map[string]string{"snapshot_id": "s", "kms_key_id": "k"}, `ModifyVolumeAttribute {"VolumeId":"s"}`},
		{map[string]string{"kms_key_id": "k"}, `DetachVolume {"VolumeId":"k"}`},
		{nil, `DeleteVolume {"VolumeId":"v"}`},
	} {
		a, in, err := e.Delete.Resolve(Vars{ID: "v", Columns: x.columns})
		if err != nil {
			t.Error(err)
			continue
		}
		if b, _ := json.Marshal(in); a.Op+" "+string(b) != x.want {
			t.Errorf("%v: %s %s, want %s", x.columns, a.Op, b, x.want)
		}
	}
	if _, _, err := e.Delete.Resolve(Vars{}); err == nil || err.Error() != "input VolumeId: {column.snapshot_id} has no value" {
		t.Errorf("no call has its values: %v", err)
	}
	if got := strings.Join(e.Writes(), " "); got != "ec2:DeleteVolume ec2:DetachVolume ec2:ModifyVolumeAttribute" {
		t.Error(got)
	}
	_, err = load("f.yaml", volumes+"    get: {call: DescribeVolumes, else: {call: DescribeVolume}}\n")
	if err == nil || !strings.Contains(err.Error(), `no operation "DescribeVolume"`) {
		t.Errorf("%v", err)
	}
}

func TestAllTagsAreThoseAfterTheCall(t *testing.T) {
	c, err := load("f.yaml", volumes+`    untag: {call: CreateTags, input: {Resources: ["{id}"], Tags: "{all_tags}"}}
`)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := c.Entry("aws_ec2_volume")
	for want, all := range map[string]map[string]string{
		`{"Resources":["v"],"Tags":[{"Key":"a","Value":"1"}]}`: {"a": "1"},
		`{"Resources":["v"],"Tags":[]}`:                        {},
		`error: input Tags: {all_tags} has no value`:           nil, // not known: they would be lost
	} {
		in, err := e.Untag.Input.Values(Vars{ID: "v", AllTags: all})
		b, _ := json.Marshal(in)
		got := string(b)
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	_, err = load("f.yaml", volumes+`    get: {call: CreateTags, input: {Resources: ["{id}"], Tags: "{all_tags}"}}`+"\n")
	if err == nil || !strings.Contains(err.Error(), "unknown variable {all_tags}") {
		t.Errorf("%v", err)
	}
}
