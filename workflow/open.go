package workflow

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/duckdb"
	"github.com/dewpoint-data/dewpoint/sinks/parquet"
	"github.com/dewpoint-data/dewpoint/sinks/postgres"
	"github.com/dewpoint-data/dewpoint/sinks/snowflake"
)

// sinkScheme is a kind of sink, known by how its URLs begin.
type sinkScheme struct {
	prefixes []string
	example  string
	dialect  react.Dialect
	open     func(ctx context.Context, url string, c *Config) (sinks.Sink, error)
	read     func(ctx context.Context, url string) (*sql.DB, error)
}

// sinkSchemes are all sinks there are.
func sinkSchemes() []sinkScheme {
	return []sinkScheme{{
		prefixes: []string{"duckdb:"}, example: "duckdb:PATH", dialect: react.DuckDB,
		open: func(_ context.Context, url string, c *Config) (sinks.Sink, error) {
			return duckdb.Open(strings.TrimPrefix(url, "duckdb:"), duckdb.Options{LockTimeout: c.lockTimeout()})
		},
		read: func(ctx context.Context, url string) (*sql.DB, error) {
			return duckdb.OpenReader(ctx, strings.TrimPrefix(url, "duckdb:"))
		},
	}, {
		prefixes: []string{"postgres://", "postgresql://"}, example: "postgres://USER@HOST/DATABASE", dialect: react.Postgres,
		open: func(ctx context.Context, url string, c *Config) (sinks.Sink, error) {
			return postgres.Open(ctx, url, postgres.Options{LockTimeout: c.lockTimeout()})
		},
		read: postgres.OpenReader,
	}, {
		prefixes: []string{"parquet:", "s3://", "gs://"}, example: "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, a directory", dialect: react.DuckDB,
		open: func(ctx context.Context, url string, c *Config) (sinks.Sink, error) {
			return parquet.Open(ctx, url, parquet.Options{LockTimeout: c.lockTimeout()})
		},
		read: parquet.OpenReader,
	}, {
		prefixes: []string{"snowflake://"}, example: "snowflake://USER@ACCOUNT/DATABASE/SCHEMA", dialect: react.Snowflake,
		open: func(ctx context.Context, url string, c *Config) (sinks.Sink, error) {
			return snowflake.Open(ctx, url, snowflake.Options{LockTimeout: c.lockTimeout()})
		},
		read: snowflake.OpenReader,
	}}
}

// SinkPrefixes are the beginnings of the URLs of all sinks.
func SinkPrefixes() []string {
	var all []string
	for _, s := range sinkSchemes() {
		all = append(all, s.prefixes...)
	}
	return all
}

// OpenSink opens the sink that a URL names.
func OpenSink(ctx context.Context, url string, c *Config) (sinks.Sink, error) {
	s, url, err := findScheme(url)
	if err != nil {
		return nil, err
	}
	sink, err := s.open(ctx, url, c)
	return sink, hide(err, url)
}

// OpenSinks opens the sinks of a configuration. Those that cannot be opened
// are reported beside the others; the error is not nil where the
// configuration is wrong. The caller closes the sinks.
func OpenSinks(ctx context.Context, c *Config) (open []sinks.Sink, unopened []SinkReport, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, CloseSinks(open))
		}
	}()
	named := map[string]bool{}
	for _, url := range c.Sinks {
		s, err := OpenSink(ctx, url, c)
		var config *ConfigError
		var wrong *sinks.URLError
		switch {
		case errors.As(err, &config) || errors.As(err, &wrong):
			return open, nil, err
		case err != nil:
			unopened = append(unopened, SinkReport{URL: withoutSecrets(url), Err: err})
			continue
		}
		open = append(open, s)
		if named[s.URL()] {
			return open, nil, &ConfigError{fmt.Errorf("sink %s is named twice: name it once", s.URL())}
		}
		named[s.URL()] = true
	}
	return open, unopened, nil
}

// CloseSinks closes sinks.
func CloseSinks(open []sinks.Sink) error {
	var err error
	for _, s := range open {
		err = errors.Join(err, s.Close())
	}
	return err
}

// OpenReader opens the sink that a URL names for SQL that changes nothing.
func OpenReader(ctx context.Context, url string) (*sql.DB, error) {
	s, url, err := findScheme(url)
	if err != nil {
		return nil, err
	}
	db, err := s.read(ctx, url)
	return db, hide(err, url)
}

// ShowURL is a sink's URL as it may be shown, without secrets.
func ShowURL(url string) string { return withoutSecrets(url) }

// LoadCatalogue loads the built-in kinds and those of the configuration.
func LoadCatalogue(c *Config) (*catalog.Catalogue, error) { return loadCatalogue(c, nil) }

// LoadSelected is LoadCatalogue for a sync of a few kinds: services of which
// neither it nor the dbt project reads anything are known by their kinds' names
// alone.
func LoadSelected(c *Config, o SourceOptions) (*catalog.Catalogue, error) {
	only := o.only(c)
	if len(only) > 0 {
		named, err := dbt.Sources()
		if err != nil {
			return nil, err
		}
		only = slices.Clone(only)
		for _, n := range named {
			if cloud, _, _ := strings.Cut(n, "_"); slices.Contains(cloudNames, cloud) {
				only = append(only, n)
			}
		}
		if slices.Contains(c.Clouds(), "kubernetes") || o.Replay != "" {
			// What a cluster serves besides is what none of these is.
			only = append(only, "kubernetes")
		}
	}
	return loadCatalogue(c, only)
}

func loadCatalogue(c *Config, only []string) (*catalog.Catalogue, error) {
	o := catalog.Options{Only: only}
	// Most of what loading allocates stays: to collect it early is for nothing.
	if p := debug.SetGCPercent(300); p > 0 {
		defer debug.SetGCPercent(p)
	} else {
		debug.SetGCPercent(p)
	}
	for _, p := range c.Catalogue {
		fi, err := os.Stat(p)
		switch {
		case err != nil:
			return nil, &ConfigError{fmt.Errorf("catalogue: %w", err)}
		case fi.IsDir():
			o.Dirs = append(o.Dirs, p)
		default:
			o.Files = append(o.Files, p)
		}
	}
	cat, err := clouds.Load(o)
	var wrong catalog.Problems
	if errors.As(err, &wrong) {
		return nil, &ConfigError{err}
	}
	return cat, err
}
