package react_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/sinks/postgres"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/workflow"
)

// now is the instant that tests happen at.
var now = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

const (
	account = "111111111111"
	region  = "eu-west-1"
)

// server is the Postgres of all tests, nil where servers are left out.
var server *postgrestest.Server

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "dewpoint-react-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		templates.dir = dir
		if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "" {
			if server, err = postgrestest.Start(postgrestest.Options{}); err != nil {
				panic(err)
			}
			defer server.Stop()
		}
		return m.Run()
	}())
}

// templates are databases with the tables of all kinds and no rows.
var templates struct {
	dir      string
	kinds    map[string]*schema.Kind
	duckdb   func() (string, error)
	postgres func() error
}

func init() {
	templates.duckdb = sync.OnceValues(func() (string, error) {
		path := filepath.Join(templates.dir, "template.duckdb")
		s, err := duckdb.Open(path, duckdb.Options{})
		if err != nil {
			return "", err
		}
		return path, errors.Join(fill(s), s.Close())
	})
	templates.postgres = sync.OnceValue(func() error {
		if err := server.Exec(context.Background(), "postgres", "CREATE DATABASE template"); err != nil {
			return err
		}
		s, err := postgres.Open(context.Background(), pgURL("template"), postgres.Options{})
		if err != nil {
			return err
		}
		return errors.Join(fill(s), s.Close())
	})
}

func pgURL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", server.Port, database)
}

// loadKinds are the kinds of AWS.
var loadKinds = sync.OnceValues(func() (map[string]*schema.Kind, error) {
	cat, err := workflow.LoadCatalogue(workflow.DefaultConfig())
	if err != nil {
		return nil, err
	}
	all := map[string]*schema.Kind{}
	for _, e := range cat.Entries() {
		if e.Kind.Cloud == "aws" { // tables of one cloud are enough, and quick to make
			all[e.Kind.Name] = e.Kind
		}
	}
	return all, nil
})

// fill makes the tables by a sync in which nothing is read.
func fill(s sinks.Sink) error {
	byName, err := loadKinds()
	if err != nil {
		return err
	}
	kinds := make([]*schema.Kind, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		kinds = append(kinds, byName[name])
	}
	ctx := context.Background()
	at := now.Add(-2 * time.Hour)
	tx, err := s.Begin(ctx, sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: at, Version: "1.0.0", Kinds: kinds})
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	_, err = tx.Commit(ctx, sinks.Outcome{FinishedAt: at.Add(time.Minute)})
	return err
}

// world is an estate whose rows a test writes itself.
type world struct {
	t       testing.TB
	db      *sql.DB
	dialect react.Dialect
	kinds   map[string]*schema.Kind
	sync    string
	rows    []string // statements to come
	ids     map[string]uuid.UUID
	times   int
	store   react.Store
}

// everywhere runs a test in each database.
func everywhere(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("duckdb", func(t *testing.T) { f(t, newWorld(t, react.DuckDB)) })
	if server != nil {
		t.Run("postgres", func(t *testing.T) { f(t, newWorld(t, react.Postgres)) })
	}
}

func newWorld(t testing.TB, d react.Dialect) *world {
	t.Helper()
	kinds, err := loadKinds()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dialect: d, kinds: kinds, ids: map[string]uuid.UUID{}}
	if d == react.DuckDB {
		template, err := templates.duckdb()
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(template)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "estate.duckdb")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		w.db, err = sql.Open("duckdb", path)
		if err != nil {
			t.Fatal(err)
		}
	} else {
		if err := templates.postgres(); err != nil {
			t.Fatal(err)
		}
		name := "w" + strings.ReplaceAll(uuid.NewString(), "-", "")
		if err := server.Exec(context.Background(), "postgres", "CREATE DATABASE "+name+" TEMPLATE template"); err != nil {
			t.Fatal(err)
		}
		w.db, err = sql.Open("pgx", pgURL(name)+"&search_path=dewpoint,dewpoint_staging&timezone=UTC")
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { w.db.Close() })
	if err := w.db.QueryRow("SELECT CAST(id AS VARCHAR) FROM syncs").Scan(&w.sync); err != nil {
		t.Fatal(err)
	}
	return w
}

// row is what a test says of a resource: columns by name. Those of the
// unified ones that it does not name are made up.
type row map[string]any

// put adds a resource and returns its _id.
func (w *world) put(kind, id string, r row) uuid.UUID {
	w.t.Helper()
	k := w.kinds[kind]
	if k == nil {
		w.t.Fatalf("there is no kind %s", kind)
	}
	full := row{
		"id": id, "name": id, "kind": kind, "cloud": k.Cloud, "account": account, "region": region, "urn": "urn:" + kind + ":" + id,
		"tags": map[string]string{}, "created_at": now.AddDate(-1, 0, 0), "_hash": uuid.NewSHA1(uuid.Nil, []byte(fmt.Sprint(r))), "_sync_id": uuid.MustParse(w.sync),
	}
	maps.Copy(full, r)
	_id := uuid.NewSHA1(uuid.NameSpaceURL, []byte(fmt.Sprint(kind, full["account"], full["region"], id)))
	full["_id"] = _id
	full["_scope"] = fmt.Sprint(full["cloud"], "/", full["account"], "/", full["region"])
	w.insert(kind, full)
	narrow := row{"base": nil}
	if k.Base != nil {
		narrow["base"] = k.Base.Name
	}
	for _, c := range schema.Unified {
		if v, ok := full[c.Name]; ok {
			narrow[c.Name] = v
		}
	}
	w.insert("resources", narrow)
	w.ids[kind+" "+id] = _id
	return _id
}

// edge adds a reference.
func (w *world) edge(from uuid.UUID, fromKind, relation string, to uuid.UUID, toKind string, onDelete schema.OnDelete) {
	r := row{
		"from_id": from, "from_kind": fromKind, "relation": relation, "to_kind": toKind, "to_ref": to.String(), "to_id": to, "resolution": "id",
		"on_delete": string(onDelete), "_scope": "aws/" + account + "/" + region,
	}
	if to == uuid.Nil {
		r["to_id"], r["resolution"] = nil, "not_collected"
	}
	w.insert("edges", r)
}

// scope says how the last reading of kinds in a place ended, and when the last
// complete one was.
func (w *world) scope(cloud, account, region, state string, at time.Time, kinds ...string) {
	table := "scopes"
	if w.dialect == react.Postgres {
		table = "scope_states"
	}
	place := row{"cloud": cloud, "account": account, "region": region, "state": state, "sync_id": uuid.MustParse(w.sync)}
	if state != "complete" {
		for _, k := range kinds {
			r := row{"kind": k, "last_complete": at, "scopes": 1}
			maps.Copy(r, place)
			w.insert(table, r)
		}
		return
	}
	place["kinds"], place["scopes"] = kinds, len(kinds)
	if w.dialect == react.Postgres {
		w.times++
		w.insert("scope_times", row{"scope_time": w.times, "last_complete": at})
		place["scope_time"] = w.times
	} else {
		place["last_complete"] = at
	}
	w.insert(table, place)
}

func (w *world) insert(table string, r row) {
	names := slices.Sorted(maps.Keys(r))
	quoted, values := make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		quoted[i], values[i] = `"`+n+`"`, w.literal(r[n])
	}
	w.rows = append(w.rows, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(quoted, ", "), strings.Join(values, ", ")))
}

func (w *world) literal(v any) string {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	switch x := v.(type) {
	case nil:
		return "NULL"
	case string:
		return quote(x)
	case time.Time:
		if x.IsZero() {
			return "NULL"
		}
		return "CAST(" + quote(x.UTC().Format(time.RFC3339Nano)) + " AS TIMESTAMP WITH TIME ZONE)"
	case uuid.UUID:
		return "CAST(" + quote(x.String()) + " AS UUID)"
	case []string:
		parts := make([]string, len(x))
		for i, s := range x {
			parts[i] = quote(s)
		}
		if w.dialect == react.Postgres {
			return "ARRAY[" + strings.Join(parts, ", ") + "]::text[]"
		}
		return "[" + strings.Join(parts, ", ") + "]::VARCHAR[]"
	case map[string]string:
		if x == nil {
			return "NULL"
		}
		b, err := json.Marshal(x)
		if err != nil {
			w.t.Fatal(err)
		}
		if w.dialect == react.Postgres {
			return quote(string(b)) + "::jsonb"
		}
		return quote(string(b)) + "::JSON::MAP(VARCHAR, VARCHAR)"
	}
	return fmt.Sprint(v)
}

// flush writes what was put.
func (w *world) flush() {
	w.t.Helper()
	ctx := context.Background()
	c, err := w.db.Conn(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	for _, q := range append(append([]string{"BEGIN"}, w.rows...), "COMMIT") {
		if _, err := c.ExecContext(ctx, q); err != nil {
			w.t.Fatalf("%v\nin: %s", err, q)
		}
	}
	w.rows = nil
}

// open flushes and returns the estate.
func (w *world) open() *react.Estate {
	w.t.Helper()
	w.flush()
	e, err := react.Open(context.Background(), w.db, w.dialect)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}
