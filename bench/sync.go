package main

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	_ "github.com/duckdb/duckdb-go/v2"
)

// run is what one process took.
type run struct {
	cpu    float64 // seconds, user and system
	peakMB float64 // resident memory
}

func measure(cmd *exec.Cmd, accept ...int) (run, error) {
	_, peak, err := output(cmd)
	var exit *exec.ExitError
	if err != nil {
		ok := false
		if errors.As(err, &exit) {
			for _, c := range accept {
				ok = ok || exit.ExitCode() == c
			}
		}
		if !ok {
			return run{}, err
		}
	}
	return run{
		cpu:    cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds(),
		peakMB: peak,
	}, nil
}

// syncs measures whole syncs of EC2 instances from a loopback server.
func syncs(bin string, small, large int) ([]figure, error) {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dewpoint-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	first := func(n int) (r, again run, db string, err error) {
		addr, stop, err := serve(n)
		if err != nil {
			return r, again, "", err
		}
		defer stop()
		db = filepath.Join(dir, fmt.Sprint(n, ".duckdb"))
		sync := func() (run, error) {
			cmd := exec.Command(bin, "sync", "--only", "aws_ec2_instance", "--to", "duckdb:"+db, "--no-progress")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "AWS_ENDPOINT_URL="+addr, "AWS_ACCESS_KEY_ID=bench", "AWS_SECRET_ACCESS_KEY=bench",
				"AWS_REGION="+benchRegion, "AWS_EC2_METADATA_DISABLED=true")
			return measure(cmd)
		}
		if r, err = sync(); err != nil {
			return r, again, db, err
		}
		again, err = sync()
		return r, again, db, err
	}
	s, _, _, err := first(small)
	if err != nil {
		return nil, err
	}
	l, again, db, err := first(large)
	if err != nil {
		return nil, err
	}
	rows, parquet, err := export(db, dir)
	if err != nil {
		return nil, err
	}
	if rows != int64(large) {
		return nil, fmt.Errorf("%d rows landed, want %d", rows, large)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := measure(exec.Command(self, "load-parquet", parquet, filepath.Join(dir, "parquet.duckdb")))
	if err != nil {
		return nil, err
	}
	return []figure{
		{
			what: fmt.Sprintf("sync of %d instances / DuckDB loading the same from Parquet", large), value: l.cpu / p.cpu, unit: "x",
			note: fmt.Sprintf("%.1f / %.1f CPU-s", l.cpu, p.cpu),
		},
		{
			what: "unchanged second sync / first", value: again.cpu / l.cpu, unit: "x", limit: 0.5,
			note: fmt.Sprintf("%.1f / %.1f CPU-s", again.cpu, l.cpu),
		},
		{what: fmt.Sprintf("peak memory at %d / at %d", large, small), value: l.peakMB / s.peakMB, unit: "x", limit: 1.3},
		{what: fmt.Sprintf("peak memory at %d", large), value: l.peakMB, unit: "MB", limit: 700},
		{what: fmt.Sprintf("peak memory at %d", small), value: s.peakMB, unit: "MB"},
		{what: "peak memory of the second sync", value: again.peakMB, unit: "MB", limit: 700},
	}, nil
}

// export writes the instances to Parquet and counts them.
func export(db, dir string) (rows int64, path string, err error) {
	c, err := sql.Open("duckdb", db+"?access_mode=read_only")
	if err != nil {
		return 0, "", err
	}
	defer c.Close()
	if err := c.QueryRow("select count(*) from aws_ec2_instance").Scan(&rows); err != nil {
		return 0, "", err
	}
	path = filepath.Join(dir, "instances.parquet")
	_, err = c.Exec("copy aws_ec2_instance to '" + path + "' (format parquet, compression zstd)")
	return rows, path, err
}

// loadParquet is the measure: a DuckDB file with the rows of a Parquet file.
func loadParquet(parquet, db string) error {
	c, err := sql.Open("duckdb", db+"?memory_limit=1GB")
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Exec("set preserve_insertion_order = false"); err != nil {
		return err
	}
	if _, err := c.Exec("create table aws_ec2_instance as select * from '" + parquet + "'"); err != nil {
		return err
	}
	_, err = c.Exec("checkpoint")
	return err
}
