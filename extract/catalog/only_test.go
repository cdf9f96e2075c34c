package catalog

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// TestOnlyCompilesTheSameKinds compares a catalogue of few services with the
// whole one.
func TestOnlyCompilesTheSameKinds(t *testing.T) {
	all, err := Load(aws(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(own, []byte("service: sqs\nkinds:\n  aws_sqs_queue:\n    optional: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		only, skip, files []string
		has, not          string
	}{
		{only: []string{"aws_ecs_service"}, skip: []string{"aws_iam_*", "s3", "aws_ecs_task"}, has: "aws_ecs_cluster", not: "aws_s3_bucket"},
		{only: []string{"iam", "aws_sns_*", "volume"}, has: "aws_ec2_volume", not: "aws_s3_bucket"},
		{only: []string{"aws_s3_bucket"}, files: []string{own}, has: "aws_sqs_queue", not: "aws_ec2_volume"},
	} {
		few, err := Load(aws(), Options{Only: c.only, Files: c.files})
		if err != nil {
			t.Fatal(err)
		}
		want, err := all.Select(c.only, c.skip)
		if err != nil {
			t.Fatal(err)
		}
		got, err := few.Select(c.only, c.skip)
		if err != nil {
			t.Fatalf("%v without %v: %v", c.only, c.skip, err)
		}
		if len(got) != len(want) {
			t.Errorf("%v: %d kinds, want %d", c.only, len(got), len(want))
		}
		for i := range min(len(got), len(want)) {
			if !reflect.DeepEqual(got[i].Kind, want[i].Kind) || got[i].Columns() != want[i].Columns() {
				t.Errorf("%s is compiled otherwise", got[i].Kind.Name)
			}
		}
		if _, ok := few.Entry(c.has); !ok {
			t.Errorf("%v: %s is not compiled", c.only, c.has)
		}
		if _, ok := few.Entry(c.not); ok {
			t.Errorf("%v: %s is compiled", c.only, c.not)
		}
		if _, err := few.Select(c.only, []string{"nonsense"}); err == nil {
			t.Error("a word that names no kind is taken")
		}
	}
	// What does not exist is told from the whole catalogue.
	few, err := Load(aws(), Options{Only: []string{"aws_ec2_instnace"}})
	if err != nil {
		t.Fatal(err)
	}
	_, got := few.Select([]string{"aws_ec2_instnace"}, nil)
	_, want := all.Select([]string{"aws_ec2_instnace"}, nil)
	if got == nil || got.Error() != want.Error() {
		t.Errorf("the error is %v, want %v", got, want)
	}
}
