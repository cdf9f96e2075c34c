package workflow

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/react"
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
