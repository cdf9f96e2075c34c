package gcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"

	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
)

// CredentialsConfig says as whom projects are read. The zero value is the
// application default credentials.
type CredentialsConfig struct {
	// File is a service account's key, the configuration of a workload
	// identity federation, or what gcloud wrote. Whoever wrote it says which
	// hosts are asked for tokens: take files from nobody else.
	File string `yaml:"file,omitempty"`
	// Impersonate are the e-mails of service accounts: the last is whom to
	// be, those before it the delegates on the way to it, in order.
	Impersonate []string `yaml:"impersonate,omitempty"`
	// Scopes of the token; default cloud-platform.
	Scopes []string `yaml:"scopes,omitempty"`
	// Anonymous sends no token at all.
	Anonymous bool `yaml:"anonymous,omitempty"`
}

// cloudPlatform is the scope that all calls may be made with; what the caller
// may do is decided by IAM.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// quotaVariable is the variable that Google's libraries read too.
const quotaVariable = "GOOGLE_CLOUD_QUOTA_PROJECT"

// authenticate finds the credentials, the quota project and the universe.
func (c *Client) authenticate(ctx context.Context) error {
	cc := c.opts.Credentials
	c.quota = c.opts.QuotaProject
	if c.quota == "" {
		c.quota = os.Getenv(quotaVariable)
	}
	c.domain = c.opts.Universe
	if cc.Anonymous {
		if c.domain == "" {
			c.domain = googleDomain
		}
		return nil
	}
	creds, err := c.base(cc)
	if err != nil {
		return err
	}
	if c.quota == "" {
		if c.quota, err = creds.QuotaProjectID(ctx); err != nil {
			return fmt.Errorf("gcp: credentials: quota project: %w", err)
		}
	}
	own, err := creds.UniverseDomain(ctx)
	if err != nil {
		return fmt.Errorf("gcp: credentials: universe domain: %w", err)
	}
	switch {
	case c.domain == "":
		c.domain = own
	case c.domain != own && c.opts.Tokens == nil:
		return fmt.Errorf("gcp: the credentials are of the universe %s, not of %s", own, c.domain)
	}
	c.creds = creds
	if len(cc.Impersonate) > 0 {
		c.creds = c.impersonate(creds, cc)
	}
	return nil
}

// base are the credentials themselves, before any impersonation.
func (c *Client) base(cc CredentialsConfig) (*auth.Credentials, error) {
	if c.opts.Tokens != nil {
		return c.opts.Tokens, nil
	}
	o := &credentials.DetectOptions{Scopes: scopes(cc), Client: &http.Client{Transport: c.http.Transport, Timeout: time.Minute}}
	if cc.File == "" {
		creds, err := credentials.DetectDefault(o)
		if err != nil {
			return nil, fmt.Errorf("gcp: %w; run `gcloud auth application-default login`, or name a file in credentials", err)
		}
		return creds, nil
	}
	data, err := os.ReadFile(cc.File)
	if err != nil {
		return nil, fmt.Errorf("gcp: credentials: %w", err)
	}
	var kind struct{ Type credentials.CredType }
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, fmt.Errorf("gcp: credentials: %s: %w", cc.File, err)
	}
	known := []credentials.CredType{
		credentials.ServiceAccount, credentials.AuthorizedUser, credentials.ExternalAccount,
		credentials.ImpersonatedServiceAccount, credentials.ExternalAccountAuthorizedUser,
	}
	if !slices.Contains(known, kind.Type) {
		return nil, fmt.Errorf("gcp: credentials: %s is of the type %q, not one of %v", cc.File, kind.Type, known)
	}
	creds, err := credentials.NewCredentialsFromJSON(kind.Type, data, o)
	if err != nil {
		return nil, fmt.Errorf("gcp: credentials: %s: %w", cc.File, err)
	}
	return creds, nil
}

func scopes(cc CredentialsConfig) []string {
	if len(cc.Scopes) > 0 {
		return cc.Scopes
	}
	return []string{cloudPlatform}
}

// OwnProject is the project of the credentials: of the service account, of
// the machine, or GOOGLE_CLOUD_PROJECT. Empty if there is none.
func (c *Client) OwnProject(ctx context.Context) (string, error) {
	for _, k := range []string{"GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"} {
		if v := os.Getenv(k); v != "" {
			return v, nil
		}
	}
	if c.creds == nil {
		return "", nil
	}
	p, err := c.creds.ProjectID(ctx)
	if err != nil {
		return "", fmt.Errorf("gcp: the project of the credentials: %w", err)
	}
	if cc := c.opts.Credentials; p == "" && len(cc.Impersonate) > 0 {
		// sa@project.iam.gserviceaccount.com
		_, host, _ := strings.Cut(cc.Impersonate[len(cc.Impersonate)-1], "@")
		p, _ = strings.CutSuffix(host, ".iam.gserviceaccount.com")
		if p == host {
			p = ""
		}
	}
	return p, nil
}

// authorize puts the token into a request and returns it.
func (c *Client) authorize(ctx context.Context, req *http.Request) (string, error) {
	if c.creds == nil {
		return "", nil
	}
	t, err := c.creds.Token(ctx)
	if err != nil {
		return "", tokenError(err)
	}
	kind := t.Type
	if kind == "" {
		kind = "Bearer"
	}
	req.Header.Set("Authorization", kind+" "+t.Value)
	return t.Value, nil
}

// tokenError is why there is no token, without what the server quoted of the
// request.
func tokenError(err error) error {
	var e *auth.Error
	if !errors.As(err, &e) {
		return err
	}
	var text string
	if _, text = unwrapError(e.Body); text == "" {
		text = "the token server refuses"
	}
	status := 0
	if e.Response != nil {
		status = e.Response.StatusCode
	}
	return fmt.Errorf("%s (HTTP %d)", text, status)
}

// impersonate makes the credentials of a service account of the base ones:
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken.
func (c *Client) impersonate(base *auth.Credentials, cc CredentialsConfig) *auth.Credentials {
	last := len(cc.Impersonate) - 1
	i := &impersonation{c: c, base: base, target: cc.Impersonate[last], scopes: scopes(cc)}
	for _, d := range cc.Impersonate[:last] {
		i.delegates = append(i.delegates, "projects/-/serviceAccounts/"+d)
	}
	return auth.NewCredentials(&auth.CredentialsOptions{
		TokenProvider:          auth.NewCachedTokenProvider(i, nil),
		ProjectIDProvider:      auth.CredentialsPropertyFunc(base.ProjectID),
		QuotaProjectIDProvider: auth.CredentialsPropertyFunc(base.QuotaProjectID),
		UniverseDomainProvider: auth.CredentialsPropertyFunc(base.UniverseDomain),
	})
}

type impersonation struct {
	c         *Client
	base      *auth.Credentials
	target    string
	delegates []string
	scopes    []string
}

// Token implements auth.TokenProvider.
func (i *impersonation) Token(ctx context.Context) (*auth.Token, error) {
	t, err := i.base.Token(ctx)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"delegates": i.delegates, "scope": i.scopes, "lifetime": "3600s"})
	if err != nil {
		return nil, err
	}
	ep, err := i.c.credentialsEndpoint()
	if err != nil {
		return nil, err
	}
	var path strings.Builder
	if err := escape(&path, i.target, false); err != nil {
		return nil, fmt.Errorf("impersonate: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, ep.base+"v1/projects/-/serviceAccounts/"+path.String()+":generateAccessToken", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", i.c.opts.UserAgent)
	if ep.trusted {
		req.Header.Set("Authorization", "Bearer "+t.Value)
	}
	resp, err := i.c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("impersonate %s: %w", i.target, err)
	}
	defer resp.Body.Close()
	answer, err := i.c.bodies.Read(resp.Body, 1<<20)
	if err != nil {
		return nil, fmt.Errorf("impersonate %s: %w", i.target, err)
	}
	defer answer.Release()
	if resp.StatusCode != http.StatusOK {
		e := &APIError{HTTPStatus: resp.StatusCode}
		e.refusal(answer.Bytes())
		e.conceal(t.Value)
		return nil, fmt.Errorf("impersonate %s: %s: %s; grant roles/iam.serviceAccountTokenCreator on it", i.target, e.Code, e.Message)
	}
	var out struct {
		AccessToken string    `json:"accessToken"`
		ExpireTime  time.Time `json:"expireTime"`
	}
	if err := json.Unmarshal(answer.Bytes(), &out); err != nil || out.AccessToken == "" {
		return nil, fmt.Errorf("impersonate %s: the answer holds no token", i.target)
	}
	return &auth.Token{Value: out.AccessToken, Type: "Bearer", Expiry: out.ExpireTime}, nil
}

// credentialsEndpoint is where tokens of service accounts are asked for.
func (c *Client) credentialsEndpoint() (endpoint, error) {
	svc, err := gcpapi.Lookup("iamcredentials.v1")
	if err != nil {
		return endpoint{}, err
	}
	return c.endpoint(svc, "")
}
