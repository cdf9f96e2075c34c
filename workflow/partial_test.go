package workflow_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
)

func TestDeniedListKeepsItsRowsAndOthersGoOn(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume", "aws_ec2_vpc")
	for _, r := range []string{east, west} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-stays-"+r, 1), volume("vol-changes-"+r, 1), volume("vol-goes-"+r, 1))
		e.Put(at("", r), "ec2.DescribeVpcs", vpc("vpc-"+r, accountA))
	}
	e.complete()

	for _, r := range []string{east, west} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-stays-"+r, 1), volume("vol-changes-"+r, 2), volume("vol-comes-"+r, 1))
	}
	e.Put(at("", east), "ec2.DescribeVpcs")
	e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "ec2.DescribeVolumes", Region: east})
	r := e.sync()
	e.incomplete(r, accountA+" us-east-1 aws_ec2_volume denied UnauthorizedOperation")
	if r.Complete() || !r.Committed() || r.Interrupted {
		t.Errorf("complete %v, committed %v, interrupted %v", r.Complete(), r.Committed(), r.Interrupted)
	}
	const volumes = "SELECT id, size FROM aws_ec2_volume"
	e.want(volumes,
		"vol-stays-us-east-1 1", "vol-changes-us-east-1 1", "vol-goes-us-east-1 1",
		"vol-stays-eu-west-1 1", "vol-changes-eu-west-1 2", "vol-comes-eu-west-1 1")
	e.want("SELECT id FROM aws_ec2_vpc", "vpc-eu-west-1")
	e.want("SELECT region, kind, state, code, last_complete IS NOT NULL FROM scopes WHERE kind IS NOT NULL",
		"us-east-1 aws_ec2_volume denied UnauthorizedOperation true")
	e.want("SELECT region, kind, state FROM scope_freshness",
		"us-east-1 aws_ec2_volume denied", "us-east-1 aws_ec2_vpc complete", "eu-west-1 aws_ec2_volume complete", "eu-west-1 aws_ec2_vpc complete")
	e.want("SELECT doc->>'id', change FROM resource_history",
		"vol-changes-eu-west-1 changed", "vol-goes-eu-west-1 deleted", "vpc-us-east-1 deleted")
	e.whole()

	e.Heal()
	e.complete()
	e.want(volumes,
		"vol-stays-us-east-1 1", "vol-changes-us-east-1 2", "vol-comes-us-east-1 1",
		"vol-stays-eu-west-1 1", "vol-changes-eu-west-1 2", "vol-comes-eu-west-1 1")
	e.want("SELECT kind FROM scopes WHERE kind IS NOT NULL")
	e.whole()
}

func TestDeniedDetailKeepsTheOldValueOfOneRow(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_s3_bucket")
	setupS3(e)
	e.Put(at("", east), "s3.ListBuckets",
		item{"Name": "logs", "CreationDate": born, "BucketRegion": east}, item{"Name": "data", "CreationDate": born, "BucketRegion": east},
		item{"Name": "bare", "CreationDate": born, "BucketRegion": east})
	owner := "ann"
	e.Handle(anywhere, "s3.GetBucketTagging", func(r *awsfake.Request) (map[string]any, error) {
		if r.Text("Bucket") == "bare" {
			return nil, &awsfake.Error{Code: "NoSuchTagSet", Message: "The TagSet does not exist", Status: 404}
		}
		return item{"TagSet": tags(owner)}, nil
	})
	e.complete()
	const buckets = "SELECT id, tags, _unread FROM aws_s3_bucket"
	e.want(buckets, "logs {owner=ann} NULL", "data {owner=ann} NULL", "bare {} NULL")

	owner = "bob"
	e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "s3.GetBucketTagging", Resource: "logs"})
	r := e.sync()
	e.incomplete(r)
	if r.Complete() || !r.Committed() {
		t.Error("a denied detail is no complete sync")
	}
	e.want(buckets, "logs {owner=ann} [tags]", "data {owner=bob} NULL", "bare {} NULL")
	e.want("SELECT kind, account, region, call, code, count FROM problems",
		"aws_s3_bucket "+accountA+" us-east-1 GetBucketTagging AccessDenied 1")
	e.want("SELECT kind FROM scopes WHERE kind IS NOT NULL")
	e.want("SELECT doc->>'id', changed_columns FROM resource_history", "data [tags]")
	if n := r.Sinks[0].Summary.Kinds[0].Unread; n != 1 {
		t.Errorf("the summary says %d rows are unread, want 1", n)
	}
	e.whole()

	e.Heal()
	e.complete()
	e.want(buckets, "logs {owner=bob} NULL", "data {owner=bob} NULL", "bare {} NULL")
	e.whole()
}

// TestNewRowWithADeniedDetailKnowsNothingOfIt tells unknown tags from none.
func TestNewRowWithADeniedDetailKnowsNothingOfIt(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_s3_bucket")
	setupS3(e)
	e.Put(at("", east), "s3.ListBuckets", item{"Name": "logs", "CreationDate": born, "BucketRegion": east})
	e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "s3.GetBucketTagging"})
	e.sync()
	e.want("SELECT id, tags, created_at IS NOT NULL, _unread FROM aws_s3_bucket", "logs NULL true [tags]")
}

// TestRegionThatDoesNotAnswerKeepsItsRows has an account for each way in
// which a region may fail.
func TestRegionThatDoesNotAnswerKeepsItsRows(t *testing.T) {
	faults := map[string]awsfake.Fault{
		"timed_out":                      {Kind: awsfake.Timeout},
		"failed":                         {Kind: awsfake.Reset},
		"failed InternalError":           {Kind: awsfake.Fail, Code: "InternalError", Status: 500},
		"throttled RequestLimitExceeded": {Kind: awsfake.Throttle},
	}
	var accounts []awsfake.Account
	for state := range faults {
		accounts = append(accounts, awsfake.Account{ID: fmt.Sprint(100000000000 + len(accounts)), Name: state})
	}
	e := newEstate(t, awsfake.Options{Accounts: accounts}, "aws_ec2_volume")
	e.accounts = nil
	for _, a := range accounts {
		e.accounts = append(e.accounts, aws.AccountConfig{Profile: a.Name})
		e.Put(at(a.ID, east), "ec2.DescribeVolumes", volume("vol-east-"+a.ID, 1))
		e.Put(at(a.ID, west), "ec2.DescribeVolumes", volume("vol-west-"+a.ID, 1))
	}
	e.complete()
	var incomplete, rows, after []string
	for _, a := range accounts {
		e.Put(at(a.ID, east), "ec2.DescribeVolumes", volume("vol-east-"+a.ID, 2))
		e.Put(at(a.ID, west), "ec2.DescribeVolumes")
		f := faults[a.Name]
		f.Account, f.Region = a.ID, west
		e.Inject(f)
		incomplete = append(incomplete, a.ID+" eu-west-1 aws_ec2_volume "+a.Name)
		rows, after = append(rows, "vol-east-"+a.ID+" 2", "vol-west-"+a.ID+" 1"), append(after, "vol-east-"+a.ID+" 2")
	}
	e.client.MaxAttempts, e.client.AttemptTimeout = 2, 500*time.Millisecond
	e.incomplete(e.sync(), incomplete...)
	e.want("SELECT id, size FROM aws_ec2_volume", rows...)
	e.whole()
	e.Heal()
	e.client.AttemptTimeout = 0
	e.complete()
	e.want("SELECT id, size FROM aws_ec2_volume", after...)
}

func TestListThatTakesTooLongIsTimedOut(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 1}, "aws_ec2_volume", "aws_ec2_vpc")
	e.Put(at("", east), "ec2.DescribeVolumes", volume("vol-1", 1), volume("vol-2", 1), volume("vol-3", 1))
	e.Put(at("", east), "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	e.complete()
	e.Put(at("", east), "ec2.DescribeVolumes", volume("vol-1", 2), volume("vol-2", 2))
	e.Put(at("", east), "ec2.DescribeVpcs")
	e.scope = 300 * time.Millisecond
	e.Inject(awsfake.Fault{Kind: awsfake.Timeout, Op: "ec2.DescribeVolumes", Region: east, Resource: "NextToken"})
	r := e.sync()
	e.incomplete(r, accountA+" us-east-1 aws_ec2_volume timed_out")
	if r.Interrupted {
		t.Error("the sync counts as interrupted")
	}
	e.want("SELECT id, size FROM aws_ec2_volume", "vol-1 2", "vol-2 1", "vol-3 1")
	e.want("SELECT id FROM aws_ec2_vpc")
	e.whole()
}

// TestRegionThatIsSwitchedOffKeepsItsRows names a region that the account
// had enabled once.
func TestRegionThatIsSwitchedOffKeepsItsRows(t *testing.T) {
	regions := []awsfake.Region{{Name: east}, {Name: "me-south-1"}}
	e := newEstate(t, awsfake.Options{Regions: regions}, "aws_ec2_volume", "aws_sns_topic")
	e.regions = []string{east, "me-south-1"}
	e.answer("sns.GetTopicAttributes", item{"Attributes": item{"DisplayName": "topic"}})
	for _, r := range []string{east, "me-south-1"} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-"+r, 1))
		e.Put(at("", r), "sns.ListTopics", item{"TopicArn": "arn:aws:sns:" + r + ":" + accountA + ":topic"})
	}
	e.complete()
	before := e.rows("SELECT * FROM resources")

	regions[1].Disabled = true
	r := e.complete()
	if r.Scopes["not_applicable"] == 0 {
		t.Errorf("no scope is not_applicable: %v", r.Scopes)
	}
	e.want("SELECT * FROM resources", before...)
	e.want("SELECT DISTINCT state, error FROM scopes WHERE region = 'me-south-1' AND state = 'not_applicable'",
		"not_applicable the region is not enabled in the account")

	// The same where nobody may ask which regions are enabled.
	e.Inject(awsfake.Fault{Kind: awsfake.Deny, Op: "ec2.DescribeRegions"})
	r = e.sync()
	e.incomplete(r)
	e.want("SELECT * FROM resources", before...)
	e.want("SELECT kind, state FROM scopes WHERE region = 'me-south-1' AND kind IN ('aws_ec2_volume', 'aws_sns_topic')",
		"aws_ec2_volume not_applicable", "aws_sns_topic not_applicable")
	e.whole()
}

// TestAbsentServiceIsNoError lists a service that answers with a code that
// the catalogue takes for its absence.
func TestAbsentServiceIsNoError(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume", "aws_organizations_account")
	e.accounts = []aws.AccountConfig{{Profile: "b"}}
	e.Put(at("", east), "ec2.DescribeVolumes", volume("vol-1", 1))
	r := e.complete()
	if r.Scopes["not_applicable"] != 1 {
		t.Errorf("scopes are %v, want one that is not applicable", r.Scopes)
	}
	e.want("SELECT id FROM resources", "vol-1")
	e.want("SELECT kind, state FROM scopes WHERE kind IS NOT NULL", "aws_organizations_account not_applicable")
}

func TestServiceWithoutAHostIsUnreachable(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume", "aws_rds_db_instance")
	e.Put(at("", east), "ec2.DescribeVolumes", volume("vol-1", 1))
	e.Put(at("", east), "rds.DescribeDBInstances", item{"DbiResourceId": "db-1", "DBInstanceIdentifier": "db"})
	e.complete()
	t.Setenv("AWS_ENDPOINT_URL_RDS", "http://127.0.0.1:1")
	e.Put(at("", east), "ec2.DescribeVolumes")
	e.incomplete(e.sync(), accountA+" us-east-1 aws_rds_db_instance unreachable", accountA+" eu-west-1 aws_rds_db_instance unreachable")
	e.want("SELECT id FROM resources", "db-1")
	e.whole()
}

// TestFullDiskLeavesTheOldState syncs onto a small file system, which it
// needs to mount.
func TestFullDiskLeavesTheOldState(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=12m", "dewpoint", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small file system: %s", out)
	}
	defer func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	}()
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume", "aws_ec2_vpc")
	e.path = filepath.Join(dir, "estate.duckdb")
	e.Put(at("", east), "ec2.DescribeVolumes", volumes("vol-", 20, 1)...)
	e.Put(at("", east), "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	e.complete()
	before := e.rows(everyRow)
	e.PutList(at("", east), "ec2.DescribeVolumes", awsfake.List{Len: 60000, At: func(i int) any { return volume(fmt.Sprintf("vol-%06d", i), 2) }})
	e.Put(at("", east), "ec2.DescribeVpcs")
	if r, err := e.attempt(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full") || r.Committed() {
		t.Errorf("sync: %v, want that the disk is full", err)
	}
	e.want(everyRow, before...)
	e.whole()
	e.Put(at("", east), "ec2.DescribeVolumes", volumes("vol-", 10, 2)...)
	e.complete()
	e.want("SELECT count(*), min(size) FROM aws_ec2_volume", "10 2")
	e.whole()
}
