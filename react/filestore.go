package react

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// FileStore is a Store in a file of its own. The file is open only while it is
// read or written, so that several processes may share it.
type FileStore struct{ path string }

// OpenFileStore returns the store in a file, which is made when it is first
// written.
func OpenFileStore(path string) *FileStore { return &FileStore{path} }

var (
	marksBucket   = []byte("marks")
	actionsBucket = []byte("actions")
)

// patience is how long a store waits for another process.
const patience = 10 * time.Second

func (s *FileStore) view(f func(tx *bbolt.Tx) error) error {
	if _, err := os.Stat(s.path); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{Timeout: patience, ReadOnly: true})
	if err != nil {
		return s.failed(err)
	}
	return errors.Join(db.View(f), db.Close())
}

func (s *FileStore) update(f func(tx *bbolt.Tx) error) error {
	db, err := bbolt.Open(s.path, 0o600, &bbolt.Options{Timeout: patience})
	if err != nil {
		return s.failed(err)
	}
	if err := db.Update(f); err != nil {
		return errors.Join(s.failed(err), db.Close())
	}
	return db.Close()
}

func (s *FileStore) failed(err error) error {
	return fmt.Errorf("the state in %s: %w", s.path, err)
}

// Marks implements Store.
func (s *FileStore) Marks(_ context.Context, rule string) (map[string]Mark, error) {
	out := map[string]Mark{}
	err := s.view(func(tx *bbolt.Tx) error {
		all := tx.Bucket(marksBucket)
		if all == nil || all.Bucket([]byte(rule)) == nil {
			return nil
		}
		return all.Bucket([]byte(rule)).ForEach(func(k, v []byte) error {
			var m Mark
			if err := json.Unmarshal(v, &m); err != nil {
				return err
			}
			out[string(k)] = m
			return nil
		})
	})
	return out, err
}

// Everything is all that the store holds: the marks by rule, and the ledger.
func (s *FileStore) Everything(ctx context.Context) (marks map[string]map[string]Mark, ledger []Action, err error) {
	marks = map[string]map[string]Mark{}
	err = s.view(func(tx *bbolt.Tx) error {
		all := tx.Bucket(marksBucket)
		if all == nil {
			return nil
		}
		return all.ForEachBucket(func(rule []byte) error {
			marks[string(rule)] = map[string]Mark{}
			return nil
		})
	})
	for rule := range marks {
		if err == nil {
			marks[rule], err = s.Marks(ctx, rule)
		}
	}
	if err == nil {
		ledger, err = s.Actions(ctx, ActionFilter{})
	}
	return marks, ledger, err
}

// SetMarks implements Store.
func (s *FileStore) SetMarks(_ context.Context, rule string, put []Mark, remove []string) error {
	if len(put) == 0 && len(remove) == 0 {
		return nil
	}
	return s.update(func(tx *bbolt.Tx) error {
		all, err := tx.CreateBucketIfNotExists(marksBucket)
		if err != nil {
			return err
		}
		b, err := all.CreateBucketIfNotExists([]byte(rule))
		if err != nil {
			return err
		}
		for _, m := range put {
			v, err := json.Marshal(m)
			if err != nil {
				return err
			}
			if err := b.Put([]byte(m.UID), v); err != nil {
				return err
			}
		}
		for _, uid := range remove {
			if err := b.Delete([]byte(uid)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Actions implements Store.
func (s *FileStore) Actions(_ context.Context, f ActionFilter) ([]Action, error) {
	var out []Action
	err := filed(s, actionsBucket, func(a Action) {
		if f.takes(a) {
			out = append(out, a)
		}
	})
	sortActions(out)
	return out, err
}

// filed gives the documents of a bucket, which need not be there, to take.
func filed[T any](s *FileStore, bucket []byte, take func(T)) error {
	return s.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		if b == nil {
			return nil
		}
		return b.ForEach(func(_, v []byte) error {
			var x T
			if err := json.Unmarshal(v, &x); err != nil {
				return err
			}
			take(x)
			return nil
		})
	})
}

func (f ActionFilter) takes(a Action) bool {
	var none ActionFilter
	return (f.Plan == none.Plan || a.Plan == f.Plan) && !a.At.Before(f.Since)
}

func sortActions(all []Action) {
	slices.SortStableFunc(all, func(a, b Action) int { return a.Began.Compare(b.Began) })
}

// PutAction implements Store.
func (s *FileStore) PutAction(_ context.Context, a Action) error {
	return s.update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(actionsBucket)
		if err != nil {
			return err
		}
		v, err := json.Marshal(a)
		if err != nil {
			return err
		}
		return b.Put(a.ID[:], v)
	})
}

// Lock implements Store by a lock on a file beside, which ends with the
// process.
func (s *FileStore) Lock(ctx context.Context, name string) (context.Context, func() error, error) {
	f, err := os.OpenFile(s.path+"."+name+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, s.failed(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder, _ := io.ReadAll(io.LimitReader(f, 64))
			return nil, nil, &LockedError{Name: name, Holder: strings.TrimSpace("process " + string(holder))}
		}
		return nil, nil, s.failed(err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(fmt.Appendf(nil, "%d", os.Getpid()), 0)
	}
	if err != nil {
		f.Close()
		return nil, nil, s.failed(err)
	}
	return ctx, f.Close, nil
}

// Close implements Store.
func (s *FileStore) Close() error { return nil }
