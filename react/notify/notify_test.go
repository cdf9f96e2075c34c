package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	standard "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/react/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver keeps what it is sent. Its answers are the statuses in order, then
// 200.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	statuses []int
	headers  []http.Header
	bodies   [][]byte
}

func receive(t *testing.T, statuses ...int) *receiver {
	r := &receiver{statuses: statuses}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		b, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.headers, r.bodies = append(r.headers, q.Header), append(r.bodies, b)
		if len(r.statuses) > 0 {
			w.Header().Set("Retry-After", "7")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(r.statuses[0])
			r.statuses = r.statuses[1:]
		}
		fmt.Fprintf(w, "you sent %s to %s", b, q.URL)
	}))
	t.Cleanup(r.Close)
	return r
}

// last decodes the last body.
func (r *receiver) last(t *testing.T) map[string]any {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	var v map[string]any
	if err := json.Unmarshal(r.bodies[len(r.bodies)-1], &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// channel reads a channel as the configuration does.
func channel(t *testing.T, text string) *notify.Channel {
	t.Helper()
	var c notify.Channel
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	return &c
}

// sender counts its pauses instead of waiting.
func sender(pauses *[]time.Duration) *notify.Sender {
	return &notify.Sender{
		Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		Pause: func(ctx context.Context, d time.Duration) error {
			if pauses != nil {
				*pauses = append(*pauses, d)
			}
			return ctx.Err()
		},
	}
}

func message() *notify.Message {
	return &notify.Message{
		Key: "0190a6c0-0000-7000-8000-000000000001", Event: "applied", Severity: "warning", Group: "rule/expired", At: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
		Title: "expired: 1 of 2 <done>", Text: "See & act.", Fields: []notify.Field{{Name: "Rule", Value: "expired"}},
		Columns: []string{"id", "owner"}, Rows: []map[string]any{{"id": "vol-1", "owner": "ann"}, {"id": "vol-2", "owner": nil}},
		Data: map[string]any{"plans": []any{map[string]any{"rule": "expired"}}},
	}
}

// big is a message beyond all limits.
func big() *notify.Message {
	m := message()
	m.Title, m.Text = strings.Repeat("t", 5000), strings.Repeat("&", 50000)
	for i := range 2000 {
		m.Rows = append(m.Rows, map[string]any{"id": fmt.Sprintf("vol-%d", i), "owner": strings.Repeat("o", 500)})
		m.Fields = append(m.Fields, notify.Field{Name: "n", Value: strings.Repeat("v", 3000)})
	}
	return m
}

func TestWebhookIsVerifiedByAnotherLibrary(t *testing.T) {
	for _, key := range []string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "file:" + write(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")} {
		r := receive(t)
		c := channel(t, "{type: webhook, url: "+r.URL+", key: "+key+", headers: {X-Token: abcd}}")
		if err := sender(nil).Send(t.Context(), "hook", c, message()); err != nil {
			t.Fatal(err)
		}
		v, err := standard.NewWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
		if err != nil {
			t.Fatal(err)
		}
		h := r.headers[0]
		if err := v.Verify(r.bodies[0], h); err != nil {
			t.Error(err)
		}
		if err := v.Verify(append(r.bodies[0], ' '), h); err == nil {
			t.Error("another body is verified")
		}
		if h.Get("Idempotency-Key") != message().Key || h.Get("Webhook-Id") != message().Key || h.Get("X-Token") != "abcd" {
			t.Errorf("headers %v", h)
		}
		var got notify.Message
		if err := json.Unmarshal(r.bodies[0], &got); err != nil || got.Title != message().Title || got.Rows[0]["owner"] != "ann" {
			t.Errorf("%s, %v", r.bodies[0], err)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTemplatesSayWhatIsSent(t *testing.T) {
	r := receive(t)
	c := channel(t, `{type: webhook, url: `+r.URL+`, body: '{"it": {{json .Title}}, "first": {{json (index .Rows 0).id}}, "rule": {{range .Data.plans}}{{json .rule}}{{end}}}'}`)
	c.Title = "{{.Event}}:\n {{len .Rows}} rows"
	if err := sender(nil).Send(t.Context(), "hook", c, message()); err != nil {
		t.Fatal(err)
	}
	if got := string(r.bodies[0]); got != `{"it": "applied: 2 rows", "first": "vol-1", "rule": "expired"}` {
		t.Error(got)
	}
}

func TestSlackKeepsToItsLimits(t *testing.T) {
	r := receive(t)
	c := channel(t, "{type: slack, url: "+r.URL+"}")
	for _, m := range []*notify.Message{message(), big()} {
		if err := sender(nil).Send(t.Context(), "chat", c, m); err != nil {
			t.Fatal(err)
		}
		v := r.last(t)
		blocks := v["blocks"].([]any)
		if len(blocks) < 5 || len(blocks) > 50 {
			t.Errorf("%d blocks", len(blocks))
		}
		for _, b := range blocks {
			block := b.(map[string]any)
			limit := map[string]int{"header": 150, "section": 3000}[block["type"].(string)]
			if text, ok := block["text"].(map[string]any); ok && len([]rune(text["text"].(string))) > limit {
				t.Errorf("a %v is too long", block["type"])
			}
			if fields, ok := block["fields"].([]any); ok && len(fields) > 10 {
				t.Errorf("%d fields", len(fields))
			}
		}
	}
	_ = sender(nil).Send(t.Context(), "chat", c, message())
	got := string(r.bodies[2])
	for _, want := range []string{`expired: 1 of 2 \u0026lt;done\u0026gt;`, `See \u0026amp; act.`, `vol-1  ann`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
}

func TestTeamsKeepsToItsLimit(t *testing.T) {
	r := receive(t, 202)
	c := channel(t, "{type: teams, url: "+r.URL+"}")
	if err := sender(nil).Send(t.Context(), "chat", c, big()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.bodies[0]); n > 28<<10 {
		t.Errorf("%d bytes", n)
	}
	card := r.last(t)["attachments"].([]any)[0].(map[string]any)
	if card["contentType"] != "application/vnd.microsoft.card.adaptive" || card["content"].(map[string]any)["type"] != "AdaptiveCard" {
		t.Errorf("%v", card)
	}
}

func TestPagerDutyHasOneIncidentForAGroup(t *testing.T) {
	r := receive(t, 202, 202)
	c := channel(t, "{type: pagerduty, url: "+r.URL+", routing_key: R0123456789}")
	m := message()
	m.Severity = "error"
	if err := sender(nil).Send(t.Context(), "pager", c, m); err != nil {
		t.Fatal(err)
	}
	first := r.last(t)
	m.Key, m.Resolved = "another", true
	if err := sender(nil).Send(t.Context(), "pager", c, m); err != nil {
		t.Fatal(err)
	}
	second := r.last(t)
	if first["event_action"] != "trigger" || second["event_action"] != "resolve" || first["dedup_key"] != second["dedup_key"] || first["routing_key"] != "R0123456789" {
		t.Errorf("%v, then %v", first, second)
	}
	if p := first["payload"].(map[string]any); p["severity"] != "error" || p["summary"] != m.Title || p["source"] != "dewpoint" {
		t.Errorf("%v", p)
	}
}

func TestOverloadIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		statuses []int
		sent     int
		fails    bool
	}{
		{[]int{429, 503}, 3, false},
		{[]int{500, 500, 500, 500, 500}, 5, true},
		{[]int{400}, 1, true},
		{[]int{302}, 1, true},
		{nil, 1, false},
	} {
		r := receive(t, c.statuses...)
		var pauses []time.Duration
		err := sender(&pauses).Send(t.Context(), "hook", channel(t, "{type: webhook, url: "+r.URL+"}"), message())
		if len(r.bodies) != c.sent || c.fails != (err != nil) || notify.Temporary(err) != (c.fails && c.sent == 5) {
			t.Errorf("%v: sent %d times, %v", c.statuses, len(r.bodies), err)
		}
		for _, p := range pauses {
			if p < 7*time.Second || p > time.Minute {
				t.Errorf("a pause of %s, the receiver asks for 7 s", p)
			}
		}
		for i, h := range r.headers {
			if h.Get("Idempotency-Key") != message().Key {
				t.Errorf("attempt %d has another key", i)
			}
		}
	}
}

func TestEndOfTheContextEndsWaiting(t *testing.T) {
	r := receive(t, 503, 503)
	ctx, cancel := context.WithCancel(t.Context())
	s := &notify.Sender{Pause: func(context.Context, time.Duration) error { cancel(); return context.Cause(ctx) }, Client: sender(nil).Client}
	if err := s.Send(ctx, "hook", channel(t, "{type: webhook, url: "+r.URL+"}"), message()); err == nil || len(r.bodies) != 1 {
		t.Errorf("%v after %d", err, len(r.bodies))
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	r := receive(t, 400, 400, 400, 400)
	closed := httptest.NewServer(nil)
	closed.Close()
	s := sender(nil)
	s.Attempts = 1
	for _, text := range []string{
		"{type: slack, url: " + r.URL + "/services/T0/hush-hush}",
		"{type: slack, url: " + closed.URL + "/services/T0/hush-hush}",
		"{type: teams, url: 'http://127.0.0.1:1/hush-hush%zz'}",
		"{type: pagerduty, url: " + r.URL + ", routing_key: hush-hush}",
		"{type: webhook, url: 'http://u:hush-hush@" + strings.TrimPrefix(r.URL, "http://") + "/?token=hush-hush', key: hush-hush, headers: {Authorization: hush-hush}}",
		"{type: webhook, url: " + r.URL + ", key: whsec_hush-hush}",
		"{type: email, server: '127.0.0.1:1', username: u, password: hush-hush, from: a@example.org, to: [b@example.org]}",
	} {
		c := channel(t, text)
		err := s.Send(t.Context(), "here", c, message())
		if err == nil {
			t.Errorf("%s is sent", text)
			continue
		}
		j, _ := json.Marshal(c)
		for _, shown := range []string{err.Error(), fmt.Sprintf("%v %+v %#v", *c, *c, *c), string(j)} {
			if strings.Contains(shown, "hush-hush") {
				t.Errorf("%s: told by %s", text, shown)
			}
		}
	}
}

func TestMistakesInChannels(t *testing.T) {
	for text, want := range map[string]string{
		"{type: smoke}":                                       `type is "smoke": take slack`,
		"{type: slack}":                                       "url is missing",
		"{type: slack, url: x, routing_key: y}":               "routing_key is no key of the type slack",
		"{type: pagerduty}":                                   "routing_key is missing",
		"{type: webhook, url: x, title: '{{.Nothing}}'}":      "can't evaluate field Nothing",
		"{type: webhook, url: x, text: '{{'}":                 "unclosed action",
		"{type: webhook, url: x, body: 'file:/none/x'}":       "no such file",
		"{type: email, server: x, from: a@b.c, to: [a@b.c]}":  "write HOST:PORT",
		"{type: email, server: 'x:25', from: a, to: [a@b.c]}": `"a" is no address`,
		"{type: email, server: 'x:25', tls: none, username: u, password: p, from: a@b.c, to: [a@b.c]}": "over encrypted connections only",
		"{type: email, server: 'x:25', tls: always, from: a@b.c, to: [a@b.c]}":                         "take starttls, tls or none",
		"{type: email, server: 'x:25', username: u, from: a@b.c, to: [a@b.c]}":                         "both username and password",
	} {
		var c notify.Channel
		err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict())
		if err == nil {
			err = c.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	var pathless notify.Channel
	if err := yaml.Unmarshal([]byte("{type: slack, url: 'file:/none/hook'}"), &pathless); err != nil || pathless.Validate() != nil {
		t.Error("a secret in a file need not be there yet")
	}
	err := sender(nil).Send(t.Context(), "chat", &pathless, message())
	if err == nil || !strings.Contains(err.Error(), "read the secret in /none/hook: no such file") || errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
