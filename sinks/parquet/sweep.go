package parquet

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"
)

// sweepAge is how old a file must be before it is taken for one that a
// crashed sync left. No sync takes that long.
const sweepAge = 48 * time.Hour

// sweep removes superseded manifests that are older than the retention, and
// the files that none of the retained ones names. What cannot be removed now
// is removed after the next sync.
//
// Only files that bear the name of a sync are dewpoint's: those of others stay.
// A file of a sync that committed no manifest is left alone until it is old,
// for the sync may still run.
func (t *tx) sweep(ctx context.Context) {
	_ = t.sweepManifests(ctx)
}

func (t *tx) sweepManifests(ctx context.Context) error {
	st, now := t.sink.store, time.Now()
	numbers, err := manifests(ctx, st)
	if err != nil || len(numbers) == 0 {
		return err
	}
	newest := numbers[len(numbers)-1]
	named, layouts := map[string]bool{}, map[string]bool{}
	var old []string
	swept := map[string]bool{} // the files that only removed manifests name
	for i, n := range numbers {
		s, err := loadState(ctx, st, n)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err // a manifest that cannot be read may name any file
		}
		// A state is superseded when the next one is written.
		keep := n == newest || t.sink.retention > 0 && (i+1 == len(numbers) || now.Sub(t.createdAt(ctx, numbers[i+1])) < t.sink.retention)
		if keep {
			layouts[s.Layout] = true
		} else {
			old = append(old, manifestKey(n))
		}
		for _, files := range s.Files {
			for _, f := range files {
				if keep {
					named[f.Key] = true
				} else {
					swept[f.Key] = true
				}
			}
		}
	}
	if len(old) > 0 {
		if err := st.Delete(ctx, old...); err != nil {
			return err
		}
	}
	var gone []string
	for key := range swept {
		if !named[key] && ours.MatchString(key) {
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		if err := st.Delete(ctx, gone...); err != nil {
			return err
		}
	}
	if newest%sweepEvery != 0 {
		return nil
	}
	return t.sweepLeft(ctx, named, layouts, now.Add(-sweepAge))
}

// sweepEvery is how often the files of crashed syncs are looked for: a list of
// everything costs a request per thousand objects.
const sweepEvery = 24

func (t *tx) createdAt(ctx context.Context, number int64) time.Time {
	var m manifest
	if err := getJSON(ctx, t.sink.store, manifestKey(number), &m); err != nil {
		return time.Now()
	}
	return m.CreatedAt
}

// sweepLeft removes files that no manifest names and that are older.
func (t *tx) sweepLeft(ctx context.Context, named, layouts map[string]bool, before time.Time) error {
	st := t.sink.store
	if err := st.Sweep(ctx, before); err != nil {
		return err
	}
	var left []string
	for info, err := range st.List(ctx, "") {
		if err != nil {
			return err
		}
		mine := ours.MatchString(info.Key) && !named[info.Key] ||
			strings.HasPrefix(info.Key, layoutFolder) && !layouts[info.Key]
		if mine && info.ModifiedAt.Before(before) {
			left = append(left, info.Key)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return st.Delete(ctx, left...)
}
