package catalog

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestUsersOverrideAndAdd(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "mine.yaml", `service: ec2
limit: {rate: 3}
kinds:
  aws_ec2_volume:
    volatile: [Iops]
    drop: []
  aws_ec2_placement_group:
    list: DescribePlacementGroups
    items: PlacementGroups[]
    id: GroupId
    edges: [{to: aws_ec2_volume, ref: GroupName}]
`)
	before, err := Load(aws(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := Load(aws(), Options{Dirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	old, _ := before.Entry("aws_ec2_volume")
	vol, _ := after.Entry("aws_ec2_volume")
	if c, _ := vol.Kind.Column("iops"); !c.Volatile {
		t.Error("the override did not take")
	}
	if len(vol.Kind.Edges) != len(old.Kind.Edges) || vol.Kind.Definition != old.Kind.Definition || vol.Delete == nil {
		t.Error("the override changed more than it says")
	}
	group, ok := after.Entry("aws_ec2_placement_group")
	if !ok || len(after.Entries()) != len(before.Entries())+1 || group.List.Limit.Rate != 3 {
		t.Error("the new kind is not there")
	}
	if group.File != filepath.Join(dir, "mine.yaml") || group.Line != 7 {
		t.Errorf("declared at %s:%d", group.File, group.Line)
	}
}

func TestUsersProblemsNameTheirFile(t *testing.T) {
	dir := t.TempDir()
	f := write(t, dir, "mine.yml", "service: ec2\nkinds:\n  aws_ec2_volume:\n    edges:\n      - {to: aws_ec2_instance, ref: Nope}\n")
	g := write(t, dir, "other.yaml", "service: sqs\nkinds:\n  aws_ec2_volume: {name: X}\n")
	_, err := Load(aws(), Options{Files: []string{g}, Dirs: []string{dir}})
	var p Problems
	if !errors.As(err, &p) {
		t.Fatal(err)
	}
	want := f + ":5: aws_ec2_volume: edge to aws_ec2_instance: Nope: no member \"Nope\" in Volume"
	if !strings.Contains(err.Error(), want) {
		t.Errorf("got:\n%v\nwant among it:\n%s", err, want)
	}
	if want := g + ":3: aws_ec2_volume belongs to the service ec2, not sqs"; !strings.Contains(err.Error(), want) {
		t.Errorf("got:\n%v\nwant among it:\n%s", err, want)
	}
}

func TestMissingFiles(t *testing.T) {
	for _, o := range []Options{{Files: []string{"nowhere.yaml"}}, {Dirs: []string{"nowhere"}}} {
		if _, err := Load(aws(), o); err == nil || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestSelect(t *testing.T) {
	c, err := load("iam.yaml", iamFile+"  aws_iam_server_certificate: {list: ListServerCertificates, items: \"ServerCertificateMetadataList[]\", id: ServerCertificateId, optional: true, renamed: [aws_iam_certificate]}\n", "ecs.yaml", ecsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		only, skip string
		want       string
	}{
		{"", "", "aws_ecs_cluster aws_ecs_service aws_ecs_task aws_ecs_task_set aws_iam_group aws_iam_local_policy aws_iam_policy aws_iam_role aws_iam_user"},
		{"ecs", "", "aws_ecs_cluster aws_ecs_service aws_ecs_task aws_ecs_task_set"},
		{"aws_ecs_t*", "", "aws_ecs_task aws_ecs_task_set"},
		{"user role", "", "aws_iam_role aws_iam_user"},
		{"iam", "*policy", "aws_iam_group aws_iam_role aws_iam_user"},
		{"aws_iam_server_certificate", "", "aws_iam_server_certificate"},
		{"aws_iam_certificate", "", "aws_iam_server_certificate"},
		{"aws_iam_usr", "", `error: no kind, service or glob "aws_iam_usr"; did you mean "aws_iam_user"?`},
		{"ecs", "clutser", `error: no kind, service or glob "clutser"; did you mean "cluster"?`},
		{"[", "", `error: kinds "[": the glob is malformed`},
	} {
		es, err := c.Select(strings.Fields(x.only), strings.Fields(x.skip))
		var names []string
		for _, e := range es {
			names = append(names, e.Kind.Name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != x.want {
			t.Errorf("only %q, skip %q: got %s, want %s", x.only, x.skip, got, x.want)
		}
	}
	if es := c.Search("polic"); len(es) < 2 || es[0].Kind.Name != "aws_iam_local_policy" || es[1].Kind.Name != "aws_iam_policy" {
		t.Errorf("polic finds %v", Kinds(es))
	}
	if names := c.Names(); len(names) != 10 || !slices.IsSorted(names) {
		t.Errorf("%v", names)
	}
}
