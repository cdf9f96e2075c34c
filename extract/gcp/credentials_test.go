package gcp

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// file writes credentials to a file.
func file(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "credentials.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func privateKey(t *testing.T) string {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}))
}

// tokenServer answers what asks for tokens.
func tokenServer(t *testing.T) *fake {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/token", r.URL.Path == "/sts":
			say(200, `{"access_token":"base-token-token","expires_in":3600,"token_type":"Bearer","issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`)(w, r)
		case strings.HasSuffix(r.URL.Path, ":generateAccessToken"):
			if r.Header.Get("Authorization") != "Bearer base-token-token" {
				say(403, `{"error":{"code":403,"message":"Permission denied","status":"PERMISSION_DENIED"}}`)(w, r)
				return
			}
			say(200, fmt.Sprintf(`{"accessToken":"impersonated-token","expireTime":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339)))(w, r)
		case r.URL.Path == "/refused":
			say(400, `{"error":"invalid_grant","error_description":"account not found"}`)(w, r)
		default:
			say(200, `{"items":{}}`)(w, r)
		}
	})
}

func serviceAccount(t *testing.T, tokenURL string) map[string]any {
	return map[string]any{
		"type": "service_account", "project_id": "home", "private_key_id": "k", "private_key": privateKey(t),
		"client_email": "reader@home.iam.gserviceaccount.com", "client_id": "1", "token_uri": tokenURL, "quota_project_id": "own-quota",
	}
}

func TestCredentials(t *testing.T) {
	f := tokenServer(t)
	subject := filepath.Join(t.TempDir(), "subject")
	if err := os.WriteFile(subject, []byte("workload"), 0o600); err != nil {
		t.Fatal(err)
	}
	external := map[string]any{
		"type": "external_account", "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f.URL + "/sts",
		"credential_source": map[string]any{"file": subject},
	}
	for name, tc := range map[string]struct {
		o            Options
		token, quota string
	}{
		"service account":      {Options{Credentials: CredentialsConfig{File: file(t, serviceAccount(t, f.URL+"/token"))}}, "base-token-token", "own-quota"},
		"workload identity":    {Options{Credentials: CredentialsConfig{File: file(t, external)}}, "base-token-token", ""},
		"configured quota":     {Options{Credentials: CredentialsConfig{File: file(t, external)}, QuotaProject: "billing"}, "base-token-token", "billing"},
		"the project's quota":  {Options{Credentials: CredentialsConfig{File: file(t, external)}, QuotaProject: "{project}"}, "base-token-token", "shop-prod"},
		"impersonated":         {Options{Credentials: CredentialsConfig{File: file(t, external), Impersonate: []string{"target@p.iam.gserviceaccount.com"}}}, "impersonated-token", ""},
		"impersonated, in two": {Options{Credentials: CredentialsConfig{File: file(t, external), Impersonate: []string{"via@p.iam.gserviceaccount.com", "target@p.iam.gserviceaccount.com"}}}, "impersonated-token", ""},
		"nobody":               {Options{Credentials: CredentialsConfig{Anonymous: true}}, "", ""},
	} {
		tc.o.Endpoints = map[string]string{"*": f.URL}
		resp, err := client(t, tc.o).Do(t.Context(), instances(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Release()
		r := f.last(t)
		if got := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); got != tc.token {
			t.Errorf("%s: token %q, want %q", name, got, tc.token)
		}
		if got := r.Header.Get("X-Goog-User-Project"); got != tc.quota {
			t.Errorf("%s: quota project %q, want %q", name, got, tc.quota)
		}
		if name == "impersonated, in two" {
			asked := f.requests()[len(f.requests())-2]
			body := f.body[len(f.body)-2]
			if asked.URL.Path != "/v1/projects/-/serviceAccounts/target@p.iam.gserviceaccount.com:generateAccessToken" ||
				!strings.Contains(body, `"delegates":["projects/-/serviceAccounts/via@p.iam.gserviceaccount.com"]`) || !strings.Contains(body, cloudPlatform) {
				t.Errorf("%s %s", asked.URL.Path, body)
			}
		}
	}
}

func TestTheEnvironmentsCredentials(t *testing.T) {
	f := tokenServer(t)
	clean(t)
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", file(t, serviceAccount(t, f.URL+"/token")))
	t.Setenv(quotaVariable, "from-environment")
	c, err := NewClient(t.Context(), Options{Endpoints: map[string]string{"*": f.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	resp, err := c.Do(t.Context(), instances(t))
	if err != nil {
		t.Fatal(err)
	}
	resp.Release()
	if got := f.last(t).Header.Get("X-Goog-User-Project"); got != "from-environment" {
		t.Error(got)
	}
	if p, err := c.OwnProject(t.Context()); err != nil || p != "home" {
		t.Error(p, err)
	}
	t.Setenv("GOOGLE_CLOUD_PROJECT", "elsewhere")
	if p, err := c.OwnProject(t.Context()); err != nil || p != "elsewhere" {
		t.Error(p, err)
	}
}

func TestCredentialsThatAreNone(t *testing.T) {
	f := tokenServer(t)
	sa := func(url string) string { return file(t, serviceAccount(t, url)) }
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"no file":          {Options{Credentials: CredentialsConfig{File: "/does/not/exist"}}, "no such file"},
		"no type":          {Options{Credentials: CredentialsConfig{File: file(t, map[string]string{})}}, `is of the type ""`},
		"another universe": {Options{Credentials: CredentialsConfig{File: sa(f.URL + "/token")}, Universe: "example.goog"}, "the credentials are of the universe googleapis.com"},
	} {
		clean(t)
		if _, err := NewClient(t.Context(), tc.o); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"refused":       {Options{Credentials: CredentialsConfig{File: sa(f.URL + "/refused")}}, "invalid_grant: account not found (HTTP 400)"},
		"not delegated": {Options{Tokens: tokens(), Credentials: CredentialsConfig{Impersonate: []string{"x@p.iam.gserviceaccount.com"}}}, "grant roles/iam.serviceAccountTokenCreator"},
	} {
		tc.o.Endpoints = map[string]string{"*": f.URL}
		n := len(f.requests())
		_, err := client(t, tc.o).Do(t.Context(), instances(t))
		e, ok := err.(*APIError)
		if !ok || !e.Credentials() || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "no credentials") {
			t.Errorf("%s: %v", name, err)
		}
		if got := len(f.requests()) - n; got != 1 {
			t.Errorf("%s: %d requests", name, got)
		}
	}
}
