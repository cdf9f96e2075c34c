package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// syncRows runs a sync of the first rows of one synthetic scope.
func syncRows(ctx context.Context, s *Sink, g *sinktest.Synthetic, rows int) (sinks.Summary, error) {
	tx, err := s.Begin(ctx, newSync(g.Kind))
	if err != nil {
		return sinks.Summary{}, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := writeRows(ctx, tx, g, rows); err != nil {
		return sinks.Summary{}, err
	}
	return tx.Commit(ctx, sinks.Outcome{FinishedAt: time.Now()})
}

func newSync(k *schema.Kind) sinks.Sync {
	return sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: time.Now(), Version: "1.0.0", Kinds: []*schema.Kind{k}}
}

func writeRows(ctx context.Context, tx sinks.Tx, g *sinktest.Synthetic, rows int) error {
	scope := schema.Scope{Cloud: "aws", Account: "111111111111", Region: "eu-west-1", Kind: g.Kind.Name}
	for n := 0; n < rows; n += 1000 {
		if err := tx.Write(ctx, g.Batch(scope, n, min(n+1000, rows))); err != nil {
			return err
		}
	}
	return tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete, Rows: int64(rows)})
}

func synthetic() *sinktest.Synthetic { return sinktest.NewSynthetic("aws_test_row", 32, 1) }

// wantRows compares the number of rows, of their resources, edges and syncs.
func wantRows(t *testing.T, url string, rows, syncs int) {
	t.Helper()
	got, err := query(url, "SELECT (SELECT count(*) FROM aws_test_row a JOIN resources r USING (_id)), (SELECT count(*) FROM resources), (SELECT count(*) FROM edges), (SELECT count(*) FROM syncs)")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[%d %[1]d %[1]d %d]", rows, syncs); fmt.Sprint(got[0]) != want {
		t.Fatalf("rows, resources, edges, syncs are %v, want %s", got[0], want)
	}
}

func wantError(t *testing.T, err error, text string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want an error with %q", err, text)
	}
}

func ownServer(t *testing.T, settings ...string) *postgrestest.Server {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	s, err := postgrestest.Start(postgrestest.Options{Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// TestRestartInTheMiddle stops the server at different points of a sync.
func TestRestartInTheMiddle(t *testing.T) {
	server := ownServer(t)
	url := server.URL("postgres")
	s := newSink(t, url)
	g := synthetic()
	if _, err := syncRows(t.Context(), s, g, 3000); err != nil {
		t.Fatal(err)
	}
	syncs := 1
	for _, mode := range []string{"immediate", "fast"} {
		for _, step := range []string{"write", "commit:staged", "commit:loaded", "commit:edges", "commit:ready"} {
			t.Run(mode+" at "+step, func(t *testing.T) {
				restart := func() {
					if err := errors.Join(server.Down(mode), server.Up()); err != nil {
						t.Fatal(err)
					}
				}
				s.at = func(at string) {
					if at == step {
						restart()
					}
				}
				g.Version++
				tx, err := s.Begin(t.Context(), newSync(g.Kind))
				if err != nil {
					t.Fatal(err)
				}
				err = writeRows(t.Context(), tx, g, 20000)
				if err == nil && step == "write" {
					restart()
				}
				if err == nil {
					_, err = tx.Commit(t.Context(), sinks.Outcome{FinishedAt: time.Now()})
				}
				if err := tx.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
				s.at = func(string) {}
				if mode == "fast" && err == nil && step == "commit:staged" {
					// A clean restart keeps what is staged.
					wantRows(t, url, 20000, syncs+1)
				} else {
					if err == nil {
						t.Fatal("the commit succeeds")
					}
					t.Log(err)
					wantRows(t, url, 3000, syncs)
				}
				if sum, err := syncRows(t.Context(), s, g, 3000); err != nil || sum.Kinds[0].Rows != 3000 {
					t.Fatalf("the next sync: %+v, %v", sum, err)
				}
				got, err := query(url, "SELECT count(*) FROM syncs")
				if err != nil {
					t.Fatal(err)
				}
				fmt.Sscan(got[0][0], &syncs)
				wantRows(t, url, 3000, syncs)
			})
		}
	}
}

// cutter is a proxy that ends all connections when a client sends COMMIT while
// it is armed.
type cutter struct {
	net.Listener
	to string
	// armed says what becomes of the next COMMIT: 0 nothing, 1 it is sent on
	// and its answer lost, 2 it is lost itself.
	armed atomic.Int32
	down  atomic.Bool
}

func newCutter(t *testing.T, to string) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, to: to}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(client)
		}
	}()
	return c
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	if c.down.Load() {
		return
	}
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	var muted atomic.Bool
	go func() {
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || muted.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Equal(buf[:n], []byte("Q\x00\x00\x00\x0bCOMMIT\x00")) {
			switch c.armed.Load() {
			case 1:
				muted.Store(true)
				_, _ = server.Write(buf[:n])
				_, _ = io.ReadFull(server, make([]byte, 1)) // it was committed
				return
			case 2:
				return
			}
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestLostConnectionAtCommit loses the answer to a commit, or the commit.
func TestLostConnectionAtCommit(t *testing.T) {
	direct := shared.url(t)
	server := shared.get(t)
	proxy := newCutter(t, fmt.Sprintf("127.0.0.1:%d", server.Port))
	url := strings.Replace(direct, fmt.Sprintf(":%d/", server.Port), fmt.Sprintf(":%d/", proxy.Addr().(*net.TCPAddr).Port), 1)
	s := newSink(t, url)
	g := synthetic()
	if _, err := syncRows(t.Context(), s, g, 10); err != nil {
		t.Fatal(err)
	}
	// The transactions by which the sink asks what became of a commit end by
	// COMMIT, too: only the first is lost.
	arm := func(how int32) {
		s.at = func(step string) {
			if step == "commit:ready" {
				proxy.armed.Store(how)
				time.AfterFunc(300*time.Millisecond, func() { proxy.armed.Store(0) })
			}
		}
	}
	arm(1)
	sum, err := syncRows(t.Context(), s, g, 20)
	if err != nil || sum.Kinds[0].Rows != 20 {
		t.Fatalf("the answer was lost: %+v, %v", sum, err)
	}
	wantRows(t, direct, 20, 2)
	// The commit itself is lost.
	arm(2)
	_, err = syncRows(t.Context(), s, g, 30)
	wantError(t, err, "nothing was changed")
	wantRows(t, direct, 20, 2)
	// The answer is lost and nobody can be asked.
	s.settle = 500 * time.Millisecond
	s.at = func(step string) {
		if step == "commit:ready" {
			proxy.armed.Store(1)
			proxy.down.Store(true)
		}
	}
	_, err = syncRows(t.Context(), s, g, 40)
	var unknown *sinks.CommitUnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("got %v, want a *sinks.CommitUnknownError", err)
	}
	proxy.armed.Store(0)
	proxy.down.Store(false)
	s.at = func(string) {}
	wantRows(t, direct, 40, 3)
	// The lease could not be given up. It is this process's, which lives.
	if err := server.Exec(t.Context(), "postgres", fmt.Sprintf("UPDATE %s.dewpoint_lease SET expires_at = now()", s.cfg.schema)); err != nil {
		t.Fatal(err)
	}
	if _, err := syncRows(t.Context(), s, g, 50); err != nil {
		t.Fatal(err)
	}
	wantRows(t, direct, 50, 4)
}

// TestLeaseIsTakenOver lets a lease end while its sync still stages: another
// sync goes first, and the one that lost it neither commits nor spoils what
// the other has staged.
func TestLeaseIsTakenOver(t *testing.T) {
	url := shared.url(t)
	s, other := newSink(t, url), newSink(t, url)
	g := synthetic()
	first, err := s.Begin(t.Context(), newSync(g.Kind))
	if err != nil {
		t.Fatal(err)
	}
	defer first.Rollback(t.Context())
	if err := writeRows(t.Context(), first, g, 100); err != nil {
		t.Fatal(err)
	}
	_, err = other.Begin(t.Context(), newSync(g.Kind))
	var locked *sinks.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Holder, fmt.Sprint(os.Getpid())) {
		t.Fatalf("got %v, want a *sinks.LockedError that names process %d", err, os.Getpid())
	}
	if _, err := query(url, "UPDATE dewpoint_lease SET expires_at = now()"); err != nil {
		t.Fatal(err)
	}
	second, err := other.Begin(t.Context(), newSync(g.Kind))
	if err != nil {
		t.Fatal(err)
	}
	defer second.Rollback(t.Context())
	if err := writeRows(t.Context(), second, g, 50); err != nil {
		t.Fatal(err)
	}
	_, err = first.Commit(t.Context(), sinks.Outcome{})
	wantError(t, err, "took over the lease")
	// Rows of the first have come into the staging of the second meanwhile.
	_, err = second.Commit(t.Context(), sinks.Outcome{})
	wantError(t, err, "another sync wrote to it")
	if err := errors.Join(first.Rollback(t.Context()), second.Rollback(t.Context())); err != nil {
		t.Fatal(err)
	}
	if _, err := syncRows(t.Context(), s, g, 70); err != nil {
		t.Fatal(err)
	}
	wantRows(t, url, 70, 1)
}

// TestHungStaging begins where a sync that lost its lease hangs in a COPY.
func TestHungStaging(t *testing.T) {
	url := shared.url(t)
	s := newSink(t, url)
	g := synthetic()
	if _, err := syncRows(t.Context(), s, g, 10); err != nil {
		t.Fatal(err)
	}
	c, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := errors.Join(c.begin(t.Context()), c.exec(t.Context(), "INSERT INTO _edges (kind) VALUES (1)")); err != nil {
		t.Fatal(err)
	}
	// What it has written so far counts as left over.
	other, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.close()
	if err := errors.Join(other.begin(t.Context()), other.exec(t.Context(), "INSERT INTO _readings (kind) VALUES (1)", "COMMIT")); err != nil {
		t.Fatal(err)
	}
	if _, err := syncRows(t.Context(), s, g, 20); err != nil {
		t.Fatal(err)
	}
	wantRows(t, url, 20, 2)
	if err := c.exec(t.Context(), "COMMIT"); err == nil {
		t.Error("the other one still writes to the staging")
	}
}

func TestStatementTimeout(t *testing.T) {
	url := shared.url(t)
	g := synthetic()
	if _, err := syncRows(t.Context(), newSink(t, url), g, 10); err != nil {
		t.Fatal(err)
	}
	_, err := syncRows(t.Context(), newSink(t, url+"&statement_timeout=30ms"), g, 50000)
	wantError(t, err, "statement_timeout")
	wantRows(t, url, 10, 1)
	if _, err := syncRows(t.Context(), newSink(t, url+"&statement_timeout=5m"), g, 20); err != nil {
		t.Fatal(err)
	}
	wantRows(t, url, 20, 2)
}

// TestLockedTable waits for the lock of a table that gets a column, and says
// so in the end.
func TestLockedTable(t *testing.T) {
	url := shared.url(t)
	s := newSink(t, url)
	g := synthetic()
	if _, err := syncRows(t.Context(), s, g, 10); err != nil {
		t.Fatal(err)
	}
	reader, err := s.database(false)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	held, err := reader.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.ExecContext(t.Context(), "LOCK TABLE aws_test_row IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	wider := *g.Kind
	wider.Columns = append(wider.Columns[:len(wider.Columns):len(wider.Columns)], schema.Column{Name: "weight", Type: schema.Float64})
	_, err = s.Begin(t.Context(), newSync(&wider))
	wantError(t, err, "locked by another session")
	// Reading goes on meanwhile, and so do syncs that change no table.
	if _, err := syncRows(t.Context(), s, g, 20); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(1500*time.Millisecond, func() { _ = held.Rollback() })
	s.opts.LockTimeout = 10 * time.Second
	tx, err := s.Begin(t.Context(), newSync(&wider))
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestLeastPrivilege syncs by a role that owns the two schemas and nothing
// else, and reads by one that may only read.
func TestLeastPrivilege(t *testing.T) {
	server := shared.get(t)
	for _, q := range []string{
		"CREATE ROLE dewpoint_writer LOGIN", "CREATE ROLE dewpoint_reader LOGIN", "CREATE DATABASE narrow",
	} {
		if err := server.Exec(t.Context(), "postgres", q); err != nil {
			t.Fatal(err)
		}
	}
	as := func(role string) string { return strings.Replace(server.URL("narrow"), "postgres@", role+"@", 1) }
	g := synthetic()
	s := newSink(t, as("dewpoint_writer"))
	_, err := syncRows(t.Context(), s, g, 10)
	wantError(t, err, "CREATE SCHEMA dewpoint AUTHORIZATION")
	for _, f := range s.Check(t.Context()) {
		t.Log(f.Level, f.About, f.Text)
	}
	for _, q := range []string{
		"CREATE SCHEMA dewpoint AUTHORIZATION dewpoint_writer", "CREATE SCHEMA dewpoint_staging AUTHORIZATION dewpoint_writer",
		"GRANT USAGE ON SCHEMA dewpoint TO dewpoint_reader",
		"ALTER DEFAULT PRIVILEGES FOR ROLE dewpoint_writer IN SCHEMA dewpoint GRANT SELECT ON TABLES TO dewpoint_reader",
	} {
		if err := server.Exec(t.Context(), "narrow", q); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := syncRows(t.Context(), s, g, 10); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Check(t.Context()) {
		if f.Level != sinks.Fine {
			t.Errorf("%s: %s", f.About, f.Text)
		}
	}
	wantRows(t, as("dewpoint_reader"), 10, 1)
	_, err = syncRows(t.Context(), newSink(t, as("dewpoint_reader")), g, 10)
	wantError(t, err, "privilege")
	db, err := OpenReader(t.Context(), as("dewpoint_reader"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM scope_freshness").Scan(&n); err != nil || n != 1 {
		t.Errorf("the reader sees %d scopes, %v", n, err)
	}
}

// TestDiskFull needs to mount a small file system.
func TestDiskFull(t *testing.T) {
	server := ownServer(t)
	dir, err := os.MkdirTemp("", "dewpoint-small-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=28m", "dewpoint", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small file system: %s", out)
	}
	defer func() {
		server.Stop()
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	}()
	if err := server.Give(dir); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{fmt.Sprintf("CREATE TABLESPACE small LOCATION '%s'", dir), "CREATE DATABASE small TABLESPACE small"} {
		if err := server.Exec(t.Context(), "postgres", q); err != nil {
			t.Fatal(err)
		}
	}
	url := server.URL("small")
	s := newSink(t, url)
	g := synthetic()
	if _, err := syncRows(t.Context(), s, g, 1000); err != nil {
		t.Fatal(err)
	}
	syncs, failed := 1, 0
	for _, rows := range []int{4000, 6000, 8000, 100000} { // some fill the disk while they commit, some while they stage
		_, err := syncRows(t.Context(), s, g, rows)
		t.Log(rows, err)
		if err == nil {
			syncs++
			if _, err := syncRows(t.Context(), s, g, 1000); err != nil {
				t.Fatal(err)
			}
			syncs++
			continue
		}
		failed++
		wantError(t, err, "disk of the server is full")
		wantRows(t, url, 1000, syncs)
	}
	if failed == 0 {
		t.Fatal("the disk is not full after all")
	}
	if out, err := exec.Command("mount", "-o", "remount,size=200m", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %s", out)
	}
	if _, err := syncRows(t.Context(), s, g, 2000); err != nil {
		t.Fatalf("the next sync: %v", err)
	}
	wantRows(t, url, 2000, syncs+1)
}
