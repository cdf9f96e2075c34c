package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	k8sapi "github.com/dewpoint-data/dewpoint/extract/k8s/api"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/schema"
)

// SourceConfig says what a Source reads.
type SourceConfig struct {
	Clusters *Clusters
	// Catalogue has what Clusters.Additions made, Entries are the kinds to
	// read.
	Catalogue *catalog.Catalogue
	Entries   []*catalog.Entry
	// Former are scopes that have rows from earlier syncs. Those of a kind
	// that a cluster does not serve any more end.
	Former []FormerScope
	// Limiter is told the rates that the catalogue declares; the options'.
	Limiter *extract.Limiter
	// ScopeTimeout ends the reading of one list.
	ScopeTimeout time.Duration
}

// FormerScope is a scope that was complete in an earlier sync.
type FormerScope struct {
	Scope schema.Scope
	// Kind is the scope's kind as it was then.
	Kind *schema.Kind
}

// Source reads clusters. It implements extract.Source.
type Source struct {
	*reading.Reader
	c SourceConfig
}

// NewSource compiles what the kinds need.
func NewSource(c SourceConfig) (*Source, error) {
	r, err := reading.New(reading.Config{
		Catalogue: c.Catalogue, Entries: c.Entries, Lookup: c.Clusters.Lookup, Limiter: c.Limiter, ScopeTimeout: c.ScopeTimeout,
	})
	if err != nil {
		return nil, err
	}
	return &Source{r, c}, nil
}

// Cloud implements extract.Source.
func (s *Source) Cloud() string { return Cloud }

// Kinds implements extract.Source. Kinds that are not served any more are
// among them as long as there are rows of them to end.
func (s *Source) Kinds() []*schema.Kind {
	out := s.Reader.Kinds()
	for _, f := range s.c.Former {
		if !slices.ContainsFunc(out, func(k *schema.Kind) bool { return k.Name == f.Kind.Name }) && s.ended(f) {
			out = append(out, f.Kind)
		}
	}
	return out
}

// ended says whether the cluster of a former scope can be asked and does not
// serve the scope's kind any more.
func (s *Source) ended(f FormerScope) bool {
	i := slices.IndexFunc(s.c.Clusters.list, func(c *Cluster) bool { return c.err == nil && c.ID == f.Scope.Account })
	return i >= 0 && s.absent(s.c.Clusters.list[i], f.Kind)
}

// absent says whether a discovery that is complete for the kind's group lacks
// the kind. That alone says that it is gone: a list's 404 does not.
func (s *Source) absent(c *Cluster, k *schema.Kind) bool {
	group := k8sapi.Group(k.Service)
	if k.Service == k8sapi.Cluster || c.stale(group) {
		return false
	}
	if e, ok := s.c.Catalogue.Entry(k.Name); ok {
		_, served := c.resource(group, e.List.Op)
		return !served
	}
	return true
}

// Close drops idle connections.
func (s *Source) Close() { s.c.Clusters.Close() }

// Tasks implements extract.Source.
func (s *Source) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		if len(s.c.Clusters.problems) > 0 {
			if err := out.Problem(ctx, s.c.Clusters.problems...); err != nil {
				yield(extract.Task{}, err)
				return
			}
		}
		for _, c := range s.c.Clusters.list {
			tasks, err := s.cluster(ctx, c, out)
			if err != nil {
				yield(extract.Task{}, err)
				return
			}
			for _, t := range tasks {
				if !yield(t, nil) {
					return
				}
			}
		}
	}
}

// cluster are the tasks of one cluster. What there is no task for is reported.
func (s *Source) cluster(ctx context.Context, c *Cluster, out extract.Writer) ([]extract.Task, error) {
	if c.err != nil {
		return nil, out.Scope(ctx, reading.Everything(Cloud, firstOf(c.ID, c.Server, c.Name), c.err))
	}
	if ps := c.problems(); len(ps) > 0 {
		if err := out.Problem(ctx, ps...); err != nil {
			return nil, err
		}
	}
	reported := map[schema.Scope]bool{}
	report := func(r schema.ScopeResult) error {
		reported[r.Scope] = true
		return out.Scope(ctx, r)
	}
	for _, group := range c.Stale {
		err := report(schema.ScopeResult{
			Scope: schema.Scope{Cloud: Cloud, Account: c.ID, Region: Global, Kind: groupKinds(group)},
			State: schema.Unreachable, Code: "Stale", Error: "the server of the API group " + group + " is down: what it serves is not known",
		})
		if err != nil {
			return nil, err
		}
	}
	var tasks []extract.Task
	for _, l := range s.Lists() {
		if l.Service == k8sapi.Cluster {
			tasks = append(tasks, s.Task(reading.Place{Cloud: Cloud, Account: c.ID, Region: Global, Caller: self{c, c.Serving(s.c.Catalogue)}}, l))
			continue
		}
		ts, results := s.list(c, l)
		tasks = append(tasks, ts...)
		for _, r := range results {
			if err := report(r); err != nil {
				return nil, err
			}
		}
	}
	for _, f := range s.c.Former {
		if f.Scope.Account != c.ID || reported[f.Scope] || !s.absent(c, f.Kind) {
			continue
		}
		if err := report(schema.ScopeResult{Scope: f.Scope, State: schema.Complete}); err != nil {
			return nil, err
		}
	}
	return tasks, nil
}

// groupKinds names all kinds of a group, of which no more is known.
func groupKinds(group string) string {
	return strings.TrimSuffix(lateName(k8sapi.Resource{Group: group, Kind: "x"}), "_x") + "_*"
}

// list are the tasks of one list call in a cluster, or what there is to say
// instead.
func (s *Source) list(c *Cluster, l *catalog.ListCall) (tasks []extract.Task, results []schema.ScopeResult) {
	group := k8sapi.Group(l.Service)
	r, served := c.resource(group, l.Op)
	result := schema.ScopeResult{State: schema.Complete}
	svc, err := k8sapi.Lookup(l.Service)
	switch {
	case !served && c.stale(group):
		result.State, result.Code, result.Error = schema.Unreachable, "Stale", "the server of the API group "+group+" is down"
	case !served:
		// The discovery is complete and names no such resource: there is none.
	case err == nil && svc.Operations[l.Op] != nil && svc.APIVersion != r.Version:
		result.State, result.Error = schema.NotApplicable, fmt.Sprintf("the cluster serves %s.%s as %s only, not as %s", r.Name, group, r.Version, svc.APIVersion)
	case r.Namespaced && len(c.o.Namespaces) > 0:
		for _, n := range c.o.Namespaces {
			tasks = append(tasks, s.task(c, l, r, n))
		}
		return tasks, nil
	default:
		return []extract.Task{s.task(c, l, r, "")}, nil
	}
	for _, e := range l.Entries {
		result.Scope = schema.Scope{Cloud: Cloud, Account: c.ID, Region: Global, Kind: e.Kind.Name}
		results = append(results, result)
	}
	return nil, results
}

// task reads a list in a namespace, or in the whole cluster. Where that is
// denied, it is read in the namespaces that are visible: those that grant it
// become scopes of their own.
func (s *Source) task(c *Cluster, l *catalog.ListCall, r k8sapi.Resource, namespace string) extract.Task {
	t := s.Task(place(c, namespace, nil), l)
	t.Run = func(ctx context.Context, out extract.Writer) error {
		denied, err := s.read(ctx, c, l, r, namespace, out, false)
		if err != nil || !denied || namespace != "" || !r.Namespaced {
			return err
		}
		names, err := c.namespaces(ctx)
		if err != nil {
			return out.Problem(ctx, schema.Problem{Account: c.ID, Region: Global, Call: "namespaces", Code: "namespaces", Count: 1, Sample: extract.Excerpt([]byte(err.Error()))})
		}
		for _, n := range names {
			if _, err := s.read(ctx, c, l, r, n, out, true); err != nil {
				return err
			}
		}
		return nil
	}
	return t
}

func place(c *Cluster, namespace string, caller reading.Caller) reading.Place {
	return reading.Place{Cloud: Cloud, Account: c.ID, Region: firstOf(namespace, Global), Caller: caller}
}

// read reads a list once and says whether it was denied.
func (s *Source) read(ctx context.Context, c *Cluster, l *catalog.ListCall, r k8sapi.Resource, namespace string, out extract.Writer, quiet bool) (denied bool, err error) {
	svc, err := s.c.Clusters.Lookup(l.Service)
	if err != nil {
		return false, err
	}
	caller := c.lister(r, namespace, svc.Operations[l.Op].Variant == k8sapi.Metadata)
	w := &outcomes{Writer: out, quiet: quiet}
	err = s.Task(place(c, namespace, caller), l).Run(ctx, w)
	caller.close()
	if note := caller.note(); err == nil && note != "" {
		err = out.Problem(context.WithoutCancel(ctx), schema.Problem{
			Kind: l.Entries[0].Kind.Name, Account: c.ID, Region: firstOf(namespace, Global), Call: l.Op, Code: "inconsistent", Count: 1, Sample: note,
		})
	}
	return w.denied, err
}

// outcomes notes whether a list was denied. A quiet one does not report it.
type outcomes struct {
	extract.Writer
	quiet  bool
	mu     sync.Mutex
	denied bool
}

// Scope implements extract.Writer.
func (w *outcomes) Scope(ctx context.Context, r schema.ScopeResult) error {
	if r.State == schema.Denied {
		w.mu.Lock()
		w.denied = true
		w.mu.Unlock()
		if w.quiet {
			return nil
		}
	}
	return w.Writer.Scope(ctx, r)
}

// self is the caller of the one operation that no server answers.
type self struct {
	c      *Cluster
	served []Served
}

// Do implements reading.Caller.
func (s self) Do(context.Context, reading.Call) (*reading.Answer, error) {
	c := s.c
	item := map[string]any{
		"uid": c.ID, "uidFrom": c.IDFrom, "name": c.Name, "endpoint": c.Server, "version": c.Version, "platform": c.Platform,
		"provider": c.Provider, "eksCluster": c.EKS, "gkeCluster": c.GKE, "createdAt": c.CreatedAt,
	}
	maps.DeleteFunc(item, func(_ string, v any) bool { return v == "" })
	item["resources"] = s.served
	b, err := json.Marshal(map[string]any{"items": []map[string]any{item}})
	return &reading.Answer{Body: b}, err
}

// namespaces are the names of the namespaces that can be seen, none where
// they may not be listed.
func (c *Cluster) namespaces(ctx context.Context) ([]string, error) {
	c.seen.Lock()
	defer c.seen.Unlock()
	if c.visible != nil {
		return c.visible, nil
	}
	const operation = "namespaces"
	names := []string{}
	if c.o.Player != nil {
		x, err := c.o.Player.Play(c.tapeKey(operation))
		if err == nil {
			err = json.Unmarshal(x.Body, &names)
		}
		c.visible = names
		return names, err
	}
	l := c.lister(k8sapi.Resource{Version: "v1", Name: "namespaces", Kind: "Namespace"}, "", true)
	for token := ""; ; {
		b, _, err := l.get(ctx, token)
		var e *APIError
		if errors.As(err, &e) && e.Denied() {
			break
		}
		if err != nil {
			return nil, err
		}
		var list struct {
			Metadata struct{ Continue string }
			Items    []struct{ Metadata struct{ Name string } }
		}
		err = json.Unmarshal(b.Bytes(), &list)
		b.release()
		if err != nil {
			return nil, fmt.Errorf("namespaces: %w", err)
		}
		for _, i := range list.Items {
			names = append(names, i.Metadata.Name)
		}
		if token = list.Metadata.Continue; token == "" {
			break
		}
	}
	c.visible = names
	if c.o.Recorder == nil {
		return names, nil
	}
	b, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	return names, c.o.Recorder.Record(c.tapeKey(operation), extract.Exchange{Status: http.StatusOK, Body: b})
}
