package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// motoVersion is that of .ci/servers.
const motoVersion = "5.2.3"

// motoCommand runs an emulator of AWS that can be changed, with credentials of
// a user, or a program of Python against it: moto start, moto run FILE.
func motoCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) == 1 != (args[0] == "start") {
		ts.Fatalf("usage: moto start, moto run FILE")
	}
	repo, err := filepath.Abs("../..")
	ts.Check(err)
	bin := filepath.Join(repo, ".cache", "moto-"+motoVersion, "bin")
	if args[0] == "run" {
		ts.Check(ts.Exec(filepath.Join(bin, "python"), ts.MkAbs(args[1])))
		return
	}
	address, stop, err := startMoto()
	ts.Check(err)
	ts.Defer(stop)
	ts.Setenv("AWS_ENDPOINT_URL", address)
	ts.Setenv("AWS_ACCESS_KEY_ID", "key")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	ts.Setenv("AWS_REGION", "eu-west-1")
	ts.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
}

// startMoto runs an emulator of AWS and returns its URL and what ends it.
func startMoto() (address string, stop func(), err error) {
	bin, err := filepath.Abs(filepath.Join("..", "..", ".cache", "moto-"+motoVersion, "bin", "moto_server"))
	if err != nil {
		return "", nil, err
	}
	if _, err := os.Stat(bin); err != nil {
		return "", nil, fmt.Errorf("%w: make servers installs it", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	at := listener.Addr().(*net.TCPAddr)
	listener.Close()
	cmd := exec.Command(bin, "-H", "127.0.0.1", "-p", fmt.Sprint(at.Port))
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", at.String())
		if err == nil {
			c.Close()
			return "http://" + at.String(), stop, nil
		}
		if ctx.Err() != nil {
			stop()
			return "", nil, fmt.Errorf("moto does not answer: %w", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
