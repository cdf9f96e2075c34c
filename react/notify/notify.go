// Package notify sends messages to people and programs: to Slack, Teams,
// PagerDuty, by e-mail and to webhooks. In goes what is to be said and a
// channel as the configuration has it; a message is sent at least once, under a
// key by which a receiver knows one that comes again.
package notify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/react/secret"
)

// Channel is where messages go, as the configuration has it.
type Channel struct {
	// Type is slack, teams, pagerduty, email or webhook.
	Type string `yaml:"type"`
	// URL is the address of a webhook; that of PagerDuty has a default.
	URL secret.Text `yaml:"url"`
	// RoutingKey is the integration key of PagerDuty.
	RoutingKey secret.Text `yaml:"routing_key"`
	// Key signs what is sent to a webhook; without one it is not signed.
	Key secret.Text `yaml:"key"`
	// Headers are sent to a webhook.
	Headers map[string]secret.Text `yaml:"headers"`
	// Server is HOST:PORT of SMTP, TLS how it is encrypted: starttls (the
	// default), tls or none.
	Server   string      `yaml:"server"`
	TLS      string      `yaml:"tls"`
	Username secret.Text `yaml:"username"`
	Password secret.Text `yaml:"password"`
	// From and To are addresses of e-mail.
	From string   `yaml:"from"`
	To   []string `yaml:"to"`
	// Title and Text are templates of what is said, Body of all that is sent to
	// a webhook; "file:PATH" is the content of a file.
	Title string `yaml:"title"`
	Text  string `yaml:"text"`
	Body  string `yaml:"body"`
}

// Message is what is said. It is also what templates see, and what a webhook
// receives as JSON.
type Message struct {
	// Key is the same for the same message, however often it is sent.
	Key string `json:"key"`
	// Event says what the message is about: an event of the workflow, a job,
	// notice, applied or test.
	Event string `json:"event"`
	// Severity is info, warning or error.
	Severity string `json:"severity"`
	// Group is the same for messages about the same matter; Resolved ends it.
	Group    string    `json:"group,omitempty"`
	Resolved bool      `json:"resolved,omitempty"`
	At       time.Time `json:"at"`
	Title    string    `json:"title"`
	Text     string    `json:"text,omitempty"`
	// Fields are single facts, Columns and Rows a table.
	Fields  []Field          `json:"fields,omitempty"`
	Columns []string         `json:"columns,omitempty"`
	Rows    []map[string]any `json:"rows,omitempty"`
	// Data is what the message was made of: an event with its plans and
	// results.
	Data any `json:"data,omitempty"`
}

// Field is a fact.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Types are those of channels.
func Types() []string { return []string{"slack", "teams", "pagerduty", "email", "webhook"} }

// Validate finds mistakes in a channel. Secrets in files need not be there yet.
func (c *Channel) Validate() error {
	if !slices.Contains(Types(), c.Type) {
		return fmt.Errorf("type is %q: take %s", c.Type, strings.Join(Types(), ", "))
	}
	of := func(types ...string) bool { return slices.Contains(types, c.Type) }
	set := []struct {
		key      string
		has      bool
		may      bool
		required bool
	}{
		{"url", c.URL.Set(), !of("email"), of("slack", "teams", "webhook")},
		{"routing_key", c.RoutingKey.Set(), of("pagerduty"), true},
		{"key", c.Key.Set(), of("webhook"), false},
		{"headers", len(c.Headers) > 0, of("webhook"), false},
		{"body", c.Body != "", of("webhook"), false},
		{"server", c.Server != "", of("email"), true},
		{"tls", c.TLS != "", of("email"), false},
		{"username", c.Username.Set(), of("email"), false},
		{"password", c.Password.Set(), of("email"), false},
		{"from", c.From != "", of("email"), true},
		{"to", len(c.To) > 0, of("email"), true},
	}
	for _, k := range set {
		switch {
		case k.has && !k.may:
			return fmt.Errorf("%s is no key of the type %s", k.key, c.Type)
		case !k.has && k.may && k.required:
			return fmt.Errorf("%s is missing: the type %s needs it", k.key, c.Type)
		}
	}
	if c.Type == "email" {
		if err := c.validateMail(); err != nil {
			return err
		}
	}
	_, err := c.templates()
	return err
}

// Sender sends messages. Its zero value is ready; it is safe for concurrent use.
type Sender struct {
	// Client sends by HTTP; nil is one with a timeout that follows no redirect.
	Client *http.Client
	// Mail changes how a server of e-mail is reached, nil does not.
	Mail *MailOptions
	// Attempts is how often a message is sent at most while the receiver is
	// overloaded or away; 5 if zero.
	Attempts int
	// Sent, if not nil, is called with what came of each message.
	Sent func(channel string, err error)
	// Pause waits between two attempts; nil waits on the clock.
	Pause func(ctx context.Context, d time.Duration) error
}

// patience is how long one attempt may take.
const patience = 15 * time.Second

// temporary is an error after which sending again may help.
type temporary struct {
	error
	after time.Duration // as the receiver asks; 0 if it does not
}

func (e temporary) Unwrap() error { return e.error }

// SendError says that a message was not taken.
type SendError struct {
	Channel string
	// Temporary says that it may be taken later.
	Temporary bool
	text      string // without secrets
}

func (e *SendError) Error() string { return "notify " + e.Channel + ": " + e.text }

// Temporary says whether an error is of a message that may be taken later.
func Temporary(err error) bool {
	var e *SendError
	return errors.As(err, &e) && e.Temporary
}

// Send sends a message to a channel and returns when the receiver has taken it.
// What is answered with 429 or a server's error, or not at all, is sent again
// with growing pauses. Errors name no secret.
func (s *Sender) Send(ctx context.Context, name string, c *Channel, m *Message) error {
	err := s.send(ctx, c, m)
	if s.Sent != nil {
		s.Sent(name, err)
	}
	if err != nil {
		var t temporary
		return &SendError{Channel: name, Temporary: errors.As(err, &t) || ctx.Err() != nil, text: c.hide(err.Error())}
	}
	return nil
}

func (s *Sender) send(ctx context.Context, c *Channel, m *Message) error {
	m, err := c.render(m)
	if err != nil {
		return err
	}
	attempts := s.Attempts
	if attempts == 0 {
		attempts = 5
	}
	for n := 1; ; n++ {
		err := s.attempt(ctx, c, m)
		var t temporary
		switch {
		case err == nil || !errors.As(err, &t):
			return err
		case n == attempts:
			return fmt.Errorf("%w (%d attempts)", err, n)
		}
		pause := time.Second << (n - 1)
		pause = min(max(pause/2+rand.N(pause), t.after), time.Minute)
		if err := s.pause(ctx, pause); err != nil {
			return errors.Join(t.error, err)
		}
	}
}

func (s *Sender) pause(ctx context.Context, d time.Duration) error {
	if s.Pause != nil {
		return s.Pause(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func (s *Sender) attempt(ctx context.Context, c *Channel, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if c.Type == "email" {
		return s.mail(ctx, c, m)
	}
	r, err := c.request(m)
	if err != nil {
		return err
	}
	return s.post(ctx, r)
}

// hide takes the secrets of a channel out of a text.
func (c *Channel) hide(text string) string {
	all := []secret.Text{c.URL, c.RoutingKey, c.Key, c.Password}
	for _, h := range c.Headers {
		all = append(all, h)
	}
	return secret.Hide(text, all...)
}
