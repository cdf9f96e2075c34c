package k8s_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
)

// front stands before a server and may answer in its place.
type front struct{ url string }

// relay starts a front of the shared server. The handler is called for one
// request at a time; pass lets the server answer.
func relay(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, pass func())) front {
	t.Helper()
	return relayOf(t, server, handle)
}

func relayOf(t *testing.T, s *kubetest.Server, handle func(w http.ResponseWriter, r *http.Request, pass func())) front {
	t.Helper()
	to, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(s.Config(kubetest.Admin))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = transport
	var mu sync.Mutex
	f := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		handle(w, r, func() { proxy.ServeHTTP(w, r) })
	}))
	t.Cleanup(f.Close)
	return front{f.URL}
}

// config is the path of a kubeconfig of the front.
func (f front) config(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: front\nclusters:\n- name: front\n  cluster: {server: %q}\nusers:\n- name: u\n  user: {token: admin}\ncontexts:\n- name: front\n  context: {cluster: front, user: u}\n", f.url)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
