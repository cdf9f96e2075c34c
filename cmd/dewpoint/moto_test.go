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
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	if _, err := os.Stat(filepath.Join(bin, "moto_server")); err != nil {
		ts.Fatalf("%v: make servers installs it", err)
	}
	cmd := exec.Command(filepath.Join(bin, "moto_server"), "-H", "127.0.0.1", "-p", fmt.Sprint(address.Port))
	ts.Check(cmd.Start())
	ts.Defer(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address.String())
		if err == nil {
			c.Close()
			break
		}
		if ctx.Err() != nil {
			ts.Fatalf("moto does not answer: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	ts.Setenv("AWS_ENDPOINT_URL", "http://"+address.String())
	ts.Setenv("AWS_ACCESS_KEY_ID", "key")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	ts.Setenv("AWS_REGION", "eu-west-1")
	ts.Setenv("AWS_DEFAULT_REGION", "eu-west-1")
}
