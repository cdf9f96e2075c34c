package gcp

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	gcpapi "github.com/dewpoint-data/dewpoint/extract/gcp/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// SourceConfig says what a Source reads.
type SourceConfig struct {
	Client *Client
	// Projects to read; a client that plays a recording reads its projects
	// instead.
	Projects  ProjectsConfig
	Catalogue *catalog.Catalogue
	// Entries are the kinds to read.
	Entries []*catalog.Entry
	// Assets names kinds that are read from the Cloud Asset Inventory instead
	// of their own API. It lacks secrets, and may be minutes late.
	Assets []string
	// Limiter is told the rates that the catalogue declares; the client's.
	Limiter *extract.Limiter
	// ScopeTimeout ends the reading of one list call with what hangs on it.
	ScopeTimeout time.Duration
}

// Source reads Google Cloud. It implements extract.Source.
type Source struct {
	*reading.Reader
	c      SourceConfig
	assets *inventory

	mu    sync.Mutex
	ids   map[string]string // by number
	ended []string
}

// NewSource compiles what the kinds need.
func NewSource(c SourceConfig) (*Source, error) {
	if err := c.Projects.Check(); err != nil {
		return nil, err
	}
	assets, err := newInventory(c.Catalogue, c.Entries, c.Assets)
	if err != nil {
		return nil, err
	}
	s := &Source{c: c, assets: assets, ids: map[string]string{}}
	r, err := reading.New(reading.Config{
		Catalogue: c.Catalogue, Entries: c.Entries, Lookup: gcpapi.Lookup, Limiter: c.Limiter, ScopeTimeout: c.ScopeTimeout,
		Names: s.Name,
	})
	if err != nil {
		return nil, err
	}
	s.Reader = r
	return s, nil
}

// Cloud implements extract.Source.
func (s *Source) Cloud() string { return "gcp" }

// Kinds implements extract.Source. Kinds that are read from the Cloud Asset
// Inventory have a definition of their own.
func (s *Source) Kinds() []*schema.Kind {
	kinds := s.Reader.Kinds()
	for i, k := range kinds {
		kinds[i] = s.assets.kind(k)
	}
	return kinds
}

// Close drops idle connections.
func (s *Source) Close() { s.c.Client.Close() }

// Tasks implements extract.Source. All projects are found before the first is
// read, as the names of resources in one may have another's number. A folder
// that cannot be listed is one incomplete scope over all kinds.
func (s *Source) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		d, err := s.c.Client.discover(ctx, s.c.Projects)
		if err == nil {
			err = s.report(ctx, d, out)
		}
		if err != nil {
			yield(extract.Task{}, err)
			return
		}
		places := make([]reading.Place, len(d.projects))
		for i, p := range d.projects {
			places[i] = reading.Place{
				Cloud: "gcp", Account: p.ID, Region: globalRegion,
				Caller:    &caller{c: s.c.Client, p: p, region: globalRegion, parts: &parts{}, assets: s.assets},
				Locations: (&locations{c: s.c.Client, p: p}).of,
			}
		}
		for _, l := range s.Lists() {
			for _, place := range places {
				if !yield(s.Task(place, l), nil) {
					return
				}
			}
		}
	}
}

// report notes what the finding of projects came to.
func (s *Source) report(ctx context.Context, d *discovery, out extract.Writer) error {
	s.mu.Lock()
	for _, p := range slices.Concat(d.projects, d.ended) {
		if p.Number != "" {
			s.ids[p.Number] = p.ID
		}
	}
	for _, p := range d.ended {
		s.ended = append(s.ended, p.ID)
	}
	s.mu.Unlock()
	for _, parent := range slices.Sorted(maps.Keys(d.failed)) {
		if err := out.Scope(ctx, reading.Everything("gcp", parent, d.failed[parent])); err != nil {
			return err
		}
	}
	for _, p := range d.projects {
		if p.Number != "" {
			continue
		}
		err := out.Problem(ctx, schema.Problem{
			Account: p.ID, Call: "projects.get", Code: "unread", Count: 1,
			Sample: "the project's number is not known: grant resourcemanager.projects.get; references that name it by number are not resolved",
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Name is the id of the project with the number, if it is known.
func (s *Source) Name(number string) (id string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok = s.ids[number]
	return id, ok
}

var (
	_ extract.Source  = (*Source)(nil)
	_ extract.Drifter = (*Source)(nil)
	_ extract.Ender   = (*Source)(nil)
)

// Ended implements extract.Ender: projects whose deletion was requested.
func (s *Source) Ended() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ended)
}
