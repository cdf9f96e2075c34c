// Package parquet is the sink that keeps an estate as Parquet files: on disk,
// in a bucket of S3 or of Google Cloud Storage.
//
// A sync is staged in a local folder. The commit writes the files of the kinds
// that changed and then, as one object that must not be there yet, a manifest
// that names the files of all tables. A file is never written twice, so that
// whoever reads a manifest's files sees one state whole.
//
// The package needs the build tag duckdb_arrow.
package parquet

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/iceberg"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

// Options tune a sink. The zero value is ready to use.
type Options struct {
	// LockTimeout is how long to wait for another sync; 10 seconds if zero,
	// not at all if negative.
	LockTimeout time.Duration
	// HashBudget bounds the memory in bytes for the hashes by which unchanged
	// rows are told before they are staged, 64 MB if zero. Kinds beyond it
	// are staged in full.
	HashBudget int64
	// Threads is the number of files that are encoded at once, at most 2 if
	// zero. Each takes about 30 MB.
	Threads int
	// Writing, if it is not nil, is called by a commit before the files of a
	// kind's table, or of its part of resources, are written and when they are
	// done. Calls come one at a time.
	Writing func(table, kind string, done bool)
}

// Sink is an estate of Parquet files.
type Sink struct {
	store objects.Store
	// local is the folder of a store on disk, empty for a bucket.
	local string
	// staging is where the folders of the syncs lie.
	staging string
	// retention is how long a superseded manifest and its files stay.
	retention time.Duration
	// catalog shows the tables to engines that read Iceberg, nil without one.
	catalog *iceberg.Catalog
	opts    Options
	// at is called at every step of the protocol; tests kill the process there.
	at func(step string)
}

var _ sinks.Sink = (*Sink)(nil)

// defaultRetention is how long superseded states can be read.
const defaultRetention = 7 * 24 * time.Hour

// Open names an estate: a directory, parquet:DIR, s3://BUCKET/PREFIX or
// gs://BUCKET/PREFIX. Parameters of the URL are retention, how long superseded
// states stay (168h, 30d; 0 removes them with the next sync), staging, the
// folder for a sync's own files, and those of objects.Open. format=iceberg shows
// the tables in an Iceberg catalog too; its parameters are those of iceberg.Open.
// Nothing is read or written before Begin.
func Open(ctx context.Context, rawURL string, o Options) (*Sink, error) {
	s := &Sink{opts: o, retention: defaultRetention, at: func(string) {}}
	if s.opts.LockTimeout == 0 {
		s.opts.LockTimeout = 10 * time.Second
	}
	if s.opts.HashBudget == 0 {
		s.opts.HashBudget = 64 << 20
	}
	if s.opts.Threads == 0 {
		s.opts.Threads = min(runtime.GOMAXPROCS(0), 2)
	}
	shown, _, _ := strings.Cut(rawURL, "?")
	place, catalog, err := s.takeParameters(rawURL)
	if err != nil {
		return nil, &sinks.URLError{URL: shown, Err: err}
	}
	if s.store, err = objects.Open(ctx, place); err != nil {
		return nil, &sinks.URLError{URL: shown, Err: err}
	}
	if catalog != nil {
		if s.catalog, err = iceberg.Open(catalog, s.store, "syncs"); err != nil {
			return nil, &sinks.URLError{URL: shown, Err: err}
		}
	}
	if s.staging == "" {
		s.staging = filepath.Join(os.TempDir(), "dewpoint-parquet")
		if s.local != "" {
			s.staging = filepath.Join(s.local, filepath.FromSlash(ownFolder), "staging")
		}
	}
	return s, nil
}

// takeParameters reads the sink's own parameters. It returns the URL without
// them and the parameters of the Iceberg catalog, nil without one.
func (s *Sink) takeParameters(rawURL string) (string, url.Values, error) {
	place, query, found := strings.Cut(rawURL, "?")
	if place == "" || place == "parquet:" {
		return "", nil, errors.New("no place is named: use parquet:DIR, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX")
	}
	if !strings.HasPrefix(place, "s3:") && !strings.HasPrefix(place, "gs:") {
		dir := strings.TrimPrefix(strings.TrimPrefix(place, "parquet:"), "file:")
		abs, err := filepath.Abs(dir)
		if err != nil {
			return "", nil, err
		}
		s.local, place = abs, "file:"+abs
	}
	if !found {
		return place, nil, nil
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, errors.New("its parameters cannot be read")
	}
	if v := params.Get("retention"); v != "" {
		if s.retention, err = parseAge(v); err != nil {
			return "", nil, err
		}
	}
	if v := params.Get("staging"); v != "" {
		s.staging = v
	}
	var catalog url.Values
	switch v := params.Get("format"); v {
	case "", "parquet":
	case "iceberg":
		catalog = url.Values{}
		for _, name := range iceberg.Parameters() {
			catalog.Set(name, params.Get(name))
			params.Del(name)
		}
	default:
		return "", nil, fmt.Errorf("format=%s is not known: use parquet or iceberg", v)
	}
	params.Del("format")
	params.Del("retention")
	params.Del("staging")
	if len(params) == 0 {
		return place, catalog, nil
	}
	if s.local != "" {
		for name := range params {
			return "", nil, fmt.Errorf("there is no parameter %s for a directory: use retention or staging", name)
		}
	}
	return place + "?" + params.Encode(), catalog, nil
}

// parseAge reads a duration in hours (36h) or days (30d).
func parseAge(v string) (time.Duration, error) {
	if v == "0" {
		return 0, nil
	}
	if n, ok := strings.CutSuffix(v, "d"); ok {
		if days, err := strconv.Atoi(n); err == nil && days >= 0 {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(v); err == nil && d >= 0 && !strings.HasSuffix(v, "m") {
		return d, nil
	}
	return 0, fmt.Errorf("retention=%s is no age: use days or hours, such as 30d or 36h", v)
}

// URL identifies the estate without its parameters.
func (s *Sink) URL() string {
	if s.local != "" {
		return "parquet:" + s.local
	}
	return s.store.URL()
}

// Close ends connections.
func (s *Sink) Close() error { return s.store.Close() }

// Begin takes the lease, sweeps what a crashed sync left in the staging
// folder, checks the tables against the kinds and loads the hashes of the rows
// that are already there.
func (s *Sink) Begin(ctx context.Context, sync sinks.Sync) (sinks.Tx, error) {
	l, err := takeLease(ctx, s.store, sync.ID.String(), s.opts.LockTimeout)
	if err != nil {
		return nil, s.named(err)
	}
	s.at("begin:leased")
	t, err := newTx(s, sync, l)
	if err == nil {
		err = t.load(ctx)
	}
	if err != nil {
		if t != nil {
			t.end()
		} else {
			l.release(context.WithoutCancel(ctx))
		}
		return nil, s.named(err)
	}
	s.at("begin:loaded")
	return t, nil
}

// named gives a LockedError the sink's URL.
func (s *Sink) named(err error) error {
	var locked *sinks.LockedError
	if errors.As(err, &locked) {
		locked.URL = s.URL()
	}
	return err
}
