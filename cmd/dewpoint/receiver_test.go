package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type receiverKey struct{}

// receiver keeps what is posted to it; a path /STATUS is answered with that.
type receiver struct {
	mu     sync.Mutex
	bodies [][]byte
}

// receiverCommand takes what notifications send:
//
//	receiver start         RECEIVER is its URL
//	receiver get N FILE    waits for the N-th message, as indented JSON
//	receiver count N       there are so many
func receiverCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: receiver start | get N FILE | count N")
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
			r.bodies = append(r.bodies, b)
		}))
		ts.Defer(s.Close)
		ts.Setenv("RECEIVER", s.URL)
		*ts.Value(receiverKey{}).(**receiver) = r
		return
	}
	r := *ts.Value(receiverKey{}).(**receiver)
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	if args[0] == "count" {
		if got := len(r.all()); got != n {
			ts.Fatalf("%d messages were received, not %d", got, n)
		}
		return
	}
	for range 1000 {
		if all := r.all(); len(all) >= n {
			var b bytes.Buffer
			ts.Check(json.Indent(&b, all[n-1], "", " "))
			ts.Check(os.WriteFile(ts.MkAbs(args[2]), b.Bytes(), 0o600))
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%d messages were received, not %d", len(r.all()), n)
}

func (r *receiver) all() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bodies
}
