package k8s_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	k8scatalog "github.com/dewpoint-data/dewpoint/extract/k8s/catalog"
	"github.com/dewpoint-data/dewpoint/extract/k8s/kubetest"
	"github.com/dewpoint-data/dewpoint/schema"
)

func TestContextsByGlob(t *testing.T) {
	path := kubeconfig(t, server, "admin", "lister", "nobody")
	for _, c := range []struct {
		globs []string
		want  string // contexts, or a part of the error
	}{
		{nil, "admin"},
		{[]string{"l*"}, "no context"}, // not granted anything: tried below
		{[]string{"prod-*"}, `no context "prod-*" in the kubeconfig; it has ["admin" "lister" "nobody"]`},
		{[]string{"["}, "malformed"},
		{[]string{"adm*", "admin"}, "admin"},
	} {
		o := k8s.Options{Kubeconfig: path, Contexts: c.globs, StateDir: "-"}
		cs, err := openClusters(t, o)
		switch {
		case err != nil && len(c.globs) == 1 && c.globs[0] == "l*":
			if !strings.Contains(err.Error(), "cluster_id for context lister") {
				t.Errorf("%q: %v", c.globs, err)
			}
		case err != nil:
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v, not %s", c.globs, err, c.want)
			}
		default:
			var names []string
			for _, cl := range cs.List() {
				names = append(names, cl.Name)
			}
			if strings.Join(names, " ") != c.want {
				t.Errorf("%q: %q", c.globs, names)
			}
		}
	}
}

func TestInlineKubeconfig(t *testing.T) {
	text, err := os.ReadFile(kubeconfig(t, server, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	cs, err := openClusters(t, k8s.Options{Inline: string(text), StateDir: "-"})
	if err != nil || cs.List()[0].Version != kubetest.Version {
		t.Errorf("%v", err)
	}
	if _, err := openClusters(t, k8s.Options{Inline: "kind: [", StateDir: "-"}); err == nil || !strings.Contains(err.Error(), "inline kubeconfig") {
		t.Errorf("%v", err)
	}
	if _, err := openClusters(t, k8s.Options{Kubeconfig: "/nowhere", StateDir: "-"}); err == nil || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("%v", err)
	}
}

func execConfig(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	plugin := filepath.Join(dir, "plugin")
	if err := os.WriteFile(plugin, []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: x\nclusters:\n- name: arn:aws:eks:eu-west-1:123456789012:cluster/shop\n  cluster: {server: %q, certificate-authority: %q}\nusers:\n- name: u\n  user:\n    exec: {apiVersion: client.authentication.k8s.io/v1, command: %q, interactiveMode: IfAvailable}\ncontexts:\n- name: x\n  context: {cluster: %q, user: u}\n",
		server.URL, filepath.Join(server.Dir, "certs/apiserver.crt"), plugin, "arn:aws:eks:eu-west-1:123456789012:cluster/shop")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExecPlugin(t *testing.T) {
	// It would wait for an answer on its standard input.
	path := execConfig(t, `read answer && exit 1
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"admin"}}'`)
	out := collect(t, open(t, k8s.Options{Kubeconfig: path, StateDir: "-"}, nil, "kubernetes_cluster"))
	if r := out.row(t, "kubernetes_cluster", "x"); r["provider"] != "eks" || !out.hasEdge("kubernetes_cluster", "runs_on aws_eks_cluster arn:aws:eks:eu-west-1:123456789012:cluster/shop") {
		t.Errorf("%v %v", r, out.edges)
	}
	begun := time.Now()
	_, err := openClusters(t, k8s.Options{Kubeconfig: execConfig(t, "sleep 60"), StateDir: "-", ExecTimeout: 300 * time.Millisecond})
	if err == nil || time.Since(begun) > 20*time.Second {
		t.Errorf("a plugin that hangs: %v after %s", err, time.Since(begun))
	}
}

// TestClusterIDWithoutKubeSystem opens the cluster as somebody who may list
// pods and may not read the namespace kube-system.
func TestClusterIDWithoutKubeSystem(t *testing.T) {
	if err := server.Grant(t.Context(), "nosystem", "", "pods"); err != nil {
		t.Fatal(err)
	}
	o := options(t, "nosystem")
	if _, err := openClusters(t, o); err == nil || !strings.Contains(err.Error(), "say cluster_id for context nosystem") {
		t.Errorf("%v", err)
	}
	o.ClusterID = map[string]string{"no*": "staging"}
	out := collect(t, open(t, o, nil, "kubernetes_cluster", "kubernetes_pod"))
	if r := out.row(t, "kubernetes_cluster", "nosystem"); r["account"] != "staging" || r["uid_from"] != "cluster_id" {
		t.Errorf("%v", r)
	}
	// Whoever has been there before knows the cluster again by its address and
	// its authority.
	o.ClusterID = nil
	seen := options(t, "admin")
	seen.StateDir = o.StateDir
	cs, err := openClusters(t, seen)
	if err != nil {
		t.Fatal(err)
	}
	out = collect(t, open(t, o, nil, "kubernetes_cluster"))
	if r := out.row(t, "kubernetes_cluster", "nosystem"); r["account"] != cs.List()[0].ID || r["uid_from"] != "last seen" {
		t.Errorf("%v", r)
	}
	if !out.hasProblem("cluster_id", "the one last seen at") {
		t.Errorf("%v", out.problems)
	}
	for _, bad := range []map[string]string{{"[": "x"}, {"x": "a/b"}, {"x": ""}} {
		if _, err := openClusters(t, k8s.Options{ClusterID: bad}); err == nil || !strings.Contains(err.Error(), "cluster_id") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestOneClusterFails reads one cluster although another is down.
func TestOneClusterFails(t *testing.T) {
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters:\n- name: up\n  cluster: {server: %q, certificate-authority: %q}\n- name: down\n  cluster: {server: 'https://127.0.0.1:1'}\nusers:\n- name: u\n  user: {token: admin}\ncontexts:\n- name: up\n  context: {cluster: up, user: u}\n- name: again\n  context: {cluster: up, user: u}\n- name: down\n  context: {cluster: down, user: u}\n- name: broken\n  context: {cluster: none, user: u}\n",
		server.URL, filepath.Join(server.Dir, "certs/apiserver.crt"))
	out := collect(t, open(t, k8s.Options{Inline: text, Contexts: []string{"*"}, StateDir: "-", ClusterID: map[string]string{"down": "the-other"}}, nil, "kubernetes_namespace"))
	if out.state("kubernetes_namespace", "global") != schema.Complete || len(out.rows["kubernetes_namespace"]) == 0 {
		t.Errorf("%v", out.scopes)
	}
	if !out.hasProblem("duplicate", "are the same cluster") {
		t.Errorf("%v", out.problems)
	}
	failed := out.failures
	if !slices.ContainsFunc(failed, func(r schema.ScopeResult) bool {
		return r.Scope.Account == "the-other" && r.State != schema.Complete && strings.Contains(r.Error, "down")
	}) ||
		!slices.ContainsFunc(failed, func(r schema.ScopeResult) bool { return strings.Contains(r.Error, "broken") }) {
		t.Errorf("%+v", failed)
	}
	if _, err := openClusters(t, k8s.Options{Inline: text, Contexts: []string{"down", "broken"}, StateDir: "-"}); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("no cluster can be entered: %v", err)
	}
}

// TestDeniedKindsAndNamespaces lists what is granted, and says what is not.
func TestDeniedKindsAndNamespaces(t *testing.T) {
	mine, other := namespaceOf(t, "mine"), namespaceOf(t, "other")
	for _, ns := range []string{mine, other} {
		create(t, ns+"/configmaps", `{"metadata":{"name":"only"}}`)
	}
	for _, g := range []struct{ namespace, resource string }{{"", "services"}, {"", "namespaces"}, {"mine", "configmaps"}} {
		if err := server.Grant(t.Context(), "namespaced", g.namespace, g.resource); err != nil {
			t.Fatal(err)
		}
	}
	out := collect(t, open(t, options(t, "namespaced"), nil, "kubernetes_service", "kubernetes_config_map", "kubernetes_pod", "kubernetes_node"))
	for key, want := range map[string]schema.State{
		"kubernetes_service in global": schema.Complete, "kubernetes_config_map in global": schema.Denied, "kubernetes_config_map in mine": schema.Complete,
		"kubernetes_config_map in other": "", "kubernetes_pod in global": schema.Denied, "kubernetes_node in global": schema.Denied,
	} {
		if got := out.scopes[key].State; got != want {
			t.Errorf("%s: %q, not %q: %s", key, got, want, out.scopes[key].Error)
		}
	}
	if r := out.row(t, "kubernetes_config_map", "only"); r["region"] != "mine" || !strings.HasSuffix(fmt.Sprint(r["_scope"]), "/mine") {
		t.Errorf("%v", r)
	}
	if e := out.scopes["kubernetes_node in global"]; e.Code != "Forbidden" || !strings.Contains(e.Error, "nodes") {
		t.Errorf("%+v", e)
	}
	o := options(t, "namespaced")
	o.Namespaces = []string{"mine", "other"}
	out = collect(t, open(t, o, nil, "kubernetes_service", "kubernetes_config_map"))
	for key, want := range map[string]schema.State{
		"kubernetes_config_map in mine": schema.Complete, "kubernetes_config_map in other": schema.Denied, "kubernetes_config_map in global": "",
		"kubernetes_service in mine": schema.Complete, "kubernetes_service in global": "",
	} {
		if got := out.scopes[key].State; got != want {
			t.Errorf("with namespaces: %s: %q, not %q", key, got, want)
		}
	}
}

// TestThePrintedRoleSuffices reads everything by the role that is printed for
// it.
func TestThePrintedRoleSuffices(t *testing.T) {
	cs, err := openClusters(t, options(t, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	_, entries := entriesOf(t, cs)
	role, err := k8scatalog.ClusterRole("printed", entries)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/apis/rbac.authorization.k8s.io/v1/clusterroles", strings.NewReader(string(role)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/yaml")
	if b, err := server.Send(req); err != nil {
		t.Fatalf("%v\n%s\n%s", err, b, role)
	}
	create(t, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", `{"metadata":{"name":"printed"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"printed"},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":"nobody"}]}`)
	var out *table
	eventually(t, func() bool {
		cs, err := k8s.Open(t.Context(), options(t, "nobody"))
		if err != nil {
			return false
		}
		cs.Close()
		return true
	})
	out = collect(t, open(t, options(t, "nobody"), nil))
	for key, r := range out.scopes {
		if r.State != schema.Complete {
			t.Errorf("%s: %s: %s", key, r.State, r.Error)
		}
	}
	out = collect(t, open(t, options(t, "nobody"), nil, "kubernetes_secret"))
	if out.state("kubernetes_secret", "global") != schema.Denied {
		t.Error("the role lists secrets")
	}
}

// TestStaleGroup reads what there is although an aggregated API is down.
func TestStaleGroup(t *testing.T) {
	s, err := kubetest.Start(kubetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if err := s.Create(t.Context(), "/apis/apiregistration.k8s.io/v1/apiservices", `{"metadata":{"name":"v1.down.example.com"},"spec":{"group":"down.example.com","version":"v1",
		"groupPriorityMinimum":100,"versionPriority":100,"insecureSkipTLSVerify":true,"service":{"name":"none","namespace":"default"}}}`); err != nil {
		t.Fatal(err)
	}
	former := k8s.FormerScope{Kind: &schema.Kind{Name: "kubernetes_down_example_com_thing", Service: "down.example.com", Cloud: "kubernetes"}}
	o := k8s.Options{Kubeconfig: kubeconfig(t, s, "admin"), StateDir: "-"}
	var out *table
	eventually(t, func() bool {
		source := open(t, o, func(c *k8s.SourceConfig) {
			former.Scope = schema.Scope{Cloud: "kubernetes", Account: c.Clusters.List()[0].ID, Region: "global", Kind: former.Kind.Name}
			c.Former = []k8s.FormerScope{former}
		})
		out = collect(t, source)
		return out.state("kubernetes_down_example_com_*", "global") != ""
	})
	if r := out.scopes["kubernetes_down_example_com_* in global"]; r.State != schema.Unreachable || r.Code != "Stale" {
		t.Errorf("%+v", r)
	}
	if out.state("kubernetes_down_example_com_thing", "global") != "" {
		t.Error("a kind of a group that is down ends")
	}
	if out.state("kubernetes_namespace", "global") != schema.Complete || !out.hasProblem("discovery", "down.example.com") {
		t.Errorf("%v", out.problems)
	}
}

// TestUnionOfClusters reads a resource that two clusters have in two versions
// into one table.
func TestUnionOfClusters(t *testing.T) {
	s, err := kubetest.Start(kubetest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	const group = "union.example.com"
	defineOn(t, server, definition(group, "Thing", "things", "["+version("v1", true, `"spec":{"type":"object","properties":{"a":{"type":"string"},"n":{"type":"integer"},"any":{"type":"string"}}}`)+"]", ""))
	defineOn(t, s, definition(group, "Thing", "things", "["+version("v2", true, `"spec":{"type":"object","properties":{"b":{"type":"boolean"},"n":{"type":"string"},"any":{"x-kubernetes-int-or-string":true}}}`)+"]", ""))
	create(t, "/apis/"+group+"/v1/namespaces/default/things", `{"apiVersion":"`+group+`/v1","kind":"Thing","metadata":{"name":"one"},"spec":{"a":"x","n":7,"any":"t"}}`)
	if err := s.Create(t.Context(), "/apis/"+group+"/v2/namespaces/default/things", `{"apiVersion":"`+group+`/v2","kind":"Thing","metadata":{"name":"two"},"spec":{"b":true,"n":"seven","any":5}}`); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nusers:\n- name: u\n  user: {token: admin}\nclusters:\n- name: a\n  cluster: {server: %q, certificate-authority: %q}\n- name: b\n  cluster: {server: %q, certificate-authority: %q}\ncontexts:\n- name: a\n  context: {cluster: a, user: u}\n- name: b\n  context: {cluster: b, user: u}\n",
		server.URL, filepath.Join(server.Dir, "certs/apiserver.crt"), s.URL, filepath.Join(s.Dir, "certs/apiserver.crt"))
	const kind = "kubernetes_union_example_com_thing"
	source := open(t, k8s.Options{Inline: text, Contexts: []string{"*"}, StateDir: "-"}, nil, kind)
	out := newTable()
	out.accounts = true
	run(t, source, out)
	one, two := out.row(t, kind, "one"), out.row(t, kind, "two")
	if one["spec_a"] != "x" || two["spec_a"] != nil || two["spec_b"] != true || one["spec_any"] != `"t"` || two["spec_any"] != "5" {
		t.Errorf("%v\n%v", one, two)
	}
	// Whose type it is depends on the clusters' ids; the other's value is a
	// problem where it does not fit.
	if !out.hasProblem("type", "spec.n has another type here") {
		t.Errorf("%v", out.problems)
	}
	if one["spec_n"] != 7.0 && one["spec_n"] != "7" {
		t.Errorf("%v", one)
	}
	if two["spec_n"] != "seven" && !(two["spec_n"] == nil && slices.ContainsFunc(out.problems, func(p schema.Problem) bool { return p.Column == "spec_n" && p.Sample == "seven" })) {
		t.Errorf("%v %v", two, out.problems)
	}
	if out.state(kind+" "+fmt.Sprint(one["account"]), "global") != schema.Complete || out.state(kind+" "+fmt.Sprint(two["account"]), "global") != schema.Complete {
		t.Errorf("%v", out.scopes)
	}
}

// TestReplayNeedsNoCluster records a sync and plays it without a network.
func TestReplayNeedsNoCluster(t *testing.T) {
	define(t, "tape.example.com", "Reel", "reels", "["+version("v1", true, `"spec":{"type":"object","properties":{"length":{"type":"integer"}}}`)+"]")
	create(t, "/apis/tape.example.com/v1/namespaces/default/reels", `{"apiVersion":"tape.example.com/v1","kind":"Reel","metadata":{"name":"one"},"spec":{"length":90}}`)
	ns := namespaceOf(t, "taped")
	create(t, ns+"/pods", `{"metadata":{"name":"taped"},"spec":{"containers":[{"name":"c","image":"i","env":[{"name":"A","value":"hunter2"}]}]}}`)
	rec, dir := recorder(t)
	o := options(t, "admin")
	o.Recorder, o.PageItems = rec, 3
	live := collect(t, open(t, o, nil))
	if err := rec.Close(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", `\"managedFields\":[`, "Bearer "} {
		if grep(t, dir, secret) {
			t.Errorf("the recording holds %s", secret)
		}
	}
	player, err := extract.OpenPlayer(dir)
	if err != nil {
		t.Fatal(err)
	}
	played := collect(t, open(t, k8s.Options{Player: player}, nil))
	for kind, rows := range live.rows {
		for _, rs := range [][]map[string]any{rows, played.rows[kind]} {
			slices.SortFunc(rs, func(a, b map[string]any) int { return strings.Compare(fmt.Sprint(a["id"]), fmt.Sprint(b["id"])) })
		}
		if fmt.Sprint(rows) != fmt.Sprint(played.rows[kind]) {
			t.Errorf("%s: the replay differs: %d and %d rows", kind, len(rows), len(played.rows[kind]))
		}
	}
	for key, r := range live.scopes {
		if p := played.scopes[key]; p.State != r.State || p.Rows != r.Rows {
			t.Errorf("%s: %s with %d rows, played %s with %d", key, r.State, r.Rows, p.State, p.Rows)
		}
	}
}

// TestOldHashesAreAnsweredByRedirects keeps OpenAPI documents by their hash
// and takes what a redirect leads to for what it is.
func TestOldHashesAreAnsweredByRedirects(t *testing.T) {
	define(t, "hash.example.com", "Sum", "sums", "["+version("v1", true, `"spec":{"type":"object","properties":{"a":{"type":"string"}}}`)+"]")
	o := options(t, "admin")
	if _, err := openClusters(t, o); err != nil {
		t.Fatal(err)
	}
	kept, err := filepath.Glob(filepath.Join(o.StateDir, "*.openapi"))
	if err != nil || len(kept) == 0 {
		t.Fatalf("no document was kept: %v", err)
	}
	asked := map[string]int{}
	front := relay(t, func(w http.ResponseWriter, r *http.Request, pass func()) {
		asked[r.URL.Path]++
		pass()
	})
	o.Kubeconfig = front.config(t)
	if _, err := openClusters(t, o); err != nil {
		t.Fatal(err)
	}
	if asked["/openapi/v3/apis/hash.example.com/v1"] > 0 || asked["/openapi/v3"] != 1 {
		t.Errorf("documents that are kept are asked for again: %v", asked)
	}
	for path := range asked {
		if strings.HasPrefix(path, "/openapi/v3/api/") || strings.HasPrefix(path, "/openapi/v3/apis/apps/") {
			t.Errorf("%s is embedded and asked for", path)
		}
	}
	// An index that is older than the document.
	old := relay(t, func(w http.ResponseWriter, r *http.Request, pass func()) {
		if r.URL.Path != "/openapi/v3" {
			pass()
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"paths": map[string]any{"apis/hash.example.com/v1": map[string]string{"serverRelativeURL": "/openapi/v3/apis/hash.example.com/v1?hash=00"}}})
	})
	o = k8s.Options{Kubeconfig: old.config(t), StateDir: t.TempDir()}
	source := open(t, o, nil, "kubernetes_hash_example_com_sum")
	if _, ok := source.Kinds()[0].Column("spec_a"); !ok {
		t.Error("the document behind the redirect is not read")
	}
	if kept, _ := filepath.Glob(filepath.Join(o.StateDir, "*.openapi")); len(kept) > 0 {
		t.Errorf("it is kept by the old hash: %q", kept)
	}
}
