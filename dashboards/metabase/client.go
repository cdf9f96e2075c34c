package metabase

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/dashboards"
)

// Server is a Metabase and who logs in: by an API key or, where that is
// empty, by a user's password.
type Server struct {
	URL                string
	Key                string
	Username, Password string
	// Client makes the calls; nil is one of its own.
	Client *http.Client
}

// client makes the calls of one login.
type client struct {
	url           string
	header, value string
	http          *http.Client
}

func (s Server) login(ctx context.Context) (*client, error) {
	c := &client{url: strings.TrimSuffix(s.URL, "/"), header: "x-api-key", value: s.Key, http: s.Client}
	if c.http == nil {
		c.http = &http.Client{Timeout: 2 * time.Minute}
	}
	if s.Key != "" {
		return c, nil
	}
	var session struct {
		ID string `json:"id"`
	}
	c.header = "X-Metabase-Session"
	err := c.call(ctx, http.MethodPost, "/api/session", object{"username": s.Username, "password": s.Password}, &session)
	c.value = session.ID
	return c, err
}

// call makes one call with a body of JSON, if any, and decodes the answer into
// out, if that is not nil.
func (c *client) call(ctx context.Context, method, path string, body, out any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s %s of %s: %w", method, path, c.url, err)
		}
	}()
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, sent)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.value != "" {
		req.Header.Set(c.header, c.value)
	}
	return dashboards.Call(c.http, req, 64<<20, out)
}
