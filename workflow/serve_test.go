package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// served is a running server.
type served struct {
	t       *testing.T
	url     string
	reports chan *workflow.CycleReport
	reload  chan struct{}
	stop    context.CancelFunc
	ended   chan error
}

// serve serves the configuration in a file.
func serve(t *testing.T, path string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	s := &served{t: t, reports: make(chan *workflow.CycleReport, 10), reload: make(chan struct{}), stop: stop, ended: make(chan error, 1)}
	ready := make(chan string, 1)
	go func() {
		s.ended <- (&workflow.Server{
			Load: func() (*workflow.Config, error) { return workflow.LoadConfig(path) }, Version: "test", Log: slog.New(slog.DiscardHandler),
			Ended: func(r *workflow.CycleReport) { s.reports <- r }, Ready: func(address string) { ready <- address },
		}).Run(ctx, context.Background(), s.reload)
	}()
	select {
	case s.url = <-ready:
	case err := <-s.ended:
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return s
}

func (s *served) get(path string) (string, int) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get("http://" + s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b), r.StatusCode
}

// has waits until a page holds all texts.
func (s *served) has(path string, texts ...string) {
	s.t.Helper()
	missing := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		page, _ := s.get(path)
		missing = ""
		for _, text := range texts {
			if !strings.Contains(page, text) {
				missing = text
			}
		}
		if missing == "" {
			return
		}
	}
	s.t.Errorf("%s lacks %s", path, missing)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestServe(t *testing.T) {
	e := newEstate(t, awsfake.Options{PageSize: 1})
	e.Put(anywhere, "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	for _, r := range []string{east, west} {
		e.Put(at("", r), "ec2.DescribeVolumes", volume("vol-1-"+r, 1), volume("vol-2-"+r, 2))
	}
	var mu sync.Mutex
	var received []map[string]any
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var v map[string]any
		err := json.NewDecoder(r.Body).Decode(&v)
		mu.Lock()
		defer mu.Unlock()
		received = append(received, v)
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(hook.Close)
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	dir := filepath.Dir(e.path)
	config := func(database, schedule string) string {
		return fmt.Sprintf(`
sinks: ["duckdb:%[1]s/%[2]s"]
aws: {accounts: [{profile: a}]}
kinds: {only: [aws_ec2_volume, aws_ec2_vpc, aws_ec2_region]}
notify: {hook: {type: webhook, url: "%[3]s"}}
react:
  state: %[1]s/state
  rules: {unattached-volumes: {grace: 0, percent: 100, unread: ["*"]}}
serve: {listen: "127.0.0.1:0", schedule: "%[4]s"}
jobs:
  each: {on: [pre_collect, collected, transformed, metrics_done, planned, applied, failed], exec: {command: [sh, -c, 'echo $DEWPOINT_EVENT >> %[1]s/events; cat > %[1]s/$DEWPOINT_EVENT']}}
  broken: {on: [collected], exec: {command: ["false"]}}
  late: {on: [collected], exec: {command: [sleep, "1000"]}, timeout: 10ms}
  none: {on: [metrics_done], sql: "SELECT 1 AS x WHERE 1 = 0", notify: [hook]}
  rows: {on: [metrics_done], sql: "SELECT _id, id, size, tags, created_at, [1, 2] AS list FROM aws_ec2_volume WHERE size = 2 ORDER BY id", notify: [hook]}
  wrong: {on: [planned], sql: "SELECT nothing FROM resources", notify: [hook]}
`, dir, database, hook.URL, schedule)
	}
	path := filepath.Join(dir, "dewpoint.yaml")
	put(t, path, config("one.duckdb", "0 0 1 1 *"))
	s := serve(t, path)

	// There was no cycle yet: the one that was missed is done at once.
	r := <-s.reports
	if r.State() != "partial" || !r.Sync.Complete() || len(r.Plans) != 1 || len(r.Outcomes) != 0 {
		t.Errorf("%s, %d plans, %d outcomes: %v", r.State(), len(r.Plans), len(r.Outcomes), r.Err())
	}
	for _, want := range []string{"job broken: false: exit status 1", "job late: sleep was stopped: it took longer than its timeout of 10ms", "job wrong: sql: "} {
		if r.Err() == nil || !strings.Contains(r.Err().Error(), want) {
			t.Errorf("%v lacks %s", r.Err(), want)
		}
	}
	events, err := os.ReadFile(filepath.Join(dir, "events"))
	if want := "pre_collect\ncollected\ntransformed\nmetrics_done\nplanned\nfailed\n"; err != nil || string(events) != want {
		t.Errorf("events %s, %v", events, err)
	}
	var input workflow.JobInput
	b, err := os.ReadFile(filepath.Join(dir, "planned"))
	if err == nil {
		err = json.Unmarshal(b, &input)
	}
	if err != nil || input.Job != "each" || len(input.Event.Plans) != 1 || len(input.Event.Plans[0].Targets) != 4 || input.Event.Sync != r.Sync.ID.String() {
		t.Errorf("%s, %v", b, err)
	}
	mu.Lock()
	if len(received) != 1 || received[0]["title"] != "rows: 2 rows" {
		t.Errorf("received %v", received)
	} else if row := received[0]["rows"].([]any)[0].(map[string]any); row["id"] != "vol-2-eu-west-1" || row["size"] != 2.0 || row["tags"].(map[string]any)["owner"] != "ann" ||
		row["created_at"] != born.Format(time.RFC3339) || len(row["_id"].(string)) != 36 || len(row["list"].([]any)) != 2 {
		t.Errorf("row %v", row)
	}
	mu.Unlock()
	s.has("/metrics", `dewpoint_volumes{`, `dewpoint_serve_leader 1`, `dewpoint_serve_cycles_total{state="partial"} 1`, `dewpoint_serve_jobs_total{job="broken",result="failed"} 1`,
		`dewpoint_serve_jobs_total{job="none",result="nothing"} 1`, `dewpoint_serve_scopes{state="complete"}`, `dewpoint_serve_notifications_total{channel="hook",result="sent"} 1`,
		`dewpoint_serve_stage_duration_seconds_count{stage="collect"} 1`, `dewpoint_serve_next_timestamp_seconds{task="cycle"}`, `dewpoint_serve_in_flight 0`)
	alerts, err := os.ReadFile("../examples/prometheus/dewpoint.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	s.has("/metrics", regexp.MustCompile(`dewpoint_serve_\w+`).FindAllString(string(alerts), -1)...)
	s.has("/readyz", `"ready":true,"leads":true`)
	s.has("/healthz", "ok")

	// A configuration that is wrong leaves the former in force.
	put(t, path, config("one.duckdb", "61 * * * *"))
	s.reload <- struct{}{}
	s.has("/metrics", "dewpoint_serve_config_ok 0")
	put(t, path, config("one.duckdb", "0 0 2 1 *"))
	s.reload <- struct{}{}
	s.has("/metrics", "dewpoint_serve_config_ok 1")
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}

	// Stopped in the middle of a collect, what is complete is committed, and
	// nothing follows.
	hang, hangs := make(chan struct{}), make(chan struct{}, 100)
	t.Cleanup(func() { close(hang) })
	e.HandleList(at("", west), "ec2.DescribeVolumes", func(r *awsfake.Request) (awsfake.List, error) {
		hangs <- struct{}{}
		<-hang
		return awsfake.List{}, errors.New("too late")
	})
	put(t, path, strings.ReplaceAll(config("two.duckdb", "0 0 1 1 *"), "events", "events2"))
	s = serve(t, path)
	<-hangs
	s.has("/readyz", `"doing":"cycle"`)
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
	if r = <-s.reports; !r.Interrupted || !r.Sync.Interrupted || !r.Sync.Committed() || len(r.Models) > 0 {
		t.Errorf("interrupted %v, %+v", r.Interrupted, r.Stages)
	}
	events, err = os.ReadFile(filepath.Join(dir, "events2"))
	if err != nil || string(events) != "pre_collect\n" {
		t.Errorf("events %s, %v", events, err)
	}
	e.path = filepath.Join(dir, "two.duckdb")
	e.want("SELECT state FROM syncs", "partial")
}

func TestMistakesInJobs(t *testing.T) {
	for text, want := range map[string]string{
		"jobs: {a: {exec: {command: [x]}}}":                              "jobs.a: say when",
		"jobs: {a: {on: [collected]}}":                                   "it does nothing",
		"jobs: {a: {on: [collect], exec: {command: [x]}}}":               `there is no event "collect": take pre_collect, collected`,
		"jobs: {a: {schedule: hourly, exec: {command: [x]}}}":            `schedule: "hourly" is no schedule`,
		"jobs: {a: {on: [failed], notify: [ops]}}":                       `there is no channel "ops" in notify`,
		"jobs: {a: {on: [failed], apply: [expired]}}":                    `the rule "expired" is not in react.rules`,
		"jobs: {a: {on: [failed], always: true, exec: {command: [x]}}}":  "always needs sql",
		"jobs: {a: {on: [failed], exec: {command: []}}}":                 "exec: command is empty",
		"jobs: {a: {on: [failed], severity: bad, exec: {command: [x]}}}": `severity is "bad"`,
		"serve: {schedule: 10s}":                                         "serve: \"10s\" is shorter than a minute",
		"serve: {timezone: Mars/Olympus}":                                `timezone "Mars/Olympus" is not known`,
		"serve: {catch_up: all}":                                         "take once or skip",
		"serve: {lease: 1s}":                                             "take 4s or more",
		"serve: {listen: here}":                                          "write HOST:PORT",
	} {
		path := filepath.Join(t.TempDir(), "dewpoint.yaml")
		put(t, path, text)
		if _, err := workflow.LoadConfig(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
