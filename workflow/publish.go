package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// publishState shows in the sinks that were committed what rules remember,
// where that is kept in a file. What does not succeed is said beside the
// commit, and made up for by the next.
func publishState(ctx context.Context, c *Config, open []sinks.Sink, r *Report) {
	for i := range r.Sinks {
		at := &r.Sinks[i]
		j := slices.IndexFunc(open, func(s sinks.Sink) bool { return s.URL() == at.URL })
		if j < 0 || at.Err != nil {
			continue
		}
		keeper, ok := open[j].(sinks.StateKeeper)
		if !ok {
			continue
		}
		state, err := fileState(ctx, c)
		if err == nil && state != nil {
			err = keeper.KeepState(ctx, *state)
		}
		if err != nil {
			at.Summary.Notices = append(at.Summary.Notices, fmt.Sprintf("the tables marks and actions are as they were: %v", err))
		}
	}
}

// fileState is what rules remember, nil where that is not kept in a file.
func fileState(ctx context.Context, c *Config) (*sinks.State, error) {
	store, err := OpenStore(ctx, c)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	file, ok := store.(*react.FileStore)
	if !ok {
		return nil, nil
	}
	marks, ledger, err := file.Everything(ctx)
	if err != nil {
		return nil, err
	}
	out := &sinks.State{}
	for _, rule := range slices.Sorted(maps.Keys(marks)) {
		for _, id := range slices.Sorted(maps.Keys(marks[rule])) {
			doc, err := json.Marshal(marks[rule][id])
			if err != nil {
				return nil, err
			}
			out.Marks = append(out.Marks, sinks.StateMark{Rule: rule, ID: id, Doc: string(doc)})
		}
	}
	for _, a := range ledger {
		doc, err := json.Marshal(a)
		if err != nil {
			return nil, err
		}
		out.Actions = append(out.Actions, sinks.StateAction{ID: a.ID.String(), Plan: a.Plan.String(), Began: a.Began, At: a.At, State: string(a.State), Doc: string(doc)})
	}
	return out, nil
}
