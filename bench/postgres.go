package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

// postgresTurns is how often each staging is measured; the best counts, since
// what disturbs a measurement only makes it longer.
const postgresTurns = 3

// postgresBench is a server with the ready files of a sync and the statements
// of its commit.
type postgresBench struct {
	server       *postgrestest.Server
	ctx          context.Context
	small, large int
	commit       string // a file of SQL
	databases    int
	always       map[int]bool // the server's processes that are no sessions
}

// cost is what a measured thing took: seconds on the clock, and of CPU time of
// the client and the server.
type cost struct{ wall, cpu float64 }

func (c cost) best(o cost) cost { return cost{math.Min(c.wall, o.wall), math.Min(c.cpu, o.cpu)} }

func (c cost) String() string { return fmt.Sprintf("%.1f s, %.1f CPU-s", c.wall, c.cpu) }

// postgresFigures measures the staging and a whole first sync against psql
// doing the same from ready files, and an unchanged second sync.
func postgresFigures(small, large int) ([]figure, error) {
	server, err := postgrestest.Start(postgrestest.Options{Settings: []string{
		"shared_buffers = 512MB", "max_wal_size = 16GB", "checkpoint_timeout = 30min", "log_destination = jsonlog", "logging_collector = on", "log_directory = 'log'",
	}})
	if err != nil {
		return nil, err
	}
	defer server.Stop()
	b := &postgresBench{server: server, ctx: context.Background(), small: small, large: large}
	if _, err := b.serverCPU(); err != nil {
		return nil, err
	}
	if err := b.prepare(); err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	staging, err := b.staging()
	if err != nil {
		return nil, fmt.Errorf("staging: %w", err)
	}
	whole, err := b.whole()
	if err != nil {
		return nil, fmt.Errorf("first sync: %w", err)
	}
	second, err := b.second()
	if err != nil {
		return nil, fmt.Errorf("second sync: %w", err)
	}
	return slices.Concat(staging, whole, second), nil
}

func (b *postgresBench) args(mode, url string, rows, scopes int, more ...string) []string {
	return append([]string{mode, url, strconv.Itoa(rows), strconv.Itoa(scopes)}, more...)
}

// database makes a new one with the tables of the kind.
func (b *postgresBench) database() (string, error) {
	b.databases++
	name := fmt.Sprintf("bench%d", b.databases)
	if err := b.server.Exec(b.ctx, "postgres", "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	_, err := postgresRun(b.args("apply", b.server.URL(name), 0, 1)...)
	return name, err
}

func (b *postgresBench) drop(name string) error {
	return b.server.Exec(b.ctx, "postgres", "DROP DATABASE "+name+" WITH (FORCE)")
}

// prepare runs a sync whose staging is written to files and whose commit's
// statements are taken from the server's log.
func (b *postgresBench) prepare() error {
	name, err := b.database()
	if err != nil {
		return err
	}
	if err := b.server.Exec(b.ctx, "postgres", "ALTER DATABASE "+name+" SET log_statement = 'all'"); err != nil {
		return err
	}
	if _, err := postgresRun(b.args("export", b.server.URL(name), b.large, 1, b.server.Dir)...); err != nil {
		return err
	}
	statements, err := b.logged(name)
	if err != nil {
		return err
	}
	b.commit = filepath.Join(b.server.Dir, "commit.sql")
	if err := os.WriteFile(b.commit, []byte(strings.Join(statements, ";\n")+";\n"), 0o644); err != nil {
		return err
	}
	return b.drop(name)
}

// logged returns the statements of the one transaction that commits a sync.
func (b *postgresBench) logged(database string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(b.server.Dir, "data", "log", "*.json"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var all []string
	session := ""
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var l struct {
				Dbname, Message string
				Session         string `json:"session_id"`
			}
			if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
				continue // a line that is just being written
			}
			sql, ok := strings.CutPrefix(l.Message, "statement: ")
			if !ok || l.Dbname != database {
				continue
			}
			if strings.HasPrefix(sql, "BEGIN ISOLATION LEVEL REPEATABLE READ") {
				session, all = l.Session, nil
			}
			if l.Session == session {
				all = append(all, sql)
				if sql == "COMMIT" {
					f.Close()
					return all, nil
				}
			}
		}
		f.Close()
		if err := lines.Err(); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the log has %d statements of the commit and no end", len(all))
}

// measure runs f and adds the CPU time of the server's sessions to that which
// f tells of the client.
func (b *postgresBench) measure(f func() (wall, cpu float64, err error)) (cost, error) {
	before, err := b.serverCPU()
	if err != nil {
		return cost{}, err
	}
	wall, cpu, err := f()
	if err != nil {
		return cost{}, err
	}
	if err := b.quiet(); err != nil {
		return cost{}, err
	}
	after, err := b.serverCPU()
	return cost{wall, cpu + after - before}, err
}

// quiet waits until all other sessions have ended.
func (b *postgresBench) quiet() error {
	for range 300 {
		r, err := b.server.Query(b.ctx, "postgres", "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
		if err != nil {
			return err
		}
		if r[0][0] == "0" {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("a session does not end")
}

// serverCPU is the CPU time of the server's sessions: that of its children
// which have ended and of those that are just ending, without those that it
// always has, https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html.
func (b *postgresBench) serverCPU() (float64, error) {
	pid, err := b.server.PID()
	if err != nil {
		return 0, err
	}
	ended, err := procStat(pid)
	if err != nil {
		return 0, err
	}
	ticks := ended.children
	others, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, err
	}
	first := b.always == nil
	if first {
		b.always = map[int]bool{}
	}
	for _, path := range others {
		n, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			return 0, err
		}
		p, err := procStat(n)
		if err != nil || p.parent != pid {
			continue // it has ended meanwhile, or is none of the server's
		}
		if first {
			b.always[n] = true
		}
		if !b.always[n] {
			ticks += p.own
		}
	}
	return ticks / 100, nil
}

// proc is what /proc tells of a process, times in ticks of 10 ms.
type proc struct {
	parent        int
	own, children float64
}

func procStat(pid int) (p proc, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return p, err
	}
	for i, to := range map[int]*float64{11: &p.own, 12: &p.own, 13: &p.children, 14: &p.children} {
		n, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return p, err
		}
		*to += n
	}
	return p, nil
}

// psql runs statements and returns what they took.
func (b *postgresBench) psql(database string, args ...string) (cost, error) {
	return b.measure(func() (float64, float64, error) {
		cmd := b.server.Command("psql", append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", b.server.URL(database), "-o", "/dev/null"}, args...)...)
		start := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return 0, 0, fmt.Errorf("psql: %w\n%s", err, out)
		}
		return time.Since(start).Seconds(), (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds(), nil
	})
}

// copies are psql's arguments that load the ready files.
func (b *postgresBench) copies() []string {
	var args []string
	for _, table := range stagingTables {
		args = append(args, "-c", fmt.Sprintf(`\copy dewpoint_staging.%s from '%s' (format binary)`, table, filepath.Join(b.server.Dir, table)))
	}
	return args
}

// truncate empties the staging.
func (b *postgresBench) truncate(database string) error {
	return b.server.Exec(b.ctx, database, "TRUNCATE dewpoint_staging."+strings.Join(stagingTables, ", dewpoint_staging.")+"; CHECKPOINT")
}

// staging compares what a sync stages with psql copying the same from ready
// files into the same tables. The CPU time of making the rows is not counted.
func (b *postgresBench) staging() ([]figure, error) {
	name, err := b.database()
	if err != nil {
		return nil, err
	}
	worst := cost{math.Inf(1), math.Inf(1)}
	bare, one, several := worst, worst, worst
	for range postgresTurns {
		for _, m := range []struct {
			to  *cost
			run func() (cost, error)
		}{
			{&bare, func() (cost, error) { return b.psql(name, b.copies()...) }},
			{&one, func() (cost, error) { return b.stage(name, "connections=1") }},
			{&several, func() (cost, error) { return b.stage(name, "connections=4") }},
		} {
			if err := b.truncate(name); err != nil {
				return nil, err
			}
			c, err := m.run()
			if err != nil {
				return nil, err
			}
			*m.to = m.to.best(c)
		}
	}
	rows := fmt.Sprintf("staging of %d rows in Postgres", b.large)
	return []figure{
		{what: rows + " / psql \\copy, one connection", value: bare.wall / one.wall, unit: "x", limit: 0.85, least: true, note: fmt.Sprintf("%v / %v", one, bare)},
		{what: "the same by CPU time", value: bare.cpu / one.cpu, unit: "x"},
		{what: "the same with 4 connections", value: bare.wall / several.wall, unit: "x", note: several.String()},
	}, b.drop(name)
}

// stage runs a sync until all is staged.
func (b *postgresBench) stage(database, param string) (cost, error) {
	return b.measure(func() (float64, float64, error) {
		t, err := postgresRun(b.args("stage", b.server.URL(database, param), b.large, 1)...)
		return t.Staged - t.Begun, t.CPU, err
	})
}

// whole compares a first sync with psql doing the same by the same statements.
func (b *postgresBench) whole() ([]figure, error) {
	made, err := postgresRun(b.args("make", "", b.large, 1)...)
	if err != nil {
		return nil, err
	}
	script, err := b.database()
	if err != nil {
		return nil, err
	}
	bare, err := b.psql(script, b.copies()...)
	if err != nil {
		return nil, err
	}
	rest, err := b.psql(script, "-f", b.commit)
	if err != nil {
		return nil, err
	}
	if err := b.drop(script); err != nil {
		return nil, err
	}
	name, err := b.database()
	if err != nil {
		return nil, err
	}
	var t postgresTimes
	first, err := b.measure(func() (float64, float64, error) {
		t, err = postgresRun(b.args("sync", b.server.URL(name), b.large, 1)...)
		return t.Ended, t.CPU - made.CPU, err
	})
	if err != nil {
		return nil, err
	}
	all := cost{bare.wall + rest.wall, bare.cpu + rest.cpu}
	return []figure{
		{what: "first sync of them / a psql script of the same statements", value: all.wall / first.wall, unit: "x", limit: 0.85, least: true, note: fmt.Sprintf("%v / %v", first, all)},
		{what: "the same by CPU time", value: all.cpu / first.cpu, unit: "x"},
		{what: "first sync / psql \\copy alone", value: bare.wall / first.wall, unit: "x", note: bare.String()},
		{what: fmt.Sprintf("peak memory at %d", b.large), value: t.peakMB, unit: "MB", limit: 300},
	}, b.drop(name)
}

// second measures an unchanged second sync over many scopes. The making of the
// rows, in 100,000 small batches, is part of both times.
func (b *postgresBench) second() ([]figure, error) {
	name, err := b.database()
	if err != nil {
		return nil, err
	}
	scopes := b.large / 10
	var costs [2]cost
	var wal [2]float64
	peak := 0.0
	for i := range costs {
		before, err := b.wal()
		if err != nil {
			return nil, err
		}
		costs[i], err = b.measure(func() (float64, float64, error) {
			t, err := postgresRun(b.args("sync", b.server.URL(name), b.large, scopes)...)
			peak = max(peak, t.peakMB)
			return t.Ended, t.CPU, err
		})
		if err != nil {
			return nil, err
		}
		after, err := b.wal()
		if err != nil {
			return nil, err
		}
		wal[i] = after - before
	}
	if err := b.drop(name); err != nil {
		return nil, err
	}
	if name, err = b.database(); err != nil {
		return nil, err
	}
	less, err := postgresRun(b.args("sync", b.server.URL(name), b.small, b.small/10)...)
	if err != nil {
		return nil, err
	}
	over := fmt.Sprintf(" over %d scopes", scopes)
	return []figure{
		{
			what: "unchanged second sync" + over + " / first", value: costs[1].wall / costs[0].wall, unit: "x", limit: 0.4,
			note: fmt.Sprintf("%v / %v, making the rows included", costs[1], costs[0]),
		},
		{what: "WAL of the second / of the first", value: wal[1] / wal[0], unit: "x", limit: 0.01, note: fmt.Sprintf("%.2f / %.0f MB", wal[1]/1e6, wal[0]/1e6)},
		{what: fmt.Sprintf("peak memory at %d", b.large) + over, value: peak, unit: "MB", limit: 300},
		{what: fmt.Sprintf("peak memory at %d", b.small), value: less.peakMB, unit: "MB", limit: 300},
	}, b.drop(name)
}

// wal is how many bytes of WAL the server has written.
func (b *postgresBench) wal() (float64, error) {
	r, err := b.server.Query(b.ctx, "postgres", "SELECT pg_current_wal_lsn() - '0/0'")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(r[0][0], 64)
}
