package report

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/workflow"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}

func lookup(kind string) Origin {
	return map[string]Origin{
		"aws_ec2_instance": {Service: "ec2", Call: "DescribeInstances", Actions: map[string][]string{"DescribeInstances": {"ec2:DescribeInstances"}}},
		"aws_ec2_volume":   {Service: "ec2", Call: "DescribeVolumes", Actions: map[string][]string{"DescribeVolumes": {"ec2:DescribeVolumes"}}},
		"aws_s3_bucket": {Service: "s3", Call: "ListBuckets", Actions: map[string][]string{
			"ListBuckets": {"s3:ListAllMyBuckets"}, "GetBucketTagging": {"s3:GetBucketTagging"},
		}},
		"aws_sqs_queue": {Service: "sqs", Call: "ListQueues", Actions: map[string][]string{"ListQueues": {"sqs:ListQueues"}}},
	}[kind]
}

func scope(kind, account, region string, state schema.State, code, text string) schema.ScopeResult {
	return schema.ScopeResult{
		Scope: schema.Scope{Cloud: "aws", Account: account, Region: region, Kind: kind},
		State: state, Code: code, Error: text, Calls: 1, RequestID: "4f1c0d2e",
	}
}

func partial() *workflow.Report {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := &workflow.Report{
		ID: uuid.MustParse("0195505a-0000-7000-8000-000000000001"), StartedAt: at, FinishedAt: at.Add(73 * time.Second),
		Rows: 31_220, Calls: 812,
		Scopes: map[schema.State]int64{
			schema.Complete: 900, schema.NotApplicable: 12, schema.Denied: 5, schema.Throttled: 1, schema.Failed: 1, schema.TimedOut: 1,
		},
		Sinks: []workflow.SinkReport{{URL: "duckdb:dewpoint.duckdb", Summary: sinks.Summary{
			Kinds: []sinks.KindSummary{
				{Kind: "aws_s3_bucket", Rows: 17, Unchanged: 17},
				{Kind: "aws_ec2_instance", Rows: 31_000, New: 1204, Changed: 12, Gone: 3, Unchanged: 29_784},
				{Kind: "aws_sqs_queue"},
				{Kind: "aws_ec2_volume", Rows: 203, Gone: 1, Unchanged: 203},
			},
			Edges: 92_311, Bytes: 12_345_678,
		}}},
		Problems: []schema.Problem{
			{Kind: "aws_s3_bucket", Account: "111122223333", Region: "eu-west-1", Call: "GetBucketTagging", Code: "AccessDenied", Count: 2, Sample: "Access Denied"},
			{Kind: "aws_ec2_volume", Account: "111122223333", Region: "eu-west-1", Call: "DescribeVolumes", Column: "created_at", Code: "time", Count: 1, Sample: "yesterday"},
		},
	}
	denied := "in 111122223333/eu-west-1: ec2 DescribeInstances: UnauthorizedOperation: User: arn:aws:sts::111122223333:assumed-role/reader/dewpoint is not authorized to perform: ec2:DescribeInstances"
	for _, region := range []string{"us-east-1", "eu-west-1", "eu-central-1", "ap-south-1"} {
		r.Incomplete = append(r.Incomplete, scope("aws_ec2_instance", "111122223333", region, schema.Denied, "UnauthorizedOperation", denied))
	}
	r.Incomplete = append(r.Incomplete,
		scope("aws_sqs_queue", "444455556666", "eu-west-1", schema.Denied, "AccessDenied", "no identity-based policy allows it; explicit deny in a service control policy"),
		scope("aws_sqs_queue", "111122223333", "eu-west-1", schema.Throttled, "RequestThrottled", "Rate exceeded"),
		scope("aws_ec2_volume", "111122223333", "eu-west-1", schema.Failed, "", "the answer is not DescribeVolumes: \"<html>\x1b[2J\""),
		scope("aws_ec2_volume", "111122223333", "us-east-1", schema.TimedOut, "", "took longer than 30m0s"))
	return r
}

func complete() *workflow.Report {
	r := partial()
	r.Incomplete, r.Problems = nil, nil
	return r
}

func TestPrint(t *testing.T) {
	failed := partial()
	failed.Sinks[0] = workflow.SinkReport{URL: "duckdb:/data/x.duckdb", Err: errors.New("commit: no space left on device")}
	interrupted := complete()
	interrupted.Interrupted = true
	next := `dewpoint query "SELECT 1"`
	for _, c := range []struct {
		name   string
		report *workflow.Report
		screen term.Screen
		o      Options
	}{
		{"complete_80", complete(), term.Screen{Width: 80}, Options{Query: next}},
		{"partial_80", partial(), term.Screen{Width: 80}, Options{Query: next}},
		{"partial_200", partial(), term.Screen{Width: 200}, Options{Query: next}},
		{"partial_pipe", partial(), term.Screen{}, Options{Query: next}},
		{"partial_verbose", partial(), term.Screen{Width: 100}, Options{Query: next, Verbose: true}},
		{"partial_colour", partial(), term.Screen{Width: 100, Colour: true}, Options{Query: next}},
		{"failed", failed, term.Screen{Width: 80}, Options{}},
		{"interrupted", interrupted, term.Screen{Width: 80}, Options{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			c.screen.Out = &b
			c.o.Lookup = lookup
			if err := Print(&c.screen, c.report, c.o); err != nil {
				t.Fatal(err)
			}
			golden(t, c.name, b.Bytes())
			if strings.Contains(b.String(), "\x1b[2J") {
				t.Error("an error message can clear the screen")
			}
		})
	}
}

func TestLogIsOneObjectALine(t *testing.T) {
	var b bytes.Buffer
	Log(slog.New(slog.NewJSONHandler(&b, nil)), partial(), lookup)
	var messages []string
	for line := range bytes.Lines(b.Bytes()) {
		var v struct {
			Msg, Outcome string
			Reason       *Group
		}
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		messages = append(messages, v.Msg)
		if v.Msg == "incomplete" && (v.Reason == nil || len(v.Reason.Advice) == 0) {
			t.Errorf("no advice: %s", line)
		}
		if v.Msg == "sync" && v.Outcome != "partial" {
			t.Errorf("outcome %q", v.Outcome)
		}
	}
	want := []string{"incomplete", "incomplete", "incomplete", "incomplete", "incomplete", "unread", "written", "sync"}
	if !slices.Equal(messages, want) {
		t.Errorf("messages %v, want %v", messages, want)
	}
}

func TestTextLog(t *testing.T) {
	var b bytes.Buffer
	h := NewTextHandler(&b, slog.LevelInfo)
	r := slog.NewRecord(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), slog.LevelWarn, "reading", 0)
	r.AddAttrs(slog.Int("rows", 12), slog.String("error", "no such\nfile"), slog.Any("state", schema.Denied))
	if err := h.WithAttrs([]slog.Attr{slog.String("cloud", "aws")}).Handle(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	want := "2026-03-01T12:00:00Z  warn: reading cloud=aws rows=12 error=\"no such\\nfile\" state=denied\n"
	if b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
	if h.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("debug is enabled")
	}
}

func snapshot(elapsed time.Duration, rows int64, services int) workflow.Snapshot {
	s := workflow.Snapshot{Phase: "reading", Elapsed: elapsed, Places: 34}
	for i := range services {
		v := workflow.ServiceProgress{
			Cloud: "aws", Service: []string{"ec2", "iam", "s3", "elasticloadbalancingv2"}[i%4], Tasks: 204, Done: 10 * i % 205, Rows: rows * int64(i+1),
		}
		if i >= 4 {
			v.Service = fmt.Sprintf("service%02d", i)
		}
		switch i {
		case 1:
			v.Done = v.Tasks
		case 2:
			v.Incomplete = 12
		}
		s.Services = append(s.Services, v)
		s.Tasks += v.Tasks
		s.Done += v.Done
		s.Rows += v.Rows
		s.Incomplete += v.Incomplete
	}
	return s
}

func TestFrame(t *testing.T) {
	committing := snapshot(4*time.Second, 30_000, 4)
	committing.Phase = "committing"
	for _, c := range []struct {
		name          string
		width, height int
		s             workflow.Snapshot
	}{
		{"frame_begin", 80, 24, workflow.Snapshot{Phase: "discovering", Elapsed: time.Second}},
		{"frame_80", 80, 24, snapshot(4*time.Second, 30_000, 4)},
		{"frame_40", 40, 24, snapshot(4*time.Second, 30_000, 4)},
		{"frame_200", 200, 60, snapshot(4*time.Second, 30_000, 40)},
		{"frame_low", 80, 10, snapshot(4*time.Second, 30_000, 40)},
		{"frame_commit", 80, 24, committing},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m Meter
			m.Take(snapshot(2*time.Second, 10_000, 40))
			lines := Frame(&term.Screen{Width: c.width, Height: c.height}, c.s, &m)
			if len(lines) >= c.height {
				t.Errorf("%d lines on %d", len(lines), c.height)
			}
			for _, l := range lines {
				if term.Width(l) >= c.width {
					t.Errorf("a line takes %d cells of %d: %s", term.Width(l), c.width, l)
				}
			}
			golden(t, c.name, []byte(strings.Join(lines, "\n")+"\n"))
		})
	}
}

func TestLiveKeepsLogLinesAboveTheFrame(t *testing.T) {
	var b bytes.Buffer
	s := snapshot(4*time.Second, 30_000, 4)
	l := NewLive(&term.Screen{Out: &b, Width: 80, Height: 24, Terminal: true}, func() workflow.Snapshot { return s })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { l.Run(ctx); close(done) }()
	for {
		l.mu.Lock()
		drawn := l.drawn
		l.mu.Unlock()
		if drawn > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintln(l, "a log line")
	cancel()
	<-done
	fmt.Fprintln(l, "after")
	got := show(b.String(), 24)
	if want := []string{"a log line", "after"}; !slices.Equal(got, want) {
		t.Errorf("the terminal shows %q, want %q", got, want)
	}
}

// show returns what a terminal shows after a text: it knows the sequences that
// Live writes.
func show(text string, height int) []string {
	var lines []string
	row := 0
	for text != "" {
		if seq, rest, ok := strings.Cut(text, "\x1b["); ok && seq == "" {
			i := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			switch rest[i] {
			case 'A':
				var n int
				fmt.Sscanf(rest[:i], "%d", &n)
				row -= n
			case 'J':
				lines = lines[:row]
			}
			text = rest[i+1:]
			continue
		}
		if rest, ok := strings.CutPrefix(text, "\r"); ok {
			text = rest
			continue
		}
		i := strings.IndexAny(text, "\n\x1b")
		if i < 0 {
			i = len(text)
		}
		if i < len(text) && text[i] == '\n' {
			lines = append(lines[:row], text[:i])
			row++
			i++
		}
		text = text[i:]
	}
	return lines
}

func TestSeveralSinks(t *testing.T) {
	r := partial()
	r.Incomplete, r.Problems = nil, nil
	r.Sinks[0].Summary.Notices = []string{"the Iceberg catalog at https://catalog.example.org did not answer: the next sync makes it good"}
	r.Sinks = append(r.Sinks,
		workflow.SinkReport{URL: "postgres://dewpoint@db.example.org/estate", Err: errors.New("write: write aws_ec2_volume: the disk is full")},
		workflow.SinkReport{URL: "s3://estate/dewpoint", Err: fmt.Errorf("commit: %w", &sinks.CommitUnknownError{Err: errors.New("connection reset")})},
	)
	var b bytes.Buffer
	s := &term.Screen{Out: &b}
	if err := Print(s, r, Options{Lookup: lookup}); err != nil {
		t.Fatal(err)
	}
	golden(t, "several", b.Bytes())
}

// What did not change is a line, and so is what to do about all that failed.
func TestAlikeIsSaidOnce(t *testing.T) {
	r := complete()
	for _, kind := range []string{"a", "b", "c", "d", "e"} {
		r.Sinks[0].Summary.Kinds = append(r.Sinks[0].Summary.Kinds, sinks.KindSummary{Kind: "aws_x_" + kind, Rows: 10, Unchanged: 10})
	}
	page := "in 111122223333/eu-west-1: %s %s: 404 Not Found: \"Not Found\" (request id 1)"
	r.Incomplete = []schema.ScopeResult{
		scope("aws_ec2_volume", "111122223333", "eu-west-1", schema.Failed, "404", fmt.Sprintf(page, "ec2", "DescribeVolumes")),
		scope("aws_sqs_queue", "111122223333", "eu-west-1", schema.Failed, "404", fmt.Sprintf(page, "sqs", "ListQueues")),
	}
	for i, kind := range []string{"aws_ec2_instance", "aws_ec2_volume", "aws_s3_bucket", "aws_sqs_queue"} {
		r.Incomplete = append(r.Incomplete, scope(kind, "111122223333", "us-east-1", schema.Failed, "ExpiredToken",
			fmt.Sprintf("in 111122223333/us-east-1: %s %s: ExpiredToken: The token has expired (request id %d)", lookup(kind).Service, lookup(kind).Call, i)))
	}
	r.Incomplete = append(r.Incomplete, scope("gcp_compute_disk", "shop", "*", schema.Unreachable, "notFound", "gone"))
	r.Problems = []schema.Problem{{Account: "shop", Call: "projects.get", Code: "unread", Count: 1, Sample: "the project's number is not known"}}
	var b bytes.Buffer
	if err := Print(&term.Screen{Out: &b, Width: 80}, r, Options{Lookup: lookup}); err != nil {
		t.Fatal(err)
	}
	golden(t, "alike", b.Bytes())
}
