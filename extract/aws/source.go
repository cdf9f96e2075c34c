package aws

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
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
	c     SourceConfig
	lists []*catalog.ListCall
	plans map[*catalog.Entry]*normalize.Plan
	calls map[callKey]described
}

type callKey struct{ service, op string }

// described is an operation with its service.
type described struct {
	service *api.Service
	op      *api.Operation
}

// accountsAtOnce is how many accounts are entered at the same time.
const accountsAtOnce = 16

// NewSource compiles what the kinds need.
func NewSource(c SourceConfig) (*Source, error) {
	s := &Source{
		c: c, lists: c.Catalogue.Lists(c.Entries),
		plans: map[*catalog.Entry]*normalize.Plan{}, calls: map[callKey]described{},
	}
	for _, l := range s.lists {
		if err := s.prepare(l); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// prepare compiles the plans and looks the operations up of a list call and
// of what hangs on it.
func (s *Source) prepare(l *catalog.ListCall) error {
	if err := s.lookup(l.Service, l.Op); err != nil {
		return err
	}
	for _, e := range feeds(l)[0].List.Entries {
		if s.plans[e] != nil {
			continue
		}
		p, err := normalize.Compile(e.Spec)
		if err != nil {
			return err
		}
		s.plans[e] = p
		for _, d := range e.Details {
			if err := s.lookup(d.Service, d.Op); err != nil {
				return err
			}
		}
	}
	for _, c := range l.Children {
		if err := s.prepare(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) lookup(service, op string) error {
	k := callKey{service, op}
	if _, ok := s.calls[k]; ok {
		return nil
	}
	svc, err := awsapi.Lookup(service)
	if err != nil {
		return err
	}
	o := svc.Operations[op]
	if o == nil {
		return fmt.Errorf("service %s has no operation %s", service, op)
	}
	s.calls[k] = described{svc, o}
	return nil
}

// Cloud implements extract.Source.
func (s *Source) Cloud() string { return "aws" }

// Kinds implements extract.Source.
func (s *Source) Kinds() []*schema.Kind { return catalog.Kinds(s.c.Entries) }

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
				return out.Scope(ctx, everything(accountOf(ac), err))
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
		return out.Scope(ctx, everything(a.ID, err))
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
	for _, l := range s.lists {
		if l.Account {
			if err := emit(s.task(a, globalRegion, l)); err != nil {
				return err
			}
			continue
		}
		for _, r := range names {
			if !inRegion(l, r) {
				continue
			}
			if err := emit(s.task(a, r, l)); err != nil {
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

func (s *Source) task(a *Account, region string, l *catalog.ListCall) extract.Task {
	t := extract.Task{Account: a.ID, Region: region, Service: l.Service, Name: l.Op}
	var add func(l *catalog.ListCall)
	add = func(l *catalog.ListCall) {
		for _, e := range l.Entries {
			t.Scopes = append(t.Scopes, schema.Scope{Cloud: "aws", Account: a.ID, Region: region, Kind: e.Kind.Name})
		}
		for _, c := range l.Children {
			add(c)
		}
	}
	add(l)
	t.Run = func(ctx context.Context, out extract.Writer) error {
		return newTask(s, a, region, out).run(ctx, l)
	}
	return t
}

// accountOf is the account's id as far as the configuration tells it.
func accountOf(ac AccountConfig) string {
	if parts := strings.SplitN(ac.RoleARN, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ac.String()
}

// everything is the outcome of all scopes of an account that cannot be read.
func everything(account string, err error) schema.ScopeResult {
	r := schema.ScopeResult{
		Scope: schema.Scope{Cloud: "aws", Account: account, Region: "*", Kind: "*"},
		State: schema.Failed, Error: err.Error(),
	}
	var e *APIError
	if errors.As(err, &e) {
		r.Code, r.RequestID = e.Code, e.RequestID
		if e.Denied() {
			r.State = schema.Denied
		}
	}
	return r
}

var _ extract.Drifter = (*Source)(nil)

// Drift implements extract.Drifter.
func (s *Source) Drift() []schema.Problem {
	var out []schema.Problem
	for _, e := range s.c.Entries {
		plan := s.plans[e]
		if plan == nil {
			continue
		}
		for path, n := range plan.Drift() {
			call, member, ok := strings.Cut(path, ":")
			if !ok {
				call, member = "", path
			}
			out = append(out, schema.Problem{Kind: e.Kind.Name, Call: call, Column: member, Code: "drift", Count: n})
		}
	}
	return out
}
