package aws

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmem "github.com/apache/arrow-go/v18/arrow/memory"

	awsapi "github.com/dewpoint-data/dewpoint/extract/aws/api"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

var here = normalize.Origin{Scope: schema.Scope{Account: "111122223333", Region: "eu-west-1"}, Partition: "aws"}

// rowReader reads answers with normalize: a row for each item, a column or more
// for each of its members.
type rowReader struct {
	plan  *normalize.Plan
	rows  *normalize.Builder
	items normalize.Path
	cols  []readColumn
}

type readColumn struct {
	member string // empty is the item itself
	typ    schema.Type
	free   bool // any JSON, not a described list or map
}

func newReader(t *testing.T, c *usedCall, items normalize.Path) *rowReader {
	t.Helper()
	r := &rowReader{items: items}
	shape := awsapi.Normalize(c.svc, c.op)
	kind := &schema.Kind{Name: "aws_oracle", Key: "aws_oracle", Cloud: "aws", Service: "oracle", KeyScope: schema.KeyRegion}
	spec := normalize.Spec{Kind: kind, ID: []normalize.Expr{{Var: "account"}}, Sources: []normalize.Source{{
		Call: c.op.Name, Format: awsapi.Format(c.svc), Shape: shape, Wrap: awsapi.Wrap(c.svc, c.op), Items: items,
	}}}
	add := func(member string, s *normalize.Shape) {
		for _, typ := range columnTypes(s) {
			var path normalize.Path
			if member != "" {
				path = normalize.Path{{Member: member}}
			}
			if e := typ.Elem(); e != 0 && s.Type == normalize.List {
				path = append(normalize.Path{}, path...)
				path[len(path)-1].Each = true
			}
			kind.Columns = append(kind.Columns, schema.Column{Name: "c" + strconv.Itoa(len(r.cols)), Type: typ})
			spec.Fields = append(spec.Fields, normalize.Field{Column: len(r.cols), Expr: normalize.Expr{Path: path}})
			r.cols = append(r.cols, readColumn{member, typ, s.Type == normalize.Document})
		}
	}
	item := shapeAt(shape, items)
	if item.Type == normalize.Structure {
		for i := range item.Members {
			add(item.Members[i].Name, item.Members[i].Shape)
		}
	} else {
		add("", item)
	}
	var err error
	if r.plan, err = normalize.Compile(spec); err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	r.rows = r.plan.NewBuilder(arrowmem.DefaultAllocator)
	r.rows.Begin(here)
	return r
}

// columnTypes are the types of the columns that can hold a value of the shape.
func columnTypes(s *normalize.Shape) []schema.Type {
	switch s.Type {
	case normalize.Boolean:
		return []schema.Type{schema.Bool}
	case normalize.Integer:
		return []schema.Type{schema.Int64}
	case normalize.Float:
		return []schema.Type{schema.Float64}
	case normalize.Time:
		return []schema.Type{schema.Timestamp}
	case normalize.String, normalize.Blob:
		return []schema.Type{schema.Text}
	case normalize.Map:
		if s.Elem.Type == normalize.String {
			return []schema.Type{schema.JSON, schema.TextMap}
		}
	case normalize.List:
		switch s.Elem.Type {
		case normalize.String:
			return []schema.Type{schema.JSON, schema.TextList}
		case normalize.Integer:
			return []schema.Type{schema.JSON, schema.Int64List}
		case normalize.Time:
			return []schema.Type{schema.JSON, schema.TimestampList}
		}
	}
	return []schema.Type{schema.JSON}
}

func shapeAt(s *normalize.Shape, path normalize.Path) *normalize.Shape {
	for _, p := range path {
		if p.Member != "" {
			if s.Type == normalize.Map {
				s = s.Elem
			} else {
				s = s.Member(p.Member).Shape
			}
		}
		if p.Each || p.Values {
			s = s.Elem
		}
	}
	return s
}

// read returns the rows, each a value per column, nil for NULL.
func (r *rowReader) read(h http.Header, body []byte) ([][]any, error) {
	if _, _, err := r.rows.Page(body, h); err != nil {
		return nil, err
	}
	return r.flush(), nil
}

// readSplit is read by way of a page that is split into items.
func (r *rowReader) readSplit(h http.Header, body []byte) ([][]any, error) {
	page, err := r.plan.Split(body, h)
	if err != nil {
		return nil, err
	}
	for _, it := range page.Items {
		if err := r.rows.Append(it, nil); err != nil {
			return nil, err
		}
	}
	return r.flush(), nil
}

func (r *rowReader) flush() [][]any {
	batch := r.rows.Flush()
	if batch == nil || batch.Rows == nil {
		return nil
	}
	defer batch.Rows.Release()
	rows := make([][]any, batch.Rows.NumRows())
	for i := range rows {
		rows[i] = make([]any, len(r.cols))
		for k, c := range r.cols {
			rows[i][k] = cellOf(batch.Rows.Column(schema.NumBatchUnified+k), i, c.typ)
		}
	}
	return rows
}

func cellOf(a arrow.Array, i int, typ schema.Type) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int64:
		return json.Number(strconv.FormatInt(a.Value(i), 10))
	case *array.Float64:
		return a.Value(i)
	case *array.Timestamp:
		return normalize.FormatTime(int64(a.Value(i)))
	case *array.Map:
		from, to := a.ValueOffsets(i)
		out := map[string]any{}
		for k := int(from); k < int(to); k++ {
			out[a.Keys().(*array.String).Value(k)] = cellOf(a.Items(), k, schema.Text)
		}
		return out
	case *array.List:
		from, to := a.ValueOffsets(i)
		out := []any{}
		for k := int(from); k < int(to); k++ {
			out = append(out, cellOf(a.ListValues(), k, typ.Elem()))
		}
		return out
	case *array.String:
		if typ != schema.JSON {
			return a.Value(i)
		}
		d := json.NewDecoder(strings.NewReader(a.Value(i)))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("%w: %s", err, a.Value(i))
		}
		return v
	}
	return fmt.Errorf("a column of %s", a.DataType())
}

// differ says where the rows differ from what smithy-go read, empty if they
// do not.
func (r *rowReader) differ(want map[string]any, got [][]any) string {
	items := follow(want, r.items)
	if slices.ContainsFunc(r.items, func(s normalize.Step) bool { return s.Values }) {
		sortRows(items)
	}
	if len(items) != len(got) {
		return fmt.Sprintf("%d rows of %s, want %d", len(got), r.items, len(items))
	}
	for i, item := range items {
		for k, c := range r.cols {
			v, where := item, fmt.Sprintf("row %d of %s: %s %s", i, r.items, c.member, c.typ)
			if c.member != "" {
				v = item.(map[string]any)[c.member]
			}
			if d := differ(known(v, c), got[i][k]); d != "" {
				return where + d
			}
		}
	}
	return ""
}

func sortRows(rows []any) {
	key := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	sort.Slice(rows, func(i, j int) bool { return key(rows[i]) < key(rows[j]) })
}

// follow returns the values at a path.
func follow(v any, path normalize.Path) []any {
	if v == nil {
		return nil
	}
	if len(path) == 0 {
		return []any{v}
	}
	step, rest := path[0], path[1:]
	if step.Member != "" {
		v = v.(map[string]any)[step.Member]
	}
	var out []any
	switch {
	case step.Each:
		l, _ := v.([]any)
		for _, x := range l {
			out = append(out, follow(x, rest)...)
		}
		return out
	case step.Values:
		m, _ := v.(map[string]any)
		for _, k := range slices.Sorted(maps.Keys(m)) {
			out = append(out, follow(m[k], rest)...)
		}
		return out
	}
	return follow(v, rest)
}

// known is a value without the nulls that a column leaves out: elements of a
// list, and entries of a map of texts.
func known(v any, c readColumn) any {
	switch w := v.(type) {
	case []any:
		if !c.free {
			return slices.DeleteFunc(slices.Clone(w), func(x any) bool { return x == nil })
		}
	case map[string]any:
		if c.typ == schema.TextMap {
			w = maps.Clone(w)
			maps.DeleteFunc(w, func(_ string, x any) bool { return x == nil })
			return w
		}
	}
	return v
}

func differ(want, got any) string {
	switch w := want.(type) {
	case time.Time:
		// smithy-go cuts epochs to milliseconds, some to the one before.
		text, _ := got.(string)
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil && t.Sub(w).Abs() <= time.Millisecond {
			return ""
		}
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				return fmt.Sprintf(".%s: got %v, want none", k, g[k])
			}
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				return fmt.Sprintf(".%s: got none, want %v", k, w[k])
			}
			if d := differ(w[k], g[k]); d != "" {
				return "." + k + d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if d := differ(w[i], g[i]); d != "" {
				return "[" + strconv.Itoa(i) + "]" + d
			}
		}
		return ""
	case float64:
		if n, ok := got.(json.Number); ok {
			got, _ = n.Float64()
		}
	}
	switch got.(type) {
	case map[string]any, []any:
	default:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf(": got %#v, want %#v", got, want)
}
