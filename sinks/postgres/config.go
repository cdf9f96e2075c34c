package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/dewpoint-data/dewpoint/sinks"
)

// config is what a URL says.
type config struct {
	pg *pgconn.Config
	// url identifies the database without secrets.
	url             string
	schema, staging string
	// statementTimeout bounds every statement; 0 leaves the server's.
	statementTimeout time.Duration
	connections      int
}

// libpq are the parameters of a URL that are libpq's and known to pgx.
var libpq = []string{
	"host", "port", "user", "password", "dbname", "database", "application_name", "connect_timeout", "target_session_attrs", "options",
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslpassword", "sslsni", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
	"passfile", "service", "servicefile", "krbsrvname", "krbspn", "channel_binding", "require_auth", "min_protocol_version", "max_protocol_version",
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,49}$`)

// parse reads a URL as libpq does, environment, password and service files
// included, and takes dewpoint's own parameters out of it.
func parse(raw string) (*config, error) {
	c := &config{schema: "dewpoint", connections: 4}
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse quotes the URL, password and all.
		return nil, &sinks.URLError{URL: "postgres:", Err: errors.New("it cannot be parsed: write special characters of the password percent-encoded")}
	}
	q := u.Query()
	c.url = identify(u, q)
	wrong := func(err error) error { return &sinks.URLError{URL: c.url, Err: err} }
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, wrong(fmt.Errorf("the scheme is %q: use postgres://USER@HOST/DATABASE", u.Scheme))
	}
	if v := q.Get("schema"); v != "" {
		c.schema = v
	}
	if !schemaName.MatchString(c.schema) || strings.HasPrefix(c.schema, "pg_") {
		return nil, wrong(fmt.Errorf("schema=%s: use up to 50 lower-case letters, digits and underscores, not beginning with pg_", c.schema))
	}
	c.staging = c.schema + "_staging"
	if v := q.Get("statement_timeout"); v != "" {
		if c.statementTimeout, err = time.ParseDuration(v); err != nil || c.statementTimeout < 0 {
			return nil, wrong(fmt.Errorf("statement_timeout=%s: use a duration as 30s or 10m, 0 for none", v))
		}
	}
	if v := q.Get("connections"); v != "" {
		if c.connections, err = strconv.Atoi(v); err != nil || c.connections < 1 || c.connections > 64 {
			return nil, wrong(fmt.Errorf("connections=%s: use a number from 1 to 64", v))
		}
	}
	for name := range q {
		switch name {
		case "schema", "statement_timeout", "connections":
			q.Del(name)
		default:
			if !slices.Contains(libpq, name) {
				return nil, wrong(fmt.Errorf("the parameter %s is not known: there are schema, statement_timeout, connections and libpq's, such as sslmode", name))
			}
		}
	}
	u.RawQuery = q.Encode()
	if c.pg, err = pgconn.ParseConfig(u.String()); err != nil {
		return nil, wrong(secretless(err))
	}
	if c.pg.RuntimeParams["application_name"] == "" {
		c.pg.RuntimeParams["application_name"] = "dewpoint"
	}
	return c, nil
}

// identify returns the URL with what tells databases apart and no secret.
func identify(u *url.URL, q url.Values) string {
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if name := u.User.Username(); name != "" {
		plain.User = url.User(name)
	}
	kept := url.Values{}
	for _, name := range []string{"host", "port", "user", "dbname", "database", "service", "schema"} {
		if v := q.Get(name); v != "" {
			kept.Set(name, v)
		}
	}
	plain.RawQuery = kept.Encode()
	return plain.String()
}

// secretless returns the error of ParseConfig without the connection string
// that it quotes.
func secretless(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	text := err.Error()
	if i := strings.LastIndex(text, "`: "); i >= 0 {
		text = text[i+len("`: "):]
	}
	return errors.New(text)
}

// preamble are the settings of every transaction. They end with it, so that a
// pooler may give the connection to somebody else afterwards.
func (c *config) preamble() string {
	q := fmt.Sprintf(`SET LOCAL search_path = %s, %s, %s; SET LOCAL TimeZone = 'UTC'; SET LOCAL standard_conforming_strings = on; SET LOCAL client_min_messages = warning`,
		ident(c.schema), ident(c.staging), ident(c.models()))
	if c.statementTimeout > 0 {
		q += fmt.Sprintf("; SET LOCAL statement_timeout = %d", c.statementTimeout.Milliseconds())
	}
	return q
}
