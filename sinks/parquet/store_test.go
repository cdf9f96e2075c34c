package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects/objectstest"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// lamp is a plain kind, shelf one that its rows refer to.
var (
	lamp = &schema.Kind{
		Name: "aws_test_lamp", Key: "aws_test_lamp", Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion, Doc: "Lamps.", Definition: "1",
		Columns: []schema.Column{{Name: "watts", Type: schema.Int64, Doc: "Power."}, {Name: "shelf", Type: schema.Text}},
		Edges:   []schema.Edge{{To: "aws_test_shelf", Ref: "Shelf", Relation: "on", Match: schema.MatchID, OnDelete: schema.Block}},
	}
	shelf = &schema.Kind{
		Name: "aws_test_shelf", Key: "aws_test_shelf", Cloud: "aws", Service: "test", KeyScope: schema.KeyRegion, Doc: "Shelves.", Definition: "1",
		Columns: []schema.Column{{Name: "boards", Type: schema.Int64}},
	}
)

// estateSync is a sync of lamps and shelves.
type estateSync struct {
	at     time.Time
	lamps  []sinktest.Row
	shelfs []sinktest.Row
}

func (e estateSync) begin(ctx context.Context, s *Sink) (sinks.Tx, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	return s.Begin(ctx, sinks.Sync{ID: id, StartedAt: e.at, Version: "1", Kinds: []*schema.Kind{lamp, shelf}})
}

func (e estateSync) write(ctx context.Context, tx sinks.Tx) error {
	for _, r := range []struct {
		kind *schema.Kind
		rows []sinktest.Row
	}{{lamp, e.lamps}, {shelf, e.shelfs}} {
		scope := schema.Scope{Cloud: "aws", Account: "111111111111", Region: "eu-west-1", Kind: r.kind.Name}
		if len(r.rows) > 0 {
			if err := tx.Write(ctx, sinktest.Batch(r.kind, scope, r.rows...)); err != nil {
				return err
			}
		}
		if err := tx.Scope(ctx, schema.ScopeResult{Scope: scope, State: schema.Complete, Rows: int64(len(r.rows))}); err != nil {
			return err
		}
	}
	return nil
}

func (e estateSync) run(ctx context.Context, s *Sink) (sinks.Summary, error) {
	tx, err := e.begin(ctx, s)
	if err != nil {
		return sinks.Summary{}, err
	}
	defer tx.Rollback(context.WithoutCancel(ctx))
	if err := e.write(ctx, tx); err != nil {
		return sinks.Summary{}, err
	}
	return tx.Commit(ctx, sinks.Outcome{FinishedAt: e.at.Add(time.Minute)})
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func lit(ids ...string) (rows []sinktest.Row) {
	for i, id := range ids {
		rows = append(rows, sinktest.Row{ID: id, Refs: []sinktest.Ref{{Decl: 0, To: "s"}}}.With("watts", int64(i)).With("shelf", "s"))
	}
	return rows
}

func open(t *testing.T, place string) *Sink {
	t.Helper()
	s, err := Open(t.Context(), place, Options{LockTimeout: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// shows compares the rows of a query with the given ones.
func shows(t *testing.T, place, q string, want ...string) {
	t.Helper()
	rows, err := query(t.Context(), place, q)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	var got []string
	for _, r := range rows {
		got = append(got, strings.Join(r, "|"))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %q, want %q", q, got, want)
	}
}

const lampQuery = "SELECT l.id, l.watts, e.resolution FROM aws_test_lamp l JOIN edges e ON e.from_id = l._id"

func TestUnchangedKindKeepsItsFiles(t *testing.T) {
	place := "parquet:" + t.TempDir()
	s := open(t, place)
	e := estateSync{at: noon, lamps: lit("a", "b"), shelfs: []sinktest.Row{{ID: "s"}}}
	if _, err := e.run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	kinds := func() (keys []string) {
		for info, err := range s.store.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if ours.MatchString(info.Key) && !strings.HasPrefix(info.Key, "syncs/") && !strings.HasPrefix(info.Key, "scopes/") {
				keys = append(keys, info.Key)
			}
		}
		return keys
	}
	before := kinds()
	e.at = e.at.Add(time.Hour)
	if _, err := e.run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if after := kinds(); !slices.Equal(before, after) {
		t.Errorf("the unchanged sync wrote %q over %q", after, before)
	}
	shows(t, place, lampQuery, "a|0|id", "b|1|id")
}

func TestForeignFilesAreRefusedAndStay(t *testing.T) {
	dir := t.TempDir()
	mine := filepath.Join(dir, "aws_test_lamp", "mine.parquet")
	if err := os.MkdirAll(filepath.Dir(mine), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mine, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, "parquet:"+dir)
	e := estateSync{at: noon, lamps: lit("a")}
	if _, err := e.run(t.Context(), s); err == nil || !strings.Contains(err.Error(), "aws_test_lamp/") {
		t.Fatalf("got %v, want an error that names the folder", err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
	if err := os.Rename(mine, filepath.Join(dir, "mine.parquet")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionRemovesWhatNoManifestNames(t *testing.T) {
	dir := t.TempDir()
	place := "parquet:" + dir
	s := open(t, place+"?retention=0")
	other := filepath.Join(dir, "aws_test_lamp", "notes.txt")
	for i := range 4 {
		e := estateSync{at: noon.Add(time.Duration(i) * time.Hour), lamps: lit("a", fmt.Sprint("n", i)), shelfs: []sinktest.Row{{ID: "s"}}}
		if _, err := e.run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := os.WriteFile(other, []byte("a user's"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	latest, err := loadLatest(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, files := range latest.Files {
		for _, f := range files {
			named[f.Key] = true
		}
	}
	for info, err := range s.store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if ours.MatchString(info.Key) && !named[info.Key] {
			t.Errorf("%s is named by no manifest and still there", info.Key)
		}
		delete(named, info.Key)
	}
	for key := range named {
		t.Errorf("%s is named by the manifest and gone", key)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	if all, _ := manifests(t.Context(), s.store); len(all) != 1 {
		t.Errorf("%d manifests are left, want 1", len(all))
	}
	shows(t, place, "SELECT id FROM aws_test_lamp", "a", "n3")
}

// TestLateWriterLoses has a sync commit whose lease was taken for run out.
func TestLateWriterLoses(t *testing.T) {
	place := "parquet:" + t.TempDir()
	first, second := open(t, place), open(t, place)
	if _, err := (estateSync{at: noon, lamps: lit("a")}).run(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	late := estateSync{at: noon.Add(time.Hour), lamps: lit("late")}
	for _, held := range []bool{true, false} {
		tx, err := late.begin(t.Context(), first)
		if err != nil {
			t.Fatal(err)
		}
		if err := late.write(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		var locked *sinks.LockedError
		if _, err := late.begin(t.Context(), second); !errors.As(err, &locked) || locked.Holder == "" {
			t.Fatalf("got %v, want a *sinks.LockedError with its holder", err)
		}
		// The lease is taken for run out, or is gone altogether.
		l := leaseOf(tx)
		if held {
			r := l.record
			r.Released = true
			l.record = r
			if _, err := first.store.Replace(t.Context(), l.key, l.renewed(time.Now()), l.tag); err != nil {
				t.Fatal(err)
			}
		} else if err := first.store.Delete(t.Context(), l.key); err != nil {
			t.Fatal(err)
		}
		winner := estateSync{at: noon.Add(2 * time.Hour), lamps: lit("b", fmt.Sprint(held))}
		if _, err := winner.run(t.Context(), second); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(t.Context(), sinks.Outcome{}); !errors.As(err, &locked) {
			t.Fatalf("got %v, want a *sinks.LockedError", err)
		}
		shows(t, place, "SELECT id FROM aws_test_lamp", "b", fmt.Sprint(held))
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func leaseOf(t sinks.Tx) *lease { return t.(*tx).lease }

func TestCommitOfTwoWritersHasOneWinner(t *testing.T) {
	s := open(t, "parquet:"+t.TempDir())
	m := &manifest{Format: format, Number: 1, Sync: uuid.NewString()}
	if err := commitManifest(t.Context(), s.store, m); err != nil {
		t.Fatal(err)
	}
	other := *m
	other.Sync = uuid.NewString()
	var locked *sinks.LockedError
	if err := commitManifest(t.Context(), s.store, &other); !errors.As(err, &locked) {
		t.Fatalf("got %v, want a *sinks.LockedError", err)
	}
}

func TestS3(t *testing.T) {
	srv := objectstest.StartS3(t)
	syncs := func(t *testing.T, place, direct string) {
		s := open(t, place)
		for i, rows := range [][]sinktest.Row{lit("a", "b"), lit("a", "c"), lit("a", "c")} {
			e := estateSync{at: noon.Add(time.Duration(i) * time.Hour), lamps: rows, shelfs: []sinktest.Row{{ID: "s"}}}
			if _, err := e.run(t.Context(), s); err != nil {
				t.Fatalf("sync %d: %v", i+1, err)
			}
		}
		shows(t, direct, lampQuery, "a|0|id", "c|1|id")
		shows(t, direct, "SELECT doc->>'id', change FROM resource_history", "b|deleted")
		shows(t, direct, "SELECT count(*) FROM syncs", "3")
		shows(t, direct, "SELECT key FROM resource_tags")
		if n := srv.Uploads(t); n > 0 {
			t.Errorf("%d multipart uploads are left", n)
		}
	}
	t.Run("Plain", func(t *testing.T) {
		place := srv.URL()
		syncs(t, place, place)
	})
	for name, fault := range map[string]objectstest.Fault{"SlowDown": objectstest.SlowDown, "Reset": objectstest.Reset, "Lost": objectstest.Lost, "Cut": objectstest.Cut} {
		t.Run("EveryThirdRequest"+name, func(t *testing.T) {
			proxy := objectstest.StartFaults(t, srv.Endpoint)
			place := srv.Through(proxy.Endpoint)
			direct := strings.Replace(place, proxy.Endpoint, srv.Endpoint, 1)
			proxy.Set(objectstest.EveryThird(fault))
			syncs(t, place, direct)
			if proxy.Broken.Load() == 0 {
				t.Error("no request was broken")
			}
		})
	}
	t.Run("Unreachable", func(t *testing.T) {
		place := srv.URL()
		s := open(t, place)
		if _, err := (estateSync{at: noon, lamps: lit("a")}).run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		proxy := objectstest.StartFaults(t, srv.Endpoint)
		broken := open(t, strings.Replace(place, srv.Endpoint, proxy.Endpoint, 1))
		e := estateSync{at: noon.Add(time.Hour), lamps: lit("b")}
		tx, err := e.begin(t.Context(), broken)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.write(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		proxy.Set(objectstest.EveryThird(objectstest.Hang))
		if _, err := tx.Commit(ctx, sinks.Outcome{}); err == nil {
			t.Fatal("the commit succeeds")
		}
		shows(t, place, "SELECT id FROM aws_test_lamp", "a")
		proxy.Set(objectstest.EveryThird(objectstest.None))
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := e.run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		shows(t, place, "SELECT id FROM aws_test_lamp", "b")
	})
}

func TestGCS(t *testing.T) {
	srv := objectstest.StartGCS(t)
	place := srv.URL()
	s := open(t, place)
	for i, rows := range [][]sinktest.Row{lit("a", "b"), lit("a", "c")} {
		if _, err := (estateSync{at: noon.Add(time.Duration(i) * time.Hour), lamps: rows, shelfs: []sinktest.Row{{ID: "s"}}}).run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	shows(t, place, lampQuery, "a|0|id", "c|1|id")
}

// TestFullDisk commits to a small file system.
func TestFullDisk(t *testing.T) {
	dir := smallDisk(t)
	place := "parquet:" + filepath.Join(dir, "estate")
	s := open(t, place+"?staging="+t.TempDir())
	if _, err := (estateSync{at: noon, lamps: lit("a")}).run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	var many []sinktest.Row
	for i := range 2000 {
		var b strings.Builder
		for range 64 {
			b.WriteString(uuid.NewString())
		}
		many = append(many, sinktest.Row{ID: fmt.Sprint(i)}.With("shelf", b.String()))
	}
	full := estateSync{at: noon.Add(time.Hour), lamps: many}
	if _, err := full.run(t.Context(), s); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Fatalf("got %v, want an error that says that the disk is full", err)
	}
	shows(t, place, "SELECT id FROM aws_test_lamp", "a")
	if _, err := (estateSync{at: noon.Add(2 * time.Hour), lamps: lit("b")}).run(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	shows(t, place, "SELECT id FROM aws_test_lamp", "b")
}

func TestParameters(t *testing.T) {
	for place, want := range map[string]string{
		"parquet:": "no place", "parquet:x?retain=3d": "retain", "parquet:x?retention=3m": "3m", "s3://b/p?secret=s3cr3t": "secret",
	} {
		_, err := Open(t.Context(), place, Options{})
		var wrong *sinks.URLError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got %v, want a *sinks.URLError with %q", place, err, want)
		}
	}
	s := open(t, "parquet:"+t.TempDir()+"?retention=30d")
	if s.retention != 30*24*time.Hour {
		t.Errorf("the retention is %v", s.retention)
	}
	if _, err := OpenReader(t.Context(), "parquet:"+t.TempDir()); err == nil || errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "sync") {
		t.Errorf("got %v, want an error that says to sync first", err)
	}
}

func TestLockOfADeadProcess(t *testing.T) {
	place := "parquet:" + t.TempDir()
	s := open(t, place)
	l, err := takeLease(t.Context(), s.store, "x", 0)
	if err != nil {
		t.Fatal(err)
	}
	l.cancel()
	l.done.Wait()
	r := l.record
	r.PID = 1 << 30 // no process has it
	l.record = r
	if _, err := s.store.Replace(t.Context(), l.key, l.renewed(time.Now()), l.tag); err != nil {
		t.Fatal(err)
	}
	next, err := takeLease(t.Context(), s.store, "y", 0)
	if err != nil {
		t.Fatal(err)
	}
	next.release(t.Context())
	if _, err := s.store.Replace(t.Context(), l.key, nil, l.tag); !errors.Is(err, objects.ErrChanged) {
		t.Errorf("the lease of the dead process is still there: %v", err)
	}
}
