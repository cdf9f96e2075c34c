package react

import (
	"context"
	"fmt"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/action"
)

// settle ends the deletions that nobody waits for any more: their call was
// made, or may have been, and a reading has since said that the resource is
// gone, as when a finalizer let it go between two runs.
func (p *Planner) settle(ctx context.Context, now time.Time) error {
	all, err := p.Store.Actions(ctx, ActionFilter{})
	if err != nil {
		return err
	}
	open, ids := map[string][]Action{}, []string{}
	for _, a := range all {
		if a.Verb != action.Delete || a.State != Called && a.State != Waiting && a.State != Unknown {
			continue
		}
		if open[a.UID] == nil {
			ids = append(ids, a.UID)
		}
		open[a.UID] = append(open[a.UID], a)
	}
	if len(ids) == 0 || !p.Estate.Has("resource_history") {
		return nil
	}
	gone := map[string]time.Time{}
	err = chunked(ids, func(list string) error {
		rows, err := p.Estate.DB.QueryContext(ctx, "SELECT CAST(_id AS VARCHAR), max(valid_to) FROM resource_history WHERE change = 'deleted' AND _id IN ("+list+") GROUP BY _id")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var at time.Time
			if err := rows.Scan(&id, &at); err != nil {
				return err
			}
			gone[id] = at
		}
		return rows.Err()
	}, p.Estate.Dialect.uuids())
	if err != nil {
		return fmt.Errorf("read what is gone: %w", err)
	}
	for id, at := range gone {
		for _, a := range open[id] {
			if !at.After(a.Began) {
				continue // an earlier one of the same id
			}
			a.State, a.Error, a.At = Done, "", now.UTC()
			if err := p.Store.PutAction(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}
