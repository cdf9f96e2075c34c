package aws

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// SourceConfig says what a Source reads.
type SourceConfig struct {
	Client *Client
	// Accounts to read; a client that plays a recording reads its accounts
	// instead.
	Accounts []AccountConfig
	// Regions are names and globs for accounts that have none of their own;
	// empty is every region that is enabled.
	Regions   []string
	Catalogue *catalog.Catalogue
	// Entries are the kinds to read.
	Entries []*catalog.Entry
	// Limiter is told the rates that the catalogue declares; the client's.
	Limiter *extract.Limiter
	// ScopeTimeout ends the reading of one list call with what hangs on it.
	ScopeTimeout time.Duration
}

// Source reads AWS. It implements extract.Source.
type Source struct {
	*reading.Reader
	c SourceConfig
}

// accountsAtOnce is how many accounts are entered at the same time.
const accountsAtOnce = 16

// NewSource compiles what the kinds need.
func NewSource(c SourceConfig) (*Source, error) {
	r, err := reading.New(reading.Config{
		Catalogue: c.Catalogue, Entries: c.Entries, Lookup: awsapi.Lookup, Limiter: c.Limiter, ScopeTimeout: c.ScopeTimeout,
	})
	if err != nil {
		return nil, err
	}
	return &Source{r, c}, nil
}

// Cloud implements extract.Source.
func (s *Source) Cloud() string { return "aws" }

// Close drops idle connections.
func (s *Source) Close() { s.c.Client.Close() }

// Tasks implements extract.Source. Accounts are entered a few at a time; the
// tasks of one come as soon as its regions are known. An account that cannot
// be entered is one incomplete scope over all kinds, unless it is the only
// one: then it is the error.
func (s *Source) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		tasks := make(chan extract.Task)
		var wait sync.WaitGroup
		var failed error
		wait.Go(func() {
			defer close(tasks)
			failed = s.discover(ctx, out, func(t extract.Task) error {
				select {
				case tasks <- t:
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			})
		})
		defer wait.Wait()
		defer cancel()
		for t := range tasks {
			if !yield(t, nil) {
				return
			}
		}
		if failed != nil {
			yield(extract.Task{}, failed)
		}
	}
}

// discover enters the accounts and gives their tasks to emit.
func (s *Source) discover(ctx context.Context, out extract.Writer, emit func(extract.Task) error) error {
	if s.c.Client.opts.Player != nil {
		for _, a := range s.c.Client.Recorded() {
			if err := s.account(ctx, a, nil, out, emit); err != nil {
				return err
			}
		}
		return nil
	}
	configs := s.c.Accounts
	if len(configs) == 0 {
		configs = []AccountConfig{{}}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(accountsAtOnce)
	var mu sync.Mutex
	seen := map[string]string{} // account id -> configuration
	for _, ac := range configs {
		g.Go(func() error {
			a, err := s.c.Client.Account(ctx, ac)
			if err != nil {
				if len(configs) == 1 || ctx.Err() != nil {
					return err
				}
				return out.Scope(ctx, reading.Everything("aws", accountOf(ac), err))
			}
			mu.Lock()
			other, twice := seen[a.ID]
			seen[a.ID] = ac.String()
			mu.Unlock()
			if twice {
				return out.Problem(ctx, schema.Problem{
					Account: a.ID, Code: "duplicate", Count: 1,
					Sample: fmt.Sprintf("%s and %s are the same account; it is read once", other, ac),
				})
			}
			return s.account(ctx, a, ac.Regions, out, emit)
		})
	}
	return g.Wait()
}

// account yields the tasks of one account.
func (s *Source) account(ctx context.Context, a *Account, regions []string, out extract.Writer, emit func(extract.Task) error) error {
	if len(regions) == 0 {
		regions = s.c.Regions
	}
	names, off, problem, err := s.c.Client.Regions(ctx, a, regions...)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return out.Scope(ctx, reading.Everything("aws", a.ID, err))
	}
	if problem != nil {
		if err := out.Problem(ctx, *problem); err != nil {
			return err
		}
	}
	for _, r := range off {
		err := out.Scope(ctx, schema.ScopeResult{
			Scope: schema.Scope{Cloud: "aws", Account: a.ID, Region: r, Kind: "*"},
			State: schema.NotApplicable, Error: "the region is not enabled in the account",
		})
		if err != nil {
			return err
		}
	}
	for _, l := range s.Lists() {
		if l.Account {
			if err := emit(s.Task(s.place(a, globalRegion), l)); err != nil {
				return err
			}
			continue
		}
		for _, r := range names {
			if !inRegion(l, r) {
				continue
			}
			if err := emit(s.Task(s.place(a, r), l)); err != nil {
				return err
			}
		}
	}
	return nil
}

// inRegion says whether the catalogue lets the call be made in the region.
func inRegion(l *catalog.ListCall, region string) bool {
	return len(l.Regions) == 0 || slices.ContainsFunc(l.Regions, func(p string) bool {
		ok, _ := path.Match(p, region)
		return ok
	})
}

// place is where the calls of a region are made.
func (s *Source) place(a *Account, region string) reading.Place { return s.c.Client.Place(a, region) }

// Place is where calls on an account's region are made; global is for those
// that are no region's.
func (c *Client) Place(a *Account, region string) reading.Place {
	p := reading.Place{
		Cloud: "aws", Account: a.ID, Region: region, Partition: a.Partition,
		Caller: caller{c, a, region}, Absent: absent(region),
	}
	if region == globalRegion {
		p.CallRegion = homeRegion(a.Partition)
	}
	return p
}

// accountOf is the account's id as far as the configuration tells it.
func accountOf(ac AccountConfig) string {
	if parts := strings.SplitN(ac.RoleARN, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ac.String()
}

var _ extract.Drifter = (*Source)(nil)
