package workflow

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dewpoint-data/dewpoint/sinks"
)

func TestWrongSinkURLsSayWhatToWrite(t *testing.T) {
	for url, want := range map[string]string{
		"":                                     `sink "" is not a URL of a sink: write `,
		"duckdb:":                              `sink "duckdb:" ends too early: write duckdb:PATH`,
		"estate.duckdb":                        `sink "estate.duckdb" is not a URL: write duckdb:estate.duckdb`,
		"data/estate.db":                       `write duckdb:data/estate.db`,
		"postgres:u:s3cr3t@h/d":                `lacks slashes: write postgres://u:xxxxx@h/d`,
		"s3:/bucket/x":                         `sink "s3:/bucket/x" lacks slashes: write s3://bucket/x`,
		"s3://":                                `ends too early: write s3://BUCKET/PREFIX`,
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
	dir := t.TempDir()
	for url, want := range map[string]string{
		"duckdb:a b.db": "duckdb:a b.db", "DuckDB:x": "duckdb:x", "postgresql://h/d": "postgresql://h/d", "Postgres://h/D": "postgres://h/D",
		"s3://b/p": "s3://b/p", "gs://b": "gs://b", "parquet:x": "parquet:x", "files/": "parquet:files/", dir: "parquet:" + dir,
	} {
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

// TestNoSinkPrintsAPassword opens, plans, checks and reads every kind of sink
// by a URL with a password; none is there to be reached.
func TestNoSinkPrintsAPassword(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("PGCONNECT_TIMEOUT", "2")
	const password = "s3cr3t-p%40ss"
	for _, url := range []string{
		"postgres://u:" + password + "@127.0.0.1:1/d",
		"postgres://u:" + password + "@127.0.0.1:1/d?nothing=1",
		"postgres://u:" + password + "@127.0.0.1:port/d",
		"postgres://127.0.0.1:1/d?user=u&password=" + password,
		"postgres://u:" + password + "%zz@127.0.0.1:1/d",
		"postgres://u:" + password + "@h:1:2/d",
		"s3://u:" + password + "@bucket/prefix?region=us-east-1&endpoint=http://127.0.0.1:1",
		"s3://bucket/prefix?nothing=1&secret=" + password,
		"gs://u:" + password + "@bucket/prefix",
		"snowflake://u:" + password + "@127.0.0.1:1/d/s?protocol=http&loginTimeout=1",
		"snowflake://u:" + password + "@account/d/s?nothing=1",
		"snowflake://u@account/d/s?token=" + password + "&authenticator=oauth&nothing=1",
		"snowflake://u@account/d/s?private_key=" + password,
	} {
		var said []string
		note := func(err error) {
			if err != nil {
				said = append(said, err.Error())
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		c := DefaultConfig()
		c.Sinks, c.LockTimeout = []string{url}, 0
		open, unopened, err := OpenSinks(ctx, c)
		note(err)
		for _, u := range unopened {
			said = append(said, u.URL, u.Err.Error())
		}
		if err == nil {
			for _, s := range open {
				said = append(said, s.URL())
				_, err := s.Begin(ctx, sinks.Sync{ID: uuid.Must(uuid.NewV7())})
				note(err)
				_, err = s.PlanSchema(ctx, nil)
				note(err)
				if k, ok := s.(sinks.Checker); ok {
					for _, f := range k.Check(ctx) {
						said = append(said, f.Text)
					}
				}
			}
			note(CloseSinks(open))
		}
		db, err := OpenReader(ctx, url)
		note(err)
		if err == nil {
			note(db.PingContext(ctx))
			note(db.Close())
		}
		cancel()
		if len(said) == 0 {
			t.Errorf("%s: nothing is said", withoutSecrets(url))
		}
		for _, text := range said {
			if strings.Contains(text, "s3cr3t") {
				t.Errorf("the password is in: %s", text)
			}
		}
	}
}
