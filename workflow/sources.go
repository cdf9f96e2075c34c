package workflow

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/aws"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/gcp"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
	"github.com/dewpoint-data/dewpoint/sinks"
)

// SourceOptions narrow what a configuration reads, and say where from.
type SourceOptions struct {
	// Only and Skip replace kinds.only and add to kinds.skip.
	Only, Skip []string
	// Profile and Regions replace the configured accounts' and regions.
	Profile string
	Regions []string
	// Record is the folder to keep the answers in, Replay the one to take
	// them from instead of from the clouds. At most one is given.
	Record, Replay string
	Version        string
	// Sinks remember kinds that clusters may not serve any more.
	Sinks []sinks.Sink
}

// only are the kinds asked for, empty for all.
func (o SourceOptions) only(c *Config) []string {
	if len(o.Only) > 0 {
		return o.Only
	}
	return c.Kinds.Only
}

// Reading is what a sync reads: its sources, and the catalogue with what the
// clusters serve besides.
type Reading struct {
	Sources   []extract.Source
	Catalogue *catalog.Catalogue
	closers   []func() error
}

// Close closes the sources and finishes the recording.
func (r *Reading) Close() error {
	var err error
	for _, f := range slices.Backward(r.closers) {
		err = errors.Join(err, f())
	}
	r.closers = nil
	return err
}

// OpenSources makes the sources of a configuration: one for each cloud, or
// for each cloud on the recording that is replayed. Of several clouds one that
// cannot be entered is a failed scope over all its kinds; a single one is the
// error. The caller closes what is returned.
func OpenSources(ctx context.Context, c *Config, cat *catalog.Catalogue, o SourceOptions) (r *Reading, err error) {
	if o.Record != "" && o.Replay != "" {
		return nil, &ConfigError{errors.New("--record and --replay exclude each other")}
	}
	r = &Reading{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
			r = nil
		}
	}()
	in := &opening{c: c, o: o, cat: cat, limiter: extract.NewLimiter()}
	names := c.Clouds()
	switch {
	case o.Record != "":
		rec, err := extract.OpenRecorder(o.Record, o.Version)
		if err != nil {
			return r, err
		}
		in.recorder = rec
		r.closers = append(r.closers, rec.Close)
	case o.Replay != "":
		if in.player, err = extract.OpenPlayer(o.Replay); err != nil {
			return r, err
		}
		names = recorded(in.player)
	}
	only, skip := o.only(c), slices.Concat(c.Kinds.Skip, o.Skip)
	choose := selectKnown
	if slices.Contains(names, "kubernetes") && concerns(cat, only, "kubernetes") {
		if err := in.discover(ctx); err != nil {
			if len(names) == 1 || isConfig(err) {
				return r, err
			}
			in.undiscovered = err
		} else {
			choose = selectKinds
			r.closers = append(r.closers, func() error { in.clusters.Close(); return nil })
		}
	}
	r.Catalogue = in.cat
	entries, err := choose(in.cat, names, only, skip)
	if err != nil {
		return r, err
	}
	for _, name := range names {
		own := slices.DeleteFunc(slices.Clone(entries), func(e *catalog.Entry) bool { return e.Kind.Cloud != name })
		if len(own) == 0 && (name != "kubernetes" || in.undiscovered == nil) {
			continue
		}
		src, closer, err := openerOf(name)(ctx, in, own)
		switch {
		case err == nil:
			r.closers = append(r.closers, closer)
			if len(names) > 1 {
				src = isolated{src}
			}
		case len(names) == 1 || isConfig(err):
			return r, err
		default:
			src = unentered{cloud: name, kinds: catalog.Kinds(own), err: err}
		}
		r.Sources = append(r.Sources, src)
	}
	return r, nil
}

func isConfig(err error) bool {
	var config *ConfigError
	return errors.As(err, &config)
}

// recorded are the clouds on a recording.
func recorded(p extract.Player) []string {
	var out []string
	for _, a := range p.Accounts() {
		if !slices.Contains(out, a.Cloud) {
			out = append(out, a.Cloud)
		}
	}
	return out
}

// opening is what the openers of sources have in common.
type opening struct {
	c        *Config
	o        SourceOptions
	cat      *catalog.Catalogue
	limiter  *extract.Limiter
	recorder extract.Recorder // nil, or
	player   extract.Player   // nil

	// clusters are the Kubernetes clusters, nil if none is read, and
	// undiscovered why they cannot be; problems are those of kinds that they
	// serve and nobody can read.
	clusters     *k8s.Clusters
	undiscovered error
	problems     []schema.Problem
}

// userAgent names dewpoint in requests.
func (in *opening) userAgent() string { return "dewpoint/" + in.o.Version }

// opener opens a cloud's source for some of its kinds.
type opener func(ctx context.Context, in *opening, entries []*catalog.Entry) (extract.Source, func() error, error)

// openerOf is how a cloud is opened.
func openerOf(cloud string) opener {
	switch cloud {
	case "aws":
		return openAWS
	case "gcp":
		return openGCP
	case "kubernetes":
		return openKubernetes
	}
	return func(context.Context, *opening, []*catalog.Entry) (extract.Source, func() error, error) {
		return nil, nil, &ConfigError{fmt.Errorf("this version of dewpoint does not read %s", cloud)}
	}
}

func openAWS(ctx context.Context, in *opening, entries []*catalog.Entry) (extract.Source, func() error, error) {
	client, err := aws.NewClient(ctx, aws.Options{
		Limiter: in.limiter, Profile: in.o.Profile, UserAgent: in.userAgent(), Recorder: in.recorder, Player: in.player,
	})
	if err != nil {
		return nil, nil, &ConfigError{err}
	}
	src, err := aws.NewSource(aws.SourceConfig{
		Client: client, Accounts: accounts(in.c, in.o), Regions: regions(in.c, in.o), Catalogue: in.cat, Entries: entries,
		Limiter: in.limiter, ScopeTimeout: time.Duration(in.c.ScopeTimeout),
	})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return src, func() error { src.Close(); return nil }, nil
}

func openGCP(ctx context.Context, in *opening, entries []*catalog.Entry) (extract.Source, func() error, error) {
	g := &in.c.GCP
	client, err := gcp.NewClient(ctx, gcp.Options{
		Credentials:  gcp.CredentialsConfig{File: g.Credentials, Impersonate: g.Impersonate, Anonymous: g.Anonymous},
		QuotaProject: g.QuotaProject, Universe: g.Universe, Endpoints: g.Endpoints,
		Limiter: in.limiter, UserAgent: in.userAgent(), Recorder: in.recorder, Player: in.player,
	})
	if err != nil {
		return nil, nil, err
	}
	src, err := gcp.NewSource(gcp.SourceConfig{
		Client: client, Catalogue: in.cat, Entries: entries, Limiter: in.limiter, ScopeTimeout: time.Duration(in.c.ScopeTimeout),
		Assets: g.AssetInventory,
		Projects: gcp.ProjectsConfig{
			Projects: g.Projects, Organization: g.Organization, Folders: g.Folders, Include: g.Include, Exclude: g.Exclude,
		},
	})
	if err != nil {
		client.Close()
		return nil, nil, &ConfigError{err}
	}
	return src, func() error { src.Close(); return nil }, nil
}

// isolated is a source beside others, whose error is a failed scope over all
// its kinds.
type isolated struct{ extract.Source }

// Tasks implements extract.Source.
func (s isolated) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		for t, err := range s.Source.Tasks(ctx, out) {
			if err != nil && ctx.Err() == nil {
				err = out.Scope(ctx, reading.Everything(s.Cloud(), "*", err))
				if err == nil {
					return
				}
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// Drift implements extract.Drifter.
func (s isolated) Drift() []schema.Problem {
	if d, ok := s.Source.(extract.Drifter); ok {
		return d.Drift()
	}
	return nil
}

// Ended implements extract.Ender.
func (s isolated) Ended() []string {
	if e, ok := s.Source.(extract.Ender); ok {
		return e.Ended()
	}
	return nil
}

// discover opens the clusters and adds the kinds that they serve to the
// catalogue.
func (in *opening) discover(ctx context.Context) error {
	k := &in.c.Kubernetes
	clusters, err := k8s.Open(ctx, k8s.Options{
		Kubeconfig: k.Kubeconfig, Contexts: k.Contexts, InCluster: k.InCluster, ClusterID: k.ClusterID, Namespaces: k.Namespaces, ConnectTimeout: time.Duration(k.ConnectTimeout),
		Limiter: in.limiter, Recorder: in.recorder, Player: in.player, UserAgent: in.userAgent(),
	})
	if err != nil {
		return err
	}
	additions, err := clusters.Additions(in.cat)
	if err != nil {
		clusters.Close()
		return err
	}
	cat, err := in.cat.With(additions...)
	var left catalog.Problems
	if errors.As(err, &left) {
		for _, p := range left {
			in.problems = append(in.problems, schema.Problem{Kind: p.Kind, Code: "catalogue", Count: 1, Sample: p.Error()})
		}
	} else if err != nil {
		clusters.Close()
		return err
	}
	in.clusters, in.cat = clusters, cat
	return nil
}

func openKubernetes(ctx context.Context, in *opening, entries []*catalog.Entry) (extract.Source, func() error, error) {
	if in.undiscovered != nil {
		return nil, nil, in.undiscovered
	}
	former, err := in.former(ctx)
	if err != nil {
		return nil, nil, err
	}
	src, err := k8s.NewSource(k8s.SourceConfig{
		Clusters: in.clusters, Catalogue: in.cat, Entries: entries, Former: former, Limiter: in.limiter,
		ScopeTimeout: time.Duration(in.c.ScopeTimeout),
	})
	if err != nil {
		return nil, nil, err
	}
	return noted{src, in.problems}, func() error { src.Close(); return nil }, nil
}

// former are the scopes of Kubernetes that a sink has rows of. A sync of a few
// kinds ends none but theirs.
func (in *opening) former(ctx context.Context) ([]k8s.FormerScope, error) {
	if len(in.o.only(in.c)) > 0 {
		return nil, nil
	}
	var out []k8s.FormerScope
	seen := map[schema.Scope]bool{}
	for _, s := range in.o.Sinks {
		r, ok := s.(sinks.Rememberer)
		if !ok {
			continue
		}
		kinds, err := r.Former(ctx, k8s.Cloud)
		if err != nil {
			return nil, fmt.Errorf("%s: the kinds of clusters: %w", s.URL(), err)
		}
		for _, k := range kinds {
			for _, sc := range k.Scopes {
				if !seen[sc] {
					seen[sc] = true
					out = append(out, k8s.FormerScope{Scope: sc, Kind: k.Kind})
				}
			}
		}
	}
	return out, nil
}

// noted is a source of which there is something to say before it is read.
type noted struct {
	*k8s.Source
	problems []schema.Problem
}

// Tasks implements extract.Source.
func (n noted) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		if len(n.problems) > 0 {
			if err := out.Problem(ctx, n.problems...); err != nil {
				yield(extract.Task{}, err)
				return
			}
		}
		n.Source.Tasks(ctx, out)(yield)
	}
}

// unentered is a cloud that could not be entered.
type unentered struct {
	cloud string
	kinds []*schema.Kind
	err   error
}

// Cloud implements extract.Source.
func (u unentered) Cloud() string { return u.cloud }

// Kinds implements extract.Source.
func (u unentered) Kinds() []*schema.Kind { return u.kinds }

// Tasks implements extract.Source.
func (u unentered) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		if err := out.Scope(ctx, reading.Everything(u.cloud, "*", u.err)); err != nil {
			yield(extract.Task{}, err)
		}
	}
}

// accounts are the configured accounts; a profile given besides stands for
// the credentials of all that name none.
func accounts(c *Config, o SourceOptions) []aws.AccountConfig {
	var out []aws.AccountConfig
	for _, a := range c.AWS.Accounts {
		ac := aws.AccountConfig{Profile: a.Profile, Regions: a.Regions}
		ac.RoleARN, ac.ExternalID = a.RoleARN, a.ExternalID
		for _, via := range a.Via {
			ac.Via = append(ac.Via, aws.AssumeRole{RoleARN: via})
		}
		if len(o.Regions) > 0 {
			ac.Regions = nil
		}
		out = append(out, ac)
	}
	return out
}

func regions(c *Config, o SourceOptions) []string {
	if len(o.Regions) > 0 {
		return o.Regions
	}
	return c.AWS.Regions
}
