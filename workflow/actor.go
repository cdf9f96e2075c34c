package workflow

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/acting"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/clouds"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/react"
)

// Actor acts in what react.aws, react.gcp and react.kubernetes name, and nowhere
// else.
type Actor struct {
	config    *Config
	limiter   *extract.Limiter
	userAgent string

	mu       sync.Mutex
	client   *aws.Client             // nil before the first call
	accounts map[string]*aws.Account // by id
	projects map[int]*gcp.Actor      // by index in react.gcp
	clusters []*k8s.Clusters         // by index in react.kubernetes, nil before they are asked for
	served   acting.Clusters
	closers  []func()
}

// OpenActor opens what the configuration acts with. It is a *ConfigError where
// there is nothing: credentials that read do not write.
func OpenActor(c *Config, version string) (*Actor, error) {
	if len(c.React.AWS)+len(c.React.GCP)+len(c.React.Kubernetes) == 0 {
		return nil, &ConfigError{errors.New("react.aws, react.gcp and react.kubernetes are empty: name how accounts, projects and clusters are entered to act in them; what reads does not write")}
	}
	return &Actor{config: c, limiter: extract.NewLimiter(), userAgent: "dewpoint/" + version, projects: map[int]*gcp.Actor{}}, nil
}

// Close drops idle connections.
func (a *Actor) Close() error {
	for _, f := range a.closers {
		f()
	}
	return nil
}

// Cloud acts by a catalogue, and in clusters by what they serve.
func (a *Actor) Cloud(ctx context.Context, cat *catalog.Catalogue) (*acting.Cloud, error) {
	if err := a.enterClusters(ctx, cat); err != nil {
		return nil, err
	}
	return &acting.Cloud{
		Declared: acting.Declared{Catalogue: cat, Vendors: clouds.Vendors(), Clusters: a.served}, Place: a.place, Names: a.name, Cluster: a.cluster,
	}, nil
}

// enterClusters finds out what the clusters serve, once. One that cannot be
// entered is an error of what is to be done there.
func (a *Actor) enterClusters(ctx context.Context, cat *catalog.Catalogue) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.served != nil {
		return nil
	}
	served := acting.Clusters{}
	for _, x := range a.config.React.Kubernetes {
		cs, err := k8s.Open(ctx, k8s.Options{
			Kubeconfig: x.Kubeconfig, Contexts: x.Contexts, InCluster: x.InCluster, ClusterID: x.ClusterID, Limiter: a.limiter, UserAgent: a.userAgent,
		})
		if err != nil {
			return fmt.Errorf("react.kubernetes: %w", err)
		}
		a.clusters = append(a.clusters, cs)
		a.closers = append(a.closers, cs.Close)
		additions, err := cs.Additions(cat)
		if err != nil {
			return fmt.Errorf("react.kubernetes: %w", err)
		}
		with, err := cat.With(additions...)
		if with == nil {
			return fmt.Errorf("react.kubernetes: %w", err)
		}
		for _, c := range cs.List() {
			if c.Err() == nil && served[c.ID] == nil {
				served.Add(c.ID, c.Serving(with))
			}
		}
	}
	a.served = served
	return nil
}

// cluster is the cluster of an id.
func (a *Actor) cluster(_ context.Context, id string) (*k8s.Cluster, error) {
	var failed error
	for _, cs := range a.clusters {
		c, err := cs.Find(id)
		if err == nil {
			return c, nil
		}
		failed = err
	}
	if failed == nil {
		failed = fmt.Errorf("it names no context of %s", id)
	}
	return nil, fmt.Errorf("react.kubernetes: %w", failed)
}

// NewApplier makes what carries out plans of a rule.
func NewApplier(ctx context.Context, c *Config, cat *catalog.Catalogue, actor *Actor, store react.Store, rule *react.Rule, version string) (*react.Applier, error) {
	cloud, err := actor.Cloud(ctx, cat)
	if err != nil {
		return nil, err
	}
	return &react.Applier{Cloud: cloud, Store: store, Recheck: Recheck(c, cat, rule, store, version), Protection: Protection(c), Patience: time.Duration(c.React.Patience)}, nil
}

// place enters accounts when it is first asked.
func (a *Actor) place(ctx context.Context, cloud, account, region string) (reading.Place, error) {
	switch cloud {
	case "aws":
		x, err := a.account(ctx, account)
		if err != nil {
			return reading.Place{}, err
		}
		return a.client.Place(x, region), nil
	case "gcp":
		p, err := a.project(ctx, account)
		if err != nil {
			return reading.Place{}, err
		}
		return p.Place(ctx, account)
	}
	return reading.Place{}, fmt.Errorf("nothing acts in %s", cloud)
}

// account is an account of AWS. All are entered at once: which ids they have
// is known only then.
func (a *Actor) account(ctx context.Context, id string) (*aws.Account, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client == nil {
		client, err := aws.NewClient(ctx, aws.Options{Limiter: a.limiter, UserAgent: a.userAgent})
		if err != nil {
			return nil, &ConfigError{err}
		}
		a.client = client
		a.closers = append(a.closers, client.Close)
	}
	if a.accounts == nil {
		entered := map[string]*aws.Account{}
		for _, x := range a.config.React.AWS {
			ac := aws.AccountConfig{Profile: x.Profile}
			ac.RoleARN, ac.ExternalID = x.RoleARN, x.ExternalID
			for _, via := range x.Via {
				ac.Via = append(ac.Via, aws.AssumeRole{RoleARN: via})
			}
			one, err := a.client.Account(ctx, ac)
			if err != nil {
				return nil, fmt.Errorf("react.aws: %w", err)
			}
			entered[one.ID] = one
		}
		a.accounts = entered
	}
	if x := a.accounts[id]; x != nil {
		return x, nil
	}
	return nil, fmt.Errorf("react.aws enters no account %s", id)
}

// project acts in a project of Google, with the credentials of the first entry
// of react.gcp that it matches.
func (a *Actor) project(ctx context.Context, id string) (*gcp.Actor, error) {
	i := slices.IndexFunc(a.config.React.GCP, func(x ActingProject) bool { return x.has(id) })
	if i < 0 {
		return nil, fmt.Errorf("react.gcp enters no project %s", id)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.projects[i]; p != nil {
		return p, nil
	}
	x := a.config.React.GCP[i]
	client, err := gcp.NewClient(ctx, gcp.Options{
		Credentials:  gcp.CredentialsConfig{File: x.Credentials, Impersonate: x.Impersonate, Anonymous: x.Anonymous},
		QuotaProject: x.QuotaProject, Universe: a.config.GCP.Universe, Endpoints: a.config.GCP.Endpoints,
		Limiter: a.limiter, UserAgent: a.userAgent,
	})
	if err != nil {
		return nil, fmt.Errorf("react.gcp: %w", err)
	}
	a.projects[i] = gcp.NewActor(client)
	a.closers = append(a.closers, client.Close)
	return a.projects[i], nil
}

// name is the id of a project that was entered, by its number.
func (a *Actor) name(number string) (string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.projects {
		if id, ok := p.Name(number); ok {
			return id, true
		}
	}
	return "", false
}

// has says whether a project is entered so.
func (p ActingProject) has(id string) bool {
	return len(p.Projects) == 0 || slices.ContainsFunc(p.Projects, func(glob string) bool {
		ok, err := path.Match(glob, id)
		return err == nil && ok
	})
}

// validate says what is wrong with how projects are entered.
func (p ActingProject) validate() error {
	for _, glob := range p.Projects {
		if _, err := path.Match(glob, ""); err != nil || strings.TrimSpace(glob) == "" {
			return fmt.Errorf("react.gcp: %q is no glob of projects", glob)
		}
	}
	return nil
}
