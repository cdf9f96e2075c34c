package objects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
)

// googleClient returns a client with Application Default Credentials.
func googleClient(transport *http.Transport, anonymous bool) (*http.Client, error) {
	if anonymous {
		return &http.Client{Transport: transport}, nil
	}
	creds, err := credentials.DetectDefault(&credentials.DetectOptions{
		Scopes: []string{"https://www.googleapis.com/auth/devstorage.read_write"},
	})
	if err != nil {
		return nil, errNoCredentials
	}
	return &http.Client{Transport: authorized{transport, creds}}, nil
}

// authorized adds an access token to requests.
type authorized struct {
	base  http.RoundTripper
	creds *auth.Credentials
}

func (a authorized) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := a.creds.Token(r.Context())
	if err != nil {
		return nil, &tokenError{err}
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", token.Type+" "+token.Value)
	return a.base.RoundTrip(r)
}

// tokenError says that the credentials gave no access token.
type tokenError struct{ err error }

func (e *tokenError) Error() string {
	return "the Google credentials give no access token: run gcloud auth application-default login, or check GOOGLE_APPLICATION_CREDENTIALS: " + e.err.Error()
}

func (e *tokenError) Unwrap() error { return e.err }

var errNoCredentials = errors.New("no Google credentials were found: run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account")

// request is a call that may be repeated.
type request struct {
	method, url string
	header      http.Header
	body        []byte
	// resume makes answers of 308 a success, as uploads in chunks have them.
	resume bool
	// stream leaves the body of the answer to the caller. Otherwise it is read
	// before the request counts as answered.
	stream bool
}

// answerError is an answer that is no success.
type answerError struct {
	status  int
	reason  string
	message string
}

func (e *answerError) Error() string {
	if e.reason == "" {
		return fmt.Sprintf("%d %s", e.status, http.StatusText(e.status))
	}
	return fmt.Sprintf("%d %s: %s", e.status, e.reason, e.message)
}

// codeOf returns the status of an answer, 0 where none came.
func codeOf(err error) int {
	var a *answerError
	if errors.As(err, &a) {
		return a.status
	}
	return 0
}

// do sends a request until it is answered with a success or with what no
// repetition changes: https://cloud.google.com/storage/docs/retry-strategy
func (g *gcs) do(ctx context.Context, r request) (*http.Response, error) {
	for attempt := 1; ; attempt++ {
		resp, err := g.once(ctx, r)
		if err == nil {
			return resp, nil
		}
		if err := g.p.again(ctx, attempt, err); err != nil {
			return nil, err
		}
	}
}

func (g *gcs) once(ctx context.Context, r request) (*http.Response, error) {
	client, err := g.client()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 300 || r.resume && resp.StatusCode == http.StatusPermanentRedirect {
		if r.stream {
			return resp, nil
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if want := hashOf(resp.Header); err == nil && want != "" && want != crc32c(text) {
			err = errBadBytes
		}
		resp.Body = io.NopCloser(bytes.NewReader(text))
		return resp, err
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	answer := &answerError{status: resp.StatusCode}
	var body struct {
		Error struct {
			Message string `json:"message"`
			Errors  []struct {
				Reason string `json:"reason"`
			} `json:"errors"`
		} `json:"error"`
	}
	if json.Unmarshal(text, &body) == nil {
		answer.message = body.Error.Message
		if len(body.Error.Errors) > 0 {
			answer.reason = body.Error.Errors[0].Reason
		}
	}
	return nil, answer
}

// name names an object for people.
func (g *gcs) name(key string) string { return "gs://" + g.l.bucket + "/" + g.l.prefix + key }

func (g *gcs) noBucket(op, key string) error {
	return fmt.Errorf("%s %s: there is no bucket %s: create it, or correct the URL", op, g.name(key), g.l.bucket)
}

// fail says what was done, where, what went wrong and what to do about it.
func (g *gcs) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	var a *answerError
	if !errors.As(err, &a) {
		if strings.Contains(err.Error(), g.name(key)) {
			return err
		}
		return fmt.Errorf("%s %s: %w", op, g.name(key), withoutURL(err))
	}
	where := op + " " + g.name(key)
	switch {
	case a.status == http.StatusNotFound && (op == "write" || strings.Contains(a.message, "bucket does not exist")):
		return g.noBucket(op, key)
	case a.status == http.StatusNotFound:
		return fmt.Errorf("%s: %w", where, fs.ErrNotExist)
	case a.status == http.StatusPreconditionFailed:
		return fmt.Errorf("%s: %w", where, ErrChanged)
	case a.status == http.StatusUnauthorized:
		return fmt.Errorf("%s: %w: the credentials are not accepted: run gcloud auth application-default login, or check GOOGLE_APPLICATION_CREDENTIALS", where, err)
	case a.status == http.StatusForbidden:
		return fmt.Errorf("%s: %w: grant roles/storage.objectUser on the bucket %s", where, err, g.l.bucket)
	case a.status == http.StatusTooManyRequests || a.status == http.StatusServiceUnavailable:
		return fmt.Errorf("%s: %w after %d attempts: the server is overloaded: try again later", where, err, g.p.attempts)
	}
	return fmt.Errorf("%s: %w", where, err)
}
