package normalize

import "strings"

type nodeKind uint8

const (
	scalarNode nodeKind = iota + 1
	structNode
	listNode
	mapNode
	documentNode
)

// node is what a walker does at one place of a document: the trie of all that
// a plan wants from a source. Nodes are shared by goroutines and not changed
// after Compile.
type node struct {
	kind nodeKind
	typ  ShapeType
	// emit says that the value is written as canonical JSON, set that the
	// elements of an emitted list are sorted.
	emit, set bool
	// special says that anything of the group below is there.
	special bool

	time TimeFormat // of an emitted scalar; 0 is no time
	path string     // for drift

	// Structures, and maps with keys that are wanted by name.
	fields []field
	index  map[string]int32 // by wire name
	folded map[string]int32 // by lower-case wire name; XML only
	pred   int              // where the node's predictions start
	flat   bool             // some fields are flat lists or maps
	attrs  bool             // some fields are XML attributes
	body   bool             // at the root: some members are in the body

	elem *node // of a list or map, nil if unwanted
	key  *node // of a map, nil if unwanted
	// The XML tags of a map.
	entryName, keyName, valueName string

	sinks []sink // of a scalar
	// The two commonest scalars have a short way: a text that goes to one text
	// column (its index, from 1) and one that is only emitted.
	direct   int32
	verbatim bool

	// The special group.
	item    itemRole
	level   int     // 1 + index of a level whose Up slots are filled here
	ahead   *node   // finds the level's Up slots
	touch   []int32 // columns that are present when the value is
	columns []int32 // JSON columns of the value
	root    bool    // emitted for columns only, not as part of another value
	pair    bool    // a tag
	records []record
}

// record collects texts of one structure that belong together, into one value
// of a slot.
type record struct {
	fields []int32 // slots
	into   int32
}

// itemRole says what a node's value is in its document.
type itemRole uint8

const (
	rowItem itemRole = iota + 1
	splitItem
	failureItem
)

// field is a member of a structure, or a key of a map.
type field struct {
	wire  string
	match string // what the reader compares: the wire name with a quote behind it in JSON
	key   string // "Name": for emission
	node  *node  // nil: known and unwanted
	text  int32  // the text column of a node with direct, from 1
	rank  int32  // order of emission
	flat  bool   // the element is one of a flat list or map
	attr  bool
	items bool // leads to the items
}

// sinkOp says where a scalar goes.
type sinkOp uint8

const (
	toColumn sinkOp = iota + 1 // a scalar column
	toList                     // an element of a list column
	toMapKey                   // a key of a text map column
	toMapValue
	toSlot   // a value of an expression
	toUpSlot // the same, from the structure that holds the item
	toTagKey
	toTagValue
)

type sink struct {
	op    sinkOp
	time  TimeFormat
	level int // of an up slot
	index int32
}

// find returns the index of the field with the wire name, -1 if there is none.
func (n *node) find(wire []byte) int32 {
	if i, ok := n.index[string(wire)]; ok {
		return i
	}
	if n.folded != nil {
		if i, ok := n.folded[strings.ToLower(string(wire))]; ok {
			return i
		}
	}
	return -1
}
