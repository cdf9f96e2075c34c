package react_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/react"
)

// program finds one of Prometheus', or skips at a desk that wants no servers.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") != "" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	if err != nil {
		t.Fatalf("%v: make servers installs it", err)
	}
	return path
}

// TestPrometheusScrapes has a real Prometheus read the metrics. A label that
// vanishes vanishes there.
func TestPrometheusScrapes(t *testing.T) {
	prometheus := program(t, "prometheus")
	volumes := func(owners ...string) []react.Measurement {
		m := react.Measurement{Metric: &react.Metric{Name: "volumes", Help: "Block devices."}}
		for i, o := range owners {
			s := react.Sample{Labels: map[string]string{"account": account}, Value: float64(i + 1)}
			if o != "" {
				s.Labels["owner"] = o
			}
			m.Samples = append(m.Samples, s)
		}
		return []react.Measurement{m, {Metric: &react.Metric{Name: "broken"}, Err: fmt.Errorf("no such table")}}
	}
	var x react.Exposition
	x.Set(volumes("ann", `b"o\`, ""), now)
	accepted := make(chan string, 100)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case accepted <- r.Header.Get("Accept"):
		default:
		}
		x.Handler().ServeHTTP(w, r)
	}))
	defer target.Close()

	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n- {job_name: dewpoint, static_configs: [{targets: [%q]}]}\n", strings.TrimPrefix(target.URL, "http://"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	var log bytes.Buffer
	cmd := exec.Command(prometheus, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}()
	ask := func(query string) []string {
		r, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			return []string{err.Error()}
		}
		defer r.Body.Close()
		var answer struct {
			Data struct {
				Result []struct {
					Metric map[string]string
					Value  [2]any
				}
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
			return []string{err.Error()}
		}
		got := []string{}
		for _, x := range answer.Data.Result {
			got = append(got, fmt.Sprint(x.Metric["owner"], "=", x.Value[1]))
		}
		slices.Sort(got)
		return got
	}
	await := func(query string, want ...string) {
		t.Helper()
		var got []string
		for range 300 {
			if got = ask(query); slices.Equal(got, want) {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Fatalf("%s is %q, not %q\n%s", query, got, want, log.String())
	}
	await("dewpoint_volumes", "=3", "ann=1", `b"o\=2`)
	await("dewpoint_metric_failed == 1", "=1")
	await("dewpoint_metrics_timestamp_seconds", fmt.Sprint("=", now.Unix()))
	if a := <-accepted; !strings.Contains(a, "openmetrics") {
		t.Errorf("it asks for %s", a)
	}
	x.Set(volumes("", "ann"), now)
	await("dewpoint_volumes", "=1", "ann=2")
}

// TestAlertsFire holds the alert rules by Prometheus' own tests, and the
// metrics that they name against those there are.
func TestAlertsFire(t *testing.T) {
	promtool := program(t, "promtool")
	const dir = "../examples/prometheus"
	for _, args := range [][]string{
		{"check", "rules", "dewpoint.rules.yml"}, {"test", "rules", "dewpoint.rules.test.yml"}, {"check", "config", "prometheus.yml"},
	} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "dewpoint.rules.yml"))
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"metric_failed"}
	for _, m := range react.BundledMetrics() {
		known = append(known, m.Name)
	}
	for _, m := range regexp.MustCompile(react.MetricPrefix+`(\w+)`).FindAllStringSubmatch(string(text), -1) {
		// Those of a daemon itself are its tests' matter.
		if !slices.Contains(known, m[1]) && !strings.HasPrefix(m[1], "serve_") {
			t.Errorf("the alerts name %s, which there is not", m[0])
		}
	}
}

// TestExpositionIsSound has promtool look at what a scrape sees.
func TestExpositionIsSound(t *testing.T) {
	promtool := program(t, "promtool")
	var all []react.Measurement
	for _, m := range react.BundledMetrics() {
		all = append(all, react.Measurement{Metric: m, Samples: []react.Sample{{Labels: map[string]string{"cloud": "aws"}, Value: 1}}})
	}
	var x react.Exposition
	x.Set(all, now)
	server := httptest.NewServer(x.Handler())
	defer server.Close()
	r, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = r.Body
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
	var open bytes.Buffer
	if err := x.WriteOpenMetrics(&open); err != nil || !strings.HasSuffix(open.String(), "# EOF\n") {
		t.Errorf("%v:\n%s", err, open.String())
	}
}
