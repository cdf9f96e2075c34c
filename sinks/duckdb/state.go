package duckdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dewpoint-data/dewpoint/sinks"
)

var _ sinks.StateKeeper = (*Sink)(nil)

// KeepState writes what differs, by one transaction. The file is open for
// writing only if something does, and only meanwhile.
func (s *Sink) KeepState(ctx context.Context, state sinks.State) (err error) {
	if !s.exists() {
		return fmt.Errorf("%s holds no estate: run dewpoint sync first", s.URL())
	}
	marks, actions := map[string]string{}, map[string]string{}
	at := func(t time.Time) string {
		return literal(t.UTC().Format("2006-01-02 15:04:05.000000+00")) + "::TIMESTAMPTZ"
	}
	for _, m := range state.Marks {
		marks[m.Rule+"|"+m.ID+"|"+m.Doc] = fmt.Sprintf("(%s, %s, %s)", literal(m.Rule), literal(m.ID), literal(m.Doc))
	}
	for _, a := range state.Actions {
		actions[a.ID+"|"+a.Doc] = fmt.Sprintf("(%s, %s, %s, %s, %s, %s)", literal(a.ID), literal(a.Plan), at(a.Began), at(a.At), literal(a.State), literal(a.Doc))
	}
	var queries []string
	c, err := s.connect(ctx, true)
	if err != nil {
		return err
	}
	for _, t := range []struct {
		table, key string
		want       map[string]string
	}{
		{"marks", "rule || '|' || _id::VARCHAR || '|' || doc::VARCHAR", marks},
		{"actions", "action_id::VARCHAR || '|' || doc::VARCHAR", actions},
	} {
		q, failed := c.changesOf(ctx, t.table, t.key, t.want)
		queries, err = append(queries, q...), errors.Join(err, failed)
	}
	if err = errors.Join(err, c.close()); err != nil {
		return fmt.Errorf("keep the state in %s: %w", s.URL(), err)
	}
	if len(queries) == 0 {
		return nil
	}
	if c, err = s.connect(ctx, false); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	for _, q := range slices.Concat([]string{"BEGIN"}, queries, []string{"COMMIT", "CHECKPOINT"}) {
		if err := c.exec(ctx, q); err != nil {
			return fmt.Errorf("keep the state in %s: %w", s.URL(), err)
		}
	}
	return nil
}

// changesOf are the statements that make a table hold the rows, by their keys.
func (c *conn) changesOf(ctx context.Context, table, key string, want map[string]string) ([]string, error) {
	have, err := c.texts(ctx, "SELECT "+key+" FROM "+table)
	if err != nil {
		return nil, err
	}
	var remove, add []string
	there := map[string]bool{}
	for _, r := range have {
		if there[r[0]] = true; want[r[0]] == "" {
			remove = append(remove, literal(r[0]))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if !there[k] {
			add = append(add, want[k])
		}
	}
	var queries []string
	for part := range slices.Chunk(remove, samplesAtOnce) {
		queries = append(queries, "DELETE FROM "+table+" WHERE "+key+" IN ("+strings.Join(part, ", ")+")")
	}
	for part := range slices.Chunk(add, samplesAtOnce) {
		queries = append(queries, "INSERT INTO "+table+" VALUES "+strings.Join(part, ", "))
	}
	return queries, nil
}
