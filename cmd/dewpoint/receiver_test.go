package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type receiverKey struct{}

// receiver keeps what is posted to it; a path /STATUS is answered with that.
type receiver struct {
	mu     sync.Mutex
	bodies [][]byte
	traces [][]byte
}

// receiverCommand takes what notifications send:
//
//	receiver start         RECEIVER is its URL
//	receiver traces TEXT   waits for a trace by OTLP that holds a text
//	receiver get N FILE    waits for the N-th message, as indented JSON
//	receiver count N       there are so many
func receiverCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: receiver start | get N FILE | count N | traces TEXT")
	}
	if args[0] == "start" {
		r := &receiver{}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			b, _ := io.ReadAll(q.Body)
			r.mu.Lock()
			defer r.mu.Unlock()
			if status, err := strconv.Atoi(q.URL.Path[1:]); err == nil {
				w.WriteHeader(status)
				return
			}
			if q.URL.Path == "/v1/traces" {
				if q.Header.Get("Content-Encoding") != "" || q.Header.Get("Content-Type") != "application/x-protobuf" {
					w.WriteHeader(http.StatusUnsupportedMediaType)
				}
				r.traces = append(r.traces, b)
				return
			}
			r.bodies = append(r.bodies, b)
		}))
		ts.Defer(s.Close)
		ts.Setenv("RECEIVER", s.URL)
		*ts.Value(receiverKey{}).(**receiver) = r
		return
	}
	r := *ts.Value(receiverKey{}).(**receiver)
	if args[0] == "traces" {
		until(ts, "no trace holds "+args[1], func() bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			return bytes.Contains(bytes.Join(r.traces, nil), []byte(args[1]))
		})
		return
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	if args[0] == "count" {
		if got := len(r.all()); got != n {
			ts.Fatalf("%d messages were received, not %d", got, n)
		}
		return
	}
	until(ts, "too few messages were received", func() bool { return len(r.all()) >= n })
	var b bytes.Buffer
	ts.Check(json.Indent(&b, r.all()[n-1], "", " "))
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), b.Bytes(), 0o600))
}

// until waits for what must come soon.
func until(ts *testscript.TestScript, missing string, come func() bool) {
	for range 3000 {
		if come() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%s", missing)
}

// probeCommand waits until a page, or a file, holds a text: probe URL|FILE TEXT.
func probeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: probe URL|FILE TEXT")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	until(ts, args[0]+" lacks "+args[1], func() bool {
		if !strings.HasPrefix(args[0], "http:") {
			b, err := os.ReadFile(ts.MkAbs(args[0]))
			return err == nil && bytes.Contains(b, []byte(args[1]))
		}
		a, err := client.Get(args[0])
		if err != nil {
			return false
		}
		defer a.Body.Close()
		b, err := io.ReadAll(a.Body)
		return err == nil && bytes.Contains(b, []byte(args[1]))
	})
}

// portCommand sets variables to free ports: port NAME...
func portCommand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close()
		ts.Setenv(name, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
}

func (r *receiver) all() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bodies
}
