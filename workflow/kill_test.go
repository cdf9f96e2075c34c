package workflow_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// The environment of a child process that syncs volumes and VPCs of the
// account A to a file.
const (
	childFile = "DEWPOINT_TEST_CHILD_FILE"
	// childCommit makes it say when it begins to commit.
	childCommit = "DEWPOINT_TEST_CHILD_COMMIT"
)

// child syncs and waits to be killed.
func child(path string) int {
	e := &estate{path: path, kinds: killed, accounts: []aws.AccountConfig{{Profile: "a"}}, workers: 8}
	if os.Getenv(childCommit) != "" {
		e.wrap = func(s sinks.Sink) sinks.Sink { return telling{s} }
	}
	_, err := e.attempt(context.Background())
	time.Sleep(time.Minute)
	fmt.Fprintln(os.Stderr, "not killed:", err)
	return 1
}

// killed are the kinds that the child reads.
var killed = []string{"aws_ec2_volume", "aws_ec2_vpc"}

// telling writes a line when a commit begins.
type telling struct{ sinks.Sink }

func (s telling) Begin(ctx context.Context, sync sinks.Sync) (sinks.Tx, error) {
	tx, err := s.Sink.Begin(ctx, sync)
	return tellingTx{tx}, err
}

type tellingTx struct{ sinks.Tx }

func (t tellingTx) Commit(ctx context.Context, o sinks.Outcome) (sinks.Summary, error) {
	fmt.Println("committing")
	return t.Tx.Commit(ctx, o)
}

// start starts the child process and returns its output and what kills it.
func start(t *testing.T, path string, env ...string) (out io.Reader, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childFile+"="+path), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return out, func() {
		t.Helper()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the child was not killed: %v: %s", err, stderr.String())
		}
	}
}

// volumes are n volumes whose ids begin with the prefix.
func volumes(prefix string, n, size int) []item {
	out := make([]item, n)
	for i := range out {
		out[i] = volume(fmt.Sprintf("%s%06d", prefix, i), size)
	}
	return out
}

// everyRow tells two states of the file apart.
const everyRow = "SELECT _id, id, _hash, _sync_id, _scope FROM resources"

func TestKillWhileReadingLeavesTheOldState(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, killed...)
	e.Put(at("", east), "ec2.DescribeVolumes", volumes("vol-", 20, 1)...)
	e.Put(anywhere, "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	e.complete()
	before := e.rows(everyRow)

	e.Put(at("", east), "ec2.DescribeVolumes", volumes("vol-", 10, 2)...)
	e.Put(anywhere, "ec2.DescribeVpcs")
	e.Inject(awsfake.Fault{Kind: awsfake.Timeout, Op: "ec2.DescribeVolumes", Region: west})
	vpcs := e.Calls("ec2.DescribeVpcs")
	_, kill := start(t, e.path)
	for deadline := time.Now().Add(20 * time.Second); e.Calls("ec2.DescribeVpcs") < vpcs+2 || e.Calls("ec2.DescribeVolumes") < 3; {
		if time.Now().After(deadline) {
			t.Error("the child does not read")
			break
		}
		time.Sleep(time.Millisecond)
	}
	kill()
	e.want(everyRow, before...)
	e.want("SELECT count(*) FROM syncs", "1")
	e.whole()

	e.Heal()
	e.complete()
	e.want("SELECT count(*), min(size), max(size) FROM aws_ec2_volume", "10 2 2")
	e.want("SELECT id FROM aws_ec2_vpc")
	e.whole()
	if _, err := os.Stat(e.path + ".staging"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the staging directory is left behind: %v", err)
	}
}

// TestKillWhileCommittingLeavesOneOfTheStates kills the child later and later
// after its commit has begun, until it comes too late.
func TestKillWhileCommittingLeavesOneOfTheStates(t *testing.T) {
	e := newEstate(t, awsfake.Options{}, killed...)
	e.Put(at("", east), "ec2.DescribeVolumes", volumes("vol-", 2000, 1)...)
	e.complete()
	old := 0
	for n, wait := 0, time.Duration(0); n < 6; n, wait = n+1, wait*2+10*time.Millisecond {
		before := e.rows(everyRow)
		rows, size := 1500+n%2*500, n+2
		e.Put(at("", east), "ec2.DescribeVolumes", volumes("vol-", rows, size)...)
		out, kill := start(t, e.path, childCommit+"=1")
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Errorf("the child says %q, %v", line, err)
		}
		time.Sleep(wait)
		kill()
		now := e.rows(fmt.Sprintf("SELECT count(*), count(*) FILTER (size = %d) FROM aws_ec2_volume", size))
		if now[0] != fmt.Sprint(rows, " ", rows) {
			e.want(everyRow, before...)
			old++
		}
		e.whole()
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of 6 kills came before the end of the commit", old)
	if old == 0 {
		t.Error("no kill came in time")
	}
	e.complete()
	e.want("SELECT count(*), min(size), max(size) FROM aws_ec2_volume", "2000 7 7")
	e.whole()
}
