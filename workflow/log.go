package workflow

import (
	"log/slog"
	"time"
)

// LogCycle writes what came of a cycle to a log, but its sync: what was built,
// measured, planned and applied, and what failed.
func LogCycle(log *slog.Logger, r *CycleReport) {
	for _, m := range r.Models {
		log.Info("transformed", "sink", m.URL, "models", len(m.Built), "seconds", m.Took.Seconds())
	}
	if len(r.Metrics) > 0 {
		samples := 0
		for _, m := range r.Metrics {
			samples += len(m.Samples)
		}
		log.Info("measured", "metrics", len(r.Metrics), "values", samples)
	}
	for _, p := range r.Plans {
		log.Info("planned", "rule", p.Rule, "plan", p.ID, "ready", len(p.Ready()), "blocked", len(p.Blocked()), "waiting", len(p.Waiting), "left_alone", len(p.Skipped), "refused", p.Refused)
	}
	for _, o := range r.Outcomes {
		for _, t := range o.Results {
			if t.Done {
				log.Info("done", "rule", o.Rule, "plan", o.Plan.ID, "kind", t.Kind, "id", t.ID, "account", t.Account, "region", t.Region, "reason", t.Reason)
			} else {
				log.Warn("left", "rule", o.Rule, "plan", o.Plan.ID, "kind", t.Kind, "id", t.ID, "account", t.Account, "region", t.Region, "reason", t.Reason, "why", t.Why)
			}
		}
	}
	for _, j := range r.Jobs {
		logJob(log, j)
	}
	for _, s := range r.Stages {
		if s.Err != nil {
			log.Error(s.Name+" failed", "error", s.Err.Error())
		}
	}
	log.Info("cycle ended", "cycle", r.ID, "state", r.State(), "seconds", r.FinishedAt.Sub(r.StartedAt).Round(time.Millisecond).Seconds())
}
