package workflow

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/dewpoint-data/dewpoint/workflow/daemon"
)

// ServeConfig says when dewpoint serve does a cycle, and where it answers.
type ServeConfig struct {
	// Schedule is cron's five fields, or an interval: 30m.
	Schedule string `yaml:"schedule"`
	// Timezone is whose time the fields of cron are in: Europe/Berlin.
	Timezone string `yaml:"timezone"`
	// Jitter is how much later a cycle may begin, by chance.
	Jitter Duration `yaml:"jitter"`
	// CatchUp says what becomes of a time that passed while nobody served: once
	// does a cycle at once, skip waits for the next time.
	CatchUp string `yaml:"catch_up"`
	// Lease is how long a leader that cannot be reached keeps others out, and
	// who applies plans.
	Lease Duration `yaml:"lease"`
	// Listen is the address of metrics and probes; empty does not answer.
	Listen string `yaml:"listen"`
}

// minLease leaves a second to renew a lease in, and another to end in.
const minLease = 4 * time.Second

func (s *ServeConfig) zone() (*time.Location, error) {
	zone, err := time.LoadLocation(s.Timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone %q is not known: write it as Europe/Berlin", s.Timezone)
	}
	return zone, nil
}

func (s *ServeConfig) schedule() (*daemon.Schedule, error) {
	zone, err := s.zone()
	if err != nil {
		return nil, err
	}
	return daemon.ParseSchedule(s.Schedule, zone)
}

func (s *ServeConfig) validate() error {
	if _, err := s.schedule(); err != nil {
		return err
	}
	if s.CatchUp != "once" && s.CatchUp != "skip" {
		return fmt.Errorf("catch_up is %q: take once or skip", s.CatchUp)
	}
	if s.Lease < Duration(minLease) {
		return fmt.Errorf("lease is %s: take %s or more", time.Duration(s.Lease), minLease)
	}
	if s.Listen != "" {
		if _, _, err := net.SplitHostPort(s.Listen); err != nil {
			return errors.New("listen is " + s.Listen + ": write HOST:PORT")
		}
	}
	return nil
}
