package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// load compiles files as embedded ones: name, text, name, text, ...
func load(files ...string) (*Catalogue, error) {
	var docs []*document
	for i := 0; i < len(files); i += 2 {
		docs = append(docs, parseDocument(files[i], []byte(files[i+1]), false))
	}
	return build(aws(), docs, nil)
}

// volumes is a sound file that the cases change or add to.
const volumes = `service: ec2
kinds:
  aws_ec2_volume:
    list: DescribeVolumes
    items: Volumes[]
    id: VolumeId
    name: tag:Name
    tags: Tags
`

// emptied is the sound file with a deletion of the snapshots of a volume.
func emptied(each, size string) string {
	return volumes + `    get: {call: DescribeVolumes, input: {VolumeIds: ["{id}"]}, items: "Volumes[]"}
    delete:
      call: DeleteVolume
      input: {VolumeId: "{id}"}
      empty: {what: all, sweeps: [{list: {call: DescribeSnapshots, input: {Filters: [{Name: volume-id, Values: ["{id}"]}]}}, items: "Snapshots[]", call: DeleteTags, size: ` + size + `, each: "{` + each + `}", input: {Resources: "{items}"}}]}
`
}

func TestChecker(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"sound":        {volumes, ""},
		"empty":        {"", "f.yaml:1: the file is empty: it needs service and kinds"},
		"syntax":       {"service: ec2\nkinds:\n  a: [1\n", "f.yaml:3: sequence end token ']' not found"},
		"no service":   {"kinds: {}\n", "f.yaml:1: the file lacks service: the botocore name of the service"},
		"service":      {"service: ecc2\nkinds: {}\n", "f.yaml:1: service: unknown service \"ecc2\": did you mean ec2, ecr, ecs?"},
		"file key":     {volumes + "limits: {rate: 5}\n", "f.yaml:9: unknown key \"limits\"; did you mean \"limit\"?"},
		"kind key":     {volumes + "    tag_path: Tags\n", "f.yaml:9: unknown key \"tag_path\""},
		"duplicate":    {volumes + "    id: Size\n", "f.yaml:9: mapping key \"id\" already defined at [6:5]"},
		"nested key":   {volumes + "    page: {sise: 3}\n", "f.yaml:9: unknown key \"sise\"; did you mean \"size\"?"},
		"type":         {volumes + "    page: {size: many}\n", "f.yaml:9: wants a whole number"},
		"list type":    {volumes + "    volatile: Size\n", "f.yaml:9: wants a list"},
		"bool type":    {volumes + "    optional: perhaps\n", "f.yaml:9: wants true or false"},
		"scope":        {volumes + "scope: zone\n", "f.yaml:9: scope: \"zone\" is neither region nor account"},
		"actions":      {volumes + "actions: {DescribeVolume: ec2:X}\n", "f.yaml:9: actions: ec2 has no operation \"DescribeVolume\"; did you mean \"DescribeVolumes\"?"},
		"kind name":    {strings.Replace(volumes, "aws_ec2_volume", "Volume", 1), "f.yaml:3: Volume: a kind's name is aws_<service>_<noun>, in lower case, at most 63 bytes"},
		"lacks":        {"service: ec2\nkinds:\n  aws_ec2_volume:\n    list: DescribeVolumes\n", "f.yaml:3: aws_ec2_volume: lacks id\nf.yaml:3: aws_ec2_volume: lacks items"},
		"operation":    {strings.Replace(volumes, "DescribeVolumes", "ListVolumes", 1), "f.yaml:4: aws_ec2_volume: ec2 has no operation \"ListVolumes\"; did you mean \"DescribeVolumes\"?"},
		"items":        {strings.Replace(volumes, "Volumes[]", "Volume[]", 1), "f.yaml:5: aws_ec2_volume: items Volume[]: output of DescribeVolumes: no member \"Volume\" in DescribeVolumesResult; did you mean \"Volumes\"?"},
		"items list":   {strings.Replace(volumes, "Volumes[]", "Volumes", 1), "f.yaml:5: aws_ec2_volume: items Volumes: this is the list, its items are Volumes[]"},
		"id":           {strings.Replace(volumes, "VolumeId", "VolumeID", 1), "f.yaml:6: aws_ec2_volume: id: VolumeID: no member \"VolumeID\" in Volume; did you mean \"VolumeId\"?"},
		"id scalar":    {strings.Replace(volumes, "VolumeId", "Attachments", 1), "f.yaml:6: aws_ec2_volume: id: Attachments is a list, not a scalar"},
		"into a list":  {volumes + "    promote: [Attachments.InstanceId]\n", "f.yaml:9: aws_ec2_volume: Attachments.InstanceId: no member \"InstanceId\": Attachments is a list, write Attachments[]"},
		"tags":         {strings.Replace(volumes, "tags: Tags", "tags: Attachments", 1), "f.yaml:8: aws_ec2_volume: tags Attachments: no key and value among DeleteOnTermination, AssociatedResource, InstanceOwningService, EbsCardIndex, VolumeId, InstanceId, Device, State, AttachTime of VolumeAttachment"},
		"tags text":    {strings.Replace(volumes, "tags: Tags", "tags: State", 1), "f.yaml:8: aws_ec2_volume: tags State: a string is neither a list of keys and values nor a map of texts"},
		"input":        {volumes + "    input: {Filter: x}\n", "f.yaml:9: aws_ec2_volume: DescribeVolumes has no input member \"Filter\"; did you mean \"Filters\"?"},
		"input type":   {volumes + "    input: {VolumeIds: x}\n", "f.yaml:9: aws_ec2_volume: VolumeIds wants a list, not a text"},
		"input deep":   {volumes + "    input:\n      Filters:\n        - {Name: a, Value: [b]}\n", "f.yaml:11: aws_ec2_volume: Filter has no member \"Value\"; did you mean \"Values\"?"},
		"input bool":   {volumes + "    input: {DryRun: 3}\n", "f.yaml:9: aws_ec2_volume: DryRun wants a boolean, not a number"},
		"sweep items":  {emptied("item.Nope", "1000"), "f.yaml:13: aws_ec2_volume: {item.Nope}: no member \"Nope\" in Snapshot"},
		"sweep size":   {emptied("item.SnapshotId", "0"), "f.yaml:13: aws_ec2_volume: {items} needs size and each"},
		"sweep none":   {strings.Replace(emptied("id", "1000"), `"{items}"`, `["{id}"]`, 1), "f.yaml:13: aws_ec2_volume: the input names no {item.X}: the call would be the same for all"},
		"detach":       {volumes + "    edges: [{to: aws_ec2_volume, ref: SourceVolumeId, relation: uses, detach: {call: DetachVolume, input: {VolumeId: \"{to.id}\"}}}]\n", "f.yaml:9: aws_ec2_volume: detach is for on_delete: detach, or none where the other one needs this"},
		"detach list":  {volumes + "    edges: [{to: aws_ec2_volume, ref: SourceVolumeId, relation: uses, on_delete: detach, detach: {call: DetachVolume, only: {State: x}, input: {VolumeId: \"{to.id}\"}}}]\n", "f.yaml:9: aws_ec2_volume: it lacks list: the call by which what it is made for is found"},
		"list var":     {volumes + "    input: {VolumeIds: [\"{item.VolumeId}\"]}\n", "f.yaml:9: aws_ec2_volume: unknown variable {item.VolumeId}: a list call knows account, region, partition"},
		"page size":    {volumes + "    page: {limit: MaxResult, size: 7}\n", "f.yaml:9: aws_ec2_volume: page limit: input of DescribeVolumes: no member \"MaxResult\"; did you mean \"MaxResults\"?"},
		"unpaged":      {"service: athena\nkinds:\n  aws_athena_work_group:\n    list: ListWorkGroups\n    items: WorkGroups[]\n    id: Name\n", "f.yaml:3: aws_athena_work_group: ListWorkGroups takes NextToken and returns NextToken but nothing pages it: say page: {token: {NextToken: NextToken}}, or page: {none: why}"},
		"unpaged said": {"service: athena\nkinds:\n  aws_athena_work_group:\n    list: ListWorkGroups\n    page: {token: {NextToken: NextToken}}\n    items: WorkGroups[]\n    id: Name\n", ""},
		"page token":   {"service: athena\nkinds:\n  aws_athena_work_group:\n    list: ListWorkGroups\n    page: {token: {NextToken: Token}}\n    items: WorkGroups[]\n    id: Name\n", "f.yaml:5: aws_athena_work_group: page token: output of ListWorkGroups: no member \"Token\" in ListWorkGroupsOutput; did you mean \"NextToken\"?"},
		"sensitive":    {"service: organizations\nscope: account\nkinds:\n  aws_organizations_account:\n    list: ListAccounts\n    items: Accounts[]\n    id: Id\n    name: Name\n", "f.yaml:4: aws_organizations_account: Email of ListAccounts is sensitive: drop or redact it, or keep it with a reason"},
		"sensitive ok": {"service: organizations\nscope: account\ndrop: [Email]\nkinds:\n  aws_organizations_account:\n    list: ListAccounts\n    items: Accounts[]\n    id: Id\n    name: Name\n", ""},
		"keep":         {volumes + "    keep: {Size: \"\"}\n", "f.yaml:9: aws_ec2_volume: keep: Size lacks its reason"},
		"redact":       {volumes + "    redact: [Tags]\n", "f.yaml:9: aws_ec2_volume: Tags is redacted, but something in it is an id, a name, a tag or a reference"},
		"edge":         {volumes + "    edges:\n      - {to: aws_ec2_volum, ref: SnapshotId}\n", "f.yaml:10: aws_ec2_volume: edge to unknown kind \"aws_ec2_volum\"; did you mean \"aws_ec2_volume\"?"},
		"edge ref":     {volumes + "    edges:\n      - {to: aws_ec2_volume, ref: SnapshotID}\n", "f.yaml:10: aws_ec2_volume: edge to aws_ec2_volume: SnapshotID: no member \"SnapshotID\" in Volume; did you mean \"SnapshotId\"?"},
		"edge struct":  {volumes + "    edges:\n      - {to: aws_ec2_volume, ref: Attachments}\n", "f.yaml:10: aws_ec2_volume: edge to aws_ec2_volume: Attachments is a structure, a reference is a text"},
		"edge words":   {volumes + "    edges:\n      - {to: \"*\", ref: SnapshotId, relation: Uses, match: arn, on_delete: drop}\n", "f.yaml:10: aws_ec2_volume: relation \"Uses\": lower case letters and _ only\nf.yaml:10: aws_ec2_volume: match: \"arn\" is neither id, name nor region_name\nf.yaml:10: aws_ec2_volume: on_delete: \"drop\" is neither block, cascade, detach nor none"},
		"edge name":    {volumes + "    edges:\n      - {to: \"*\", ref: SnapshotId, match: region_name}\n", "f.yaml:10: aws_ec2_volume: match: region_name wants the kind that has the name, not \"*\""},
		"edges differ": {volumes + "    edges:\n      - {to: aws_ec2_volume, ref: SnapshotId}\n      - {to: aws_ec2_volume, ref: VolumeId, match: region_name}\n", "f.yaml:11: aws_ec2_volume: match: another edge to aws_ec2_volume has the relation uses and matches otherwise: give one of them a relation of its own"},
		"edges":        {volumes + "    edges:\n      - {to: aws_ec2_volume, ref: SnapshotId, match: region_name}\n      - {to: aws_ec2_volume, ref: VolumeId, relation: copies}\n", ""},
		"base":         {volumes + "    base: {kind: volum}\n", "f.yaml:9: aws_ec2_volume: unknown base \"volum\"; did you mean \"volume\"?"},
		"base column":  {volumes + "    base: {kind: volume, volume_iop: iops}\n", "f.yaml:9: aws_ec2_volume: base volume has no column \"volume_iop\"; did you mean \"volume_iops\"?"},
		"base source":  {volumes + "    base: {kind: volume, volume_iops: {column: iop}}\n", "f.yaml:9: aws_ec2_volume: base column volume_iops: no column \"iop\"; did you mean \"iops\"?"},
		"base const":   {volumes + "    base: {kind: volume, volume_type: {const: a, column: volume_type}}\n", "f.yaml:9: aws_ec2_volume: base column volume_type: needs either column or const"},
		"rename":       {volumes + "    rename: {Size: SizeGiB}\n", "f.yaml:9: aws_ec2_volume: \"SizeGiB\" is no column name: lower case letters, digits and _, at most 63"},
		"collide":      {volumes + "    rename: {Size: iops}\n", "f.yaml:9: aws_ec2_volume: columns Iops and Size collide: both are iops"},
		"unified":      {volumes + "    rename: {Size: region}\n", "f.yaml:9: aws_ec2_volume: column region collides with the unified column of that name"},
		"volatile":     {volumes + "    volatile: [\"Attachments[].State\"]\n", "f.yaml:9: aws_ec2_volume: Attachments[].State is no column of its own: promote or drop it"},
		"set":          {volumes + "    set: [Size]\n", "f.yaml:9: aws_ec2_volume: Size is no list"},
		"types":        {volumes + "    types: {Size: int32}\n", "f.yaml:9: aws_ec2_volume: unknown type \"int32\"; did you mean \"int64\"?"},
		"times":        {volumes + "    times: {Size: epoch}\n", "f.yaml:9: aws_ec2_volume: unknown time format \"epoch\"; did you mean \"epoch_nanos\"?"},
		"created_at":   {volumes + "    created_at: State\n", "f.yaml:9: aws_ec2_volume: created_at: State is a string: say its format in times: {State: iso8601}"},
		"urn":          {volumes + "    urn: arn:{partition}:ec2:{zone}:x\n", "f.yaml:9: aws_ec2_volume: urn: zone: no member \"zone\" in Volume; did you mean \"AvailabilityZone\"?"},
		"transform":    {volumes + "    account: \"KmsKeyId | arn(account)\"\n", "f.yaml:9: aws_ec2_volume: account: unknown transform \"arn\""},
		"no parent":    {volumes + "    when: {Id: [x]}\n    gone_on: [X]\n", "f.yaml:9: aws_ec2_volume: when is about a parent: the kind is not listed for each of another\nf.yaml:10: aws_ec2_volume: gone_on says that a parent is gone: the kind is not listed for each of another"},
		"for_each":     {volumes + "    for_each: aws_ec2_instance\n", "f.yaml:9: aws_ec2_volume: for_each: unknown kind \"aws_ec2_instance\""},
		"for_each own": {volumes + "    for_each: aws_ec2_volume\n", "f.yaml:9: aws_ec2_volume: for_each: aws_ec2_volume is, in the end, listed for each of itself"},
		"get":          {volumes + "    get: {call: DescribeVolumes, input: {VolumeIds: [\"{column.volume}\"]}, items: \"Volumes[]\"}\n", "f.yaml:9: aws_ec2_volume: {column.volume}: no column \"volume\"; did you mean \"volume_id\"?"},
		"get var":      {volumes + "    get: {call: DescribeVolumes, input: {VolumeIds: [\"{keys}\"]}}\n", "f.yaml:9: aws_ec2_volume: unknown variable {keys}: a call on one resource knows id, name, urn, account, region, partition, column.x"},
		"delete":       {volumes + "    delete: {call: DeleteVolume}\n", "f.yaml:9: aws_ec2_volume: DeleteVolume requires the input member VolumeId"},
		"tag":          {volumes + "    tag: {call: CreateTags, input: {Resources: [\"{id}\"], Tags: \"{keys}\"}}\n", "f.yaml:9: aws_ec2_volume: unknown variable {keys}: a call on one resource knows id, name, urn, account, region, partition, column.x, tags, all_tags"},
		"detail":       {volumes + "    details:\n      - {call: DescribeVolumeAttribute, input: {VolumeId: \"{item.Volume}\", Attribute: x}}\n", "f.yaml:10: aws_ec2_volume: item.Volume: no member \"Volume\" in Volume; did you mean \"VolumeId\"?\nf.yaml:10: aws_ec2_volume: \"x\" is not a value of VolumeAttributeName"},
		"detail keys":  {volumes + "    details:\n      - {call: DescribeVolumeAttribute, input: {VolumeId: \"{keys}\", Attribute: autoEnableIO}}\n", "f.yaml:10: aws_ec2_volume: {keys} is for batches: give size, key, items and match"},
		"batch":        {volumes + "    details:\n      - {call: DescribeVolumeStatus, size: 100, input: {VolumeIds: \"{keys}\"}}\n", "f.yaml:10: aws_ec2_volume: a batch of 100 lacks items\nf.yaml:10: aws_ec2_volume: a batch of 100 lacks key\nf.yaml:10: aws_ec2_volume: a batch of 100 lacks match"},
		"action":       {volumes + "iam: ebs\n", "f.yaml:4: aws_ec2_volume: IAM has no action ebs:DescribeVolumes: say actions: {DescribeVolumes: ebs:...}, or iam: the prefix"},
		"two files":    {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := []string{"f.yaml", c.in}
			if name == "two files" {
				files = []string{"a.yaml", volumes, "b.yaml", volumes}
				c.want = "b.yaml:3: aws_ec2_volume is declared twice, first in a.yaml:3"
			}
			_, err := load(files...)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := load("b.yaml", strings.Replace(volumes, "VolumeId", "Id", 1)+"    edges: [{to: x, ref: y}]\n", "a.yaml", "service: sqs\nkinds: {aws_sqs_queue: {}}\n")
	want := `a.yaml:2: aws_sqs_queue: lacks id
a.yaml:2: aws_sqs_queue: lacks items
a.yaml:2: aws_sqs_queue: lacks list
b.yaml:6: aws_ec2_volume: id: Id: no member "Id" in Volume
b.yaml:9: aws_ec2_volume: edge to unknown kind "x"`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	f := filepath.Join(dir, name)
	if err := os.WriteFile(f, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}
