// Package postgrestest runs real Postgres servers for tests and benchmarks.
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Server is a server of its own on a free port of 127.0.0.1, in a temporary
// directory. Its superuser is postgres, without a password on this host.
type Server struct {
	Port int
	Dir  string
	bin  string
	as   *syscall.Credential // nil: the user of this process
	log  string
}

// Options tune a server.
type Options struct {
	// ICU is the locale of the cluster by ICU, as de-DE; empty is C.
	ICU string
	// Settings are lines of postgresql.conf.
	Settings []string
}

// Start makes a cluster and starts it. It needs the programs of PostgreSQL 15
// or later; where this process is root, they run as another user.
func Start(o Options) (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin}
	if os.Geteuid() == 0 {
		if s.as, err = unprivileged(); err != nil {
			return nil, err
		}
	}
	if s.Dir, err = os.MkdirTemp("", "dewpoint-postgres-"); err != nil {
		return nil, err
	}
	s.log = filepath.Join(s.Dir, "log")
	if s.Port, err = freePort(); err == nil {
		err = s.create(o)
	}
	if err == nil {
		err = s.Up()
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// programs finds the directory of initdb and postgres.
func programs() (string, error) {
	if dir := os.Getenv("DEWPOINT_TEST_POSTGRES"); dir != "" {
		return dir, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil {
		return "", err
	}
	slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
	for _, dir := range found {
		if _, err := os.Stat(filepath.Join(dir, "initdb")); err == nil && version(dir) >= 15 {
			return dir, nil
		}
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	return "", errors.New("PostgreSQL 15 is not installed: run make servers, or name the directory of its initdb in DEWPOINT_TEST_POSTGRES")
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}

// unprivileged is a user that is not root: Postgres does not run as root.
func unprivileged() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("there is neither a user postgres nor nobody to run Postgres as")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Command returns a program of Postgres, to be run as the server's user in its
// directory.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	path := name
	if !strings.Contains(name, "/") {
		path = filepath.Join(s.bin, name)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "LC_MESSAGES=C", "HOME="+s.Dir)
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	return cmd
}

func (s *Server) run(name string, args ...string) error {
	if out, err := s.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

func (s *Server) create(o Options) error {
	if err := s.Give(s.Dir); err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync"}
	if o.ICU != "" {
		args = append(args, "--locale-provider", "icu", "--icu-locale", o.ICU, "--lc-ctype", "C.UTF-8")
	}
	if err := s.run("initdb", args...); err != nil {
		return err
	}
	settings := append([]string{
		fmt.Sprintf("port = %d", s.Port), "listen_addresses = '127.0.0.1'", fmt.Sprintf("unix_socket_directories = '%s'", s.Dir), "max_connections = 100",
	}, o.Settings...)
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(strings.Join(settings, "\n") + "\n"); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

// Give makes the server's user own a directory.
func (s *Server) Give(dir string) error {
	if s.as == nil {
		return nil
	}
	return os.Chown(dir, int(s.as.Uid), int(s.as.Gid))
}

// Up starts the server and waits until it answers.
func (s *Server) Up() error {
	cmd := s.Command("pg_ctl", "-D", s.data(), "-l", s.log, "-w", "-t", "60", "start")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	// The server inherits them: a pipe would never end.
	cmd.Stdout, cmd.Stderr = null, null
	if err := cmd.Run(); err != nil {
		log, _ := os.ReadFile(s.log)
		return fmt.Errorf("start Postgres: %w\n%s", err, log)
	}
	return nil
}

// Down stops the server in one of the modes of pg_ctl: smart, fast, immediate.
func (s *Server) Down(mode string) error {
	return s.run("pg_ctl", "-D", s.data(), "-m", mode, "-w", "-t", "60", "stop")
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() {
	_ = s.Down("immediate") // it may not have started
	_ = os.RemoveAll(s.Dir)
}

// PID is the number of the server's first process.
func (s *Server) PID() (int, error) {
	b, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strconv.Atoi(line)
}

// URL names a database of the server for its superuser, with parameters such
// as schema=x.
func (s *Server) URL(database string, params ...string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?%s", s.Port, database, strings.Join(append([]string{"sslmode=disable"}, params...), "&"))
}

// Exec runs statements as the superuser.
func (s *Server) Exec(ctx context.Context, database, sql string) error {
	_, err := s.Query(ctx, database, sql)
	return err
}

// Query runs statements as the superuser and returns the rows of the last.
func (s *Server) Query(ctx context.Context, database, sql string) ([][]string, error) {
	c, err := pgconn.Connect(ctx, s.URL(database))
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = c.Close(ctx)
	}()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 {
		return nil, err
	}
	var rows [][]string
	for _, r := range results[len(results)-1].Rows {
		row := make([]string, len(r))
		for i, v := range r {
			row[i] = string(v)
		}
		rows = append(rows, row)
	}
	return rows, nil
}
