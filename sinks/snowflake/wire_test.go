package snowflake

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// wire is the driver's way to the server. It notes each statement as it is
// sent and breaks where it is told to.
type wire struct {
	mu         sync.Mutex
	statements []string
	tags       map[string]bool
	logins     []string
	// answer, where it is not nil, is asked before a request goes out.
	answer func(r *http.Request, sql string) (*http.Response, error)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body.Close()
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	text := body
	if r.Header.Get("Content-Encoding") == "gzip" {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			text, _ = io.ReadAll(z)
		}
	}
	var query struct {
		SQLText    string         `json:"sqlText"`
		Parameters map[string]any `json:"parameters"`
	}
	_ = json.Unmarshal(text, &query)
	w.mu.Lock()
	if strings.Contains(r.URL.Path, "/query-request") {
		w.statements = append(w.statements, strings.Join(strings.Fields(query.SQLText), " "))
		if tag, ok := query.Parameters["QUERY_TAG"].(string); ok {
			if w.tags == nil {
				w.tags = map[string]bool{}
			}
			w.tags[tag] = true
		}
	}
	if strings.Contains(r.URL.Path, "/login-request") {
		w.logins = append(w.logins, string(text))
	}
	answer := w.answer
	w.mu.Unlock()
	if answer != nil {
		if resp, err := answer(r, query.SQLText); resp != nil || err != nil {
			return resp, err
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// take returns the statements since the last call.
func (w *wire) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.statements
	w.statements = nil
	return s
}

func (w *wire) set(f func(r *http.Request, sql string) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// refuse answers as Snowflake does when a statement fails.
func refuse(code, state, message string) *http.Response {
	b, _ := json.Marshal(map[string]any{"success": false, "code": code, "message": message, "data": map[string]any{"sqlState": state, "queryId": "01"}})
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(b))}
}

var errBroken = errors.New("the connection is broken")

// openWire opens a sink behind a wire.
func openWire(t *testing.T, url string, o Options) (*Sink, *wire) {
	t.Helper()
	cfg, err := parseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	cfg.driver.Transporter = w
	o.TempDir = t.TempDir()
	s := open(cfg, o)
	t.Cleanup(func() { s.Close() })
	return s, w
}

var (
	boxKind = &schema.Kind{
		Name: "aws_test_box", Key: "aws_test_box", Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion, Doc: "Boxes.", Definition: "1",
		Columns: []schema.Column{{Name: "size", Type: schema.Int64}, {Name: "hits", Type: schema.Int64, Volatile: true}},
		Edges:   []schema.Edge{{To: "aws_test_box", Ref: "Peer", Relation: "uses", Match: schema.MatchID}},
	}
	dishKind = &schema.Kind{
		Name: "aws_test_dish", Key: "aws_test_dish", Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion, Doc: "Dishes.", Definition: "1",
		Columns: []schema.Column{{Name: "color", Type: schema.Text}},
	}
)

const (
	owner = "111111111111"
	other = "222222222222"
)

// estate is a sync of both kinds: rows with edges, one that a second account
// reports too, a scope that is denied, a problem.
func estate(t *testing.T, s *Sink, n int, change func(r *sinktest.Row)) sinks.Summary {
	t.Helper()
	tx := begin(t, s, n)
	write(t, tx, change)
	sum, err := tx.Commit(t.Context(), sinks.Outcome{FinishedAt: start(n).Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func syncUUID(n int) uuid.UUID { return uuid.NewSHA1(uuid.Nil, []byte{byte(n)}) }

func start(n int) time.Time { return time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC) }

func begin(t *testing.T, s *Sink, n int) sinks.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context(), sinks.Sync{
		ID: syncUUID(n), StartedAt: start(n), Version: "1.0.0", Kinds: []*schema.Kind{boxKind, dishKind}, HistoryRetention: 9600 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func write(t *testing.T, tx sinks.Tx, change func(r *sinktest.Row)) {
	t.Helper()
	scope := func(k *schema.Kind, account, region string) schema.Scope {
		return schema.Scope{Cloud: "aws", Account: account, Region: region, Kind: k.Name}
	}
	put := func(sc schema.Scope, k *schema.Kind, rows ...sinktest.Row) {
		for i := range rows {
			if change != nil {
				change(&rows[i])
			}
		}
		b := sinktest.Batch(k, sc, rows...)
		b.Problems = []schema.Problem{{Kind: k.Name, Account: sc.Account, Region: sc.Region, Code: "number", Count: 1, Sample: "it's a \\ \"sample\""}}
		if err := tx.Write(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if err := tx.Scope(t.Context(), schema.ScopeResult{Scope: sc, State: schema.Complete, Rows: int64(len(rows)), Calls: 1}); err != nil {
			t.Fatal(err)
		}
	}
	shared := sinktest.Row{ID: "c", Account: owner}
	put(scope(boxKind, owner, "eu-west-1"), boxKind,
		sinktest.Row{ID: "a", Refs: []sinktest.Ref{{Decl: 0, To: "b"}}}.With("hits", int64(7)), sinktest.Row{ID: "b"}.With("size", int64(1)), shared)
	put(scope(boxKind, other, "eu-west-1"), boxKind, shared)
	put(scope(dishKind, owner, "eu-west-1"), dishKind, sinktest.Row{ID: "x"}.With("color", "red"))
	err := tx.Scope(t.Context(), schema.ScopeResult{Scope: scope(dishKind, other, "eu-west-1"), State: schema.Denied, Code: "AccessDenied", Error: "no"})
	if err != nil {
		t.Fatal(err)
	}
}
