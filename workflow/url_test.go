package workflow

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWrongSinkURLsSayWhatToWrite(t *testing.T) {
	for url, want := range map[string]string{
		"":                                     `sink "" is not a URL of a sink: write `,
		"duckdb:":                              `sink "duckdb:" ends too early: write duckdb:PATH`,
		"estate.duckdb":                        `sink "estate.duckdb" is not a URL: write duckdb:estate.duckdb`,
		"data/estate.db":                       `write duckdb:data/estate.db`,
		"mysql://u@h/d":                        `sink "mysql://u@h/d" is not a URL of a sink`,
		"mysql://u:s3cr3t@h/d?password=s3cr3t": `sink "mysql://u:xxxxx@h/d?password=xxxxx" is not a URL of a sink`,
	} {
		_, _, err := findScheme(url)
		var config *ConfigError
		if !errors.As(err, &config) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: the error has the password: %v", url, err)
		}
	}
	for url, want := range map[string]string{"duckdb:a b.db": "duckdb:a b.db", "DuckDB:x": "duckdb:x"} {
		if _, got, err := findScheme(url); err != nil || got != want {
			t.Errorf("%q is opened as %q, %v", url, got, err)
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	for url, want := range map[string]string{
		"duckdb:estate.duckdb":                            "duckdb:estate.duckdb",
		"postgres://h:5432/d":                             "postgres://h:5432/d",
		"postgres://u@h/d":                                "postgres://u@h/d",
		"postgres://u:pw@h/d":                             "postgres://u:xxxxx@h/d",
		"postgres://u:p@w/x?y#z@h1:1,h2:2/d":              "postgres://u:xxxxx@h1:1,h2:2/d",
		"postgres://u:p%40w@h/d?sslmode=require":          "postgres://u:xxxxx@h/d?sslmode=require",
		"postgres://h/d?user=u&password=pw&sslpassword=q": "postgres://h/d?user=u&password=xxxxx&sslpassword=xxxxx",
		"snowflake://u:pw@acc/db?privateKey=abc&role=r":   "snowflake://u:xxxxx@acc/db?privateKey=xxxxx&role=r",
		"snowflake://acc/db?token=abc#x":                  "snowflake://acc/db?token=xxxxx#x",
		"s3://AKIA:secret@bucket/prefix":                  "s3://AKIA:xxxxx@bucket/prefix",
		"postgres:/u:pw@h/d":                              "postgres:/u:xxxxx@h/d",
	} {
		if got := withoutSecrets(url); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
	err := hide(fmt.Errorf("cannot dial with p%%40w or p@w: %w", os.ErrNotExist), "postgres://u:p%40w@h/d")
	if got := err.Error(); got != "cannot dial with xxxxx or xxxxx: file does not exist" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error is %q", got)
	}
}

func TestVariablesInURLs(t *testing.T) {
	t.Setenv("WF_USER", "a@b")
	t.Setenv("WF_PASSWORD", "p@s/s?#% +")
	t.Setenv("WF_URL", "postgres://u:p%40@h/d")
	t.Setenv("WF_DIR", "a/b")
	for url, want := range map[string]string{
		"postgres://${WF_USER}:${WF_PASSWORD}@h/d": "postgres://a%40b:p%40s%2Fs%3F%23%25%20+@h/d",
		"${WF_URL}":                                  "postgres://u:p%40@h/d",
		"duckdb:${WF_DIR}/c":                         "duckdb:a/b/c",
		"s3://bucket/${WF_DIR}/x@y":                  "s3://bucket/a/b/x@y",
		"snowflake://u@h/d?x=1&token=${WF_PASSWORD}": "snowflake://u@h/d?x=1&token=p%40s%2Fs%3F%23%25+%2B",
	} {
		got, err := ExpandURLs([]string{url})
		if err != nil || got[0] != want {
			t.Errorf("%s becomes %s, %v, want %s", url, got, err, want)
		}
		path := filepath.Join(t.TempDir(), "dewpoint.yaml")
		if err := os.WriteFile(path, []byte("sinks:\n  - duckdb:x\n  - "+url+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadConfig(path)
		if err != nil || c.Sinks[1] != want {
			t.Errorf("in the file %s becomes %v, %v, want %s", url, c, err, want)
		}
	}
	_, err := ExpandURLs([]string{"postgres://u:pw@h/${WF_NOT_SET}"})
	if err == nil || err.Error() != `sink "postgres://u:xxxxx@h/${WF_NOT_SET}": the environment variable WF_NOT_SET is not set` {
		t.Errorf("the error is %v", err)
	}
}

func TestSinkIsNamedOnce(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	c := DefaultConfig()
	c.Sinks = []string{"duckdb:a.db", "duckdb:" + filepath.Join(dir, "a.db")}
	var config *ConfigError
	if _, _, err := OpenSinks(t.Context(), c); !errors.As(err, &config) || !strings.Contains(err.Error(), "a.db is named twice") {
		t.Errorf("the error is %v", err)
	}
}

func TestNoLockTimeoutIsNotTheDefault(t *testing.T) {
	c := &Config{}
	if c.lockTimeout() >= 0 {
		t.Error("a timeout of 0 waits")
	}
	c.LockTimeout = Duration(time.Second)
	if c.lockTimeout() != time.Second {
		t.Error("a timeout is lost")
	}
}
