package workflow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// OpenEstate opens the sink that a URL names for metrics and rules. The
// function returned closes it.
func OpenEstate(ctx context.Context, url string) (*react.Estate, func() error, error) {
	s, shown, err := findScheme(url)
	if err != nil {
		return nil, nil, err
	}
	db, err := OpenReader(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	e, err := react.Open(ctx, db, s.dialect)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", withoutSecrets(shown), err), db.Close())
	}
	return e, db.Close, nil
}

// FirstEstate opens the first sink of a configuration that can be read, and
// says which it is.
func FirstEstate(ctx context.Context, c *Config) (*react.Estate, string, func() error, error) {
	var failed []error
	for _, url := range c.Sinks {
		e, done, err := OpenEstate(ctx, url)
		if err == nil {
			return e, url, done, nil
		}
		failed = append(failed, nameSink(withoutSecrets(url), err))
	}
	return nil, "", nil, errors.Join(failed...)
}

// nameSink puts the sink's URL before an error that lacks it.
func nameSink(url string, err error) error {
	_, rest, _ := strings.Cut(url, ":")
	if err == nil || strings.Contains(err.Error(), rest) {
		return err
	}
	return fmt.Errorf("%s: %w", url, err)
}

// LoadMetrics are the bundled metrics and those of the configuration.
func LoadMetrics(c *Config) ([]*react.Metric, error) {
	all := react.BundledMetrics()
	for _, dir := range c.React.Metrics {
		own, err := react.LoadMetrics(dir)
		if err != nil {
			return nil, &ConfigError{fmt.Errorf("react.metrics: %w", err)}
		}
		all = react.Merge(all, own)
	}
	return all, nil
}

// ReactSettings are what metrics and rules take from the configuration.
func ReactSettings(c *Config) (react.Settings, error) {
	s := react.DefaultSettings()
	s.OwnerTags, s.RequiredTags = c.React.OwnerTags, c.React.RequiredTags
	s.ExpiresTags, s.ExpirationTags = c.React.ExpiresTags, c.React.ExpirationTags
	var err error
	if s.Prices, err = knownPrices(c.Prices); err != nil {
		return s, &ConfigError{fmt.Errorf("prices: %w", err)}
	}
	return s, nil
}

// ErrKeepsNoMetrics says that a sink has no time series.
var ErrKeepsNoMetrics = errors.New("it keeps no metrics: name a DuckDB file, a Postgres or a Snowflake database")

// KeepMetrics adds measurements to the table metrics of a sink. The estate
// that they were made on must be closed.
func KeepMetrics(ctx context.Context, c *Config, url string, of react.Sync, at time.Time, all []react.Measurement) (err error) {
	s, err := OpenSink(ctx, url, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	keeper, ok := s.(sinks.MetricsKeeper)
	if !ok {
		return fmt.Errorf("%s: %w", s.URL(), ErrKeepsNoMetrics)
	}
	m := sinks.Metrics{MeasuredAt: at, SyncID: of.ID, Retention: time.Duration(c.React.MetricsRetention)}
	for _, x := range all {
		for _, sample := range x.Samples {
			m.Samples = append(m.Samples, sinks.MetricSample{Name: x.Metric.Name, Labels: sample.Labels, Value: sample.Value})
		}
	}
	return keeper.KeepMetrics(ctx, m)
}
