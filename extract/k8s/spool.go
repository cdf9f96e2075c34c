package k8s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/s2"
)

// pagesInMemory is how many pages of a list wait in memory to be read; those
// behind them wait on disk.
const pagesInMemory = 2

// disk is where pages wait, and how many bytes of them may at once.
type disk struct {
	dir  string
	most int64
	used atomic.Int64
}

// spool holds the pages of one list between the one goroutine that fetches
// them and the one that reads them. Continue tokens die within minutes of etcd
// compaction, so that a list must be fetched at the server's pace, not at the
// sink's: once it has waited for the sink long enough, pages beyond a few wait
// in a file. Only when the disk's share is full does the fetching wait then.
type spool struct {
	disk     *disk
	patience time.Duration // how long the fetching may wait still

	mu     sync.Mutex
	pages  []waiting
	memory int
	err    error // after the last page; io.EOF is the end
	file   *os.File
	end    int64 // of the file's used part
	closed bool

	came, went chan struct{} // a page, or the end; room
}

// waiting is a page that waits.
type waiting struct {
	b        *body // nil on disk
	at, size int64
	attempts int
}

func newSpool(d *disk, patience time.Duration) *spool {
	return &spool{disk: d, patience: patience, came: make(chan struct{}, 1), went: make(chan struct{}, 1)}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds a page, which it takes. It waits for room.
func (s *spool) put(ctx context.Context, b *body, attempts int) error {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			b.release()
			return errors.New("the list is not read any more")
		}
		if s.memory < pagesInMemory && s.memory == len(s.pages) {
			s.pages = append(s.pages, waiting{b: b, attempts: attempts})
			s.memory++
			s.mu.Unlock()
			signal(s.came)
			return nil
		}
		var ok bool
		var err error
		if s.patience <= 0 {
			ok, err = s.write(b, attempts)
		}
		s.mu.Unlock()
		if ok || err != nil {
			b.release()
			signal(s.came)
			return err
		}
		if err := s.wait(ctx); err != nil {
			b.release()
			return err
		}
	}
}

// wait waits until a page went, or the patience is at its end.
func (s *spool) wait(ctx context.Context) error {
	var enough <-chan time.Time
	if s.patience > 0 {
		t := time.NewTimer(s.patience)
		defer t.Stop()
		begun := time.Now()
		defer func() { s.patience -= time.Since(begun) }()
		enough = t.C
	}
	select {
	case <-s.went:
	case <-enough:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// write puts a page on disk; ok is false where there is no room.
func (s *spool) write(b *body, attempts int) (ok bool, err error) {
	w := waiting{at: s.end, attempts: attempts}
	data := s2.Encode(nil, b.Bytes())
	w.size = int64(len(data))
	if s.disk.used.Add(w.size) > s.disk.most {
		s.disk.used.Add(-w.size)
		return false, nil
	}
	if s.file == nil {
		if s.file, err = os.CreateTemp(s.disk.dir, "dewpoint-spool-*"); err != nil {
			s.disk.used.Add(-w.size)
			return false, fmt.Errorf("spool: %w", err)
		}
		// The file lives as long as it is open, where the system allows it.
		_ = os.Remove(s.file.Name())
	}
	if _, err := s.file.WriteAt(data, w.at); err != nil {
		s.disk.used.Add(-w.size)
		return false, fmt.Errorf("spool: %w", err)
	}
	s.end += w.size
	s.pages = append(s.pages, w)
	return true, nil
}

// finish says that no page comes any more: nil that the list has ended.
func (s *spool) finish(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		if s.err = err; err == nil {
			s.err = io.EOF
		}
	}
	signal(s.came)
}

// take returns the next page, io.EOF or the error behind the last. Its caller
// releases the page.
func (s *spool) take(ctx context.Context) (*body, int, error) {
	for {
		s.mu.Lock()
		if len(s.pages) > 0 {
			w := s.pages[0]
			s.pages = s.pages[1:]
			b, err := s.load(w)
			s.mu.Unlock()
			signal(s.went)
			return b, w.attempts, err
		}
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return nil, 0, err
		}
		select {
		case <-s.came:
		case <-ctx.Done():
			return nil, 0, context.Cause(ctx)
		}
	}
}

// load takes a page out of memory or off the disk.
func (s *spool) load(w waiting) (*body, error) {
	if w.b != nil {
		s.memory--
		return w.b, nil
	}
	s.disk.used.Add(-w.size)
	data := make([]byte, w.size)
	_, err := s.file.ReadAt(data, w.at)
	if err == nil {
		data, err = s2.Decode(nil, data)
	}
	if len(s.pages) == 0 {
		s.end = 0 // what comes next is written over it
	}
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	b := newBody()
	b.Write(data)
	return b, nil
}

// drop forgets the pages that wait: the list begins anew.
func (s *spool) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked()
}

func (s *spool) dropLocked() {
	for _, w := range s.pages {
		if w.b != nil {
			w.b.release()
		} else {
			s.disk.used.Add(-w.size)
		}
	}
	s.pages, s.memory, s.end = nil, 0, 0
}

// close frees everything. The fetching goroutine has ended by then.
func (s *spool) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.dropLocked()
	if s.file != nil {
		name := s.file.Name()
		_ = s.file.Close()
		_ = os.Remove(name) // where it could not be removed while open
	}
}
