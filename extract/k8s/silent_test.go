package k8s_test

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/schema"
)

// swallow is the address of a server that takes what it is sent and says
// nothing, and how many connections it has taken.
func swallow(t *testing.T) (string, *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	taken := new(atomic.Int32)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken.Add(1)
			go func() {
				defer c.Close()
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return l.Addr().String(), taken
}

// full is the address of a socket whose queue of connections is full: the
// kernel drops the packets of further ones.
func full(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	for range 8 {
		c, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue does not fill")
	return ""
}

// TestSilentCluster opens a cluster behind a network that drops packets. It is
// not waited for longer than is said, and is unreachable; the other is read.
func TestSilentCluster(t *testing.T) {
	swallows, taken := swallow(t)
	for name, address := range map[string]string{"swallows": swallows, "drops": full(t)} {
		text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- name: up\n  cluster: {server: %q, certificate-authority: %q}\n- name: silent\n  cluster: {server: 'https://%s'}\nusers:\n- name: u\n  user: {token: admin}\ncontexts:\n- name: up\n  context: {cluster: up, user: u}\n- name: silent\n  context: {cluster: silent, user: u}\n",
			server.URL, filepath.Join(server.Dir, "certs/apiserver.crt"), address)
		o := k8s.Options{Inline: text, Contexts: []string{"*"}, StateDir: "-", ClusterID: map[string]string{"silent": "the-other"}, ConnectTimeout: 500 * time.Millisecond}
		begun := time.Now()
		s := open(t, o, nil, "kubernetes_namespace")
		// client-go waits for a connection for half a minute.
		if d := time.Since(begun); d > 20*o.ConnectTimeout {
			t.Errorf("%s: opened after %s", name, d)
		}
		out := collect(t, s)
		if out.state("kubernetes_namespace", "global") != schema.Complete {
			t.Errorf("%s: %v", name, out.scopes)
		}
		if len(out.failures) != 1 || out.failures[0].State != schema.Unreachable || out.failures[0].Scope.Account != "the-other" || !strings.Contains(out.failures[0].Error, "nothing answers") {
			t.Errorf("%s: %+v", name, out.failures)
		}
	}
	if n := taken.Load(); n != 1 {
		t.Errorf("the silent server was tried %d times", n)
	}
	if _, err := openClusters(t, k8s.Options{ConnectTimeout: -1}); err == nil || !strings.Contains(err.Error(), "connect_timeout") {
		t.Errorf("%v", err)
	}
}
