package normalize

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// render writes a batch as text: a line for each value that is not NULL.
func render(b *schema.Batch) string {
	if b == nil {
		return "nothing\n"
	}
	var s strings.Builder
	for r := range int(b.Rows.NumRows()) {
		fmt.Fprintf(&s, "row %d\n", r)
		for c, col := range b.Kind.BatchColumns() {
			if a := b.Rows.Column(c); a.IsValid(r) {
				fmt.Fprintf(&s, "  %s %s = %s\n", col.Name, col.Type, cell(a, r))
			}
		}
	}
	if b.Edges != nil {
		for r := range int(b.Edges.NumRows()) {
			decl := b.Edges.Column(schema.EdgeDecl).(*array.Int32).Value(r)
			fmt.Fprintf(&s, "edge %s -> %s %s\n", cell(b.Edges.Column(schema.EdgeFromID), r),
				b.Kind.Edges[decl].To, cell(b.Edges.Column(schema.EdgeToRef), r))
		}
	}
	for _, p := range b.Problems {
		fmt.Fprintf(&s, "problem %s %s %s x%d: %s\n", p.Call, p.Column, p.Code, p.Count, p.Sample)
	}
	return s.String()
}

// cell writes one value.
func cell(a arrow.Array, r int) string {
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		return hex.EncodeToString(a.Value(r))
	case *array.String:
		return quote(a.Value(r))
	case *array.Timestamp:
		return FormatTime(int64(a.Value(r)))
	case *array.Map:
		from, to := a.ValueOffsets(r)
		var out []string
		for i := from; i < to; i++ {
			out = append(out, cell(a.Keys(), int(i))+": "+cell(a.Items(), int(i)))
		}
		return "{" + strings.Join(out, ", ") + "}"
	case *array.List:
		from, to := a.ValueOffsets(r)
		var out []string
		for i := from; i < to; i++ {
			out = append(out, cell(a.ListValues(), int(i)))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	return a.ValueStr(r)
}

func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func origin() Origin {
	return Origin{Scope: schema.Scope{Cloud: "aws", Account: "123456789012", Region: "eu-west-1", Kind: "aws_test_thing"}, Partition: "aws"}
}

func compile(t testing.TB, s Spec) *Plan {
	t.Helper()
	p, err := Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// builder returns a builder whose memory is checked when the test ends.
func builder(t testing.TB, p *Plan) *Builder {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	b := p.NewBuilder(mem)
	b.Begin(origin())
	if t, ok := t.(*testing.T); ok {
		t.Cleanup(func() { mem.AssertSize(t, 0) })
	}
	return b
}

// page builds one page and returns the batch as text.
func page(t testing.TB, s Spec, body string) string {
	t.Helper()
	b := builder(t, compile(t, s))
	if _, _, err := b.Page([]byte(body), nil); err != nil {
		return "error: " + err.Error() + "\n"
	}
	return flush(b)
}

func flush(b *Builder) string {
	batch := b.Flush()
	if batch == nil {
		return "nothing\n"
	}
	defer batch.Release()
	return render(batch)
}

// value returns the text of one column of a rendered row, "" for NULL.
func valueOf(text, column string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "  "+column+" "); ok {
			_, v, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " = ")
			return v
		}
	}
	return ""
}
