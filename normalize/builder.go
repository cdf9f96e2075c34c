package normalize

import (
	"fmt"
	"math"
	"net/http"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Origin is where rows are read.
type Origin struct {
	Scope     schema.Scope // Account and Region are the reader's
	Partition string       // of the cloud: aws, aws-cn
	// Parent are the values that Expr.Parent takes: what was captured of the
	// item that the kind is listed for; "" is none.
	Parent []string
}

// DocState says what became of a detail call for a row.
type DocState uint8

// The states. A detail that is Absent makes its columns NULL and, where the
// tags come from it, the tags empty; one that is Unread makes them NULL and
// names them in _unread, so that the sink keeps what it has.
const (
	Absent DocState = iota // not configured, or not asked for this item
	Read                   // the document is there
	Unread                 // the call failed
)

// Doc is what a detail call said about an item.
type Doc struct {
	State DocState
	// Bodies are the pages of the answer, in order. Their lists are joined,
	// of scalars the last one counts.
	Bodies [][]byte
	// Item is the item of a batch detail, instead of Bodies.
	Item *Item
	// Header is the answer's.
	Header http.Header
}

// scopeRun are rows of one scope: all from first to the next run.
type scopeRun struct {
	first  int
	id     string
	region string // of a located row
}

// Builder collects rows until Flush. It is for one goroutine at a time and is
// used again for the next batch.
type Builder struct {
	walker
	mem    memory.Allocator
	origin Origin
	manual bool // Append opens and closes the row
	rows   int

	scopes      []scopeRun // of the rows, in order
	located     map[string]*int64
	ids, hashes []byte // 16 bytes a row
	edgeFrom    []int32
	edgeDecl    []int32
	edgeText    []byte
	edgeEnds    []int32
	edgeSeen    map[string]bool // references of the open row's edge, beyond the first few

	unreadSrc []bool // of the open row
	id        []byte
	tmp       []byte
	edgeVals  []value
	num       [8]byte
	sha       idHash
}

// NewBuilder returns a builder of the plan's batches, whose memory mem gives.
func (p *Plan) NewBuilder(mem memory.Allocator) *Builder {
	b := &Builder{walker: *newWalker(p), mem: mem, edgeEnds: []int32{0}, unreadSrc: make([]bool, len(p.sources))}
	b.walker.row, b.walker.origin = b, &b.origin
	b.cols = p.newColumns()
	return b
}

func (p *Plan) newColumns() []column {
	cols, open := make([]column, len(p.columns)), new([]int32)
	for i := range cols {
		cols[i] = newColumn(p.columns[i].Type)
		cols[i].index, cols[i].open = int32(i), open
		cols[i].many, cols[i].set = p.columnTraits[i].many, p.columnTraits[i].set
	}
	return cols
}

// Begin says where the rows that follow are read. Rows of another parent may
// be pending, not of another account or region: it panics then.
func (b *Builder) Begin(o Origin) {
	if b.rows > 0 && (o.Scope.Account != b.origin.Scope.Account || o.Scope.Region != b.origin.Scope.Region) {
		panic("normalize: Begin before Flush")
	}
	if n := len(b.scopes); n > 0 && b.scopes[n-1].first == b.rows {
		b.scopes = b.scopes[:n-1]
	}
	b.scopes = append(b.scopes, scopeRun{b.rows, o.Scope.ID(), o.Scope.Region})
	b.origin = o
	b.from(&b.origin)
	b.located = nil
}

// Located returns how many rows there were since Begin of each region, for a
// kind whose rows are Spec.Located.
func (b *Builder) Located() map[string]int64 {
	if b.located == nil {
		return nil
	}
	rows := make(map[string]int64, len(b.located))
	for region, n := range b.located {
		rows[region] = *n
	}
	return rows
}

// locate makes the open row one of its region's scope.
func (b *Builder) locate() {
	last := &b.scopes[len(b.scopes)-1]
	if last.region != string(b.owner.region) {
		s := b.origin.Scope
		s.Region = string(b.owner.region)
		run := scopeRun{b.rows, s.ID(), s.Region}
		if last.first == b.rows {
			*last = run
		} else {
			b.scopes = append(b.scopes, run)
		}
	}
	n := b.located[string(b.owner.region)]
	if n == nil {
		if b.located == nil {
			b.located = map[string]*int64{}
		}
		n = new(int64)
		b.located[string(b.owner.region)] = n
	}
	*n++
}

// Page appends the rows of a page of the list call, all or none: a body that
// is not the output is a *PageError and leaves the builder as it was. It
// returns the values of Source.Tokens and the number of rows. Kinds with
// details need Split and Append instead.
func (b *Builder) Page(body []byte, h http.Header) (tokens []string, rows int, err error) {
	p := b.plan
	if len(p.sources) > 1 {
		return nil, 0, fmt.Errorf("page of %s: the kind has details: split the page and append its items", p.spec.Kind.Name)
	}
	if err := b.room(len(body)); err != nil {
		return nil, 0, err
	}
	m, located := b.mark(), b.Located()
	b.manual = false
	b.arena, b.upArena = b.arena[:0], b.upArena[:0]
	b.readHeaders(0, h)
	if err := b.read(0, body, &p.sources[0].full); err != nil {
		b.rollback(m)
		for region, n := range b.located {
			if *n = located[region]; *n == 0 {
				delete(b.located, region)
			}
		}
		return nil, 0, err
	}
	b.commit()
	return b.tokens(0), b.rows - m.rows, nil
}

// Stretches are where the items of the last page stand, valid until the next.
func (b *Builder) Stretches() []Stretch { return b.stretches }

// Append appends the row of an item that Split found, with what the details
// said: docs[i] is for Sources[i+1], missing ones are Absent. An item without
// an id makes a problem and no row. A detail's body that is not its output is
// a *PageError, and no row.
func (b *Builder) Append(it Item, docs []Doc) error {
	size := len(it.body)
	for i := range docs {
		for _, body := range docs[i].Bodies {
			size += len(body)
		}
		if docs[i].Item != nil {
			size += len(docs[i].Item.body)
		}
	}
	if err := b.room(size); err != nil {
		return err
	}
	m := b.mark()
	b.manual = true
	b.upArena = b.upArena[:0]
	b.beginRow()
	if err := b.documents(it, docs); err != nil {
		b.rollback(m)
		return err
	}
	b.endRow()
	b.commit()
	return nil
}

func (b *Builder) documents(it Item, docs []Doc) error {
	p := b.plan
	b.restoreOuter(it.outer)
	b.readHeaders(0, it.header)
	if err := b.item(0, &it); err != nil {
		return err
	}
	for src := 1; src < len(p.sources); src++ {
		doc := Doc{}
		if src <= len(docs) {
			doc = docs[src-1]
		}
		b.unreadSrc[src] = doc.State == Unread
		if doc.State != Read {
			b.readHeaders(src, nil)
			continue
		}
		b.readHeaders(src, doc.Header)
		if doc.Item != nil {
			if err := b.item(src, doc.Item); err != nil {
				return err
			}
		}
		for _, body := range doc.Bodies {
			if err := b.read(src, body, &p.sources[src].full); err != nil {
				return err
			}
		}
	}
	b.src = 0
	return nil
}

// item walks an item that was split from its page.
func (b *Builder) item(src int, it *Item) error {
	if it.whole {
		return b.read(src, it.body, &b.plan.sources[src].full)
	}
	b.walker.begin(src, it.body)
	n := b.plan.sources[src].full.item
	end := failed
	if b.plan.spec.Sources[src].Format == JSON {
		end = b.jsonValue(n, 0)
	} else if t, ok := b.xmlTag(0); ok {
		end = b.xmlValue(n, t)
	}
	if end < 0 {
		return b.pageError()
	}
	return nil
}

// room makes sure that offsets of 32 bits hold what a body may add: no
// character grows to more than 6 bytes.
func (b *Builder) room(n int) error {
	if int64(b.Bytes())+6*int64(n) > math.MaxInt32 {
		return fmt.Errorf("rows of %s: the batch is full with %d MiB: flush it", b.plan.spec.Kind.Name, b.Bytes()>>20)
	}
	return nil
}

type builderMark struct{ rows, edges int }

func (b *Builder) mark() builderMark { return builderMark{b.rows, len(b.edgeDecl)} }

// rollback drops all rows since the mark.
func (b *Builder) rollback(m builderMark) {
	b.rows = m.rows
	for n := len(b.scopes); n > 1 && b.scopes[n-1].first > b.rows; n-- {
		b.scopes = b.scopes[:n-1]
	}
	b.truncate(m.edges)
	b.problems.open = b.problems.open[:0]
	clear(b.drift)
}

// truncate drops the open row, and rows that count no more.
func (b *Builder) truncate(edges int) {
	for i := range b.cols {
		b.cols[i].truncate(b.rows)
	}
	b.forgetOpen()
	b.ids, b.hashes = b.ids[:16*b.rows], b.hashes[:16*b.rows]
	b.edgeFrom, b.edgeDecl = b.edgeFrom[:edges], b.edgeDecl[:edges]
	b.edgeEnds = b.edgeEnds[:edges+1]
	b.edgeText = b.edgeText[:b.edgeEnds[edges]]
}

func (b *Builder) commit() {
	b.problems.keep()
	if len(b.drift) > 0 {
		b.plan.addDrift(b.drift)
		clear(b.drift)
	}
}

// Len is the number of rows pending.
func (b *Builder) Len() int { return b.rows }

// Bytes is about how much memory the pending rows and edges take.
func (b *Builder) Bytes() int {
	n := len(b.ids) + len(b.hashes) + 24*len(b.edgeDecl) + len(b.edgeText)
	for i := range b.cols {
		n += b.cols[i].bytes(b.rows)
	}
	return n
}

// Flush returns what is pending as a batch that the caller owns, nil if there
// are neither rows nor problems, and starts anew.
func (b *Builder) Flush() *schema.Batch {
	if b.rows == 0 && len(b.problems.final) == 0 {
		return nil
	}
	p := b.plan
	out := &schema.Batch{Kind: p.spec.Kind, Scope: b.origin.Scope, Problems: b.takeProblems(&b.origin)}
	zeros := memory.NewResizableBuffer(b.mem)
	zeros.Resize(8 * (b.rows + 1))
	clear(zeros.Bytes())
	defer zeros.Release()
	cols := make([]arrow.Array, len(b.cols))
	for i := range b.cols {
		switch i {
		case schema.ColID:
			cols[i] = b.uuids(b.ids)
		case schema.ColHash:
			cols[i] = b.uuids(b.hashes)
		case schema.ColKind:
			cols[i] = b.constant(p.spec.Kind.Name)
		case schema.ColCloud:
			cols[i] = b.constant(p.spec.Kind.Cloud)
		case schema.ColScope:
			cols[i] = b.scopeIDs()
		default:
			cols[i] = b.cols[i].array(b.mem, b.rows, zeros)
		}
	}
	out.Rows = array.NewRecordBatch(p.arrow, cols, int64(b.rows))
	for _, c := range cols {
		c.Release()
	}
	if len(b.edgeDecl) > 0 {
		out.Edges = b.edges()
	}
	b.rows = 0
	b.truncate(0)
	b.scopes = append(b.scopes[:0], scopeRun{0, b.origin.Scope.ID(), b.origin.Scope.Region})
	return out
}

func (b *Builder) uuids(v []byte) arrow.Array {
	return makeArray(schema.UUID.Arrow(), b.rows, 0, []*memory.Buffer{nil, buffer(b.mem, v)}, nil)
}

// scopeIDs is the column _scope.
func (b *Builder) scopeIDs() arrow.Array {
	if len(b.scopes) == 1 {
		return b.constant(b.scopes[0].id)
	}
	out := array.NewStringBuilder(b.mem)
	defer out.Release()
	out.Reserve(b.rows)
	for i, s := range b.scopes {
		end := b.rows
		if i+1 < len(b.scopes) {
			end = b.scopes[i+1].first
		}
		for range end - s.first {
			out.Append(s.id)
		}
	}
	return out.NewArray()
}

// constant is a column with the same text in every row.
func (b *Builder) constant(s string) arrow.Array {
	ends := memory.NewResizableBuffer(b.mem)
	ends.Resize(4 * (b.rows + 1))
	offsets := arrow.Int32Traits.CastFromBytes(ends.Bytes())
	for i := range offsets {
		offsets[i] = int32(i * len(s))
	}
	text := memory.NewResizableBuffer(b.mem)
	text.Resize(b.rows * len(s))
	for i := range b.rows {
		copy(text.Bytes()[i*len(s):], s)
	}
	return makeArray(arrow.BinaryTypes.String, b.rows, 0, []*memory.Buffer{nil, ends, text}, nil)
}

func (b *Builder) edges() arrow.RecordBatch {
	n := len(b.edgeDecl)
	from := memory.NewResizableBuffer(b.mem)
	from.Resize(16 * n)
	for i, row := range b.edgeFrom {
		copy(from.Bytes()[16*i:], b.ids[16*row:16*row+16])
	}
	cols := []arrow.Array{
		makeArray(schema.UUID.Arrow(), n, 0, []*memory.Buffer{nil, from}, nil),
		makeArray(arrow.PrimitiveTypes.Int32, n, 0, []*memory.Buffer{nil, int32s(b.mem, b.edgeDecl)}, nil),
		makeArray(arrow.BinaryTypes.String, n, 0, []*memory.Buffer{nil, int32s(b.mem, b.edgeEnds), buffer(b.mem, b.edgeText)}, nil),
	}
	rec := array.NewRecordBatch(schema.EdgeSchema, cols, int64(n))
	for _, c := range cols {
		c.Release()
	}
	return rec
}
