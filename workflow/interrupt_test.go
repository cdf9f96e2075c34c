package workflow_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// interrupted syncs and cancels the reading when it has come so far.
func (e *estate) interrupted(far func(workflow.Snapshot) bool) *workflow.Report {
	e.t.Helper()
	ctx, cancel := context.WithCancelCause(e.t.Context())
	defer cancel(nil)
	e.progress = workflow.NewProgress()
	defer func() { e.progress = nil }()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for deadline := time.Now().Add(20 * time.Second); !far(e.progress.Snapshot()) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		cancel(errors.New("the user has had enough"))
	}()
	r, err := e.attempt(ctx)
	<-done
	if err != nil {
		e.t.Fatalf("sync: %v", err)
	}
	if !r.Interrupted || r.Complete() || !r.Committed() {
		e.t.Errorf("interrupted %v, complete %v, committed %v", r.Interrupted, r.Complete(), r.Committed())
	}
	return r
}

func TestInterruptCommitsWhatIsComplete(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 1}, "aws_ec2_volume", "aws_ec2_vpc", "aws_s3_bucket")
	setupS3(e)
	e.Put(at("", east), "s3.ListBuckets", item{"Name": "logs", "CreationDate": born, "BucketRegion": east})
	e.answer("s3.GetBucketTagging", item{"TagSet": tags("ann")})
	for _, r := range []string{east, west} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-1-"+r, 1), volume("vol-2-"+r, 1), volume("vol-3-"+r, 1))
		e.Put(at("", r), "ec2.DescribeVpcs", vpc("vpc-"+r, accountA))
	}
	e.complete()

	// Volumes hang on their second page in the west, buckets on a detail.
	for _, r := range []string{east, west} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-1-"+r, 2), volume("vol-2-"+r, 2))
	}
	e.Put(anywhere, "ec2.DescribeVpcs")
	e.Put(at("", east), "ec2.DescribeVpcs")
	e.Put(at("", west), "ec2.DescribeVpcs")
	e.answer("s3.GetBucketTagging", item{"TagSet": tags("bob")})
	var second atomic.Bool
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	e.HandleList(at("", west), "ec2.DescribeVolumes", func(r *awsfake.Request) (awsfake.List, error) {
		if r.Text("NextToken") != "" {
			second.Store(true)
			<-hang
		}
		return awsfake.List{Items: []any{volume("vol-1-"+west, 2), volume("vol-2-"+west, 2)}}, nil
	})
	e.Inject(awsfake.Fault{Kind: awsfake.Timeout, Op: "s3.GetBucketPolicy"})
	r := e.interrupted(func(s workflow.Snapshot) bool { return s.Done == 4 && second.Load() })
	e.incomplete(r, accountA+" eu-west-1 aws_ec2_volume skipped", accountA+" us-east-1 aws_s3_bucket skipped")
	for _, s := range r.Incomplete {
		if !strings.Contains(s.Error, "the user has had enough") {
			t.Errorf("%s is skipped because of %q", s.Scope.Kind, s.Error)
		}
	}
	e.want("SELECT id, size FROM aws_ec2_volume",
		"vol-1-us-east-1 2", "vol-2-us-east-1 2", "vol-1-eu-west-1 2", "vol-2-eu-west-1 1", "vol-3-eu-west-1 1")
	e.want("SELECT id FROM aws_ec2_vpc")
	e.want("SELECT id, tags, _unread FROM aws_s3_bucket", "logs {owner=ann} NULL")
	e.want("SELECT region, kind, state FROM scopes WHERE kind IS NOT NULL", "eu-west-1 aws_ec2_volume skipped", "us-east-1 aws_s3_bucket skipped")
	e.want("SELECT * FROM problems")
	e.whole()

	e.Heal()
	e.Put(at("", west), "ec2.DescribeVolumes", volume("vol-1-"+west, 2), volume("vol-2-"+west, 2))
	e.complete()
	e.want("SELECT id, size FROM aws_ec2_volume", "vol-1-us-east-1 2", "vol-2-us-east-1 2", "vol-1-eu-west-1 2", "vol-2-eu-west-1 2")
	e.want("SELECT id, tags, _unread FROM aws_s3_bucket", "logs {owner=bob} NULL")
	e.whole()
}

func TestInterruptSkipsWhatIsNotBegun(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume", "aws_ec2_vpc")
	e.Put(anywhere, "ec2.DescribeVolumes", volume("vol-1", 1))
	e.Put(anywhere, "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	e.complete()
	before := e.rows(everyRow)
	e.Put(anywhere, "ec2.DescribeVolumes")
	e.Put(anywhere, "ec2.DescribeVpcs")
	e.workers = 1
	for _, op := range []string{"ec2.DescribeVolumes", "ec2.DescribeVpcs"} {
		e.Inject(awsfake.Fault{Kind: awsfake.Timeout, Op: op})
	}
	r := e.interrupted(func(s workflow.Snapshot) bool { return s.Tasks == 4 })
	e.incomplete(r,
		accountA+" us-east-1 aws_ec2_volume skipped", accountA+" eu-west-1 aws_ec2_volume skipped",
		accountA+" us-east-1 aws_ec2_vpc skipped", accountA+" eu-west-1 aws_ec2_vpc skipped")
	n := 0
	for _, s := range r.Incomplete {
		if strings.HasPrefix(s.Error, "not begun: ") {
			n++
		}
	}
	if n < 3 {
		t.Errorf("%d scopes were not begun, want 3 or all: %+v", n, r.Incomplete)
	}
	e.want(everyRow, before...)
	e.whole()
}

// TestStopLeavesTheFileAsItWas ends the second context too, as a second
// signal does.
func TestStopLeavesTheFileAsItWas(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, "aws_ec2_volume")
	e.Inject(awsfake.Fault{Kind: awsfake.Timeout, Op: "ec2.DescribeVolumes", Region: west})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e.stop = ctx
	calls := e.Calls("ec2.")
	go func() {
		for deadline := time.Now().Add(20 * time.Second); e.Calls("ec2.") < calls+2 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if r, err := e.attempt(ctx); !errors.Is(err, context.Canceled) || r.Committed() {
		t.Errorf("sync: %v, committed %v", err, r.Committed())
	}
	for _, p := range []string{e.path, e.path + ".staging"} {
		if _, err := os.Stat(p); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want it absent", p, err)
		}
	}
}
