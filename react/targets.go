package react

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/react/timespan"
)

// readLedger reads what was done to resources: the newest action of each, and
// the newest correction of a tag that says when it ends. An action that was
// begun may have been carried out.
func (s *planning) readLedger(ctx context.Context) error {
	all, err := s.Store.Actions(ctx, ActionFilter{})
	if err != nil {
		return err
	}
	s.acted, s.fixed = map[string]Action{}, map[string]time.Time{}
	for _, a := range all {
		if a.State == Failed {
			continue
		}
		if old, ok := s.acted[a.UID]; !ok || old.At.Before(a.At) {
			s.acted[a.UID] = a
		}
		if a.Verb == action.Tag && (a.Set == nil || s.saysWhen(a.Set)) && s.fixed[a.UID].Before(a.At) {
			s.fixed[a.UID] = a.At
		}
	}
	return nil
}

// saysWhen says whether tags hold when a resource ends.
func (s *planning) saysWhen(tags map[string]string) bool {
	for k := range tags {
		if slices.Contains(s.Settings.ExpiresTags, k) || slices.Contains(s.Settings.ExpirationTags, k) {
			return true
		}
	}
	return false
}

// changed says which rule changed, or changes, a resource since the newest sync
// began, empty for none. Its row is of before.
func (s *planning) changed(uid string) string {
	since, a := s.Estate.Sync.StartedAt, s.acted[uid]
	if s.of != nil {
		if since = s.of.SyncedAt; a.Plan == s.of.ID {
			return ""
		}
	}
	if a.At.After(since) {
		return "the rule " + a.Rule + " changed it after the newest sync began"
	}
	if rule := s.Corrected[uid]; rule != "" && s.rule.Action == action.Delete {
		return "the rule " + rule + " corrects its tags first"
	}
	return ""
}

func (s *planning) skip(uid, format string, args ...any) {
	k := Skip{UID: uid, Why: fmt.Sprintf(format, args...)}
	if f := s.facts[uid]; f != nil {
		k.Cloud, k.Kind, k.ID, k.Name, k.Account, k.Region = f.Cloud, f.Kind, f.ID, f.Name, f.Account, f.Region
	}
	s.plan.Skipped = append(s.plan.Skipped, k)
}

// targets are the _ids of the rows that are due, sorted. Others are skipped or
// wait.
func (s *planning) targets(ctx context.Context) ([]string, error) {
	var matched []string
	for _, uid := range slices.Sorted(maps.Keys(s.rows)) {
		if s.isTarget(uid) {
			matched = append(matched, uid)
		}
	}
	if err := s.remember(ctx, matched); err != nil {
		return nil, err
	}
	var due []string
	for _, uid := range matched {
		m := s.marks[uid]
		at := m.FirstMatchedAt.Add(time.Duration(s.rule.Grace))
		if s.rule.NotifyBefore {
			at = m.NotifiedAt.Add(time.Duration(s.rule.Grace))
		}
		switch {
		case s.rule.NotifyBefore && m.NotifiedAt.IsZero():
			s.wait(uid, s.now.Add(time.Duration(s.rule.Grace)), "nobody has been told yet")
		case len(s.rule.Absent) > 0 && (m.FirstSync == s.plan.Sync || !s.absence(s.facts[uid]).oldest.After(m.AbsentAt)):
			// One reading that lacks something does not show that it is gone.
			s.wait(uid, at, "absent since this sync only: it must be in the next as well")
		case at.After(s.now):
			s.wait(uid, at, "")
		default:
			due = append(due, uid)
		}
	}
	return due, nil
}

func (s *planning) wait(uid string, at time.Time, why string) {
	t := s.target(uid)
	t.DueAt = at
	if why != "" {
		t.Reason += "; " + why
	}
	s.plan.Waiting = append(s.plan.Waiting, t)
}

// isTarget says whether a row may be a target at all.
func (s *planning) isTarget(uid string) bool {
	f, row := s.facts[uid], s.rows[uid]
	switch {
	case f == nil:
		s.skip(uid, "the table resources has no such _id")
	case !matches(s.rule.Kinds, f.Kind) || !matches(s.rule.Accounts, f.Account):
		s.skip(uid, "the rule is not for its kind or account")
	case f.unread != "":
		s.skip(uid, "its details could not be read: %s", f.unread)
	case f.Tags == nil && s.Calls.Taggable(f.Kind):
		s.skip(uid, "its tags are not known")
	case f.CreatedAt.IsZero() && s.Calls.Dated(f.Kind):
		s.skip(uid, "its creation time is not known")
	case f.CreatedAt.IsZero() && s.rule.Action == action.Delete && s.rule.Grace == 0:
		s.skip(uid, "its API tells no creation time: the rule needs a grace")
	case s.deleted(f):
		return false // its row stays for a while, as that of a terminated machine
	case !s.Calls.Can(s.rule.Action, f.Kind):
		s.skip(uid, "its API has no call to %s it", s.rule.Action)
	default:
		if why := s.fresh.of(f.Kind, f.scope, s.since); why != "" {
			s.skip(uid, "%s", why)
			return false
		}
		if why := s.absence(f).why; why != "" {
			s.skip(uid, "%s", why)
			return false
		}
		is := s.expired
		if s.rule.Schedule != "" {
			is = s.scheduled
		}
		if !is(f, row) {
			return false
		}
		if why := s.changed(uid); why != "" {
			s.skip(uid, "%s", why)
			return false
		}
		return true
	}
	return false
}

// scheduled says whether it is the hour to stop or to start a resource.
func (s *planning) scheduled(f *fact, row *match) bool {
	base, err := ParseSchedule(s.rule.Schedule, Schedule{})
	if err == nil {
		base, err = ParseSchedule(row.schedule, base)
	}
	if err != nil {
		s.skip(f.UID, "%s", err)
		return false
	}
	hours := base.Off
	if s.rule.Action == action.Start {
		hours = base.On
	}
	return base.Due(hours, s.now, s.rule.SkipDays)
}

// deleted says whether the ledger has the deletion of this very resource, and
// not of an earlier one with its id.
func (s *planning) deleted(f *fact) bool {
	a := s.acted[f.UID]
	if a.Verb != action.Delete || a.State != Done {
		return false
	}
	if f.CreatedAt.IsZero() {
		return s.now.Sub(a.At) < timespan.Day
	}
	return f.CreatedAt.Before(a.At)
}

// expired says whether the time has come that the row's tags name. Rows
// without such columns have no time to wait for. What react corrected counts
// from the correction, and lasts the rule's grace at least.
func (s *planning) expired(f *fact, row *match) bool {
	fixed := s.fixed[f.UID]
	grace := fixed.Add(time.Duration(s.rule.Grace))
	switch {
	case !row.timed:
		return true
	case row.expires == "" && row.expiration == "":
		s.skip(f.UID, "it has no expiry")
		return false
	case row.expires != "":
		if timespan.Never(row.expires) {
			return false
		}
		at, err := timespan.Instant(row.expires)
		if err != nil {
			s.skip(f.UID, "%s", err)
			return false
		}
		return !at.After(s.now) && (fixed.IsZero() || !grace.After(s.now))
	case timespan.Never(row.expiration):
		return false
	}
	d, err := timespan.Parse(row.expiration)
	switch {
	case err != nil:
		s.skip(f.UID, "%s", err)
		return false
	case d < 0:
		s.skip(f.UID, "%q is negative", row.expiration)
		return false
	case f.CreatedAt.IsZero():
		s.skip(f.UID, "it expires %s after its creation, whose time is not known", row.expiration)
		return false
	}
	at := f.CreatedAt.Add(d)
	if !fixed.IsZero() {
		for _, other := range []time.Time{fixed.Add(d), grace} {
			if other.After(at) {
				at = other
			}
		}
	}
	return !at.After(s.now)
}

// target is what a plan says of a row.
func (s *planning) target(uid string) Target {
	f, row := s.facts[uid], s.rows[uid]
	t := Target{Resource: f.Resource, Hash: f.hash, Incarnation: f.incarnation(), Reason: row.reason, Evidence: row.evidence, NotifiedAt: s.marks[uid].NotifiedAt}
	for _, k := range s.Settings.OwnerTags {
		if t.Owner == "" {
			t.Owner = f.Tags[k]
		}
	}
	return t
}
