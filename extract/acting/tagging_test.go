package acting_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
)

// TestTagsByARN sets and removes tags by the Resource Groups Tagging API, whose
// answer is a success though it says that nothing was done.
func TestTagsByARN(t *testing.T) {
	c := amazon(t, "aws_codebuild_project")
	r := action.Resource{Cloud: "aws", Account: "123456789012", Region: region, Kind: "aws_codebuild_project", ID: "p", Name: "p", URN: "arn:aws:codebuild:eu-west-1:123456789012:project/p"}
	calls, err := c.Calls(action.Tag, r, action.Args{Tags: map[string]string{"owner": "ann"}})
	if err != nil || len(calls) != 1 || calls[0].Service != "resourcegroupstaggingapi" {
		t.Fatalf("%+v %v", calls, err)
	}
	_, err = c.Do(t.Context(), r, calls[0])
	var e *action.Error
	if !errors.As(err, &e) || e.Code != "InternalServiceException" || !e.Busy || err.Error() != "TagResources of p: InternalServiceException: Service not yet supported" {
		t.Errorf("a tag that was not set: %v", err)
	}

	// Of what the emulator can tag so.
	dir := t.TempDir()
	own := `service: rds
kinds:
  aws_rds_db_instance:
    tag: {service: resourcegroupstaggingapi, call: TagResources, input: {ResourceARNList: ["{urn}"], Tags: "{tags}"}, failures: &failed {items: "FailedResourcesMap{}", code: ErrorCode, message: ErrorMessage}}
    untag: {service: resourcegroupstaggingapi, call: UntagResources, input: {ResourceARNList: ["{urn}"], TagKeys: "{keys}"}, failures: *failed}
`
	if err := os.WriteFile(filepath.Join(dir, "rds.yaml"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	if c.Catalogue, err = clouds.Load(catalog.Options{Only: []string{"aws_rds_db_instance"}, Dirs: []string{dir}}); err != nil {
		t.Fatal(err)
	}
	made := rds(t, "CreateDBInstance", "DBInstanceIdentifier", "tagged", "DBInstanceClass", "db.t3.micro", "Engine", "postgres", "AllocatedStorage", "20",
		"MasterUsername", "root", "MasterUserPassword", "secret99", "Tags.Tag.1.Key", "stale", "Tags.Tag.1.Value", "yes")
	r = action.Resource{
		Cloud: "aws", Account: "123456789012", Region: region, Kind: "aws_rds_db_instance", ID: between(made, "<DbiResourceId>", "<"), Name: "tagged", URN: between(made, "<DBInstanceArn>", "<"),
	}
	for v, a := range map[action.Verb]action.Args{action.Tag: {Tags: map[string]string{"owner": "ann"}}, action.Untag: {Keys: []string{"stale"}}} {
		if err := do(t, c, v, r, a, nil); err != nil {
			t.Error(err)
		}
	}
	if tags := rds(t, "ListTagsForResource", "ResourceName", r.URN); strings.Contains(tags, "stale") || !strings.Contains(tags, "ann") {
		t.Errorf("its tags are %s", tags)
	}
}
