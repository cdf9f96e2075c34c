package react

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// caps refuses a plan that deletes too much.
func (s *planning) caps(ctx context.Context, units []*unit) error {
	gone := map[string]bool{}
	for _, u := range units {
		if len(u.blockers) == 0 {
			for uid := range u.members {
				gone[uid] = true
			}
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if limit := s.rule.max(); len(gone) > limit {
		s.plan.Refused = fmt.Sprintf("%d resources would be deleted with all that goes down, the rule may delete %d: raise its limits.max if that is right", len(gone), limit)
		return nil
	}
	perDay := s.PerDay
	if perDay == 0 {
		perDay = 500
	}
	done, err := s.deletedSince(ctx, s.now.Add(-24*time.Hour), gone)
	if err != nil {
		return err
	}
	if done+len(gone) > perDay {
		s.plan.Refused = fmt.Sprintf("%d resources were deleted in 24 hours, %d more would be over the limit of %d for all rules", done, len(gone), perDay)
		return nil
	}
	return s.capShares(ctx, gone)
}

// deletedSince counts the deletions in the ledger, with what went along. Those
// that were begun and are planned again count as planned.
func (s *planning) deletedSince(ctx context.Context, t time.Time, planned map[string]bool) (int, error) {
	all, err := s.Store.Actions(ctx, ActionFilter{Since: t})
	n := 0
	for _, a := range all {
		if a.Verb == action.Delete && a.State != Failed && !planned[a.UID] {
			n += 1 + a.Along
		}
	}
	return n, err
}

// capShares compares with how many of each kind there are in an account.
func (s *planning) capShares(ctx context.Context, gone map[string]bool) error {
	type place struct{ account, kind string }
	counts := map[place]int{}
	var kinds []string
	for uid := range gone {
		f := s.facts[uid]
		counts[place{f.Account, f.Kind}]++
		kinds = append(kinds, f.Kind)
	}
	slices.Sort(kinds)
	totals := map[place]int{}
	err := chunked(slices.Compact(kinds), func(list string) error {
		rows, err := s.Estate.DB.QueryContext(ctx, "SELECT account, kind, count(*) FROM resources WHERE kind IN ("+list+") GROUP BY 1, 2")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p place
			var n int
			if err := rows.Scan(&p.account, &p.kind, &n); err != nil {
				return err
			}
			totals[p] = n
		}
		return rows.Err()
	}, each(literal))
	if err != nil {
		return fmt.Errorf("count the resources: %w", err)
	}
	for _, p := range slices.SortedFunc(maps.Keys(counts), func(a, b place) int { return strings.Compare(a.account+a.kind, b.account+b.kind) }) {
		n, total := counts[p], totals[p]
		if share := 100 * float64(n) / float64(max(total, 1)); total >= 10 && share > s.rule.percent() {
			s.plan.Refused = fmt.Sprintf("%d of %d %s in %s would be deleted, the rule may delete %g%%: raise its limits.percent if that is right", n, total, p.kind, p.account, s.rule.percent())
			return nil
		}
	}
	return nil
}
