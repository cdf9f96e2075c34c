package daemon

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when something is due.
type Schedule struct {
	text  string
	cron  cron.Schedule // nil for an interval
	every time.Duration
}

// ParseSchedule reads five fields of cron, a descriptor such as @daily, or an
// interval such as 30m. Fields of cron are read in a time zone.
func ParseSchedule(text string, zone *time.Location) (*Schedule, error) {
	text = strings.TrimSpace(text)
	if d, err := time.ParseDuration(text); err == nil {
		if d < time.Minute {
			return nil, fmt.Errorf("%q is shorter than a minute", text)
		}
		return &Schedule{text: text, every: d}, nil
	}
	if strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ=") || strings.HasPrefix(text, "@every") {
		return nil, fmt.Errorf("%q: write an interval as 30m; the key timezone says the time zone", text)
	}
	s, err := cron.ParseStandard(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no schedule: write cron's five fields, as in 17 * * * *, or an interval, as in 30m: %w", text, err)
	}
	if spec, ok := s.(*cron.SpecSchedule); ok {
		spec.Location = zone
	}
	if s.Next(time.Now()).IsZero() {
		return nil, fmt.Errorf("%q never comes", text)
	}
	return &Schedule{text: text, cron: s}, nil
}

func (s *Schedule) String() string { return s.text }

// Next is the first instant after another at which it is due; an interval
// counts from that.
func (s *Schedule) Next(after time.Time) time.Time {
	if s.cron == nil {
		return after.Add(s.every)
	}
	return s.cron.Next(after)
}

// first is when it is due first, now being the present and last the time at
// which it was done last. What was missed meanwhile is caught up with at once,
// or is not.
func (s *Schedule) first(now, last time.Time, catchUp bool) time.Time {
	if last.After(now) {
		last = now // of another clock
	}
	if last.IsZero() {
		if catchUp {
			return now
		}
		return s.Next(now)
	}
	at := s.Next(last)
	switch {
	case at.After(now):
		return at
	case catchUp:
		return now
	}
	return s.Next(now)
}
