package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

// graphFigures measures the models over a million resources and three million
// edges, and what hangs on one of them.
func graphFigures(bin string) ([]figure, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dewpoint-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	g := &graphBench{bin: bin, dir: dir}
	duck, err := g.duckdb()
	if err != nil {
		return nil, fmt.Errorf("duckdb: %w", err)
	}
	post, err := g.postgres()
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return slices.Concat(duck, post), nil
}

type graphBench struct{ bin, dir string }

// command is dewpoint against the server of instances, if there is one.
func (g *graphBench) command(addr string, args ...string) *exec.Cmd {
	cmd := exec.Command(g.bin, args...)
	cmd.Dir = g.dir
	cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+addr, "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench",
		"AWS_REGION="+benchRegion, "AWS_EC2_METADATA_DISABLED=true")
	return cmd
}

// tables makes the tables of the estate, and by a sync of ten instances their
// indexes.
func (g *graphBench) tables(url string) error {
	var only []string
	for _, k := range graphEstate {
		if k.columns != nil {
			only = append(only, k.kind)
		}
	}
	config := filepath.Join(g.dir, "graph.yaml")
	if err := os.WriteFile(config, []byte("aws: {}\nkinds: {only: ["+strings.Join(only, ", ")+"]}\n"), 0o600); err != nil {
		return err
	}
	if _, err := measure(g.command("", "schema", "apply", "--config", config, "--to", url)); err != nil {
		return err
	}
	addr, stop, err := serve(10)
	if err != nil {
		return err
	}
	defer stop()
	_, err = measure(g.command(addr, "sync", "--only", "aws_ec2_instance", "--to", url, "--no-progress"))
	return err
}

func (g *graphBench) duckdb() ([]figure, error) {
	path := filepath.Join(g.dir, "graph.duckdb")
	if err := g.tables("duckdb:" + path); err != nil {
		return nil, err
	}
	db, err := sql.Open("duckdb", path+"?memory_limit=2GB")
	if err != nil {
		return nil, err
	}
	for _, q := range graphSQL("duckdb") {
		if _, err := db.Exec(q); err != nil {
			return nil, errors.Join(fmt.Errorf("%w in: %s", err, q), db.Close())
		}
	}
	rows := func(q string) (n int, err error) {
		db, err := sql.Open("duckdb", path+"?access_mode=read_only")
		if err != nil {
			return 0, err
		}
		defer db.Close()
		return n, db.QueryRow(q).Scan(&n)
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	return g.figures("DuckDB", "duckdb:"+path, "main", func(f func() (float64, float64, error)) (cost, error) {
		wall, cpu, err := f()
		return cost{wall, cpu}, err
	}, rows)
}

func (g *graphBench) postgres() ([]figure, error) {
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
	if err := g.tables(url); err != nil {
		return nil, err
	}
	for _, q := range append(graphSQL("postgres"), "ANALYZE") {
		if err := server.Exec(b.ctx, "postgres", q); err != nil {
			return nil, fmt.Errorf("%w in: %s", err, q)
		}
	}
	rows := func(q string) (n int, err error) {
		r, err := server.Query(b.ctx, "postgres", q)
		if err != nil {
			return 0, err
		}
		_, err = fmt.Sscan(r[0][0], &n)
		return n, err
	}
	return g.figures("Postgres", url, "dewpoint", b.measure, rows)
}

// figures builds the models twice, the second time over those of the first,
// and asks for single resources.
func (g *graphBench) figures(name, url, schema string, measured func(func() (wall, cpu float64, err error)) (cost, error), count func(string) (int, error)) ([]figure, error) {
	run := func(args ...string) (cost, error) {
		return measured(func() (float64, float64, error) {
			cmd := g.command("", args...)
			start := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return 0, 0, fmt.Errorf("%s: %w\n%s", cmd, err, out)
			}
			return time.Since(start).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
		})
	}
	var n [4]int
	var first cost
	for i := range 2 {
		c, err := run("transform", "-v", "--to", url)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first = c
		} else {
			first = cost{math.Max(first.wall, c.wall), math.Max(first.cpu, c.cpu)}
		}
	}
	for i, q := range []string{schema + ".resources", schema + ".edges", "dewpoint_models.relationships", "dewpoint_models.closure"} {
		var err error
		if n[i], err = count("SELECT count(*) FROM " + q); err != nil {
			return nil, err
		}
	}
	all := []figure{{
		what: fmt.Sprintf("all models of %.2fM resources, %.2fM edges in %s", float64(n[0])/1e6, float64(n[1])/1e6, name), value: first.cpu, unit: "s", limit: 180,
		note: fmt.Sprintf("CPU, the database's included; %.2fM relationships, %.2fM pairs to depth 6; %.0f s", float64(n[2])/1e6, float64(n[3])/1e6, first.wall),
	}}
	for _, q := range []struct {
		what string
		args []string
	}{
		{"impact of an instance", []string{"impact", "aws_ec2_instance-77777"}},
		{"impact of the largest network", []string{"impact", "aws_ec2_vpc-0"}},
		{"path from a pod to its network", []string{"path", "kubernetes_pod-1234", "aws_ec2_vpc-234"}},
	} {
		best := cost{math.Inf(1), math.Inf(1)}
		for range 3 {
			c, err := run(append(q.args, "--to", url)...)
			if err != nil {
				return nil, err
			}
			best = best.best(c)
		}
		all = append(all, figure{what: q.what + " in " + name, value: best.cpu, unit: "s", limit: 1, note: fmt.Sprintf("CPU of the whole command, the database's included; %.1f s", best.wall)})
	}
	return all, nil
}
