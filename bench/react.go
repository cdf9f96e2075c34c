package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

// reactFigures measures all bundled metrics and rules over a million
// resources and three million edges, all read completely just now.
func reactFigures(bin string) ([]figure, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dewpoint-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	r := &reactBench{graphBench{bin: bin, dir: dir}}
	var config strings.Builder
	config.WriteString("aws: {}\nreact:\n  rules:\n")
	for _, x := range react.BundledRules() {
		fmt.Fprintf(&config, "    %s: {}\n", x.Name)
	}
	if err := os.WriteFile(filepath.Join(dir, "dewpoint.yaml"), []byte(config.String()), 0o600); err != nil {
		return nil, err
	}
	duck, err := r.duckdb()
	if err != nil {
		return nil, fmt.Errorf("duckdb: %w", err)
	}
	post, err := r.postgres()
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return slices.Concat(duck, post), nil
}

type reactBench struct{ graphBench }

// tables makes those of all kinds of AWS, and by a sync of ten instances the
// indexes.
func (r *reactBench) tables(url string) error {
	if _, err := measure(r.command("", "schema", "apply", "--to", url)); err != nil {
		return err
	}
	addr, stop, err := serve(10)
	if err != nil {
		return err
	}
	defer stop()
	_, err = measure(r.command(addr, "sync", "--only", "aws_ec2_instance", "--to", url, "--no-progress"))
	return err
}

var resourceInsert = regexp.MustCompile(`^(INSERT INTO \S+\.resources) \((.*), _scope, base\) SELECT (.*), 'bench', (\S+)( FROM .*)$`)

// reactSQL fills an estate whose scopes are complete: that of the models, in
// accounts that have names.
func reactSQL(dialect string) []string {
	d := graphDialects[dialect]
	var all []string
	for _, q := range graphSQL(dialect) {
		if m := resourceInsert.FindStringSubmatch(q); m != nil {
			q = fmt.Sprintf("%s (%s, base, _hash, _scope) SELECT x.*, x._id, x.cloud || '/' || x.account || '/' || x.region FROM (SELECT %s, CAST(%s AS VARCHAR)%s) x(%s, base)", m[1], m[2], m[3], m[4], m[5], m[2])
		}
		all = append(all, q)
	}
	states := "scopes"
	if dialect == "postgres" {
		states = "scope_states"
	}
	return append(all,
		fmt.Sprintf(`INSERT INTO %[1]s.aws_sts_account (_id, id, name, kind, cloud, account, region)
			SELECT cast(md5(account) as uuid), account, 'sandbox-' || account, 'aws_sts_account', 'aws', account, 'global' FROM (SELECT DISTINCT account FROM %[1]s.resources WHERE cloud = 'aws') a`, d.schema),
		fmt.Sprintf("DELETE FROM %s.%s", d.schema, states),
		fmt.Sprintf(`INSERT INTO %[1]s.%[2]s (sync_id, cloud, account, region, state, kinds, scopes, last_complete)
			SELECT (SELECT max(id::varchar)::uuid FROM %[1]s.syncs), cloud, account, region, 'complete', (SELECT array_agg(kind ORDER BY kind) FROM %[1]s.kinds), 1, now()
			FROM (SELECT DISTINCT cloud, account, region FROM %[1]s.resources) p`, d.schema, states),
		fmt.Sprintf("UPDATE %s.syncs SET started_at = now(), finished_at = now()", d.schema))
}

func (r *reactBench) duckdb() ([]figure, error) {
	path := filepath.Join(r.dir, "react.duckdb")
	if err := r.tables("duckdb:" + path); err != nil {
		return nil, err
	}
	db, err := sql.Open("duckdb", path+"?memory_limit=2GB")
	if err != nil {
		return nil, err
	}
	for _, q := range reactSQL("duckdb") {
		if _, err := db.Exec(q); err != nil {
			return nil, errors.Join(fmt.Errorf("%w in: %s", err, q), db.Close())
		}
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return r.figures("DuckDB", "duckdb:"+path, func(f func() (float64, float64, error)) (cost, error) {
		wall, cpu, err := f()
		return cost{wall, cpu}, err
	})
}

func (r *reactBench) postgres() ([]figure, error) {
	server, err := postgrestest.Start(postgrestest.Options{Settings: []string{
		"shared_buffers = 512MB", "max_wal_size = 16GB", "checkpoint_timeout = 30min", "max_parallel_workers_per_gather = 0",
	}})
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	b := &postgresBench{server: server, ctx: context.Background()}
	if _, err := b.serverCPU(); err != nil {
		return nil, err
	}
	url := server.URL("postgres")
	if err := r.tables(url); err != nil {
		return nil, err
	}
	for _, q := range append(reactSQL("postgres"), "VACUUM ANALYZE") {
		if err := server.Exec(b.ctx, "postgres", q); err != nil {
			return nil, fmt.Errorf("%w in: %s", err, q)
		}
	}
	return r.figures("Postgres", url, b.measure)
}

// figures plans twice: what matches is marked by the first plan, and read back
// by the second.
func (r *reactBench) figures(name, url string, measured func(func() (wall, cpu float64, err error)) (cost, error)) ([]figure, error) {
	run := func(args ...string) (c cost, out []byte, err error) {
		c, err = measured(func() (float64, float64, error) {
			cmd := r.command("", args...)
			start := time.Now()
			if out, err = cmd.CombinedOutput(); err != nil {
				return 0, 0, fmt.Errorf("%s: %w\n%s", cmd, err, out)
			}
			return time.Since(start).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
		})
		return c, out, err
	}
	metrics, _, err := run("metrics", "--to", url)
	if err != nil {
		return nil, err
	}
	var plans cost
	sentences := regexp.MustCompile(`(?m)^[a-z-]+: .*$`)
	for range 2 {
		c, out, err := run("react", "plan", "--to", url)
		if err != nil {
			return nil, err
		}
		if os.Getenv("BENCH_SHOW") != "" {
			fmt.Printf("%.1f s: %s\n", c.cpu, strings.Join(sentences.FindAllString(string(out), -1), "\n"))
		}
		plans = cost{math.Max(plans.wall, c.wall), math.Max(plans.cpu, c.cpu)}
	}
	return []figure{{
		what: "all metrics and rules over 1M resources, 3M edges in " + name, value: metrics.cpu + plans.cpu, unit: "s", limit: 60,
		note: fmt.Sprintf("CPU, the database's included: metrics %.1f s, plans %.1f s; %.0f s", metrics.cpu, plans.cpu, metrics.wall+plans.wall),
	}}, nil
}
