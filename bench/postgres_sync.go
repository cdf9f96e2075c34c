package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/postgres"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// syntheticKind is the kind of the rows that Postgres is measured with: 32
// columns, one edge a row.
func syntheticKind() *sinktest.Synthetic { return sinktest.NewSynthetic("aws_bench_row", 32, 1) }

// stagingTables are those that a sync of it is staged in.
var stagingTables = []string{"aws_bench_row", "_readings", "_edges", "_scopes"}

// postgresTimes are what a child process tells of its sync: seconds since it
// began, and CPU time.
type postgresTimes struct {
	Begun, Staged, Ended, CPU float64
	peakMB                    float64
}

// postgresSync is the child process that is measured. It makes the rows alone
// (make), makes the tables (apply), syncs (sync), ends once all is staged
// (stage; its rows are made before the clock runs), or writes on the way what
// is staged to files of a directory (export).
func postgresSync(args []string) error {
	mode, url := args[0], args[1]
	rows, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	scopes, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	c := postgresChild{g: syntheticKind(), rows: rows, scopes: scopes, start: time.Now()}
	switch mode {
	case "make":
		err = c.each(func(b *schema.Batch) error { b.Release(); return nil }, func(schema.ScopeResult) error { return nil })
	case "apply":
		err = c.apply(url)
	case "export":
		c.atStaged = func() error { return exportStaged(url, args[4]) }
		err = c.sync(url)
	case "stage":
		c.ready = c.makeReady()
		c.start, c.idle = time.Now(), cpuSeconds()
		c.atStaged = func() error { return c.tell(os.Exit) }
		err = c.sync(url)
	default:
		err = c.sync(url)
	}
	if err != nil {
		return err
	}
	return c.tell(nil)
}

type postgresChild struct {
	g            *sinktest.Synthetic
	rows, scopes int
	start        time.Time
	times        postgresTimes
	atStaged     func() error
	ready        []*schema.Batch
	idle         float64 // CPU time before the clock ran
}

// readyRows is how many rows are made before the clock runs: they are staged
// again and again, which the staging does not mind.
const readyRows = 100_000

func (c *postgresChild) makeReady() []*schema.Batch {
	var all []*schema.Batch
	scope := schema.Scope{Cloud: "aws", Account: "000000000000", Region: "eu-west-0", Kind: c.g.Kind.Name}
	for n := 0; n < min(c.rows, readyRows); n += 4000 {
		all = append(all, c.g.Batch(scope, n, min(n+4000, readyRows, c.rows)))
	}
	return all
}

func (c *postgresChild) since() float64 { return time.Since(c.start).Seconds() }

// tell prints the times and ends the process if it is given how.
func (c *postgresChild) tell(exit func(int)) error {
	c.times.Ended, c.times.CPU = c.since(), cpuSeconds()-c.idle
	if err := json.NewEncoder(os.Stdout).Encode(c.times); err != nil {
		return err
	}
	if exit != nil {
		exit(0)
	}
	return nil
}

func (c *postgresChild) apply(url string) error {
	s, err := postgres.Open(context.Background(), url, postgres.Options{})
	if err != nil {
		return err
	}
	_, err = s.ApplySchema(context.Background(), []*schema.Kind{c.g.Kind}, false)
	return err
}

func (c *postgresChild) sync(url string) error {
	ctx := context.Background()
	var failed error
	s, err := postgres.Open(ctx, url, postgres.Options{Trace: func(step string) {
		if step == "commit:staged" {
			c.times.Staged = c.since()
			if c.atStaged != nil {
				failed = c.atStaged()
			}
		}
	}})
	if err != nil {
		return err
	}
	tx, err := s.Begin(ctx, sinks.Sync{ID: uuid.Must(uuid.NewV7()), StartedAt: time.Now(), Version: "bench", Kinds: []*schema.Kind{c.g.Kind}})
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	c.times.Begun = c.since()
	err = c.each(func(b *schema.Batch) error { return tx.Write(ctx, b) }, func(r schema.ScopeResult) error { return tx.Scope(ctx, r) })
	if err != nil {
		return err
	}
	sum, err := tx.Commit(ctx, sinks.Outcome{FinishedAt: time.Now()})
	if err == nil {
		err = failed
	}
	if err == nil && sum.Kinds[0].Rows != int64(c.rows) {
		err = fmt.Errorf("%d rows landed, want %d", sum.Kinds[0].Rows, c.rows)
	}
	return err
}

// each makes the rows scope by scope, at most 4000 to a batch.
func (c *postgresChild) each(write func(*schema.Batch) error, scope func(schema.ScopeResult) error) error {
	if c.ready != nil {
		for n := 0; n < c.rows; n += readyRows {
			for _, b := range c.ready {
				b.Retain()
				if err := write(b); err != nil {
					return err
				}
			}
		}
		return scope(schema.ScopeResult{Scope: c.ready[0].Scope, State: schema.Complete, Rows: int64(c.rows), Calls: 1})
	}
	per := c.rows / c.scopes
	for i := range c.scopes {
		s := schema.Scope{Cloud: "aws", Account: fmt.Sprintf("%012d", i/20), Region: fmt.Sprintf("eu-west-%d", i%20), Kind: c.g.Kind.Name}
		for n := i * per; n < (i+1)*per; n += 4000 {
			if err := write(c.g.Batch(s, n, min(n+4000, (i+1)*per))); err != nil {
				return err
			}
		}
		if err := scope(schema.ScopeResult{Scope: s, State: schema.Complete, Rows: int64(per), Calls: 1}); err != nil {
			return err
		}
	}
	return nil
}

// exportStaged makes the server write the staging tables as binary COPY files.
func exportStaged(url, dir string) error {
	ctx := context.Background()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	for _, table := range stagingTables {
		if _, err := c.Exec(ctx, fmt.Sprintf("COPY dewpoint_staging.%s TO '%s' (FORMAT binary)", table, filepath.Join(dir, table))).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// postgresRun runs the child.
func postgresRun(args ...string) (postgresTimes, error) {
	var t postgresTimes
	self, err := os.Executable()
	if err != nil {
		return t, err
	}
	cmd := exec.Command(self, append([]string{"postgres-sync"}, args...)...)
	cmd.Stderr = os.Stderr
	out, peak, err := output(cmd)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(out, &t); err != nil {
		return t, err
	}
	t.peakMB = peak
	return t, nil
}
