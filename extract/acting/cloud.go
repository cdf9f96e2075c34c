package acting

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Cloud acts by a catalogue. It implements action.Cloud.
type Cloud struct {
	Declared
	// Vendors describe the clouds.
	Vendors []catalog.Vendor
	// Place is where calls on an account's region are made, with credentials
	// that may write. It is safe for concurrent use.
	Place func(ctx context.Context, cloud, account, region string) (reading.Place, error)

	gets sync.Map // kind -> func() (*get, error)
}

var _ action.Cloud = (*Cloud)(nil)

// get is what reading one resource takes.
type get struct {
	entry *catalog.Entry
	plan  *normalize.Plan
	tags  bool // the answer holds them
}

// Do implements action.Cloud.
func (c *Cloud) Do(ctx context.Context, r action.Resource, call action.Call) (string, error) {
	a, err := c.send(ctx, r, call.Service, call.Op, call.Input, nil)
	if err != nil {
		return "", err
	}
	defer a.Release()
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Goog-Request-Id", "Audit-Id"} {
		if id := a.Header.Get(name); id != "" {
			return id, nil
		}
	}
	return "", nil
}

func (c *Cloud) send(ctx context.Context, r action.Resource, service, op string, in map[string]any, header map[string]string) (*reading.Answer, error) {
	svc, o, err := c.lookup(r.Cloud, service, op)
	if err != nil {
		return nil, err
	}
	p, err := c.Place(ctx, r.Cloud, r.Account, r.Region)
	if err != nil {
		return nil, err
	}
	h := http.Header{}
	for k, v := range header {
		h.Set(k, v)
	}
	a, err := p.Caller.Do(ctx, reading.Call{Service: svc, Op: o, Input: in, Header: h})
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, classify(err)
	}
	return a, nil
}

func (c *Cloud) lookup(cloud, service, op string) (*api.Service, *api.Operation, error) {
	for _, v := range c.Vendors {
		if v.Cloud != cloud {
			continue
		}
		svc, err := v.Lookup(service)
		if err != nil {
			return nil, nil, err
		}
		if o := svc.Operations[op]; o != nil {
			return svc, o, nil
		}
		return nil, nil, fmt.Errorf("service %s has no operation %s", service, op)
	}
	return nil, nil, fmt.Errorf("%s: nothing acts in that cloud: %w", cloud, action.ErrCannot)
}

// classify says what an error of a call means for what is to be done.
func classify(err error) error {
	var f reading.Failure
	if !errors.As(err, &f) {
		return err
	}
	e := &action.Error{Err: err}
	e.Code, e.RequestID = f.Fault()
	var missing interface{ NotFound(codes ...string) bool }
	e.Gone = errors.As(err, &missing) && missing.NotFound() || strings.HasSuffix(e.Code, ".NotFound") || strings.HasSuffix(e.Code, "NotFoundException") ||
		strings.HasPrefix(e.Code, "NoSuch") || strings.HasSuffix(e.Code, "NotFound") || strings.HasSuffix(e.Code, "NotFoundFault")
	if !e.Gone {
		for _, word := range []string{"DependencyViolation", "InUse", "DeleteConflict", "IncorrectState", "InvalidState", "OperationAborted", "ResourceConflict", "IncorrectInstanceState"} {
			e.Busy = e.Busy || strings.Contains(e.Code, word)
		}
		switch f.State() {
		case schema.Throttled:
			e.Busy = true
		case schema.TimedOut, schema.Unreachable:
			e.Unknown = e.Code == ""
		}
	}
	return e
}

// Read implements action.Cloud.
func (c *Cloud) Read(ctx context.Context, r action.Resource) (*action.Current, error) {
	g, err := c.get(r.Kind)
	if err != nil {
		return nil, err
	}
	call, in, err := g.entry.Get.Resolve(vars(r, action.Args{}))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", g.entry.Get.Op, r.ID, err)
	}
	if call != g.entry.Get {
		// Its answer has another form, which nothing was compiled for.
		return nil, fmt.Errorf("read %s by %s: %w", r.Kind, call.Op, action.ErrCannot)
	}
	a, err := c.send(ctx, r, call.Service, call.Op, in, call.Headers)
	if err != nil {
		var e *action.Error
		if errors.As(err, &e) && e.Gone {
			return nil, fmt.Errorf("%w: %w", action.ErrGone, err)
		}
		return nil, err
	}
	defer a.Release()
	return g.current(r, a)
}

func (c *Cloud) get(kind string) (*get, error) {
	f, _ := c.gets.LoadOrStore(kind, sync.OnceValues(func() (*get, error) { return c.compile(kind) }))
	return f.(func() (*get, error))()
}

// compile makes of a kind's specification that of the answer to its get. What
// such an answer cannot hold is left out.
func (c *Cloud) compile(kind string) (*get, error) {
	e, ok := c.Catalogue.Entry(kind)
	if !ok || e.Get == nil {
		return nil, fmt.Errorf("read %s: %w", kind, action.ErrCannot)
	}
	svc, op, err := c.lookup(e.Kind.Cloud, e.Get.Service, e.Get.Op)
	if err != nil {
		return nil, err
	}
	var v catalog.Vendor
	for _, x := range c.Vendors {
		if x.Cloud == e.Kind.Cloud {
			v = x
		}
	}
	src := normalize.Source{Call: e.Get.Op, Format: normalize.JSON, Shape: v.Normalize(svc, op), Items: e.Get.Items}
	if v.Format != nil {
		src.Format = v.Format(svc)
	}
	if v.Wrap != nil {
		src.Wrap = v.Wrap(svc, op)
	}
	bare := *e.Kind
	bare.Columns, bare.Edges, bare.Base = nil, nil, nil
	spec := normalize.Spec{Kind: &bare, Sources: []normalize.Source{src}, ID: e.Spec.ID}
	g := &get{entry: e}
	if t := e.Spec.Tags; t != nil && t.Source == 0 {
		spec.Tags = t
	}
	if t := e.Spec.CreatedAt; t != nil && t.Source == 0 {
		spec.CreatedAt = t
	}
	for _, f := range e.Spec.Fields {
		if f.Source == 0 && statusColumn(e.Kind.Columns[f.Column].Name) && e.Kind.Columns[f.Column].Type == schema.Text {
			bare.Columns = append(bare.Columns, e.Kind.Columns[f.Column])
			f.Column = len(bare.Columns) - 1
			spec.Fields = append(spec.Fields, f)
		}
	}
	attempts := []func(){
		func() {},
		func() { bare.Columns, spec.Fields = nil, nil },
		func() { spec.Tags = nil },
		func() { spec.CreatedAt = nil },
	}
	for _, without := range attempts {
		without()
		if g.plan, err = normalize.Compile(spec); err == nil {
			g.tags = spec.Tags != nil
			return g, nil
		}
	}
	return nil, fmt.Errorf("read %s: %w", kind, err)
}

// statusColumn says whether a column is named as those are that hold a status.
func statusColumn(name string) bool {
	switch name {
	case "state", "state_name", "status", "stack_status", "db_instance_status", "life_cycle_state", "lifecycle_state", "key_state":
		return true
	}
	return false
}

// current reads the answer to a get.
func (g *get) current(r action.Resource, a *reading.Answer) (*action.Current, error) {
	b := g.plan.NewBuilder(memory.DefaultAllocator)
	b.Begin(normalize.Origin{Scope: schema.Scope{Cloud: r.Cloud, Account: r.Account, Region: r.Region, Kind: r.Kind}, Partition: vars(r, action.Args{}).Partition})
	if _, _, err := b.Page(a.Body, a.Header); err != nil {
		return nil, fmt.Errorf("read %s %s: %w", r.Kind, r.ID, err)
	}
	batch := b.Flush()
	if batch == nil {
		return nil, action.ErrGone
	}
	defer batch.Release()
	ids := batch.Rows.Column(schema.ColVendorID).(*array.String)
	for i := range int(batch.Rows.NumRows()) {
		if ids.Value(i) != r.ID {
			continue
		}
		cur := &action.Current{}
		if created := batch.Rows.Column(schema.ColCreatedAt).(*array.Timestamp); created.IsValid(i) {
			cur.CreatedAt = created.Value(i).ToTime(arrow.Microsecond).UTC()
		}
		if tags := batch.Rows.Column(schema.ColTags).(*array.Map); g.tags && tags.IsValid(i) {
			cur.Tags = map[string]string{}
			from, to := tags.ValueOffsets(i)
			keys, values := tags.Keys().(*array.String), tags.Items().(*array.String)
			for j := from; j < to; j++ {
				cur.Tags[keys.Value(int(j))] = values.Value(int(j))
			}
		}
		for j := schema.NumBatchUnified; j < int(batch.Rows.NumCols()); j++ {
			if text, ok := batch.Rows.Column(j).(*array.String); ok && text.IsValid(i) && cur.Status == "" {
				cur.Status = strings.ToLower(text.Value(i))
			}
		}
		return cur, nil
	}
	return nil, action.ErrGone
}
