package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// The environment of a child process that runs sinktest.CrashingSync on a
// file and kills itself at a step.
const (
	childFile = "DEWPOINT_TEST_CHILD_FILE"
	childStep = "DEWPOINT_TEST_CHILD_STEP"
	// childHold makes the child hold the file open until its input ends: the
	// value is an access mode of DuckDB, or staging for the sync's lock.
	childHold = "DEWPOINT_TEST_CHILD_HOLD"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		os.Exit(child(path, os.Getenv(childStep)))
	}
	os.Exit(m.Run())
}

func child(path, step string) int {
	if mode := os.Getenv(childHold); mode != "" {
		return holdFile(path, mode)
	}
	s, err := Open(path, Options{})
	if err == nil {
		s.at = func(at string) {
			if at == step {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
		err = sinktest.CrashingSync(context.Background(), s)
	}
	fmt.Fprintln(os.Stderr, "not killed at", step, err)
	return 1
}

// steps are all points at which a sync can be killed.
var steps = []string{
	"begin:swept", "begin:loaded", "commit:staged", "commit:opened", "commit:tables", "commit:loaded", "commit:rows", "commit:sightings",
	"commit:gone", "commit:edges", "commit:scopes", "commit:problems", "commit:sync", "commit:views", "commit:checks", "commit:ready",
	"commit:committed", "commit:checkpointed",
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Target { return newTarget(t, Options{LockTimeout: 50 * time.Millisecond}) })
}

// TestConformanceWithoutHashes runs the suite as it is for kinds whose hashes
// do not fit the budget.
func TestConformanceWithoutHashes(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite a second time")
	}
	sinktest.Run(t, func(t *testing.T) sinktest.Target {
		return newTarget(t, Options{LockTimeout: 50 * time.Millisecond, HashBudget: 1})
	})
}

func newTarget(t *testing.T, o Options) sinktest.Target {
	path := filepath.Join(t.TempDir(), "estate.duckdb")
	return sinktest.Target{
		Open:  func() (sinks.Sink, error) { return Open(path, o) },
		Query: func(q string) ([][]string, error) { return query(path, q) },
		Exec: func(q string) error {
			db, err := sql.Open("duckdb", path)
			if err != nil {
				return err
			}
			defer db.Close()
			_, err = db.Exec(q)
			return err
		},
		Crash: &sinktest.Crash{Steps: steps, Run: func(step string) error { return crash(path, step) }},
	}
}

// crash runs a child process that kills itself at the step.
func crash(path, step string) error {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path, childStep+"="+step)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return nil
	}
	return fmt.Errorf("the child was not killed: %v: %s", err, out)
}

// query reads a file as another program would and gives values as text.
func query(path, q string) ([][]string, error) {
	db, err := OpenReader(context.Background(), path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	// The driver decodes JSON; the text is wanted.
	json, cols := false, make([]string, len(types))
	for i, t := range types {
		cols[i] = fmt.Sprintf("#%d", i+1)
		if t.DatabaseTypeName() == "JSON" {
			json, cols[i] = true, cols[i]+"::VARCHAR"
		}
	}
	if json {
		rows.Close()
		if rows, err = db.Query("SELECT " + strings.Join(cols, ", ") + " FROM (" + q + ")"); err != nil {
			return nil, err
		}
		defer rows.Close()
	}
	var all [][]string
	for rows.Next() {
		vals, ptrs := make([]any, len(types)), make([]any, len(types))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		row := make([]string, len(types))
		for i, v := range vals {
			row[i] = text(v, types[i].DatabaseTypeName())
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

func text(v any, typ string) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case float64:
		return compact(v)
	case *big.Int:
		return v.String()
	case []byte:
		if typ == "UUID" {
			return uuid.UUID(v).String()
		}
		return string(v)
	case duckdb.UUID:
		return uuid.UUID(v).String()
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			if s, ok := e.(string); ok {
				parts[i] = compact(s)
			} else if at, ok := e.(time.Time); ok {
				parts[i] = compact(text(at, ""))
			} else {
				parts[i] = text(e, "")
			}
		}
		return "[" + strings.Join(parts, ",") + "]"
	case duckdb.OrderedMap:
		parts := make([]string, v.Len())
		for i, k := range v.Keys() {
			e, _ := v.Get(k)
			parts[i] = compact(k) + ":" + compact(e)
		}
		return "{" + strings.Join(parts, ",") + "}"
	case map[string]any:
		return compact(v)
	}
	return fmt.Sprint(v)
}

func compact(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
