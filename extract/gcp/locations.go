package gcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract/api"
)

// locations are the places of services in a project, each listed once.
type locations struct {
	c *Client
	p *Project

	mu    sync.Mutex
	found map[string]*located // by service
}

type located struct {
	once  sync.Once
	names []string
	err   error
}

// of lists the locations that a service is in.
func (l *locations) of(ctx context.Context, svc *api.Service) ([]string, error) {
	op := svc.Operations["projects.locations.list"]
	if op == nil {
		return nil, fmt.Errorf("%s has no list of its locations", svc.Name)
	}
	l.mu.Lock()
	if l.found == nil {
		l.found = map[string]*located{}
	}
	f := l.found[svc.Name]
	if f == nil {
		f = &located{}
		l.found[svc.Name] = f
	}
	l.mu.Unlock()
	f.once.Do(func() { f.names, f.err = l.list(ctx, svc, op) })
	return f.names, f.err
}

func (l *locations) list(ctx context.Context, svc *api.Service, op *api.Operation) ([]string, error) {
	in := map[string]any{"name": "projects/" + l.p.ID, "pageSize": int64(500)}
	var names []string
	for {
		resp, err := l.c.Do(ctx, Request{Project: l.p, Region: globalRegion, Service: svc, Op: op, Input: in})
		if err != nil {
			return nil, err
		}
		var page struct {
			Locations     []struct{ LocationID string }
			NextPageToken string
		}
		err = json.Unmarshal(resp.Body, &page)
		resp.Release()
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", svc.Name, op.Name, err)
		}
		for _, x := range page.Locations {
			if x.LocationID != "" && !slices.Contains(names, x.LocationID) {
				names = append(names, x.LocationID)
			}
		}
		switch page.NextPageToken {
		case "":
			return names, nil
		case in["pageToken"]:
			return nil, errors.New("the list of locations repeats its token")
		}
		in["pageToken"] = page.NextPageToken
	}
}
