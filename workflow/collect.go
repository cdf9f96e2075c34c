package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// CollectOptions are what a sync takes besides the configuration.
type CollectOptions struct {
	SourceOptions
	// Progress and SinkFailed are as in Options.
	Progress   *Progress
	SinkFailed func(url string, err error)
}

// ErrStopped says that a sync was stopped before anything was written.
var ErrStopped = errors.New("stopped: nothing was written")

// Collect is Sync of what a configuration and the options select, into the
// sinks of the configuration. The catalogue is the one that was read by, with
// what clusters serve besides. An error says whether anything was written.
func Collect(ctx, stop context.Context, c *Config, o CollectOptions) (r *Report, cat *catalog.Catalogue, err error) {
	if cat, err = LoadSelected(c, o.SourceOptions); err != nil {
		return nil, nil, err
	}
	open, unopened, err := OpenSinks(ctx, c)
	if err != nil {
		return nil, nil, stopped(ctx, stop, err)
	}
	defer func() { err = errors.Join(err, CloseSinks(open)) }()
	o.Sinks = open
	src, err := OpenSources(ctx, c, cat, o.SourceOptions)
	if err != nil {
		return nil, nil, stopped(ctx, stop, err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	standing, err := ModelKinds(cat)
	if err != nil {
		return nil, nil, err
	}
	r, err = Sync(ctx, stop, Options{
		Sources: src.Sources, Sinks: open, Version: o.Version, Workers: c.Workers, HistoryRetention: time.Duration(c.HistoryRetention),
		Progress: o.Progress, Unopened: unopened, Standing: standing, SinkFailed: o.SinkFailed,
	})
	if err != nil {
		return r, src.Catalogue, unwritten(r, stopped(ctx, stop, err))
	}
	publishState(stop, c, open, r)
	return r, src.Catalogue, nil
}

// stopped is ErrStopped where the caller ended what failed.
func stopped(ctx, stop context.Context, err error) error {
	if stop.Err() != nil || ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return ErrStopped
	}
	return err
}

// unwritten says of a failed sync that nothing was written, if that is known.
func unwritten(r *Report, err error) error {
	var unknown *sinks.CommitUnknownError
	if r == nil || errors.Is(err, ErrStopped) || errors.As(err, &unknown) {
		return err
	}
	return fmt.Errorf("%w\nnothing was written: what was there is as it was", err)
}
