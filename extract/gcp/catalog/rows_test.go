package catalog

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/dewpoint-data/dewpoint/extract/catalog"
	"github.com/dewpoint-data/dewpoint/normalize"
	"github.com/dewpoint-data/dewpoint/schema"
)

var update = flag.Bool("update", false, "rewrite the rows in testdata")

func load(t testing.TB) *catalog.Catalogue {
	t.Helper()
	c, err := catalog.Load([]catalog.Vendor{Vendor()}, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRows reads answers as the APIs write them. A file of testdata is named
// by its kind and holds list, the answer of the list call; "detail CALL", that
// of a detail call for every item; "parent", that of the parent's list call,
// whose first item is the parent; and rows, what comes of them.
func TestRows(t *testing.T) {
	c := load(t)
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	for _, file := range files {
		kind := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(kind, func(t *testing.T) {
			e, ok := c.Entry(kind)
			if !ok {
				t.Fatalf("no kind %s", kind)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			ar := txtar.Parse(text)
			got := rows(t, e, ar)
			for i := range ar.Files {
				f := &ar.Files[i]
				if f.Name != "rows" {
					continue
				}
				if *update {
					f.Data = []byte(got)
					if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if string(f.Data) != got {
					t.Errorf("got:\n%s\nwant:\n%s", got, f.Data)
				}
				return
			}
			t.Errorf("%s lacks rows", file)
		})
	}
}

// member is a file of an archive, nil if there is none.
func member(ar *txtar.Archive, name string) []byte {
	for _, f := range ar.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

// rows is what a kind makes of the answers in an archive.
func rows(t *testing.T, e *catalog.Entry, ar *txtar.Archive) string {
	t.Helper()
	origin := normalize.Origin{Scope: schema.Scope{Cloud: "gcp", Account: "shop-prod", Region: "global", Kind: e.Kind.Name}}
	if e.Parent != nil {
		items := split(t, compile(t, e.Parent), member(ar, "parent"))
		if len(items) == 0 {
			t.Fatal("there is no parent")
		}
		for i := range e.Parent.Spec.Captures {
			v, _ := items[0].Capture(i)
			origin.Parent = append(origin.Parent, v)
		}
	}
	plan := compile(t, e)
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := plan.NewBuilder(mem)
	b.Begin(origin)
	for _, it := range split(t, plan, member(ar, "list")) {
		if !wanted(e, it) {
			continue
		}
		var docs []normalize.Doc
		for _, d := range e.Details {
			doc := normalize.Doc{State: normalize.Absent}
			if body := member(ar, "detail "+d.Op); body != nil && holds(d.When, it) {
				doc = normalize.Doc{State: normalize.Read, Bodies: [][]byte{body}}
			}
			docs = append(docs, doc)
		}
		if err := b.Append(it, docs); err != nil {
			t.Fatal(err)
		}
	}
	batch := b.Flush()
	if batch == nil {
		return ""
	}
	defer batch.Release()
	return render(batch)
}

func wanted(e *catalog.Entry, it normalize.Item) bool { return holds(e.Only, it) }

func holds(conditions []catalog.Condition, it normalize.Item) bool {
	for _, c := range conditions {
		if !c.Holds(it.CaptureAll(c.Capture)) {
			return false
		}
	}
	return true
}

func compile(t *testing.T, e *catalog.Entry) *normalize.Plan {
	t.Helper()
	p, err := normalize.Compile(e.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func split(t *testing.T, p *normalize.Plan, body []byte) []normalize.Item {
	t.Helper()
	page, err := p.Split(bytes.TrimSpace(body), nil)
	if err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// render writes a batch as text: a line for each value that is not NULL, but
// for those that hash or count.
func render(b *schema.Batch) string {
	var s strings.Builder
	for r := range int(b.Rows.NumRows()) {
		if r > 0 {
			s.WriteByte('\n')
		}
		for c, col := range b.Kind.BatchColumns() {
			if a := b.Rows.Column(c); !strings.HasPrefix(col.Name, "_") && col.Name != "kind" && col.Name != "cloud" && a.IsValid(r) {
				fmt.Fprintf(&s, "%s: %s\n", col.Name, cell(a, r))
			}
		}
		if b.Edges == nil {
			continue
		}
		id := b.Rows.Column(0).(*array.FixedSizeBinary).Value(r)
		for i := range int(b.Edges.NumRows()) {
			if !bytes.Equal(b.Edges.Column(schema.EdgeFromID).(*array.FixedSizeBinary).Value(i), id) {
				continue
			}
			x := b.Kind.Edges[b.Edges.Column(schema.EdgeDecl).(*array.Int32).Value(i)]
			to := x.To
			if to == "" {
				to = "*"
			}
			fmt.Fprintf(&s, "  %s %s %s\n", x.Relation, to, b.Edges.Column(schema.EdgeToRef).(*array.String).Value(i))
		}
	}
	for _, p := range b.Problems {
		fmt.Fprintf(&s, "problem %s %s %s x%d: %s\n", p.Call, p.Column, p.Code, p.Count, p.Sample)
	}
	return s.String()
}

func cell(a arrow.Array, r int) string {
	switch a := a.(type) {
	case *array.FixedSizeBinary:
		return hex.EncodeToString(a.Value(r))
	case *array.String:
		return a.Value(r)
	case *array.Timestamp:
		return normalize.FormatTime(int64(a.Value(r)))
	case *array.Map:
		from, to := a.ValueOffsets(r)
		var out []string
		for i := from; i < to; i++ {
			out = append(out, cell(a.Keys(), int(i))+"="+cell(a.Items(), int(i)))
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
