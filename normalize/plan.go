package normalize

import (
	"maps"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/zeebo/xxh3"

	"github.com/dewpoint-data/dewpoint/schema"
)

// Plan is a compiled Spec. It is safe for concurrent use.
type Plan struct {
	spec    Spec
	columns []schema.Column // of a batch
	arrow   *arrow.Schema
	sources []source

	slots      int       // values of expressions
	rowSlots   []int32   // emptied when a row begins
	levels     int       // structures around the item, and one more for each source's tokens
	levelSlots [][]int32 // by level
	predict    []int32   // the first guess at what member follows which

	id              []expr
	urn, name       template
	account, region template
	lateColumns     []lateColumn
	edges           []edgeExpr
	tags            int // the source of the tags, -1 without
	headers         []headerSlot
	split           []expr // what Item keeps: captures, ids, account, region
	captures        int    // of split

	columnTraits []columnTrait
	hashed       []bool // by column: it is part of _hash
	seeds        []uint64
	edgeSeeds    []uint64 // by Kind.Edges
	unread       [][]string

	mu    sync.Mutex
	drift map[string]int64
	pool  sync.Pool // of *splitter
}

// source is a compiled Source.
type source struct {
	full, split trie
	payload     bool // the body is one member of the output
	text        bool // the body is the text of that member
	bodyless    bool // the output has nothing in the body
	tokens      []int32
	tokenLevel  int
	match       int32 // slot, -1 without
	failKey     int32
	failCode    int32
	redact      func() *redactNode
}

// trie is what a walk over a source's documents wants.
type trie struct {
	root, item *node
	outer      *node // the output, where root is its payload
}

type columnTrait struct{ many, set bool }

// lateColumn is a column whose value is made when the row ends.
type lateColumn struct {
	column int32
	src    int
	expr   expr
	time   TimeFormat
}

type edgeExpr struct {
	edge     int32
	expr     expr
	template template // instead of expr
	each     *Each    // what the fields of template are of
	records  int32    // the slot of their texts
}

type headerSlot struct {
	src  int
	name string
	slot int32
}

// Drift returns how often members came that the description lacks, by call
// and path; within JSON columns the path begins at a shape, in parentheses. Error metadata and members named __* do not count.
func (p *Plan) Drift() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.drift)
}

// maxDrift bounds the members that Drift names.
const maxDrift = 1000

func (p *Plan) addDrift(d map[driftKey]int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drift == nil {
		p.drift = map[string]int64{}
	}
	for k, n := range d {
		path := k.n.below("." + k.wire)
		if _, ok := p.drift[path]; ok || len(p.drift) < maxDrift {
			p.drift[path] += n
		}
	}
}

// Kind returns the kind of the plan's rows.
func (p *Plan) Kind() *schema.Kind { return p.spec.Kind }

// hashing decides what _hash is made of: id, name, tags, created_at,
// updated_at, account, region, urn and the kind's own columns that are not
// volatile, and the edges. Each is mixed with its own name, so that neither
// the order of columns nor a new one that is NULL changes a hash.
func (p *Plan) hashing() {
	p.seeds, p.hashed = make([]uint64, len(p.columns)), make([]bool, len(p.columns))
	for i, c := range p.columns {
		switch i {
		case schema.ColID, schema.ColKind, schema.ColCloud, schema.ColScope, schema.ColHash, schema.ColUnread:
			continue
		}
		if c.Volatile {
			continue
		}
		p.seeds[i] = xxh3.HashString(c.Name)
		p.hashed[i] = true
	}
	for _, e := range p.spec.Kind.Edges {
		p.edgeSeeds = append(p.edgeSeeds, xxh3.HashString("edge\x00"+e.To+"\x00"+e.Relation+"\x00"+e.Ref))
	}
}
