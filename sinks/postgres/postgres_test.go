package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func TestMain(m *testing.M) {
	sinktest.Child(func(url string, at func(step string)) (sinks.Sink, error) {
		return Open(context.Background(), url, Options{Trace: at})
	})
	code := m.Run()
	for _, s := range []*testServer{&shared, &local} {
		if s.server != nil {
			s.server.Stop()
		}
	}
	os.Exit(code)
}

// testServer is started by the first test that asks for it.
type testServer struct {
	once    sync.Once
	icu     string
	server  *postgrestest.Server
	err     error
	schemas atomic.Int64
}

var (
	shared = testServer{}
	local  = testServer{icu: "de-DE"}
)

func (s *testServer) get(t testing.TB) *postgrestest.Server {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	s.once.Do(func() {
		s.server, s.err = postgrestest.Start(postgrestest.Options{
			ICU: s.icu, Settings: []string{"fsync = off", "full_page_writes = off", "max_locks_per_transaction = 128"},
		})
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.server
}

// url names a new schema.
func (s *testServer) url(t testing.TB) string {
	t.Helper()
	return s.get(t).URL("postgres", fmt.Sprintf("schema=estate%d", s.schemas.Add(1)))
}

func TestConformance(t *testing.T) {
	t.Parallel()
	sinktest.Run(t, func(t *testing.T) sinktest.Target {
		return newTarget(t, shared.url(t), Options{LockTimeout: 50 * time.Millisecond})
	})
}

// TestConformanceWithoutHashes runs the suite as it is for kinds whose hashes
// do not fit the budget.
func TestConformanceWithoutHashes(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite a second time")
	}
	t.Parallel()
	sinktest.Run(t, func(t *testing.T) sinktest.Target {
		return newTarget(t, shared.url(t), Options{LockTimeout: 50 * time.Millisecond, HashBudget: 1})
	})
}

func newTarget(t *testing.T, url string, o Options) sinktest.Target {
	return sinktest.Target{
		Dialect: sinktest.Postgres,
		Open:    func() (sinks.Sink, error) { return Open(t.Context(), url, o) },
		Query:   func(q string) ([][]string, error) { return query(url, q) },
		QueryOverlay: func(o sinks.Overlay, q string) ([][]string, error) {
			cfg, err := parse(url)
			if err != nil {
				return nil, err
			}
			return query(strings.Replace(url, "schema="+cfg.schema, "schema="+o.(*overlay).cfg.schema, 1), q)
		},
		Exec: func(q string) error {
			cfg, err := parse(url)
			if err == nil { // a user may have been there before the first sync
				_, err = query(url, "CREATE SCHEMA IF NOT EXISTS "+ident(cfg.schema))
			}
			if err == nil {
				_, err = query(url, q)
			}
			return err
		},
		Ident: ident,
		Place: url,
	}
}

// query runs a statement as another program would, with search_path set.
func query(url, q string) ([][]string, error) {
	cfg, err := parse(url)
	if err != nil {
		return nil, err
	}
	pc, err := pgx.ParseConfig("")
	if err != nil {
		return nil, err
	}
	pc.Config = *cfg.pg.Copy()
	pc.RuntimeParams["search_path"] = cfg.schema
	pc.RuntimeParams["timezone"] = "UTC"
	pc.DefaultQueryExecMode = pgx.QueryExecModeDescribeExec
	ctx := context.Background()
	c, err := pgx.ConnectConfig(ctx, pc)
	if err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	r, err := c.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var all [][]string
	for r.Next() {
		values, err := r.Values()
		if err != nil {
			return nil, err
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = text(v, r.FieldDescriptions()[i].DataTypeOID, r.RawValues()[i])
		}
		all = append(all, row)
	}
	return all, r.Err()
}

func text(v any, oid uint32, raw []byte) string {
	switch {
	case raw == nil:
		return "NULL"
	case oid == pgtype.JSONBOID:
		return sinktest.CanonicalJSON(string(raw))
	}
	if n, ok := v.(pgtype.Numeric); ok {
		s, err := n.Value()
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(s)
	}
	return sinktest.Text(v, "")
}

func newSink(t testing.TB, url string) *Sink {
	t.Helper()
	s, err := Open(t.Context(), url, Options{LockTimeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestURLs(t *testing.T) {
	t.Setenv("PGPASSWORD", "s3cr3t")
	for url, want := range map[string]string{
		"postgres://u:s3cr3t@h:1234/db?schema=x":     "postgres://u@h:1234/db?schema=x",
		"postgresql://u@h/db?sslmode=verify-full":    "postgresql://u@h/db",
		"postgres:///db?host=/var/run/x&user=u":      "postgres:///db?host=%2Fvar%2Frun%2Fx&user=u",
		"postgres://u:p%40s3cr3t@h1:1,h2:2/db":       "postgres://u@h1:1,h2:2/db",
		"postgres://u@h/db?statement_timeout=5m":     "postgres://u@h/db",
		"postgres://u@h/db?colour=red":               "!colour",
		"postgres://u@h/db?schema=pg_x":              "!schema=pg_x",
		"postgres://u@h/db?schema=Big":               "!schema=Big",
		"postgres://u@h/db?statement_timeout=5":      "!statement_timeout=5",
		"postgres://u@h/db?connections=0":            "!connections=0",
		"postgres://u:s3cr3t@h/db?sslmode=sometimes": "!sslmode",
		"postgres://u:s3cr3t%zz@h/db":                "!percent-encoded",
		"mysql://u@h/db":                             "!scheme",
	} {
		s, err := Open(t.Context(), url, Options{})
		if text, bad := strings.CutPrefix(want, "!"); bad {
			var wrong *sinks.URLError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v, want a *sinks.URLError with %q", url, err, text)
			}
			if err != nil && strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s: %v tells the password", url, err)
			}
			continue
		}
		if err != nil || s.URL() != want {
			t.Errorf("%s: %v, %v, want %s", url, s, err, want)
		}
	}
}

// TestComments compares the comments in the database with the definitions.
func TestComments(t *testing.T) {
	url := shared.url(t)
	g := synthetic()
	g.Kind.Doc, g.Kind.Columns[0].Doc = `It's a "row" with \ in it.`, "Ünï."
	if _, err := syncRows(t.Context(), newSink(t, url), g, 1); err != nil {
		t.Fatal(err)
	}
	got, err := query(url, "SELECT obj_description('aws_test_row'::regclass), col_description('aws_test_row'::regclass, a.attnum) FROM pg_attribute a WHERE a.attrelid = 'aws_test_row'::regclass AND a.attname = "+literal(g.Kind.Columns[0].Name))
	if err != nil || got[0][0] != g.Kind.Doc || got[0][1] != g.Kind.Columns[0].Doc {
		t.Errorf("the comments are %q, %v", got, err)
	}
	got, err = query(url, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'v') AND obj_description(c.oid) IS NULL AND c.relname <> 'dewpoint_migrations'`)
	if err != nil || len(got) > 0 {
		t.Errorf("without a comment: %v, %v", got, err)
	}
}

// TestReader reads by database/sql: one statement after the other and several
// at a time, with arguments, never writing.
func TestReader(t *testing.T) {
	url := shared.url(t)
	if _, err := OpenReader(t.Context(), url); err == nil || !strings.Contains(err.Error(), "dewpoint sync") {
		t.Errorf("an empty schema: %v", err)
	}
	if _, err := syncRows(t.Context(), newSink(t, url), synthetic(), 500); err != nil {
		t.Fatal(err)
	}
	db, err := OpenReader(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 3 {
		r, err := db.QueryContext(t.Context(), "SELECT id, created_at, tags, _id FROM aws_test_row ORDER BY id LIMIT $1", 10)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for r.Next() && n < 5 { // the rest is not read
			var id, tags, uid string
			var at time.Time
			if err := r.Scan(&id, &at, &tags, &uid); err != nil {
				t.Fatal(err)
			}
			if at.Location() != time.UTC && at.IsZero() || !strings.HasPrefix(tags, "{") || len(uid) != 36 {
				t.Errorf("got %s %v %s %s", id, at, tags, uid)
			}
			n++
		}
		if err := r.Close(); err != nil || n != 5 {
			t.Fatal(n, err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				var n int
				if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM resources").Scan(&n); err != nil || n != 500 {
					t.Errorf("%d rows, %v", n, err)
				}
			}
		})
	}
	wg.Wait()
	for _, q := range []string{"DELETE FROM resources", "CREATE TABLE x (a int)", "SET TRANSACTION READ WRITE; DELETE FROM resources", "COMMIT; DELETE FROM resources", "SET TRANSACTION READ WRITE", "nonsense"} {
		if _, err := db.ExecContext(t.Context(), q); err == nil {
			t.Errorf("%s is no error", q)
		}
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM resources").Scan(&n); err != nil || n != 500 {
		t.Errorf("%d rows, %v", n, err)
	}
}
