package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/rows"
	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/transform"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// TestDemoEstate asks the demo estate, in DuckDB and in Postgres, the questions
// of the page on relationships, whose answers it holds against it, and those of
// the dashboards.
func TestDemoEstate(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(docs, "relationships.md"))
	if err != nil {
		t.Fatal(err)
	}
	questions := regexp.MustCompile("(?s)### ([^\n]+)\n.*?```sql\n(.*?)```\n\n((?:\\|[^\n]*\n)+)").FindAllSubmatch(text, -1)
	if len(questions) != 6 {
		t.Fatalf("%d questions with an answer, not 6", len(questions))
	}
	s, err := postgrestest.Start(postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	for _, url := range []string{"duckdb:" + filepath.Join(t.TempDir(), "demo.duckdb"), fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", s.Port)} {
		replayDemo(t, url)
		db, err := workflow.OpenReader(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range questions {
			if n := bytes.Count(q[2], []byte("\n")); n >= 10 {
				t.Errorf("%s takes %d lines of SQL", q[1], n)
			}
			var out bytes.Buffer
			if err := ask(t.Context(), db, &term.Screen{Out: &out}, string(q[2]), rows.Options{Format: "markdown"}); err != nil {
				t.Errorf("%s in %s: %v", q[1], shortURL(url), err)
			} else if out.String() != string(q[3]) {
				t.Errorf("%s in %s:\n%s\nthe page says\n%s", q[1], shortURL(url), out.String(), q[3])
			}
		}
		askDashboards(t, db)
		if strings.HasPrefix(url, "postgres:") {
			askGrafana(t, db)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// replayDemo syncs the demo estate into a sink, builds the models and keeps
// the metrics.
func replayDemo(t *testing.T, url string) {
	t.Helper()
	a := &app{in: os.Stdin, config: "../../examples/demo/dewpoint.yaml"}
	a.open()
	c, err := a.loadConfig()
	if err != nil {
		t.Fatal(err)
	}
	c.Sinks = []string{url}
	c.Kinds.Only, c.Kinds.Skip = []string{"ec2", "cloudwatch", "elbv2", "iam", "rds", "route53", "s3", "sts"}, []string{"aws_ec2_instance_type", "aws_ec2_reserved_instances"}
	out, err := os.Create(filepath.Join(t.TempDir(), "sync.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	a.out, a.err = term.Open(out, true), term.Open(out, true)
	f := &syncFlags{}
	f.replay, f.noProgress = "../../examples/demo/tape", true
	if err := a.sync(c, f); err != nil && exitCode(err) != exitPartial {
		t.Fatal(err)
	}
	s, err := workflow.OpenSink(t.Context(), url, c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := transform.Run(t.Context(), s.(sinks.Modeller), nil); err != nil {
		t.Fatal(err)
	}
	settings, err := workflow.ReactSettings(c)
	if err != nil {
		t.Fatal(err)
	}
	m := &measuring{app: a, config: c, metrics: react.BundledMetrics(), settings: settings, write: true}
	if err := m.measure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := m.failed(); err != nil {
		t.Fatal(err)
	}
}
