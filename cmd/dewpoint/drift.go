package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dewpoint-data/dewpoint/cmd/dewpoint/internal/term"
)

// drifted is a member that the cloud sends and the description lacks.
type drifted struct {
	Kind   string `json:"kind"`
	Call   string `json:"call"`
	Member string `json:"member"`
	Count  int64  `json:"count"`
}

// drift prints what the newest sync counted.
func (a *app) drift(urls []string, output string) (err error) {
	ctx, cancel := interruptible()
	defer cancel()
	db, url, err := a.firstReadable(ctx, urls)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	found, err := readDrift(ctx, db)
	if err != nil {
		return fmt.Errorf("%s: %w", shortURL(url), err)
	}
	if output == "json" {
		return a.json(found)
	}
	if len(found) == 0 {
		_, err := fmt.Fprintf(a.out.Out, "The newest sync in %s met no member that the descriptions lack.\n", shortURL(url))
		return err
	}
	t := term.NewTable("KIND", "CALL", "MEMBER", ">COUNT").Keep(2)
	for _, d := range found {
		t.Row(term.Clean(d.Kind), term.Clean(d.Call), term.Clean(d.Member), term.Count(d.Count))
	}
	return t.Write(a.out)
}

// readDrift reads the problems of the newest sync, in the SQL that all sinks
// have.
func readDrift(ctx context.Context, db *sql.DB) ([]drifted, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM problems WHERE code = 'drift' AND sync_id = (SELECT id FROM syncs ORDER BY started_at DESC LIMIT 1)")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	found := []drifted{}
	for rows.Next() {
		values, at := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			at[i] = &values[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		var d drifted
		for i, n := range names {
			switch v := values[i].String; strings.ToLower(n) {
			case "kind":
				d.Kind = v
			case "call":
				d.Call = v
			case "column":
				d.Member = v
			case "count":
				if d.Count, err = strconv.ParseInt(v, 10, 64); err != nil {
					return nil, err
				}
			}
		}
		found = append(found, d)
	}
	slices.SortFunc(found, func(a, b drifted) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Call, b.Call), cmp.Compare(a.Member, b.Member))
	})
	return found, rows.Err()
}
