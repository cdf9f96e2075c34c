package browser_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/dashboards"
	"github.com/dewpoint-data/dewpoint/dashboards/browser"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

var update = flag.Bool("update", false, "renew the pictures in docs/dashboards")

const repo = "../.."

// TestDashboards syncs the demo estate into DuckDB and into Postgres, imports
// the dashboards into a Superset over each and opens them: every chart is
// drawn, none shows an error, each has rows.
func TestDashboards(t *testing.T) {
	boards, _, err := dashboards.Load()
	if err != nil {
		t.Fatal(err)
	}
	server, err := postgrestest.Start(postgrestest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	url := superset(t)
	tab, cancel, err := browser.Open(t.Context(), "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	if err := browser.LogIn(tab, url, "admin", "admin"); err != nil {
		t.Fatal(err)
	}
	pictures := filepath.Join(repo, ".cache", "dashboards")
	if *update {
		pictures = filepath.Join(repo, "docs", "dashboards")
	}
	if err := os.MkdirAll(pictures, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, sink := range []string{
		"duckdb:" + filepath.Join(t.TempDir(), "demo.duckdb"),
		fmt.Sprintf("postgres://postgres@127.0.0.1:%d/postgres", server.Port),
	} {
		name, _, _ := strings.Cut(sink, ":")
		sync := []string{"sync", "-q", "-c", repo + "/examples/demo/dewpoint.yaml", "--replay", repo + "/examples/demo/tape", "--to", sink}
		dewpoint(t, sync...)
		dewpoint(t, "transform", "--to", sink)
		dewpoint(t, "dashboards", "superset", "--url", url, "--to", sink)
		for _, b := range boards {
			t.Run(name+"/"+b.Name, func(t *testing.T) {
				shown, err := browser.Look(tab, url+"/superset/dashboard/dewpoint-"+b.Name+"/", len(b.Charts()))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range shown.Errors {
					t.Errorf("a chart shows an error or nothing: %s", e)
				}
				for _, c := range b.Charts() {
					if !slices.Contains(shown.Charts, c.Title) {
						t.Errorf("there is no chart %q", c.Title)
					}
				}
				if len(shown.Rows) != len(b.Charts()) || slices.Contains(shown.Rows, 0) {
					t.Errorf("%d charts have %v rows", len(b.Charts()), shown.Rows)
				}
				if name == "duckdb" {
					if err := os.WriteFile(filepath.Join(pictures, b.Name+".png"), shown.PNG, 0o644); err != nil {
						t.Error(err)
					}
				}
			})
		}
		t.Run(name+"/filtered", func(t *testing.T) { filtered(t, tab, url, boards) })
		// Superset does not keep a sync from writing.
		dewpoint(t, sync...)
	}
}

// filtered opens each dashboard for one cloud: those of its charts that have a
// cloud show rows of that one alone, the others what they did.
func filtered(t *testing.T, tab context.Context, url string, boards []*dashboards.Board) {
	const only = "?native_filters=(NATIVE_FILTER-cloud:(extraFormData:(filters:!((col:cloud,op:IN,val:!(aws)))),filterState:(value:!(aws)),id:NATIVE_FILTER-cloud,ownState:()))"
	for _, b := range boards {
		shown, err := browser.Look(tab, url+"/superset/dashboard/dewpoint-"+b.Name+"/"+only, len(b.Charts()))
		if err != nil {
			t.Fatal(err)
		}
		if len(shown.Errors) > 0 || len(shown.Rows) != len(b.Charts()) || slices.Contains(shown.Rows, 0) {
			t.Errorf("%s of one cloud: %v rows, %q", b.Name, shown.Rows, shown.Errors)
		}
		have := 0
		for _, c := range b.Charts() {
			if c.Query.Type("cloud") != "" {
				have++
			}
		}
		if shown.Filtered != have {
			t.Errorf("%s of one cloud: %d queries ask for it, %d charts have a cloud", b.Name, shown.Filtered, have)
		}
	}
}

// dewpoint runs the program; what could not be read is no failure.
func dewpoint(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(repo, "bin", "dewpoint"), args...)
	cmd.Env = append(os.Environ(), "SUPERSET_USERNAME=admin", "SUPERSET_PASSWORD=admin")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 3) {
		t.Fatalf("dewpoint %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// superset starts a Superset with an admin and returns its address.
func superset(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join(repo, ".cache", "superset-6.1.0", "bin", "superset"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run make dashboards", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	config := fmt.Sprintf("SECRET_KEY = 'of a test, on this host alone'\nSQLALCHEMY_DATABASE_URI = 'sqlite:///%s/superset.db'\n", home)
	if err := os.WriteFile(filepath.Join(home, "superset_config.py"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Dir = home
		cmd.Env = append(os.Environ(), "FLASK_APP=superset", "SUPERSET_HOME="+home, "SUPERSET_CONFIG_PATH="+filepath.Join(home, "superset_config.py"))
		cmd.Stdout, cmd.Stderr = &log, &log
		return cmd
	}
	for _, args := range [][]string{
		{"db", "upgrade"},
		{"fab", "create-admin", "--username", "admin", "--password", "admin", "--firstname", "Ada", "--lastname", "Admin", "--email", "ada@example.org"},
		{"init"},
	} {
		if err := command(args...).Run(); err != nil {
			t.Fatalf("superset %s: %v\n%s", strings.Join(args, " "), err, log.String())
		}
	}
	run := command("run", "-h", "127.0.0.1", "-p", fmt.Sprint(address.Port), "--with-threads")
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run.Process.Kill(); err != nil {
			t.Error(err)
		}
		run.Wait() //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("superset says\n%s", log.String()[max(0, log.Len()-4000):])
		}
	})
	url := "http://" + address.String()
	for range 240 {
		if resp, err := http.Get(url + "/health"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return url
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("superset does not answer at %s\n%s", url, log.String())
	return ""
}
