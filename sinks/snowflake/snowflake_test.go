package snowflake

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
	"github.com/dewpoint-data/dewpoint/sinks/snowflake/snowflaketest"
)

func TestMain(m *testing.M) {
	sinktest.Child(func(url string, at func(step string)) (sinks.Sink, error) {
		s, err := Open(context.Background(), url, Options{})
		if err == nil {
			s.at = at
		}
		return s, err
	})
	code := m.Run()
	for i := range emulators {
		if s := emulators[i].server; s != nil {
			s.Stop()
		}
	}
	os.Exit(code)
}

// emulators are started by the first tests that ask for them. Each is one
// process that runs a statement at a time, so that parallel tests want two.
var emulators [2]struct {
	once   sync.Once
	server *snowflaketest.Server
	err    error
}

var turn atomic.Int64

func server(t testing.TB) *snowflaketest.Server {
	t.Helper()
	if os.Getenv("DEWPOINT_TEST_SKIP_SERVERS") == "1" {
		t.Skip("DEWPOINT_TEST_SKIP_SERVERS is set")
	}
	e := &emulators[turn.Add(1)%2]
	e.once.Do(func() { e.server, e.err = snowflaketest.Start() })
	if e.err != nil {
		t.Fatal(e.err)
	}
	return e.server
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Target {
		t.Parallel()
		return newTarget(t, server(t).NewSchema(), Options{LockTimeout: 50 * time.Millisecond})
	})
}

// TestConformanceWithoutHashes runs the suite as it is for kinds whose hashes
// do not fit the budget.
func TestConformanceWithoutHashes(t *testing.T) {
	if os.Getenv("DEWPOINT_TEST_LARGE") != "1" {
		t.Skip("the suite a second time, minutes on the emulator: run with DEWPOINT_TEST_LARGE=1")
	}
	sinktest.Run(t, func(t *testing.T) sinktest.Target {
		t.Parallel()
		return newTarget(t, server(t).NewSchema(), Options{LockTimeout: 50 * time.Millisecond, HashBudget: 1})
	})
}

func newTarget(t *testing.T, url string, o Options) sinktest.Target {
	t.Helper()
	o.TempDir = t.TempDir()
	db, err := OpenReader(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return sinktest.Target{
		Dialect:      sinktest.Snowflake,
		Place:        url,
		Open:         func() (sinks.Sink, error) { return Open(t.Context(), url, o) },
		Query:        func(q string) ([][]string, error) { return query(db, q) },
		QueryOverlay: func(o sinks.Overlay, q string) ([][]string, error) { return query(o.(*overlay).db, q) },
		Exec: func(q string) error {
			_, err := db.Exec(q)
			return err
		},
		Ident: ident,
	}
}

// asOf calls the table function, which the emulator does not have: it is a
// condition on a view.
var asOf = regexp.MustCompile(`TABLE\(as_of\((.*?)\)\)`)

// query reads as a user does, but for two faults of the emulator: it has no
// table functions, and a NULL time comes as the epoch.
func query(db *sql.DB, q string) ([][]string, error) {
	q = asOf.ReplaceAllString(q, "(SELECT * FROM resource_versions WHERE valid_from <= $1 AND (valid_to IS NULL OR $1 < valid_to))")
	rows, err := db.Query(q)
	if err != nil {
		return nil, err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var times []int
	cols := make([]string, len(types))
	for i, c := range types {
		cols[i] = `"` + c.Name() + `"`
		if c.DatabaseTypeName() == "TIMESTAMP_TZ" {
			times = append(times, i)
			cols[i] = fmt.Sprintf("DATE_PART(EPOCH_MICROSECOND, %s)::VARCHAR", cols[i])
		}
	}
	rows.Close()
	if times == nil {
		return sinktest.Query(db, q)
	}
	all, err := sinktest.Query(db, "SELECT "+strings.Join(cols, ", ")+" FROM ("+q+") q")
	for _, r := range all {
		for _, i := range times {
			var micros int64
			if _, err := fmt.Sscan(r[i], &micros); err == nil {
				r[i] = time.UnixMicro(micros).UTC().Format(time.RFC3339Nano)
			}
		}
	}
	return all, err
}
