package objects

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

// layer is a store on top of another one, which it reads and never writes.
type layer struct {
	Store // on top
	below Store
	// hidden is the prefix of objects below that are not seen.
	hidden string

	mu      sync.Mutex
	deleted map[string]bool
}

// Layer returns a store that shows the objects of below as if they were copied
// into top, but for those under the prefix hidden. What is written, replaced or
// deleted is so in top alone. Closing it closes top.
func Layer(top, below Store, hidden string) Store {
	return &layer{Store: top, below: below, hidden: hidden, deleted: map[string]bool{}}
}

// URL implements Store.
func (l *layer) URL() string { return l.below.URL() }

func (l *layer) sees(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !strings.HasPrefix(key, l.hidden) && !l.deleted[key]
}

// Get implements Store.
func (l *layer) Get(ctx context.Context, key string) ([]byte, Info, error) {
	data, info, err := l.Store.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) && l.sees(key) {
		return l.below.Get(ctx, key)
	}
	return data, info, err
}

// Open implements Store.
func (l *layer) Open(ctx context.Context, key string) (*Reader, error) {
	r, err := l.Store.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) && l.sees(key) {
		return l.below.Open(ctx, key)
	}
	return r, err
}

// Create implements Store.
func (l *layer) Create(ctx context.Context, key string, data []byte) (Info, error) {
	if l.sees(key) {
		switch _, info, err := l.below.Get(ctx, key); {
		case err == nil:
			return info, fs.ErrExist
		case !errors.Is(err, fs.ErrNotExist):
			return Info{}, err
		}
	}
	return l.Store.Create(ctx, key, data)
}

// Replace implements Store.
func (l *layer) Replace(ctx context.Context, key string, data []byte, tag string) (Info, error) {
	info, err := l.Store.Replace(ctx, key, data, tag)
	if !errors.Is(err, ErrChanged) || !l.same(ctx, key, tag) {
		return info, err
	}
	return l.Store.Create(ctx, key, data)
}

// Remove implements Store.
func (l *layer) Remove(ctx context.Context, key, tag string) error {
	err := l.Store.Remove(ctx, key, tag)
	if errors.Is(err, ErrChanged) && l.same(ctx, key, tag) {
		return l.Delete(ctx, key)
	}
	return err
}

// same says whether the object that is seen is the one below, in a version.
func (l *layer) same(ctx context.Context, key, tag string) bool {
	if _, _, err := l.Store.Get(ctx, key); !errors.Is(err, fs.ErrNotExist) || !l.sees(key) {
		return false
	}
	_, info, err := l.below.Get(ctx, key)
	return err == nil && info.Tag == tag
}

// List implements Store.
func (l *layer) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		var all []Info
		on := map[string]bool{}
		for _, s := range []Store{l.Store, l.below} {
			for info, err := range s.List(ctx, prefix) {
				switch {
				case err != nil:
					yield(Info{}, err)
					return
				case s == l.Store:
					on[info.Key] = true
				case on[info.Key] || !l.sees(info.Key):
					continue
				}
				all = append(all, info)
			}
		}
		slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Key, b.Key) })
		for _, info := range all {
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Delete implements Store.
func (l *layer) Delete(ctx context.Context, keys ...string) error {
	l.mu.Lock()
	for _, k := range keys {
		l.deleted[k] = true
	}
	l.mu.Unlock()
	return l.Store.Delete(ctx, keys...)
}

// Sweep implements Store: what writers left below is none of its business.
func (l *layer) Sweep(ctx context.Context, before time.Time) error { return l.Store.Sweep(ctx, before) }
