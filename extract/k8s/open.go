package k8s

import (
	"context"
	"errors"
	"fmt"
	"sync"

	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Clusters are the clusters to read and what they serve. They are opened
// before a sync begins, because what they serve decides which kinds there are.
type Clusters struct {
	o        *Options
	list     []*Cluster
	problems []schema.Problem
	services map[string]*api.Service // what the embedded descriptions lack
	kinds    []lateKind
}

// clustersAtOnce is how many clusters are opened at the same time.
const clustersAtOnce = 32

// Open finds the clusters and what they serve. One that cannot be entered
// stays among them and is reported by the source as what it is; only where
// none can be entered, or the configuration is wrong, is that the error.
func Open(ctx context.Context, options Options) (*Clusters, error) {
	o := &options
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.defaults()
	cs := &Clusters{o: o}
	if o.Player != nil {
		for _, a := range o.Player.Accounts() {
			if a.Cloud != Cloud {
				continue
			}
			c := &Cluster{o: o}
			if err := c.play(a.ID); err != nil {
				return nil, err
			}
			cs.list = append(cs.list, c)
		}
	} else if err := cs.connect(ctx); err != nil {
		return nil, err
	}
	if err := cs.describe(ctx); err != nil {
		cs.Close()
		return nil, err
	}
	return cs, nil
}

func (cs *Clusters) connect(ctx context.Context) error {
	ts, err := targets(cs.o)
	if err != nil {
		return err
	}
	sweep(cs.o.StateDir)
	opened := make([]*Cluster, len(ts))
	var wait sync.WaitGroup
	slots := make(chan struct{}, clustersAtOnce)
	for i, t := range ts {
		c := &Cluster{o: cs.o}
		opened[i] = c
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if c.err = t.err; c.err == nil {
				c.err = c.open(ctx, t)
			}
			c.Name = t.context
		})
	}
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	var failed []error
	byID := map[string]*Cluster{}
	for _, c := range opened {
		if c.err != nil {
			failed = append(failed, c.err)
			cs.list = append(cs.list, c)
			continue
		}
		if other := byID[c.ID]; other != nil {
			cs.problems = append(cs.problems, schema.Problem{
				Account: c.ID, Code: "duplicate", Count: 1,
				Sample: fmt.Sprintf("the contexts %s and %s are the same cluster; it is read once", other.Name, c.Name),
			})
			continue
		}
		byID[c.ID] = c
		cs.list = append(cs.list, c)
	}
	if len(byID) == 0 {
		return errors.Join(failed...)
	}
	return nil
}

// List are the clusters, those that could not be entered included.
func (cs *Clusters) List() []*Cluster { return cs.list }

// Err is why the cluster cannot be read, nil if it can.
func (c *Cluster) Err() error { return c.err }

// Close drops idle connections.
func (cs *Clusters) Close() {
	for _, c := range cs.list {
		if c.client != nil {
			// The client's own way ends at the wrappers that log in.
			utilnet.CloseIdleConnectionsFor(c.client.http.Transport)
		}
	}
}
