package program_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/goleak"

	"github.com/dewpoint-data/dewpoint/react/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func read(t *testing.T, text string) *program.Program {
	t.Helper()
	var p program.Program
	if err := yaml.UnmarshalWithOptions([]byte(text), &p, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	return &p
}

func shell(script string) *program.Program {
	return &program.Program{Command: []string{"sh", "-c", script}}
}

func TestInputOutputAndEnvironment(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := read(t, `{command: [sh, -c, "cat; echo key=$DEWPOINT_KEY token=$TOKEN aws=$AWS_SECRET_ACCESS_KEY >&2; pwd"], dir: /, env: {TOKEN: "file:`+file+`"}}`)
	var got []string
	err := p.Run(t.Context(), map[string]any{"rows": []string{"a\nb"}}, map[string]string{"DEWPOINT_KEY": "k"}, func(s string) { got = append(got, s) })
	if want := []string{`{"rows":["a\nb"]}`, "key=k token=s3cret aws=", "/"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFailures(t *testing.T) {
	nothing := func(string) {}
	for _, c := range []struct {
		p    *program.Program
		want string
	}{
		{shell("exit 7"), "sh: exit status 7"},
		{shell("kill -SEGV $$"), "sh: signal: segmentation fault"},
		{&program.Program{Command: []string{"/none/such"}}, "no such file"},
		{read(t, "{command: [sh], env: {A: 'file:/none/such'}}"), "env: A: read the secret in /none/such"},
	} {
		if err := c.p.Run(t.Context(), nil, nil, nothing); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.p.Command, err)
		}
	}
	for _, text := range []string{"{}", "{command: ['']}", "{command: [a], env: {'A=B': c}}"} {
		if read(t, text).Validate() == nil {
			t.Errorf("%s is valid", text)
		}
	}
	// Input that nobody reads is no failure.
	if err := shell("exit 0").Run(t.Context(), strings.Repeat("x", 1<<20), nil, nothing); err != nil {
		t.Error(err)
	}
}

// TestWholeGroupEnds holds that nobody survives the program: what it started
// ends with it, whether it ends itself, is stopped, or does not listen.
func TestWholeGroupEnds(t *testing.T) {
	for _, c := range []struct {
		name, script string
		stop         bool
	}{
		{"by itself", `sleep 1000 & echo $!; exit 0`, false},
		{"stopped", `sleep 1000 & echo $!; echo ready; wait`, true},
		{"deaf children", `sh -c 'trap "" TERM; echo $$; echo ready; while :; do sleep 0.1; done' & wait`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			pid := 0
			err := shell(c.script).Run(ctx, nil, nil, func(s string) {
				if n, err := strconv.Atoi(s); err == nil {
					pid = n
				}
				if s == "ready" {
					cancel(errors.New("time is up"))
				}
			})
			if c.stop != (err != nil) || err != nil && !strings.Contains(err.Error(), "was stopped: time is up") {
				t.Error(err)
			}
			if pid == 0 {
				t.Fatal("it said no process")
			}
			// What is killed may stay a zombie until its parent asks.
			for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
				stat, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
				if syscall.Kill(pid, 0) != nil || strings.Contains(string(stat), ") Z ") {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("process %d lives", pid)
				}
			}
		})
	}
}

func TestOutputIsBounded(t *testing.T) {
	var got []string
	if err := shell(`head -c 100000 /dev/zero | tr '\0' x; echo; seq 3000`).Run(t.Context(), nil, nil, func(s string) { got = append(got, s) }); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1001 || len(got[0]) != 4096 || got[1] != "1" || got[1000] != "and more lines, which are left out" {
		t.Errorf("%d lines, the first of %d letters, then %q, the last %q", len(got), len(got[0]), got[1], got[len(got)-1])
	}
}
