package aws

import (
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/dewpoint-data/dewpoint/extract/api"
	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	awscatalog "github.com/dewpoint-data/dewpoint/extract/aws/catalog"
	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
)

// usedCall is an operation that the catalogue calls, with the paths to the
// items that it takes from the answers.
type usedCall struct {
	svc   *api.Service
	op    *api.Operation
	items []normalize.Path
}

func (c *usedCall) String() string { return c.svc.Name + "." + c.op.Name }

// usedCalls are the catalogue's list and detail calls, by name.
func usedCalls(t *testing.T) []*usedCall {
	c, err := catalog.Load([]catalog.Vendor{awscatalog.Vendor()}, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*usedCall{}
	add := func(service, op string, items normalize.Path) {
		svc, err := awsapi.Lookup(service)
		if err != nil {
			t.Fatal(err)
		}
		u := &usedCall{svc: svc, op: svc.Operations[op]}
		if found[u.String()] == nil {
			found[u.String()] = u
		}
		u = found[u.String()]
		if len(items) > 0 && !slices.ContainsFunc(u.items, func(p normalize.Path) bool { return p.String() == items.String() }) {
			u.items = append(u.items, items)
		}
	}
	for _, e := range c.Entries() {
		add(e.List.Service, e.List.Op, e.Spec.Sources[0].Items)
		for _, d := range e.Details {
			add(d.Service, d.Op, e.Spec.Sources[d.Source].Items)
		}
	}
	var out []*usedCall
	for _, k := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[k])
	}
	return out
}

// differences are the answers that one of smithy-go and normalize takes and the
// other refuses, by what was done to them, and why that is meant so.
var differences = map[string]struct {
	ours bool // normalize takes it
	why  string
}{
	"bad times":         {true, "smithy-go fails a page for one bad time; here it is a problem of its column"},
	"numbers as texts":  {true, "smithy-go fails a page for a number in quotes or between spaces"},
	"comments in texts": {true, "smithy-go knows no comments in texts"},
	"cut off":           {false, "smithy-go reads to the end of the result only"},
	"more behind it":    {false, "smithy-go reads to the end of the result only"},
	"another root":      {false, "smithy-go does not ask for the names of roots"},
	"error document":    {false, "an error may have a member of the output's"},
}

// TestReaderAgreesWithSmithy holds what normalize reads against what the
// decoder of AWS's own clients does, for generated answers of every operation
// that the catalogue uses: both read the same values, or both refuse. What the
// description does not know may look empty to smithy-go and is refused here.
func TestReaderAgreesWithSmithy(t *testing.T) {
	var used sync.Map
	t.Run("calls", func(t *testing.T) {
		calls := usedCalls(t)
		if len(calls) < 200 {
			t.Errorf("the catalogue uses %d operations", len(calls))
		}
		for _, c := range calls {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				a, err := answers(c.svc, c.op, 3, 2)
				if err != nil {
					t.Fatal(err)
				}
				agree(t, c, a, &used)
			})
		}
	})
	for name, d := range differences {
		if _, ok := used.Load(name); !ok {
			t.Errorf("%s: no answer shows that %s", name, d.why)
		}
	}
}

// unlike are operations of which the two read other values, and why.
var unlike = map[string]string{
	"s3.GetBucketLocation":     "smithy-go finds nothing where the only member is the root itself",
	"s3.GetBucketNotification": "the members Event and Events of its parts have one name on the wire",
}

// TestReaderAgreesForEveryService does so for operations that the catalogue
// may use some day: all in XML with URIs, and every tenth of the others.
func TestReaderAgreesForEveryService(t *testing.T) {
	n := 0
	seen := map[string]bool{}
	for _, name := range awsapi.Services() {
		svc, err := awsapi.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, op := range slices.Sorted(maps.Keys(svc.Operations)) {
			c := &usedCall{svc: svc, op: svc.Operations[op]}
			if i%10 != 0 && svc.Protocol != "rest-xml" || !isDocument(c) {
				continue
			}
			n++
			a, err := answers(svc, c.op, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			o, err := newOracle(svc, c.op)
			if err != nil {
				t.Fatal(err)
			}
			r := newReader(t, c, nil)
			want, err := o.read(a[0].header, a[0].body)
			got, refused := r.read(a[0].header, a[0].body)
			if err != nil || refused != nil && !o.empty(want) {
				t.Errorf("%s: smithy-go: %v; %v", c, err, refused)
				continue
			}
			if refused != nil {
				continue
			}
			where := r.differ(want, got)
			seen[c.String()] = where != ""
			if _, known := unlike[c.String()]; where != "" && !known {
				t.Errorf("%s: %s", c, where)
			}
		}
	}
	for name, why := range unlike {
		if !seen[name] {
			t.Errorf("%s: both read the same, though %s", name, why)
		}
	}
	if n < 1000 {
		t.Errorf("only %d operations", n)
	}
}

// isDocument says whether the answer of a call is a document. Raw bytes are
// text to normalize.
func isDocument(c *usedCall) bool {
	out := c.op.Output
	if out == nil || len(out.Members) == 0 || c.svc.Protocol == "smithy-rpc-v2-cbor" {
		return false
	}
	if p := out.Member(out.Payload); p != nil && p.Shape.Type == "blob" {
		return false
	}
	return !slices.ContainsFunc(out.Members, func(m api.Member) bool { return m.Shape.EventStream || m.Streaming })
}

func agree(t *testing.T, c *usedCall, answers []answer, used *sync.Map) {
	o, err := newOracle(c.svc, c.op)
	if err != nil {
		t.Fatal(err)
	}
	readers := []*rowReader{newReader(t, c, nil)}
	for _, p := range c.items {
		readers = append(readers, newReader(t, c, p))
	}
	for _, a := range answers {
		d, known := differences[a.name]
		want, err := o.read(a.header, a.body)
		if err != nil && d.ours {
			used.Store(a.name, true)
			want, err = o.read(a.header, a.meant)
			without(want)
		}
		for _, r := range readers {
			got, refused := r.read(a.header, a.body)
			switch {
			case err != nil && refused != nil && a.broken:
			case err != nil:
				t.Errorf("%s: smithy-go refuses: %v\n%.600s", a.name, err, a.body)
			case refused != nil && known && !d.ours:
				used.Store(a.name, true)
			case refused != nil && o.empty(want) && a.broken:
			case refused != nil:
				t.Errorf("%s: %v; smithy-go reads it\n%.600s", a.name, refused, a.body)
			default:
				if where := r.differ(want, got); where != "" {
					t.Errorf("%s: %s\n%.1500s", a.name, where, a.body)
				}
				if a.meant != nil {
					continue
				}
				if split, err := r.readSplit(a.header, a.body); err != nil || !reflect.DeepEqual(got, split) {
					t.Errorf("%s: split into items: %v\n%.1500s", a.name, err, a.body)
				}
			}
		}
	}
}
