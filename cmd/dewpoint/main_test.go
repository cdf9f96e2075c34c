package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dewpoint-data/dewpoint/extract/aws/awsfake"
	"github.com/dewpoint-data/dewpoint/extract/gcp/gcpfake"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/sinks/postgres/postgrestest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMain runs more tests at once than there are cores: what they do most of
// the time is to wait, for processes, servers and daemons.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	testscript.Main(m, map[string]func(){"dewpoint": func() { os.Exit(run(os.Args[1:])) }})
}

// TestScripts runs the command lines in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "aws": awsCommand, "waitfor": waitFor, "postgres": postgresCommand, "moto": motoCommand, "hour": hourCommand, "page": pageCommand, "google": googleCommand, "kube": kubeCommand, "receiver": receiverCommand, "probe": probeCommand, "port": portCommand},
		Setup: offline, Condition: condition,
	})
}

// offline leaves a script without credentials and without a network to get
// them from.
func offline(e *testscript.Env) error {
	e.Setenv("AWS_CONFIG_FILE", e.WorkDir+"/aws-config")
	e.Setenv("AWS_SHARED_CREDENTIALS_FILE", e.WorkDir+"/aws-credentials")
	e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	e.Setenv("HOME", e.WorkDir)
	e.Setenv("NO_COLOR", "1")
	e.Values[serverKey{}] = new(*awsfake.Server)
	e.Values[motoKey{}] = new(sync.Map)
	e.Values[kubeKey{}] = new(*kubetest.Server)
	e.Values[googleKey{}] = new(*gcpfake.Server)
	e.Values[receiverKey{}] = new(*receiver)
	e.Values[postgresKey{}] = new(*postgrestest.Server)
	return nil
}

func TestSuggest(t *testing.T) {
	commands := []string{"sync", "query", "kinds", "doctor", "init"}
	for word, want := range map[string]string{
		"snyc": "sync", "syncs": "sync", "qery": "query", "kind": "kinds", "doc": "doctor", "frobnicate": "", "Init": "init",
	} {
		if got := nearest(word, commands); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestYAMLString(t *testing.T) {
	for in, want := range map[string]string{
		"production": "production", "a-b_c.d/e": "a-b_c.d/e", "": `""`, "12": `"12"`, "us-*": `"us-*"`, `a"b\`: `"a\"b\\"`,
		"with space": `"with space"`, "- x": `"- x"`,
	} {
		if got := yamlString(in); got != want {
			t.Errorf("yamlString(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{"duckdb:a.db": "duckdb:a.db", "duckdb:my file": "'duckdb:my file'", "it's": `'it'\''s'`} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
	if !strings.HasPrefix(shellQuote("$HOME"), "'") {
		t.Error("a variable is not quoted")
	}
}

// exits runs a program that must end with an exit code: exits 2 dewpoint sync.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	got := "0"
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = strconv.Itoa(exit.ExitCode())
	} else if err != nil {
		got = err.Error()
	}
	if got != args[0] {
		ts.Fatalf("%s: exit code %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}
