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
	"time"

	"github.com/dewpoint-data/dewpoint/dbt"
	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/aws"
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
			if cloud, _, _ := strings.Cut(n, "_"); slices.Contains([]string{"aws", "gcp", "kubernetes"}, cloud) {
				only = append(only, n)
			}
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

// SourceOptions narrow what a configuration reads, and say where from.
type SourceOptions struct {
	// Only and Skip replace kinds.only and add to kinds.skip.
	Only, Skip []string
	// Profile and Regions replace the configured accounts' and regions.
	Profile string
	Regions []string
	// Record is the folder to keep the answers in, Replay the one to take
	// them from instead of from the clouds. At most one is given.
	Record, Replay string
	Version        string
}

// only are the kinds asked for, empty for all.
func (o SourceOptions) only(c *Config) []string {
	if len(o.Only) > 0 {
		return o.Only
	}
	return c.Kinds.Only
}

// OpenSources makes the sources of a configuration. The function returned
// closes them and finishes the recording.
func OpenSources(ctx context.Context, c *Config, cat *catalog.Catalogue, o SourceOptions) ([]extract.Source, func() error, error) {
	if o.Record != "" && o.Replay != "" {
		return nil, nil, &ConfigError{errors.New("--record and --replay exclude each other")}
	}
	entries, err := cat.Select(o.only(c), append(c.Kinds.Skip[:len(c.Kinds.Skip):len(c.Kinds.Skip)], o.Skip...))
	if err != nil {
		return nil, nil, &ConfigError{err}
	}
	entries = slices.DeleteFunc(entries, func(e *catalog.Entry) bool { return e.Kind.Cloud != "aws" })
	limiter := extract.NewLimiter()
	opts := aws.Options{Limiter: limiter, Profile: o.Profile, UserAgent: "dewpoint/" + o.Version}
	finish := func() error { return nil }
	switch {
	case o.Record != "":
		rec, err := extract.OpenRecorder(o.Record, o.Version)
		if err != nil {
			return nil, nil, err
		}
		opts.Recorder, finish = rec, rec.Close
	case o.Replay != "":
		player, err := extract.OpenPlayer(o.Replay)
		if err != nil {
			return nil, nil, err
		}
		opts.Player = player
	}
	client, err := aws.NewClient(ctx, opts)
	if err != nil {
		return nil, nil, errors.Join(&ConfigError{err}, finish())
	}
	src, err := aws.NewSource(aws.SourceConfig{
		Client: client, Accounts: accounts(c, o), Regions: regions(c, o), Catalogue: cat, Entries: entries,
		Limiter: limiter, ScopeTimeout: time.Duration(c.ScopeTimeout),
	})
	if err != nil {
		client.Close()
		return nil, nil, errors.Join(err, finish())
	}
	return []extract.Source{src}, func() error { src.Close(); return finish() }, nil
}

// accounts are the configured accounts; a profile given besides stands for
// the credentials of all that name none.
func accounts(c *Config, o SourceOptions) []aws.AccountConfig {
	var out []aws.AccountConfig
	for _, a := range c.AWS.Accounts {
		ac := aws.AccountConfig{Profile: a.Profile, Regions: a.Regions}
		ac.RoleARN, ac.ExternalID = a.RoleARN, a.ExternalID
		for _, via := range a.Via {
			ac.Via = append(ac.Via, aws.AssumeRole{RoleARN: via})
		}
		if len(o.Regions) > 0 {
			ac.Regions = nil
		}
		out = append(out, ac)
	}
	return out
}

func regions(c *Config, o SourceOptions) []string {
	if len(o.Regions) > 0 {
		return o.Regions
	}
	return c.AWS.Regions
}
