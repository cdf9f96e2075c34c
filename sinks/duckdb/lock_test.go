package duckdb

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/sinktest"
)

// holdFile is the child process of hold.
func holdFile(path, mode string) int {
	if mode == "staging" {
		s, err := Open(path, Options{})
		if err == nil {
			_, err = s.Begin(context.Background(), sinks.Sync{ID: uuid.New(), StartedAt: time.Now()})
		}
		fmt.Println("held", err)
	} else {
		db, err := sql.Open("duckdb", path+"?access_mode="+mode)
		if err == nil {
			err = db.Ping()
		}
		fmt.Println("held", err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// hold starts another process that has the file open and returns its process
// id and what ends it.
func hold(t *testing.T, path, mode string) (pid string, release func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childFile+"="+path, childHold+"="+mode)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	release = func() {
		if !ended {
			ended = true
			in.Close()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(release)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "held <nil>" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return fmt.Sprint(cmd.Process.Pid), release
}

func wantLocked(t *testing.T, err error, pid string) {
	t.Helper()
	var locked *sinks.LockedError
	if !errors.As(err, &locked) || !strings.Contains(locked.Holder, pid) {
		t.Fatalf("got %v, want a *sinks.LockedError that names process %s", err, pid)
	}
}

// newEstate makes a file with ten rows.
func newEstate(t *testing.T, o Options) (*Sink, *sinktest.Synthetic, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "estate.duckdb")
	s, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	g := sinktest.NewSynthetic("aws_test_row", 20, 1)
	if _, err := syncSynthetic(t.Context(), s, g, 10, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}
	return s, g, path
}

var quick = Options{LockTimeout: 50 * time.Millisecond}

func TestWriterKeepsSyncAndReaderOut(t *testing.T) {
	s, g, path := newEstate(t, quick)
	pid, release := hold(t, path, "read_write")
	_, err := syncSynthetic(t.Context(), s, g, 10, time.Now())
	wantLocked(t, err, pid)
	_, err = OpenReaderTimeout(t.Context(), path, 50*time.Millisecond)
	wantLocked(t, err, pid)
	release()
	if _, err := syncSynthetic(t.Context(), s, g, 10, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestReaderWaitsForTheCommit(t *testing.T) {
	_, _, path := newEstate(t, quick)
	_, release := hold(t, path, "read_write")
	time.AfterFunc(200*time.Millisecond, release)
	db, err := OpenReader(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
}

func TestReaderHoldsUpOnlyTheCommit(t *testing.T) {
	s, g, path := newEstate(t, quick)
	pid, release := hold(t, path, "read_only")
	_, err := syncSynthetic(t.Context(), s, g, 20, time.Now())
	wantLocked(t, err, pid)
	if !strings.Contains(err.Error(), "wait for it") {
		t.Errorf("%v does not say what to do", err)
	}
	release()
	s.opts.LockTimeout = 10 * time.Second
	_, release = hold(t, path, "read_only")
	time.AfterFunc(200*time.Millisecond, release)
	if _, err := syncSynthetic(t.Context(), s, g, 20, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestOthersReadWhileASyncIsStaged(t *testing.T) {
	s, g, path := newEstate(t, quick)
	s.at = func(step string) {
		if step == "begin:loaded" || step == "commit:staged" {
			_, release := hold(t, path, "read_only")
			release()
		}
	}
	if _, err := syncSynthetic(t.Context(), s, g, 20, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func TestSecondSyncOfAnotherProcess(t *testing.T) {
	s, g, path := newEstate(t, quick)
	pid, release := hold(t, path, "staging")
	_, err := syncSynthetic(t.Context(), s, g, 10, time.Now())
	wantLocked(t, err, pid)
	release()
	if _, err := syncSynthetic(t.Context(), s, g, 10, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".staging"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the staging directory is left behind: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	g := sinktest.NewSynthetic("aws_test_row", 20, 0)
	for path, want := range map[string]string{
		"":                             "no file is named",
		"a?b":                          "cannot name a database file",
		dir:                            "is a directory",
		text:                           "is no DuckDB database",
		filepath.Join(text, "x"):       "staging directory",
		"/proc/nowhere/estate.duckdb":  "staging directory",
		filepath.Join(dir, "x", "y.d"): "", // directories are made
	} {
		s, err := Open(path, quick)
		if err == nil {
			_, err = syncSynthetic(t.Context(), s, g, 10, time.Now())
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want %q", path, err, want)
		}
	}
	if _, err := OpenReader(t.Context(), filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "dewpoint sync") {
		t.Errorf("a missing file: %v", err)
	}
}

// unmount waits for others that look into what was mounted: a busy machine has
// those, such as indexers and disk statistics.
func unmount(t *testing.T, dir string) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		out, err := exec.Command("umount", dir).CombinedOutput()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("umount: %s", out)
			return
		}
	}
}

// TestDiskFull needs to mount a small file system.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=12m", "dewpoint", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small file system: %s", out)
	}
	defer unmount(t, dir)
	path := filepath.Join(dir, "estate.duckdb")
	s, err := Open(path, quick)
	if err != nil {
		t.Fatal(err)
	}
	g := sinktest.NewSynthetic("aws_test_row", 32, 1)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := syncSynthetic(t.Context(), s, g, 2000, at); err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{7000, 9000, 11000, 14000, 100000} { // some fill the disk while they commit, some while they stage
		at = at.Add(time.Hour)
		_, err = syncSynthetic(t.Context(), s, g, rows, at)
		t.Log(rows, err)
		if err == nil {
			continue
		}
		if !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("%d rows: %v does not say that the disk is full", rows, err)
		}
		if got, err := query(path, "SELECT count(*) FROM aws_test_row a JOIN resources r ON a._id = r._id"); err != nil || got[0][0] == fmt.Sprint(rows) {
			t.Errorf("%d rows: afterwards the file has %v, %v", rows, got, err)
		}
	}
	if err == nil {
		t.Fatal("the disk is not full after all")
	}
	if out, err := exec.Command("mount", "-o", "remount,size=64m", dir).CombinedOutput(); err != nil {
		t.Fatalf("remount: %s", out)
	}
	if _, err := syncSynthetic(t.Context(), s, g, 2000, at.Add(time.Hour)); err != nil {
		t.Fatalf("the next sync: %v", err)
	}
	if got, err := query(path, "SELECT count(*) FROM aws_test_row"); err != nil || got[0][0] != "2000" {
		t.Errorf("after the next sync the file has %v, %v", got, err)
	}
}
