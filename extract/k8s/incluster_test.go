package k8s_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/schema"
)

// pod makes a folder as a pod has it, with the token and the certificates of
// the server at a URL.
func pod(t *testing.T, at, token string, authority []byte) k8s.Options {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", u.Hostname())
	t.Setenv("KUBERNETES_SERVICE_PORT", u.Port())
	dir := t.TempDir()
	for name, content := range map[string]string{"token": token, "ca.crt": string(authority)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return k8s.Options{InCluster: true, ServiceAccountDir: dir, StateDir: "-", SpoolDir: t.TempDir()}
}

// serviceAccountToken asks the server for a token of a service account.
func serviceAccountToken(t *testing.T, namespace, name string) string {
	t.Helper()
	b, err := server.Do(t.Context(), http.MethodPost, "/api/v1/namespaces/"+namespace+"/serviceaccounts/"+name+"/token", []byte(`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}}`))
	if err != nil {
		t.Fatal(err)
	}
	var r struct{ Status struct{ Token string } }
	if err := json.Unmarshal(b, &r); err != nil || r.Status.Token == "" {
		t.Fatalf("%v: %s", err, b)
	}
	return r.Status.Token
}

// TestInCluster reads the cluster as the service account of a pod.
func TestInCluster(t *testing.T) {
	ns := namespaceOf(t, "inside")
	create(t, ns+"/serviceaccounts", `{"metadata":{"name":"dewpoint"}}`)
	if err := server.Grant(t.Context(), "system:serviceaccount:inside:dewpoint", "", "namespaces", "configmaps"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		create(t, ns+"/configmaps", `{"metadata":{"name":"`+name+`"}}`)
	}
	t.Run("token", func(t *testing.T) {
		o := pod(t, server.URL, serviceAccountToken(t, "inside", "dewpoint")+"\n", server.CA)
		out := collect(t, open(t, o, nil, "kubernetes_namespace", "kubernetes_service", "kubernetes_cluster"))
		if out.state("kubernetes_namespace", "global") != schema.Complete || out.state("kubernetes_service", "global") != schema.Denied {
			t.Errorf("%v", out.scopes)
		}
		if r := out.row(t, "kubernetes_cluster", "in-cluster"); r["uid_from"] != "kube-system" || r["endpoint"] != server.URL+"/" && r["endpoint"] != server.URL {
			t.Errorf("%v", r)
		}
	})
	// The kubelet writes a new token while a list is read, and the server does
	// not take the old one any more.
	t.Run("renewed", func(t *testing.T) {
		old, renewed := serviceAccountToken(t, "inside", "dewpoint"), serviceAccountToken(t, "inside", "dewpoint")
		var o k8s.Options
		pages, refused := 0, 0
		f := secureRelay(t, func(r *http.Request) {
			if strings.Contains(r.URL.RawQuery, "continue=") && strings.Contains(r.URL.Path, "configmaps") {
				if pages++; pages == 1 {
					if err := os.WriteFile(filepath.Join(o.ServiceAccountDir, "token"), []byte(renewed), 0o600); err != nil {
						t.Error(err)
					}
				}
			}
			if pages > 0 && r.Header.Get("Authorization") == "Bearer "+old {
				refused++
				r.Header.Set("Authorization", "Bearer "+old+"x")
			}
		})
		o = pod(t, f.URL, old, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw}))
		o.PageItems, o.Namespaces = 1, []string{"inside"}
		out := collect(t, open(t, o, nil, "kubernetes_config_map"))
		if got := names(out.rows["kubernetes_config_map"]); out.state("kubernetes_config_map", "inside") != schema.Complete || got["a"] != 1 || got["b"] != 1 || got["c"] != 1 {
			t.Errorf("%v %v", out.scopes, got)
		}
		if refused != 1 {
			t.Errorf("the old token was sent %d times after it had ended", refused)
		}
	})
	t.Run("no kubeconfig", func(t *testing.T) {
		o := pod(t, server.URL, serviceAccountToken(t, "inside", "dewpoint"), server.CA)
		t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
		o.InCluster = false
		if cs, err := openClusters(t, o); err != nil || cs.List()[0].Name != "in-cluster" {
			t.Errorf("%v", err)
		}
	})
}

// TestNeitherKubeconfigNorCluster says what is missing and what to do.
func TestNeitherKubeconfigNorCluster(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	missing := filepath.Join(t.TempDir(), "none")
	t.Setenv("KUBECONFIG", missing)
	check := func(o k8s.Options, want ...string) {
		t.Helper()
		o.StateDir = "-"
		_, err := openClusters(t, o)
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%v: not %s", err, w)
			}
		}
	}
	check(k8s.Options{}, missing, "does not run in a cluster", "kubernetes.kubeconfig")
	check(k8s.Options{InCluster: true}, "in_cluster", "KUBERNETES_SERVICE_HOST")
	check(k8s.Options{Inline: "apiVersion: v1\nkind: Config\ncontexts:\n- name: a\n  context: {cluster: a}\n"}, "has no current context", `"a"`)
	o := pod(t, server.URL, "", server.CA)
	check(o, "in_cluster", "is empty")
	if err := os.Remove(filepath.Join(o.ServiceAccountDir, "token")); err != nil {
		t.Fatal(err)
	}
	check(o, "no service account", "automountServiceAccountToken")
	o = pod(t, server.URL, "t", []byte("not a certificate"))
	check(o, "the cluster's certificates")
}

// secureRelay stands before the shared server with TLS. The function may
// change a request.
func secureRelay(t *testing.T, change func(r *http.Request)) *httptest.Server {
	t.Helper()
	to, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	transport, err := rest.TransportFor(server.Config(""))
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = transport
	var mu sync.Mutex
	f := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		change(r)
		mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}
