package parquet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// sweepAge is how old a file must be before it is taken for one that a
// crashed sync left. No sync takes that long.
const sweepAge = 48 * time.Hour

// sweepEvery is how often the files of crashed syncs are looked for: a list of
// everything costs a request per thousand objects.
const sweepEvery = 24

// loadManifests reads the manifests that are there, in order. Those that
// vanish meanwhile are left out.
func (t *tx) loadManifests(ctx context.Context) ([]*manifest, error) {
	numbers, err := manifests(ctx, t.sink.store)
	if err != nil {
		return nil, err
	}
	all := make([]*manifest, len(numbers))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, n := range numbers {
		g.Go(func() error {
			m := &manifest{}
			err := getJSON(ctx, t.sink.store, manifestKey(n), m)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && m.Number != n {
				err = fmt.Errorf("the manifest %s of %s says that it has the number %d", manifestKey(n), t.sink.URL(), m.Number)
			}
			all[i] = m
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var there []*manifest
	for _, m := range all {
		if m != nil {
			there = append(there, m)
		}
	}
	return there, nil
}

// divide tells the manifests that stay from those that were superseded longer
// ago than the retention.
func (s *Sink) divide(all []*manifest, now time.Time) (stay, end []*manifest) {
	for i, m := range all {
		if i == len(all)-1 || now.Sub(all[i+1].CreatedAt) < s.retention {
			stay = append(stay, m)
		} else {
			end = append(end, m)
		}
	}
	return stay, end
}

// retained are the manifests that the next sweep leaves.
func (t *tx) retained(ctx context.Context) ([]*manifest, error) {
	all, err := t.loadManifests(ctx)
	if err != nil {
		return nil, err
	}
	stay, _ := t.sink.divide(all, time.Now())
	return stay, nil
}

// sweep removes superseded manifests that are older than the retention, and
// the files that none of the retained ones names. What cannot be removed now
// is removed after a later sync.
//
// Only files that bear the name of a sync are dewpoint's: those of others stay.
// A file of a sync that committed no manifest is left alone until it is old,
// for the sync may still run.
func (t *tx) sweep(ctx context.Context) {
	// A manifest that cannot be read may name any file: then nothing goes.
	all, err := t.loadManifests(ctx)
	if err != nil || len(all) == 0 {
		return
	}
	stay, end := t.sink.divide(all, time.Now())
	named, layouts := map[string]bool{}, map[string]bool{}
	for _, m := range stay {
		layouts[m.Layout] = true
		for _, files := range m.Files {
			for _, f := range files {
				named[f.Key] = true
			}
		}
	}
	if t.sweepEnded(ctx, end, named) == nil && all[len(all)-1].Number%sweepEvery == 0 {
		_ = t.sweepLeft(ctx, named, layouts, time.Now().Add(-sweepAge))
	}
}

// sweepEnded removes manifests, and then the files that only they name.
func (t *tx) sweepEnded(ctx context.Context, end []*manifest, named map[string]bool) error {
	var keys []string
	gone := map[string]bool{}
	for _, m := range end {
		keys = append(keys, manifestKey(m.Number))
		for _, files := range m.Files {
			for _, f := range files {
				if !named[f.Key] && ours.MatchString(f.Key) {
					gone[f.Key] = true
				}
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if err := t.sink.store.Delete(ctx, keys...); err != nil {
		return err
	}
	keys = keys[:0]
	for key := range gone {
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil
	}
	return t.sink.store.Delete(ctx, keys...)
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
		mine := ours.MatchString(info.Key) && !named[info.Key] || strings.HasPrefix(info.Key, layoutFolder) && !layouts[info.Key]
		if mine && info.ModifiedAt.Before(before) {
			left = append(left, info.Key)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return st.Delete(ctx, left...)
}
