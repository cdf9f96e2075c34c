package workflow

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/dewpoint-data/dewpoint/extract"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Progress is what a running sync shows of itself. It is safe for concurrent
// use.
type Progress struct {
	mu       sync.Mutex
	started  time.Time
	name     string
	services map[serviceKey]*ServiceProgress
	places   map[[2]string]bool
}

type serviceKey struct{ cloud, service string }

// ServiceProgress counts what was done for one service of a cloud.
type ServiceProgress struct {
	Cloud, Service string
	// Tasks known so far and ended.
	Tasks, Done int
	Rows        int64
	// Incomplete scopes so far.
	Incomplete int
}

// Snapshot is the progress at one moment.
type Snapshot struct {
	Phase    string // discovering, reading, committing, done
	Elapsed  time.Duration
	Services []ServiceProgress // sorted by cloud and service
	Tasks    int
	Done     int
	Rows     int64
	// Incomplete scopes so far.
	Incomplete int
	// Places is the number of accounts and regions being read.
	Places int
}

// NewProgress returns the progress of a sync that begins now.
func NewProgress() *Progress {
	return &Progress{
		started: time.Now(), name: "discovering",
		services: map[serviceKey]*ServiceProgress{}, places: map[[2]string]bool{},
	}
}

// Snapshot returns what was done so far.
func (p *Progress) Snapshot() Snapshot {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Snapshot{Phase: p.name, Elapsed: time.Since(p.started), Places: len(p.places)}
	for _, v := range p.services {
		s.Services = append(s.Services, *v)
		s.Tasks += v.Tasks
		s.Done += v.Done
		s.Rows += v.Rows
		s.Incomplete += v.Incomplete
	}
	slices.SortFunc(s.Services, func(a, b ServiceProgress) int {
		return cmp.Or(cmp.Compare(a.Cloud, b.Cloud), cmp.Compare(a.Service, b.Service))
	})
	return s
}

func (p *Progress) phase(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.name = name
}

func (p *Progress) service(cloud, service string) *ServiceProgress {
	k := serviceKey{cloud, service}
	s := p.services[k]
	if s == nil {
		s = &ServiceProgress{Cloud: cloud, Service: service}
		p.services[k] = s
	}
	return s
}

func (p *Progress) rows(b *schema.Batch) {
	if b.Rows == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.service(b.Kind.Cloud, b.Kind.Service).Rows += b.Rows.NumRows()
}

// watch counts the tasks that the sources yield.
func watch(sources []extract.Source, p *Progress) []extract.Source {
	out := make([]extract.Source, len(sources))
	for i, s := range sources {
		out[i] = watched{s, p}
	}
	return out
}

type watched struct {
	extract.Source
	progress *Progress
}

// Tasks implements extract.Source.
func (w watched) Tasks(ctx context.Context, out extract.Writer) iter.Seq2[extract.Task, error] {
	return func(yield func(extract.Task, error) bool) {
		for t, err := range w.Source.Tasks(ctx, out) {
			if err == nil {
				t = w.watch(t)
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

func (w watched) watch(t extract.Task) extract.Task {
	p, cloud := w.progress, w.Cloud()
	p.mu.Lock()
	p.service(cloud, t.Service).Tasks++
	p.places[[2]string{t.Account, t.Region}] = true
	p.mu.Unlock()
	run := t.Run
	t.Run = func(ctx context.Context, out extract.Writer) error {
		c := &counting{Writer: out}
		err := run(ctx, c)
		p.mu.Lock()
		s := p.service(cloud, t.Service)
		s.Done++
		s.Incomplete += c.incomplete
		p.mu.Unlock()
		return err
	}
	return t
}

// counting counts the incomplete scopes of one task.
type counting struct {
	extract.Writer
	mu         sync.Mutex
	incomplete int
}

// Scope implements extract.Writer.
func (c *counting) Scope(ctx context.Context, r schema.ScopeResult) error {
	if r.State != schema.Complete && r.State != schema.NotApplicable {
		c.mu.Lock()
		c.incomplete++
		c.mu.Unlock()
	}
	return c.Writer.Scope(ctx, r)
}
