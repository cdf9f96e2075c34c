package workflow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/react"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Actor acts in the accounts that react.aws names, and nowhere else.
type Actor struct {
	client  *aws.Client
	configs []aws.AccountConfig

	mu       sync.Mutex
	accounts map[string]*aws.Account // nil before the first call
}

// OpenActor opens what the configuration acts with. It is a *ConfigError where
// there is nothing: credentials that read do not write.
func OpenActor(ctx context.Context, c *Config, version string) (*Actor, error) {
	if len(c.React.AWS) == 0 {
		return nil, &ConfigError{errors.New("react.aws is empty: name how the accounts are entered to act in them; what reads does not write")}
	}
	client, err := aws.NewClient(ctx, aws.Options{Limiter: extract.NewLimiter(), UserAgent: "dewpoint/" + version})
	if err != nil {
		return nil, &ConfigError{err}
	}
	a := &Actor{client: client}
	for _, x := range c.React.AWS {
		ac := aws.AccountConfig{Profile: x.Profile}
		ac.RoleARN, ac.ExternalID = x.RoleARN, x.ExternalID
		for _, via := range x.Via {
			ac.Via = append(ac.Via, aws.AssumeRole{RoleARN: via})
		}
		a.configs = append(a.configs, ac)
	}
	return a, nil
}

// Close drops idle connections.
func (a *Actor) Close() error {
	a.client.Close()
	return nil
}

// Cloud acts by a catalogue.
func (a *Actor) Cloud(cat *catalog.Catalogue) *acting.Cloud {
	return &acting.Cloud{Declared: acting.Declared{Catalogue: cat}, Vendors: clouds.Vendors(), Place: a.place}
}

// place enters the accounts when it is first asked.
func (a *Actor) place(ctx context.Context, cloud, account, region string) (reading.Place, error) {
	if cloud != "aws" {
		return reading.Place{}, fmt.Errorf("plans for %s cannot be applied by this version", cloud)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.accounts == nil {
		entered := map[string]*aws.Account{}
		for _, ac := range a.configs {
			x, err := a.client.Account(ctx, ac)
			if err != nil {
				return reading.Place{}, fmt.Errorf("react.aws: %w", err)
			}
			entered[x.ID] = x
		}
		a.accounts = entered
	}
	x := a.accounts[account]
	if x == nil {
		return reading.Place{}, fmt.Errorf("react.aws enters no account %s", account)
	}
	return a.client.Place(x, region), nil
}

// NewApplier makes what carries out plans of a rule.
func NewApplier(c *Config, cat *catalog.Catalogue, actor *Actor, store react.Store, rule *react.Rule, version string) *react.Applier {
	return &react.Applier{Cloud: actor.Cloud(cat), Store: store, Recheck: Recheck(c, cat, rule, store, version), Protection: Protection(c)}
}

// Recheck reads anew what a plan reasons from and acts on, into the first
// sink, and plans its rule again on that with the same present.
func Recheck(c *Config, cat *catalog.Catalogue, rule *react.Rule, store react.Store, version string) func(context.Context, *react.Plan) (*react.Plan, error) {
	return func(ctx context.Context, p *react.Plan) (*react.Plan, error) {
		kinds, regions := closure(cat, rule, p)
		// What the configuration does not read was not in the estate either.
		selected, err := SelectKinds(c, cat)
		if err != nil {
			return nil, err
		}
		kinds = slices.DeleteFunc(kinds, func(k string) bool {
			return !slices.ContainsFunc(selected, func(e *catalog.Entry) bool { return e.Kind.Name == k && slices.Contains(c.Clouds(), e.Kind.Cloud) })
		})
		if err := syncOnly(ctx, c, kinds, regions, version); err != nil {
			return nil, err
		}
		e, done, err := OpenEstate(ctx, c.Sinks[0])
		if err != nil {
			return nil, err
		}
		planner, err := NewPlanner(c, e, cat, store, version)
		if err != nil {
			return nil, errors.Join(err, done())
		}
		again, err := planner.Plan(ctx, rule, p.Now)
		return again, errors.Join(err, done())
	}
}

// closure are the kinds and regions that a plan depends on: those of what it
// acts on, of what the rule reads and finds absent, and of what can refer to
// them.
func closure(cat *catalog.Catalogue, rule *react.Rule, p *react.Plan) (kinds, regions []string) {
	seen, places := map[string]bool{}, map[string]bool{}
	for _, t := range p.Ready() {
		seen[t.Kind], places[t.Region] = true, true
		for _, m := range t.Takes {
			seen[m.Kind], places[m.Region] = true, true
		}
	}
	deleted := map[string]bool{}
	for k := range seen {
		deleted[k] = true
	}
	for _, e := range cat.Entries() {
		k := e.Kind
		base := ""
		if k.Base != nil {
			if v, ok := schema.FindBaseView(k.Base.Name); ok {
				base = v.View
			}
		}
		named := slices.Contains(rule.Reads, k.Name) || slices.Contains(rule.Reads, base) || slices.Contains(rule.Absent, k.Name)
		refers := slices.ContainsFunc(k.Edges, func(x schema.Edge) bool { return deleted[x.To] && x.OnDelete != schema.None })
		if !e.Optional && (named || refers) {
			seen[k.Name] = true
		}
	}
	for k := range seen {
		kinds = append(kinds, k)
	}
	for r := range places {
		if r != "global" {
			regions = append(regions, r)
		}
	}
	slices.Sort(kinds)
	slices.Sort(regions)
	return kinds, regions
}

// syncOnly reads some kinds into the first sink.
func syncOnly(ctx context.Context, c *Config, kinds, regions []string, version string) (err error) {
	one := *c
	one.Sinks = c.Sinks[:1]
	selected := SourceOptions{Only: kinds, Regions: regions, Version: version}
	cat, err := LoadSelected(&one, selected)
	if err != nil {
		return err
	}
	r, err := OpenSources(ctx, &one, cat, selected)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	open, unopened, err := OpenSinks(ctx, &one)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, CloseSinks(open)) }()
	_, err = Sync(ctx, ctx, Options{
		Sources: r.Sources, Sinks: open, Unopened: unopened, Version: version, Workers: c.Workers, HistoryRetention: time.Duration(c.HistoryRetention),
	})
	if err != nil {
		return fmt.Errorf("read %s anew: %w", strings.Join(kinds, ", "), err)
	}
	return nil
}
