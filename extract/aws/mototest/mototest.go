// Package mototest runs moto, an emulator of AWS that can be changed, for
// tests.
package mototest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// version is that of .ci/servers.
const version = "5.2.3"

// Bin is the folder of moto's programs, Python among them.
func Bin() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", "..", ".cache", "moto-"+version, "bin")
}

// Start runs the emulator and returns its URL and what ends it.
func Start() (url string, stop func(), err error) {
	bin := filepath.Join(Bin(), "moto_server")
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
