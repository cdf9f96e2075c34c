package kubetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Do makes a request as Admin and returns the answer's body. A body is sent
// as JSON; an answer that is no success is an error.
func (s *Server) Do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
	}
	return answer(s.client, req)
}

// Send sends a request as Admin.
func (s *Server) Send(req *http.Request) ([]byte, error) { return answer(s.client, req) }

func answer(c *http.Client, req *http.Request) ([]byte, error) {
	resp, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, b)
	}
	return b, err
}

// Create creates an object, given as JSON, in the collection at a path such
// as /api/v1/namespaces/default/pods.
func (s *Server) Create(ctx context.Context, path, object string) error {
	_, err := s.Do(ctx, http.MethodPost, path, []byte(object))
	return err
}

// Define creates a custom resource definition, given as JSON, and waits until
// it is served.
func (s *Server) Define(ctx context.Context, object string) error {
	var crd struct {
		Metadata struct{ Name string }
		Spec     struct {
			Group    string
			Names    struct{ Plural string }
			Versions []struct {
				Name   string
				Served bool
			}
		}
	}
	if err := json.Unmarshal([]byte(object), &crd); err != nil {
		return err
	}
	if err := s.Create(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", object); err != nil {
		return err
	}
	for _, v := range crd.Spec.Versions {
		for v.Served {
			_, err := s.Do(ctx, http.MethodGet, "/apis/"+crd.Spec.Group+"/"+v.Name+"/"+crd.Spec.Names.Plural, nil)
			if err == nil {
				_, err = s.Do(ctx, http.MethodGet, "/openapi/v3/apis/"+crd.Spec.Group+"/"+v.Name, nil)
			}
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s is not served: %w", crd.Metadata.Name, err)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

// Grant lets a user get and list resources, "pods" or "deployments.apps", in
// a namespace; in the whole cluster, if that is empty. "*.*" is everything.
func (s *Server) Grant(ctx context.Context, user, namespace string, resources ...string) error {
	type rule struct {
		APIGroups []string `json:"apiGroups"`
		Resources []string `json:"resources"`
		Verbs     []string `json:"verbs"`
	}
	var rules []rule
	for _, r := range resources {
		name, group, _ := strings.Cut(r, ".")
		rules = append(rules, rule{[]string{group}, []string{name}, []string{"get", "list"}})
	}
	role, path := "ClusterRole", "/apis/rbac.authorization.k8s.io/v1/"
	if namespace != "" {
		role, path = "Role", path+"namespaces/"+namespace+"/"
	}
	name := fmt.Sprintf("%s-%s", user, uuid.NewString()[:8])
	meta := map[string]any{"name": name}
	for _, o := range []struct {
		collection string
		object     map[string]any
	}{
		{role + "s", map[string]any{"metadata": meta, "rules": rules}},
		{role + "Bindings", map[string]any{
			"metadata": meta,
			"roleRef":  map[string]string{"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
			"subjects": []map[string]string{{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": user}},
		}},
	} {
		b, err := json.Marshal(o.object)
		if err != nil {
			return err
		}
		if err := s.Create(ctx, path+strings.ToLower(o.collection), string(b)); err != nil {
			return err
		}
	}
	return s.granted(ctx, user, namespace, resources)
}

// granted waits until the authorizer has seen a grant.
func (s *Server) granted(ctx context.Context, user, namespace string, resources []string) error {
	for _, r := range resources {
		name, group, _ := strings.Cut(r, ".")
		review, err := json.Marshal(map[string]any{
			"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
			"spec": map[string]any{"user": user, "resourceAttributes": map[string]string{"verb": "list", "group": group, "resource": name, "namespace": namespace}},
		})
		if err != nil {
			return err
		}
		for {
			b, err := s.Do(ctx, http.MethodPost, "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
			if err != nil {
				return err
			}
			var out struct{ Status struct{ Allowed bool } }
			if err := json.Unmarshal(b, &out); err != nil || out.Status.Allowed {
				if err != nil {
					return err
				}
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	return nil
}

// Copy multiplies an object n times: its stored form is written under new
// names and uids straight into etcd, which takes a tenth of the time that the
// API does. The object's name must end in -00000 and be found nowhere else in
// it; the copies' numbers begin at 1. resource is the path below /registry,
// such as pods/default.
func (s *Server) Copy(ctx context.Context, resource, name string, n int) error {
	stem, ok := strings.CutSuffix(name, "00000")
	if !ok || n > 99_999 {
		return fmt.Errorf("copy %s: the name does not end in 00000", name)
	}
	value, err := s.stored(ctx, "/registry/"+resource+"/"+name)
	if err != nil {
		return err
	}
	uid := uidOf(value)
	if uid == nil {
		return fmt.Errorf("copy %s: no uid in what is stored", name)
	}
	type put struct {
		Key   []byte `json:"key"`
		Value []byte `json:"value"`
	}
	type op struct {
		Put put `json:"requestPut"`
	}
	const each = 500
	for from := 1; from <= n; from += each {
		var ops []op
		for i := from; i < min(from+each, n+1); i++ {
			copied := stem + fmt.Sprintf("%05d", i)
			v := bytes.ReplaceAll(value, []byte(name), []byte(copied))
			v = bytes.ReplaceAll(v, uid, []byte(uuid.NewString()))
			ops = append(ops, op{put{[]byte("/registry/" + resource + "/" + copied), v}})
		}
		if _, err := s.etcdCall(ctx, "txn", map[string]any{"success": ops}); err != nil {
			return err
		}
	}
	return nil
}

// uidOf finds a uid in an object's stored form.
func uidOf(value []byte) []byte {
	for i := range len(value) - 36 {
		if u := value[i : i+36]; u[8] == '-' && u[13] == '-' && u[18] == '-' && u[23] == '-' {
			if _, err := uuid.ParseBytes(u); err == nil {
				return u
			}
		}
	}
	return nil
}

func (s *Server) stored(ctx context.Context, key string) ([]byte, error) {
	out, err := s.etcdCall(ctx, "range", map[string]any{"key": []byte(key)})
	if err != nil {
		return nil, err
	}
	if len(out.KVs) != 1 {
		return nil, fmt.Errorf("etcd has no %s", key)
	}
	return base64.StdEncoding.DecodeString(out.KVs[0].Value)
}

// Compact makes etcd forget all but the present: continue tokens that were
// given before are expired then.
func (s *Server) Compact(ctx context.Context) error {
	out, err := s.etcdCall(ctx, "range", map[string]any{"key": []byte("/registry/namespaces/default")})
	if err != nil {
		return err
	}
	revision, err := strconv.ParseInt(out.Header.Revision, 10, 64)
	if err != nil {
		return err
	}
	_, err = s.etcdCall(ctx, "compaction", map[string]any{"revision": revision, "physical": true})
	return err
}

type etcdAnswer struct {
	Header struct{ Revision string }
	KVs    []struct{ Value string }
}

// etcdCall calls etcd's own API in its JSON form.
func (s *Server) etcdCall(ctx context.Context, call string, in any) (out etcdAnswer, err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	path := "/v3/kv/" + call
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.etcdURL+path, bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	b, err := answer(http.DefaultClient, req)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(b, &out)
}
