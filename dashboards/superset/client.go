package superset

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// Server is a Superset that the bundle is imported into.
type Server struct {
	URL                string
	Username, Password string
	// Provider is how users log in: db (the default) or ldap.
	Provider string
	// Client makes the calls; nil is one of its own.
	Client *http.Client
}

// Import logs in and imports the bundle over what an earlier import made. It
// returns the addresses of the dashboards.
// https://superset.apache.org/docs/api: POST /api/v1/assets/import/
func Import(ctx context.Context, s Server, o Options) ([]string, error) {
	boards, _, err := dashboards.Load()
	if err != nil {
		return nil, err
	}
	_, password := maskPassword(o.URI)
	bundle, err := Bundle(o)
	if err != nil {
		return nil, err
	}
	c := &session{Server: s, client: s.Client}
	if c.client == nil {
		// The CSRF token holds for the session that a cookie names.
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		c.client = &http.Client{Jar: jar, Timeout: 5 * time.Minute}
	}
	if err := c.login(ctx); err != nil {
		return nil, err
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("bundle", "dewpoint.zip")
	if err != nil {
		return nil, err
	}
	if _, err := part.Write(bundle); err != nil {
		return nil, err
	}
	if password != "" {
		passwords, err := json.Marshal(map[string]string{DatabaseFile: password})
		if err != nil {
			return nil, err
		}
		if err := form.WriteField("passwords", string(passwords)); err != nil {
			return nil, err
		}
	}
	if err := form.Close(); err != nil {
		return nil, err
	}
	if err := c.call(ctx, http.MethodPost, "/api/v1/assets/import/", form.FormDataContentType(), &body, nil); err != nil {
		return nil, err
	}
	var addresses []string
	for _, b := range boards {
		addresses = append(addresses, strings.TrimSuffix(s.URL, "/")+"/superset/dashboard/dewpoint-"+b.Name+"/")
	}
	return addresses, nil
}

// passwordMask is what Superset takes for a password that is told apart.
const passwordMask = "XXXXXXXXXX"

// maskPassword takes the password out of a URI.
func maskPassword(uri string) (masked, password string) {
	u, err := url.Parse(uri)
	if err != nil || u.User == nil {
		return uri, ""
	}
	password, ok := u.User.Password()
	if !ok || password == "" {
		return uri, ""
	}
	u.User = url.UserPassword(u.User.Username(), passwordMask)
	return u.String(), password
}

// session is a login.
type session struct {
	Server
	client      *http.Client
	token, csrf string
}

func (c *session) login(ctx context.Context) error {
	provider := c.Provider
	if provider == "" {
		provider = "db"
	}
	body, err := json.Marshal(map[string]any{"username": c.Username, "password": c.Password, "provider": provider, "refresh": false})
	if err != nil {
		return err
	}
	var login struct {
		Token string `json:"access_token"`
	}
	if err := c.call(ctx, http.MethodPost, "/api/v1/security/login", "application/json", bytes.NewReader(body), &login); err != nil {
		return err
	}
	if login.Token == "" {
		return fmt.Errorf("log in to %s: the answer has no access token", c.URL)
	}
	c.token = login.Token
	var csrf struct {
		Result string `json:"result"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/security/csrf_token/", "", nil, &csrf); err != nil {
		return err
	}
	c.csrf = csrf.Result
	return nil
}

// call makes one call and decodes its answer into out, if that is not nil.
func (c *session) call(ctx context.Context, method, path, contentType string, body io.Reader, out any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s %s of %s: %w", method, path, c.URL, err)
		}
	}()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.URL, "/")+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.csrf != "" {
		req.Header.Set("X-CSRFToken", c.csrf)
		req.Header.Set("Referer", c.URL)
	}
	return dashboards.Call(c.client, req, 1<<20, out)
}
