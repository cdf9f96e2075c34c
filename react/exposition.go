package react

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/common/expfmt"
)

// MetricPrefix stands before the names of metrics where Prometheus sees them.
const MetricPrefix = "dewpoint_"

// Exposition holds the newest measurements for Prometheus. A label that has
// vanished from a measurement vanishes with the next Set. It is safe for
// concurrent use.
type Exposition struct {
	mu       sync.RWMutex
	families []Measurement
	measured time.Time
}

// Set replaces what is exposed. A metric that failed is exposed as failed,
// without samples.
func (x *Exposition) Set(m []Measurement, measured time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.families, x.measured = m, measured
}

// Describe implements prometheus.Collector. What there is to collect is not
// known before.
func (x *Exposition) Describe(chan<- *prometheus.Desc) {}

var (
	metricFailed = prometheus.NewDesc(MetricPrefix+"metric_failed", "Whether a metric could not be computed.", []string{"metric"}, nil)
	metricTime   = prometheus.NewDesc(MetricPrefix+"metrics_timestamp_seconds", "When the metrics were computed.", nil, nil)
)

// Collect implements prometheus.Collector.
func (x *Exposition) Collect(ch chan<- prometheus.Metric) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if !x.measured.IsZero() {
		ch <- prometheus.MustNewConstMetric(metricTime, prometheus.GaugeValue, float64(x.measured.UnixMilli())/1000)
	}
	for _, m := range x.families {
		failed := 0.0
		if m.Err != nil {
			failed = 1
		}
		ch <- prometheus.MustNewConstMetric(metricFailed, prometheus.GaugeValue, failed, m.Metric.Name)
		// All samples of a family carry the same labels; one without a value is
		// empty, which is the same as absent.
		names := map[string]bool{}
		for _, s := range m.Samples {
			for k := range s.Labels {
				names[k] = true
			}
		}
		keys := slices.Sorted(maps.Keys(names))
		desc := prometheus.NewDesc(MetricPrefix+m.Metric.Name, m.Metric.Help, keys, nil)
		for _, s := range m.Samples {
			values := make([]string, len(keys))
			for i, k := range keys {
				values[i] = s.Labels[k]
			}
			v, err := prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.Value, values...)
			if err != nil {
				v = prometheus.NewInvalidMetric(desc, err)
			}
			ch <- v
		}
	}
}

// registry holds nothing but the exposition and others that are given.
func (x *Exposition) registry(others ...prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(x)
	r.MustRegister(others...)
	return r
}

// Handler answers a scrape, in OpenMetrics where it is asked for.
func (x *Exposition) Handler(others ...prometheus.Collector) http.Handler {
	return promhttp.HandlerFor(x.registry(others...), promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// WriteOpenMetrics writes what a scrape would see.
func (x *Exposition) WriteOpenMetrics(w io.Writer) error {
	families, err := x.registry().Gather()
	if err != nil {
		return err
	}
	enc := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	if c, ok := enc.(expfmt.Closer); ok {
		return c.Close()
	}
	return nil
}
