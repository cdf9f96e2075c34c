package react

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dewpoint-data/dewpoint/schema"
)

// half is how many rows of a kind in an account are not read whole, and what of
// them.
type half struct {
	cloud, account string
	unread         []string
	rows           int
}

// readHalves counts, of the kinds that tell what they refer to in a detail call
// and may refer to a member, the rows by what of them could not be read.
func (s *planning) readHalves(ctx context.Context, units []*unit) error {
	kinds := map[string]bool{}
	for _, u := range units {
		for uid := range u.members {
			if f := s.facts[uid]; f != nil {
				kinds[f.Kind] = true
			}
		}
	}
	var from []string
	for name, k := range s.Kinds {
		if slices.ContainsFunc(k.Edges, func(e schema.Edge) bool { return kinds[e.To] && len(e.Unread) > 0 && matters(&e) }) {
			from = append(from, name)
		}
	}
	slices.Sort(from)
	return chunked(from, func(list string) error {
		rows, err := s.Estate.DB.QueryContext(ctx, `SELECT kind, cloud, account, `+s.Estate.Dialect.value("_unread")+`, count(*)
			FROM resources WHERE kind IN (`+list+`) AND _unread IS NOT NULL GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4`)
		if err != nil {
			return fmt.Errorf("count the rows that are not read whole: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var kind, unread string
			var h half
			if err := rows.Scan(&kind, &h.cloud, &h.account, &unread, &h.rows); err != nil {
				return err
			}
			if h.unread, err = texts(unread); err != nil {
				return fmt.Errorf("_unread of %s: %w", kind, err)
			}
			s.halves[kind] = append(s.halves[kind], h)
		}
		return rows.Err()
	}, each(literal))
}

// half says why rows of a kind may refer to a resource unseen: the detail calls
// that tell failed. It is empty where all that could refer to it were read.
func (s *planning) half(from string, to *fact) string {
	n, what := 0, []string{}
	for _, h := range s.halves[from] {
		if h.cloud != to.Cloud && s.Kinds[from].Cloud == to.Cloud || h.cloud == to.Cloud && h.account != to.Account {
			continue
		}
		var hidden []string
		for _, e := range s.Kinds[from].Edges {
			if e.To != to.Kind || !matters(&e) {
				continue
			}
			for _, column := range e.Unread {
				if slices.Contains(h.unread, column) {
					hidden = append(hidden, column)
				}
			}
		}
		if len(hidden) > 0 {
			n += h.rows
			what = append(what, hidden...)
		}
	}
	if n == 0 {
		return ""
	}
	slices.Sort(what)
	return fmt.Sprintf("details of %d %s could not be read: %s", n, from, strings.Join(slices.Compact(what), ", "))
}
