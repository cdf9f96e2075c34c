package sinks

import (
	"context"
	"time"
)

// MetricsKeeper is a sink that keeps a time series of metrics, in its table
// metrics.
type MetricsKeeper interface {
	// KeepMetrics adds samples at once and ends those that are older than the
	// retention. It waits for a sync that holds the database as Begin does.
	KeepMetrics(ctx context.Context, m Metrics) error
}

// Metrics are what was measured at a time.
type Metrics struct {
	MeasuredAt time.Time
	// SyncID is the newest sync, in text form.
	SyncID  string
	Samples []MetricSample
	// Retention ends samples that are older; 0 keeps all.
	Retention time.Duration
}

// MetricSample is one value.
type MetricSample struct {
	Name   string
	Labels map[string]string
	Value  float64
}
