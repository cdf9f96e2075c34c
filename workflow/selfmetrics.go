package workflow

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// selfMetrics are those of dewpoint serve itself, beside those of the estate.
// The names of both begin with dewpoint_, these with dewpoint_serve_.
type selfMetrics struct {
	leader, configOK, inFlight, lastCycle, lastSuccess prometheus.Gauge
	cycles, skipped, jobs, notifications               *prometheus.CounterVec
	next, scopes                                       *prometheus.GaugeVec
	stages                                             *prometheus.HistogramVec

	mu       sync.Mutex
	progress *Progress
}

func newSelfMetrics() *selfMetrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "dewpoint_serve_" + name, Help: help})
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "dewpoint_serve_" + name, Help: help}, labels)
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "dewpoint_serve_" + name, Help: help}, labels)
	}
	m := &selfMetrics{
		leader:        gauge("leader", "Whether this process leads."),
		configOK:      gauge("config_ok", "Whether the newest reading of the configuration succeeded."),
		inFlight:      gauge("in_flight", "How many cycles and scheduled jobs are being done."),
		lastCycle:     gauge("last_cycle_timestamp_seconds", "When the newest cycle began."),
		lastSuccess:   gauge("last_success_timestamp_seconds", "When the newest cycle ended that was complete."),
		cycles:        counter("cycles_total", "Cycles by how they ended: complete, partial, failed.", "state"),
		skipped:       counter("skipped_total", "Times that passed while the same was waiting already.", "task"),
		jobs:          counter("jobs_total", "Jobs by result: done, nothing, failed.", "job", "result"),
		notifications: counter("notifications_total", "Messages by channel and result: sent, failed.", "channel", "result"),
		next:          gauges("next_timestamp_seconds", "When the next cycle, or scheduled job, is due.", "task"),
		scopes:        gauges("scopes", "Scopes of the newest sync by state.", "state"),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "dewpoint_serve_stage_duration_seconds", Help: "How long the stages of cycles took.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 1800, 3600, 7200},
		}, []string{"stage"}),
	}
	m.configOK.Set(1)
	// What did not happen yet happened 0 times.
	for _, state := range []string{"complete", "partial", "failed"} {
		m.cycles.WithLabelValues(state)
	}
	return m
}

func (m *selfMetrics) all() []prometheus.Collector {
	reading := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "dewpoint_serve_reading", Help: "How many lists are being read, or wait to be.",
	}, m.reading)
	return []prometheus.Collector{
		m.leader, m.configOK, m.inFlight, m.lastCycle, m.lastSuccess, m.cycles, m.skipped, m.jobs, m.notifications, m.next, m.scopes, m.stages, reading,
	}
}

// reads says whose progress reading is.
func (m *selfMetrics) reads(p *Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.progress = p
}

func (m *selfMetrics) reading() float64 {
	m.mu.Lock()
	p := m.progress
	m.mu.Unlock()
	if p == nil {
		return 0
	}
	s := p.Snapshot()
	return float64(s.Tasks - s.Done)
}

// ended notes how a cycle ended; r is nil where it did not begin.
func (m *selfMetrics) ended(r *CycleReport) {
	m.reads(nil)
	if r == nil {
		m.cycles.WithLabelValues("failed").Inc()
		return
	}
	m.cycles.WithLabelValues(r.State()).Inc()
	if r.State() == "complete" {
		m.lastSuccess.Set(seconds(r.FinishedAt))
	}
	for _, s := range r.Stages {
		m.stages.WithLabelValues(s.Name).Observe(s.Took.Seconds())
	}
	for _, j := range r.Jobs {
		m.job(j)
	}
	if r.Sync != nil {
		m.scopes.Reset()
		for state, n := range r.Sync.Scopes {
			m.scopes.WithLabelValues(string(state)).Set(float64(n))
		}
	}
}

func (m *selfMetrics) job(j JobReport) {
	result := "done"
	switch {
	case j.Err != nil:
		result = "failed"
	case !j.Did:
		result = "nothing"
	}
	m.jobs.WithLabelValues(j.Name, result).Inc()
}

func (m *selfMetrics) notified(channel string, err error) {
	result := "sent"
	if err != nil {
		result = "failed"
	}
	m.notifications.WithLabelValues(channel, result).Inc()
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
