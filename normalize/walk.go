package normalize

import (
	"slices"

	"github.com/dewpoint-data/dewpoint/schema"
)

// maxDepth bounds the nesting of documents.
const maxDepth = 512

// failed is what a reader returns instead of a position; the reason is in
// walker.want and walker.at.
const failed = -1

// walker reads documents and hands their values to columns and slots. It
// holds all memory that a walk needs and is used again for the next one.
type walker struct {
	plan *Plan
	src  int // the source of the document
	b    []byte
	at   int    // where reading failed
	want string // what was expected there

	depth   int
	gen     int   // counts the structures around items
	known   bool  // a member of the output was seen
	json    int32 // the JSON column that is being written, -1 for none
	whole   bool  // the item that ends is the whole document
	strange bool  // one was seen that is none
	cols    []column
	row     *Builder // takes row items
	origin  *Origin  // for the expressions that take its values
	reader  owner    // the origin's
	owner   owner    // the open row's
	owned   bool     // it is known
	split   *splitter

	slots  [][][]byte
	upDone []bool // per level: its Up slots are complete
	pred   []int32

	arena, upArena []byte
	jbuf           []byte
	segs           []segment
	scratch        scratch
	jsonBuf        []byte
	vals           []value

	mapKey, tagKey, tagValue []byte
	hasKey                   bool

	stretches []Stretch   // of the items
	heads     [8]linkHead // the last ones that links began with
	nextHead  int

	problems problemList
	drift    map[driftKey]int64
}

// owner is whose a row is, as its columns say, and where.
type owner struct{ account, region []byte }

// segment is a member of an object, or an element of a set, in jbuf.
type segment struct {
	rank     int32 // order in the object
	field    int32 // of a flat list or map, else -1
	from, to int32
	key      []byte // of a map entry
}

type driftKey struct {
	n    *node
	wire string
}

func newWalker(p *Plan) *walker {
	w := &walker{
		plan:   p,
		slots:  make([][][]byte, p.slots),
		upDone: make([]bool, p.levels),
		pred:   slices.Clone(p.predict),
		drift:  map[driftKey]int64{},
	}
	return w
}

// begin prepares for a document of a source.
func (w *walker) begin(src int, body []byte) {
	w.src, w.b = src, body
	w.at, w.want = 0, ""
	w.depth, w.known, w.whole, w.json = 0, false, false, -1
	w.jbuf, w.segs = w.jbuf[:0], w.segs[:0]
	w.stretches = w.stretches[:0]
}

func (w *walker) fail(at int, want string) int {
	if w.want == "" {
		w.at, w.want = at, want
	}
	return failed
}

func (w *walker) pageError() *PageError {
	return &PageError{Call: w.plan.spec.Sources[w.src].Call, Want: w.want, Offset: w.at, Prefix: clip(w.b)}
}

// unknown counts a member that the description lacks.
func (w *walker) unknown(n *node, wire []byte) {
	w.strange = w.strange || n.body
	if n.path == "" || len(wire) > 1 && wire[0] == '_' && wire[1] == '_' {
		return
	}
	if n.body && (string(wire) == "requestId" || string(wire) == "ResponseMetadata") {
		return
	}
	w.drift[driftKey{n, string(wire)}]++
}

// resetLevel empties the slots that the level's structure fills.
func (w *walker) resetLevel(level int) {
	for _, s := range w.plan.levelSlots[level] {
		w.slots[s] = w.slots[s][:0]
	}
	w.upDone[level] = false
	w.gen++
}

// upSeen reports whether all the level's slots have a value.
func (w *walker) upSeen(level int) bool {
	for _, s := range w.plan.levelSlots[level] {
		if len(w.slots[s]) == 0 {
			return false
		}
	}
	return true
}

// scalar hands a scalar to the sinks of its node and emits it.
func (w *walker) scalar(n *node, t *token) {
	for i := range n.sinks {
		s := &n.sinks[i]
		switch s.op {
		case toColumn:
			w.put(s, t)
		case toList:
			w.add(s, t)
		case toSlot:
			w.slots[s.index] = append(w.slots[s.index], w.text(t))
		case toUpSlot:
			if !w.upDone[s.level] {
				from := len(w.upArena)
				w.upArena = append(w.upArena, w.text(t)...)
				w.slots[s.index] = append(w.slots[s.index], w.upArena[from:len(w.upArena):len(w.upArena)])
			}
		case toMapKey:
			w.mapKey = w.text(t)
			w.hasKey = true
		case toMapValue:
			w.cols[s.index].addPair(w.mapKey, w.text(t))
			w.hasKey = false
		case toTagKey:
			w.tagKey = w.text(t)
			w.hasKey = true
		case toTagValue:
			w.tagValue = w.text(t)
		}
	}
	if n.emit {
		w.emitScalar(n, t)
	}
	if t.bad {
		w.problem(w.columnOf(n), "text", t.b)
		t.bad = false
	}
}

// columnOf is a column that the node's value goes to, or the JSON column that
// it is part of, -1 if there is none.
func (w *walker) columnOf(n *node) int32 {
	for i := range n.sinks {
		switch n.sinks[i].op {
		case toColumn, toList, toMapKey, toMapValue:
			return n.sinks[i].index
		case toTagKey, toTagValue:
			return schema.ColTags
		}
	}
	switch {
	case len(n.columns) > 0:
		return n.columns[0]
	case len(n.touch) > 0:
		return n.touch[0]
	}
	return w.json
}

// put writes a scalar column.
func (w *walker) put(s *sink, t *token) {
	c := &w.cols[s.index]
	if c.typ == schema.Text {
		c.putText(w.text(t))
		return
	}
	if v, ok := w.number(s.index, c.typ, s.time, t); ok {
		c.putNum(v)
	}
}

// add writes an element of a list column.
func (w *walker) add(s *sink, t *token) {
	c := &w.cols[s.index]
	if c.typ == schema.TextList {
		c.addText(w.text(t))
		return
	}
	if v, ok := w.number(s.index, c.typ.Elem(), s.time, t); ok {
		c.addNum(v)
	}
}

// touch makes the columns present that a list or map on their path fills.
func (w *walker) touch(n *node) {
	for _, c := range n.touch {
		w.cols[c].touch()
	}
}

// enter begins a value of a special node, which leave ends.
func (w *walker) enter(n *node, from int) {
	if len(n.columns) > 0 {
		w.json = n.columns[0]
	}
	if n.level > 0 {
		w.resetLevel(n.level - 1)
	}
	if n.pair {
		w.tagValue = nil
		if n.kind == structNode {
			w.hasKey = false
		}
	}
	for i := range n.records {
		for _, s := range n.records[i].fields {
			w.slots[s] = w.slots[s][:0]
		}
	}
	switch n.item {
	case rowItem:
		if !w.row.manual {
			w.row.beginRow()
		}
	case splitItem:
		w.split.begin(w)
	case failureItem:
		w.split.beginFailure(w)
	}
}

// leave ends a value of a special node that stands from..to in the document
// and was emitted from start on.
func (w *walker) leave(n *node, start, from, to int) {
	if v := w.jbuf[start:]; len(n.columns) > 0 && len(v) > 0 {
		for _, c := range n.columns {
			w.cols[c].putJSON(v)
		}
	}
	if n.root {
		w.jbuf = w.jbuf[:start]
		w.json = -1
	}
	if n.pair {
		if w.hasKey {
			w.cols[schema.ColTags].addPair(w.tagKey, w.tagValue)
		} else {
			w.problem(schema.ColTags, problemTag, w.tagValue)
		}
		w.hasKey = false
	}
	for i := range n.records {
		w.record(&n.records[i])
	}
	switch n.item {
	case rowItem:
		w.stands(from, to)
		if !w.row.manual {
			w.row.endRow()
		}
	case splitItem:
		w.stands(from, to)
		w.split.end(w, from, to)
	case failureItem:
		w.split.endFailure(w)
	}
}
