package k8s_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/schema"
)

// pods is a server with many pods, and no watch cache, from which lists would
// come that no compaction reaches.
func pods(t *testing.T, n int) *kubetest.Server {
	t.Helper()
	s, err := kubetest.Start(kubetest.Options{Args: []string{"--watch-cache=false"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := s.Pods(t.Context(), "default", n-1); err != nil {
		t.Fatal(err)
	}
	return s
}

// names counts the names among rows.
func names(rows []map[string]any) map[string]int {
	out := map[string]int{}
	for _, r := range rows {
		out[fmt.Sprint(r["name"])]++
	}
	return out
}

// TestLists reads lists of which something is wrong.
func TestLists(t *testing.T) {
	const n = 2000
	s := pods(t, n)
	with := func(t *testing.T, o k8s.Options, handle func(w http.ResponseWriter, r *http.Request, pass func())) *table {
		t.Helper()
		o.Kubeconfig = relayOf(t, s, func(w http.ResponseWriter, r *http.Request, pass func()) {
			if r.URL.Path != "/api/v1/pods" {
				pass()
				return
			}
			if r.URL.Query().Has("resourceVersion") {
				t.Error("a list is asked for by resourceVersion: its limit would be ignored")
			}
			handle(w, r, pass)
		}).config(t)
		o.StateDir = "-"
		return collect(t, open(t, o, nil, "kubernetes_pod"))
	}
	whole := func(t *testing.T, out *table) {
		t.Helper()
		if r := out.scopes["kubernetes_pod in global"]; r.State != schema.Complete {
			t.Errorf("%s: %s", r.State, r.Error)
		}
		if got := len(names(out.rows["kubernetes_pod"])); got != n {
			t.Errorf("%d of %d pods", got, n)
		}
	}
	t.Run("pages are capped by bytes", func(t *testing.T) {
		var limits []int
		out := with(t, k8s.Options{PageBytes: 400_000}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			l, _ := strconv.Atoi(r.URL.Query().Get("limit"))
			limits = append(limits, l)
			pass()
		})
		whole(t, out)
		if limits[0] != 500 || limits[1] != 250 || limits[len(limits)-1] > 100 {
			t.Errorf("limits: %v", limits)
		}
	})
	t.Run("a page that is too large is asked for again with fewer items", func(t *testing.T) {
		out := with(t, k8s.Options{MaxResponseBytes: 1_000_000}, func(w http.ResponseWriter, r *http.Request, pass func()) { pass() })
		whole(t, out)
		if out.scopes["kubernetes_pod in global"].Calls < 10 {
			t.Errorf("%d calls", out.scopes["kubernetes_pod in global"].Calls)
		}
	})
	t.Run("an item that is too large fails the list", func(t *testing.T) {
		out := with(t, k8s.Options{MaxResponseBytes: 1000}, func(w http.ResponseWriter, r *http.Request, pass func()) { pass() })
		if r := out.scopes["kubernetes_pod in global"]; r.State != schema.Failed || !strings.Contains(r.Error, "larger than 1000 bytes") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("only an empty token ends a list", func(t *testing.T) {
		asked := 0
		out := with(t, k8s.Options{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			if asked++; asked == 1 {
				// An empty page with a token, and nothing that remains.
				fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"x","remainingItemCount":0},"items":[]}`)
				return
			}
			q := r.URL.Query()
			if q.Get("continue") == "x" {
				q.Del("continue")
				r.URL.RawQuery = q.Encode()
			}
			pass()
		})
		whole(t, out)
	})
	for name, answer := range map[string]string{
		"Status":       `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}`,
		"another list": `{"kind":"ServiceList","apiVersion":"v1","metadata":{},"items":[]}`,
		"HTML":         `<html><body>Sign in</body></html>`,
		"cut":          `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[{"metadata":{"uid":"u"`,
		"nothing":      ``,
		"other kinds":  `{"apiVersion":"v1","items":[],"kind":"PodMetricsList","metadata":{}}`,
		"same token":   `{"kind":"PodList","apiVersion":"v1","metadata":{"continue":"x"},"items":[]}`,
	} {
		t.Run("200 with "+name+" is failed", func(t *testing.T) {
			out := with(t, k8s.Options{}, func(w http.ResponseWriter, r *http.Request, pass func()) { fmt.Fprint(w, answer) })
			if r := out.scopes["kubernetes_pod in global"]; r.State != schema.Failed || r.Code != "UnrecognizedAnswer" {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("404 is no end of a kind", func(t *testing.T) {
		out := with(t, k8s.Options{}, func(w http.ResponseWriter, r *http.Request, pass func()) { http.NotFound(w, r) })
		if r := out.scopes["kubernetes_pod in global"]; r.State != schema.Failed {
			t.Errorf("%+v", r)
		}
	})
	t.Run("429 goes to the limiter and is tried again", func(t *testing.T) {
		asked, refused := 0, time.Time{}
		l := &limiter{Limiter: extract.NewLimiter()}
		out := with(t, k8s.Options{Limiter: l}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			switch asked++; asked {
			case 2:
				refused = time.Now()
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				fmt.Fprint(w, `{"kind":"Status","reason":"TooManyRequests","message":"slow down"}`)
				return
			case 3:
				if d := time.Since(refused); d < time.Second {
					t.Errorf("the server asked for a second and got %s", d)
				}
			}
			pass()
		})
		whole(t, out)
		if l.throttled.Load() != 1 {
			t.Errorf("the limiter was told of %d refusals", l.throttled.Load())
		}
	})
	t.Run("what is throttled for long is throttled", func(t *testing.T) {
		asked := 0
		out := with(t, k8s.Options{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			if asked++; asked > 3 {
				pass()
				return
			}
			w.WriteHeader(http.StatusTooManyRequests)
		})
		whole(t, out)
	})
	t.Run("503 is unreachable", func(t *testing.T) {
		out := with(t, k8s.Options{}, func(w http.ResponseWriter, r *http.Request, pass func()) {
			http.Error(w, "error trying to reach service: dial tcp 10.0.0.1:443: i/o timeout", http.StatusServiceUnavailable)
		})
		if r := out.scopes["kubernetes_pod in global"]; r.State != schema.Unreachable || !strings.Contains(r.Error, "trying to reach service") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a page that does not come in time", func(t *testing.T) {
		out := with(t, k8s.Options{AttemptTimeout: 300 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request, pass func()) { time.Sleep(500 * time.Millisecond) })
		if r := out.scopes["kubernetes_pod in global"]; r.State != schema.TimedOut {
			t.Errorf("%+v", r)
		}
	})
	t.Run("lists of custom resources have their metadata behind the items", func(t *testing.T) {
		defineOn(t, s, definition("tail.example.com", "Tail", "tails", "["+version("v1", true, `"spec":{"type":"object","properties":{"text":{"type":"string"}}}`)+"]", ""))
		for i := range 7 {
			err := s.Create(t.Context(), "/apis/tail.example.com/v1/namespaces/default/tails", fmt.Sprintf(
				`{"apiVersion":"tail.example.com/v1","kind":"Tail","metadata":{"name":"t%d"},"spec":{"text":"\\\"},{\"metadata\":{\"continue\":\"no\"}"}}`, i))
			if err != nil {
				t.Fatal(err)
			}
		}
		out := collect(t, open(t, k8s.Options{Kubeconfig: kubeconfig(t, s, "admin"), StateDir: "-", PageItems: 2}, nil, "kubernetes_tail_example_com_tail"))
		if got := len(names(out.rows["kubernetes_tail_example_com_tail"])); got != 7 || out.state("kubernetes_tail_example_com_tail", "global") != schema.Complete {
			t.Errorf("%d of 7: %v", got, out.scopes)
		}
	})
}

// limiter counts what it is told.
type limiter struct {
	*extract.Limiter
	throttled atomic.Int64
}

func (l *limiter) Release(k extract.LimitKey, throttled bool) {
	if throttled {
		l.throttled.Add(1)
	}
	l.Limiter.Release(k, throttled)
}

// TestTokensExpire compacts etcd while a list is read.
func TestTokensExpire(t *testing.T) {
	const n = 3000
	s := pods(t, n)
	for _, c := range []struct {
		name string
		// compact says after which of the requests, from 1, etcd is compacted.
		compact      []int
		inconsistent bool
	}{
		{"once: begun anew", []int{2}, false},
		{"twice: gone on with", []int{2, 5}, true},
		{"again and again", []int{1, 3, 4, 5, 6}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			f := relayOf(t, s, func(w http.ResponseWriter, r *http.Request, pass func()) {
				pass()
				if r.URL.Path != "/api/v1/pods" {
					return
				}
				asked++
				for _, at := range c.compact {
					if at == asked {
						// A write, so that there is something to compact to.
						if err := s.Create(t.Context(), "/api/v1/namespaces/default/configmaps", `{"metadata":{"generateName":"x"}}`); err != nil {
							t.Error(err)
						}
						if err := s.Compact(t.Context()); err != nil {
							t.Error(err)
						}
					}
				}
			})
			out := collect(t, open(t, k8s.Options{Kubeconfig: f.config(t), StateDir: "-"}, nil, "kubernetes_pod"))
			if r := out.scopes["kubernetes_pod in global"]; r.State != schema.Complete {
				t.Errorf("%s: %s", r.State, r.Error)
			}
			if got := len(names(out.rows["kubernetes_pod"])); got != n {
				t.Errorf("%d of %d pods", got, n)
			}
			if got := out.hasProblem("inconsistent", "was not read at one instant"); got != c.inconsistent {
				t.Errorf("inconsistent: %t: %v", got, out.problems)
			}
		})
	}
}

// TestSlowSinkLosesNoTokens compacts etcd while the sink is still at the first
// page: the others wait on disk.
func TestSlowSinkLosesNoTokens(t *testing.T) {
	const n = 6000
	s := pods(t, n)
	for _, c := range []struct {
		name  string
		spool int64
		// expires says that the disk was too small for it.
		expires bool
	}{
		{"on disk", 0, false},
		{"on a disk that is full", 1000, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked atomic.Int64
			f := relayOf(t, s, func(w http.ResponseWriter, r *http.Request, pass func()) {
				if r.URL.Path == "/api/v1/pods" {
					asked.Add(1)
				}
				pass()
			})
			dir := t.TempDir()
			source := open(t, k8s.Options{Kubeconfig: f.config(t), StateDir: "-", SpoolDir: dir, SpoolBytes: c.spool, SpoolAfter: 50 * time.Millisecond}, nil, "kubernetes_pod")
			out := newTable()
			first := true
			out.slow = func() {
				if !first {
					return
				}
				first = false
				if !c.expires {
					// The server's pace, not the sink's.
					eventually(t, func() bool { return asked.Load() == n/500 })
				}
				if err := s.Create(t.Context(), "/api/v1/namespaces/default/configmaps", `{"metadata":{"generateName":"x"}}`); err != nil {
					t.Error(err)
				}
				if err := s.Compact(t.Context()); err != nil {
					t.Error(err)
				}
			}
			run(t, source, out)
			if got := len(names(out.rows["kubernetes_pod"])); got != n || out.state("kubernetes_pod", "global") != schema.Complete {
				t.Errorf("%d of %d pods: %+v", got, n, out.scopes)
			}
			if again := asked.Load() > n/500; again != c.expires {
				t.Errorf("%d requests", asked.Load())
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("left in the spool: %v %v", left, err)
			}
		})
	}
}

// TestRequestsAskForPlainJSON keeps servers from indenting their answers, as
// they do for those who seem to be people, and asks for what custom resources
// can be had as, too.
func TestRequestsAskForPlainJSON(t *testing.T) {
	lists := 0
	f := relay(t, func(w http.ResponseWriter, r *http.Request, pass func()) {
		if r.URL.Path == "/api/v1/pods" {
			lists++
			if a := r.Header.Get("Accept"); a != "application/json" {
				t.Errorf("Accept: %s", a)
			}
			if a := r.Header.Get("User-Agent"); a != "dewpoint" {
				t.Errorf("User-Agent: %s", a)
			}
			if a := r.Header.Get("Accept-Encoding"); a != "gzip" {
				t.Errorf("Accept-Encoding: %s", a)
			}
		}
		pass()
	})
	collect(t, open(t, k8s.Options{Kubeconfig: f.config(t), StateDir: "-"}, nil, "kubernetes_pod"))
	if lists == 0 {
		t.Error("no pods were listed")
	}
}
