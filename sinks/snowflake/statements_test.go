package snowflake

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

func TestUnchangedSyncIsTenStatementsAtMost(t *testing.T) {
	s, w := openWire(t, server(t).NewSchema(), Options{})
	estate(t, s, 0, nil)
	first := w.take()
	for n := 1; n < 4; n++ {
		sum := estate(t, s, n, nil)
		got := w.take()
		for _, k := range sum.Kinds {
			if k.New+k.Changed+k.Gone > 0 {
				t.Errorf("sync %d is not unchanged: %+v", n, k)
			}
		}
		if sum.Edges != 1 {
			t.Errorf("sync %d counts %d edges, want 1", n, sum.Edges)
		}
		if len(got) > 10 {
			t.Errorf("unchanged sync %d sends %d statements:\n%s", n, len(got), strings.Join(got, "\n"))
		}
		if n == 1 {
			t.Logf("the first sync sends %d statements, an unchanged one %d:\n%s", len(first), len(got), abbreviateAll(got))
		}
	}
	if !w.tags["dewpoint sync "+syncID(0)] {
		t.Errorf("the statements carry the query tags %v", w.tags)
	}
}

func TestChangedKindIsFewStatements(t *testing.T) {
	s, w := openWire(t, server(t).NewSchema(), Options{})
	estate(t, s, 0, nil)
	w.take()
	sum := estate(t, s, 1, func(r *sinktest.Row) {
		if r.ID == "b" {
			*r = r.With("size", int64(2))
		}
	})
	got := w.take()
	if sum.Kinds[0].Changed != 1 {
		t.Errorf("the sync changes %+v", sum.Kinds)
	}
	t.Logf("a sync with one changed kind sends %d statements:\n%s", len(got), abbreviateAll(got))
	if len(got) > 40 {
		t.Errorf("it sends %d statements, want 40 at most", len(got))
	}
	merges := 0
	for _, q := range got {
		if strings.HasPrefix(q, "MERGE INTO "+`"AWS_TEST_`) {
			merges++
		}
	}
	if merges != 1 {
		t.Errorf("it merges into %d kinds, want 1", merges)
	}
}

// TestKindsBeyondTheHashBudget uploads only what the narrow comparison asks for.
func TestKindsBeyondTheHashBudget(t *testing.T) {
	s, w := openWire(t, server(t).NewSchema(), Options{HashBudget: 1})
	estate(t, s, 0, nil)
	w.take()
	sum := estate(t, s, 1, grow)
	for i, want := range []sinks.KindSummary{{Kind: "aws_test_box", Rows: 3, Changed: 1, Unchanged: 2}, {Kind: "aws_test_dish", Rows: 1, Unchanged: 1}} {
		if sum.Kinds[i] != want {
			t.Errorf("the sync does %+v, want %+v", sum.Kinds[i], want)
		}
	}
	for _, q := range w.take() {
		if strings.HasPrefix(q, `MERGE INTO "AWS_TEST_DISH"`) {
			t.Errorf("an unchanged kind is merged: %s", q)
		}
	}
	if got := rowsOf(t, s); got != "a:- b:2 c:-" {
		t.Errorf("the table has %s", got)
	}
}

func abbreviateAll(queries []string) string {
	var b strings.Builder
	for _, q := range queries {
		if len(q) > 110 {
			q = q[:110] + " ..."
		}
		b.WriteString(q + "\n")
	}
	return b.String()
}

func syncID(n int) string { return syncUUID(n).String() }

// rowsOf reads a table as its ids and sizes.
func rowsOf(t *testing.T, s *Sink) string {
	t.Helper()
	rows, err := sinktest.Query(s.db, `SELECT id || ':' || COALESCE(size::VARCHAR, '-') FROM aws_test_box ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, r := range rows {
		all = append(all, r[0])
	}
	return strings.Join(all, " ")
}

func grow(r *sinktest.Row) {
	if r.ID == "b" {
		*r = r.With("size", int64(2))
	}
}

func TestLostAnswerToCommit(t *testing.T) {
	for name, c := range map[string]struct {
		arrives bool
		want    string
	}{
		"that arrived":       {true, "a:- b:2 c:-"},
		"that never arrived": {false, "a:- b:1 c:-"},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := openWire(t, server(t).NewSchema(), Options{})
			estate(t, s, 0, nil)
			tx := begin(t, s, 1)
			write(t, tx, grow)
			lost := false
			w.set(func(r *http.Request, sql string) (*http.Response, error) {
				if sql != "COMMIT" {
					return nil, nil
				}
				if c.arrives && !lost {
					if resp, err := http.DefaultTransport.RoundTrip(r); err == nil {
						resp.Body.Close()
					}
				}
				lost = true
				return nil, errBroken
			})
			_, err := tx.Commit(t.Context(), sinks.Outcome{})
			w.set(nil)
			if (err == nil) != c.arrives {
				t.Errorf("commit: %v", err)
			}
			if err != nil {
				_ = tx.Rollback(t.Context())
			}
			if got := rowsOf(t, s); got != c.want {
				t.Errorf("the table has %s, want %s", got, c.want)
			}
			estate(t, s, 2, grow)
			if got := rowsOf(t, s); got != "a:- b:2 c:-" {
				t.Errorf("after the next sync the table has %s", got)
			}
		})
	}
}

func TestUnknownCommitIsSaid(t *testing.T) {
	s, w := openWire(t, server(t).NewSchema(), Options{Lease: 3 * time.Second})
	estate(t, s, 0, nil)
	tx := begin(t, s, 1)
	write(t, tx, grow)
	down := false
	w.set(func(_ *http.Request, sql string) (*http.Response, error) {
		if down = down || sql == "COMMIT"; down {
			return nil, errBroken
		}
		return nil, nil
	})
	_, err := tx.Commit(t.Context(), sinks.Outcome{})
	var unknown *sinks.CommitUnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("commit: %v, want a *sinks.CommitUnknownError", err)
	}
	w.set(nil)
	other := open(s.cfg, Options{LockTimeout: 20 * time.Second, TempDir: t.TempDir()})
	defer other.Close()
	estate(t, other, 2, grow)
	if got := rowsOf(t, other); got != "a:- b:2 c:-" {
		t.Errorf("after the next sync the table has %s", got)
	}
}

func TestSyncWithoutItsLeaseCannotCommit(t *testing.T) {
	s, _ := openWire(t, server(t).NewSchema(), Options{})
	estate(t, s, 0, nil)
	tx := begin(t, s, 1)
	write(t, tx, grow)
	if _, err := s.db.Exec("UPDATE dewpoint_lease SET token = 'another'"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context(), sinks.Outcome{}); err == nil || !strings.Contains(err.Error(), "another sync took over") {
		t.Errorf("commit: %v", err)
	}
	_ = tx.Rollback(t.Context())
	if got := rowsOf(t, s); got != "a:- b:1 c:-" {
		t.Errorf("the table has %s", got)
	}
}

func TestLeaseIsExtended(t *testing.T) {
	s, _ := openWire(t, server(t).NewSchema(), Options{Lease: 1500 * time.Millisecond, LockTimeout: -1})
	tx := begin(t, s, 0)
	time.Sleep(2500 * time.Millisecond)
	_, err := s.Begin(t.Context(), sinks.Sync{ID: syncUUID(1), StartedAt: start(1)})
	var locked *sinks.LockedError
	if !errors.As(err, &locked) {
		t.Errorf("begin: %v, want a *sinks.LockedError", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSuspendedWarehouse(t *testing.T) {
	for url, want := range map[string]string{"&warehouse=WH": "ALTER WAREHOUSE WH RESUME", "": "warehouse="} {
		s, w := openWire(t, server(t).NewSchema()+url, Options{})
		w.set(func(_ *http.Request, sql string) (*http.Response, error) {
			if sql == "" {
				return nil, nil
			}
			return refuse("000606", "57P03", "No active warehouse selected in the current session."), nil
		})
		_, err := s.Begin(t.Context(), sinks.Sync{ID: syncUUID(0), StartedAt: start(0)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("begin: %v, want %q in it", err, want)
		}
	}
}

func TestExternalStage(t *testing.T) {
	bucket := t.TempDir()
	url := server(t).NewSchema()
	db, err := OpenReader(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE STAGE lake URL = 'file://" + bucket + "/'"); err != nil {
		t.Fatal(err)
	}
	s, w := openWire(t, url+"&stage=lake", Options{})
	estate(t, s, 0, nil)
	copied := 0
	for _, q := range w.take() {
		if strings.HasPrefix(q, "PUT") {
			t.Errorf("an external stage takes no PUT: %s", q)
		}
		if strings.Contains(q, "FROM @lake/dewpoint/") {
			copied++
		}
	}
	if copied != 3 {
		t.Errorf("%d tables are loaded from the stage, want 3", copied)
	}
	if got := rowsOf(t, s); got != "a:- b:1 c:-" {
		t.Errorf("the table has %s", got)
	}
	files, _ := filepath.Glob(filepath.Join(bucket, "dewpoint", "*", "*.parquet"))
	if len(files) > 0 {
		t.Errorf("left in the bucket: %v", files)
	}
	none, _ := openWire(t, server(t).NewSchema()+"&stage=nowhere", Options{})
	tx := begin(t, none, 0)
	write(t, tx, nil)
	if _, err := tx.Commit(context.Background(), sinks.Outcome{}); err == nil || !strings.Contains(err.Error(), "stage nowhere") {
		t.Errorf("commit through a stage that is not there: %v", err)
	}
	_ = tx.Rollback(t.Context())
}
