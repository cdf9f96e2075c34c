package react

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// absence is what can be said of what a rule finds absent in an account.
type absence struct {
	// why says why nothing can be concluded, empty where it can.
	why string
	// oldest and newest are when the scopes were last complete.
	oldest, newest time.Time
}

// absence says whether the absence of kinds means something where a resource
// is: all scopes of theirs are complete and fresh, their rows are read whole,
// and they are read as they were before. Of what is read in another way, a row
// that is missing may be out of scope and not gone.
func (s *planning) absence(f *fact) *absence {
	place := f.Cloud + "/" + f.Account
	if a := s.absent[place]; a != nil {
		return a
	}
	a := &absence{}
	s.absent[place] = a
	for _, kind := range s.rule.Absent {
		why := s.fresh.in(kind, f.Cloud, f.Account, s.since)
		if n := s.fresh.unread[kind][place]; why == "" && n > 0 {
			why = fmt.Sprintf("details of %d %s in %s could not be read", n, kind, place)
		}
		for scope, at := range s.fresh.scopes[kind] {
			if !inPlace(scope, place) {
				continue
			}
			if why == "" && !at.After(s.fresh.defined[kind]) {
				why = kind + " is read in another way since the newest sync: its next one shows what is gone"
			}
			if a.oldest.IsZero() || at.Before(a.oldest) {
				a.oldest = at
			}
			if at.After(a.newest) {
				a.newest = at
			}
		}
		if why != "" && a.why == "" {
			a.why = "whether something is absent is not known: " + why
		}
	}
	return a
}

// definitions reads since when kinds are read as they are, where that is not
// from the first sync on, and how many of their rows in an account are not read
// whole.
func (f *freshness) definitions(ctx context.Context, e *Estate, kinds []string) error {
	f.defined, f.unread = map[string]time.Time{}, map[string]map[string]int{}
	return chunked(kinds, func(list string) error {
		rows, err := e.DB.QueryContext(ctx, "SELECT kind, definition_since FROM kinds WHERE kind IN ("+list+") AND definition_since > (SELECT min(started_at) FROM syncs)")
		if err != nil {
			return fmt.Errorf("read since when kinds are read as they are: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var kind string
			var since sql.NullTime
			if err := rows.Scan(&kind, &since); err != nil {
				return err
			}
			f.defined[kind] = since.Time
		}
		if err := rows.Err(); err != nil {
			return err
		}
		counts, err := e.DB.QueryContext(ctx, "SELECT kind, cloud, account, count(*) FROM resources WHERE kind IN ("+list+") AND _unread IS NOT NULL GROUP BY 1, 2, 3")
		if err != nil {
			return fmt.Errorf("count the rows that are not read whole: %w", err)
		}
		defer counts.Close()
		for counts.Next() {
			var kind, cloud, account string
			var n int
			if err := counts.Scan(&kind, &cloud, &account, &n); err != nil {
				return err
			}
			if f.unread[kind] == nil {
				f.unread[kind] = map[string]int{}
			}
			f.unread[kind][cloud+"/"+account] = n
		}
		return counts.Err()
	}, each(literal))
}
