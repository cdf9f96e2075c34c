package workflow

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// findScheme finds the kind of sink that a URL names and returns the URL as
// that sink takes it: a directory is a parquet URL.
func findScheme(u string) (sinkScheme, string, error) {
	schemes := sinkSchemes()
	wrong := func(format string, args ...any) (sinkScheme, string, error) {
		return sinkScheme{}, "", &ConfigError{fmt.Errorf("sink %q "+format, append([]any{withoutSecrets(u)}, args...)...)}
	}
	if isDirectory(u) {
		u = "parquet:" + u
	}
	var known, examples []string
	for _, s := range schemes {
		for _, p := range s.prefixes {
			known = append(known, p)
			if len(u) < len(p) || !strings.EqualFold(u[:len(p)], p) {
				continue
			}
			if len(u) == len(p) {
				return wrong("ends too early: write %s", s.example)
			}
			return s, p + u[len(p):], nil
		}
		examples = append(examples, s.example)
	}
	name, rest, _ := strings.Cut(u, ":")
	for _, p := range known {
		switch scheme := strings.TrimRight(p, ":/"); {
		case strings.EqualFold(name, scheme) && rest != "": // postgres:x, s3:/x
			return wrong("lacks slashes: write %s%s", p, withoutSecrets(p + strings.TrimLeft(rest, "/"))[len(p):])
		case strings.HasSuffix(u, "."+scheme) || strings.HasSuffix(u, ".db") && scheme == "duckdb":
			return wrong("is not a URL: write duckdb:%s", u)
		}
	}
	return wrong("is not a URL of a sink: write one of %s", strings.Join(examples, ", "))
}

// isDirectory says whether what stands in the place of a URL is a directory:
// one that exists, or a path that ends in a slash.
func isDirectory(u string) bool {
	if strings.Contains(u, "://") || u == "" {
		return false
	}
	for _, s := range sinkSchemes() {
		for _, p := range s.prefixes {
			if strings.HasPrefix(u, strings.TrimRight(p, "/")) {
				return false
			}
		}
	}
	if strings.HasSuffix(u, "/") {
		return true
	}
	fi, err := os.Stat(u)
	return err == nil && fi.IsDir()
}

// ExpandURLs replaces ${NAME} in the URLs of sinks by environment variables.
func ExpandURLs(urls []string) ([]string, error) {
	var out []string
	for _, u := range urls {
		v, missing := expandURL(u)
		if missing != "" {
			return nil, &ConfigError{fmt.Errorf("sink %q: the environment variable %s is not set", withoutSecrets(u), missing)}
		}
		out = append(out, v)
	}
	return out, nil
}

// expandURL replaces ${NAME} in a URL. Where it stands for the user or the
// password, or for the value of a parameter, it is percent-encoded, so that it
// may hold any character. It names a variable that is not set.
func expandURL(u string) (expanded, missing string) {
	var b strings.Builder
	at := 0
	for _, m := range variable.FindAllStringSubmatchIndex(u, -1) {
		v, ok := os.LookupEnv(u[m[2]:m[3]])
		if !ok {
			return "", u[m[2]:m[3]]
		}
		before, after := u[:m[0]], u[m[1]:]
		_, authority, ok := strings.Cut(before, "://")
		switch {
		case ok && strings.Contains(authority, "?"):
			v = url.QueryEscape(v)
		case ok && !strings.Contains(authority, "/") && strings.Contains(after, "@"):
			v = strings.TrimPrefix(url.UserPassword("", v).String(), ":")
		}
		b.WriteString(u[at:m[0]] + v)
		at = m[1]
	}
	return b.String() + u[at:], ""
}

var (
	// credentials are a user and a password, wherever the password ends.
	credentials = regexp.MustCompile(`^([A-Za-z0-9+.-]+:/*)([^:@/?]*):(.*)@`)
	secretParam = regexp.MustCompile(`(?i)([?&][^=&]*(?:pass|secret|token|key|credential|pwd)[^=&]*=)([^&#]*)`)
)

const hidden = "xxxxx"

// withoutSecrets is a URL as it may be shown: without a password and without
// the values of parameters that look like secrets. It takes malformed ones.
func withoutSecrets(u string) string {
	if m := credentials.FindStringSubmatchIndex(u); m != nil {
		u = u[:m[6]] + hidden + u[m[7]:]
	}
	return secretParam.ReplaceAllString(u, "${1}"+hidden)
}

// secrets are what withoutSecrets hides, as written and decoded.
func secrets(u string) []string {
	var out []string
	add := func(s string) {
		if v, err := url.PathUnescape(s); err == nil && v != s {
			out = append(out, v)
		}
		if v, err := url.QueryUnescape(s); err == nil && v != s {
			out = append(out, v)
		}
		out = append(out, s)
	}
	if m := credentials.FindStringSubmatch(u); m != nil {
		add(m[3])
	}
	for _, m := range secretParam.FindAllStringSubmatch(u, -1) {
		add(m[2])
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// hide returns the error without the secrets of a URL in its text.
func hide(err error, u string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, s := range secrets(u) {
		text = strings.ReplaceAll(text, s, hidden)
	}
	if text == err.Error() {
		return err
	}
	return &hiddenError{text, err}
}

type hiddenError struct {
	text string
	err  error
}

func (e *hiddenError) Error() string { return e.text }

// As lets a caller ask what the error is, without its text.
func (e *hiddenError) As(target any) bool { return errors.As(e.err, target) }

// Is lets a caller compare the error, without its text.
func (e *hiddenError) Is(target error) bool { return errors.Is(e.err, target) }
