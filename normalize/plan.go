package normalize

import (
	"fmt"
	"net/http"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Plan is a compiled Spec. It is safe for concurrent use.
type Plan struct {
	spec Spec
}

// Compile checks a Spec and makes a Plan of it. Its errors name the kind, the
// source and the path.
func Compile(s Spec) (*Plan, error) { return &Plan{spec: s}, nil }

// NewBuilder returns a builder of batches, for one goroutine at a time.
func (p *Plan) NewBuilder(mem memory.Allocator) *Builder { return &Builder{plan: p} }

// Drift returns how often members came that the description lacks, by path.
func (p *Plan) Drift() map[string]int64 { return nil }

// Split finds the items of a page of source 0 without making rows.
func (p *Plan) Split(body []byte, h http.Header) (*Page, error) { return nil, nil }

// SplitDetail finds the items of a batch detail's answer.
func (p *Plan) SplitDetail(source int, body []byte) (*Page, error) { return nil, nil }

// Redact returns the body without the members that are dropped.
func (p *Plan) Redact(source int, body []byte) []byte { return body }

// Origin is where rows are read.
type Origin struct {
	Scope     schema.Scope // Account and Region are the reader's
	Partition string
	// Parent are the values that Expr.Parent takes: the captures of the
	// parent's item, empty where it has none.
	Parent []string
}

// Page is a page that was split.
type Page struct {
	Tokens   []string
	Items    []Item
	Failures []Failure
}

// Failure is an item that a batch answer says it could not read.
type Failure struct{ Key, Code string }

// Item is an item of a split page.
type Item struct {
	// Match is the value of Source.Match, for items of a batch detail.
	Match string
}

// Capture returns the first value of Spec.Captures[i].
func (it Item) Capture(i int) (string, bool) { return "", false }

// CaptureAll returns all values of Spec.Captures[i].
func (it Item) CaptureAll(i int) []string { return nil }

// ID returns the row's _id.
func (it Item) ID(o Origin) ([16]byte, bool) { return [16]byte{}, false }

// DocState says what became of a detail call.
type DocState uint8

// The states of a detail.
const (
	Absent DocState = iota // not configured or not asked: NULL, tags are empty
	Read                   // the document is there
	Unread                 // the call failed: the row's columns go to _unread
)

// Doc is what a detail call answered for a row.
type Doc struct {
	State  DocState
	Bodies [][]byte
	Item   *Item
	Header http.Header
}

// Builder collects rows.
type Builder struct{ plan *Plan }

// Begin sets where the rows that follow are read.
func (b *Builder) Begin(o Origin) {}

// Page appends the rows of a page.
func (b *Builder) Page(body []byte, h http.Header) (tokens []string, rows int, err error) {
	return nil, 0, nil
}

// Append appends the row of an item and its details. docs[i] is for Sources[i+1].
func (b *Builder) Append(it Item, docs []Doc) error { return nil }

// Len is the number of rows pending.
func (b *Builder) Len() int { return 0 }

// Bytes is about how much memory the pending rows take.
func (b *Builder) Bytes() int { return 0 }

// Flush returns the pending rows, nil if there are neither rows nor problems.
func (b *Builder) Flush() *schema.Batch { return nil }

// PageError says that a body is not the output that was expected.
type PageError struct {
	Call   string
	Want   string // what was expected
	Offset int
	Prefix string // the first bytes of the body
}

func (e *PageError) Error() string {
	return fmt.Sprintf("%s: the answer is not the output (%s at byte %d): %s", e.Call, e.Want, e.Offset, e.Prefix)
}
