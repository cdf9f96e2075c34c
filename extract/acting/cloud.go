package acting

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/extract/action"
	"github.com/dewpoint-data/dewpoint/extract/api"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/extract/k8s"
	"github.com/dewpoint-data/dewpoint/extract/reading"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

// Cloud acts by a catalogue. It implements action.Cloud.
type Cloud struct {
	Declared
	// Names, if any, says what id a project's number is of.
	Names func(number string) (string, bool)
	// Place is where calls on an account's region are made, with credentials
	// that may write. It is safe for concurrent use.
	Place func(ctx context.Context, cloud, account, region string) (reading.Place, error)

	// Cluster is the cluster of Kubernetes with the id, with credentials that may
	// write.
	Cluster func(ctx context.Context, id string) (*k8s.Cluster, error)

	gets   sync.Map // *catalog.Action -> func() (*get, error)
	sweeps sync.Map // *catalog.Sweep -> func() (*sweep, error)
}

var (
	_ action.Cloud   = (*Cloud)(nil)
	_ action.Waiter  = (*Cloud)(nil)
	_ action.Sweeper = (*Cloud)(nil)
)

// Operator is a reading.Caller of a cloud some of whose calls go on after
// their answer.
type Operator interface {
	// Operation names what an answer says is under way, empty for nothing.
	Operation(c reading.Call, body []byte) string
	// Ended says whether an operation has ended. An error that is the cloud's
	// is a reading.Failure: that of asking, or what the operation came to.
	Ended(ctx context.Context, svc *api.Service, operation string) (bool, error)
}

// Do implements action.Cloud.
func (c *Cloud) Do(ctx context.Context, r action.Resource, call action.Call) (string, error) {
	if r.Cloud == k8s.Cloud {
		return c.doObject(ctx, r, call)
	}
	if call.Each != nil {
		return "", fmt.Errorf("%s is to be made for all that %s lists", call.Op, call.Each.Op)
	}
	if call.Find != nil {
		state, err := c.found(ctx, r, call)
		if err != nil || state != "" {
			return state, err
		}
	}
	a, made, p, err := c.send(ctx, r, call.Service, call.Op, call.Input, nil)
	if err != nil {
		return "", err
	}
	defer a.Release()
	if err := c.judge(r, call, a); err != nil {
		return "", err
	}
	if call.Find != nil {
		return "made", nil
	}
	if o, ok := p.Caller.(Operator); ok {
		return o.Operation(made, a.Body), nil
	}
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "Audit-Id"} {
		if id := a.Header.Get(name); id != "" {
			return id, nil
		}
	}
	return "", nil
}

// Waits implements action.Waiter.
func (c *Cloud) Waits(r action.Resource, call action.Call) bool {
	return r.Cloud == "gcp" || call.Find != nil
}

// Ended implements action.Waiter.
func (c *Cloud) Ended(ctx context.Context, r action.Resource, call action.Call, requestID string) (bool, error) {
	if requestID == "" {
		return true, nil
	}
	if call.Find != nil {
		return c.complete(ctx, r, call)
	}
	svc, _, err := c.lookup(r.Cloud, call.Service, call.Op)
	if err != nil {
		return false, err
	}
	p, err := c.Place(ctx, r.Cloud, r.Account, r.Region)
	if err != nil {
		return false, err
	}
	o, ok := p.Caller.(Operator)
	if !ok {
		return true, nil
	}
	done, err := o.Ended(ctx, svc, requestID)
	if err != nil && ctx.Err() == nil {
		err = classify(r, err)
	}
	return done, err
}

func (c *Cloud) send(ctx context.Context, r action.Resource, service, op string, in map[string]any, header map[string]string) (*reading.Answer, reading.Call, reading.Place, error) {
	svc, o, err := c.lookup(r.Cloud, service, op)
	if err != nil {
		return nil, reading.Call{}, reading.Place{}, err
	}
	p, err := c.Place(ctx, r.Cloud, r.Account, r.Region)
	if err != nil {
		return nil, reading.Call{}, reading.Place{}, err
	}
	call := reading.Call{Service: svc, Op: o, Input: in, Header: http.Header{}}
	for k, v := range header {
		call.Header.Set(k, v)
	}
	a, err := p.Caller.Do(ctx, call)
	if err != nil {
		if ctx.Err() != nil {
			return nil, call, p, context.Cause(ctx)
		}
		return nil, call, p, classify(r, err)
	}
	return a, call, p, nil
}

// classify says what an error of a call means for what is to be done.
func classify(r action.Resource, err error) error {
	var f reading.Failure
	if !errors.As(err, &f) {
		return err
	}
	e := &action.Error{Err: err}
	e.Code, e.RequestID = f.Fault()
	if r.Cloud == "gcp" {
		classifyGoogle(r, f, e)
		return e
	}
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
	if r.Cloud == k8s.Cloud {
		return c.readObject(ctx, r)
	}
	e, ok := c.Catalogue.Entry(r.Kind)
	if !ok || e.Get == nil {
		return nil, fmt.Errorf("read %s: %w", r.Kind, action.ErrCannot)
	}
	call, in, err := e.Get.Resolve(vars(r, action.Args{}))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", e.Get.Op, r.ID, err)
	}
	f, _ := c.gets.LoadOrStore(call, sync.OnceValues(func() (*get, error) { return c.compile(e, call) }))
	g, err := f.(func() (*get, error))()
	if err != nil {
		return nil, err
	}
	a, _, _, err := c.send(ctx, r, call.Service, call.Op, in, call.Headers)
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

// get is what reading one resource by a call takes.
type get struct {
	plan *normalize.Plan
	tags bool // the answer holds them
	etag bool // and an etag
	// stopped are values of columns by which one is stopped, none where its
	// status says it.
	stopped map[string][]string
}

// compile makes of a kind's specification that of the answer to a get. What
// such an answer cannot hold is left out.
func (c *Cloud) compile(e *catalog.Entry, call *catalog.Action) (*get, error) {
	svc, op, err := c.lookup(e.Kind.Cloud, call.Service, call.Op)
	if err != nil {
		return nil, err
	}
	v, _ := c.vendor(e.Kind.Cloud)
	src := normalize.Source{Call: call.Op, Format: normalize.JSON, Shape: v.Normalize(svc, op), Items: call.Items}
	if v.Format != nil {
		src.Format = v.Format(svc)
	}
	if v.Wrap != nil {
		src.Wrap = v.Wrap(svc, op)
	}
	bare := *e.Kind
	bare.Columns, bare.Edges, bare.Base = nil, nil, nil
	spec := normalize.Spec{Kind: &bare, Sources: []normalize.Source{src}, ID: e.Spec.ID, Names: c.Names}
	// What the same call answers as a detail of the list is there as well.
	source := 0
	for _, d := range e.Details {
		if d.Service == call.Service && d.Op == call.Op {
			source = d.Source
		}
	}
	from := func(at int) bool { return at == 0 || at == source }
	// A detail's paths begin at the answer, those of a get at its items.
	own := func(x normalize.Expr) normalize.Expr {
		if n := len(call.Items); x.Source != 0 && len(x.Path) > n && slices.Equal(x.Path[:n], call.Items) {
			x.Path = x.Path[n:]
		}
		x.Source = 0
		return x
	}
	if t := e.Spec.Tags; t != nil && from(t.Source) {
		x := *t
		x.Expr = own(x.Expr)
		spec.Tags = &x
	}
	if t := e.Spec.CreatedAt; t != nil && from(t.Source) {
		x := *t
		x.Expr = own(x.Expr)
		spec.CreatedAt = &x
	}
	needed := c.Columns(e.Kind.Name)
	for _, f := range e.Spec.Fields {
		col := e.Kind.Columns[f.Column]
		if from(f.Source) && (col.Type == schema.Text && statusColumn(col.Name) || plain(col.Type) && slices.Contains(needed, col.Name)) {
			bare.Columns = append(bare.Columns, col)
			f.Column, f.Expr = len(bare.Columns)-1, own(f.Expr)
			spec.Fields = append(spec.Fields, f)
		}
	}
	attempts := []func(){
		func() {},
		func() { bare.Columns, spec.Fields = nil, nil },
		func() { spec.Tags = nil },
		func() { spec.CreatedAt = nil },
	}
	g := &get{stopped: e.Stopped, etag: src.Format == normalize.JSON && len(call.Items) == 0 && op.Output.Member("etag") != nil}
	for _, without := range attempts {
		without()
		if g.plan, err = normalize.Compile(spec); err == nil {
			g.tags = spec.Tags != nil
			return g, nil
		}
	}
	return nil, fmt.Errorf("read %s: %w", e.Kind.Name, err)
}

// plain says whether a value of a type is a text, a number or a boolean.
func plain(t schema.Type) bool {
	return t == schema.Text || t == schema.Int64 || t == schema.Float64 || t == schema.Bool
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
	if batch.Rows.NumRows() == 0 {
		// There is something, of which it is not known what.
		return nil, fmt.Errorf("read %s %s: the answer has no id", r.Kind, r.ID)
	}
	ids := batch.Rows.Column(schema.ColVendorID).(*array.String)
	for i := range int(batch.Rows.NumRows()) {
		if ids.Value(i) == r.ID {
			return g.row(r, a, batch, i), nil
		}
	}
	return nil, action.ErrGone
}

// row is one of the rows of the answer to a get.
func (g *get) row(r action.Resource, a *reading.Answer, batch *schema.Batch, i int) *action.Current {
	cur := &action.Current{Columns: map[string]string{}}
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
		value := batch.Rows.Column(j)
		if !value.IsValid(i) {
			continue
		}
		name := batch.Kind.Columns[j-schema.NumBatchUnified].Name
		cur.Columns[name] = value.ValueStr(i)
		if statusColumn(name) && cur.Status == "" {
			cur.Status = status(r, value.ValueStr(i))
		}
	}
	if len(g.stopped) > 0 && !ending(cur.Status) {
		cur.Status = "stopped"
		for name, values := range g.stopped {
			if !slices.Contains(values, cur.Columns[name]) {
				cur.Status = "running"
			}
		}
	}
	if g.etag {
		var body struct{ Etag string }
		if json.Unmarshal(a.Body, &body) == nil {
			cur.Version = body.Etag
		}
	}
	return cur
}

// ending says that a status is not one that may be stopped.
func ending(status string) bool { return strings.HasPrefix(status, "delet") }

// status is a vendor's in lower case, by the names of AWS where others say the
// same otherwise: TERMINATED is a machine of Google that is stopped.
func status(r action.Resource, text string) string {
	text = strings.ToLower(text)
	if r.Cloud == "gcp" {
		switch text {
		case "terminated":
			return "stopped"
		case "delete_requested":
			return "deleted"
		case "stopping":
			if r.Kind != "gcp_compute_instance" {
				return "deleting"
			}
		}
	}
	return text
}
