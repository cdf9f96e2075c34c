package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// request is a POST.
type request struct {
	url    string
	header http.Header
	body   []byte
}

// request makes what is sent to a channel.
func (c *Channel) request(m *Message) (*request, error) {
	switch c.Type {
	case "pagerduty":
		return c.pagerDuty(m)
	case "webhook":
		return c.webhook(m)
	}
	var card any
	if c.Type == "slack" {
		card = slack(m)
	} else {
		card = teams(m)
	}
	return c.json(m, card)
}

func (c *Channel) json(m *Message, v any) (*request, error) {
	address, err := c.URL.Value()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return &request{address, http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {m.Key}}, b}, nil
}

// webhook signs as the Standard Webhooks say, so that their libraries verify
// it: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
func (c *Channel) webhook(m *Message) (*request, error) {
	b, err := c.body(m)
	if err != nil {
		return nil, err
	}
	address, err := c.URL.Value()
	if err != nil {
		return nil, err
	}
	r := &request{address, http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {m.Key}}, b}
	for k, s := range c.Headers {
		v, err := s.Value()
		if err != nil {
			return nil, err
		}
		r.header.Set(k, v)
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	r.header.Set("Webhook-Id", m.Key)
	r.header.Set("Webhook-Timestamp", at)
	if c.Key.Set() {
		signature, err := c.sign(m.Key + "." + at + "." + string(b))
		if err != nil {
			return nil, err
		}
		r.header.Set("Webhook-Signature", signature)
	}
	return r, nil
}

// sign is the HMAC-SHA256 of a text under the channel's key, which may be the
// base64 of bytes after "whsec_".
func (c *Channel) sign(text string) (string, error) {
	key, err := c.Key.Value()
	if err != nil {
		return "", err
	}
	bytes := []byte(key)
	if encoded, ok := strings.CutPrefix(key, "whsec_"); ok {
		if bytes, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return "", errors.New("key is no base64 after whsec_")
		}
	}
	mac := hmac.New(sha256.New, bytes)
	mac.Write([]byte(text))
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

// post sends a request once.
func (s *Sender) post(ctx context.Context, r *request) error {
	u, err := url.Parse(r.url)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return errors.New("url is no http or https URL")
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(r.body))
	if err != nil {
		return errors.New("url is no URL")
	}
	q.Header = r.header
	q.Header.Set("User-Agent", "dewpoint")
	client := s.Client
	if client == nil {
		client = &http.Client{}
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	a, err := own.Do(q)
	if err != nil {
		// The error of net/http has the URL in it.
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return temporary{error: fmt.Errorf("POST to %s: %w", u.Host, err)}
	}
	defer a.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(a.Body, 4096))
	if a.StatusCode/100 == 2 {
		return nil
	}
	err = fmt.Errorf("%s answers %s%s", u.Host, a.Status, quoted(string(text)))
	if a.StatusCode == http.StatusTooManyRequests || a.StatusCode == http.StatusRequestTimeout || a.StatusCode >= 500 {
		return temporary{error: err, after: retryAfter(a.Header.Get("Retry-After"))}
	}
	return err
}

// retryAfter reads how long a receiver asks to wait: seconds or an instant.
func retryAfter(text string) time.Duration {
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 86400 {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// quoted is the beginning of an answer, in one line.
func quoted(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if text = strings.Join(strings.Fields(text), " "); text == "" {
		return ""
	}
	return ": " + truncate(200, text)
}
