package workflow_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/react/notify"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// TestDeliveredAtLeastOnce holds that what a process that was killed had not
// delivered is, under the same key, by the next round, and what a receiver does
// not take for now by one after that.
func TestDeliveredAtLeastOnce(t *testing.T) {
	e := newEstate(t, awsfake.Options{})
	e.Put(anywhere, "ec2.DescribeVpcs", vpc("vpc-1", accountA))
	var mu sync.Mutex
	var keys []string
	status := map[string]int{}
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.URL.Path+" "+r.Header.Get("Idempotency-Key"))
		if s := status[r.URL.Path]; s != 0 {
			w.WriteHeader(s)
		}
	}))
	t.Cleanup(hook.Close)
	dir := filepath.Dir(e.path)
	path := filepath.Join(dir, "dewpoint.yaml")
	put(t, path, `
sinks: ["duckdb:`+e.path+`"]
aws: {accounts: [{profile: a}]}
kinds: {only: [aws_ec2_vpc]}
react: {state: "`+dir+`/state"}
notify:
  good: {type: webhook, url: "`+hook.URL+`/good"}
  away: {type: webhook, url: "`+hook.URL+`/away"}
  bad: {type: webhook, url: "`+hook.URL+`/bad"}
jobs:
  note: {on: [failed], exec: {command: [sh, -c, 'echo $DEWPOINT_KEY >> `+dir+`/notes']}}
  tell: {on: [collected], notify: [away]}
`)
	c, err := workflow.LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	status["/away"], status["/bad"] = 503, 400
	store := react.OpenFileStore(filepath.Join(dir, "state"))
	hour := time.Now().Add(-time.Hour)
	for key, p := range map[string]react.Parcel{
		"k1": {Kind: "message", To: "good", At: hour}, "k2": {Kind: "message", To: "away", At: hour}, "k3": {Kind: "message", To: "bad", At: hour},
		"k4": {Kind: "message", To: "gone", At: hour}, "k5": {Kind: "message", To: "away", At: hour.Add(-24 * time.Hour)},
		"k6": {Kind: "program", To: "note", At: hour}, "k7": {Kind: "message", To: "good", At: time.Now()}, // another process is at it
	} {
		p.ID, p.Body = uuid.New(), json.RawMessage(`{"key": "`+key+`", "event": {"event": "failed"}, "job": "note"}`)
		if p.Kind == "message" {
			p.Body = json.RawMessage(`{"key": "` + key + `", "event": "failed", "title": "it failed"}`)
		}
		if err := store.PutParcel(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	sender := &notify.Sender{Attempts: 1, Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	r, err := (&workflow.Cycle{Config: c, Version: "test", Sender: sender}).Run(t.Context(), t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"given up: notify bad: ", "given up: the channel gone is no longer there", "notify away: ", "job tell: notify away"} {
		if r.Err() == nil || !strings.Contains(r.Err().Error(), want) {
			t.Errorf("%v lacks %s", r.Err(), want)
		}
	}
	mu.Lock()
	slices.Sort(keys)
	if want := []string{"/away k2", "/away k5", "/bad k3", "/good k1"}; len(keys) != 5 || !slices.Equal(without(keys, "/away "+jobKey(r)), want) {
		t.Errorf("sent %v", keys)
	}
	mu.Unlock()
	if notes, err := os.ReadFile(filepath.Join(dir, "notes")); err != nil || !strings.HasPrefix(string(notes), "k6\n") {
		t.Errorf("notes %s, %v", notes, err)
	}
	left, err := store.Parcels(t.Context())
	var bodies []string
	for _, p := range left {
		var m notify.Message
		if err := json.Unmarshal(p.Body, &m); err != nil {
			t.Error(err)
		}
		bodies = append(bodies, m.Key)
	}
	slices.Sort(bodies)
	if want := []string{jobKey(r), "k2", "k7"}; err != nil || !slices.Equal(bodies, inOrder(want)) {
		t.Errorf("left %v, want %v, %v", bodies, want, err)
	}
}

// jobKey is the key of what the job tell says of a round.
func jobKey(r *workflow.CycleReport) string {
	return uuid.NewSHA1(r.ID, []byte("job tell collected")).String()
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func inOrder(all []string) []string { return slices.Sorted(slices.Values(all)) }
