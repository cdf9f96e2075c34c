package parquet

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dewpoint-data/dewpoint/sinks"
	"github.com/dewpoint-data/dewpoint/sinks/parquet/objects"
)

var _ sinks.Overlayer = (*Sink)(nil)

// overlay is an estate whose new files and manifests are in a local folder, on
// top of those that it has.
type overlay struct {
	*Sink
	dir  string
	lock *os.File
}

// Overlay copies nothing: files are never written twice, so that those of the
// estate serve both.
func (s *Sink) Overlay(ctx context.Context, _ []string) (_ sinks.Overlay, err error) {
	all, err := manifests(ctx, s.store)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no estate: run dewpoint sync first", s.URL())
	}
	dir, lock, err := newStagingDir(s.staging, "overlay")
	if err != nil {
		return nil, err
	}
	o := &overlay{dir: dir, lock: lock}
	top, err := objects.Open(ctx, "file:"+filepath.Join(dir, "estate"))
	if err != nil {
		return nil, errors.Join(err, o.remove())
	}
	copied := *s
	copied.store, copied.local, copied.catalog = objects.Layer(top, s.store, leaseFolder), "", nil
	copied.staging, copied.at = filepath.Join(dir, "staging"), func(string) {}
	o.Sink = &copied
	return o, nil
}

// Read implements sinks.Overlay. The folder is the overlay's own to close.
func (o *overlay) Read(ctx context.Context) (*sql.DB, error) { return o.openReader(ctx) }

// Close removes the folder.
func (o *overlay) Close() error { return errors.Join(o.store.Close(), o.remove()) }

func (o *overlay) remove() error { return errors.Join(os.RemoveAll(o.dir), o.lock.Close()) }
