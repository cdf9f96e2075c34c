//go:build iceberg

package iceberg_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"

	pq "github.com/apache/arrow-go/v18/parquet"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/iceberg"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/iceberg/icebergtest"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
)

var queueColumns = []schema.Column{
	{Name: "_id", Type: schema.UUID},
	{Name: "id", Type: schema.Text, Doc: "The name of the queue"},
	{Name: "tags", Type: schema.TextMap},
	{Name: "created_at", Type: schema.Timestamp},
	{Name: "policy", Type: schema.JSON},
	{Name: "delay_seconds", Type: schema.Int64},
	{Name: "fifo", Type: schema.Bool},
	{Name: "ratio", Type: schema.Float64},
	{Name: "endpoints", Type: schema.TextList},
}

// estate is a store with a catalog.
type estate struct {
	t       *testing.T
	st      objects.Store
	address string // of the catalog as readers reach it
	cat     *iceberg.Catalog
	props   map[string]string // for the reader

	namespace string
	r         *icebergtest.Reader
}

// newEstate makes an estate whose catalog is reached through an address of its
// own.
func newEstate(t *testing.T, namespace, storeURL, address, through string) *estate {
	t.Helper()
	st, err := objects.Open(t.Context(), storeURL)
	if err != nil {
		t.Fatal(err)
	}
	cat, err := iceberg.Open(url.Values{"catalog": {through}, "namespace": {namespace}}, st, "syncs")
	if err != nil {
		t.Fatal(err)
	}
	return &estate{t: t, st: st, address: address, cat: cat, props: map[string]string{}, namespace: namespace}
}

// file writes a Parquet file of rows with the ids.
func (e *estate) file(key string, cols []schema.Column, ids ...string) iceberg.File {
	e.t.Helper()
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.Name, Type: c.Type.Arrow(), Nullable: true}
		if c.Type == schema.UUID {
			fields[i].Type = arrow.BinaryTypes.String
		}
	}
	sc := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, sc)
	for _, id := range ids {
		row, _ := json.Marshal(map[string]any{
			"_id": "00000000-0000-5000-8000-00000000000" + id, "id": id, "tags": []map[string]string{{"key": "team", "value": id}},
			"created_at": "2026-11-22T10:00:00.123456Z", "policy": `{"a":1}`, "delay_seconds": 3_000_000_000, "fifo": true, "ratio": 0.5,
			"endpoints": []string{"x", "y"}, "added": []string{"new"},
		})
		if err := b.UnmarshalJSON(row); err != nil {
			e.t.Fatal(err)
		}
	}
	var buf bytes.Buffer
	w, err := pqarrow.NewFileWriter(sc, &buf, pq.NewWriterProperties(pq.WithVersion(pq.V2_LATEST)), pqarrow.DefaultWriterProps())
	if err == nil {
		err = w.Write(b.NewRecordBatch())
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		_, err = e.st.Create(e.t.Context(), key, buf.Bytes())
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return iceberg.File{Key: key}
}

func (e *estate) publish(sync string, retention time.Duration, tables ...iceberg.Table) {
	e.t.Helper()
	if err := e.cat.Publish(e.t.Context(), iceberg.State{Sync: sync, Retention: retention, Tables: tables}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *estate) show(table string) icebergtest.Shown {
	e.t.Helper()
	return e.r.Show(e.address, e.namespace, table, e.props)
}

func (e *estate) expect(table, ids, syncs string) icebergtest.Shown {
	e.t.Helper()
	s := e.show(table)
	if got := icebergtest.IDs(s.Rows); got != ids {
		e.t.Errorf("%s has the rows %q, want %q", table, got, ids)
	}
	if got := strings.Join(s.Syncs, " "); got != syncs {
		e.t.Errorf("%s has snapshots of the syncs %q, want %q", table, got, syncs)
	}
	return s
}

func TestPublish(t *testing.T) {
	address := icebergtest.StartCatalog(t)
	s3 := objectstest.StartS3(t)
	r := icebergtest.StartReader(t)
	for name, url := range map[string]string{"Disk": t.TempDir(), "S3": s3.URL()} {
		t.Run(name, func(t *testing.T) {
			e := newEstate(t, strings.ToLower(name), url, address, address)
			e.r = r
			e.props = map[string]string{
				"s3.endpoint": s3.Endpoint, "s3.access-key-id": objectstest.AccessKey, "s3.secret-access-key": objectstest.SecretKey, "s3.region": s3.Region,
			}
			testPublish(t, e)
		})
	}
}

func testPublish(t *testing.T, e *estate) {
	const queue, topic, syncs = "aws_sqs_queue", "aws_sns_topic", "syncs"
	q1, q2 := e.file("q/sync_date=2026-11-22/sync_id=1/part-0.parquet", queueColumns, "1", "2"), e.file("q/sync_id=1/part-1.parquet", queueColumns, "3")
	tables := []iceberg.Table{
		{Name: queue, Doc: "Queues", Columns: queueColumns, Files: []iceberg.File{q1, q2}},
		{Name: topic, Columns: queueColumns, Files: []iceberg.File{e.file("t/1.parquet", queueColumns, "7")}},
		{Name: "aws_empty", Columns: queueColumns},
		{Name: syncs, Columns: queueColumns, Files: []iceberg.File{e.file("s/1.parquet", queueColumns, "1")}},
	}
	e.publish("s1", time.Hour, tables...)
	s := e.expect(queue, "1 2 3", "s1")
	want := []string{
		"_id string", "id string", "tags map<string, string>", "created_at timestamptz", "policy string", "delay_seconds long",
		"fifo boolean", "ratio double", "endpoints list<string>",
	}
	if d := cmp.Diff(want, s.Columns); d != "" {
		t.Error(d)
	}
	row := map[string]any{
		"_id": "00000000-0000-5000-8000-000000000001", "id": "1", "tags": []any{[]any{"team", "1"}}, "created_at": "2026-11-22 10:00:00.123456+00:00",
		"policy": `{"a":1}`, "delay_seconds": 3e9, "fifo": true, "ratio": 0.5, "endpoints": []any{"x", "y"},
	}
	if d := cmp.Diff(row, s.Rows[0]); d != "" {
		t.Error(d)
	}
	if s.Docs["id"] != "The name of the queue" || s.Props["comment"] != "Queues" {
		t.Errorf("docs: %v, %v", s.Docs, s.Props)
	}
	e.expect("aws_empty", "", "")

	// The same state makes no snapshots.
	e.publish("s1", time.Hour, tables...)
	e.expect(queue, "1 2 3", "s1")

	// A file is replaced, a column added, a table emptied, another unchanged.
	wider := append(slices.Clone(queueColumns), schema.Column{Name: "added", Type: schema.TextList, Doc: "New"})
	tables[0].Columns = wider
	tables[0].Files = []iceberg.File{q1, e.file("q/sync_id=2/part-0.parquet", wider, "4")}
	tables[1].Files = nil
	tables[3].Files = []iceberg.File{e.file("s/2.parquet", queueColumns, "1", "2")}
	e.publish("s2", time.Hour, tables...)
	s = e.expect(queue, "4 1 2", "s1 s2")
	if got := icebergtest.IDs(s.Past[0]); got != "1 2 3" {
		t.Errorf("the first snapshot has %q", got)
	}
	for _, r := range s.Rows {
		if (r["added"] != nil) != (r["id"] == "4") {
			t.Errorf("row %v: added is %v", r["id"], r["added"])
		}
	}
	e.expect(topic, "", "s1 s2")
	e.expect(syncs, "1 2", "s1 s2")

	// The old snapshots end; the table still reads files that the first made.
	before := metadata(t, e.st)
	tables[0].Files = append(tables[0].Files, e.file("q/sync_id=3/part-0.parquet", wider, "5"))
	e.publish("s3", 0, tables...)
	s = e.expect(queue, "5 4 1 2", "s3")
	e.expect(syncs, "1 2", "s2")
	e.publish("s4", 0, tables...)
	e.expect(queue, "5 4 1 2", "s3")
	if after := metadata(t, e.st); after >= before {
		t.Errorf("%d files of metadata before the expiry, %d after it", before, after)
	}
}

// metadata counts manifests and manifest lists.
func metadata(t *testing.T, st objects.Store) int {
	n := 0
	for info, err := range st.List(t.Context(), "_dewpoint/iceberg/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, ".avro") {
			n++
		}
	}
	return n
}

// proxy stands between dewpoint and the catalog.
type proxy struct {
	*httptest.Server
	mu      sync.Mutex
	commits []string // paths of requests that commit
	lose    int      // that many answers to commits
	hide    string   // an endpoint that the catalog does not offer
}

func startProxy(t *testing.T, address string) *proxy {
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path == "/v1/config" && p.hide != "" {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return err
				}
				body = []byte(strings.ReplaceAll(string(body), p.hide, "GET /v1/none"))
				r.Body = io.NopCloser(bytes.NewReader(body))
				r.ContentLength = int64(len(body))
				r.Header.Del("Content-Length")
			}
			return nil
		},
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		commit := r.Method == http.MethodPost && (strings.HasSuffix(r.URL.Path, "/transactions/commit") || strings.Contains(r.URL.Path, "/tables/"))
		lose := false
		p.mu.Lock()
		if commit {
			p.commits = append(p.commits, r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:])
			if lose = p.lose > 0; lose {
				p.lose--
			}
		}
		p.mu.Unlock()
		if lose {
			rp.ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		rp.ServeHTTP(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func TestPublishCommitsAllTablesAtOnce(t *testing.T) {
	address := icebergtest.StartCatalog(t)
	r := icebergtest.StartReader(t)
	publish := func(t *testing.T, p *proxy, namespace string) {
		e := newEstate(t, namespace, t.TempDir(), address, p.URL)
		e.r = r
		e.publish("s1", time.Hour,
			iceberg.Table{Name: "syncs", Columns: queueColumns, Files: []iceberg.File{e.file("s.parquet", queueColumns, "1")}},
			iceberg.Table{Name: "a", Columns: queueColumns, Files: []iceberg.File{e.file("a.parquet", queueColumns, "1")}},
			iceberg.Table{Name: "b", Columns: queueColumns, Files: []iceberg.File{e.file("b.parquet", queueColumns, "2")}})
		e.expect("a", "1", "s1")
		e.expect("syncs", "1", "s1")
	}
	t.Run("Transaction", func(t *testing.T) {
		p := startProxy(t, address)
		publish(t, p, "at_once")
		if got := strings.Join(p.commits, " "); got != "commit" {
			t.Errorf("commits: %s", got)
		}
	})
	t.Run("AnswerLost", func(t *testing.T) {
		p := startProxy(t, address)
		p.lose = 1
		publish(t, p, "answer_lost")
		if got := strings.Join(p.commits, " "); got != "commit" {
			t.Errorf("commits: %s", got)
		}
	})
	t.Run("NoTransactions", func(t *testing.T) {
		p := startProxy(t, address)
		p.hide = "POST /v1/{prefix}/transactions/commit"
		publish(t, p, "one_by_one")
		if got := strings.Join(p.commits, " "); got != "a b syncs" {
			t.Errorf("commits: %s", got)
		}
	})
}

func TestPublishErrorsSayWhatToDo(t *testing.T) {
	address := icebergtest.StartCatalog(t)
	e := newEstate(t, "errors", t.TempDir(), address, address)
	if err := e.cat.Check(t.Context()); err != nil {
		t.Error(err)
	}
	e.publish("s1", time.Hour, iceberg.Table{Name: "queue", Columns: queueColumns})
	check := func(e *estate, tb iceberg.Table, want string) {
		t.Helper()
		err := e.cat.Publish(t.Context(), iceberg.State{Sync: "s2", Tables: []iceberg.Table{tb}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	changed := slices.Clone(queueColumns)
	changed[1].Type = schema.Int64
	check(e, iceberg.Table{Name: "queue", Columns: changed}, "table queue: ")
	check(e, iceberg.Table{Name: "queue", Columns: changed}, "column id is string, dewpoint writes long: drop the table in the catalog")
	check(newEstate(t, "errors", t.TempDir(), address, address), iceberg.Table{Name: "queue", Columns: queueColumns}, "name another namespace=")
	check(newEstate(t, "errors", t.TempDir(), "", "http://127.0.0.1:1"), iceberg.Table{Name: "queue"}, "connection refused")
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error": {"message": "who are you", "type": "NotAuthorizedException", "code": 401}}`)
	}))
	defer refuses.Close()
	t.Setenv("ICEBERG_CATALOG_TOKEN", "s3cr3t")
	check(newEstate(t, "errors", t.TempDir(), "", refuses.URL), iceberg.Table{Name: "queue"}, "set ICEBERG_CATALOG_CREDENTIAL to CLIENT_ID:CLIENT_SECRET, or ICEBERG_CATALOG_TOKEN to a token")

	for query, want := range map[string]string{
		"":                                  "no catalog is named: add catalog=https://HOST/PATH",
		"catalog=glue":                      "must be an address",
		"catalog=https://u:s3cr3t@h/":       "must not carry credentials",
		"catalog=https://h/%3Ftoken=s3cr3t": "must not carry credentials",
		"catalog=https://h/&namespace=a..b": "is no namespace",
	} {
		params, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := iceberg.Open(params, e.st, "syncs"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: %v, want %s", query, err, want)
		}
	}
}

func TestRequestsAreSigned(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t")
	t.Setenv("AWS_REGION", "eu-west-1")
	var authorization, warehouse string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization, warehouse = r.Header.Get("Authorization"), r.URL.Query().Get("warehouse")
		w.WriteHeader(http.StatusForbidden)
	}))
	defer srv.Close()
	st, err := objects.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cat, err := iceberg.Open(url.Values{"catalog": {srv.URL}, "sigv4": {"glue"}, "warehouse": {"123456789012"}}, st, "syncs")
	if err != nil {
		t.Fatal(err)
	}
	err = cat.Publish(t.Context(), iceberg.State{Sync: "s1"})
	if err == nil || !strings.Contains(err.Error(), "grant the right") || strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
	if !strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(authorization, "/eu-west-1/glue/aws4_request") || warehouse != "123456789012" {
		t.Errorf("Authorization %q, warehouse %q", authorization, warehouse)
	}
}
