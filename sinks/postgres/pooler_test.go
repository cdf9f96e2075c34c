package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// startPooler runs PgBouncer in transaction mode, with two connections to the
// server, and returns its port.
func startPooler(t *testing.T, server *postgrestest.Server) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	ini := filepath.Join(server.Dir, "pgbouncer.ini")
	err = os.WriteFile(ini, fmt.Appendf(nil, `[databases]
* = host=127.0.0.1 port=%d user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_reset_query =
`, server.Port, port), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	cmd := server.Command("/usr/sbin/pgbouncer", ini)
	if err := cmd.Start(); err != nil {
		t.Fatalf("PgBouncer does not start: run make servers: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for range 100 {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return port
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("PgBouncer does not listen")
	return 0
}

// TestPooler syncs and reads through PgBouncer. What the sink sets must not
// outlive its transactions: others get the same connections.
func TestPooler(t *testing.T) {
	server := ownServer(t)
	port := startPooler(t, server)
	direct := server.URL("postgres", "schema=estate")
	url := strings.Replace(direct, fmt.Sprintf(":%d/", server.Port), fmt.Sprintf(":%d/", port), 1)
	s := newSink(t, url)
	target := newTarget(t, direct, Options{})
	for i, e := range sinktest.Estate() {
		if _, err := e.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		wantDump(t, target, e, i+1)
	}
	g := synthetic()
	for _, rows := range []int{20000, 20000, 100} {
		if _, err := syncRows(t.Context(), s, g, rows); err != nil {
			t.Fatal(err)
		}
	}
	db, err := OpenReader(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM aws_test_row WHERE region = $1", "eu-west-1").Scan(&n); err != nil || n != 100 {
		t.Fatalf("the reader sees %d rows, %v", n, err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM aws_test_row"); err == nil {
		t.Fatal("the reader can write")
	}
	settings := []string{"search_path", "transaction_read_only", "lock_timeout", "work_mem", "enable_nestloop", "TimeZone", "jit"}
	state := func(url string) string {
		cfg, err := pgconn.ParseConfig(strings.Replace(url, "schema=estate", "connect_timeout=5", 1))
		if err != nil {
			t.Fatal(err)
		}
		c, err := pgconn.ConnectConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		var parts []string
		for _, name := range settings {
			r, err := c.Exec(t.Context(), "SHOW "+name).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			parts = append(parts, name+"="+string(r[0].Rows[0][0]))
		}
		return strings.Join(parts, " ")
	}
	want := state(direct)
	for range 8 {
		if got := state(url); got != want {
			t.Fatalf("a pooled connection has %s, want %s", got, want)
		}
	}
}

func wantDump(t *testing.T, target sinktest.Target, e sinktest.EstateSync, number int) {
	t.Helper()
	got, err := sinktest.Dump(target, e.Kinds())
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("..", "sinktest", "testdata", fmt.Sprintf("estate%d.txt", number)))
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Fatalf("after sync %d the rows are others than in other sinks:\n%s", number, got)
	}
}

// TestLocale syncs into a database that sorts as German does.
func TestLocale(t *testing.T) {
	url := local.url(t)
	s := newSink(t, url)
	target := newTarget(t, url, Options{})
	for i, e := range sinktest.Estate() {
		if _, err := e.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		wantDump(t, target, e, i+1)
	}
	got, err := query(url, "SELECT string_agg(x, '' ORDER BY x) FROM (VALUES ('B'), ('a'), ('ä'), ('C')) v(x)")
	if err != nil || got[0][0] != "aäBC" {
		t.Fatalf("the database does not sort by its locale: %v, %v", got, err)
	}
}

// TestUnchangedSyncWritesNoWAL compares the WAL of a first and a second sync
// of the same rows in many scopes.
func TestUnchangedSyncWritesNoWAL(t *testing.T) {
	server := ownServer(t, "autovacuum = off")
	url := server.URL("postgres")
	s := newSink(t, url)
	g := synthetic()
	wal := func(f func()) int64 {
		t.Helper()
		at := func() (n int64) {
			r, err := server.Query(t.Context(), "postgres", "SELECT pg_current_wal_lsn() - '0/0'")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Sscan(r[0][0], &n)
			return n
		}
		from := at()
		f()
		return at() - from
	}
	const scopes, each = 2000, 10
	run := func() {
		if err := syncScopes(t.Context(), s, g, scopes, each); err != nil {
			t.Fatal(err)
		}
	}
	first := wal(run)
	run()
	second := wal(run)
	t.Logf("WAL of the first sync %d, of the third, unchanged one %d", first, second)
	if second*100 > first {
		t.Errorf("an unchanged sync writes %d bytes of WAL, the first %d", second, first)
	}
	got, err := query(url, "SELECT count(DISTINCT last_complete), count(*), min(last_complete) > (SELECT min(started_at) FROM syncs) FROM scope_freshness")
	if err != nil || strings.Join(got[0], " ") != "1 2000 true" {
		t.Errorf("the freshness is %v, %v", got, err)
	}
}

// TestScopesFallApart confirms some of the scopes that were complete together.
func TestScopesFallApart(t *testing.T) {
	url := shared.url(t)
	s := newSink(t, url)
	g := synthetic()
	times := func() string {
		t.Helper()
		got, err := query(url, `SELECT string_agg(n::text, ' ' ORDER BY last_complete) FROM (SELECT last_complete, count(*) AS n FROM scope_freshness GROUP BY 1) f`)
		if err != nil {
			t.Fatal(err)
		}
		return got[0][0]
	}
	for _, c := range []struct {
		scopes int
		want   string
	}{{10, "10"}, {10, "10"}, {3, "7 3"}, {8, "2 8"}, {8, "2 8"}, {10, "10"}, {12, "12"}, {1, "11 1"}, {12, "12"}} {
		if err := syncScopes(t.Context(), s, g, c.scopes, 2); err != nil {
			t.Fatal(err)
		}
		if got := times(); got != c.want {
			t.Fatalf("after a sync of %d scopes, their times are shared by %s, want %s", c.scopes, got, c.want)
		}
	}
	got, err := query(url, "SELECT count(*) FROM scope_times c WHERE NOT EXISTS (SELECT FROM scope_states s WHERE s.scope_time = c.scope_time)")
	if err != nil || got[0][0] != "0" {
		t.Errorf("times that no scope has: %v, %v", got, err)
	}
}

// syncScopes runs a sync of the first scopes, with some rows each.
func syncScopes(ctx context.Context, s *Sink, g *sinktest.Synthetic, scopes, each int) error {
	tx, err := s.Begin(ctx, newSync(g.Kind))
	if err != nil {
		return err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	for i := range scopes {
		scope := schema.Scope{Cloud: "aws", Account: fmt.Sprintf("%012d", i/20), Region: fmt.Sprintf("r-%d", i%20), Kind: g.Kind.Name}
		err := errors.Join(tx.Write(ctx, g.Batch(scope, i*each, (i+1)*each)), tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete, Rows: int64(each)}))
		if err != nil {
			return err
		}
	}
	_, err = tx.Commit(ctx, sinks.Outcome{FinishedAt: time.Now()})
	return err
}
