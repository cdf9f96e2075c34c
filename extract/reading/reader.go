package reading

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Config says what a Reader reads.
type Config struct {
	Catalogue *catalog.Catalogue
	// Entries are the kinds to read, all of one cloud.
	Entries []*catalog.Entry
	// Lookup finds the services that the kinds' calls are of.
	Lookup func(service string) (*api.Service, error)
	// Limiter is told the rates that the catalogue declares; nil is none.
	Limiter *extract.Limiter
	// Names, if any, says what name stands for another in resource names:
	// normalize.Spec.Names.
	Names func(name string) (string, bool)
	// ScopeTimeout ends the reading of one list call with what hangs on it.
	ScopeTimeout time.Duration
}

// Reader holds what reading the kinds takes, compiled once for all places. It
// is safe for concurrent use.
type Reader struct {
	c     Config
	lists []*catalog.ListCall
	plans map[*catalog.Entry]*normalize.Plan
	calls map[callKey]described

	redactors sync.Map // *catalog.ListCall -> *normalize.Redactor
}

type callKey struct{ service, op string }

// described is an operation with its service.
type described struct {
	service *api.Service
	op      *api.Operation
}

// New compiles what the kinds need.
func New(c Config) (*Reader, error) {
	s := &Reader{
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

// Lists are the calls to make in each place, those made for each of others'
// items below them.
func (s *Reader) Lists() []*catalog.ListCall { return s.lists }

// Kinds are the schemas of the kinds.
func (s *Reader) Kinds() []*schema.Kind { return catalog.Kinds(s.c.Entries) }

// Task is the reading of a list call in a place.
func (s *Reader) Task(p Place, l *catalog.ListCall) extract.Task {
	t := extract.Task{Account: p.Account, Region: p.Region, Service: l.Service, Name: l.Op}
	var add func(l *catalog.ListCall)
	add = func(l *catalog.ListCall) {
		for _, e := range l.Entries {
			region := p.Region
			if e.Spec.Located {
				region = everywhere
			}
			t.Scopes = append(t.Scopes, schema.Scope{Cloud: p.Cloud, Account: p.Account, Region: region, Kind: e.Kind.Name})
		}
		for _, c := range l.Children {
			add(c)
		}
	}
	add(l)
	t.Run = func(ctx context.Context, out extract.Writer) error {
		return newTask(s, p, out).run(ctx, l)
	}
	return t
}

// prepare compiles the plans and looks the operations up of a list call and
// of what hangs on it.
func (s *Reader) prepare(l *catalog.ListCall) error {
	if err := s.lookup(l.Service, l.Op); err != nil {
		return err
	}
	for _, e := range feeds(l)[0].List.Entries {
		if s.plans[e] != nil {
			continue
		}
		spec := e.Spec
		spec.Names = s.c.Names
		p, err := normalize.Compile(spec)
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

func (s *Reader) lookup(service, op string) error {
	k := callKey{service, op}
	if _, ok := s.calls[k]; ok {
		return nil
	}
	svc, err := s.c.Lookup(service)
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

// redact takes out of a list's answer what no kind of it keeps, whether the
// kind is wanted or not.
func (s *Reader) redact(l *catalog.ListCall, body []byte) []byte {
	all := feeds(l)[0].List
	r, ok := s.redactors.Load(all)
	if !ok {
		plans := make([]*normalize.Plan, len(all.Entries))
		for i, e := range all.Entries {
			plans[i] = s.plans[e]
		}
		r, _ = s.redactors.LoadOrStore(all, normalize.NewRedactor(plans...))
	}
	return r.(*normalize.Redactor).Redact(body)
}

// Drift counts the members that the cloud sent and the descriptions lack, as
// extract.Drifter wants it.
func (s *Reader) Drift() []schema.Problem {
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
