// Package snowflaketest runs fakesnow, an emulator of Snowflake, for tests.
package snowflaketest

import (
	"bytes"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

//go:embed serve.py
var serve string

// version is that of the emulator in .cache, which make servers installs.
const version = "0.12.1"

// Server is a running emulator. It keeps its databases in memory.
type Server struct {
	// Address is host:port.
	Address string
	cmd     *exec.Cmd
	out     bytes.Buffer
	schemas atomic.Int64
}

// Start starts an emulator on a free port of 127.0.0.1. The caller stops it.
func Start() (*Server, error) {
	python, err := find()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Address: l.Addr().String()}
	l.Close()
	_, port, _ := net.SplitHostPort(s.Address)
	s.cmd = exec.Command(python, "-", port)
	s.cmd.Stdin = strings.NewReader(serve)
	s.cmd.Stdout, s.cmd.Stderr = &s.out, &s.out
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan error, 1)
	go func() { exited <- s.cmd.Wait() }()
	for deadline := time.Now().Add(time.Minute); ; {
		if c, err := net.DialTimeout("tcp", s.Address, time.Second); err == nil {
			return s, c.Close()
		}
		select {
		case err := <-exited:
			return nil, fmt.Errorf("fakesnow ended: %v: %s", err, s.out.String())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Stop()
			return nil, fmt.Errorf("fakesnow does not answer on %s", s.Address)
		}
	}
}

// Stop ends the emulator and what it holds.
func (s *Server) Stop() { _ = s.cmd.Process.Kill() }

// URL names a schema of the emulator, which it creates when a client logs in.
func (s *Server) URL(schema string) string {
	return "snowflake://dewpoint:secret@" + s.Address + "/ESTATE/" + schema + "?account=test&protocol=http&maxRetryCount=1"
}

// NewSchema returns the URL of a schema that nobody else uses.
func (s *Server) NewSchema() string { return s.URL(fmt.Sprintf("S%d", s.schemas.Add(1))) }

// find returns the emulator's Python.
func find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for root := dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			python := filepath.Join(root, ".cache", "fakesnow-"+version, "bin", "python")
			if _, err := os.Stat(python); err != nil {
				return "", fmt.Errorf("the emulator of Snowflake is not installed (%s): run make servers", python)
			}
			return python, nil
		}
		if root == filepath.Dir(root) {
			return "", fmt.Errorf("no go.mod above %s", dir)
		}
	}
}
