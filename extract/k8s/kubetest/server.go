// Package kubetest runs real Kubernetes API servers, each with an etcd of its
// own, for tests and benchmarks. There are no nodes and no controllers: what
// is created stays as it is.
package kubetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// Version is that of the server that .ci/servers builds.
const Version = "v1.36.3"

// Options tune a server.
type Options struct {
	// Users are who may log in besides Admin; a user's token is the user's
	// name. They may do nothing until Grant says so.
	Users []string
	// Args are further flags of kube-apiserver.
	Args []string
}

// Admin is a user that may do everything, and that user's token.
const Admin = "admin"

// Server is an API server on a free port of 127.0.0.1 with its data in a
// temporary directory.
type Server struct {
	URL string // of the API
	CA  []byte // that signed its certificate, PEM
	Dir string

	etcdURL string
	etcd    *exec.Cmd
	api     *exec.Cmd
	client  *http.Client // of Admin
}

// Start starts a server and returns when it is ready, after some seconds.
func Start(o Options) (*Server, error) {
	bin, err := program()
	if err != nil {
		return nil, err
	}
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		return nil, errors.New("etcd is not installed: run make servers")
	}
	s := &Server{}
	if s.Dir, err = os.MkdirTemp("", "dewpoint-kubernetes-"); err != nil {
		return nil, err
	}
	if err := s.start(etcd, bin, o); err != nil {
		err = fmt.Errorf("%w\n%s", err, s.tail("kube-apiserver"))
		s.Stop()
		return nil, err
	}
	return s, nil
}

// program finds kube-apiserver in the repository's .cache.
func program() (string, error) {
	if p := os.Getenv("DEWPOINT_TEST_KUBE_APISERVER"); p != "" {
		return p, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		p := filepath.Join(dir, ".cache", "kube-apiserver-"+Version, "kube-apiserver")
		if _, err := os.Stat(p); err == nil {
			return p, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("kube-apiserver is not built: run make servers, or name it in DEWPOINT_TEST_KUBE_APISERVER")
		}
		dir = up
	}
}

func (s *Server) start(etcd, bin string, o Options) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	s.etcdURL = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peer := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	s.etcd, err = s.run("etcd", etcd,
		"--data-dir", filepath.Join(s.Dir, "etcd"), "--listen-client-urls", s.etcdURL, "--advertise-client-urls", s.etcdURL,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer,
		"--max-txn-ops", "5000", "--max-request-bytes", "67108864", "--snapshot-count", "1000000", "--log-level", "error", "--logger", "zap")
	if err != nil {
		return err
	}
	if err := s.secrets(o.Users); err != nil {
		return err
	}
	args := append([]string{
		"--etcd-servers", s.etcdURL, "--bind-address", "127.0.0.1", "--secure-port", fmt.Sprint(ports[2]),
		"--cert-dir", s.path("certs"), "--token-auth-file", s.path("tokens.csv"), "--authorization-mode", "RBAC",
		"--disable-admission-plugins", "ServiceAccount", "--service-account-issuer", "https://kubernetes.default.svc",
		"--service-account-signing-key-file", s.path("sa.key"), "--service-account-key-file", s.path("sa.key"),
		"--service-cluster-ip-range", "10.0.0.0/16", "--etcd-compaction-interval", "0", "--max-requests-inflight", "0",
		"--max-mutating-requests-inflight", "0", "--enable-priority-and-fairness=false",
	}, o.Args...)
	if s.api, err = s.run("kube-apiserver", bin, args...); err != nil {
		return err
	}
	s.URL = fmt.Sprintf("https://127.0.0.1:%d", ports[2])
	return s.ready()
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// run starts a program that ends with this process.
func (s *Server) run(name, path string, args ...string) (*exec.Cmd, error) {
	log, err := os.Create(s.path(name + ".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return cmd, nil
}

// secrets writes the tokens and the key that service accounts' are signed by.
func (s *Server) secrets(users []string) error {
	tokens := fmt.Sprintf("%s,%s,%s,\"system:masters\"\n", Admin, Admin, Admin)
	for _, u := range users {
		tokens += fmt.Sprintf("%s,%s,%s\n", u, u, u)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(s.path("tokens.csv"), []byte(tokens), 0o600),
		os.WriteFile(s.path("sa.key"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600),
	)
}

// ready waits until the server answers, and its first objects exist.
func (s *Server) ready() error {
	ended := make(chan error, 1)
	go func() { ended <- s.api.Wait() }()
	deadline := time.Now().Add(90 * time.Second)
	for {
		err := s.probe()
		if err == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("kube-apiserver ended: %w", err)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kube-apiserver is not ready: %w", err)
		}
	}
}

// probe asks the server whether it is ready. The certificate may be written
// at this moment, so that it is read for every try.
func (s *Server) probe() (err error) {
	if s.CA, err = os.ReadFile(s.path("certs/apiserver.crt")); err != nil {
		return err
	}
	if s.client, err = rest.HTTPClientFor(s.Config(Admin)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, path := range []string{"/readyz", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/default"} {
		if _, err := s.Do(ctx, http.MethodGet, path, nil); err != nil {
			s.client.CloseIdleConnections()
			return err
		}
	}
	return nil
}

// Config is how a user reaches the server.
func (s *Server) Config(user string) *rest.Config {
	return &rest.Config{Host: s.URL, BearerToken: user, TLSClientConfig: rest.TLSClientConfig{CAData: s.CA}, QPS: -1}
}

// Stop ends the server and removes its directory.
func (s *Server) Stop() {
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	for _, cmd := range []*exec.Cmd{s.api, s.etcd} {
		if cmd != nil {
			_ = cmd.Process.Kill()
			_, _ = cmd.Process.Wait() // or ready has
		}
	}
	_ = os.RemoveAll(s.Dir)
}

// tail is the end of a program's log.
func (s *Server) tail(name string) []byte {
	b, _ := os.ReadFile(s.path(name + ".log"))
	lines := bytes.Split(b, []byte("\n"))
	return bytes.Join(lines[max(0, len(lines)-20):], []byte("\n"))
}

func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// Kubeconfig writes a kubeconfig file with a context for each user, named
// after the user; the first is the current one.
func (s *Server) Kubeconfig(path string, users ...string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: Config\ncurrent-context: %s\nclusters:\n- name: test\n  cluster:\n    server: %s\n    certificate-authority: %s\nusers:\n", users[0], s.URL, s.path("certs/apiserver.crt"))
	for _, u := range users {
		fmt.Fprintf(&b, "- name: %s\n  user: {token: %s}\n", u, u)
	}
	b.WriteString("contexts:\n")
	for _, u := range users {
		fmt.Fprintf(&b, "- name: %s\n  context: {cluster: test, user: %s}\n", u, u)
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
}
